"""Work in a thread of its own, waited for in short slices, so that limits and a cancellation act in the midst of it.

A step of a model, or a line of a stream, is one call that nothing interrupts. Its thread ends between two of them, and
closes what it iterates over itself: a generator cannot be closed from outside while it runs.
"""

import math
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from contextvars import copy_context
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from models.renderer import Queued
from tasks.errors import AngleTimeoutError, HungStepError
from tasks.stopping import SLICE_S, check_not_stopped

GRACE_S = 2.0
"""So long a thread is waited for that should end behind its step; it computes on otherwise, and ends later."""

T = TypeVar("T")


class Limits(BaseModel):
    """How long a renderer may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step_s: float
    """Between two signs of life."""
    angle_s: float
    """From an angle's turn to its picture."""


@dataclass(frozen=True, kw_only=True)
class _End:
    error: BaseException | None = None


def listen(name: str, start: Callable[[], Generator[T]], limits: Limits) -> Generator[T]:
    """Yield what a generator yields that a thread of its own starts, runs and closes.

    Args:
        name: What is waited for, as errors call it.
        start: Called in the thread.
        limits: `Queued` is a sign of life, and what comes before it does not count as the angle's time.

    Raises:
        HungStepError: Nothing came for too long.
        AngleTimeoutError: Something came all the time, and no end.
        StoppedError: The run ends.
    """
    events, is_left = SimpleQueue[T | _End](), threading.Event()
    arguments = (_work, start, events, is_left)
    thread = threading.Thread(target=copy_context().run, args=arguments, name=f"aside-{name}", daemon=True)
    thread.start()
    turn = time.monotonic()
    try:
        while not isinstance(event := _wait(name, events, turn, limits), _End):
            if isinstance(event, Queued):
                turn = time.monotonic()
            yield event
        if event.error:
            raise event.error
    finally:
        is_left.set()
        thread.join(GRACE_S)


def call_aside(name: str, function: Callable[[], T], limits: Limits) -> T:
    """Return what a function returns that a thread of its own calls, which may take as long as an angle.

    Raises:
        AngleTimeoutError: It took too long.
        StoppedError: The run ends.
    """

    def call() -> Generator[T]:
        yield function()

    (result,) = listen(name, call, limits.model_copy(update={"step_s": math.inf}))
    return result


def _work(start: Callable[[], Generator[T]], events: "SimpleQueue[T | _End]", is_left: threading.Event) -> None:
    try:
        with closing(start()) as running:
            for event in running:
                events.put(event)
                if is_left.is_set():
                    return
    except BaseException as exc:  # noqa: BLE001 - it is raised where somebody listens
        events.put(_End(error=exc))
    else:
        events.put(_End())


def _wait(name: str, events: "SimpleQueue[T | _End]", turn: float, limits: Limits) -> T | _End:
    """Return the next event."""
    heard = time.monotonic()
    while True:
        check_not_stopped()
        now = time.monotonic()
        if now - turn > limits.angle_s:
            msg = (
                f"There is no {name} after {limits.angle_s:g} s: look what else its device does, "
                "or raise MASTERSHOT_ANGLE_LIMIT_S."
            )
            raise AngleTimeoutError(msg)
        if now - heard > limits.step_s:
            msg = (
                f"There is no sign of {name} for {limits.step_s:g} s: look whether its device hangs, "
                "or raise MASTERSHOT_STEP_LIMIT_S."
            )
            raise HungStepError(msg)
        with suppress(Empty):
            return events.get(timeout=SLICE_S)
