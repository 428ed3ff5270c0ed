"""Versions of a scene and finished angles: which records exist under which keys.

`runs/<scene>/<run_id>/manifest.json` makes a version visible; it is written last, once, and never changed. Run ids
sort by time, so the latest version is the one with the greatest key: there is no pointer that could be wrong.
`angles/<fingerprint>/<run_id>.json` makes a finished angle findable before its version is complete.
"""

from contextlib import suppress

from storage.errors import ConflictError
from storage.objects import Store
from storage.records import AngleRecord, Manifest


def keep_angle(store: Store, record: AngleRecord) -> None:
    """Make a finished angle findable by its fingerprint; its picture must be in the store already."""
    with suppress(ConflictError):  # this run kept the recipe already: in a try before, or under another name
        store.put_record(_angle_key(record), record.model_dump_json().encode())


def find_angle(store: Store, fingerprint: str) -> AngleRecord | None:
    """Return the latest finished angle with this fingerprint whose picture is still there, or None."""
    for key in reversed(store.list_records(f"angles/{fingerprint}/")):
        record = AngleRecord.model_validate_json(store.get_record(key))
        if store.has_blob(record.picture):
            return record
    return None


def commit_version(store: Store, manifest: Manifest) -> str:
    """Make a version visible and return the key of its manifest.

    Raises:
        ConflictError: This run has committed another version already.
    """
    key = f"runs/{manifest.scene}/{manifest.run_id}/manifest.json"
    store.put_record(key, manifest.model_dump_json(indent=2).encode())
    return key


def latest_version(store: Store, scene: str) -> Manifest | None:
    """Return the latest committed version of `scene`, or None where there is none."""
    keys = [key for key in store.list_records(f"runs/{scene}/") if key.endswith("/manifest.json")]
    return Manifest.model_validate_json(store.get_record(keys[-1])) if keys else None


def _angle_key(record: AngleRecord) -> str:
    return f"angles/{record.fingerprint}/{record.run_id}.json"
