# pyright: standard
"""The applications of a resident renderer, as `deployments/renderer.yaml` names them.

```
/render   Resident: a replica per GPU, a queue in front of them and a ledger behind
/status   Status: the model that is held, and what every replica does
```
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from ray import serve
from ray.exceptions import RayError
from ray.serve import Application
from ray.serve.config import HTTPOptions
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from deployments.resident import TOKEN_VARIABLE, Resident, is_allowed, open_ledger
from deployments.resident_model import Load, ResidentModel
from models.in_process import InProcessRenderer

RENDERER, STATUS = "renderer", "status"
"""Names of the applications."""


class DeployError(Exception):
    """The replicas cannot be started."""


@contextmanager
def deployed(
    model: ResidentModel, host: str, port: int, num_replicas: int, load: Load = InProcessRenderer.load
) -> Generator[str]:
    """Deploy on the Ray that this process is connected to, yield the address, and take everything down again.

    Raises:
        DeployError: The model cannot be loaded.
    """
    try:
        serve.start(http_options=HTTPOptions(host=host, port=port))
        serve.run(build(model, num_replicas, load), name=RENDERER, route_prefix="/render")
        serve.run(build_status({}), name=STATUS, route_prefix="/status")
    except RuntimeError as exc:
        serve.shutdown()
        raise DeployError(str(exc)) from exc
    try:
        yield f"http://{host}:{port}"
    finally:
        serve.shutdown()  # replicas finish what they have begun


def build(model: ResidentModel, num_replicas: int = 1, load: Load = InProcessRenderer.load) -> Application:
    """Return the application that renders; a configuration of Serve overrides the options that are set here.

    `load` makes the renderer of a replica from profile, weights and machine.
    """
    on_gpu = model.machine.device == "cuda"
    resident = serve.deployment(
        name="Resident",
        num_replicas=num_replicas,
        max_ongoing_requests=model.machine.num_lanes,
        max_queued_requests=model.max_queued,
        ray_actor_options={"num_gpus": 1} if on_gpu else {"num_cpus": 1},
        graceful_shutdown_timeout_s=model.drain_s,
        graceful_shutdown_wait_loop_s=0.5,
        health_check_period_s=5,
        health_check_timeout_s=30,
    )
    return resident(Resident).bind(model, load)


@serve.deployment(ray_actor_options={"num_cpus": 0}, max_ongoing_requests=100)
class Status:
    """Says what the replicas hold and do."""

    def __init__(self) -> None:
        """Remember who may ask."""
        self._token = os.environ.get(TOKEN_VARIABLE, "")
        self._ledger = open_ledger()

    async def __call__(self, request: Request) -> Response:
        """Answer with the model, and a row per replica; with status 503 while none is there."""
        if not is_allowed(request, self._token):
            return PlainTextResponse("give the token of this renderer\n", 401)
        try:
            num_finished, replicas = await self._ledger.read_reports.remote()
        except RayError as exc:
            return PlainTextResponse(f"the ledger does not answer: {exc}\n", 503)
        if not replicas:
            return PlainTextResponse("no replica is up\n", 503)
        return JSONResponse(summarize(replicas) | {"num_finished": num_finished})


def summarize(replicas: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the model that all replicas hold, and of every replica what is its own."""
    shared = ("profile", "weights_sha256", "model_sha256")
    rows = [{name: value for name, value in replica.items() if name not in shared} for replica in replicas]
    return {name: replicas[0][name] for name in shared} | {"replicas": rows}


def build_status(_nothing: dict[str, Any]) -> Application:
    """Return the application that says how the renderer is."""
    return Status.bind()
