"""A run says that it is at work, so that no blob is swept away under it."""

from collections.abc import Generator
from contextlib import contextmanager

from prefect import task

from storage.opening import open_store
from storage.work import begin_work, end_work
from tasks.policies import WHILE_TRANSIENT


@contextmanager
def at_work(run_id: str, store_url: str) -> Generator[None]:
    """Hold off sweeps while a run is under way.

    Raises:
        StorageError: The store does not take it.
    """
    claim = claim_store(run_id, store_url)
    try:
        yield
    finally:
        end_work(open_store(store_url), claim)


@task(name="claim-store", task_run_name="claim store", **WHILE_TRANSIENT)
def claim_store(run_id: str, store_url: str) -> str:
    """Say that a run has begun, once no sweep is under way, and return its claim.

    Raises:
        StorageError: The store does not take it.
    """
    return begin_work(open_store(store_url), run_id)
