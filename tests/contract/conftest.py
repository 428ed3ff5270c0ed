"""Fixtures of the contract tests."""

from pathlib import Path
from uuid import uuid4

import pytest

from storage.objects import Housekeeper
from storage.opening import open_housekeeper
from tests.backends import backend, directory_backend, name, store
from tests.ceph import ceph
from tests.seaweed import seaweed
from tests.servers import S3Server

__all__ = ["backend", "ceph", "directory_backend", "either_store", "name", "seaweed", "store"]


@pytest.fixture
def prefix() -> str:
    """Make buckets that no other test uses."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture(params=["seaweed", "ceph"])
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """Choose the server under test."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["directory", "seaweed", "ceph"])
def either_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Housekeeper:
    """Open a store of each kind, in which nothing is; its folder looks like a pattern and like a partition."""
    if request.param == "directory":
        return open_housekeeper(str(tmp_path / "scene=[a]*"))
    server: S3Server = request.getfixturevalue(request.param)
    for variable, value in server.environment.items():
        monkeypatch.setenv(variable, value)
    return open_housekeeper(server.url(f"t{uuid4().hex[:12]}"))
