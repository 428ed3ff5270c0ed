"""Fixtures of the contract tests."""

from pathlib import Path
from uuid import uuid4

import pytest

from storage.objects import Housekeeper
from storage.opening import open_housekeeper
from tests.backends import backend, directory_backend, name, s3_backend, store
from tests.seaweed import SeaweedServer, seaweed

__all__ = ["backend", "directory_backend", "either_store", "name", "s3_backend", "seaweed", "store"]


@pytest.fixture
def prefix() -> str:
    """Make buckets that no other test uses."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture(params=["directory", "s3"])
def either_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Housekeeper:
    """Open a store of each kind, in which nothing is; its folder looks like a pattern and like a partition."""
    if request.param == "directory":
        return open_housekeeper(str(tmp_path / "scene=[a]*"))
    server: SeaweedServer = request.getfixturevalue("seaweed")
    for variable, value in server.environment.items():
        monkeypatch.setenv(variable, value)
    return open_housekeeper(server.url(f"t{uuid4().hex[:12]}"))
