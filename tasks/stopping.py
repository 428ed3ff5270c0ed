"""Ending early: what a run has submitted is told to stop between two steps, and nothing of it stays Running for ever.

Prefect raises a signal in the thread of the flow and then waits for all threads of its tasks, which know nothing of it.
That thread waits in slices, because polars, where it is imported, has Ctrl-C not interrupt one that waits for a lock.
"""

import logging
import math
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import Any

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.futures import PrefectFuture
from prefect.states import Cancelled

from tasks.errors import StoppedError

SLICE_S = 0.1
GRACE_S = 6.0
"""So long a run waits for its tasks to stop; the worker asks every 3 s whether it has ended, and kills it after 30."""

_LOG = logging.getLogger(__name__)
_told: ContextVar[threading.Event | None] = ContextVar("told", default=None)


@contextmanager
def stoppable() -> Generator[list[PrefectFuture[Any]]]:
    """Tell the tasks that the block submits, and adds to the list, to stop if it is left by an error or a signal."""
    told, submitted = threading.Event(), list[PrefectFuture[Any]]()
    token = _told.set(told)
    try:
        yield submitted
    except BaseException:
        told.set()
        _settle(submitted)
        raise
    finally:
        _told.reset(token)


def check_not_stopped() -> None:
    """Return if whoever submitted this task still waits for it.

    Raises:
        StoppedError: The run ends.
    """
    told = _told.get()
    if told and told.is_set():
        msg = "The run ended before this was done: run it again to do what is missing."
        raise StoppedError(msg)


def wait_in_slices(futures: Sequence[PrefectFuture[Any]], limit_s: float = math.inf) -> set[PrefectFuture[Any]]:
    """Wait for all, and return those that have not ended within the limit."""
    ended, left = SimpleQueue[PrefectFuture[Any]](), set(futures)
    for future in futures:
        future.add_done_callback(ended.put)
    deadline = time.monotonic() + limit_s
    while left and time.monotonic() < deadline:
        with suppress(Empty):
            left.discard(ended.get(timeout=SLICE_S))
    return left


def _settle(submitted: Sequence[PrefectFuture[Any]]) -> None:
    """Wait until all have stopped, and say of those that do not, as they sleep or hang, that they are cancelled."""
    for future in wait_in_slices(submitted, GRACE_S):
        try:
            with get_client(sync_client=True) as client:
                state = Cancelled(message="The run ended before this was done.")
                client.set_task_run_state(future.task_run_id, state, force=True)
        except HTTPError as exc:
            _LOG.warning("Prefect was not told that task run %s is cancelled: %s", future.task_run_id, exc)
