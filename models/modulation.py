# pyright: standard, reportPrivateImportUsage=false
"""The modulation of a schedule's few noise levels, computed once; the layers that made it are dropped.

Every block turns the embedding of the noise level into shift, scale and gate by two large linear layers. They depend on
nothing else, and a render passes through the same few levels every time: what they say is a table of a few rows.

Shapes: L noise levels, D width of the transformer.
"""

from typing import Any

import torch
from diffusers import QwenImageTransformer2DModel
from diffusers.models.normalization import AdaLayerNormContinuous
from torch import Tensor, nn


class LevelIndex(nn.Module):
    """In the place of the embedding of a noise level: which row of the tables is meant."""

    levels: Tensor

    def __init__(self, levels: Tensor) -> None:
        """Take the noise levels (L,) as the transformer is given them."""
        super().__init__()
        self.register_buffer("levels", levels, persistent=False)

    def forward(self, timestep: Tensor, *_: object) -> Tensor:
        """Return the row (B,) of the nearest level of each of `timestep` (B,); never waits for a GPU."""
        return (self.levels - timestep.unsqueeze(1)).abs().argmin(dim=1)


class Table(nn.Module):
    """In the place of layers that see the embedding of a noise level alone: what they say at each level."""

    rows: Tensor

    def __init__(self, rows: Tensor) -> None:
        """Take what the layers say (L, ...)."""
        super().__init__()
        self.register_buffer("rows", rows, persistent=False)

    def forward(self, index: Tensor) -> Tensor:
        """Return the rows (B, ...) of `index` (B,)."""
        return self.rows[index]


class TabledNorm(nn.Module):
    """The last norm of the transformer, its scale and shift from a table."""

    def __init__(self, norm: AdaLayerNormContinuous, table: Table) -> None:
        """Take the norm and what its linear layer says (L, 2 D)."""
        super().__init__()
        self.norm, self.table = norm.norm, table

    def forward(self, hidden: Tensor, index: Tensor) -> Tensor:
        """Return `hidden` (B, N, D) normalised, scaled and shifted."""
        scale, shift = self.table(index).chunk(2, dim=1)
        return self.norm(hidden) * (1 + scale)[:, None, :] + shift[:, None, :]


@torch.no_grad()
def precompute_modulation(
    transformer: QwenImageTransformer2DModel, levels: Tensor, device: torch.device | None = None
) -> QwenImageTransformer2DModel:
    """Replace, in place, all that sees nothing but the noise level; LoRAs must be fused before.

    Not in inference mode: what is made there could not be moved off a device and back.

    Each level is put through the layers alone, as `models.stages.sample` does, so the tables hold the very same bits.

    Args:
        transformer: Holds 6.8 of 20.4 billion parameters less afterwards, at the size of Qwen-Image.
        levels: All that the transformer will be given (L,), rounded as it will be given them.
        device: Where it will compute, because another device rounds otherwise; by default where it lies.
    """
    home = transformer.img_in.weight
    embed = transformer.time_text_embed.to(device)
    levels = levels.to(device or home.device, home.dtype)
    if transformer.zero_cond_t:  # level 0, of the references, goes through the layers beside every other
        embeddings = [embed(torch.stack((level, level * 0)), levels) for level in levels]
        levels = torch.cat([levels, levels[:1] * 0])
    else:
        embeddings = [embed(level.reshape(1), levels) for level in levels]
    blocks: Any = transformer.transformer_blocks
    for block in blocks:
        block.img_mod = _tabulate(block.img_mod.to(device), embeddings).to(home.device)
        block.txt_mod = _tabulate(block.txt_mod.to(device), [each[:1] for each in embeddings]).to(home.device)
    norm = transformer.norm_out.to(device)
    table = _tabulate(nn.Sequential(norm.silu, norm.linear), [each[:1] for each in embeddings])
    transformer.add_module("norm_out", TabledNorm(norm, table).to(home.device))
    transformer.add_module("time_text_embed", LevelIndex(levels).to(home.device))
    return transformer


def _tabulate(layers: nn.Module, embeddings: list[Tensor]) -> Table:
    """Return a row for the first of each of `embeddings`, and one for what comes second in all of them."""
    said = [layers(each) for each in embeddings]
    return Table(torch.cat([*(each[:1] for each in said), said[-1][1:]]))
