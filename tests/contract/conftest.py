"""Fixtures of the contract tests."""

from pathlib import Path
from uuid import uuid4

import pytest

from storage.objects import Store
from storage.opening import open_store
from tests.ceph import ceph
from tests.seaweed import seaweed
from tests.servers import S3Server

__all__ = ["ceph", "either_store", "seaweed"]


@pytest.fixture(params=["directory", "seaweed", "ceph"])
def either_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Open a store of each kind, in which nothing is; its folder looks like a pattern and like a partition."""
    if request.param == "directory":
        return open_store(str(tmp_path / "scene=[a]*"))
    server: S3Server = request.getfixturevalue(request.param)
    for variable, value in server.environment.items():
        monkeypatch.setenv(variable, value)
    return open_store(server.url(f"t{uuid4().hex[:12]}"))
