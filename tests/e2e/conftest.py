"""One Prefect server for all flows of a session, and an installation of Mastershot in temporary folders."""

from collections.abc import Generator
from pathlib import Path

import pytest
from PIL import Image
from prefect.testing.utilities import prefect_test_harness

from models.camera import Pose
from models.miniature.cameras import camera_for
from models.miniature.raycast import render_view
from models.miniature.stage import make_scene
from tests.e2e.installation import Installation
from tests.seaweed import seaweed

__all__ = ["seaweed"]


@pytest.fixture(scope="session", autouse=True)
def prefect_server() -> Generator[None]:
    """A Prefect server of this session alone."""
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def installation(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Settings that point into a temporary folder, with a master of the film stage in it."""
    view = render_view(make_scene(7), camera_for(Pose()), 280, 160, samples_per_axis=1)
    Image.fromarray(view.picture).save(tmp_path / "master.png")
    folders = {"STORE": str(tmp_path / "store"), "SPOOL": str(tmp_path / "spool"), "WEIGHTS": str(weights)}
    variables = folders | {"MASTER_FOLDERS": f'["{tmp_path}"]'}
    for name, value in variables.items():
        monkeypatch.setenv(f"MASTERSHOT_{name}", value)
    return Installation(folder=tmp_path)
