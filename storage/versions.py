"""Versions of a scene and finished angles: which records exist under which keys.

`versions/<scene>/<number>/manifest.json` makes a version visible; it is written last, once, and never changed. The
latest version is the one with the greatest number: there is no pointer that could be wrong and no clock that is asked.
A number is taken by whoever writes it first, so of two runs that follow the same version one learns of the other.
`angles/<fingerprint>/<run_id>.json` makes a finished angle findable before its version is complete.
"""

import logging
import re
from typing import TypeVar

from pydantic import ValidationError

from storage.errors import ConflictError, CorruptObjectError
from storage.objects import Store
from storage.records import AngleRecord, Manifest, Record

AnyRecord = TypeVar("AnyRecord", bound=Record)

_LOG = logging.getLogger(__name__)
_MANIFEST_KEY = re.compile(r"versions/(?P<scene>[^/]+)/v(?P<number>\d{6})/manifest\.json")


def keep_angle(store: Store, record: AngleRecord) -> AngleRecord:
    """Make a finished angle findable by its fingerprint, and return what is found; its picture must be there already.

    This run may have kept the angle in a try before: then that record stands.

    Raises:
        MissingObjectError: Something that is no record stands in the way.
        CorruptObjectError: What stands there is no whole record of an angle.
    """
    key = f"angles/{record.fingerprint}/{record.run_id}.json"
    try:
        store.put_record(key, record.model_dump_json().encode())
    except ConflictError:
        return _read(store, key, AngleRecord)
    return record


def find_angle(store: Store, fingerprint: str, run_id: str = "") -> AngleRecord | None:
    """Return the latest finished angle with this fingerprint whose picture is still there, or None.

    With `run_id`, only what that run rendered counts. A record that is damaged or of another version of this program is
    passed over with a warning: its angle is rendered again, and kept under a name of its own.
    """
    for key in reversed(store.list_records(f"angles/{fingerprint}/{run_id}")):
        try:
            record = _read(store, key, AngleRecord)
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
        store.put_record(key, manifest.model_dump_json(indent=2).encode())
    except ConflictError as exc:
        other = _read(store, key, Manifest)
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
    return _read(store, keys[-1], Manifest) if keys else None


def find_version(store: Store, scene: str, run_id: str) -> Manifest | None:
    """Return the latest version of `scene` that this run committed, or None; reads every version behind it."""
    versions = (_read(store, key, Manifest) for key in reversed(_list_manifests(store, scene)))
    return next((version for version in versions if version.run_id == run_id), None)


def latest_numbers(store: Store) -> dict[str, int]:
    """Return the number of the latest version of every scene, from one listing: no manifest is read."""
    found = (_MANIFEST_KEY.fullmatch(key) for key in store.list_records("versions/"))
    return {match["scene"]: int(match["number"]) for match in found if match}  # in order: the greatest comes last


def _list_manifests(store: Store, scene: str) -> list[str]:
    return [key for key in store.list_records(f"versions/{scene}/") if key.endswith("/manifest.json")]


def _read(store: Store, key: str, kind: type[AnyRecord]) -> AnyRecord:
    """Return a record, checked.

    Raises:
        CorruptObjectError: It is damaged, or a version of this program wrote it that this one does not understand.
    """
    try:
        return kind.model_validate_json(store.get_record(key))
    except ValidationError as exc:
        msg = (
            f"The record at {store.locate_record(key)} is damaged or of another version of Mastershot "
            f"({exc.error_count()} fields are wrong): restore it, or remove it."
        )
        raise CorruptObjectError(msg) from exc
