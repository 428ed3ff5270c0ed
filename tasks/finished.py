"""What need not be done again: the version that is followed, and the angles that are finished already."""

import hashlib
from collections.abc import Mapping, Sequence

from prefect import task

from models.specs import AngleSpec
from storage.objects import Store
from storage.opening import open_store
from storage.records import AngleRecord, Manifest, MasterRecord
from storage.versions import find_angle, find_version, latest_version
from tasks.coverage import show_as, spec_of
from tasks.errors import InvalidRequestError
from tasks.policies import WHILE_TRANSIENT
from tasks.requests import SceneRequest


@task(name="find-parent", task_run_name="find parent version", **WHILE_TRANSIENT)
def find_parent(scene: str, run_id: str, store_url: str, *, is_retry: bool) -> Manifest | None:
    """Return the version that this run follows: the latest, or its own where a try before has published it.

    It is read once in a run, so that all that is carried on, compared and counted refers to the same version.

    Raises:
        CorruptObjectError: The manifest is damaged.
    """
    store = open_store(store_url)
    own = find_version(store, scene, run_id) if is_retry else None
    return own or latest_version(store, scene)


@task(name="find-finished", task_run_name="find finished angles", **WHILE_TRANSIENT)
def find_finished(
    request: SceneRequest,
    master: MasterRecord,
    specs: Sequence[AngleSpec],
    parent: Manifest | None,
    run_id: str,
    store_url: str,
) -> dict[str, AngleRecord]:
    """Return, by name, the angles of a request that are finished.

    Without `only_angles` an angle is finished if its very recipe was rendered, under whatever name. With it, those that
    it names are finished if this run rendered them in a try before; the others are carried on from a parent of the same
    master as they are, whatever seed they were rendered with.

    Raises:
        InvalidRequestError: With `only_angles`, another angle of the request was never finished.
        CorruptObjectError: The recipe of an angle that is carried on cannot be read.
    """
    store = open_store(store_url)
    carried = {}
    if request.only_angles and parent and parent.master.picture == master.picture:
        carried = {record.name: record for record in parent.angles}
    found = {
        spec.name: _find(store, spec, run_id)
        if spec.name in request.only_angles
        else _carry(carried, spec) or _find(store, spec)
        for spec in specs
    }
    absent = [name for name, record in found.items() if not record and name not in request.only_angles]
    if request.only_angles and absent:
        msg = f"There is no finished {', '.join(absent)} to carry on: run once without only_angles, then with it."
        raise InvalidRequestError(msg)
    return {name: record for name, record in found.items() if record}


def _carry(carried: Mapping[str, AngleRecord], spec: AngleSpec) -> AngleRecord | None:
    """Return the record under this name, if it shows the pose that is asked for now."""
    record = carried.get(spec.name)
    return record if record and spec_of(record).asked == spec.asked else None


def _find(store: Store, spec: AngleSpec, run_id: str = "") -> AngleRecord | None:
    """Return the finished angle of this recipe, as the one that is asked for now; of `run_id` alone, if it is given."""
    record = find_angle(store, spec.fingerprint, run_id)
    return record and show_as(record, spec)


def digest_coverage(master: MasterRecord, chosen: Sequence[AngleRecord], others: Sequence[AngleRecord]) -> str:
    """Return a digest of what a version shows: the master, and each attempt's name, poses, recipe and picture."""
    lines = [master.picture.sha256]
    for role, records in (("chosen", chosen), ("other", others)):
        lines += sorted(
            f"{role} {each.name} {each.spec['asked']} {each.fingerprint} {each.picture.sha256}" for each in records
        )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
