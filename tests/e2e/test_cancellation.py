"""A deployed run that is cancelled or fails, on a real server with a real worker: what ends, and what is kept."""

import time
from collections import Counter
from pathlib import Path

import pytest

from storage.versions import latest_version
from tests.e2e.served import Service, wait_for

POSES = [
    {"name": f"at_{azimuth + 90}_{elevation + 30}", "azimuth_deg": azimuth, "elevation_deg": elevation}
    for azimuth in (-90, -45, 45, 90)
    for elevation in (-30, 0, 30)
]


@pytest.mark.timeout(600)
def test_a_cancelled_run_ends_at_once_and_loses_nothing(service: Service) -> None:
    """Within seconds its process is gone and no task run is left; a retry renders just what is missing."""
    installation = service.installation
    run = service.start(scene="cancelled", angles=POSES, seed=70)
    wait_for(installation.finished_angles)
    pid = str(service.get(f"flow_runs/{run}")["infrastructure_pid"]).rpartition(":")[2]
    assert Path(f"/proc/{pid}").exists()

    began = time.monotonic()
    service.set_state(run, type="CANCELLING")
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
    assert time.monotonic() - began < 10
    service.wait(run, "Cancelled")
    seconds = time.monotonic() - began
    assert seconds < 25  # 9 s where nothing else runs: the worker looks every 3 s, and loads the flow for its hooks
    ends = wait_for(lambda: _find_ends(service, run))
    kept = installation.finished_angles()
    assert ends["Completed"] == len(kept) < len(POSES)
    assert ends["Completed"] + ends["Cancelled"] == len(POSES)
    assert latest_version(installation.store, "cancelled") is None

    service.set_state(run, type="SCHEDULED", name="AwaitingRetry")
    service.wait(run, "Completed")
    manifest = latest_version(installation.store, "cancelled")
    assert manifest
    assert len(manifest.angles) == len(POSES)
    assert len(installation.finished_angles()) == len(POSES)
    assert set(kept) < set(installation.finished_angles())
    assert {record.run_id for record in manifest.angles} == {manifest.run_id}


def _find_ends(service: Service, run: str) -> dict[str, int]:
    """Return how many angles ended how, once no task run of any kind is under way."""
    states = {task["name"]: task["state_name"] for task in service.list_tasks(run)}
    if {task["state_type"] for task in service.list_tasks(run)} & {"PENDING", "RUNNING", "SCHEDULED"}:
        return {}
    ends = [state for name, state in states.items() if name.startswith("at_")]
    return {state: ends.count(state) for state in ("Completed", "Cancelled")}


@pytest.mark.timeout(600)
def test_a_retry_of_a_failed_run_takes_just_the_failed_angle(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one angle failed the run is Failed; Retry in the UI keeps that angle only, and publishes all."""
    for name, value in service.environment.items():
        if name.startswith("MASTERSHOT_"):
            monkeypatch.setenv(name, value)
    obstacle = service.installation.block_picture("left_45", scene="failed", seed=71)
    run = service.start(scene="failed", seed=71)
    failed = service.wait(run, "Failed")
    assert "1 of 2 angles failed (left_45: " in failed["state"]["message"]
    obstacle.rmdir()
    service.set_state(run, type="SCHEDULED", name="AwaitingRetry")
    service.wait(run, "Completed")
    expected = {"close_up Completed": 1, "left_45 Failed": 1, "left_45 Completed": 1}
    wait_for(lambda: _count_angles(service, run) == expected)
    manifest = latest_version(service.installation.store, "failed")
    assert manifest
    assert [record.name for record in manifest.angles] == ["close_up", "left_45"]


def _count_angles(service: Service, run: str) -> Counter[str]:
    tasks = [task for task in service.list_tasks(run) if task["task_key"].startswith("render_angle")]
    return Counter(f"{task['name']} {task['state_name']}" for task in tasks)
