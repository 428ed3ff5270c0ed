"""Writing a version out of a store, to stand alone: a folder, or a zip that is the same bytes every time."""

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from storage.archive import CHECKSUMS, MANIFEST, README, archive_name, list_archive, write_checksums, write_readme
from storage.errors import BadArchiveError
from storage.history import read_version
from storage.objects import Store
from storage.records import Manifest
from storage.versions import manifest_key

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644 << 16
_UNIX = 3


def export_version(store: Store, scene: str, number: int, target: Path) -> Path:
    """Write a version to a zip, if `target` ends in `.zip`, or to a new folder; it appears whole or not at all.

    Raises:
        MissingObjectError: There is no such version, or a blob of it is lost.
        CorruptObjectError: A blob of it is damaged.
        BadArchiveError: Something stands at `target`, or it cannot be written there.
    """
    manifest = read_version(store, scene, number)
    if target.exists() or target.is_symlink():
        msg = f"Something stands at {target} already: choose another place, or take it away first."
        raise BadArchiveError(msg)
    with _translated(target), tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix="~export-") as folder:
        whole = Path(folder) / archive_name(manifest)
        _write_folder(store, manifest, whole)
        if target.suffix == ".zip":
            packed = Path(folder) / "packed.zip"
            _pack(whole, packed)
            packed.rename(target)
        else:
            whole.rename(target)
    return target


def _write_folder(store: Store, manifest: Manifest, folder: Path) -> None:
    files = list_archive(manifest)
    folder.mkdir()
    texts = {
        MANIFEST: store.get_record(manifest_key(manifest.scene, manifest.number)),
        README: write_readme(manifest, files).encode(),
    }
    digests = {name: ref.sha256 for name, ref in files.items()}
    digests |= {name: sha256(data).hexdigest() for name, data in texts.items()}
    for name, data in (texts | {CHECKSUMS: write_checksums(digests).encode()}).items():
        (folder / name).write_bytes(data)
    for name, ref in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        store.fetch_blob(ref, folder / name)


def _pack(folder: Path, target: Path) -> None:
    """Write a zip without times, owners or compression: pictures are compressed, and other versions of zlib differ."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with ZipFile(target, "x", ZIP_STORED) as packed:
        for path in paths:
            entry = ZipInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}", _EARLIEST)
            entry.create_system, entry.external_attr, entry.file_size = _UNIX, _FILE_MODE, path.stat().st_size
            with path.open("rb") as source, packed.open(entry, "w") as written:
                shutil.copyfileobj(source, written, 1 << 20)


@contextmanager
def _translated(target: Path) -> Generator[None]:
    try:
        yield
    except OSError as exc:
        msg = f"{target} cannot be written ({exc.strerror}): choose another place, or make room."
        raise BadArchiveError(msg) from exc
