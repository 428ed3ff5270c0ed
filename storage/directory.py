"""Objects in a folder: the embedded default.

```
<root>/scenes/blobs/sha256/<2>/<64>    immutable bytes
<root>/scenes/views/<key>              readable copies
<root>/scenes-index/<key>              records
```

An object appears whole or not at all, see `storage.files`; the age of a blob is that of its file.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import file_digest
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO

from storage.errors import ConflictError, CorruptObjectError, MissingObjectError
from storage.files import CHUNK_BYTES, MeasuredFile, measure, pass_on, place_file, sync_folder, translated
from storage.objects import BlobRef, KeptBlob, blob_key, check_digest, check_key, check_prefix, is_digest, is_key

_BLOBS = "blobs/sha256"
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class DirectoryStore:
    """A `Housekeeper` in a folder, which the first put creates."""

    def __init__(self, root: Path) -> None:
        """Remember the folder as it is called now, from wherever the process moves to later."""
        self._scenes = root.absolute() / "scenes"
        self._views = self._scenes / "views"
        self._index = root.absolute() / "scenes-index"

    def put_blob(self, data: bytes, media_type: str) -> BlobRef:
        """Keep bytes under their digest; a file of that name with other bytes is replaced, not trusted."""
        ref = BlobRef.of(data, media_type)
        path = self._blob_path(ref)
        with translated(path):
            if not (_is(path, ref) and _touch(path)):
                with place_file(path) as file:
                    file.write(data)
            sync_folder(path.parent)
        return ref

    def put_file(self, path: Path, media_type: str) -> BlobRef:
        """Keep the bytes of a file, which is read twice: for its digest, then for its bytes."""
        ref = measure(path, media_type)
        target = self._blob_path(ref)
        with translated(target):
            if not (_is(target, ref) and _touch(target)):
                with MeasuredFile(path, ref) as source, place_file(target) as file:
                    copyfileobj(source, file, CHUNK_BYTES)
            sync_folder(target.parent)
        return ref

    def get_blob(self, ref: BlobRef) -> bytes:
        """Read bytes back, verified."""
        path = self._blob_path(ref)
        data = _read(path)
        if not ref.matches(data):
            raise _corrupt(path)
        return data

    def fetch_blob(self, ref: BlobRef, path: Path) -> None:
        """Write a blob to a file, verified, over what was there."""
        source = self._blob_path(ref)
        with _opened(source) as blob, translated(path), place_file(path) as file:
            if not ref.is_of(pass_on(iter(lambda: blob.read(CHUNK_BYTES), b""), file)):
                raise _corrupt(source)

    def has_blob(self, ref: BlobRef) -> bool:
        """Tell whether a blob of this digest and size is there, without reading it."""
        path = self._blob_path(ref)
        with translated(path):
            return path.is_file() and path.stat().st_size == ref.size_bytes

    def put_record(self, key: str, data: bytes) -> None:
        """Write a record once; equal bytes already there are a success."""
        path = self._record_path(key)
        with translated(path):
            try:
                with place_file(path, os.link) as file:
                    file.write(data)
            except FileExistsError as exc:
                if not _holds(path, data):
                    msg = f"Something else already stands at {path}: read it, or choose another key."
                    raise ConflictError(msg) from exc
            sync_folder(path.parent)

    def get_record(self, key: str) -> bytes:
        """Read a record."""
        return _read(self._record_path(key))

    def list_records(self, prefix: str) -> list[str]:
        """Find the keys of all records that start with a prefix, sorted."""
        return _list_keys(self._index, prefix)

    def put_view(self, key: str, ref: BlobRef) -> None:
        """Copy a blob to a readable name; a copy, for a link would let a person's edit reach the blob."""
        path = self._view_path(key)
        with translated(path):
            is_shown = _is(path, ref)
        if not is_shown:
            self.fetch_blob(ref, path)

    def get_view(self, key: str) -> bytes:
        """Read a readable copy."""
        return _read(self._view_path(key))

    def list_views(self, prefix: str) -> list[str]:
        """Find the keys of all views that start with a prefix, sorted."""
        return _list_keys(self._views, prefix)

    def remove_view(self, key: str) -> None:
        """Take a readable copy away; its folder stays."""
        _remove(self._view_path(key))

    def list_blobs(self) -> Iterator[KeptBlob]:
        """Find all blobs, in the order of their digests; one that is taken away meanwhile may be missing."""
        root = self._scenes / _BLOBS
        for folder in _list_names(root):
            for name in _list_names(root / folder):
                with translated(root / folder), suppress(*_ABSENT):
                    if is_digest(name) and name.startswith(folder):
                        yield _describe(root / folder / name)

    def remove_blob(self, sha256: str) -> None:
        """Take a blob away; its folder stays."""
        _remove(self._scenes / blob_key(check_digest(sha256)))

    def lock_blobs(self, refs: Iterable[BlobRef]) -> datetime | None:
        """Lock nothing: whoever may write to a folder may delete there."""
        del refs

    def find_lock(self, sha256: str) -> datetime | None:
        """Return that nothing is locked."""
        check_digest(sha256)

    def list_kept_views(self) -> list[str]:
        """Find the keys of all views, sorted; a folder keeps nothing of those that were taken away."""
        return self.list_views("")

    def discard_view(self, key: str) -> None:
        """Take a view away, as `remove_view` does."""
        self.remove_view(key)

    def remove_record(self, key: str) -> None:
        """Take a record away; its folder stays."""
        _remove(self._record_path(key))

    def remove_unfinished(self, older_than: timedelta) -> int:
        """Take away the files of killed writers that nothing was written to for so long, and return how many."""
        latest, num_removed = time.time() - older_than.total_seconds(), 0
        for root in (self._scenes, self._index):
            for path in _walk(root):
                with translated(path), suppress(*_ABSENT):
                    if path.name.startswith("~") and path.stat().st_mtime <= latest:
                        path.unlink()
                        num_removed += 1
        return num_removed

    def list_reader_options(self) -> dict[str, str]:
        """Return nothing: a path is all that a reader needs."""
        return {}

    def locate_blob(self, ref: BlobRef) -> str:
        """Name the path that a person can open."""
        return str(self._blob_path(ref))

    def locate_record(self, key: str) -> str:
        """Name the path that a person can open."""
        return str(self._record_path(key))

    def locate_view(self, key: str) -> str:
        """Name the path that a person can open."""
        return str(self._view_path(key))

    def _blob_path(self, ref: BlobRef) -> Path:
        return self._scenes / ref.key

    def _record_path(self, key: str) -> Path:
        return self._index / check_key(key)

    def _view_path(self, key: str) -> Path:
        return self._views / check_key(key)


def _is(path: Path, ref: BlobRef) -> bool:
    """Tell whether a file has the bytes of a blob, by reading it."""
    try:
        with path.open("rb") as file:
            is_sized = os.fstat(file.fileno()).st_size == ref.size_bytes
            return is_sized and file_digest(file, "sha256").hexdigest() == ref.sha256
    except _ABSENT:
        return False


def _touch(path: Path) -> bool:
    """Make a file new to housekeeping, and tell whether it was possible: it may be gone, or another user's."""
    try:
        os.utime(path)
    except (*_ABSENT, PermissionError):
        return False
    return True


def _describe(path: Path) -> KeptBlob:
    status = path.stat()
    kept_at = datetime.fromtimestamp(status.st_mtime, UTC)
    return KeptBlob(sha256=path.name, size_bytes=status.st_size, kept_at=kept_at)


def _corrupt(path: Path) -> CorruptObjectError:
    msg = f"The blob at {path} is not what was put there: restore it, or make it again and put it again."
    return CorruptObjectError(msg)


def _remove(path: Path) -> None:
    with translated(path), suppress(*_ABSENT):
        path.unlink()
        sync_folder(path.parent)


def _holds(path: Path, data: bytes) -> bool:
    """Tell whether a file has exactly these bytes."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except _ABSENT:
        return False


def _read(path: Path) -> bytes:
    with _opened(path) as file, translated(path):
        return file.read()


def _opened(path: Path) -> BinaryIO:
    """Open what is kept.

    Raises:
        MissingObjectError: nothing is.
    """
    with translated(path):
        try:
            return path.open("rb")
        except _ABSENT as exc:
            msg = f"Nothing is kept at {path}: check the key and the store, or make it again."
            raise MissingObjectError(msg) from exc


def _list_keys(root: Path, prefix: str) -> list[str]:
    """Find the keys of all files below a folder that start with a prefix, sorted."""
    paths = _walk(root / check_prefix(prefix).rpartition("/")[0])
    keys = (path.relative_to(root).as_posix() for path in paths)
    return sorted(key for key in keys if key.startswith(prefix) and is_key(key))


def _walk(folder: Path) -> list[Path]:
    with translated(folder):
        return [Path(parent, name) for parent, _, names in os.walk(folder, onerror=_deny) for name in names]


def _list_names(folder: Path) -> list[str]:
    """Return what is in a folder, sorted; nothing where it is not there."""
    with translated(folder):
        try:
            return sorted(path.name for path in folder.iterdir())
        except _ABSENT:
            return []


def _deny(error: OSError) -> None:
    """Pass over folders that are not there, and over nothing else: a list is never silently shorter."""
    if not isinstance(error, _ABSENT):
        raise error
