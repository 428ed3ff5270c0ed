"""What a folder does when the disk, the permissions or the process fail."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

import storage
from storage.directory import DirectoryStore
from storage.errors import ConflictError, CorruptObjectError, StoreFullError, StoreReadOnlyError
from storage.objects import BlobRef

NUM_KILLS = 4
REPOSITORY = Path(storage.__file__).parents[1]

LIMITED_WRITER = """
import resource, sys
from pathlib import Path
from storage.directory import DirectoryStore
from storage.errors import StoreFullError
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    DirectoryStore(Path(sys.argv[1])).put_blob(bytes(100_000), "image/png")
except StoreFullError as error:
    sys.stdout.write(str(error))
"""

ENDLESS_WRITER = """
import sys
from pathlib import Path
from storage.directory import DirectoryStore
store, number = DirectoryStore(Path(sys.argv[1])), int(sys.argv[2])
while True:
    ref = store.put_blob(b"%09d" % number * 100_000, "image/png")
    store.put_record(f"runs/{number}", ref.model_dump_json().encode())
    sys.stdout.write(f"runs/{number}\\n")
    sys.stdout.flush()
    number += 1
"""


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """Make a store in a new folder."""
    return DirectoryStore(tmp_path / "root")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Generator[Path]:
    """Mount a disk of 64 KiB."""
    with_mount(tmp_path, "size=64k")
    yield tmp_path
    run("umount", str(tmp_path))


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Generator[Path]:
    """Make a folder that this user cannot write: for root, who ignores permissions, a read-only disk."""
    is_root = os.geteuid() == 0
    if is_root:
        with_mount(tmp_path, "ro")
    else:
        tmp_path.chmod(0o500)
    yield tmp_path
    if is_root:
        run("umount", str(tmp_path))
    else:
        tmp_path.chmod(0o700)


def with_mount(folder: Path, options: str) -> None:
    """Mount a disk in memory, or skip."""
    if os.geteuid() != 0 or run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)) != 0:
        pytest.skip("mounting a small disk needs root and the right to mount")


def run(program: str, *arguments: str) -> int:
    """Run a program of the system."""
    found = shutil.which(program)
    if found is None:
        return 127
    return subprocess.run([found, *arguments], check=False, stderr=subprocess.DEVNULL).returncode


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a process that writes."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def files_in(folder: Path) -> list[Path]:
    """Find every file, finished or not."""
    return [path for path in folder.rglob("*") if path.is_file()]


def test_nothing_is_created_before_the_first_put(store: DirectoryStore, tmp_path: Path) -> None:
    """Reading and listing an empty store leave no trace."""
    assert store.list_records("") == []
    assert not store.has_blob(BlobRef.of(b"", "image/png"))
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_told_and_leaves_nothing(tiny_disk: Path) -> None:
    """A put that does not fit is refused whole, and what fits still goes in."""
    store = DirectoryStore(tiny_disk)
    with pytest.raises(StoreFullError, match="No space left"):
        store.put_blob(bytes(100_000), "image/png")
    with pytest.raises(StoreFullError, match="No space left"):
        store.put_record("runs/1", bytes(100_000))
    assert files_in(tiny_disk) == []
    assert store.get_blob(store.put_blob(b"small", "image/png")) == b"small"


def test_full_disk_leaves_no_fetched_file(tiny_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A blob that does not fit where it is fetched to leaves what was there, and nothing else."""
    store = DirectoryStore(tmp_path_factory.mktemp("root"))
    (tiny_disk / "target").write_bytes(b"mine")
    ref = store.put_blob(bytes(100_000), "image/png")
    with pytest.raises(StoreFullError, match=r"target \(No space left"):
        store.fetch_blob(ref, tiny_disk / "target")
    assert files_in(tiny_disk) == [tiny_disk / "target"]
    assert (tiny_disk / "target").read_bytes() == b"mine"


def test_file_size_limit_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on file sizes is a full store, too."""
    with start(LIMITED_WRITER, str(tmp_path)) as writer:
        message, _ = writer.communicate(timeout=30)
    assert "File too large" in message
    assert files_in(tmp_path) == []


def test_read_only_folder_is_told(read_only_folder: Path) -> None:
    """A folder that cannot be written is no transient fault."""
    store = DirectoryStore(read_only_folder)
    with pytest.raises(StoreReadOnlyError, match=str(read_only_folder)):
        store.put_blob(b"data", "image/png")
    with pytest.raises(StoreReadOnlyError, match=str(read_only_folder)):
        store.put_record("runs/1", b"{}")


def test_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    """A root below a regular file, and a record below a record, are conflicts."""
    (tmp_path / "file").touch()
    with pytest.raises(ConflictError, match="file"):
        DirectoryStore(tmp_path / "file" / "root").put_blob(b"data", "image/png")
    store = DirectoryStore(tmp_path)
    store.put_record("runs/1", b"{}")
    with pytest.raises(ConflictError, match="runs/1/manifest"):
        store.put_record("runs/1/manifest.json", b"{}")


def test_put_replaces_a_flipped_bit(store: DirectoryStore) -> None:
    """A blob that no longer has its bytes is mended by putting it again."""
    ref = store.put_blob(b"data", "image/png")
    Path(store.locate_blob(ref)).write_bytes(b"dat`")
    with pytest.raises(CorruptObjectError):
        store.get_blob(ref)
    store.put_blob(b"data", "image/png")
    assert store.get_blob(ref) == b"data"


def test_edit_of_a_view_leaves_the_blob(store: DirectoryStore) -> None:
    """A view is a copy: a person may paint on it."""
    ref = store.put_blob(b"data", "image/png")
    store.put_view("scene/close_up.png", ref)
    Path(store.locate_view("scene/close_up.png")).write_bytes(b"painted")
    assert store.get_blob(ref) == b"data"


def test_unfinished_and_foreign_files_are_not_listed(store: DirectoryStore) -> None:
    """What a killed writer or a person left among the records is no record."""
    store.put_record("runs/1", b"{}")
    for name in ("~unfinished", ".DS_Store", "a note.txt"):
        Path(store.locate_record("runs/1")).with_name(name).touch()
    assert store.list_records("") == ["runs/1"]


def test_kill_leaves_no_half_object(tmp_path: Path) -> None:
    """Whatever moment a writer is killed at, what was acknowledged is there and what is visible is whole."""
    acknowledged: list[str] = []
    for number in range(NUM_KILLS):
        with start(ENDLESS_WRITER, str(tmp_path), str(number * 1_000_000)) as writer:
            assert writer.stdout
            acknowledged.append(writer.stdout.readline().strip())
            time.sleep(0.02 * (number + 1))
            writer.send_signal(signal.SIGKILL)
            acknowledged += [line.strip() for line in writer.stdout if line.endswith("\n")]
    store = DirectoryStore(tmp_path)
    assert set(acknowledged) <= set(store.list_records("runs/"))
    for key in store.list_records(""):
        store.get_blob(BlobRef.model_validate_json(store.get_record(key)))
    finished = [path for path in files_in(tmp_path / "scenes") if not path.name.startswith("~")]
    assert all(BlobRef.of(path.read_bytes(), "image/png").sha256 == path.name for path in finished)
