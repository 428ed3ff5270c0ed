"""Fixtures for all levels: weights from a seed, masters, and stores in temporary folders."""

from pathlib import Path

import pytest

from models.miniature.untrained import write_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of all weights, with the untrained miniature in it."""
    folder = tmp_path_factory.mktemp("weights")
    write_weights(folder)
    return folder
