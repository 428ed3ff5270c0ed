"""Is the store one that loses nothing? Asked once a process and store, before anything is rendered into it."""

from functools import cache

from prefect import get_run_logger, task

from storage.doctor import examine_store
from storage.errors import UnsafeStoreError
from storage.probing import Finding
from tasks.policies import WHILE_TRANSIENT


@task(name="check-store", task_run_name="check store", **WHILE_TRANSIENT)
def check_store(store_url: str) -> str:
    """Return the address of a store that loses nothing; what is weaker in it and worked around is said in a sentence.

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
    return store_url


@cache
def _examine(store_url: str) -> tuple[Finding, ...]:
    """Ask once; what was raised is asked again."""
    return tuple(examine_store(store_url, is_quick=True))
