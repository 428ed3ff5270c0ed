"""What nothing refers to any more: found by marking from all manifests, so that the rest can be swept.

A blob stays if a manifest names it or is kept as it, if the record of an angle that was rendered in the last days names
it, or if it was put in the last days itself. A manifest that cannot be read stops everything, for nobody knows what it
names.
"""

import logging
import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from storage.errors import CorruptObjectError, MissingObjectError
from storage.history import VersionKey, list_numbers, read_with_copy
from storage.objects import Housekeeper, KeptBlob, Store
from storage.reading import read_many, read_record
from storage.records import AngleRecord, Record

GRACE = timedelta(days=7)
"""How long what nothing refers to is left alone."""

_LOG = logging.getLogger(__name__)
_MARK = re.compile(r"marks/([a-z0-9][a-z0-9_-]{0,62})/v(\d{6})/.+")
_VIEW = re.compile(r"([a-z0-9][a-z0-9_-]{0,62})/v(\d{6})/.+")
_PART = re.compile(
    r"reports/(?:angles|coverages)/project=[^/]+/sequence=[^/]+/([a-z0-9][a-z0-9_-]{0,62})-v(\d{6})\.parquet"
)


class Garbage(Record):
    """What can go, and what would go if it were older."""

    blobs: tuple[KeptBlob, ...]
    young: tuple[KeptBlob, ...]
    """Nothing refers to them either, but they were put in the last days."""
    angles: tuple[str, ...]
    """Keys of records whose pictures no version shows."""
    cards: tuple[str, ...]
    marks: tuple[str, ...]
    views: tuple[str, ...]
    """Also those that were taken away and still cost space in a bucket, and parts of the data set of reports."""


def find_garbage(store: Housekeeper, gone: Collection[VersionKey], now: datetime) -> Garbage:
    """Return what nothing refers to, if the versions `gone` are taken as expired.

    Raises:
        CorruptObjectError: A manifest is damaged.
    """
    # What hangs on a version is listed before the versions: it was written after one that is listed, or one is gone.
    views, marks = store.list_kept_views(), store.list_records("marks/")
    numbers = list_numbers(store)
    there = {(scene, number) for scene, each in numbers.items() for number in each}.difference(gone)
    marked, kept_angles = _mark(store, there)
    old_angles, recent = _split_angles(store, kept_angles, now)
    marked |= recent
    loose = [blob for blob in store.list_blobs() if blob.sha256 not in marked]
    young = tuple(blob for blob in loose if blob.kept_at > now - GRACE)
    known = marked | {blob.sha256 for blob in young}
    return Garbage(
        blobs=tuple(blob for blob in loose if blob.kept_at <= now - GRACE),
        young=young,
        angles=tuple(old_angles),
        cards=tuple(key for key in store.list_records("scores/") if key.split("/")[1] not in known),
        marks=tuple(_hang_on_none(_MARK, marks, there)),
        views=(*_hang_on_none(_VIEW, views, there), *_hang_on_none(_PART, views, there)),
    )


def find_free(store: Housekeeper, blobs: Sequence[KeptBlob]) -> list[KeptBlob]:
    """Return those of some blobs that can be taken away, for they are not locked."""
    locks = read_many(lambda blob: store.find_lock(blob.sha256), blobs)
    return [blob for blob, lock in zip(blobs, locks, strict=True) if lock is None]


def parse_time(text: str) -> datetime:
    """Return a time in ISO 8601, UTC if it does not say; of what is none, the end of time, so that it is not old."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _mark(store: Store, versions: Iterable[VersionKey]) -> tuple[set[str], set[str]]:
    """Return the digests of all blobs of these versions, and the keys of the records of their angles."""
    blobs, angles = set[str](), set[str]()
    for found_blobs, found_angles in read_many(partial(_mark_one, store), versions):
        blobs |= found_blobs
        angles |= found_angles
    return blobs, angles


def _mark_one(store: Store, version: VersionKey) -> tuple[set[str], set[str]]:
    blobs, angles = set[str](), set[str]()
    with suppress(MissingObjectError):  # expired since it was listed
        manifest, copy = read_with_copy(store, version)
        blobs |= {ref.sha256 for ref in (*manifest.list_blobs(), copy)}
        records = (*manifest.angles, *manifest.other_takes)
        angles |= {f"angles/{record.fingerprint}/{record.run_id}.json" for record in records}
    return blobs, angles


def _split_angles(store: Store, kept: Collection[str], now: datetime) -> tuple[list[str], set[str]]:
    """Return the keys of old records that no version needs, and the pictures of recent ones."""
    keys = [key for key in store.list_records("angles/") if key not in kept]
    old, pictures = list[str](), set[str]()
    for key, record in zip(keys, read_many(partial(_find_angle, store), keys), strict=True):
        if record and parse_time(record.rendered_at) > now - GRACE:
            pictures.add(record.picture.sha256)
        elif record:
            old.append(key)
    return old, pictures


def _find_angle(store: Store, key: str) -> AngleRecord | None:
    try:
        return read_record(store, key, AngleRecord)
    except CorruptObjectError as exc:
        _LOG.warning("%s It is left where it is, and keeps nothing.", exc)
    except MissingObjectError:
        pass
    return None


def _hang_on_none(pattern: re.Pattern[str], keys: Iterable[str], there: Collection[VersionKey]) -> Iterable[str]:
    found = ((key, pattern.fullmatch(key)) for key in keys)
    return (key for key, match in found if match and (match[1], int(match[2])) not in there)
