"""The fan-in: wait for all angles, and fail loudly if one of them did."""

from collections.abc import Mapping, Sequence

from prefect.futures import PrefectFuture, wait

from models.specs import AngleSpec
from storage.records import AngleRecord
from tasks.coverage import show_as
from tasks.errors import AnglesFailedError
from tasks.stopping import wait_in_slices


def gather(specs: Sequence[AngleSpec], renders: Mapping[str, PrefectFuture[AngleRecord]]) -> dict[str, AngleRecord]:
    """Wait for all angles and return their records by name; `renders` has one future per fingerprint.

    Raises:
        AnglesFailedError: At least one did not complete; all that did are in the store.
    """
    futures = list(renders.values())
    wait_in_slices(futures)
    wait(futures)
    states = {spec.name: renders[spec.fingerprint].state for spec in specs}
    failed = {name: state for name, state in states.items() if not state.is_completed()}
    if failed:
        reasons = "; ".join(f"{name}: {state.message or state.name}" for name, state in failed.items())
        msg = (
            f"{len(failed)} of {len(specs)} angles failed ({reasons}): the finished ones are kept, "
            "remove the cause and run again to render just the missing."
        )
        raise AnglesFailedError(msg)
    return {spec.name: show_as(renders[spec.fingerprint].result(), spec) for spec in specs}
