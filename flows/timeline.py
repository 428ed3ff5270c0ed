"""Many scenes at once, each in a flow run of its own."""

from typing import Any

from prefect import flow

from tasks.requests import parse_as
from tasks.timeline import TimelineRequest, render_scenes, sum_up


@flow(name="render-timeline", validate_parameters=False)
def render_timeline(request: TimelineRequest) -> Any:  # noqa: ANN401 - a final state
    """Have every scene rendered by the deployment `render-scene`; one that fails does not stop the others.

    The run fails at the end if a scene did, and says which and why.

    Raises:
        InvalidRequestError: The request cannot be understood.
    """
    request = parse_as(TimelineRequest, request)
    failed = render_scenes(request.scenes, request.queue, request.max_at_once)
    return sum_up(len(request.scenes), failed)
