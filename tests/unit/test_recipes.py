"""Every recipe of the miniature, one after the other as `make train` runs them, for two steps on two scenes."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models.loading import load_pipeline
from models.miniature.training import (
    angles,
    autoencoder,
    captions,
    contrast,
    language,
    latents,
    lightning,
    samples,
    sharpness,
    transformer,
    views,
)
from models.profiles import MINIATURE

STEPS = 2
WRITTEN = {
    sharpness: "vae/diffusion_pytorch_model.safetensors",
    language: "text_encoder/model.safetensors",
    contrast: "clip/open_clip_model.safetensors",
    transformer: "transformer/diffusion_pytorch_model.safetensors",
    angles: "loras/multi-angle.safetensors",
    lightning: "loras/lightning-8steps.safetensors",
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run the command of a recipe, on shards of two scenes."""
    for name in ("views", "captions", "pairs", "samples"):
        monkeypatch.setattr(f"models.miniature.training.{name}.SCENES_PER_SHARD", 2)

    def _run(main: Callable[[], None], *words: object) -> None:
        monkeypatch.setattr(sys, "argv", ["recipe", "--data", str(tmp_path / "views"), *map(str, words)])
        main()

    return _run


def test_every_recipe_writes_its_part(weights: Path, tmp_path: Path, run: Callable[..., None]) -> None:
    """Each recipe leaves its losses and its part anew, and the parts load as a pipeline."""
    trained, encoded = tmp_path / "weights", tmp_path / "latents"
    shutil.copytree(weights, trained)
    short = ("--weights", trained, "--latents", encoded, "--steps", STEPS)
    run(views.main, "--scenes", 2, "--workers", 1)
    run(captions.main, "--shards", 1)
    run(autoencoder.main, *short, "--folder", tmp_path / "vae")
    run(latents.main, "--weights", trained, "--folder", encoded)
    for recipe, part in WRITTEN.items():
        path = trained / "miniature" / part
        before = path.read_bytes()
        folder = tmp_path / recipe.__name__.rpartition(".")[2]
        run(recipe.main, *short, "--folder", folder)
        losses = [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]
        assert losses[-1]["step"] == STEPS
        assert path.read_bytes() != before
    sampled = tmp_path / "sampled"
    run(samples.main, *short[:4], "--steps", 1, "--folder", sampled)
    before = (trained / "miniature" / WRITTEN[sharpness]).read_bytes()
    run(sharpness.main, *short[:2], "--latents", sampled, "--steps", STEPS, "--folder", tmp_path / "sharpness_again")
    assert (trained / "miniature" / WRITTEN[sharpness]).read_bytes() != before
    load_pipeline(MINIATURE, trained)
