"""A deployed run that is cancelled or fails, on a real server with real workers: what ends, and what is kept."""

import time
from collections import Counter

import pytest

from tests.e2e.deployed import UNDER_WAY, Deployed

pytestmark = pytest.mark.timeout(600)
POSES = [
    {"name": f"at_{azimuth + 90}_{elevation + 30}", "azimuth_deg": azimuth, "elevation_deg": elevation}
    for azimuth in (-90, -45, 45, 90)
    for elevation in (-30, 0, 30)
]


def test_a_cancelled_run_ends_at_once_and_loses_nothing(deployed: Deployed) -> None:
    """Within seconds its process is gone and no task run is left; a retry renders just what is missing."""
    installation = deployed.installation
    before = set(installation.finished_angles())
    run = deployed.start(scene="cancelled", angles=POSES, seed=70)
    deployed.service.wait(lambda: len(installation.finished_angles()) > len(before), 180)
    process = deployed.find_process(run)
    assert process.exists()

    began = time.monotonic()
    deployed.set_state(run, type="CANCELLING")
    deployed.service.wait(lambda: not process.exists(), 60)
    assert time.monotonic() - began < 10
    deployed.wait_for(run, "Cancelled")
    assert time.monotonic() - began < 25  # the worker looks every 3 s, and then loads the flow once more for its hooks
    deployed.service.wait(lambda: not {task["state_type"] for task in deployed.tasks(run)} & UNDER_WAY, 30)
    kept = set(installation.finished_angles()) - before
    ends = Counter(name.rpartition(" ")[2] for name in deployed.count_angles(run))
    assert ends == {"Completed": len(kept), "Cancelled": len(POSES) - len(kept)}
    assert deployed.latest("cancelled") is None

    deployed.retry(run)
    deployed.wait_for(run, "Completed")
    manifest = deployed.latest("cancelled")
    assert manifest
    assert len(manifest.angles) == len(POSES)
    assert len(set(installation.finished_angles()) - before) == len(POSES)
    assert {record.run_id for record in manifest.angles} == {manifest.run_id}


def test_a_retry_of_a_failed_run_takes_just_the_failed_angle(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one angle failed the run is Failed; Retry in the UI keeps that angle only, and publishes all."""
    for name, value in deployed.settings.items():
        monkeypatch.setenv(name, value)
    obstacle = deployed.installation.block_picture("left_45", scene="failed", seed=71)
    run = deployed.start(scene="failed", seed=71)
    assert "1 of 2 angles failed (left_45: " in deployed.wait_for(run, "Failed")["state"]["message"]
    obstacle.rmdir()
    deployed.retry(run)
    deployed.wait_for(run, "Completed")
    expected = {"close_up Completed": 1, "left_45 Failed": 1, "left_45 Completed": 1}
    deployed.service.wait(lambda: deployed.count_angles(run) == expected, 30)
    manifest = deployed.latest("failed")
    assert manifest
    assert [record.name for record in manifest.angles] == ["close_up", "left_45"]
