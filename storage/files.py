"""Files that appear whole and durable or not at all, and files that are read once and must not change meanwhile.

A file is written beside its place under a name that no key can have (`~...`), made durable, and only then given its
name. A killed writer leaves at most such a file, which no one reads or lists.
"""

import errno
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from storage.errors import (
    ConflictError,
    InvalidKeyError,
    StorageError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
    UnreadableFileError,
)
from storage.objects import BlobRef

CHUNK_BYTES = 1024 * 1024

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


class MeasuredFile(BufferedReader):
    """A file that was measured, read from start to end; its last bytes are refused if it is another one by now."""

    def __init__(self, path: Path, ref: BlobRef) -> None:
        """Open the file.

        Raises:
            UnreadableFileError: it is not there, or cannot be read.
        """
        with _readable(path):
            super().__init__(FileIO(path))
        self._path, self._ref = path, ref
        self._digest, self._num_bytes = sha256(), 0

    def read(self, size: int | None = -1) -> bytes:
        """Read on.

        Raises:
            UnreadableFileError: this was the end, and what was read is not what was measured.
        """
        with _readable(self._path):
            data = super().read(size)
        self._digest.update(data)
        self._num_bytes += len(data)
        is_end = not data or self._num_bytes >= self._ref.size_bytes
        if is_end and (self._num_bytes, self._digest.hexdigest()) != (self._ref.size_bytes, self._ref.sha256):
            msg = f"The file {self._path} changed while it was read: put it again when nothing writes to it."
            raise UnreadableFileError(msg)
        return data


def measure(path: Path, media_type: str) -> BlobRef:
    """Compute the address of the bytes of a file.

    Raises:
        UnreadableFileError: it is not there, or cannot be read.
    """
    with _readable(path), path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        return BlobRef(sha256=digest, size_bytes=file.tell(), media_type=media_type)


@contextmanager
def place_file(target: Path, publish: Callable[[Path, Path], None] = os.replace) -> Generator[BinaryIO]:
    """Give what is written in the block its name when the block ends, durable; if it fails, leave what was there."""
    _make_folder(target.parent)
    unfinished = target.with_name(f"~{uuid4().hex}")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        publish(unfinished, target)
        sync_folder(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def pass_on(chunks: Iterable[bytes], file: BinaryIO) -> Iterator[bytes]:
    """Write each chunk to a file, then yield it."""
    for chunk in chunks:
        file.write(chunk)
        yield chunk


def _make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, each durable in its own parent."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def translated(path: Path) -> Generator[None]:
    """Turn what the operating system raises into our errors."""
    try:
        yield
    except OSError as exc:
        kind = _KIND_BY_ERRNO.get(exc.errno, StoreUnavailableError)
        msg = f"The disk refused {path} ({exc.strerror}): {_ADVICE[kind]}."
        raise kind(msg) from exc


@contextmanager
def _readable(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as exc:
        msg = f"The file {path} cannot be read ({exc.strerror}): check its name and permissions."
        raise UnreadableFileError(msg) from exc
