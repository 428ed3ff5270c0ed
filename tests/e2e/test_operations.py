"""What operators do with runs and with the store, on a real Prefect server."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, StateType, TaskRun
from prefect.states import AwaitingRetry, Cancelled, Crashed, Pending, Running, Scheduled

from flows.housekeeping import housekeeping
from flows.recover import recover
from flows.rerender import rerender_angle
from models.specs import AngleSpec
from storage.directory import DirectoryStore
from storage.versions import keep_angle, latest_version
from tasks.announcing import CHECKS_FAILED, announce_failed_checks
from tasks.recovery import (
    GIVEN_UP,
    LAG,
    MAX_RUNS,
    SETTLING,
    SILENCE,
    STARTING,
    mark_orphans,
    mark_silent_runs,
    run_again,
)
from tests.e2e.installation import Installation
from tests.kept_versions import keep_version


@flow
def lost() -> None:
    """A flow whose runs are planted, and never run."""


@task
def lost_task() -> None:
    """A task whose runs are planted, and never run."""


@flow(validate_parameters=False)
def do(step: Callable[[datetime], Any], now: datetime) -> Any:  # noqa: ANN401 - whatever the step returns
    """Do one step of the recovery as if it were as late as `now`."""
    return step(now)


@pytest.fixture
def client() -> Any:  # noqa: ANN401 - a generator of clients
    """The client of the session's server."""
    with get_client(sync_client=True) as client:
        yield client


def plant(
    client: SyncPrefectClient,
    *states: State,
    tags: tuple[str, ...] = ("mastershot", "coverage"),
    parent: TaskRun | None = None,
) -> FlowRun:
    """Make a run of a deployment that has gone through these states, and is nobody's."""
    deployment_id = client.create_deployment(flow_id=client.create_flow(lost), name=f"lost-{uuid4().hex[:8]}")
    parent_id = parent.id if parent else None
    run = client.create_flow_run_from_deployment(deployment_id, tags=tags, parent_task_run_id=parent_id)
    for state in states:
        client.set_flow_run_state(run.id, state, force=True)
    return client.read_flow_run(run.id)


def plant_task(client: SyncPrefectClient, run: FlowRun) -> TaskRun:
    """Make a task run that is running in the current try of a flow run."""
    made = client.create_task_run(task=lost_task, flow_run_id=run.id, dynamic_key=uuid4().hex, state=Pending())
    client.set_task_run_state(made.id, Running())
    return client.read_task_run(made.id)


def state_of(client: SyncPrefectClient, run: FlowRun) -> tuple[StateType, str | None]:
    """Return type and name of the state that a run is in."""
    state = client.read_flow_run(run.id).state
    assert state
    return state.type, state.name


def test_runs_without_a_process_are_marked(client: SyncPrefectClient) -> None:
    """A run of ours has crashed when it was not heard of for long; one that starts has more time; others stay."""
    dead, starting = plant(client, Running()), plant(client, Pending())
    of_others = plant(client, Running(), tags=("else",))
    now = datetime.now(UTC)
    assert do(mark_silent_runs, now) == []
    assert do(mark_silent_runs, now + 2 * SILENCE) == [dead.name]
    assert do(mark_silent_runs, now + 2 * STARTING) == [starting.name]
    assert [state_of(client, run)[0].value for run in (dead, starting, of_others)] == ["CRASHED", "CRASHED", "RUNNING"]


def test_task_runs_that_are_left_running_are_marked(client: SyncPrefectClient) -> None:
    """Those of a run that is over, and those of a try before, have crashed with it; those of this try have not."""
    over, again = plant(client, Running()), plant(client, Running())
    left, earlier = plant_task(client, over), plant_task(client, again)
    client.create_task_run(task=lost_task, flow_run_id=again.id, dynamic_key="stands for a flow run", state=Pending())
    client.set_flow_run_state(over.id, Crashed(), force=True)
    for state in (AwaitingRetry(), Running()):
        client.set_flow_run_state(again.id, state, force=True)
    young = do(mark_orphans, datetime.now(UTC))
    assert (earlier.name in young, left.name in young) == (True, False)  # the server may learn of others' ends later
    assert left.name in do(mark_orphans, datetime.now(UTC) + 2 * LAG)
    for task_run in (left, earlier):
        assert client.read_task_run(task_run.id).state_type is StateType.CRASHED
    assert do(mark_orphans, datetime.now(UTC) + 2 * LAG) == []
    client.set_flow_run_state(again.id, Cancelled(), force=True)


def test_runs_within_a_run_that_is_over_are_marked(client: SyncPrefectClient) -> None:
    """A flow run inside a process that is gone has crashed, and its tasks; one of a deployment goes on by itself."""
    outer = plant(client, Running())
    call, start = plant_task(client, outer), plant_task(client, outer)
    inner = client.create_flow_run(lost, parent_task_run_id=call.id, state=Running())
    within = plant_task(client, inner)
    deployed = plant(client, Running(), parent=start)
    client.set_flow_run_state(outer.id, Crashed(), force=True)
    marked = set(do(mark_orphans, datetime.now(UTC) + 2 * LAG))
    assert {call.name, inner.name, within.name} <= marked
    assert start.name not in marked
    assert state_of(client, inner)[0] is StateType.CRASHED
    assert state_of(client, deployed)[0] is StateType.RUNNING
    client.set_flow_run_state(deployed.id, Cancelled(), force=True)


def test_a_crashed_coverage_runs_again_until_it_is_given_up(client: SyncPrefectClient) -> None:
    """Crashes are counted, those before a run began among them, so that no loop is without an end."""
    once = plant(client, Running(), Crashed())
    never_ran = plant(client, *(MAX_RUNS * [Pending(), Crashed(), Scheduled()])[:-1])
    housework = plant(client, Running(), Crashed(), tags=("mastershot",))
    now = datetime.now(UTC)
    again, given_up = do(run_again, now)
    assert not {once.name, never_ran.name} & {*again, *given_up}  # its worker may report the crash once more
    again, given_up = do(run_again, now + 2 * SETTLING)
    assert once.name in again
    assert never_ran.name in given_up
    assert state_of(client, once) == (StateType.SCHEDULED, "AwaitingRetry")
    assert state_of(client, never_ran) == (StateType.CRASHED, GIVEN_UP)
    assert state_of(client, housework) == (StateType.CRASHED, "Crashed")
    assert never_ran.name not in do(run_again, now + 2 * SETTLING)[1]


def test_pictures_that_wait_come_in(installation: Installation) -> None:
    """What the store did not take at the time is put into it, and the spool is empty; one that is damaged stays."""
    version = keep_version(DirectoryStore(installation.folder / "elsewhere"), 1)
    spool, picture = DirectoryStore(installation.folder / "spool"), b"a picture"
    record = version.angles[0].model_copy(update={"picture": spool.put_blob(picture, "image/png")})
    keep_angle(spool, record)
    keep_angle(spool, version.angles[1])  # its picture is not there
    assert recover()["num_pictures_brought_in"] == 1
    assert installation.store.get_blob(record.picture) == picture
    assert len(spool.list_records("angles/")) == 1


def test_failed_checks_are_announced_once(installation: Installation, client: SyncPrefectClient) -> None:
    """The run that publishes a version with failed views emits an event; another that shows it again does not."""
    version = keep_version(installation.store, 1).model_copy(update={"verdicts": {"pass": 1, "review": 0, "fail": 1}})
    announce_failed_checks(version, "another run")
    announce_failed_checks(version.model_copy(update={"verdicts": None}), version.run_id)
    announce_failed_checks(version, version.run_id)
    street = "mastershot.scene.street"
    asked = {"filter": {"event": {"name": [CHECKS_FAILED]}, "resource": {"id": [street]}}}
    deadline, events = time.monotonic() + 20, list[Any]()
    while not events and time.monotonic() < deadline:
        time.sleep(0.1)
        events = client.request("POST", "/events/filter", json=asked).json()["events"]
    assert [(each["resource"]["prefect.resource.id"], each["payload"]) for each in events] == [
        (street, {"version": "v000001", "num_failed": 1, "num_angles": 2})
    ]


def test_housekeeping_expires_and_verifies(installation: Installation) -> None:
    """Old versions go but for the last ones, and a blob that is lost fails the run with its place."""
    for number in (1, 2, 3):
        keep_version(installation.store, number)
    asked: Any = {"keep_last": 2, "keep_days": 0}
    gone: Any = housekeeping(asked)
    assert [version["version"] for version in gone["versions"]] == [1]
    latest = latest_version(installation.store, "street")
    assert latest
    installation.store.remove_blob(latest.angles[0].picture.sha256)  # pyright: ignore[reportAttributeAccessIssue]
    state: State[Any] = housekeeping(asked, return_state=True)
    assert state.is_failed()
    assert "is missing, needed by street v000003" in str(state.message)


def test_an_angle_is_rendered_again_by_its_name(installation: Installation) -> None:
    """Scene and angle are enough: that angle is new, the other is carried on; a scene without a version is told."""
    first = installation.run()
    asked: Any = {"scene": "scene_1", "angles": ["left_45"]}
    second = rerender_angle(asked)
    assert (second.number, second.parent) == (2, 1)
    before, after = ({record.name: record for record in version.angles} for version in (first, second))
    assert after["close_up"] == before["close_up"]
    assert after["left_45"].fingerprint != before["left_45"].fingerprint
    assert (
        AngleSpec.model_validate(after["left_45"].spec).asked == AngleSpec.model_validate(before["left_45"].spec).asked
    )
    unknown: Any = {"scene": "never", "angles": ["left_45"]}
    state: State[Any] = rerender_angle(unknown, return_state=True)
    assert str(state.message).endswith("There is no version of never yet: render the scene first.")
    assert Path(installation.folder / "store").is_dir()
