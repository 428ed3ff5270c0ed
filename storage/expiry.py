"""Letting versions go: the manifest first, so that none is ever half visible, and then what nothing refers to any more.

See docs/decisions/0009-sweeps-give-way-to-work.md for why neither a render nor a pin that happens meanwhile is lost.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

from pydantic import Field

from storage.datasets import forget
from storage.errors import LockedObjectError, StorageError
from storage.garbage import Garbage, find_garbage, parse_time
from storage.history import VersionKey, list_numbers, read_versions
from storage.marks import read_standing
from storage.objects import Housekeeper, Store
from storage.reading import read_many
from storage.records import Manifest, Record
from storage.versions import manifest_key
from storage.work import WORK_LIFE, list_closed, list_open, sweeping

UNFINISHED_LIFE = timedelta(days=1)
SWEEP_S = 600.0
"""A sweep removes nothing so long after it began: well before work no longer waits for it."""

_BATCH = 64


class Policy(Record):
    """Which versions may go: those that are neither among the last ones of their scene nor young."""

    keep_last: Annotated[int, Field(ge=1)]
    keep_days: Annotated[float, Field(ge=0)]


class Swept(Record):
    """What a sweep took away."""

    num_blobs: int = 0
    freed_bytes: int = 0
    num_young: int = 0
    """Blobs that nothing refers to either, and that were put in the last days."""
    young_bytes: int = 0
    num_locked: int = 0
    """Blobs and views that are locked: nothing needs them, and they go when their locks have ended."""
    num_records: int = 0
    num_views: int = 0
    """Parts of the data set of reports included."""
    num_rows_parts: int = 0
    """What went of files that hold many such parts."""
    num_unfinished: int = 0
    held_off_by: tuple[str, ...] = ()
    """Work that was under way; then blobs and angles were left for the next time."""
    is_cut_short: bool = False
    """Not all was taken away in the time that a sweep has."""


def choose_expiring(store: Store, policy: Policy, now: datetime, scene: str = "") -> list[Manifest]:
    """Return the versions that the policy lets go, of a scene or of all; never one that is marked, or the latest.

    Raises:
        CorruptObjectError: A manifest or a mark is damaged.
    """
    numbers = list_numbers(store, scene)
    keys = [(name, number) for name, each in sorted(numbers.items()) for number in each[: -policy.keep_last]]
    cut = now - timedelta(days=policy.keep_days)
    old = [version for version in read_versions(store, keys) if parse_time(version.created_at) < cut]
    standings = read_many(lambda version: read_standing(store, (version.scene, version.number)), old)
    return [version for version, standing in zip(old, standings, strict=True) if not standing.is_protected]


def expire_version(store: Housekeeper, version: VersionKey) -> bool:
    """Make a version invisible, and tell whether it is: one that is marked meanwhile stays.

    Whoever marks a version looks for it again afterwards, and here marks are looked for again afterwards, so of a mark
    and an end that meet at least one notices.
    """
    if read_standing(store, version).is_protected:
        return False
    key = manifest_key(*version)
    data = store.get_record(key)
    store.remove_record(key)
    try:
        is_protected = read_standing(store, version).is_protected
    except StorageError:
        store.put_record(key, data)
        raise
    if is_protected:
        store.put_record(key, data)
    return not is_protected


def sweep(store: Housekeeper, now: datetime) -> Swept:
    """Take away what nothing refers to; blobs and angles only while nothing is under way that could refer to them.

    Raises:
        CorruptObjectError: A manifest or a part of the data set is damaged.
    """
    deadline = time.monotonic() + SWEEP_S  # from before the claim: no work may have ceased to wait for it
    with sweeping(store):
        workers = tuple(list_open(store, "work", WORK_LIFE))
        garbage = find_garbage(store, (), now)
        swept = Swept(held_off_by=workers) if workers else _sweep_blobs(store, garbage, deadline)
    loose = (*garbage.cards, *garbage.marks, *list_closed(store))
    read_many(store.remove_record, loose)
    views = read_many(partial(_take_away, store.discard_view), garbage.views)
    numbers = list_numbers(store)

    def is_there(scene: str, number: int) -> bool:
        """Look again for what was not there: its rows may have been laid out since."""
        return number in numbers.get(scene, ()) or bool(read_versions(store, [(scene, number)]))

    return swept.model_copy(
        update={
            "num_records": swept.num_records + len(loose),
            "num_young": len(garbage.young),
            "young_bytes": sum(blob.size_bytes for blob in garbage.young),
            "num_views": sum(views),
            "num_locked": swept.num_locked + len(views) - sum(views),
            "num_rows_parts": forget(store, "angles", is_there) + forget(store, "coverage", is_there),
            "num_unfinished": store.remove_unfinished(UNFINISHED_LIFE),
        }
    )


def _sweep_blobs(store: Housekeeper, garbage: Garbage, deadline: float) -> Swept:
    """Remove angles and then blobs, in batches, until work begins or the time is over."""
    angles = _remove(store, garbage.angles, store.remove_record, deadline)
    are_gone = _remove(store, [blob.sha256 for blob in garbage.blobs], store.remove_blob, deadline)
    sizes = [blob.size_bytes for blob, is_gone in zip(garbage.blobs, are_gone, strict=False) if is_gone]
    return Swept(
        num_blobs=len(sizes),
        freed_bytes=sum(sizes),
        num_locked=len(are_gone) - len(sizes),
        num_records=len(angles),
        held_off_by=tuple(list_open(store, "work", WORK_LIFE)),
        is_cut_short=len(angles) + len(are_gone) < len(garbage.angles) + len(garbage.blobs),
    )


def _remove(store: Store, keys: Sequence[str], remove: Callable[[str], None], deadline: float) -> list[bool]:
    """Remove things in their order, as many as can be, and tell of each whether it is gone."""
    are_gone = list[bool]()
    for start in range(0, len(keys), _BATCH):
        if time.monotonic() > deadline or list_open(store, "work", WORK_LIFE):
            break
        are_gone += read_many(partial(_take_away, remove), keys[start : start + _BATCH])
    return are_gone


def _take_away(remove: Callable[[str], None], key: str) -> bool:
    """Remove something, and tell whether it is gone: what is locked is not."""
    try:
        remove(key)
    except LockedObjectError:
        return False
    return True
