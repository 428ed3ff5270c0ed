"""Objects in a folder: the embedded default.

```
<root>/scenes/blobs/sha256/<2>/<64>    immutable bytes
<root>/scenes/views/<key>              readable copies
<root>/scenes-index/<key>              records
```

An object appears whole or not at all: it is written beside its place under a name that no key can have (`~...`), made
durable, and only then given its name. A killed writer leaves at most such a file, which no one reads or lists.
"""

import errno
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from storage.errors import (
    ConflictError,
    CorruptObjectError,
    InvalidKeyError,
    MissingObjectError,
    StorageError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from storage.objects import BlobRef, check_key, check_prefix, is_key

_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_KIND_BY_ERRNO: dict[int | None, type[StorageError]] = {
    errno.ENOSPC: StoreFullError,
    errno.EDQUOT: StoreFullError,
    errno.EFBIG: StoreFullError,
    errno.EROFS: StoreReadOnlyError,
    errno.EACCES: StoreReadOnlyError,
    errno.EPERM: StoreReadOnlyError,
    errno.EEXIST: ConflictError,
    errno.ENOTDIR: ConflictError,
    errno.EISDIR: ConflictError,
    errno.ENAMETOOLONG: InvalidKeyError,
}
_ADVICE: dict[type[StorageError], str] = {
    StoreFullError: "free space, raise the limit, or choose another store",
    StoreReadOnlyError: "give this user write permission on a disk that knows hard links, or choose another store",
    ConflictError: "remove the file or folder that stands in the way, or choose another name",
    InvalidKeyError: "choose a shorter key or root",
    StoreUnavailableError: "check the disk or its mount, then try again",
}


class DirectoryStore:
    """A `Store` in a folder, which the first put creates."""

    def __init__(self, root: Path) -> None:
        """Remember the folder as it is called now, from wherever the process moves to later."""
        self._scenes = root.absolute() / "scenes"
        self._views = self._scenes / "views"
        self._index = root.absolute() / "scenes-index"

    def put_blob(self, data: bytes, media_type: str) -> BlobRef:
        """Keep bytes under their digest; a file of that name with other bytes is replaced, not trusted."""
        ref = BlobRef.of(data, media_type)
        path = self._blob_path(ref)
        with _translated(path):
            if not _holds(path, data):
                _write(path, data, os.replace)
            _sync_folder(path.parent)
        return ref

    def get_blob(self, ref: BlobRef) -> bytes:
        """Read bytes back, verified."""
        path = self._blob_path(ref)
        data = _read(path)
        if not ref.matches(data):
            msg = f"The blob at {path} is not what was put there: restore it, or make it again and put it again."
            raise CorruptObjectError(msg)
        return data

    def has_blob(self, ref: BlobRef) -> bool:
        """Tell whether a blob of this digest and size is there, without reading it."""
        path = self._blob_path(ref)
        with _translated(path):
            return path.is_file() and path.stat().st_size == ref.size_bytes

    def put_record(self, key: str, data: bytes) -> None:
        """Write a record once; equal bytes already there are a success."""
        path = self._record_path(key)
        with _translated(path):
            try:
                _write(path, data, os.link)
            except FileExistsError as exc:
                if not _holds(path, data):
                    msg = f"Something else already stands at {path}: read it, or choose another key."
                    raise ConflictError(msg) from exc
            _sync_folder(path.parent)

    def get_record(self, key: str) -> bytes:
        """Read a record."""
        return _read(self._record_path(key))

    def list_records(self, prefix: str) -> list[str]:
        """Find the keys of all records that start with a prefix, sorted."""
        return _list_keys(self._index, prefix)

    def put_view(self, key: str, ref: BlobRef) -> None:
        """Copy a blob to a readable name; a copy, for a link would let a person's edit reach the blob."""
        path = self._view_path(key)
        data = self.get_blob(ref)
        with _translated(path):
            if not _holds(path, data):
                _write(path, data, os.replace)
            _sync_folder(path.parent)

    def get_view(self, key: str) -> bytes:
        """Read a readable copy."""
        return _read(self._view_path(key))

    def list_views(self, prefix: str) -> list[str]:
        """Find the keys of all views that start with a prefix, sorted."""
        return _list_keys(self._views, prefix)

    def remove_view(self, key: str) -> None:
        """Take a readable copy away; its folder stays."""
        path = self._view_path(key)
        with _translated(path), suppress(*_ABSENT):
            path.unlink()
            _sync_folder(path.parent)

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


def _write(target: Path, data: bytes, publish: Callable[[Path, Path], None]) -> None:
    """Give whole, durable bytes their name, or leave nothing; the caller makes the name durable."""
    _make_folder(target.parent)
    unfinished = target.with_name(f"~{uuid4().hex}")
    try:
        with unfinished.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        publish(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, each durable in its own parent."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds(path: Path, data: bytes) -> bool:
    """Tell whether a file has exactly these bytes."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except _ABSENT:
        return False


def _read(path: Path) -> bytes:
    with _translated(path):
        try:
            return path.read_bytes()
        except _ABSENT as exc:
            msg = f"Nothing is kept at {path}: check the key and the store, or make it again."
            raise MissingObjectError(msg) from exc


def _list_keys(root: Path, prefix: str) -> list[str]:
    """Find the keys of all files below a folder that start with a prefix, sorted."""
    folder = root / check_prefix(prefix).rpartition("/")[0]
    with _translated(folder):
        paths = [Path(parent, name) for parent, _, names in os.walk(folder, onerror=_deny) for name in names]
    keys = (path.relative_to(root).as_posix() for path in paths)
    return sorted(key for key in keys if key.startswith(prefix) and is_key(key))


def _deny(error: OSError) -> None:
    """Pass over folders that are not there, and over nothing else: a list is never silently shorter."""
    if not isinstance(error, _ABSENT):
        raise error


@contextmanager
def _translated(path: Path) -> Generator[None]:
    """Turn what the operating system raises into our errors."""
    try:
        yield
    except OSError as exc:
        kind = _KIND_BY_ERRNO.get(exc.errno, StoreUnavailableError)
        msg = f"The disk refused {path} ({exc.strerror}): {_ADVICE[kind]}."
        raise kind(msg) from exc
