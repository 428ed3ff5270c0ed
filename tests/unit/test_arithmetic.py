"""The quicker kinds of arithmetic: linear layers in 8 bits, and a reference that is computed once."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from torch import Tensor, nn

from models.attention import Kept, compile_blocks, use_quickest_backend, use_real_numbers
from models.fp8 import FP8, Fp8Linear, quantise_linears, quantise_rows
from models.loading import load_pipeline
from models.miniature.architecture import TRANSFORMER
from models.placement import Seats
from models.preparation import prepare_transformer
from models.profiles import MINIATURE, Arithmetic, Profile
from models.renderer import Machine
from models.reuse import predict_reusing
from models.velocity import Tokens, predict

ROUNDING = 2.0**-4
"""Half of the distance between neighbours in 8 bits with three of them behind the point, as a share of the number."""


def profile_with(arithmetic: Arithmetic) -> Profile:
    """The miniature, computed in another way."""
    return MINIATURE.model_copy(update={"arithmetic": arithmetic})


def draw_tokens(num: int, *, is_masked: bool) -> Tokens:
    """What a transformer of the miniature's size may be given."""
    mask = torch.ones(num, 12, dtype=torch.bool)
    mask[0, 9:] = False
    return Tokens(
        latents=torch.randn(num, 24, 64),
        still=torch.randn(num, 24, 64),
        grid=(4, 6),
        timestep=torch.tensor([0.75]),
        states=torch.randn(num, 12, 256) * mask.unsqueeze(-1),
        mask=mask if is_masked else None,
    )


def build_transformer(*, zero_cond_t: bool) -> QwenImageTransformer2DModel:
    """A transformer with random weights."""
    torch.manual_seed(0)
    transformer = QwenImageTransformer2DModel(**TRANSFORMER, zero_cond_t=zero_cond_t)
    return transformer.eval().requires_grad_(requires_grad=False)


def test_rows_keep_their_largest_number() -> None:
    """Every number is within the rounding of 8 bits, small rows beside large ones, and a row of zeros stays one."""
    rows = torch.randn(5, 64) * torch.tensor([[1e-6], [1e-2], [1.0], [1e4], [0.0]])
    in_8_bits, scale = quantise_rows(rows)
    assert in_8_bits.dtype == FP8
    back = in_8_bits.float() * scale
    smallest = rows.abs().amax(dim=1, keepdim=True) / 448 / 64  # below it 8 bits have no bits left
    assert bool(((back - rows).abs() <= rows.abs() * ROUNDING + smallest).all())
    torch.testing.assert_close(back.abs().amax(dim=1), rows.abs().amax(dim=1), rtol=1e-6, atol=0)


@pytest.mark.parametrize("has_bias", [False, True])
def test_an_8_bit_linear_is_the_product_of_what_was_rounded(*, has_bias: bool) -> None:
    """Nothing but the rounding of weight and tokens is lost, whatever the number of dimensions."""
    torch.manual_seed(0)
    linear = nn.Linear(64, 48, bias=has_bias)
    tokens = torch.randn(2, 3, 64)
    weight, by_output = quantise_rows(linear.weight.detach())
    rounded, by_token = quantise_rows(tokens.flatten(0, 1))
    expected = (rounded.float() * by_token) @ (weight.float() * by_output).T + (linear.bias if has_bias else 0)
    found = Fp8Linear(linear)(tokens)
    torch.testing.assert_close(found, expected.detach().view(2, 3, 48), rtol=0, atol=1e-5)


def test_sides_that_kernels_do_not_take_stay_whole() -> None:
    """A layer whose side is no multiple of 16 is left as it is."""
    layers = quantise_linears(nn.Sequential(nn.Linear(32, 48), nn.Linear(48, 20)))
    assert [type(layer) for layer in layers.children()] == [Fp8Linear, nn.Linear]


@pytest.mark.parametrize("zero_cond_t", [False, True])
@pytest.mark.parametrize("is_masked", [False, True])
@torch.inference_mode()
def test_the_first_step_of_a_reused_reference_is_exact(*, is_masked: bool, zero_cond_t: bool) -> None:
    """The velocity is that of the transformer, bit for bit, for the classes of 2509 and of 2511."""
    transformer = build_transformer(zero_cond_t=zero_cond_t)
    tokens = draw_tokens(2, is_masked=is_masked)
    expected = predict(transformer, tokens)
    use_real_numbers(transformer)
    found = predict_reusing(transformer, tokens, [Kept() for _ in transformer.transformer_blocks])
    assert torch.equal(found, expected)


@torch.inference_mode()
def test_a_step_with_the_same_reference_is_the_same() -> None:
    """Asked twice for the same step, the kept keys and values stand for the reference that they were computed from."""
    transformer = build_transformer(zero_cond_t=True)
    tokens, kept = draw_tokens(1, is_masked=False), [Kept() for _ in transformer.transformer_blocks]
    use_real_numbers(transformer)
    first = predict_reusing(transformer, tokens, kept)
    torch.testing.assert_close(predict_reusing(transformer, tokens, kept), first, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_what_is_kept_is_used() -> None:
    """Another reference changes nothing after the first step."""
    transformer = build_transformer(zero_cond_t=False)
    tokens, kept = draw_tokens(1, is_masked=False), [Kept() for _ in transformer.transformer_blocks]
    use_real_numbers(transformer)
    predict_reusing(transformer, tokens, kept)
    other = replace(tokens, still=torch.randn_like(tokens.still))
    assert torch.equal(predict_reusing(transformer, other, kept), predict_reusing(transformer, tokens, kept))


def test_a_profile_says_how_it_is_computed(weights: Path) -> None:
    """The loaded transformer has the layers that its profile asks for, and no others."""
    plain = load_pipeline(MINIATURE, weights).transformer
    quick = load_pipeline(profile_with(Arithmetic(linears="fp8", reuses_reference=True)), weights).transformer
    assert not any(isinstance(module, Fp8Linear) for module in plain.modules())
    blocks = [module for module in quick.transformer_blocks.modules() if isinstance(module, Fp8Linear)]
    assert len(blocks) == 6 * 12  # four of attention and two of the feed-forward, for picture and text
    assert not any(isinstance(module, nn.Linear) for module in quick.transformer_blocks.modules())


def test_attention_without_a_gpu_is_torchs_own() -> None:
    """A CPU has nothing quicker."""
    assert use_quickest_backend(build_transformer(zero_cond_t=False), "cpu") == "torch's own"


@torch.inference_mode()
def test_compiled_blocks_give_the_same_velocity() -> None:
    """Regional compilation changes the velocity by rounding at most, modulation tables and all."""
    transformer = build_transformer(zero_cond_t=False)
    tokens = replace(draw_tokens(1, is_masked=False), timestep=torch.tensor([0.5]))
    prepare_transformer(transformer, MINIATURE)
    expected = predict(transformer, tokens)
    compile_blocks(transformer)
    torch.testing.assert_close(predict(transformer, tokens), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("plan", ["encoder_freed", "offload"])
def test_every_plan_gives_the_same_velocity(weights: Path, plan: str) -> None:
    """Where a part lies while it does not compute changes nothing, and both parts come back as they were."""
    tokens = draw_tokens(1, is_masked=False)
    pipeline = load_pipeline(MINIATURE, weights)
    words = torch.tensor([[1, 2, 3, 4]])

    def ask(seats: Seats | None) -> list[Tensor]:
        answers: list[Tensor] = []
        for _ in range(2):
            with torch.inference_mode():
                if seats is None:
                    answers += [pipeline.text_encoder.model.language_model(words).last_hidden_state]
                    answers += [predict(pipeline.transformer, tokens)]
                else:
                    with seats.hold("text_encoder"):
                        answers += [pipeline.text_encoder.model.language_model(words).last_hidden_state]
                    with seats.hold("transformer"):
                        answers += [predict(pipeline.transformer, tokens)]
        return answers

    expected = ask(None)
    machine = Machine.model_validate({"device": "cpu", "plan": plan})
    found = ask(Seats(copy.copy(pipeline), machine))
    assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))
