"""ComfyUI's single files, key for key: how tensors in the library's names are written in each format."""

import json
import re

import torch
from torch import Tensor

State = dict[str, Tensor]

FP8 = torch.float8_e4m3fn


def is_matrix(name: str) -> bool:
    """Return whether converters write a tensor in 8 bits."""
    return name.startswith("transformer_blocks.") and name.endswith(".weight") and "norm" not in name


def quantise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return a weight in 8 bits, and its scale: a power of two, so that 16 bits hold the product exactly."""
    scale = torch.exp2(torch.ceil(torch.log2(weight.abs().max().float() / 448)))
    return (weight.float() / scale).to(FP8), scale


def unscale(weight: Tensor, scale: Tensor) -> Tensor:
    """Return what a weight in 8 bits stands for."""
    return (weight.float() * scale).bfloat16()


def as_whole(state: State) -> tuple[State, dict[str, str]]:
    """A file of 16 bits."""
    return state, {}


def as_prefixed(state: State) -> tuple[State, dict[str, str]]:
    """A file of 16 bits with the prefix of a whole checkpoint."""
    return {f"model.diffusion_model.{name}": tensor for name, tensor in state.items()}, {}


def as_scaled_2024(state: State) -> tuple[State, dict[str, str]]:
    """`scaled_fp8` in the file; `scale_weight` and `scale_input` beside every matrix."""
    written: State = {"scaled_fp8": torch.empty(2, dtype=FP8)}
    for name, tensor in state.items():
        written[name] = tensor
        if is_matrix(name):
            layer = name.removesuffix(".weight")
            written[name], written[f"{layer}.scale_weight"] = quantise(tensor)
            written[f"{layer}.scale_input"] = torch.tensor(2.0)
    return written, {}


def as_scaled_2025(state: State) -> tuple[State, dict[str, str]]:
    """`weight_scale`, `input_scale` and `comfy_quant` beside every matrix."""
    written: State = {}
    for name, tensor in state.items():
        written[name] = tensor
        if is_matrix(name):
            layer = name.removesuffix(".weight")
            written[name], written[f"{layer}.weight_scale"] = quantise(tensor)
            written[f"{layer}.input_scale"] = torch.tensor(1.0)
            said = json.dumps({"format": "float8_e4m3fn", "full_precision_matrix_mult": True})
            written[f"{layer}.comfy_quant"] = torch.tensor(list(said.encode()), dtype=torch.uint8)
    return written, {}


def as_scaled_in_header(state: State) -> tuple[State, dict[str, str]]:
    """`weight_scale` beside every matrix, one for each row, and the formats in the header."""
    written: State = {}
    for name, tensor in state.items():
        written[name] = tensor
        if is_matrix(name):
            written[name], scale = quantise(tensor)
            written[f"{name.removesuffix('.weight')}.weight_scale"] = scale.expand(len(tensor), 1).contiguous()
    layers = {name.removesuffix(".weight"): {"format": "float8_e4m3fn"} for name in state if is_matrix(name)}
    return written, {"_quantization_metadata": json.dumps({"format_version": "1.0", "layers": layers})}


FORMATS = (as_whole, as_prefixed, as_scaled_2024, as_scaled_2025, as_scaled_in_header)


def in_wan_names(name: str) -> str:
    """Return the name that a tensor of the autoencoder has in the file of Wan 2.1 and Qwen-Image."""
    name = re.sub(r"(..coder)\.mid_block\.attentions\.0\.", r"\1.middle.1.", name)
    name = re.sub(r"(..coder)\.mid_block\.resnets\.0\.", r"\1.middle.0.", name)
    name = re.sub(r"(..coder)\.mid_block\.resnets\.1\.", r"\1.middle.2.", name)
    name = name.replace("encoder.down_blocks.", "encoder.downsamples.")
    name = re.sub(
        r"decoder\.up_blocks\.(\d)\.resnets\.(\d)",
        lambda found: f"decoder.upsamples.{4 * int(found[1]) + int(found[2])}",
        name,
    )
    name = re.sub(
        r"decoder\.up_blocks\.(\d)\.upsamplers\.0", lambda found: f"decoder.upsamples.{4 * int(found[1]) + 3}", name
    )
    for ours, theirs in (
        (".norm1.", ".residual.0."),
        (".conv1.", ".residual.2."),
        (".norm2.", ".residual.3."),
        (".conv2.", ".residual.6."),
        (".conv_shortcut.", ".shortcut."),
        (".conv_in.", ".conv1."),
        (".norm_out.", ".head.0."),
        (".conv_out.", ".head.2."),
    ):
        name = name.replace(ours, theirs)
    return re.sub(r"^quant_conv\.", "conv1.", re.sub(r"^post_quant_conv\.", "conv2.", name))


def in_first_names(name: str) -> str:
    """Return the name that a tensor of the text encoder has in the file of its first release."""
    return name.replace("model.visual.", "visual.").replace("model.language_model.", "model.")
