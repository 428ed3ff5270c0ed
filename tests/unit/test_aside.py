"""Waiting for a thread in slices: limits and a stop act in the midst of a step, and the thread ends between two."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from contextvars import copy_context

import pytest

from models.errors import NotFiniteError
from models.renderer import Event, Queued, StepDone
from tasks.aside import Limits, call_aside, listen
from tasks.errors import AngleTimeoutError, HungStepError, StoppedError
from tasks.stopping import SLICE_S, stoppable

PATIENT = Limits(step_s=60, angle_s=60)
PROMPT_S = SLICE_S + 0.3


def step(number: int) -> StepDone:
    """One of many steps."""
    return StepDone(step=number, num_steps=100)


class Device:
    """Something that computes until a step is allowed to end, and knows whether it was let go."""

    def __init__(self) -> None:
        """Begin in the first step."""
        self.may_step = threading.Semaphore(0)
        self.is_idle = threading.Event()
        self.closed_by: threading.Thread | None = None

    def run(self) -> Generator[Event]:
        """Yield a step whenever one is allowed to end."""
        try:
            for number in range(1, 100):
                self.may_step.acquire()
                yield step(number)
        finally:
            self.closed_by = threading.current_thread()
            self.is_idle.set()


def fail_after(seconds: float, limits: Limits, start: Callable[[], Generator[Event]], error: type[Exception]) -> str:
    """Listen until the error comes, check that it comes in time, and return its sentence."""
    began = time.monotonic()
    with pytest.raises(error) as caught, closing(listen("close_up", start, limits)) as events:
        for _ in events:
            pass
    assert seconds <= time.monotonic() - began < seconds + 5.0 + PROMPT_S  # the thread is waited for, then left
    return str(caught.value)


def test_events_come_through_as_they_are() -> None:
    """What a generator yields arrives in its order, and its end is the end."""
    assert list(listen("close_up", lambda: (step(number) for number in range(3)), PATIENT)) == [
        step(number) for number in range(3)
    ]


def test_an_error_is_raised_where_somebody_listens() -> None:
    """An error of the thread keeps its class and its sentence."""

    def fail() -> Generator[Event]:
        yield step(1)
        msg = "The latents hold NaN."
        raise NotFiniteError(msg)

    with pytest.raises(NotFiniteError, match="hold NaN"):
        list(listen("close_up", fail, PATIENT))


def test_a_hang_inside_a_step_is_found() -> None:
    """A device that gives no sign of life is given up in time, with the setting that may be too low."""
    device = Device()
    device.may_step.release()
    said = fail_after(0.3, Limits(step_s=0.3, angle_s=60), device.run, HungStepError)
    assert said == (
        "There is no sign of close_up for 0.3 s: look whether its device hangs, or raise MASTERSHOT_STEP_LIMIT_S."
    )
    device.may_step.release()
    assert device.is_idle.wait(5)


def test_a_slow_angle_ends_though_its_steps_go_on() -> None:
    """Steps that each stay within their limit do not add up to more than the angle's."""

    def crawl() -> Generator[Event]:
        for number in range(100):
            time.sleep(0.05)
            yield step(number)

    assert "MASTERSHOT_ANGLE_LIMIT_S" in fail_after(0.4, Limits(step_s=60, angle_s=0.4), crawl, AngleTimeoutError)


def test_waiting_in_a_queue_that_moves_is_no_hang() -> None:
    """Neither limit counts the time in which others are ahead and move on."""

    def wait() -> Generator[Event]:
        for _ in range(12):
            time.sleep(0.1)
            yield Queued()
        yield step(1)

    *queued, last = listen("close_up", wait, Limits(step_s=0.5, angle_s=0.5))
    assert queued == [Queued()] * 12
    assert last == step(1)


def test_who_leaves_has_the_thread_close_its_generator() -> None:
    """Between two steps, in its own thread: a generator that runs cannot be closed from another."""
    device = Device()
    device.may_step.release()
    with closing(listen("close_up", device.run, PATIENT)) as events:
        assert next(events) == step(1)
        threading.Timer(0.2, device.may_step.release).start()
    assert device.is_idle.is_set()
    assert device.closed_by is not threading.current_thread()


def test_a_stop_acts_inside_a_step() -> None:
    """When the run ends its tasks learn of it at once, and the device is idle behind the step that it is in."""
    device, ended_at = Device(), list[float]()

    def render() -> None:
        with pytest.raises(StoppedError):
            list(listen("close_up", device.run, PATIENT))
        ended_at.append(time.monotonic())

    def end_early() -> None:
        with stoppable():
            task.extend([threading.Thread(target=copy_context().run, args=(render,))])  # as Prefect starts its tasks
            task[0].start()
            raise KeyboardInterrupt

    task: list[threading.Thread] = []
    with pytest.raises(KeyboardInterrupt):
        end_early()
    left_at = time.monotonic()
    threading.Timer(0.2, device.may_step.release).start()
    task[0].join(10)
    assert ended_at[0] - left_at < 0.2 + PROMPT_S
    assert device.is_idle.is_set()


def test_a_function_may_take_as_long_as_an_angle() -> None:
    """Loading a model gives no sign of life, so only the longer limit is for it."""
    assert call_aside("reference", lambda: time.sleep(0.3) or 7, Limits(step_s=0.1, angle_s=60)) == 7
    with pytest.raises(AngleTimeoutError, match=r"^There is no reference after 0\.1 s"):
        call_aside("reference", lambda: time.sleep(0.5), Limits(step_s=60, angle_s=0.1))
