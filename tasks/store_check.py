"""Is the store one that loses nothing? Asked once a process and store, before anything is rendered into it."""

from functools import cache

from prefect import get_run_logger, task

from storage.doctor import examine_store
from storage.errors import UnsafeStoreError
from storage.probing import Finding
from tasks.policies import WHILE_TRANSIENT


@task(name="check-store", task_run_name="check store", **WHILE_TRANSIENT)
def check_store(store_url: str) -> None:
    """Refuse a store that could lose work, and say in a sentence what is weaker in one that is worked around.

    Raises:
        UnsafeStoreError: It does not do what keeps work safe.
        StorageError: It refuses or does not answer.
    """
    for finding in _examine(store_url):
        if finding.outcome == "refused":
            msg = f"The store must not be used: {finding.sentence}"
            raise UnsafeStoreError(msg)
        if finding.outcome == "adapted":
            get_run_logger().warning("%s", finding.sentence)


@cache
def _examine(store_url: str) -> tuple[Finding, ...]:
    """Ask once; what was raised is asked again."""
    return tuple(examine_store(store_url, is_quick=True))
