"""Fixtures for all levels, and a Prefect home of the session's own, so that nobody's settings or runs are touched."""

import os
import tempfile
from pathlib import Path

import pytest

from models.miniature.untrained import write_weights
from tests.resident import resident

__all__ = ["resident"]

_prefect_home = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Give Prefect, which reads its environment when it is imported, an empty home and no analytics."""
    folder = tempfile.TemporaryDirectory(prefix="mastershot-prefect-")
    config.stash[_prefect_home] = folder
    os.environ |= {"PREFECT_HOME": folder.name, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the home of the session."""
    config.stash[_prefect_home].cleanup()


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of all weights, with the untrained miniature in it."""
    folder = tmp_path_factory.mktemp("weights")
    write_weights(folder)
    return folder
