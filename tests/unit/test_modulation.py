"""Modulation from a table is the modulation, bit for bit, without the layers that made it."""

import copy
from itertools import pairwise

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from torch import nn

from models.miniature.architecture import TRANSFORMER
from models.modulation import precompute_modulation
from models.profiles import MINIATURE
from models.schedule import schedule


@pytest.mark.parametrize("zero_cond_t", [False, True])
@pytest.mark.parametrize("num", [1, 3])
def test_latents_are_the_same_bits(num: int, *, zero_cond_t: bool) -> None:
    """Eight steps from the same noise, alone and in a batch, for the classes of 2509 and of 2511."""
    torch.manual_seed(0)
    plain = (
        QwenImageTransformer2DModel(**TRANSFORMER, zero_cond_t=zero_cond_t).eval().requires_grad_(requires_grad=False)
    )
    levels = schedule(MINIATURE)
    tabled = precompute_modulation(copy.deepcopy(plain), levels[:-1])
    states, shapes = torch.randn(num, 12, 256), [[(1, 4, 6), (1, 4, 6)]] * num
    noise = torch.randn(num, 48, 64)
    ends = []
    for transformer in (plain, tabled):
        latents = noise
        for here, there in pairwise(levels):
            velocity = transformer(
                hidden_states=latents,
                timestep=here.reshape(1),
                encoder_hidden_states=states,
                img_shapes=shapes,
                return_dict=False,
            )[0]
            latents = latents + (there - here) * velocity
        ends.append(latents)
    assert torch.equal(*ends)


def test_a_third_of_the_real_transformer_goes() -> None:
    """At the size of Qwen-Image 6.8 of 20.4 billion parameters, 13.6 GB in bfloat16."""

    def num_parameters(module: nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    with torch.device("meta"):
        transformer = QwenImageTransformer2DModel()
        before = num_parameters(transformer)
        after = num_parameters(precompute_modulation(transformer, torch.linspace(1, 0.1, 8)))
    assert before == pytest.approx(20.43e9, rel=1e-3)
    assert (before - after) * 2 == pytest.approx(13.6e9, rel=0.01)
