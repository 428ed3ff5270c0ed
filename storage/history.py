"""Which versions there are: the numbers of every scene, and their manifests."""

import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from storage.errors import MissingObjectError
from storage.names import check_name
from storage.objects import BlobRef, Store
from storage.reading import parse_record, read_many, read_record
from storage.records import Manifest
from storage.versions import latest_version, manifest_key, version_name

VersionKey = tuple[str, int]
"""Scene and number."""

_MANIFEST = re.compile(r"versions/([a-z0-9][a-z0-9_-]{0,62})/v(\d{6})/manifest\.json")


def list_numbers(store: Store, scene: str = "") -> dict[str, list[int]]:
    """Return the numbers of the versions of every scene, or of one, ascending, from one listing.

    Raises:
        InvalidKeyError: The scene is no name.
    """
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for key in store.list_records(f"versions/{check_name(scene)}/" if scene else "versions/"):
        if found := _MANIFEST.fullmatch(key):
            numbers[found[1]].append(int(found[2]))
    return dict(numbers)


def read_version(store: Store, scene: str, number: int) -> Manifest:
    """Return a version.

    Raises:
        MissingObjectError: There is none of this number: it was never published, or is expired.
        CorruptObjectError: Its manifest is damaged.
    """
    return read_with_copy(store, (scene, number))[0]


def read_with_copy(store: Store, version: VersionKey) -> tuple[Manifest, BlobRef]:
    """Return a version, and what the bytes of its manifest are called as a blob, which they are if it was approved.

    Raises:
        MissingObjectError: There is none of this number: it was never published, or is expired.
        CorruptObjectError: Its manifest is damaged.
    """
    scene, number = version
    key = manifest_key(check_name(scene), number)
    try:
        data = store.get_record(key)
    except MissingObjectError as exc:
        latest = latest_version(store, scene)
        known = f"the latest is {version_name(latest.number)}" if latest else "it has none at all"
        msg = f"There is no {version_name(number)} of {scene} ({known}): list its versions, and choose one of them."
        raise MissingObjectError(msg) from exc
    return parse_record(data, Manifest, store.locate_record(key)), BlobRef.of(data, "application/json")


def read_versions(store: Store, keys: Iterable[VersionKey]) -> list[Manifest]:
    """Return several versions, in the order of their keys, without those that are gone.

    Raises:
        CorruptObjectError: A manifest is damaged.
    """
    return [version for version in read_many(partial(_find, store), keys) if version]


def _find(store: Store, key: VersionKey) -> Manifest | None:
    with suppress(MissingObjectError):  # expired since it was listed
        return read_record(store, manifest_key(*key), Manifest)
    return None
