"""Pictures that the store did not take, set aside on this machine until it does: what was rendered is never lost.

A spool is a store in a folder. A picture in it belongs to no run yet; the next task run that is asked for the very same
recipe puts it where it belongs in place of rendering it again.
"""

import logging
from pathlib import Path

from models.specs import AngleSpec
from storage.directory import DirectoryStore
from storage.errors import StorageError
from storage.objects import Store
from storage.records import AngleRecord
from storage.versions import angle_key, find_angle, keep_angle

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
    if record is None:
        return None
    store.put_blob(spool.get_blob(record.picture), record.picture.media_type)
    kept = keep_angle(store, record)
    spool.remove_record(angle_key(record))
    spool.remove_blob(record.picture.sha256)
    return kept
