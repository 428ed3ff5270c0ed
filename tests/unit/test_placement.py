"""Who is on the device when: turns that are taken once a scene, and angles that overlap."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.camera import PRESETS, phrase
from models.in_process import InProcessRenderer
from models.loading import Pipeline, load_pipeline
from models.placement import Seats
from models.profiles import MINIATURE
from models.renderer import AngleJob, Machine, Rendered

PROMPTS = [phrase(pose, "relative").prompt for pose in list(PRESETS.values())[:3]]


@pytest.fixture
def pipeline(weights: Path) -> Pipeline:
    """The miniature, its parts on the host."""
    return load_pipeline(MINIATURE, weights)


@pytest.fixture(scope="module")
def master() -> Image.Image:
    """Any picture of the raster."""
    return Image.effect_noise((224, 128), 60).convert("RGB")


def render(renderer: InProcessRenderer, master: Image.Image, prompt: str) -> Rendered:
    """Return an angle."""
    *_, rendered = renderer.render("master", lambda: master, AngleJob(prompt=prompt, seed=0))
    assert isinstance(rendered, Rendered)
    return rendered


def test_the_text_encoder_is_asked_before_it_gives_its_place_up(pipeline: Pipeline, master: Image.Image) -> None:
    """All instructions of a scene are encoded when it is shown, and the pictures are those of any other plan."""
    expected = [render(InProcessRenderer(pipeline, Machine(device="cpu")), master, prompt) for prompt in PROMPTS]
    calls: Counter[str] = Counter()
    pipeline.text_encoder.model.language_model.register_forward_hook(lambda *_: calls.update(["text"]))
    renderer = InProcessRenderer(pipeline, Machine(device="cpu", plan="encoder_freed"))
    renderer.show("master", lambda: master, PROMPTS)
    assert calls["text"] == 1 + len(PROMPTS)
    found = [render(renderer, master, prompt) for prompt in PROMPTS]
    assert calls["text"] == 1 + len(PROMPTS)
    assert all(np.array_equal(one.picture, other.picture) for one, other in zip(expected, found, strict=True))


def test_an_instruction_that_was_not_foreseen_is_encoded(pipeline: Pipeline, master: Image.Image) -> None:
    """The text encoder comes back for it."""
    renderer = InProcessRenderer(pipeline, Machine(device="cpu", plan="encoder_freed"))
    renderer.show("master", lambda: master, PROMPTS[:1])
    assert render(renderer, master, PROMPTS[1]).picture.shape == (128, 224, 3)


def test_a_decode_does_not_keep_the_next_angle_waiting(pipeline: Pipeline, master: Image.Image) -> None:
    """With one seat and two lanes, the second angle is sampled while the first is still being decoded."""
    is_sampled = [threading.Event(), threading.Event()]
    steps: Counter[str] = Counter()

    def count_steps(*_: object) -> None:
        steps.update(["steps"])
        is_sampled[min(steps["steps"] // (MINIATURE.num_steps + 1), 1)].set()

    def wait_for_the_other(*_: object) -> None:
        assert is_sampled[1].wait(timeout=60)

    pipeline.transformer.register_forward_hook(count_steps)
    pipeline.vae.decoder.register_forward_pre_hook(wait_for_the_other)
    renderer = InProcessRenderer(pipeline, Machine(device="cpu", num_lanes=2, plan="encoder_freed"))
    renderer.show("master", lambda: master, PROMPTS)
    with ThreadPoolExecutor(2) as threads:
        pictures = list(threads.map(lambda prompt: render(renderer, master, prompt), PROMPTS[:2]))
    assert len(pictures) == 2


def test_nothing_that_was_prepared_is_bound_to_its_device(pipeline: Pipeline) -> None:
    """No tensor is one of inference mode, which could not be given other contents when it comes and goes."""
    parts = (pipeline.transformer, pipeline.text_encoder, pipeline.vae)
    tensors = [tensor for part in parts for tensor in (*part.parameters(), *part.buffers())]
    assert not any(tensor.is_inference() for tensor in tensors)


def test_a_part_that_could_not_come_is_fetched_again(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory ran out on the way, nobody has the seat, and the next to ask gets it whole."""
    seats = Seats(pipeline, Machine(device="cpu", plan="encoder_freed"))
    with seats.hold("text_encoder"):
        pass
    with monkeypatch.context() as full:
        full.setattr(torch.Tensor, "to", _run_out_of_memory)
        with pytest.raises(torch.OutOfMemoryError), seats.hold("transformer"):
            pass
        with pytest.raises(torch.OutOfMemoryError), seats.hold("text_encoder"):
            pass
    with seats.hold("text_encoder"):
        pass


def _run_out_of_memory(*_: object, **__: object) -> None:
    raise torch.OutOfMemoryError
