"""Where runs wait and run: one pool for rendering, its queues by urgency, and one for what only waits and tidies up."""

from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

RENDERS, CONTROL = "mastershot", "mastershot-control"
"""A timeline waits for its scenes: in their pool it would hold a place that they need."""
QUEUES = {"urgent": 1, "normal": 2, "nightly": 3}
"""The smaller the number, the sooner a run of that queue is taken."""
NUM_RUNS_AT_ONCE = 1
"""Renders of a pool that is made here. The pool's limit, not a worker's, lets the server choose by priority."""


async def register_pools(client: PrefectClient) -> None:
    """Make pools and queues that are not there; what an operator has changed in those that are is left alone."""
    await _make_pool(client, RENDERS, NUM_RUNS_AT_ONCE, "Renders: the GPU is the limit.")
    await _make_pool(client, CONTROL, None, "Timelines, nights, housekeeping and recovery: they hardly compute.")
    there = {queue.name for queue in await client.read_work_queues(work_pool_name=RENDERS)}
    for name, priority in QUEUES.items():
        if name not in there:
            await client.create_work_queue(name=name, priority=priority, work_pool_name=RENDERS)


async def _make_pool(client: PrefectClient, name: str, limit: int | None, description: str) -> None:
    template: dict[str, Any] = ProcessWorker.get_default_base_job_template()
    try:
        await client.read_work_pool(name)
    except ObjectNotFound:
        pool = WorkPoolCreate(
            name=name, type="process", description=description, base_job_template=template, concurrency_limit=limit
        )
        await client.create_work_pool(pool)
