"""Taking a version in from an archive: everything is verified before anything is put, and nothing is believed.

The manifest says which files there must be, how long they are and what their digests are. No name in the archive is
ever used as a path on this machine, nothing is unpacked that was not asked for, and no more bytes are read than were
announced.
"""

import os
import stat
import tempfile
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, cast
from zipfile import BadZipFile, ZipFile, ZipInfo

from storage.archive import CHECKSUMS, MANIFEST, README, archive_name, list_archive, write_checksums
from storage.errors import BadArchiveError, CorruptObjectError
from storage.names import check_name
from storage.objects import BlobRef, Store
from storage.reading import parse_record
from storage.records import Manifest
from storage.republishing import republish
from storage.work import at_work

MAX_RATIO, MAX_TEXT_BYTES, MAX_FILES = 100, 64 * 1024 * 1024, 10_000
"""A file is not packed smaller than this, a manifest is not longer, and a version has no more files."""

_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1


class _Archive(Protocol):
    """The files of an archive, by their names within its one folder; what is not safe has been refused."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """The length of each, as announced."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open a file to be read from start to end."""
        ...


def import_version(store: Store, path: Path, scene: str = "") -> Manifest:
    """Publish the version in an archive, a folder or a zip, as the next one of `scene`, or of the scene that it names.

    Raises:
        BadArchiveError: It is none, is damaged, or is not safe.
        ConflictError: Another run has taken the number in this moment.
        StorageError: The store does not take it; nothing is visible then.
    """
    with _opened(path) as archive:
        data = _read(archive, MANIFEST, MAX_TEXT_BYTES)
        manifest = _parse(data)
        files = list_archive(manifest)
        _check_names(archive, files)
        digests = {name: _digest(archive, name, ref) for name, ref in files.items()}
        readme = _read(archive, README, MAX_TEXT_BYTES)
        digests |= {MANIFEST: sha256(data).hexdigest(), README: sha256(readme).hexdigest()}
        if _read(archive, CHECKSUMS, MAX_TEXT_BYTES) != write_checksums(digests).encode():
            msg = f"{CHECKSUMS} of {path} does not say what its files are: export the version again."
            raise BadArchiveError(msg)
        with at_work(store, f"import {path.name}"):
            for name, ref in files.items():
                _put(store, archive, name, ref)
            lineage = {"imported_from": sha256(data).hexdigest()}
            return republish(store, manifest, check_name(scene) if scene else manifest.scene, lineage)


def _parse(data: bytes) -> Manifest:
    try:
        manifest = parse_record(data, Manifest, MANIFEST)
    except CorruptObjectError as exc:
        raise BadArchiveError(str(exc)) from exc
    archive_name(manifest)
    return manifest


def _check_names(archive: _Archive, files: Mapping[str, BlobRef]) -> None:
    expected = {MANIFEST, README, CHECKSUMS, *files}
    if missing := sorted(expected - archive.sizes.keys()):
        msg = f"The archive lacks {missing[0]}: export the version again."
        raise BadArchiveError(msg)
    if foreign := sorted(archive.sizes.keys() - expected):
        msg = f"The archive holds {foreign[0][:200]!r}, which its manifest does not name: take it out."
        raise BadArchiveError(msg)
    for name, ref in files.items():
        if archive.sizes[name] != ref.size_bytes:
            raise _other_bytes(name)


def _digest(archive: _Archive, name: str, ref: BlobRef) -> str:
    """Return the digest of a file, which is that of its blob."""
    found = sha256()
    for chunk in _read_chunks(archive, name, ref.size_bytes):
        found.update(chunk)
    if found.hexdigest() != ref.sha256:
        raise _other_bytes(name)
    return ref.sha256


def _put(store: Store, archive: _Archive, name: str, ref: BlobRef) -> None:
    with tempfile.NamedTemporaryFile(prefix="mastershot-import-") as file:
        for chunk in _read_chunks(archive, name, ref.size_bytes):
            file.write(chunk)
        file.flush()
        if store.put_file(Path(file.name), ref.media_type) != ref:
            raise _other_bytes(name)


def _read(archive: _Archive, name: str, limit: int) -> bytes:
    if name not in archive.sizes:
        msg = f"There is no {name}: this is no archive of a version."
        raise BadArchiveError(msg)
    return b"".join(_read_chunks(archive, name, min(limit, archive.sizes[name])))


def _read_chunks(archive: _Archive, name: str, size_bytes: int) -> Iterator[bytes]:
    """Yield the bytes of a file, and refuse one that is longer or shorter than announced."""
    left = size_bytes
    try:
        with archive.open(name) as file:
            while chunk := file.read(min(_CHUNK_BYTES, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as exc:
        msg = f"{name} cannot be unpacked ({exc}): export the version again."
        raise BadArchiveError(msg) from exc
    if left:
        raise _other_bytes(name)


def _other_bytes(name: str) -> BadArchiveError:
    return BadArchiveError(f"{name} is not what the manifest says it is: export the version again.")


class _Folder:
    """An archive as a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.sizes: dict[str, int] = {}
        for parent, folders, names in os.walk(root):
            for name in (*folders, *names):
                path = Path(parent, name)
                self._admit(path, path.lstat())

    def open(self, name: str) -> BinaryIO:
        descriptor = os.open(self._root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        return os.fdopen(descriptor, "rb")

    def _admit(self, path: Path, found: os.stat_result) -> None:
        name = path.relative_to(self._root).as_posix()
        if stat.S_ISREG(found.st_mode):
            self.sizes[name] = found.st_size
        elif not stat.S_ISDIR(found.st_mode):
            raise _unsafe(name, "a link or no file")
        _limit(len(self.sizes))


class _Zip:
    """An archive as a zip."""

    def __init__(self, packed: ZipFile, size_bytes: int) -> None:
        self._packed = packed
        self._entries: dict[str, ZipInfo] = {}
        roots = set[str]()
        for entry in packed.infolist():
            _limit(len(self._entries))
            _check_entry(entry)
            root, *rest = PurePosixPath(entry.filename).parts
            roots.add(root)
            if entry.is_dir():
                continue
            name = "/".join(rest)
            if name in self._entries:
                raise _unsafe(entry.filename, "there twice")
            self._entries[name] = entry
        if len(roots) != 1:
            msg = f"The zip holds {len(roots)} folders or files at its top, in place of one folder: export it again."
            raise BadArchiveError(msg)
        total = sum(entry.file_size for entry in self._entries.values())
        if total > MAX_RATIO * size_bytes + _CHUNK_BYTES:  # entries may share their bytes
            raise _unsafe(packed.filename or "zip", f"said to unpack to {total} bytes from {size_bytes}")
        self.sizes: dict[str, int] = {name: entry.file_size for name, entry in self._entries.items()}

    def open(self, name: str) -> BinaryIO:
        return cast("BinaryIO", self._packed.open(self._entries[name]))


def _check_entry(entry: ZipInfo) -> None:
    """Refuse what could leave its folder, is no plain file, or unpacks to far more than it is."""
    name = entry.filename
    parts = name.removesuffix("/").split("/")
    if (
        not name
        or any(part in {"", ".", ".."} for part in parts)
        or "\\" in name
        or ":" in name
        or "\0" in entry.orig_filename
    ):
        raise _unsafe(name, "a path that leaves its folder")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind and not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise _unsafe(name, "a link or no file")
    if entry.flag_bits & _ENCRYPTED:
        raise _unsafe(name, "encrypted")
    if entry.file_size > MAX_RATIO * entry.compress_size + _CHUNK_BYTES:
        raise _unsafe(name, f"said to unpack to {entry.file_size} bytes from {entry.compress_size}")


def _limit(num_files: int) -> None:
    if num_files >= MAX_FILES:
        msg = f"The archive holds more than {MAX_FILES} files: no version has so many."
        raise BadArchiveError(msg)


def _unsafe(name: str, what: str) -> BadArchiveError:
    return BadArchiveError(f"The archive is not safe: {name[:200]!r} is {what}.")


@contextmanager
def _opened(path: Path) -> Generator[_Archive]:
    try:
        if path.is_dir():
            yield _Folder(path)
        else:
            with ZipFile(path) as packed:
                yield _Zip(packed, path.stat().st_size)
    except BadZipFile as exc:
        msg = f"{path} is neither a folder nor a whole zip: give what was exported."
        raise BadArchiveError(msg) from exc
    except OSError as exc:
        msg = f"{path} cannot be read ({exc.strerror}): give what was exported."
        raise BadArchiveError(msg) from exc
