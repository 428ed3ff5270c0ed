"""Keeping house: old versions go, what nothing refers to goes, and what stays is read again."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.settings import read_settings
from tasks.expiring import Facts
from tasks.housekeeping import HousekeepingRequest, expire_versions, verify_store
from tasks.requests import parse_as


@flow(name="housekeeping", validate_parameters=False)
def housekeeping(request: HousekeepingRequest) -> Facts | State:
    """Expire by policy, sweep, verify, and return what went; fail if something is lost or damaged.

    Raises:
        InvalidRequestError: The request cannot be understood.
        StorageError: The store does not let us, or a manifest is damaged.
    """
    settings, request = read_settings(), parse_as(HousekeepingRequest, request)
    gone = expire_versions(request, settings.store)
    faults = verify_store(settings.store) if request.verify else []
    return Failed(message="; ".join(faults)) if faults else gone
