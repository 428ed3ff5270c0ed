"""Versions of a scene and finished angles: which records exist under which keys.

`versions/<scene>/<number>/manifest.json` makes a version visible; it is written last, once, and never changed. The
latest version is the one with the greatest number: there is no pointer that could be wrong and no clock that is asked.
A number is taken by whoever writes it first, so of two runs that follow the same version one learns of the other.
`angles/<fingerprint>/<run_id>.json` makes a finished angle findable before its version is complete.
"""

import logging
from contextlib import suppress

from storage.errors import ConflictError, CorruptObjectError, MissingObjectError
from storage.objects import Store
from storage.reading import read_record
from storage.records import AngleRecord, Manifest

_LOG = logging.getLogger(__name__)


def keep_angle(store: Store, record: AngleRecord) -> AngleRecord:
    """Make a finished angle findable by its fingerprint, and return what is found; its picture must be there already.

    This run may have kept the angle in a try before: then that record stands.

    Raises:
        MissingObjectError: Something that is no record stands in the way.
        CorruptObjectError: What stands there is no whole record of an angle.
    """
    key = angle_key(record)
    try:
        store.put_record(key, record.model_dump_json().encode())
    except ConflictError:
        return read_record(store, key, AngleRecord)
    return record


def angle_key(record: AngleRecord) -> str:
    """Return where the record of a finished angle is kept."""
    return f"angles/{record.fingerprint}/{record.run_id}.json"


def find_angle(store: Store, fingerprint: str, run_id: str = "") -> AngleRecord | None:
    """Return the latest finished angle with this fingerprint whose picture is still there, or None.

    With `run_id`, only what that run rendered counts. A record that is damaged or of another version of this program is
    passed over with a warning: its angle is rendered again, and kept under a name of its own.
    """
    for key in reversed(store.list_records(f"angles/{fingerprint}/{run_id}")):
        try:
            record = read_record(store, key, AngleRecord)
        except CorruptObjectError as exc:
            _LOG.warning("%s Its angle counts as not finished.", exc)
            continue
        if store.has_blob(record.picture):
            return record
    return None


def version_name(number: int) -> str:
    """Return how the version of this number is called, in keys and before people."""
    return f"v{number:06d}"


def manifest_key(scene: str, number: int) -> str:
    """Return where the manifest of a version is kept."""
    return f"versions/{scene}/{version_name(number)}/manifest.json"


def commit_version(store: Store, manifest: Manifest) -> Manifest:
    """Make a version visible and return it, or the one that has taken its number if that shows the same.

    So a try behind one that committed finds its own version, wherever the scene has gone since.

    Raises:
        ConflictError: Another run has taken the number for something else.
    """
    key = manifest_key(manifest.scene, manifest.number)
    try:
        store.put_record(key, manifest.encode())
    except ConflictError as exc:
        other = read_record(store, key, Manifest)
        if other.coverage_sha256 == manifest.coverage_sha256:
            return other
        msg = (
            f"Run {other.run_id} has published {version_name(other.number)} of {other.scene} since this run began, so "
            "this one is not published: run it again, to follow that version (finished angles are kept)."
        )
        raise ConflictError(msg) from exc
    return manifest


def latest_version(store: Store, scene: str) -> Manifest | None:
    """Return the latest committed version of `scene`, or None where there is none.

    Raises:
        CorruptObjectError: Its manifest is damaged; an older version is never taken for the latest.
    """
    keys = _list_manifests(store, scene)
    return read_record(store, keys[-1], Manifest) if keys else None


def find_version(store: Store, scene: str, run_id: str) -> Manifest | None:
    """Return the latest version of `scene` that this run committed, or None; reads every version behind it."""
    for key in reversed(_list_manifests(store, scene)):
        with suppress(MissingObjectError):  # expired since it was listed
            version = read_record(store, key, Manifest)
            if version.run_id == run_id:
                return version
    return None


def _list_manifests(store: Store, scene: str) -> list[str]:
    return [key for key in store.list_records(f"versions/{scene}/") if key.endswith("/manifest.json")]
