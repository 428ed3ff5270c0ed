"""What need not be rendered: angles that are finished already, and versions that would say nothing new."""

import hashlib
from collections.abc import Sequence

from prefect import task

from models.specs import AngleSpec
from storage.objects import Store
from storage.opening import open_store
from storage.records import AngleRecord, Manifest, MasterRecord
from storage.versions import find_angle, latest_version
from tasks.errors import InvalidRequestError
from tasks.policies import WHILE_TRANSIENT
from tasks.requests import SceneRequest


@task(name="find-finished", task_run_name="find finished angles", **WHILE_TRANSIENT)
def find_finished(
    request: SceneRequest, master: MasterRecord, specs: Sequence[AngleSpec], store_url: str
) -> dict[str, AngleRecord]:
    """Return, by name, the angles of a request that are in the store; those of `only_angles` never are.

    Without `only_angles` an angle is finished if its very recipe was rendered, under whatever name. With it, the
    others are carried on from the latest version of the same master as they are, whatever seed they were rendered with.

    Raises:
        InvalidRequestError: With `only_angles`, another angle of the request was never finished.
    """
    store = open_store(store_url)
    parent = latest_version(store, request.scene) if request.only_angles else None
    carried = {}
    if parent and parent.master.picture == master.picture:
        carried = {record.name: record for record in parent.angles}
    found = {
        spec.name: _carry(carried, spec) or _find(store, spec) for spec in specs if spec.name not in request.only_angles
    }
    absent = [name for name, record in found.items() if not record]
    if request.only_angles and absent:
        msg = f"There is no finished {', '.join(absent)} to carry on: run once without only_angles, then with it."
        raise InvalidRequestError(msg)
    return {name: record for name, record in found.items() if record}


def _carry(carried: dict[str, AngleRecord], spec: AngleSpec) -> AngleRecord | None:
    """Return the record of the latest version under this name, if it shows the pose that is asked for now."""
    record = carried.get(spec.name)
    return record if record and record.spec["asked"] == spec.asked.model_dump(mode="json") else None


def _find(store: Store, spec: AngleSpec) -> AngleRecord | None:
    """Return the finished angle of this recipe, under the name and with the pose that are asked for now."""
    record = find_angle(store, spec.fingerprint)
    return record and record.model_copy(update={"name": spec.name, "spec": spec.model_dump(mode="json")})


def find_missing(
    request: SceneRequest, specs: Sequence[AngleSpec], finished: dict[str, AngleRecord]
) -> tuple[AngleSpec, ...]:
    """Return the specs that this run renders: all that are not finished, or just those of `only_angles`."""
    wanted = request.only_angles or [spec.name for spec in specs]
    return tuple(spec for spec in specs if spec.name in wanted and spec.name not in finished)


def digest_coverage(master: MasterRecord, records: Sequence[AngleRecord]) -> str:
    """Return a digest of what a version shows: the master, and each angle's name, poses, recipe and picture."""
    lines = [master.picture.sha256]
    lines += sorted(
        f"{record.name} {record.spec['asked']} {record.fingerprint} {record.picture.sha256}" for record in records
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def find_unchanged(scene: str, coverage_sha256: str, store_url: str) -> Manifest | None:
    """Return the latest version of a scene if it shows this very coverage, else None."""
    latest = latest_version(open_store(store_url), scene)
    return latest if latest and latest.coverage_sha256 == coverage_sha256 else None
