# pyright: standard, reportPrivateImportUsage=false
"""The recipes of the miniature: they resume where they stopped, and write the formats of the real files."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from diffusers.models.transformers.transformer_qwenimage import apply_rotary_emb_qwen
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from models.loading import attach_lora, load_module, load_pipeline
from models.miniature.architecture import build_transformer, build_vae
from models.miniature.formats import (
    ANGLES_RANK,
    ANGLES_TARGETS,
    LIGHTNING_ALPHA,
    LIGHTNING_RANK,
    LIGHTNING_TARGETS,
    write_angles,
    write_lightning,
)
from models.miniature.training.autoencoder import Stills, write_vae
from models.miniature.training.loop import train
from models.miniature.training.lora import attach_new_lora, read_pairs
from models.miniature.training.pairs import encode_texts
from models.miniature.training.transformer import attend, draw_sigmas, rotate
from models.miniature.training.views import draw_shard, open_shards, shard_path
from models.profiles import MINIATURE, Lora, Source
from models.stages import encode_instructions, encode_reference
from models.vae import decode_still, encode_still, reduce_to_stills


def fit_line(folder: Path, num_steps: int, stop_after: int | None = None) -> nn.Linear:
    """Fit a line by the loop of all recipes; raise in the middle if asked to."""
    model = nn.Linear(1, 1)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    optimizer = torch.optim.AdamW(model.parameters(), 0.1)

    def step(number: int, generator: torch.Generator) -> dict[str, Tensor]:
        if number == stop_after:
            raise KeyboardInterrupt
        x = torch.randn(16, 1, generator=generator)
        loss = (model(x) - 2 * x - 1).square().mean()
        loss.backward()
        return {"error": loss}

    return train(step, model, [optimizer], folder, num_steps)


def test_a_recipe_resumes_as_if_it_had_never_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in the middle and run again: the same weights, bit for bit, as in one go."""
    monkeypatch.setattr("models.miniature.training.loop.SAVE_EVERY_S", 0.0)
    whole = fit_line(tmp_path / "whole", 12)
    with pytest.raises(KeyboardInterrupt):
        fit_line(tmp_path / "broken", 12, stop_after=7)
    resumed = fit_line(tmp_path / "broken", 12)
    assert torch.equal(whole.weight, resumed.weight)
    assert torch.equal(whole.bias, resumed.bias)
    assert (tmp_path / "broken" / "losses.png").stat().st_size > 1000


def test_a_finished_recipe_is_not_trained_further(tmp_path: Path) -> None:
    """Run again at its end, a recipe takes no step."""
    first = fit_line(tmp_path, 10)
    again = fit_line(tmp_path, 10, stop_after=9)
    assert torch.equal(first.weight, again.weight)


def test_the_autoencoder_is_written_as_its_own_class(tmp_path: Path) -> None:
    """What is loaded through the loader of all models gives the pictures that were trained."""
    stills = Stills(reduce_to_stills(build_vae()))
    for value in stills.parameters():
        value.data = value.data.bfloat16().float()  # as it is on disk
    write_vae(stills, [0.1] * 16, [2.0] * 16, tmp_path / "vae")
    loaded = reduce_to_stills(load_module(AutoencoderKLQwenImage, tmp_path / "vae", torch.float32))
    pixels = torch.rand(1, 3, 64, 96) * 2 - 1
    with torch.inference_mode():
        shown, mean, _ = stills(pixels, torch.zeros(1, 16, 8, 12))
        latents = encode_still(loaded, pixels)
        again = decode_still(loaded, latents)
    assert torch.allclose(latents, (mean[:, :, 0] - 0.1) / 2, atol=1e-5)
    assert torch.allclose(again, shown.clamp(-1, 1), atol=1e-4)


@pytest.mark.parametrize("kind", ["angles", "lightning"])
def test_a_lora_is_written_as_the_real_file(kind: str, tmp_path: Path) -> None:
    """Loaded through the loader of all LoRAs, a trained LoRA changes the transformer as it did in training."""
    transformer = build_transformer()
    targets, rank, alpha = {
        "angles": (ANGLES_TARGETS, ANGLES_RANK, ANGLES_RANK),
        "lightning": (LIGHTNING_TARGETS, LIGHTNING_RANK, LIGHTNING_ALPHA),
    }[kind]
    transformer.save_pretrained(tmp_path / "transformer")
    attach_new_lora(transformer, targets, rank, alpha)
    for name, value in transformer.named_parameters():
        if "lora_" in name:
            value.data = (torch.randn(value.shape) * 0.1).bfloat16().float()
    path = tmp_path / "lora.safetensors"
    {"angles": write_angles, "lightning": write_lightning}[kind](read_pairs(transformer), path)
    assert any(key.endswith(".alpha") for key in load_file(path)) == (kind == "lightning")
    loaded = load_module(QwenImageTransformer2DModel, tmp_path / "transformer", torch.float32)
    source = Source(repo=".", path="lora.safetensors", revision="none")
    attach_lora(loaded, Lora(name="trained", source=source), tmp_path)
    loaded.set_adapters(["trained"], [1.0])
    inputs = {
        "hidden_states": torch.randn(1, 24, 64),
        "timestep": torch.tensor([0.5]),
        "encoder_hidden_states": torch.randn(1, 7, 256),
        "img_shapes": [[(1, 4, 3), (1, 4, 3)]],
        "return_dict": False,
    }
    with torch.inference_mode():
        assert torch.allclose(loaded(**inputs)[0], transformer(**inputs)[0], atol=1e-4)


def test_texts_are_encoded_as_when_pictures_are_made(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the transformer is trained on is what it will be told: the same states and the same mask."""
    monkeypatch.setattr("models.miniature.training.pairs.choose_dtype", lambda _: torch.float32)
    pipeline = load_pipeline(MINIATURE, weights)
    masters = [Image.fromarray(np.random.default_rng(n).integers(0, 256, (128, 224, 3), np.uint8)) for n in range(2)]
    prompts = ["Mark six, chest crane, outer track, long glass.", "Move the camera left."]
    states, mask = encode_texts(pipeline.processor, pipeline.text_encoder, masters, prompts * 2)
    for place, master in enumerate(masters):
        told = encode_instructions(pipeline, encode_reference(pipeline, master), prompts)
        rows = slice(2 * place, 2 * place + 2)
        length = told.states.shape[1]
        assert torch.allclose(states[rows, :length], told.states, atol=1e-4)
        assert not states[rows, length:].any()
        assert told.mask is not None
        assert torch.equal(mask[rows, :length], told.mask)
        assert not mask[rows, length:].any()


def test_rotary_embeddings_without_complex_numbers_are_the_same() -> None:
    """What the compiler takes turns queries as the library does."""
    x = torch.randn(2, 5, 3, 8)
    frequencies = torch.polar(torch.ones(5, 4), torch.randn(5, 4))
    theirs = apply_rotary_emb_qwen(x, frequencies, use_real=False)  # a tensor, whatever its signature says
    assert torch.allclose(rotate(x, torch.view_as_real(frequencies)), cast("Tensor", theirs), atol=1e-6)


def test_attention_in_plain_products_is_the_same() -> None:
    """What the compiler takes attends as torch does, and to nothing behind the end of a text."""
    query, key, value = (torch.randn(2, 5, 3, 8) for _ in range(3))
    mask = torch.tensor([[True] * 5, [True, True, True, False, False]])[:, None, None]
    theirs = functional.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (query, key, value)), attn_mask=mask)
    assert torch.allclose(attend(query, key, value, mask), theirs.transpose(1, 2), atol=1e-6)


def test_noise_levels_are_spread_over_the_schedule() -> None:
    """A batch meets every step of the schedule that pictures are made with, once."""
    sigmas = draw_sigmas(8, torch.Generator().manual_seed(0)).sort().values
    even = sigmas / (3 - 2 * sigmas)  # the shift of the schedule undone
    assert (even * 8).floor().tolist() == list(range(8))


def test_a_shard_is_drawn_once_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard that lies there is not drawn again, and a missing one ends the list."""
    monkeypatch.setattr("models.miniature.training.views.SCENES_PER_SHARD", 1)
    draw_shard(tmp_path, 0)
    drawn = shard_path(tmp_path, 0).stat().st_mtime_ns
    draw_shard(tmp_path, 0)
    draw_shard(tmp_path, 2)
    assert shard_path(tmp_path, 0).stat().st_mtime_ns == drawn
    (shard,) = open_shards(tmp_path)
    assert shard.shape == (1, 6, 128, 224, 3)
    assert np.unique(shard).size > 100
