"""Keeping house in the store: what may be asked for, and the two things that are done."""

from typing import Annotated

from prefect import get_run_logger, task
from pydantic import BaseModel, ConfigDict, Field

from storage.expiry import Policy
from storage.opening import open_housekeeper
from storage.verifying import verify
from tasks.expiring import Facts, expire, foresee
from tasks.policies import WHILE_TRANSIENT

LOG_EVERY = 1000


class HousekeepingRequest(BaseModel):
    """Which versions may go, and whether everything that stays is read again."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    keep_last: Annotated[int, Field(strict=True, ge=1)] = 5
    """Versions of every scene that stay."""
    keep_days: Annotated[float, Field(ge=0)] = 30.0
    """Younger versions stay."""
    dry_run: bool = False
    """Only say what would go."""
    verify: bool = True
    """Read every blob again, and fail if one is lost or damaged."""


@task(name="expire-versions", task_run_name="expire versions and sweep", **WHILE_TRANSIENT)
def expire_versions(request: HousekeepingRequest, store_url: str) -> Facts:
    """Let old versions go, then what nothing refers to, unless work is under way; say what went.

    Raises:
        StorageError: The store does not let us, or a manifest is damaged.
    """
    policy = Policy(keep_last=request.keep_last, keep_days=request.keep_days)
    return (foresee if request.dry_run else expire)(open_housekeeper(store_url), policy, "")


@task(name="verify-store", task_run_name="verify store", **WHILE_TRANSIENT)
def verify_store(store_url: str) -> list[str]:
    """Read and hash every blob of the store, and return what is lost or damaged, a sentence each.

    Raises:
        StorageError: The store does not answer.
    """
    log = get_run_logger()

    def advance(num_done: int, num_blobs: int) -> None:
        if num_done % LOG_EVERY == 0:
            log.info("%d of %d blobs are read", num_done, num_blobs)

    verified = verify(open_housekeeper(store_url), "", advance)
    lost = [
        f"{fault.place} is {fault.kind}, needed by {', '.join(fault.needed_by) or 'none'}" for fault in verified.faults
    ]
    return [*verified.damaged_manifests, *lost]
