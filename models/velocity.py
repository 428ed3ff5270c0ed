# pyright: standard, reportPrivateImportUsage=false
"""One call of the transformer: from noisy latents, the reference and the text to the velocity from picture to noise.

Shapes: B angles, N tokens of a picture, T tokens of the text, D width of the text encoder.
"""

from dataclasses import dataclass

import torch
from diffusers import QwenImageTransformer2DModel
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What the transformer is given at one step."""

    latents: Tensor
    """(B, N, 64), of the picture that is coming about."""
    still: Tensor
    """(B, N, 64), of the reference."""
    grid: tuple[int, int]
    """Rows and columns of tokens of both."""
    timestep: Tensor
    """(1,) or (B,), the noise levels."""
    states: Tensor
    """(B, T, D)."""
    mask: Tensor | None
    """(B, T), False behind the end of a text; None when all are of one length."""


def predict(transformer: QwenImageTransformer2DModel, tokens: Tokens) -> Tensor:
    """Return the velocity (B, N, 64)."""
    shape = (1, *tokens.grid)
    return transformer(
        hidden_states=torch.cat([tokens.latents, tokens.still], dim=1),
        timestep=tokens.timestep,
        encoder_hidden_states=tokens.states,
        encoder_hidden_states_mask=tokens.mask,
        img_shapes=[[shape, shape]] * len(tokens.latents),
        return_dict=False,
    )[0][:, : tokens.latents.shape[1]]
