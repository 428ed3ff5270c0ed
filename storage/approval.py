"""Approving a version: everything that it is made of is locked, for as long as the address of the store says.

Its manifest lies in a bucket without versions, which cannot lock, so its bytes are kept as a blob as well, which can:
should the record be lost, that blob is put under its key again.
"""

from datetime import datetime

from storage.history import VersionKey, read_with_copy
from storage.objects import BlobRef, Housekeeper
from storage.records import Record
from storage.versions import manifest_key

APPROVED = "approved"
"""The tag that locks."""


class Lock(Record):
    """What keeps a version from deletion."""

    until: datetime | None
    """When the first of its locks ends; None if it is not locked, for its store was not asked to lock."""
    num_blobs: int
    """The copy of the manifest included."""
    manifest_copy: str
    """Where a person finds the bytes of the manifest."""


def lock_version(store: Housekeeper, version: VersionKey) -> Lock:
    """Keep the manifest of a version as a blob, too, and lock it and all blobs of the version.

    The copy is locked last: if it is locked, everything is.

    Raises:
        MissingObjectError: There is no such version, or a blob of it is lost.
        CorruptObjectError: The manifest is damaged.
        UnsafeStoreError: The address of the store asks for locks, and its bucket was made without.
    """
    manifest, copy = read_with_copy(store, version)
    store.put_blob(store.get_record(manifest_key(*version)), copy.media_type)
    refs = (*manifest.list_blobs(), copy)
    return Lock(until=store.lock_blobs(refs), num_blobs=len(refs), manifest_copy=store.locate_blob(copy))


def find_version_lock(store: Housekeeper, version: VersionKey) -> datetime | None:
    """Return until when a version that was approved is locked, or None if it is not.

    Raises:
        MissingObjectError: There is no such version.
        CorruptObjectError: The manifest is damaged.
    """
    copy: BlobRef = read_with_copy(store, version)[1]
    return store.find_lock(copy.sha256)
