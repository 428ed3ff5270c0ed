"""One Prefect server for all flows of a session, and an installation of Mastershot in temporary folders."""

from collections.abc import Generator
from pathlib import Path

import pytest
from prefect.testing.utilities import prefect_test_harness

from deployments.postgres import is_installed
from tests.e2e.deployed import Deployed
from tests.e2e.installation import Installation, install
from tests.e2e.service import running_service
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
    for name, value in install(tmp_path, weights).items():
        monkeypatch.setenv(name, value)
    return Installation(folder=tmp_path)


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Generator[Deployed]:
    """A service as `make serve` starts it, whose runs render one angle at a time."""
    if not is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = tmp_path_factory.mktemp("deployed")
    settings = install(folder, weights) | {"MASTERSHOT_NUM_LANES": "1"}
    with running_service(settings) as service:
        yield Deployed(service=service, installation=Installation(folder=folder), settings=settings)
