# pyright: standard, reportPrivateImportUsage=false
"""Linear layers in 8-bit floats: half the memory of 16 bits, and up to twice the products a second on new GPUs.

Every row of a weight has a scale, and every token that is multiplied with it has one, taken anew each time. The
products are summed in 32 bits.

Source: Micikevicius et al. 2022, "FP8 Formats for Deep Learning".
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import ScalingType, scaled_mm

FP8 = torch.float8_e4m3fn
LARGEST = torch.finfo(FP8).max
MULTIPLE = 16
"""The GPU's kernels take sides of such multiples only."""


class Fp8Linear(nn.Module):
    """A linear layer whose weight (outputs, inputs) is kept in 8 bits."""

    weight: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear, device: torch.device | None = None) -> None:
        """Round the weight of `linear`, on `device` if it is quicker there; its bias stays as it is."""
        super().__init__()
        home = linear.weight.device
        weight, scale = quantise_rows(linear.weight.detach().to(device or home))
        self.register_buffer("weight", weight.to(home))
        self.register_buffer("scale", scale.to(home))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (..., outputs) of `tokens` (..., inputs), in their dtype."""
        rows, scale = quantise_rows(tokens.flatten(0, -2))
        by_row = ScalingType.RowWise
        products = scaled_mm(rows, self.weight.t(), scale, by_row, self.scale.t(), by_row, output_dtype=tokens.dtype)
        if self.bias is not None:
            products = products + self.bias
        return products.unflatten(0, tokens.shape[:-1])


def quantise_rows(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows (R, C) in 8 bits and the scale (R, 1) of each, in float32: the largest number of a row is kept."""
    scale = rows.abs().amax(dim=1, keepdim=True).float().clamp(min=1e-12) / LARGEST
    return (rows.float() / scale).clamp(-LARGEST, LARGEST).to(FP8), scale


def quantise_linears(module: nn.Module, device: torch.device | None = None) -> nn.Module:
    """Replace, in place, every linear layer of `module` whose sides a GPU's 8-bit kernels take."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear) and not (child.in_features % MULTIPLE or child.out_features % MULTIPLE):
                setattr(parent, name, Fp8Linear(child, device))
    return module
