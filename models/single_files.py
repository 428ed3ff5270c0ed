# pyright: standard, reportPrivateImportUsage=false
"""ComfyUI's single files: one safetensors file a part, in the names of its own classes or of others, in 16 or 8 bits.

Three ways of writing 8-bit floats are read: plain (a cast, nothing beside it), scaled as of 2024 (`scaled_fp8` in the
file, `scale_weight` beside each weight), and scaled as of 2025 (`weight_scale` and `comfy_quant` beside each weight, or
`_quantization_metadata` in the header). A scale is multiplied in, never passed over; what scales inputs is for 8-bit
arithmetic, which we do not do here.

Source: QUANTIZATION.md of comfyanonymous/ComfyUI.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKLQwenImage
from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers
from safetensors import safe_open
from torch import Tensor, nn
from transformers import PreTrainedModel, Qwen2_5_VLForConditionalGeneration

from models.errors import WrongWeightsError
from models.weights import check_file, read_settings, refuse_damage

Module = TypeVar("Module", bound=nn.Module)

_FP8 = frozenset({torch.float8_e4m3fn, torch.float8_e5m2})
_FP8_NAMES = frozenset({"float8_e4m3fn", "float8_e5m2"})
_SCALES = (".scale_weight", ".weight_scale")
_INPUT_SCALES = (".scale_input", ".input_scale")
_LAYER_FORMAT = ".comfy_quant"
_SCALED = "scaled_fp8"
_HEADER = "_quantization_metadata"
_PREFIXES = ("model.diffusion_model.", "diffusion_model.")
_ZERO_COND = "__index_timestep_zero__"
"""Says that the references of the edit model are modulated at noise level 0, as those of 2511 are."""


@dataclass(frozen=True, kw_only=True)
class SingleFile:
    """What a file holds, every weight as the number that it stands for."""

    path: Path
    state: dict[str, Tensor]
    written_in: Literal["whole", "plain fp8", "scaled fp8"]
    """A LoRA trained on 16 bits leaves a grid on a base of plain 8 bits."""
    has_zero_cond: bool


def read_single_file(path: Path, dtype: torch.dtype) -> SingleFile:
    """Read a file and multiply every scale in; all tensors are of `dtype` afterwards.

    Raises:
        MissingWeightsError: The file is not there.
        PickledWeightsError: It is a pickle.
        WrongWeightsError: It is damaged, or written in a format of which we do not know what its numbers stand for.
    """
    check_file(path)
    with refuse_damage(path), safe_open(path, framework="pt") as file:
        header = file.metadata() or {}
        state = {_strip(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    has_zero_cond = state.pop(_ZERO_COND, None) is not None
    is_scaled = _SCALED in state or _HEADER in header or any(name.endswith(_SCALES) for name in state)
    is_fp8 = any(tensor.dtype in _FP8 for tensor in state.values())
    _check_formats(path, state, header)
    state.pop(_SCALED, None)
    whole = _multiply_scales(path, state, dtype) if is_scaled else state
    return SingleFile(
        path=path,
        state={name: tensor.to(dtype) for name, tensor in whole.items()},
        written_in="scaled fp8" if is_scaled else "plain fp8" if is_fp8 else "whole",
        has_zero_cond=has_zero_cond,
    )


def _strip(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _check_formats(path: Path, state: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Refuse every format but 8-bit floats, and every dtype that is no float."""
    with refuse_damage(path):
        layers = json.loads(header.get(_HEADER, "{}")).get("layers", {})
        formats = {name: layer["format"] for name, layer in layers.items()}
        for name, tensor in state.items():
            if name.endswith(_LAYER_FORMAT):
                formats[name.removesuffix(_LAYER_FORMAT)] = json.loads(bytes(tensor.tolist()))["format"]
    for name, found in formats.items():
        if found not in _FP8_NAMES:
            _refuse(path, f"writes {name} as {found}", "use the bf16 or the fp8 file")
    for name, tensor in state.items():
        if not tensor.is_floating_point() and not name.endswith(_LAYER_FORMAT):
            _refuse(path, f"holds {name} as {tensor.dtype}", "use the bf16 or the fp8 file")


def _multiply_scales(path: Path, state: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Return the weights alone, each multiplied by its scale in float32; every 8-bit weight must have one."""
    scales: dict[str, Tensor] = {}
    for name, tensor in state.items():
        for suffix in _SCALES:
            if name.endswith(suffix):
                scales[f"{name.removesuffix(suffix)}.weight"] = tensor
    whole: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.endswith((*_SCALES, *_INPUT_SCALES, _LAYER_FORMAT)):
            continue
        scale = scales.pop(name, None)
        if scale is None and tensor.dtype in _FP8:
            _refuse(path, f"holds no scale for {name}")
        whole[name] = tensor if scale is None else (tensor.float() * _fit(path, name, scale, tensor)).to(dtype)
    if scales:
        _refuse(path, f"holds a scale for {min(scales)}, which it does not hold")
    return whole


def _fit(path: Path, name: str, scale: Tensor, weight: Tensor) -> Tensor:
    """Return a scale in float32 as it is multiplied in: one for all of a weight, or one for each of its rows."""
    factor = scale.float()
    if not bool(torch.isfinite(factor).all()) or not bool((factor > 0).all()):
        _refuse(path, f"scales {name} by {factor.flatten()[:3].tolist()}")
    if factor.numel() == 1:
        return factor.reshape(())
    if factor.numel() == len(weight) and factor.ndim <= weight.ndim:
        return factor.reshape(-1, *[1] * (weight.ndim - 1))
    return _refuse(path, f"scales {name} of shape {tuple(weight.shape)} by {tuple(factor.shape)} numbers")


def _refuse(path: Path, what: str, cure: str = "fetch the file again") -> Tensor:
    msg = f"{path} {what}: {cure}."
    raise WrongWeightsError(msg)


def name_vae(file: SingleFile) -> dict[str, Tensor]:
    """Return the tensors of an autoencoder in the names of `AutoencoderKLQwenImage`."""
    with refuse_damage(file.path):
        return convert_wan_vae_to_diffusers(dict(file.state))


def name_text_encoder(file: SingleFile) -> dict[str, Tensor]:
    """Return the tensors of a text encoder in the names of `Qwen2_5_VLForConditionalGeneration`.

    The head that would tell the next word is not used, and not in every file: it is tied to the words' embeddings.
    """
    state: dict[str, Tensor] = {}
    for name, tensor in file.state.items():
        renamed = f"model.{name}" if name.startswith("visual.") else name
        if renamed.startswith("model.") and not renamed.startswith(("model.visual.", "model.language_model.")):
            renamed = f"model.language_model.{renamed.removeprefix('model.')}"
        state[renamed] = tensor
    embeddings = "model.language_model.embed_tokens.weight"
    if embeddings in state:
        state["lm_head.weight"] = state[embeddings]
    return state


_NAMES = {AutoencoderKLQwenImage: name_vae, Qwen2_5_VLForConditionalGeneration: name_text_encoder}
"""For parts whose files use other names than the library's."""


def assemble_part(cls: type[Module], file: SingleFile, settings: Path) -> Module:
    """Return a part of a pipeline that holds what a single file holds, built by the settings of the base model.

    Raises:
        WrongWeightsError: The file is one of another part or of another model, or the settings cannot be read.
    """
    state = _NAMES[cls](file) if cls in _NAMES else file.state
    if file.has_zero_cond and not read_settings(settings / "config.json").get("zero_cond_t"):
        _refuse(
            file.path, f"modulates references at noise level 0, which {settings} does not", "use the file of its base"
        )
    return assemble(lambda: build_part(cls, settings), state, file.path)


def build_part(cls: type[Module], settings: Path) -> Module:
    """Return a part of a pipeline as its settings describe it, with whatever weights it is born with."""
    read_settings(settings / "config.json")  # or a library takes the defaults of another model
    with refuse_damage(settings):
        kind: Any = cls
        if issubclass(cls, PreTrainedModel):
            return kind(kind.config_class.from_pretrained(settings, local_files_only=True))
        return kind.from_config(kind.load_config(settings, local_files_only=True))


def assemble(build: Callable[[], Module], state: dict[str, Tensor], path: Path) -> Module:
    """Return a module that holds `state`, without a second copy of it ever being in memory.

    Raises:
        WrongWeightsError: A tensor is missing, unexpected or of another shape.
    """
    with init_empty_weights(include_buffers=False):
        module = build()
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    wrong = {
        "missing": sorted(expected.keys() - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "of another shape": sorted(name for name in expected.keys() & found.keys() if expected[name] != found[name]),
    }
    if any(wrong.values()):
        said = ", ".join(f"{len(names)} {kind} such as {names[0]}" for kind, names in wrong.items() if names)
        _refuse(path, f"does not fit {type(module).__name__} ({said})")
    module.load_state_dict(state, strict=True, assign=True)
    return module.requires_grad_(requires_grad=False).eval()
