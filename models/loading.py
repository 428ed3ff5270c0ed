# pyright: standard, reportPrivateImportUsage=false
"""From a profile's files to a pipeline in memory: strict, offline, safetensors only."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from diffusers.loaders import QwenImageLoraLoaderMixin
from safetensors import SafetensorError
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2VLProcessor
from transformers.utils.logging import disable_progress_bar

from models.errors import WrongWeightsError
from models.profiles import Lora, Profile
from models.vae import reduce_to_stills
from models.weights import check_file, check_folder

Module = TypeVar("Module", bound=torch.nn.Module)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The parts of one loaded profile; LoRAs are fused, the autoencoder takes stills only."""

    profile: Profile
    transformer: QwenImageTransformer2DModel
    vae: AutoencoderKLQwenImage
    text_encoder: Qwen2_5_VLForConditionalGeneration
    processor: Qwen2VLProcessor


def load_pipeline(profile: Profile, weights: Path, device: str = "cpu") -> Pipeline:
    """Load `profile` from the folder of all weights.

    Raises:
        MissingWeightsError: A folder or a file of the profile is not there.
        WrongWeightsError: A file is damaged, or holds other tensors than its model.
        PickledWeightsError: Weights are stored as a pickle, which can run code.
    """
    folder = weights / profile.base
    dtype = getattr(torch, profile.dtype)
    transformer = load_module(QwenImageTransformer2DModel, folder / "transformer", dtype)
    fuse_loras(transformer, profile.loras, weights)
    vae = load_module(AutoencoderKLQwenImage, folder / "vae", dtype)
    text_encoder = load_module(Qwen2_5_VLForConditionalGeneration, folder / "text_encoder", dtype)
    for module in (transformer, reduce_to_stills(vae), text_encoder):
        torch.nn.Module.to(module.requires_grad_(requires_grad=False).eval(), device)
    return Pipeline(
        profile=profile,
        transformer=transformer,
        vae=vae,
        text_encoder=text_encoder,
        processor=_read_settings(Qwen2VLProcessor, folder / "processor"),
    )


def load_module(cls: type[Module], folder: Path, dtype: torch.dtype) -> Module:
    """Load a diffusers or transformers model and refuse any tensor that is missing, unexpected or of another shape."""
    check_folder(folder)
    disable_progress_bar()
    module, report = _read(
        folder,
        cls.from_pretrained,  # pyright: ignore[reportAttributeAccessIssue] - of both diffusers and transformers
        folder,
        torch_dtype=dtype,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    wrong = {kind: sorted(map(str, names)) for kind, names in report.items() if names}
    if wrong:
        msg = f"The weights in {folder} do not fit {cls.__name__} ({wrong}): fetch the files of this profile again."
        raise WrongWeightsError(msg)
    return module


def fuse_loras(transformer: QwenImageTransformer2DModel, loras: tuple[Lora, ...], weights: Path) -> None:
    """Load `loras` through PEFT and fuse each at its strength into `transformer`; no adapter is left behind.

    A LoRA is a sum onto the weights, so fusing one after the other is fusing all at once.
    """
    for lora in loras:
        attach_lora(transformer, lora, weights)
        transformer.set_adapters([lora.name], [lora.strength])
        transformer.fuse_lora()
        transformer.unload_lora()


def attach_lora(transformer: QwenImageTransformer2DModel, lora: Lora, weights: Path) -> None:
    """Load one LoRA file as the adapter `lora.name`; both key formats, `alpha` folded in by diffusers.

    Raises:
        WrongWeightsError: A key of the file has no counterpart in the transformer, or a shape differs.
    """
    path = weights / lora.path
    check_file(path)
    state = _read(path, QwenImageLoraLoaderMixin.lora_state_dict, path, use_safetensors=True, local_files_only=True)
    targets = {name.removeprefix("transformer.").rpartition(".lora_")[0] for name in state}
    unknown = sorted(targets.difference(name for name, _ in transformer.named_modules()))
    if unknown:
        msg = f"{path} changes {unknown[0]}, which this transformer does not have: use the LoRA of this profile."
        raise WrongWeightsError(msg)
    _read(path, transformer.load_lora_adapter, state, adapter_name=lora.name, prefix="transformer")


def _read_settings(cls: Any, folder: Path) -> Any:  # noqa: ANN401 - of diffusers or of transformers
    return _read(folder, cls.from_pretrained, folder, local_files_only=True)


def _read(path: Path, load: Callable[..., Any], *arguments: object, **options: object) -> Any:  # noqa: ANN401
    """Call a library's loader and translate what it raises when `path` is absent or damaged."""
    try:
        return load(*arguments, **options)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as exc:
        reason = " ".join(str(exc).split())[:300]
        msg = f"{path} could not be read ({reason}): make or fetch the files of this profile again."
        raise WrongWeightsError(msg) from exc
