"""Many scenes at once: what may be asked for, and a flow run of its own for every scene."""

import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.recovery import GIVEN_UP
from tasks.requests import SceneRequest

RENDER_SCENE = "render-scene/render-scene"
BETWEEN_LOOKS_S = 2.0
LONGEST_CRASH = timedelta(minutes=10)
"""A run that crashed so long ago, and neither runs again nor is given up, will not."""

Queue = Literal["urgent", "normal", "nightly"]


class TimelineRequest(BaseModel):
    """The scenes of a timeline, each with the coverage that is wanted of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    scenes: Annotated[tuple[SceneRequest, ...], Field(min_length=1, max_length=1000)]
    """One request a scene; a scene is named once."""
    max_at_once: Annotated[int, Field(strict=True, ge=1, le=100)] = 4
    """Runs that are started or waiting at the same time; how many really run is the limit of the work pool."""
    queue: Queue = "normal"
    """Which queue of the work pool they wait in."""

    @model_validator(mode="after")
    def _scenes_are_named_once(self) -> Self:
        names = [scene.scene for scene in self.scenes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"scenes asks for {', '.join(twice)} more than once, name every scene once"
            raise ValueError(msg)
        return self


def render_scenes(requests: Sequence[SceneRequest], queue: Queue, max_at_once: int) -> dict[str, str]:
    """Have every scene rendered by a flow run of its own, and return why scenes failed, by their names.

    A run that goes on after a crash finds the runs that it has started before.
    """
    waiting, under_way, failed = deque(requests), dict[str, UUID](), dict[str, str]()
    while waiting or under_way:
        while waiting and len(under_way) < max_at_once:
            request = waiting.popleft()
            under_way[request.scene] = _start(request, queue)
        time.sleep(BETWEEN_LOOKS_S)
        runs = _read(under_way.values())
        for scene, run_id in list(under_way.items()):
            if _is_over(run := runs.get(run_id)):
                del under_way[scene]
                if reason := _why_failed(run):
                    failed[scene] = reason
                    get_run_logger().error("Scene %s: %s", scene, reason)
    return failed


def sum_up(num_scenes: int, failed: dict[str, str]) -> Any:  # noqa: ANN401 - a state of Prefect, of any result
    """Return the final state of a flow run: failed, with the scenes that did, or completed."""
    if failed:
        reasons = "; ".join(f"{scene}: {reason}" for scene, reason in sorted(failed.items()))
        return Failed(message=f"{len(failed)} of {num_scenes} scenes failed ({reasons}): the others are published.")
    return Completed(message=f"All of {num_scenes} scenes are rendered.")


def _start(request: SceneRequest, queue: Queue) -> UUID:
    run: FlowRun = run_deployment(  # pyright: ignore[reportAssignmentType, reportUnknownVariableType] - or awaitable
        RENDER_SCENE,
        parameters={"request": request.model_dump(mode="json")},
        timeout=0,
        flow_run_name=f"coverage-of-{request.scene}",
        work_queue_name=queue,
        idempotency_key=f"{flow_run.id}-{request.scene}",
    )
    return run.id


def _read(ids: Any) -> dict[UUID, FlowRun]:  # noqa: ANN401
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=list(ids))))
    return {run.id: run for run in runs}


def _is_over(run: FlowRun | None) -> bool:
    """Tell whether nothing more happens to a run: it may have been deleted, or have crashed and be run again soon."""
    if run is None or not run.state:
        return run is None
    may_run_again = run.state.is_crashed() and run.state.name != GIVEN_UP
    return run.state.is_final() and not (may_run_again and run.state.timestamp > datetime.now(UTC) - LONGEST_CRASH)


def _why_failed(run: FlowRun | None) -> str:
    if run is None or not run.state:
        return "its run was deleted"
    return "" if run.state.is_completed() else run.state.message or str(run.state.name)
