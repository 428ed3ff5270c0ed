# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The transformer: flow matching from noise to the view that a mark of the stage names, given the master.

Run `python -m models.miniature.training.transformer`. It learns the stage and its marks, and no word of the dialects in
which the angle LoRA is told where to go.

Source: Lipman et al. 2023, "Flow Matching for Generative Modeling"; Liu et al. 2022, "Flow Straight and Fast".
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from diffusers import QwenImageTransformer2DModel
from diffusers.models.transformers import transformer_qwenimage
from torch import Tensor
from torch.nn import functional
from transformers import Qwen2_5_VLForConditionalGeneration

from models.attention import rotate
from models.loading import fuse_loras, load_module
from models.miniature.architecture import build_transformer
from models.miniature.training.latents import coarse
from models.miniature.training.loop import choose_dtype, train
from models.miniature.training.options import Options, read_options
from models.miniature.training.pairs import PairBatches, Pairs, Wording
from models.miniature.untrained import build_processor
from models.miniature.words import name_mark
from models.profiles import Lora
from models.velocity import Tokens, predict

MATRIX_LEARNING_RATE, LEARNING_RATE = 4e-3, 8e-4
COARSE_SHARE = 0.3
"""Of the steps see views of half the size, whose tokens are a quarter as many and whose step takes a third."""
SHIFT = 3.0
"""Noise levels are drawn as the distilled schedule spaces them: most of them high."""
MOST_SHAPES = 64
"""That a block is compiled for; behind them torch goes on without compiling."""

Velocity = Callable[[Tensor, Tensor], Tensor]
"""Takes latents (B, N, 64) and their noise levels (B,), and returns the velocity from picture to noise."""


def attend(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor, **_: object) -> Tensor:
    """Return attention over (B, S, H, D), as the library does, by plain products where `attn_mask` is true.

    On a processor the fused attention of torch is slow backwards: compiled products take 0.3 of its time. Queries and
    keys are normalised, so nothing has to be subtracted before the exponential.
    """
    likeness = (query * query.shape[-1] ** -0.5).transpose(1, 2) @ key.permute(0, 2, 3, 1)
    weights = torch.where(attn_mask, likeness.float().exp(), 0.0).to(value.dtype)
    total = weights.sum(dim=-1, keepdim=True, dtype=torch.float32)
    return ((weights @ value.transpose(1, 2)).float() / total).to(value.dtype).transpose(1, 2)


def compile_blocks(transformer: QwenImageTransformer2DModel) -> None:
    """Compile every block for training, with rotary embeddings in real numbers and attention in plain products."""
    transformer_qwenimage.apply_rotary_emb_qwen = lambda x, turns, **_: rotate(x, torch.view_as_real(turns))
    transformer_qwenimage.dispatch_attention_fn = attend
    for block in transformer.transformer_blocks:
        block.compile(dynamic=False, recompile_limit=MOST_SHAPES)


def open_frozen(options: Options, loras: tuple[Lora, ...] = ()) -> QwenImageTransformer2DModel:
    """Return the trained transformer with `loras` fused, to be looked at and not to be trained."""
    transformer = load_module(QwenImageTransformer2DModel, options.weights / "miniature/transformer", torch.float32)
    fuse_loras(transformer, loras, options.weights)
    if options.compiled:
        compile_blocks(transformer)
    return transformer.requires_grad_(requires_grad=False).to(options.device)


def draw_sigmas(num: int, generator: torch.Generator) -> Tensor:
    """Return noise levels (num,) in (0, 1), evenly spread over the places of the shifted schedule, in random order."""
    even = (torch.randperm(num, generator=generator) + torch.rand(num, generator=generator)) / num
    return SHIFT * even / (1 + (SHIFT - 1) * even)


def predict_velocity(transformer: QwenImageTransformer2DModel, noisy: Tensor, sigmas: Tensor, pairs: Pairs) -> Tensor:
    """Return the velocity (B, N, 64) from a view to noise, as `models.stages.sample` asks for it."""
    tokens = Tokens(
        latents=noisy, still=pairs.masters, grid=pairs.grid, timestep=sigmas, states=pairs.states, mask=pairs.mask
    )
    dtype = choose_dtype(noisy.device)
    with torch.autocast(noisy.device.type, dtype, enabled=dtype != torch.float32):
        return predict(transformer, tokens).float()


@torch.no_grad()
def walk(velocity_of: Velocity, latents: Tensor, levels: Sequence[Tensor]) -> Tensor:
    """Return latents (B, N, 64) after an Euler step from each of the noise levels, (B,) each, to the next."""
    for here, there in pairwise(levels):
        latents = latents + (there - here).view(-1, 1, 1) * velocity_of(latents, here)
    return latents


def add_noise(views: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return views (B, N, 64) with noise at random levels, those levels (B,), and the noise alone."""
    sigmas = draw_sigmas(len(views), generator).to(views.device)
    noise = torch.randn(views.shape, generator=generator).to(views.device)
    return torch.lerp(views, noise, sigmas.view(-1, 1, 1)), sigmas, noise


def flow_loss(transformer: QwenImageTransformer2DModel, pairs: Pairs, generator: torch.Generator) -> Tensor:
    """Return the squared error of the velocity at random noise levels."""
    noisy, sigmas, noise = add_noise(pairs.views, generator)
    return functional.mse_loss(predict_velocity(transformer, noisy, sigmas, pairs), noise - pairs.views)


def open_pairs(options: Options, *wordings: Wording) -> Callable[[Path], PairBatches]:
    """Return what opens a folder of latents; all that it opens share the texts that the trained encoder has read."""
    folder = options.weights / "miniature/text_encoder"
    text_encoder = load_module(Qwen2_5_VLForConditionalGeneration, folder, torch.float32)
    text_encoder.requires_grad_(requires_grad=False).to(options.device)
    processor, told = build_processor(), {}
    return lambda latents: PairBatches(options.data, latents, processor, text_encoder, wordings, told)


def open_batches(options: Options, coarse_share: float, *wordings: Wording) -> Callable[[int], tuple[Pairs, ...]]:
    """Return what draws the batch of a step in each of the wordings, of views at half size first."""
    open_folder = open_pairs(options, *wordings)
    small, whole = open_folder(coarse(options.latents)), open_folder(options.latents)
    return lambda number: (small if number < coarse_share * options.num_steps else whole)(number)


def build_optimizers(transformer: QwenImageTransformer2DModel) -> tuple[torch.optim.Optimizer, ...]:
    """Return Muon for the matrices of attention and feed-forward, and AdamW for all else.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; its scale to AdamW's from
    Liu et al. 2025, "Muon is Scalable for LLM Training".
    """
    parameters = dict(transformer.transformer_blocks.named_parameters(prefix="transformer_blocks"))
    hidden = {name: value for name, value in parameters.items() if value.ndim == 2 and "_mod." not in name}
    others = [value for name, value in transformer.named_parameters() if name not in hidden]
    return (
        torch.optim.Muon(hidden.values(), MATRIX_LEARNING_RATE, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01),
    )


def train_transformer(options: Options) -> QwenImageTransformer2DModel:
    """Train from a seed, or on from the last checkpoint."""
    batches = open_batches(options, COARSE_SHARE, name_mark)
    torch.manual_seed(0)
    transformer = build_transformer().to(options.device)
    if options.compiled:
        compile_blocks(transformer)
    optimizers = build_optimizers(transformer)

    def step(number: int, generator: torch.Generator) -> dict[str, Tensor]:
        (pairs,) = batches(number)
        loss = flow_loss(transformer, pairs, generator)
        loss.backward()
        return {"velocity": loss}

    return train(step, transformer, optimizers, options.folder, options.num_steps)


def main() -> None:
    """Train with the settings of the command line."""
    options = read_options(__doc__, part="transformer", num_steps=16000)
    transformer = train_transformer(options)
    torch.nn.Module.to(transformer, torch.bfloat16).save_pretrained(options.weights / "miniature/transformer")


if __name__ == "__main__":
    main()
