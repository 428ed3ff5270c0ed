"""Digests of large files: read once, true ever after."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from models.digests import INDEX, LARGE_BYTES, digest_file


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that is just large enough to be remembered, most of it a hole."""
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:
        file.write(b"first")
        file.truncate(LARGE_BYTES)
    return path


def true_digest(path: Path) -> str:
    """Return what the library says of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def plant(folder: Path, digest: str) -> None:
    """Let the index say `digest` of the one file that it knows."""
    ((place, (seen, _)),) = json.loads((folder / INDEX).read_bytes()).items()
    (folder / INDEX).write_text(json.dumps({place: (seen, digest)}))


def test_a_large_file_is_read_once(large: Path, tmp_path: Path) -> None:
    """What the index says is believed while the file is the same, and no longer."""
    assert digest_file(large, tmp_path) == true_digest(large)
    plant(tmp_path, "remembered")
    assert digest_file(large, tmp_path) == "remembered"
    with large.open("r+b") as file:
        file.write(b"other")
    os.utime(large, ns=(1, 1))  # a clock that is coarse
    assert digest_file(large, tmp_path) == true_digest(large)


def test_a_small_file_is_read_every_time(tmp_path: Path) -> None:
    """Nothing is kept of it."""
    (tmp_path / "small.json").write_text("{}")
    assert digest_file(tmp_path / "small.json", tmp_path) == hashlib.sha256(b"{}").hexdigest()
    assert not (tmp_path / INDEX).exists()


@pytest.mark.parametrize("content", [b"", b"[]", b"\0", b'{"a": 1}', b"[" * 100_000], ids=repr)
def test_an_index_that_is_no_use_is_written_anew(large: Path, tmp_path: Path, content: bytes) -> None:
    """A damaged index costs a reading and nothing else."""
    (tmp_path / INDEX).write_bytes(content)
    assert digest_file(large, tmp_path) == true_digest(large)
    assert str(large) in json.loads((tmp_path / INDEX).read_bytes())


def test_an_index_that_cannot_be_written_is_done_without(large: Path, tmp_path: Path) -> None:
    """Weights may lie where nobody may write."""
    assert digest_file(large, tmp_path / "absent") == true_digest(large)
