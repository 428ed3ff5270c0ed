"""After a crash: dead runs are marked, some are run again, and pictures that wait on this machine come in."""

from datetime import UTC, datetime
from typing import Any

from prefect import flow

from flows.settings import read_settings
from tasks.recovery import mark_orphans, mark_silent_runs, run_again
from tasks.spool import bring_in_all
from tasks.store_check import check_store
from tasks.work import at_work


@flow(name="recover")
def recover() -> dict[str, Any]:
    """Mark runs whose process is gone as crashed, run crashed coverages again, and empty the spool; say what was done.

    Raises:
        StorageError: The store does not answer, or does not take what waits; runs are marked all the same.
    """
    settings, now = read_settings(), datetime.now(UTC)
    crashed = mark_silent_runs(now)
    orphans = mark_orphans(now)
    again, given_up = run_again(datetime.now(UTC))
    with at_work("recover", check_store(settings.store)):
        num_pictures = bring_in_all(settings.spool, settings.store)
    return {
        "crashed": crashed,
        "orphans": orphans,
        "run_again": again,
        "given_up": given_up,
        "num_pictures_brought_in": num_pictures,
    }
