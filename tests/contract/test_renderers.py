"""The contract of a renderer, kept by the one in this process and by the resident one on a real Ray Serve."""

import os
import signal
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from models.errors import OutOfMemoryError, RendererUnavailableError, WrongRendererError
from models.profiles import MINIATURE
from models.renderer import AngleJob, Event, Machine, Queued, Rendered, Renderer, StepDone
from models.wire import RenderJob, identify_model, write_job
from tests.resident import MAX_QUEUED, NUM_STEPS, TOKEN, Pretender, ResidentRenderer

STEPS = [StepDone(step=number, num_steps=NUM_STEPS) for number in range(1, NUM_STEPS + 1)]
MASTER = Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 224, 3), np.uint8))


def read_master() -> Image.Image:
    """Return the same master again."""
    return MASTER


@pytest.fixture(scope="module")
def in_process(weights: Path) -> Renderer:
    """The model in this process."""
    return Pretender.load(MINIATURE, weights, Machine(device="cpu"))


@pytest.fixture(params=["in_process", "resident"])
def renderer(request: pytest.FixtureRequest) -> Renderer:
    """Choose where the model lives."""
    found = request.getfixturevalue(request.param)
    return found.ask() if isinstance(found, ResidentRenderer) else found


def render(renderer: Renderer, prompt: str, seed: int = 0) -> Rendered:
    """Render one angle to the end."""
    *_, last = renderer.render("master", read_master, AngleJob(prompt=prompt, seed=seed))
    assert isinstance(last, Rendered)
    return last


def wait_for_step(events: Generator[Event]) -> StepDone:
    """Return the next step, and pass over what is said of the queue."""
    while not isinstance(event := next(events), StepDone):
        assert isinstance(event, Queued)
    return event


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.1)


def test_steps_come_one_by_one(renderer: Renderer) -> None:
    """Eight steps are announced, then the picture comes with the time of each stage."""
    renderer.show("master", read_master, ["a prompt"])
    *steps, last = renderer.render("master", read_master, AngleJob(prompt="a prompt", seed=0))
    assert [step for step in steps if not isinstance(step, Queued)] == STEPS
    assert isinstance(last, Rendered)
    assert last.picture.shape == (128, 224, 3)
    assert {"queue", "encode", "sample", "decode"} <= set(last.stage_times_s)


def test_a_closed_render_makes_room(renderer: Renderer) -> None:
    """Whoever stops after a step holds up nobody."""
    given_up = renderer.render("master", read_master, AngleJob(prompt="sleep 0.5", seed=1))
    assert wait_for_step(given_up) == STEPS[0]
    given_up.close()
    start = time.monotonic()
    render(renderer, "sleep 0.0")
    assert time.monotonic() - start < 2.5  # the step under way, and no more


def test_the_error_of_the_model_is_the_error_here(renderer: Renderer) -> None:
    """What a model raises arrives as the same class with the same sentence."""
    with pytest.raises(OutOfMemoryError, match=r"^The device ran out of memory\.$"):
        render(renderer, "no memory")


def test_pixels_are_the_same(in_process: Renderer, resident: ResidentRenderer) -> None:
    """Where the model lives changes no pixel."""
    expected, found = (render(each, "the same", 3) for each in (in_process, resident.ask()))
    np.testing.assert_array_equal(found.picture, expected.picture)


def test_a_job_is_rendered_once(resident: ResidentRenderer) -> None:
    """Those who ask for the same picture, at once and later, get it from one render."""
    before = resident.num_finished()
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: render(resident.ask(), "sleep 0.1", 77), range(3)))
    found.append(render(resident.ask(), "sleep 0.1", 77))
    assert all((each.picture == 77).all() for each in found)
    assert resident.num_finished() == before + 1


def test_a_full_queue_is_waited_for(resident: ResidentRenderer) -> None:
    """More jobs than lanes and places in the queue are all done, one after another."""
    seeds = range(100, 100 + MAX_QUEUED + 4)
    with ThreadPoolExecutor(len(seeds)) as pool:
        found = list(pool.map(lambda seed: render(resident.ask(), "sleep 0.02", seed), seeds))
    assert [int(each.picture[0, 0, 0]) for each in found] == list(seeds)


def test_nobody_but_who_may_asks(resident: ResidentRenderer) -> None:
    """Without the token there is neither a status nor a picture."""
    for act in (lambda each: each.show("master", read_master), lambda each: render(each, "sleep 0.0")):
        with pytest.raises(WrongRendererError, match="asks for its token"):
            act(resident.ask(token=""))


def test_another_model_is_refused(resident: ResidentRenderer) -> None:
    """A renderer never answers with the pictures of another model than was planned for."""
    other = resident.ask(weights_sha256="0" * 64)
    for act in (lambda: other.show("master", read_master), lambda: render(other, "sleep 0.0")):
        with pytest.raises(WrongRendererError, match="holds another model"):
            act()


def test_the_status_says_what_goes_on(resident: ResidentRenderer) -> None:
    """A replica says what it computes, how much memory is free, and that it loaded its model once."""
    with_one = resident.ask().render("master", read_master, AngleJob(prompt="sleep 0.5", seed=2))
    wait_for_step(with_one)
    time.sleep(1.2)  # replicas report every second
    row = resident.status()
    assert row["num_loaded"] == 1
    assert isinstance(row["free_memory_bytes"], int)
    assert row["free_memory_bytes"] > 0
    running = row["running"]
    assert isinstance(running, dict)
    assert len(running) == 1
    with_one.close()
    wait_until(lambda: resident.status()["running"] == {}, 5)


def test_a_killed_replica_is_an_error_that_passes(resident: ResidentRenderer) -> None:
    """Whoever listened is told at once, and the next who asks is served by the replica that Ray starts instead."""
    events = resident.ask().render("master", read_master, AngleJob(prompt="sleep 0.5", seed=5))
    wait_for_step(events)
    pid = resident.status()["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    start = time.monotonic()
    with pytest.raises(RendererUnavailableError):
        list(events)
    assert time.monotonic() - start < 5
    assert (render(resident.ask(), "sleep 0.0", 6).picture == 6).all()
    wait_until(lambda: [row["pid"] for row in resident.read()["replicas"]] not in ([], [pid]))


def test_a_waiting_job_whose_asker_leaves_is_not_rendered(resident: ResidentRenderer) -> None:
    """The queue forgets those who hung up."""
    before = resident.num_finished()
    running = resident.ask().render("master", read_master, AngleJob(prompt="sleep 0.3", seed=8))
    wait_for_step(running)
    waiting = RenderJob(
        model_sha256=identify_model(resident.held.profile, resident.held.weights_sha256),
        prompt="sleep 0.0",
        seed=9,
        height_px=MASTER.height,
        width_px=MASTER.width,
    )
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{resident.address}/render",
            content=write_job(waiting, np.asarray(MASTER)),
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=0.5,
        )
    list(running)
    time.sleep(0.5)
    assert resident.num_finished() == before + 1
