# pyright: standard, reportPrivateImportUsage=false
"""From a profile's files to a pipeline in memory: strict, offline, safetensors only."""

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from diffusers.loaders import QwenImageLoraLoaderMixin
from safetensors import safe_open
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2VLProcessor
from transformers.utils.logging import disable_progress_bar

from models.errors import MissingDeviceError, WrongWeightsError
from models.preparation import prepare_transformer
from models.profiles import Lora, Profile
from models.single_files import assemble_part, read_single_file
from models.sources import locate
from models.vae import reduce_to_stills
from models.weights import check_file, check_model, check_processor, refuse_damage

logger = logging.getLogger(__name__)

Module = TypeVar("Module", bound=torch.nn.Module)

NUM_HALVES = 2
"""A LoRA is a product of two matrices at every module that it changes."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The parts of one loaded profile; LoRAs are fused, the autoencoder takes stills only."""

    profile: Profile
    device: torch.device
    """Where it computes; its parts may wait elsewhere."""
    transformer: QwenImageTransformer2DModel
    vae: AutoencoderKLQwenImage
    text_encoder: Qwen2_5_VLForConditionalGeneration
    processor: Qwen2VLProcessor


def load_pipeline(profile: Profile, weights: Path, device: str = "cpu") -> Pipeline:
    """Load `profile` from its files, ready to compute on `device`; its parts lie on the host until they are placed.

    Raises:
        MissingWeightsError: A folder or a file of the profile is not there.
        WrongWeightsError: A file is damaged, or holds other tensors than its model.
        PickledWeightsError: Weights are stored as a pickle, which can run code.
        MissingDeviceError: There is no such device, or its driver does not work.
    """
    check_device(device)
    transformer = load_part(QwenImageTransformer2DModel, profile, "transformer", weights)
    fuse_loras(transformer, profile.loras, weights)
    prepare_transformer(transformer, profile, torch.device(device))
    vae = load_part(AutoencoderKLQwenImage, profile, "vae", weights)
    text_encoder = load_part(Qwen2_5_VLForConditionalGeneration, profile, "text_encoder", weights)
    for module in (transformer, reduce_to_stills(vae), text_encoder):
        module.requires_grad_(requires_grad=False).eval()
    return Pipeline(
        profile=profile,
        device=torch.device(device),
        transformer=transformer,
        vae=vae,
        text_encoder=text_encoder,
        processor=load_processor(locate(profile.base, weights) / "processor"),
    )


def check_device(device: str) -> None:
    """Refuse a device that cannot be computed on.

    Raises:
        MissingDeviceError: There is no such device, or its driver does not work.
    """
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as exc:  # of a torch without CUDA, of a machine without it
        reason = str(exc).partition("\n")[0].partition(". ")[0]
        msg = f"The device {device!r} cannot be used ({reason}): choose cpu, or a machine that has it."
        raise MissingDeviceError(msg) from exc


def load_part(cls: type[Module], profile: Profile, part: str, weights: Path) -> Module:
    """Load a part of a profile, from the base in diffusers' layout or from a single file in one of ComfyUI's formats.

    Raises:
        ProfileError: As `load_pipeline`.
    """
    dtype = getattr(torch, profile.dtype)
    settings = locate(profile.base, weights) / part
    if part not in profile.singles:
        return load_module(cls, settings, dtype)
    file = read_single_file(locate(profile.singles[part], weights), dtype)
    if part == "transformer" and profile.loras and file.written_in == "plain fp8":
        logger.warning("%s is in plain 8 bits: LoRAs of 16 bits leave a grid on it.", file.path)
    return assemble_part(cls, file, settings)


def load_module(cls: type[Module], folder: Path, dtype: torch.dtype) -> Module:
    """Load a diffusers or transformers model and refuse any tensor that is missing, unexpected or of another shape."""
    check_model(folder)
    disable_progress_bar()
    with refuse_damage(folder):
        module, report = cls.from_pretrained(  # pyright: ignore[reportAttributeAccessIssue] - diffusers or transformers
            folder, torch_dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    wrong = {kind: sorted(map(str, names)) for kind, names in report.items() if names}
    if wrong:
        msg = f"The weights in {folder} do not fit {cls.__name__} ({wrong}): fetch the files of this profile again."
        raise WrongWeightsError(msg)
    return module


def load_processor(folder: Path) -> Qwen2VLProcessor:
    """Load the tokenizer and the settings of the pictures that the text encoder sees."""
    check_processor(folder)
    with refuse_damage(folder):
        return Qwen2VLProcessor.from_pretrained(folder, local_files_only=True)


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
        WrongWeightsError: The file changes nothing, or what the transformer does not have, or a shape differs.
    """
    path = locate(lora.source, weights)
    check_file(path)
    with refuse_damage(path):
        _check_lora_names(path)
        read: Any = QwenImageLoraLoaderMixin.lora_state_dict(
            str(path), use_safetensors=True, local_files_only=True, return_lora_metadata=True
        )
        state = {name.removeprefix("transformer."): tensor for name, tensor in read[0].items()}
        _check_lora(path, transformer, state)
        transformer.load_lora_adapter(
            {f"transformer.{name}": state[name] for name in state}, adapter_name=lora.name, metadata=read[1]
        )


def _check_lora_names(path: Path) -> None:
    """Refuse what diffusers leaves out with a warning."""
    with safe_open(path, framework="pt") as file:
        left_out = sorted(name for name in file.keys() if "dora_scale" in name)  # noqa: SIM118 - not a mapping
    if left_out:
        msg = f"{path} holds {left_out[0]}: a LoRA with magnitudes (DoRA) is not read, use the LoRA of this profile."
        raise WrongWeightsError(msg)


def _check_lora(path: Path, transformer: QwenImageTransformer2DModel, state: dict[str, torch.Tensor]) -> None:
    """Refuse what diffusers would pass over with a warning at most."""
    halves = Counter(name.rpartition(".lora_")[0] for name in state)
    modules = {name for name, _ in transformer.named_modules() if name}
    wrong = None
    if not halves:
        wrong = "holds no tensor"
    elif unknown := sorted(halves.keys() - modules):
        wrong = f"changes {unknown[0] or min(state)}, which this transformer does not have"
    elif half := sorted(name for name, number in halves.items() if number != NUM_HALVES):
        wrong = f"does not hold a pair of matrices for {half[0]}"
    if wrong:
        msg = f"{path} {wrong}: use the LoRA of this profile."
        raise WrongWeightsError(msg)
