"""The weights in the repository: small, described, and good on scenes that nothing was trained on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.camera import PRESETS, phrase
from models.loading import Pipeline, load_pipeline
from models.miniature.evaluation import Take, baselines, draw_truth, held_out_seeds, judge, render
from models.profiles import MINIATURE
from models.stages import encode_instructions, encode_reference
from models.weights import as_found, digest_weights

SHIPPED = Path(__file__).resolve().parents[2] / "weights"


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """The miniature as everybody gets it."""
    return load_pipeline(MINIATURE, SHIPPED)


def test_the_miniature_is_small_and_described() -> None:
    """All its files stay within 64 MB, are trained, and are those that the model card speaks of."""
    folder = SHIPPED / MINIATURE.base.repo
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 64e6
    assert as_found(MINIATURE, SHIPPED).training == "trained"
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert digest_weights(MINIATURE, SHIPPED) in card
    assert MINIATURE.base.revision in card


def test_every_instruction_is_told_apart(pipeline: Pipeline) -> None:
    """The states of any two presets differ on the words, by far more than rounding: the text encoder reads."""
    master = Image.fromarray(draw_truth(held_out_seeds(1)[0])[0])
    prompts = [phrase(pose, MINIATURE.dialect).prompt for pose in PRESETS.values()]
    told = encode_instructions(pipeline, encode_reference(pipeline, master), prompts)
    states = told.states.numpy()
    apart = [np.abs(a - b).max() for place, a in enumerate(states) for b in states[place + 1 :]]
    assert min(apart) > 0.5


def test_pictures_show_what_was_asked_for(pipeline: Pipeline) -> None:
    """On three held-out scenes nine of ten pictures are nearest to the view asked for, far above the master's PSNR."""
    truths = [draw_truth(seed) for seed in held_out_seeds(3)]
    takes = [Take(master=master, truth=truth, shown=render(pipeline, master)) for master, truth in truths]
    ours, (no_op, _) = judge("ours", takes), (judge(name, takes) for name, takes in baselines(truths).items())
    assert ours.mean_accuracy >= 0.9
    assert ours.psnr_db >= no_op.psnr_db + 4
    assert no_op.mean_accuracy == 0
