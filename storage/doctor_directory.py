"""What a folder really does: links, renames, syncs, space."""

import os
import shutil
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from uuid import uuid4

from storage.files import translated
from storage.probing import Answer, Finding, Probe, ask_all

NUM_RACERS = 16
MIN_FREE_BYTES = 1_000_000_000


def examine_directory(root: Path, *, is_quick: bool) -> list[Finding]:
    """Ask a folder, in a folder of its own that no key can name and that is gone afterwards."""
    if is_quick:
        with translated(root), _probe_folders(root) as folders:
            return [probe.judge(probe.check(folders)) for probe in _QUICK]
    try:
        with _probe_folders(root) as folders:
            return list(ask_all(_ALL, folders, OSError, lambda exc: str(exc.strerror)))
    except OSError as exc:
        return [_WRITABLE.judge(Answer(is_right=False, words=f"refused ({exc.strerror})"))]


@contextmanager
def _probe_folders(root: Path) -> Generator[list[Path]]:
    """Make a folder beside the blobs and one beside the records."""
    folders = [root / bucket / f"~doctor-{uuid4().hex}" for bucket in ("scenes", "scenes-index")]
    try:
        for folder in folders:
            folder.mkdir(parents=True)
        yield folders
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _write(folders: list[Path]) -> Answer:
    files = [folder / "written" for folder in folders]
    for file in files:
        file.write_bytes(b"data")
    return Answer(is_right=all(file.read_bytes() == b"data" for file in files), words="written and read back")


def _sync(folders: list[Path]) -> Answer:
    for path, flags in ((folders[0] / "written", os.O_RDWR), (folders[0], os.O_RDONLY | os.O_DIRECTORY)):
        descriptor = os.open(path, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return Answer(is_right=True, words="file and folder synced")


def _race(folders: list[Path]) -> Answer:
    start, target = Barrier(NUM_RACERS), folders[1] / "raced"

    def link(number: int) -> bool:
        mine = folders[1] / f"racer-{number}"
        mine.write_bytes(b"%d" % number)
        start.wait()
        try:
            os.link(mine, target)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(NUM_RACERS) as pool:
        winners = [number for number, is_winner in enumerate(pool.map(link, range(NUM_RACERS))) if is_winner]
    is_right = [b"%d" % number for number in winners] == [target.read_bytes()]
    return Answer(is_right=is_right, words=f"{len(winners)} of {NUM_RACERS} links won")


def _replace(folders: list[Path]) -> Answer:
    old, new = folders[0] / "old", folders[0] / "new"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    with old.open("rb") as reader:
        new.replace(old)
        is_right = reader.read() == b"old" and old.read_bytes() == b"new"
    return Answer(is_right=is_right, words="a reader keeps the old file, the next one gets the new")


def _tell_case(folders: list[Path]) -> Answer:
    for name in ("Case", "case"):
        (folders[1] / name).write_bytes(name.encode())
    is_right = (folders[1] / "Case").read_bytes() == b"Case"
    return Answer(is_right=is_right, words="two files" if is_right else "one file")


def _measure_space(folders: list[Path]) -> Answer:
    free = min(shutil.disk_usage(folder).free for folder in folders)
    return Answer(is_right=free >= MIN_FREE_BYTES, words=f"{free / 1e9:.1f} GB free")


def _compare_disks(folders: list[Path]) -> Answer:
    disks = {folder.stat().st_dev for folder in (*folders, *(folder.parent.parent for folder in folders))}
    return Answer(is_right=len(disks) == 1, words=f"{len(disks)} file system{'s' * (len(disks) > 1)}")


_WRITABLE = Probe(
    subject="writing",
    asked="take and give back a file in both folders",
    check=_write,
    consequence="it can be used",
    otherwise="refused",
    consequence_otherwise="nothing can be kept there: give this user write permission, or choose another folder",
)
_LINKS = Probe(
    subject="links, raced",
    asked=f"give one name to {NUM_RACERS} files at the same moment",
    check=_race,
    consequence="a record is written once",
    otherwise="refused",
    consequence_otherwise="one version could silently replace another: choose a disk that knows hard links",
)
_QUICK = (
    _WRITABLE,
    Probe(
        subject="sync",
        asked="sync a file and its folder to the disk",
        check=_sync,
        consequence="what is acknowledged survives a power cut",
        otherwise="refused",
        consequence_otherwise="an acknowledged version could be lost: choose another disk",
    ),
    _LINKS,
    Probe(
        subject="free space",
        asked="tell the free space",
        check=_measure_space,
        consequence="there is room",
        otherwise="adapted",
        consequence_otherwise="below 1 GB, so free some soon; a put that finds no room leaves nothing half done",
    ),
)
_ALL = (
    *_QUICK,
    Probe(
        subject="rename",
        asked="put a file in the place of one that is being read",
        check=_replace,
        consequence="a blob or a view is never half written",
        otherwise="refused",
        consequence_otherwise="readers could see half a picture: choose another disk",
    ),
    Probe(
        subject="letters",
        asked="keep Case and case apart",
        check=_tell_case,
        consequence="every key has a file of its own",
        otherwise="refused",
        consequence_otherwise="two keys could share a file: choose a disk that tells A from a",
    ),
    Probe(
        subject="one disk",
        asked="have all folders on one file system",
        check=_compare_disks,
        consequence="one backup or snapshot holds all of it",
        otherwise="adapted",
        consequence_otherwise="each folder is safe by itself, but back them up at the same moment",
    ),
)
