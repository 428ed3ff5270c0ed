# pyright: standard, reportPrivateImportUsage=false
"""The file formats of the real LoRAs and of open_clip, as the miniature writes them, trained or not."""

import json
from collections.abc import Mapping
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.miniature.architecture import CLIP

ANGLES_RANK = 16
LIGHTNING_RANK, LIGHTNING_ALPHA = 64, 8

_ATTENTION = tuple(
    f"attn.{name}"
    for name in ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
)
ANGLES_TARGETS = (*_ATTENTION, "img_mlp.net.2", "txt_mlp.net.2", "img_mod.1", "txt_mod.1")
LIGHTNING_TARGETS = (
    *_ATTENTION,
    "img_mlp.net.0.proj",
    "img_mlp.net.2",
    "txt_mlp.net.0.proj",
    "txt_mlp.net.2",
)

LoraPairs = Mapping[str, tuple[Tensor, Tensor]]
"""Of every target: down (rank, inputs) and up (outputs, rank)."""


def write_angles(pairs: LoraPairs, path: Path) -> None:
    """Write a LoRA in the key format of dx8152/Qwen-Edit-2509-Multiple-angles: no alpha, so its scale is 1."""
    state = {}
    for name, (down, up) in pairs.items():
        state |= {f"{name}.lora_A.default.weight": down, f"{name}.lora_B.weight": up}
    _save(state, path)


def write_lightning(pairs: LoraPairs, path: Path) -> None:
    """Write a LoRA in the key format of lightx2v/Qwen-Image-Lightning: its scale is alpha / rank."""
    state = {}
    for name, (down, up) in pairs.items():
        state |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
    alphas = {f"{name}.alpha": torch.tensor(float(LIGHTNING_ALPHA)) for name in pairs}
    _save(state, path, alphas)


def write_clip(model: open_clip.CLIP, folder: Path) -> None:
    """Write the model as an open_clip checkpoint: settings and safetensors."""
    _save(model.state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CLIP}, indent=2))


def _save(state: Mapping[str, Tensor], path: Path, exact: Mapping[str, Tensor] | None = None) -> None:
    """Save tensors in half of their width, and those of `exact` as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halved = {name: value.detach().cpu().to(torch.bfloat16).contiguous() for name, value in state.items()}
    save_file(halved | dict(exact or {}), path)
