"""Digests of files of many gigabytes, read once: a file that is the same to the file system has the digest it had.

A file counts as the same while size, time of change and inode are, as git's index has it. What is known is kept in one
small file; without it, or where it cannot be written, every digest is taken anew.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

LARGE_BYTES = 256 * 2**20
"""Smaller files are read every time."""
INDEX = ".digests.json"


def digest_file(path: Path, folder: Path) -> str:
    """Return the SHA-256 of a file; that of a large one is looked up in, or added to, the index in `folder`."""
    status = path.stat()
    if status.st_size < LARGE_BYTES:
        return _read(path)
    place = str(path.resolve())
    seen = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
    known = _read_index(folder)
    if known.get(place, ("", ""))[0] == seen:
        return known[place][1]
    found = _read(path)
    _write_index(folder, {**_read_index(folder), place: (seen, found)})
    return found


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_index(folder: Path) -> dict[str, tuple[str, str]]:
    with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        known = cast("dict[str, list[str]]", json.loads((folder / INDEX).read_bytes()))
        return {place: (seen, found) for place, (seen, found) in known.items()}
    return {}


def _write_index(folder: Path, known: Mapping[str, tuple[str, str]]) -> None:
    with suppress(OSError):  # weights may lie where nobody may write
        written = folder / f"{INDEX}.{os.getpid()}"
        written.write_text(json.dumps(known))
        written.replace(folder / INDEX)
