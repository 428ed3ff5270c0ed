# pyright: standard, reportPrivateImportUsage=false
"""From a profile's files to a pipeline in memory: strict, offline, safetensors only."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from diffusers.loaders import QwenImageLoraLoaderMixin
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2VLProcessor
from transformers.utils.logging import disable_progress_bar

from models.errors import MissingDeviceError, WrongWeightsError
from models.profiles import Lora, Profile
from models.vae import reduce_to_stills
from models.weights import check_file, check_model, check_processor, refuse_damage

Module = TypeVar("Module", bound=torch.nn.Module)

NUM_HALVES = 2
"""A LoRA is a product of two matrices at every module that it changes."""


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
        MissingDeviceError: There is no such device, or its driver does not work.
    """
    _check_device(device)
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
        processor=load_processor(folder / "processor"),
    )


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as exc:  # of a torch without CUDA, of a machine without it
        reason = str(exc).partition("\n")[0].partition(". ")[0]
        msg = f"The device {device!r} cannot be used ({reason}): choose cpu, or a machine that has it."
        raise MissingDeviceError(msg) from exc


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
    path = weights / lora.path
    check_file(path)
    with refuse_damage(path):
        read: Any = QwenImageLoraLoaderMixin.lora_state_dict(str(path), use_safetensors=True, local_files_only=True)
        state = {name.removeprefix("transformer."): tensor for name, tensor in read.items()}
        _check_lora(path, transformer, state)
        transformer.load_lora_adapter({f"transformer.{name}": state[name] for name in state}, adapter_name=lora.name)


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
