"""The fan-in: wait for all angles, and fail loudly if one of them did."""

from collections.abc import Mapping

from prefect.futures import PrefectFuture, wait

from storage.records import AngleRecord
from tasks.errors import AnglesFailedError


def gather(futures: Mapping[str, PrefectFuture[AngleRecord]]) -> dict[str, AngleRecord]:
    """Wait for all angles and return their records by name.

    Raises:
        AnglesFailedError: At least one did not complete; all that did are in the store.
    """
    wait(list(futures.values()))
    failed = {name: future.state for name, future in futures.items() if not future.state.is_completed()}
    if failed:
        reasons = "; ".join(f"{name}: {state.message or state.name}" for name, state in failed.items())
        msg = (
            f"{len(failed)} of {len(futures)} angles failed ({reasons}): the finished ones are kept, "
            "remove the cause and run again to render just the missing."
        )
        raise AnglesFailedError(msg)
    return {name: future.result() for name, future in futures.items()}
