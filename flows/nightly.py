"""Tonight's scenes: those whose master or request has changed since they were asked for last."""

from typing import Any

from prefect import flow

from flows.settings import read_settings
from tasks.nightly import NightlyRequest, find_changed
from tasks.requests import parse_as
from tasks.store_check import check_store
from tasks.timeline import render_scenes, sum_up


@flow(name="nightly-coverage", validate_parameters=False)
def nightly_coverage(request: NightlyRequest) -> Any:  # noqa: ANN401 - a final state
    """Render what has changed, each scene in a run of its own that gives way to whatever else waits.

    The run fails at the end if a scene or a request did, and says which and why.

    Raises:
        InvalidRequestError: The request cannot be understood.
    """
    settings, request = read_settings(), parse_as(NightlyRequest, request)
    store = check_store(settings.store)
    night = find_changed(request.scenes, settings.nightly, settings.master_folders, store)
    failed = night.failed | render_scenes(night.changed, "nightly", request.max_at_once)
    return sum_up(len(night.changed) + len(night.failed), failed)
