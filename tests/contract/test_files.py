"""What every store promises of files: any size in and out, whole or not at all, in constant memory."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.errors import ConflictError, CorruptObjectError, MissingObjectError, UnreadableFileError
from storage.objects import BlobRef, Housekeeper
from tests.backends import Backend, cut_short, flip_bit

MIB = 1024 * 1024
IN_PARTS_BYTES = 65 * MIB
CHANGING_FILE = Path("/proc/sys/kernel/random/uuid")


def write_file(path: Path, seed: str, size_bytes: int) -> Path:
    """Write a file that repeats a seed, a mebibyte at a time."""
    chunk = (seed.encode() * (MIB // len(seed) + 1))[:MIB]
    with path.open("wb") as file:
        for _ in range(size_bytes // MIB):
            file.write(chunk)
        file.write(chunk[: size_bytes % MIB])
    return path


def find_peak(act: Callable[[], object]) -> int:
    """Return how many bytes of memory an act takes at most, beside those taken already."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size_bytes", [0, 1, MIB, 6_000_001, IN_PARTS_BYTES])
def test_file_comes_back_as_it_was_put(store: Housekeeper, name: str, tmp_path: Path, size_bytes: int) -> None:
    """A file of any size reads back byte for byte, and put twice, or from memory, it is one blob."""
    source = write_file(tmp_path / "source", name, size_bytes)
    refs = {store.put_file(source, "image/png") for _ in range(2)}
    assert refs == {store.put_blob(source.read_bytes(), "image/png")}
    (ref,) = refs
    assert (ref.size_bytes, ref.media_type) == (size_bytes, "image/png")
    target = tmp_path / "new" / "folder" / "target"
    store.fetch_blob(ref, target)
    assert target.read_bytes() == source.read_bytes()
    assert list(target.parent.iterdir()) == [target]


def test_missing_blob_is_no_file(store: Housekeeper, name: str, tmp_path: Path) -> None:
    """What is not kept leaves no file, and a file that was there stays."""
    (tmp_path / "there").write_bytes(b"mine")
    for target in ("there", "new"):
        with pytest.raises(MissingObjectError):
            store.fetch_blob(BlobRef.of(name.encode(), "image/png"), tmp_path / target)
    assert (tmp_path / "there").read_bytes() == b"mine"
    assert not [path for path in tmp_path.iterdir() if path.name == "new" or path.name.startswith("~")]


@pytest.mark.parametrize("damaged", [flip_bit, cut_short])
def test_corrupt_blob_is_no_file(
    backend: Backend, name: str, tmp_path: Path, damaged: Callable[[bytes], bytes]
) -> None:
    """One flipped bit or one lost byte leaves what was there."""
    ref = backend.store.put_blob(name.encode(), "image/png")
    backend.damage(backend.store.locate_blob(ref), damaged(name.encode()))
    (tmp_path / "there").write_bytes(b"mine")
    with pytest.raises(CorruptObjectError, match=ref.sha256):
        backend.store.fetch_blob(ref, tmp_path / "there")
    assert (tmp_path / "there").read_bytes() == b"mine"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("~")]


@pytest.mark.parametrize("damaged", [flip_bit, cut_short])
@pytest.mark.parametrize("origin", ["memory", "file"])
def test_put_mends_a_corrupt_blob(
    backend: Backend, name: str, tmp_path: Path, damaged: Callable[[bytes], bytes], origin: str
) -> None:
    """Put again, from memory or from a file, a blob is whole, also if the damage left its size."""
    store, source = backend.store, write_file(tmp_path / "source", name, 1000)
    ref = store.put_file(source, "image/png")
    backend.damage(store.locate_blob(ref), damaged(source.read_bytes()))
    if origin == "file":
        assert store.put_file(source, "image/png") == ref
    else:
        assert store.put_blob(source.read_bytes(), "image/png") == ref
    assert store.get_blob(ref) == source.read_bytes()


def test_unreadable_file_is_told(store: Housekeeper, tmp_path: Path) -> None:
    """A file that is not there, and a folder, cannot be put."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UnreadableFileError, match=str(path)):
            store.put_file(path, "image/png")


def test_changing_file_is_noticed(either_store: Housekeeper) -> None:
    """Of a file that has other bytes whenever it is read nothing is kept."""
    if not CHANGING_FILE.exists():
        pytest.skip("no file that changes by itself on this system")
    with pytest.raises(UnreadableFileError, match=r"changed while it was read"):
        either_store.put_file(CHANGING_FILE, "text/plain")
    assert list(either_store.list_blobs()) == []


def test_file_that_cannot_be_written_is_told(store: Housekeeper, name: str, tmp_path: Path) -> None:
    """A target below a regular file is a conflict, as in a store."""
    ref = store.put_blob(name.encode(), "image/png")
    (tmp_path / "file").touch()
    with pytest.raises(ConflictError, match="file/target"):
        store.fetch_blob(ref, tmp_path / "file" / "target")


def test_memory_does_not_grow_with_the_file(store: Housekeeper, name: str, tmp_path: Path) -> None:
    """A file that goes in parts takes the memory of two, and far less on its way back."""
    source = write_file(tmp_path / "source", name, IN_PARTS_BYTES)
    assert find_peak(lambda: store.put_file(source, "image/png")) < 36 * MIB
    ref = store.put_blob(source.read_bytes(), "image/png")
    assert find_peak(lambda: store.fetch_blob(ref, tmp_path / "target")) < 8 * MIB
