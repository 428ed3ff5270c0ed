"""Pictures that the store did not take, set aside on this machine until it does: what was rendered is never lost.

A spool is a store in a folder. A picture in it belongs to no run yet; the next task run that is asked for the very same
recipe puts it where it belongs in place of rendering it again, or the recovery puts all of them there.
"""

import logging
from pathlib import Path

from prefect import task

from models.specs import AngleSpec
from storage.directory import DirectoryStore
from storage.errors import CorruptObjectError, MissingObjectError, StorageError
from storage.objects import Store
from storage.opening import open_store
from storage.reading import read_record
from storage.records import AngleRecord
from storage.versions import angle_key, find_angle, keep_angle
from tasks.policies import WHILE_TRANSIENT

_LOG = logging.getLogger(__name__)


def set_aside(folder: Path, picture: bytes, record: AngleRecord) -> None:
    """Keep a picture and its record on this machine; that this fails too is said, and hides no other error."""
    spool = DirectoryStore(folder)
    try:
        spool.put_blob(picture, record.picture.media_type)
        keep_angle(spool, record)
    except StorageError as exc:
        _LOG.warning("The picture of %s is lost, for it could not be set aside either: %s", record.name, exc)
    else:
        _LOG.warning("The picture of %s is set aside in %s until the store takes it.", record.name, folder)


def bring_in(folder: Path, spec: AngleSpec, store: Store) -> AngleRecord | None:
    """Put the picture that was set aside for a recipe into the store, and return its record; None if there is none.

    Raises:
        StorageError: The store does not take it; it stays where it is.
    """
    spool = DirectoryStore(folder)
    record = find_angle(spool, spec.fingerprint)
    return _move(spool, record, store) if record else None


@task(name="bring-in-all", task_run_name="bring in what waits in the spool", **WHILE_TRANSIENT)
def bring_in_all(folder: Path, store_url: str) -> int:
    """Put every picture that waits on this machine into the store, and return how many; damaged ones stay.

    Raises:
        StorageError: The store does not take one; it stays where it is.
    """
    store, spool, num_moved = open_store(store_url), DirectoryStore(folder), 0
    for key in spool.list_records("angles/"):
        try:
            _move(spool, read_record(spool, key, AngleRecord), store)
        except (CorruptObjectError, MissingObjectError) as exc:
            _LOG.warning("A picture in the spool cannot be brought in: %s", exc)
        else:
            num_moved += 1
    return num_moved


def _move(spool: DirectoryStore, record: AngleRecord, store: Store) -> AngleRecord:
    store.put_blob(spool.get_blob(record.picture), record.picture.media_type)
    kept = keep_angle(store, record)
    spool.remove_record(angle_key(record))
    spool.remove_blob(record.picture.sha256)
    return kept
