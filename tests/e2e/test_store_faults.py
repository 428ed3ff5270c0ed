"""A store that goes away or refuses in mid-run: no finished angle is rendered again, and the next try is whole."""

import os
from collections.abc import Generator
from threading import Timer

import pytest

from storage.opening import open_store
from tasks.progress import Listener
from tests.e2e.installation import Installation, count_tasks, listening
from tests.fault_proxy import Fault, FaultProxy, stand_before
from tests.servers import S3Server

NUM_STEPS = 8
AWAY_S = float(os.environ.get("AWAY_S", "1"))


@pytest.fixture
def proxy(seaweed: S3Server, monkeypatch: pytest.MonkeyPatch) -> Generator[FaultProxy]:
    """The store of the settings is a real server behind a proxy."""
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTERSHOT_NUM_LANES", "1")
    with stand_before(seaweed.endpoint) as proxy:
        monkeypatch.setenv("MASTERSHOT_STORE", f"s3://{proxy.endpoint}/faults?secure=0")
        yield proxy


def fail_from_the_last_step(proxy: FaultProxy, fault: Fault, steps: list[str], for_s: float = 0.0) -> Listener:
    """Return a listener that counts steps, and has every request fail once the first picture is sampled."""

    def hear(angle: str, step: int, num_steps: int) -> None:
        steps.append(angle)
        if len(steps) == step == num_steps:
            proxy.choose = lambda _method, _path: fault
            if for_s:
                Timer(for_s, setattr, (proxy, "choose", lambda _method, _path: "none")).start()

    return hear


def test_a_store_that_goes_away_costs_no_picture(installation: Installation, proxy: FaultProxy) -> None:
    """While nobody answers the angles wait, and not one is rendered twice."""
    steps: list[str] = []
    with listening(fail_from_the_last_step(proxy, "unreachable", steps, AWAY_S)):
        state = installation.run_to_end(seed=51)
    assert state.is_completed()
    assert len(steps) == 2 * NUM_STEPS
    assert any(fault == "unreachable" for _, _, fault in proxy.seen)
    manifest = state.result()
    store = open_store(str(installation.folder / "spool"))
    assert store.list_records("angles/") == []
    assert [record.name for record in manifest.angles] == ["close_up", "left_45"]


def test_revoked_credentials_cost_no_picture(installation: Installation, proxy: FaultProxy) -> None:
    """The run fails with what to check; the next one publishes what was rendered, and renders nothing."""
    steps: list[str] = []
    with listening(fail_from_the_last_step(proxy, "refuse", steps)):
        state = installation.run_to_end(seed=52)
    assert state.is_failed()
    assert "check the credentials" in (state.message or "")
    rendered = len(steps)
    assert rendered in {NUM_STEPS, 2 * NUM_STEPS}
    proxy.choose = lambda _method, _path: "none"
    with listening(lambda angle, _step, _num: steps.append(angle)):
        again = installation.run_to_end(seed=52)
    assert again.is_completed()
    assert len(steps) == 2 * NUM_STEPS
    assert count_tasks(again)["close_up Completed"] == 1
    assert open_store(str(installation.folder / "spool")).list_records("angles/") == []
