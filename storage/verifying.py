"""Reading everything again: is what the versions refer to still there, and is it still what was put."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal

from storage.errors import CorruptObjectError, MissingObjectError
from storage.history import VersionKey, list_numbers, read_with_copy
from storage.objects import BlobRef, Housekeeper, Store
from storage.reading import read_many
from storage.records import Manifest, Record
from storage.versions import version_name

_NUM_READERS = 8
"""Each holds one blob in memory."""


class Fault(Record):
    """A blob that is lost or damaged, and the versions that need it."""

    sha256: str
    place: str
    kind: Literal["missing", "corrupt"]
    needed_by: tuple[str, ...]
    """Empty for one that no version refers to."""


class Verified(Record):
    """What was read, and what was found wrong."""

    num_versions: int
    num_blobs: int
    num_bytes: int
    faults: tuple[Fault, ...]
    damaged_manifests: tuple[str, ...]
    num_unreferenced: int | None = None
    """Blobs that no version refers to; None where one scene alone was looked at."""
    unreferenced_bytes: int | None = None

    @property
    def is_well(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.faults and not self.damaged_manifests


def verify(store: Housekeeper, scene: str, advance: Callable[[int, int], None]) -> Verified:
    """Read and hash every blob that the versions of a scene refer to, or every blob of the store.

    Args:
        store: Where to read.
        scene: Empty for the whole store.
        advance: Told after every blob how many of how many are done.

    Raises:
        StoreUnavailableError: The store does not answer.
        InvalidKeyError: The scene is no name.
    """
    keys = [(name, number) for name, numbers in list_numbers(store, scene).items() for number in numbers]
    found = read_many(partial(_read, store), keys)
    versions = [each for each in found if isinstance(each, tuple)]
    refs, needed_by = _collect(versions)
    loose = [] if scene else [blob for blob in store.list_blobs() if blob.sha256 not in refs]
    others = (BlobRef(sha256=b.sha256, size_bytes=b.size_bytes, media_type="application/octet-stream") for b in loose)
    wanted = [*refs.values(), *others]
    unneeded = [blob.size_bytes for blob in loose if blob.sha256 not in needed_by]
    faults = list[Fault]()
    with ThreadPoolExecutor(_NUM_READERS) as pool:
        for num_done, (ref, kind) in enumerate(pool.map(partial(_check, store), wanted), start=1):
            if kind:
                by = tuple(sorted(needed_by.get(ref.sha256, ())))
                faults.append(Fault(sha256=ref.sha256, place=store.locate_blob(ref), kind=kind, needed_by=by))
            advance(num_done, len(wanted))
    return Verified(
        num_versions=len(versions),
        num_blobs=len(wanted),
        num_bytes=sum(ref.size_bytes for ref in wanted),
        faults=tuple(faults),
        damaged_manifests=tuple(reason for reason in found if isinstance(reason, str)),
        num_unreferenced=None if scene else len(unneeded),
        unreferenced_bytes=None if scene else sum(unneeded),
    )


def _read(store: Store, version: VersionKey) -> tuple[Manifest, BlobRef] | str | None:
    """Return a manifest and the blob that its copy is, or why it cannot be read, or None if it has gone meanwhile."""
    try:
        return read_with_copy(store, version)
    except CorruptObjectError as exc:
        return str(exc)
    except MissingObjectError:
        return None


def _collect(versions: Iterable[tuple[Manifest, BlobRef]]) -> tuple[dict[str, BlobRef], dict[str, list[str]]]:
    """Return the blobs that must be there, and the versions of each of them and of each copy, which need not."""
    refs, needed_by = dict[str, BlobRef](), defaultdict[str, list[str]](list)
    for manifest, copy in versions:
        refs |= {ref.sha256: ref for ref in manifest.list_blobs()}
        for ref in (*manifest.list_blobs(), copy):
            needed_by[ref.sha256].append(f"{manifest.scene} {version_name(manifest.number)}")
    return refs, needed_by


def _check(store: Store, ref: BlobRef) -> tuple[BlobRef, Literal["missing", "corrupt"] | None]:
    try:
        store.get_blob(ref)
    except MissingObjectError:
        return ref, "missing"
    except CorruptObjectError:
        return ref, "corrupt"
    return ref, None
