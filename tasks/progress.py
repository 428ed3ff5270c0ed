"""Following a render step by step: in the Prefect UI, and for whoever listens in this process."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar
from typing import cast
from uuid import UUID

from httpx import HTTPError
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from models.errors import RenderError
from models.renderer import Event, Rendered, StepDone

EVERY_S = 0.5
"""The Prefect UI is told no more often, and nothing of what is over sooner."""

Listener = Callable[[str, int, int], None]

listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
"""Called as `listener(angle, step, num_steps)` after every diffusion step of the runs in this context."""


def follow(angle: str, events: Iterable[Event]) -> Rendered:
    """Report the steps of `events` and return the picture at their end.

    Raises:
        RenderError: The events ended without a picture.
    """
    bar, notify = _Bar(angle), listener.get()
    for event in events:
        if isinstance(event, Rendered):
            return event
        if not isinstance(event, StepDone):
            continue
        if notify:
            notify(angle, event.step, event.num_steps)
        bar.show(event.step / event.num_steps)
    msg = f"The renderer stopped without a picture of {angle}: look at its log, then run again."
    raise RenderError(msg)


class _Bar:
    """A progress artifact of an angle that takes long enough to be watched: each update costs a request, 10 ms."""

    def __init__(self, angle: str) -> None:
        self._angle = angle
        self._artifact: UUID | None = None
        self._shown_at = time.monotonic()

    def show(self, done: float) -> None:
        """Show that a part from 0 to 1 is done; a picture does not fail because its progress could not be shown."""
        is_end = done >= 1 and self._artifact is not None
        if time.monotonic() - self._shown_at < EVERY_S and not is_end:
            return
        self._shown_at = time.monotonic()
        with suppress(HTTPError):
            if self._artifact is None:
                description = f"Diffusion steps of {self._angle}"
                self._artifact = cast("UUID", create_progress_artifact(progress=100 * done, description=description))
            else:
                update_progress_artifact(self._artifact, progress=100 * done)
