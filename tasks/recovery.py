"""Runs whose process is gone: they and what they left running are marked as crashed, and some are run again.

The flow is started half a minute after every crash, and can be at any time. That it is not an automation of the server
that changes the state has a reason: see docs/production.md.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import psutil
from prefect import get_run_logger, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentTaskRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType, TaskRun
from prefect.states import AwaitingRetry, Crashed

from tasks.policies import WHILE_TRANSIENT

MAX_RUNS = 3
"""So often a coverage is run, or crashes before it could, until it is given up."""
GIVEN_UP = "GivenUp"
"""Name of the state of a crashed run that is not run again."""
GONE = "Its process gave no sign of life any more."
SILENCE = timedelta(seconds=90)
"""A run that gives no sign of life for so long is gone; it gives one every 30 seconds."""
STARTING = timedelta(minutes=15)
"""A run that waits for its process for so long has none."""
LAG = timedelta(seconds=10)
"""The server learns of a task run's end up to so much later than of its flow run's."""
SETTLING = timedelta(seconds=15)
"""A worker reports a crash twice, some seconds apart: a run that runs again by then would be taken for crashed."""
RECENT = timedelta(days=1)
"""Whatever crashed before that is not run again."""
OURS, COVERAGE = "mastershot", "coverage"
"""Tags of the deployments of prefect.yaml, and of those that render."""


@task(name="mark-silent-runs", task_run_name="mark silent runs", **WHILE_TRANSIENT)
def mark_silent_runs(now: datetime) -> list[str]:
    """Mark flow runs as crashed whose process is gone by `now`, in UTC, and return their names."""
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=_with_tag(OURS, StateType.RUNNING, StateType.PENDING))
        gone = [run for run in runs if _is_gone(client, run, now)]
        for run in gone:
            client.set_flow_run_state(run.id, Crashed(message=GONE))
    return [run.name for run in gone]


@task(name="mark-orphans", task_run_name="mark orphans", **WHILE_TRANSIENT)
def mark_orphans(now: datetime) -> list[str]:
    """Mark task runs as crashed, and flow runs within them, that a try left running which is over; return their names.

    A flow run of a deployment has a process of its own, and is no orphan because who started it is gone.
    """
    with get_client(sync_client=True) as client:
        parents, marked = _with_tag(OURS), list[str]()
        while tasks := client.read_task_runs(flow_run_filter=parents, task_run_filter=_ACTIVE):
            orphans = _choose_orphans(client, tasks, now)
            children = _read_children(client, orphans)
            separate = {child.parent_task_run_id for child in children if child.deployment_id}
            for orphan in (each for each in orphans if each.id not in separate):
                client.set_task_run_state(orphan.id, Crashed(message="Its flow run is over."), force=True)
                marked.append(orphan.name)
            within = [child for child in children if not child.deployment_id and not _is_over(child)]
            for child in within:
                client.set_flow_run_state(child.id, Crashed(message="The run it was part of is over."), force=True)
                marked.append(child.name)
            if not within:
                break
            parents = FlowRunFilter(id=FlowRunFilterId(any_=[child.id for child in within]))
            now += LAG  # they were over before they were marked
    return marked


@task(name="run-again", task_run_name="run again", **WHILE_TRANSIENT)
def run_again(now: datetime) -> tuple[list[str], list[str]]:
    """Schedule crashed coverages again and return their names, and of those that have crashed too often."""
    again, given_up = list[str](), list[str]()
    with get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=_with_tag(COVERAGE, StateType.CRASHED)):
            if not _may_run_again(run, now):
                continue
            if _count_tries(client, run) < MAX_RUNS:
                client.set_flow_run_state(run.id, AwaitingRetry(message="It crashed."))
                again.append(run.name)
            else:
                state = Crashed(name=GIVEN_UP, message=f"It crashed in all of {MAX_RUNS} runs.")
                client.set_flow_run_state(run.id, state, force=True)
                given_up.append(run.name)
    if given_up:
        get_run_logger().warning("Crashed in all of %d runs, and not run again: %s", MAX_RUNS, ", ".join(given_up))
    return again, given_up


_ACTIVE = TaskRunFilter(
    state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING]))
)


def _with_tag(tag: str, *kinds: StateType) -> FlowRunFilter:
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=list(kinds))) if kinds else None
    return FlowRunFilter(tags=FlowRunFilterTags(all_=[tag]), state=state)


def _is_gone(client: SyncPrefectClient, run: FlowRun, now: datetime) -> bool:
    """Tell whether a run is dead; one that was started by hand, and never gave a sign of life, is left alone."""
    if not run.state or not run.deployment_id or _has_process_here(run):
        return False
    if run.state.type is StateType.PENDING:
        return run.state.timestamp < now - STARTING
    return run.state.timestamp < now - SILENCE and not _was_heard(client, run.id, now - SILENCE)


def _may_run_again(run: FlowRun, now: datetime) -> bool:
    if not run.deployment_id or not run.state or run.state.name == GIVEN_UP:
        return False
    settles = timedelta(0) if run.state.message == GONE else SETTLING  # no worker is left to report it once more
    return now - RECENT < run.state.timestamp <= now - settles


def _was_heard(client: SyncPrefectClient, run_id: UUID, since: datetime) -> bool:
    asked = {
        "event": {"name": ["prefect.flow-run.heartbeat"]},
        "resource": {"id": [f"prefect.flow-run.{run_id}"]},
        "occurred": {"since": since.isoformat()},
    }
    answer = client.request("POST", "/events/filter", json={"filter": asked, "limit": 1})
    return bool(answer.raise_for_status().json()["events"])


def _has_process_here(run: FlowRun) -> bool:
    """Tell whether the process of a run is on this machine; another one may have got its number since."""
    if not run.infrastructure_pid or not run.infrastructure_pid.isdecimal():
        return False
    try:
        return psutil.Process(int(run.infrastructure_pid)).environ().get("PREFECT__FLOW_RUN_ID") == str(run.id)
    except psutil.Error:
        return False


def _choose_orphans(client: SyncPrefectClient, tasks: Sequence[TaskRun], now: datetime) -> list[TaskRun]:
    ids = list({each.flow_run_id for each in tasks if each.flow_run_id})
    runs = {run.id: run for run in client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=ids)))}
    known = [(each, runs[each.flow_run_id]) for each in tasks if each.flow_run_id and each.flow_run_id in runs]
    return [
        each
        for each, run in known
        if _is_long_over(run, now) or 0 < each.flow_run_run_count < run.run_count  # 0: it stands for another flow run
    ]


def _is_long_over(run: FlowRun, now: datetime) -> bool:
    return bool(_is_over(run) and run.state and run.state.timestamp < now - LAG)


def _is_over(run: FlowRun) -> bool:
    return bool(run.state and run.state.is_final())


def _read_children(client: SyncPrefectClient, tasks: Sequence[TaskRun]) -> list[FlowRun]:
    if not tasks:
        return []
    parents = FlowRunFilterParentTaskRunId(any_=[each.id for each in tasks])
    return client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_task_run_id=parents))


def _count_tries(client: SyncPrefectClient, run: FlowRun) -> int:
    """Return how often a run has run, or has crashed before it could."""
    states: list[State] = client.read_flow_run_states(run.id)
    return max(run.run_count, sum(state.type is StateType.CRASHED for state in states))
