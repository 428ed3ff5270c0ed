# pyright: standard, reportPrivateImportUsage=false
"""One render, stage by stage: encode the reference, encode the instructions, sample, decode.

The method is that of `QwenImageEditPlusPipeline` with `true_cfg_scale=1`. It differs in what is done once per scene
instead of once per angle (the reference's latents, the vision tower, the language model's prefix), in sampling any
number of angles in one batch, and in the autoencoder running a still as 2-D convolutions.

Shapes: B angles, N = H/16 * W/16 tokens of a picture, C = 64 channels of a packed latent, S and P tokens of the shared
prefix with and without the hidden system text, T tokens of the longest instruction, D width of the text encoder.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import DynamicCache

from models.attention import Kept
from models.errors import NotFiniteError
from models.framing import choose_raster
from models.loading import Pipeline
from models.reuse import predict_reusing
from models.schedule import schedule, timesteps
from models.template import PREFIX, SYSTEM, suffix
from models.vae import decode_still, encode_still
from models.velocity import Tokens, predict

_TOKEN_PX = 16
"""A transformer token covers this many pixels on a side: 8x autoencoder, 2x2 latents packed into one token."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What all angles of one scene share."""

    latents: Tensor
    """(1, N, C), normalised and packed."""
    grid: tuple[int, int]
    """Rows and columns of tokens; the output picture has the same."""
    prefix_states: Tensor
    """(1, P, D), what the transformer sees of the prefix."""
    prefix_cache: DynamicCache
    """Keys and values of all S prefix tokens in every layer of the language model; never written to."""


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """The instructions of B angles as the transformer sees them."""

    states: Tensor
    """(B, P + T, D), zero behind the end of an instruction."""
    mask: Tensor | None
    """(B, P + T), False behind the end of an instruction; None when all are of one length."""


@torch.inference_mode()
def encode_reference(pipeline: Pipeline, picture: Image.Image) -> Reference:
    """Encode the master, already fitted to the model's raster (sides a multiple of 16 px, sRGB)."""
    pixels = _image_processor().preprocess(picture).to(pipeline.device, pipeline.vae.dtype)
    latents = encode_still(pipeline.vae, pixels)
    prefix_states, prefix_cache = _encode_prefix(pipeline, picture)
    return Reference(
        latents=pack(latents),
        grid=(picture.height // _TOKEN_PX, picture.width // _TOKEN_PX),
        prefix_states=prefix_states,
        prefix_cache=prefix_cache,
    )


def _encode_prefix(pipeline: Pipeline, picture: Image.Image) -> tuple[Tensor, DynamicCache]:
    width, height = choose_raster(picture.width, picture.height, pipeline.profile.condition_area_px)
    seen = _image_processor().resize(picture, height, width)
    inputs = pipeline.processor(text=[PREFIX], images=[seen], return_tensors="pt")  # pyright: ignore[reportCallIssue]
    inputs.pop("mm_token_type_ids", None)  # diffusers passes none, so positions count tokens, not rows and columns
    inputs = inputs.to(pipeline.device)
    cache = DynamicCache(config=pipeline.text_encoder.config)
    states = pipeline.text_encoder.model(**inputs, past_key_values=cache, use_cache=True).last_hidden_state
    return states[:, num_hidden_tokens(pipeline) :], cache


def num_hidden_tokens(pipeline: Pipeline) -> int:
    """Return how many tokens of the system text the transformer never sees (64 with the real tokenizer)."""
    return len(pipeline.processor.tokenizer(SYSTEM).input_ids)


@torch.inference_mode()
def encode_instructions(pipeline: Pipeline, reference: Reference, prompts: Sequence[str]) -> Conditioning:
    """Encode what differs from angle to angle, behind the shared prefix; one row a prompt."""
    tokens = pipeline.processor.tokenizer(
        [suffix(prompt) for prompt in prompts], padding=True, padding_side="right", return_tensors="pt"
    ).to(pipeline.device)
    cache = copy.deepcopy(reference.prefix_cache)
    cache.batch_repeat_interleave(len(prompts))
    # Causal attention: no instruction sees the padding behind it, so the language model needs no mask.
    states = pipeline.text_encoder.model.language_model(
        input_ids=tokens.input_ids, past_key_values=cache, use_cache=True
    ).last_hidden_state
    is_word = tokens.attention_mask.bool()
    prefix = reference.prefix_states.expand(len(prompts), -1, -1)
    mask = torch.cat([is_word.new_ones(prefix.shape[:2]), is_word], dim=1)
    states = torch.cat([prefix, states * is_word.unsqueeze(-1)], dim=1)
    return Conditioning(states=states, mask=None if bool(mask.all()) else mask)


def draw_noise(seeds: Sequence[int], grid: tuple[int, int]) -> Tensor:
    """Return packed noise (B, N, C), one row a seed, drawn on the CPU so that a seed means the same on every device."""
    rows, columns = grid
    shape = (1, 1, 16, rows * 2, columns * 2)
    drawn = [torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)) for seed in seeds]
    return pack(torch.cat(drawn)[:, 0])


@torch.inference_mode()
def sample(pipeline: Pipeline, reference: Reference, conditioning: Conditioning, noise: Tensor) -> Iterator[Tensor]:
    """Yield the packed latents (B, N, C) after each diffusion step, from `noise` to the picture.

    Source: Euler steps along the flow, Liu et al. 2022, "Flow Straight and Fast", equation 1.
    """
    sigmas = schedule(pipeline.profile).to(reference.latents.device)
    latents = noise.to(reference.latents)
    still = reference.latents.expand(len(latents), -1, -1)
    kept = [Kept() for _ in pipeline.transformer.transformer_blocks]
    for sigma, next_sigma in pairwise(sigmas):
        tokens = Tokens(
            latents=latents,
            still=still,
            grid=reference.grid,
            timestep=timesteps(sigma.reshape(1), latents.dtype),
            states=conditioning.states,
            mask=conditioning.mask,
        )
        if pipeline.profile.arithmetic.reuses_reference:
            velocity = predict_reusing(pipeline.transformer, tokens, kept)
        else:
            velocity = predict(pipeline.transformer, tokens)
        latents = (latents.float() + (next_sigma - sigma) * velocity).to(velocity.dtype)
        yield latents


@torch.inference_mode()
def decode(pipeline: Pipeline, latents: Tensor, grid: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the pictures (B, H, W, 3) of packed latents (B, N, C).

    Raises:
        NotFiniteError: The latents hold NaN or infinity.
    """
    if not bool(torch.isfinite(latents).all()):
        msg = "The sampled latents hold NaN or infinity: render this angle with another seed or a wider dtype."
        raise NotFiniteError(msg)
    pixels = decode_still(pipeline.vae, unpack(latents, grid).to(pipeline.vae.dtype))
    floats = (pixels * 0.5 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).float().cpu().numpy()
    return (floats * 255).round().astype(np.uint8)


def pack(latents: Tensor) -> Tensor:
    """Turn latents (B, 16, 2h, 2w) into tokens (B, h*w, 64), 2x2 neighbours in one token."""
    batch, channels, height, width = latents.shape
    blocks = latents.view(batch, channels, height // 2, 2, width // 2, 2)
    return blocks.permute(0, 2, 4, 1, 3, 5).reshape(batch, (height // 2) * (width // 2), channels * 4)


def unpack(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Turn tokens (B, h*w, 64) back into latents (B, 16, 2h, 2w)."""
    rows, columns = grid
    blocks = tokens.view(len(tokens), rows, columns, -1, 2, 2)
    return blocks.permute(0, 3, 1, 4, 2, 5).reshape(len(tokens), -1, rows * 2, columns * 2)


def _image_processor() -> VaeImageProcessor:
    return VaeImageProcessor(vae_scale_factor=_TOKEN_PX)
