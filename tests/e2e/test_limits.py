"""Limits in a whole run: a device that hangs or crawls fails its angle, in time and with a sentence that helps."""

import signal
import threading
import time
from collections.abc import Generator
from contextlib import closing
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import TaskRun
from prefect.runtime import flow_run

from flows.settings import read_settings
from models.renderer import AngleJob, StepDone
from storage.records import Manifest
from tasks.coverage import spec_of
from tasks.render import read_reference
from tasks.renderers import RendererSpec, renderer_for
from tests.e2e.installation import Installation, count_tasks, listening


def find_tasks(flow_run_id: UUID | None) -> list[TaskRun]:
    """Return the task runs of a flow run."""
    assert flow_run_id
    with get_client(sync_client=True) as client:
        return client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])))


@pytest.fixture
def warm(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """A version of the master: the model is loaded and has one lane, and the master is encoded."""
    monkeypatch.setenv("MASTERSHOT_NUM_LANES", "1")
    return installation.run(angles=["close_up"], seed=60)


@pytest.fixture
def stuck_device(warm: Manifest) -> Generator[None]:
    """Somebody else is in the only lane, and in the midst of a step for ever."""
    settings, spec, master = read_settings(), spec_of(warm.angles[0]), warm.master.picture
    renderer = renderer_for(RendererSpec.of(spec, settings.place))
    job = AngleJob(prompt=spec.instruction.prompt, seed=61)
    with closing(renderer.render(master.sha256, lambda: read_reference(spec, master, settings.store), job)) as events:
        assert next(events) == StepDone(step=1, num_steps=8)
        yield


@pytest.mark.usefixtures("stuck_device")
def test_a_hung_device_fails_its_angle(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """An angle behind one that never moves on is tried twice, with a pause that varies, and fails the run."""
    monkeypatch.setenv("MASTERSHOT_STEP_LIMIT_S", "1")
    start = time.monotonic()
    state = installation.run_to_end(angles=["close_up"], seed=62)
    assert time.monotonic() - start < 60
    assert state.is_failed()
    assert "There is no sign of close_up for 1 s" in (state.message or "")
    with get_client(sync_client=True) as client:
        (angle,) = (run for run in find_tasks(state.state_details.flow_run_id) if run.name == "close_up")
        states = client.read_task_run_states(angle.id)
    assert [state.name for state in states] == ["Pending", "Running", "AwaitingRetry", "Retrying", "Failed"]
    planned = states[2].state_details.scheduled_time
    assert planned
    pause_s = planned.timestamp() - states[2].timestamp.timestamp()
    assert 1 < pause_s < 3.1
    assert pause_s != pytest.approx(2, abs=1e-3)


@pytest.mark.usefixtures("warm")
def test_an_angle_that_takes_too_long_fails(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails once, as it would take as long again; the other angle is kept."""
    monkeypatch.setenv("MASTERSHOT_ANGLE_LIMIT_S", "5")
    with listening(lambda angle, step, _: time.sleep(6) if (angle, step) == ("left_45", 1) else None):
        state = installation.run_to_end(seed=63)
    assert state.is_failed()
    assert "1 of 2 angles failed (left_45: " in (state.message or "")
    assert "There is no left_45 after 5 s" in (state.message or "")
    counts = count_tasks(state)
    assert (counts["close_up Completed"], counts["left_45 Failed"]) == (1, 1)


@pytest.mark.usefixtures("warm")
def test_an_interrupt_ends_the_angles_that_run(installation: Installation) -> None:
    """Ctrl-C on the command line: an angle ends in the midst of its work, and nothing stays Running."""
    interrupted: list[tuple[UUID, str]] = []

    def interrupt(angle: str, _step: int, _num_steps: int) -> None:
        if not interrupted:
            interrupted.append((UUID(flow_run.id or ""), angle))
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            time.sleep(2)  # in this time the miniature would have rendered the angle

    with listening(interrupt), pytest.raises(KeyboardInterrupt):
        installation.run(angles=["close_up", "left_45", "wide", "low_angle"], seed=64)
    ((run_id, angle),) = interrupted
    states = {run.name: run.state for run in find_tasks(run_id)}
    deadline = time.monotonic() + 20
    while not all(state and state.is_final() for state in states.values()) and time.monotonic() < deadline:
        time.sleep(0.2)  # what happened arrives a moment later
        states = {run.name: run.state for run in find_tasks(run_id)}
    ends = {name: state.name for name, state in states.items() if state}
    assert ends[angle] == "Cancelled"
    assert set(ends.values()) <= {"Cancelled", "Completed"}
