"""Following a render step by step: in the Prefect UI, and for whoever listens in this process."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar
from typing import cast
from uuid import UUID

from httpx import HTTPError
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from models.errors import RenderError
from models.renderer import Event, Rendered, StepDone

Listener = Callable[[str, int, int], None]

listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
"""Called as `listener(angle, step, num_steps)` after every diffusion step of the runs in this context."""


def follow(angle: str, events: Iterable[Event]) -> Rendered:
    """Report every step of `events` and return the picture at their end.

    Raises:
        RenderError: The events ended without a picture.
    """
    artifact_id = create_progress_artifact(progress=0.0, description=f"Diffusion steps of {angle}")
    notify = listener.get()
    for event in events:
        if isinstance(event, Rendered):
            return event
        if not isinstance(event, StepDone):
            continue
        with suppress(HTTPError):  # a picture does not fail because its progress could not be shown
            update_progress_artifact(cast("UUID", artifact_id), progress=100 * event.step / event.num_steps)
        if notify:
            notify(angle, event.step, event.num_steps)
    msg = f"The renderer stopped without a picture of {angle}: look at its log, then run again."
    raise RenderError(msg)
