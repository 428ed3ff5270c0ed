"""Our stages against the stock pipeline, on the same weights and the same noise."""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from diffusers import QwenImageEditPlusPipeline
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError
from torch import Tensor

from models.camera import PRESETS, Pose, phrase
from models.errors import MissingDeviceError, NotFiniteError, OutOfMemoryError
from models.in_process import InProcessRenderer
from models.loading import Pipeline, load_pipeline
from models.miniature.cameras import camera_for
from models.miniature.raycast import render_view
from models.miniature.stage import make_scene
from models.profiles import MINIATURE, SchedulerConfig
from models.renderer import AngleJob, Machine, Rendered, StepDone
from models.schedule import schedule
from models.stages import Reference, decode, draw_noise, encode_instructions, encode_reference, sample
from tests.stock import stock_latents, stock_picture, stock_pipeline

LATENT_TOLERANCE = 2e-5
"""Ours fuses the LoRAs into the weights, splits the text at the prefix and runs the autoencoder in 2-D: the same sums
in another order, in float32, over eight steps. Measured: below 1e-6."""

LEVEL_TOLERANCE, SHARE_TOLERANCE = 1, 1e-3
"""A value that lies on the edge between two of 256 levels may fall to the other side. Measured: 4 values in 100,000."""

PROMPTS = [phrase(pose, "relative").prompt for pose in list(PRESETS.values())[:7]]
SEEDS = range(7)


CPU = Machine(device="cpu")


@pytest.fixture(scope="module")
def pipeline(weights: Path) -> Pipeline:
    """The miniature, loaded."""
    return load_pipeline(MINIATURE, weights)


@pytest.fixture(scope="module")
def stock(pipeline: Pipeline, weights: Path) -> Generator[QwenImageEditPlusPipeline]:
    """The stock pipeline with the same weights."""
    with stock_pipeline(pipeline, weights) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def master() -> Image.Image:
    """A picture of the film stage at the miniature's raster."""
    return Image.fromarray(render_view(make_scene(7), camera_for(Pose()), 224, 128, samples_per_axis=1).picture)


@pytest.fixture(scope="module")
def reference(pipeline: Pipeline, master: Image.Image) -> Reference:
    """The master, encoded."""
    return encode_reference(pipeline, master)


def _render(
    pipeline: Pipeline, reference: Reference, prompts: Sequence[str], seeds: Sequence[int]
) -> tuple[Tensor, NDArray[np.uint8]]:
    conditioning = encode_instructions(pipeline, reference, prompts)
    noise = draw_noise(seeds, reference.grid)
    *_, latents = sample(pipeline, reference, conditioning, noise)
    return latents, decode(pipeline, latents, reference.grid)


def _assert_same_picture(ours: NDArray[np.uint8], theirs: Image.Image) -> None:
    difference = np.abs(ours.astype(int) - np.asarray(theirs).astype(int))
    assert difference.max() <= LEVEL_TOLERANCE
    assert (difference > 0).mean() <= SHARE_TOLERANCE


def test_one_angle_is_the_stock_picture(
    pipeline: Pipeline, stock: QwenImageEditPlusPipeline, master: Image.Image, reference: Reference
) -> None:
    """One angle alone gives the latents and the picture of a stock call."""
    for prompt, seed in zip(PROMPTS[:2], SEEDS[:2], strict=True):
        latents, pictures = _render(pipeline, reference, [prompt], [seed])
        torch.testing.assert_close(latents, stock_latents(stock, master, prompt, seed), rtol=0, atol=LATENT_TOLERANCE)
        _assert_same_picture(pictures[0], stock_picture(stock, master, prompt, seed))


def test_seven_angles_in_one_batch_are_the_stock_pictures(
    pipeline: Pipeline, stock: QwenImageEditPlusPipeline, master: Image.Image, reference: Reference
) -> None:
    """Instructions of different lengths share a batch and give what seven stock calls give."""
    latents, pictures = _render(pipeline, reference, PROMPTS, SEEDS)
    for row, (prompt, seed) in enumerate(zip(PROMPTS, SEEDS, strict=True)):
        expected = stock_latents(stock, master, prompt, seed)
        torch.testing.assert_close(latents[row : row + 1], expected, rtol=0, atol=LATENT_TOLERANCE)
        _assert_same_picture(pictures[row], stock_picture(stock, master, prompt, seed))


def test_batch_and_single_calls_agree(pipeline: Pipeline, reference: Reference) -> None:
    """Seven angles in one batch, or one by one, are the same pictures within the tolerance."""
    _, together = _render(pipeline, reference, PROMPTS, SEEDS)
    for row, (prompt, seed) in enumerate(zip(PROMPTS, SEEDS, strict=True)):
        _, alone = _render(pipeline, reference, [prompt], [seed])
        _assert_same_picture(together[row], Image.fromarray(alone[0]))


def test_same_seed_same_bits(pipeline: Pipeline, reference: Reference) -> None:
    """The same seed gives the same bits; another seed does not."""
    first, _ = _render(pipeline, reference, PROMPTS[:1], [5])
    second, _ = _render(pipeline, reference, PROMPTS[:1], [5])
    other, _ = _render(pipeline, reference, PROMPTS[:1], [6])
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_instruction_changes_the_picture(pipeline: Pipeline, reference: Reference) -> None:
    """Two instructions from one noise give two pictures: the text reaches the transformer."""
    latents, _ = _render(pipeline, reference, PROMPTS[:2], [5, 5])
    assert (latents[0] - latents[1]).abs().max() > LATENT_TOLERANCE


def test_encoding_instructions_leaves_the_reference_alone(pipeline: Pipeline, reference: Reference) -> None:
    """The shared prefix is not written to by the angles that use it."""
    before = encode_instructions(pipeline, reference, PROMPTS[:1]).states
    encode_instructions(pipeline, reference, PROMPTS)
    assert torch.equal(before, encode_instructions(pipeline, reference, PROMPTS[:1]).states)


def test_schedule_is_the_distilled_one(stock: QwenImageEditPlusPipeline, master: Image.Image) -> None:
    """The noise levels are those that the Lightning LoRA was trained on, and those of a stock run of any size."""
    expected = [1, 0.9545, 0.9, 0.8333, 0.75, 0.6429, 0.5, 0.3, 0]
    assert schedule(MINIATURE).tolist() == pytest.approx(expected, abs=5e-5)
    for picture in (master, master.resize((320, 192))):
        stock_latents(stock, picture, PROMPTS[0], seed=0)
        assert torch.equal(stock.scheduler.sigmas, schedule(MINIATURE))


def test_a_schedule_that_follows_the_raster_is_refused() -> None:
    """Levels that depend on the size of the picture are no property of a profile."""
    settings = MINIATURE.scheduler.model_dump()
    with pytest.raises(ValidationError, match="differ: give one, for every raster"):
        SchedulerConfig.model_validate(settings | {"max_shift": 0.9})


def test_noise_that_is_not_finite_is_refused(pipeline: Pipeline, reference: Reference) -> None:
    """Latents with NaN never become a picture."""
    latents = draw_noise([0], reference.grid)
    latents[0, 0, 0] = float("nan")
    with pytest.raises(NotFiniteError, match="NaN or infinity"):
        decode(pipeline, latents, reference.grid)


def test_seven_angles_encode_the_still_once(pipeline: Pipeline, master: Image.Image) -> None:
    """Seven angles run the autoencoder's encoder and the vision tower once, and its decoder seven times."""
    calls: Counter[str] = Counter()
    parts = {
        "encoder": pipeline.vae.encoder,
        "decoder": pipeline.vae.decoder,
        "eye": pipeline.text_encoder.model.visual,
    }
    hooks = [module.register_forward_hook(lambda *_, name=name: calls.update([name])) for name, module in parts.items()]
    renderer = InProcessRenderer(pipeline, Machine(device="cpu", num_lanes=2))
    for prompt, seed in zip(PROMPTS, SEEDS, strict=True):
        list(renderer.render("master", lambda: master, AngleJob(prompt=prompt, seed=seed)))
    for hook in hooks:
        hook.remove()
    assert calls == {"encoder": 1, "eye": 1, "decoder": 7}


def test_renderer_streams_a_step_at_a_time(pipeline: Pipeline, master: Image.Image) -> None:
    """Eight steps are announced one by one, then the picture comes with the time of each stage."""
    renderer = InProcessRenderer(pipeline, CPU)
    *steps, last = renderer.render("master", lambda: master, AngleJob(prompt=PROMPTS[0], seed=0))
    assert steps == [StepDone(step=number, num_steps=8) for number in range(1, 9)]
    assert isinstance(last, Rendered)
    assert last.picture.shape == (128, 224, 3)
    assert set(last.stage_times_s) == {"queue", "encode", "sample", "decode"}


def test_an_angle_that_is_given_up_makes_room_for_the_next(pipeline: Pipeline, master: Image.Image) -> None:
    """Closing a render between two steps frees its lane."""
    renderer = InProcessRenderer(pipeline, CPU)
    given_up = renderer.render("master", lambda: master, AngleJob(prompt=PROMPTS[0], seed=0))
    assert next(given_up) == StepDone(step=1, num_steps=8)
    given_up.close()
    *_, last = renderer.render("master", lambda: master, AngleJob(prompt=PROMPTS[0], seed=0))
    assert isinstance(last, Rendered)


def test_references_are_encoded_anew_when_pushed_out(pipeline: Pipeline, master: Image.Image) -> None:
    """More masters than are held cost an encoding each, and no angle fails for it."""
    renderer = InProcessRenderer(pipeline, CPU)
    read: list[str] = []

    def reader(key: str) -> Callable[[], Image.Image]:
        return lambda: (read.append(key), master)[1]

    for key in ("a", "b", "c", "d", "e", "e", "a"):
        renderer.show(key, reader(key))
    assert read == ["a", "b", "c", "d", "e", "a"]


def test_no_memory_for_the_model(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that does not fit onto its device is one sentence; only a real device could say so by itself."""
    move, full = torch.nn.Module.to, "cpu:0"

    def move_if_there_is_room(module: torch.nn.Module, *to: Any, **options: Any) -> torch.nn.Module:  # noqa: ANN401 - as torch
        return _run_out_of_memory() if torch.device(full) in to else move(module, *to, **options)

    monkeypatch.setattr(torch.nn.Module, "to", move_if_there_is_room)
    with pytest.raises(OutOfMemoryError, match="ran out of memory while loading the model"):
        InProcessRenderer.load(MINIATURE, weights, Machine(device=full))


def test_no_memory_for_the_master(pipeline: Pipeline, master: Image.Image) -> None:
    """A master that does not fit is one sentence, and the next try is not the worse for it."""
    renderer = InProcessRenderer(pipeline, CPU)
    hook = pipeline.vae.encoder.register_forward_pre_hook(_run_out_of_memory)
    with pytest.raises(OutOfMemoryError, match="ran out of memory while encoding the master"):
        renderer.show("master", lambda: master)
    hook.remove()
    renderer.show("master", lambda: master)


def test_missing_device(weights: Path) -> None:
    """A GPU that is not there is one sentence, before anything is loaded."""
    with pytest.raises(
        MissingDeviceError, match=r"^The device 'cuda:99' cannot be used \([^.\n]+\): choose cpu, or .*it\.$"
    ):
        load_pipeline(MINIATURE, weights, "cuda:99")


def _run_out_of_memory(*_: object) -> NoReturn:
    raise torch.OutOfMemoryError
