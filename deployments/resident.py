# pyright: standard
"""A replica of the resident renderer: one warm model on Ray Serve, a line per diffusion step to whoever asks.

A job that is under way or finished anywhere is not computed again; one whose asker hangs up ends after the step.
"""

import asyncio
import hashlib
import hmac
import logging
import os
import time
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import ray
from PIL import Image
from ray import serve
from ray.exceptions import RayError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from deployments.ledger import Claim, Ledger
from deployments.resident_model import Load, ResidentModel
from models.errors import ModelError
from models.memory import find_memory
from models.profiles import find_profile
from models.renderer import Event, Rendered, StepDone
from models.weights import as_found, digest_weights
from models.wire import (
    Alive,
    Failed,
    Pixels,
    RenderJob,
    Started,
    Step,
    identify_model,
    read_job,
    to_line,
    write_picture,
)

ALIVE_S = 1.0
"""A renderer at work says something at least so often."""
POLL_S = 0.25
REPORT_EVERY_S = 1.0
TOKEN_VARIABLE = "MASTERSHOT_RENDERER_TOKEN"  # noqa: S105 - a name


class HungStepError(Exception):
    """A diffusion step does not end."""


class Resident:
    """One replica: one warm model."""

    def __init__(self, model: ResidentModel, load: Load) -> None:
        """Load the model; Ray tries again elsewhere if that fails, and calls this in a running loop."""
        logging.getLogger("models").setLevel(logging.INFO)
        self._model = model
        profile = as_found(find_profile(model.profile), model.weights)
        self._profile = profile.model_copy(update={"arithmetic": model.arithmetic})
        self._weights_sha256 = digest_weights(self._profile, model.weights)
        self._model_sha256 = identify_model(self._profile, self._weights_sha256)
        self._renderer = load(self._profile, model.weights, model.machine)
        self._token = os.environ.get(TOKEN_VARIABLE, "")
        self._replica = serve.get_replica_context().replica_id.unique_id
        self._since: dict[str, float] = {}
        """When the last step of every job under way was over."""
        self._num_rendered = 0
        self._ledger = open_ledger()
        self._reporting = asyncio.get_running_loop().create_task(self._report())

    async def __call__(self, request: Request) -> Response:
        """Answer a job with a line per event."""
        if not is_allowed(request, self._token):
            return PlainTextResponse("give the token of this renderer\n", 401)
        try:
            job, master = read_job(await request.body())
        except ValueError as exc:
            return PlainTextResponse(f"no job: {exc}\n", 400)
        if job.model_sha256 != self._model_sha256:
            return PlainTextResponse(f"{self._profile.name} of {self._model_sha256} is held here\n", 409)
        return StreamingResponse(self._answer(job, master), media_type="application/x-ndjson")

    async def _report(self) -> None:
        """Tell the ledger what goes on, for as long as this replica lives."""
        while True:
            self._tell_ledger("report", self._describe())
            await asyncio.sleep(REPORT_EVERY_S)

    def _describe(self) -> dict[str, Any]:
        """Return what is held, what is going on, and what memory is free."""
        now = time.monotonic()
        return {
            "profile": self._profile.model_dump(mode="json"),
            "weights_sha256": self._weights_sha256,
            "model_sha256": self._model_sha256,
            "replica": self._replica,
            "pid": os.getpid(),
            "num_loaded": 1,
            "num_rendered": self._num_rendered,
            "free_memory_bytes": find_memory(self._model.machine.device).device_bytes,
            "running": {key: round(now - since, 3) for key, since in self._since.items()},
        }

    def check_health(self) -> None:
        """Tell Ray, which asks every few seconds, whether to start this replica anew."""
        longest = max((time.monotonic() - since for since in self._since.values()), default=0.0)
        if longest > self._model.step_limit_s:
            msg = f"A step has been running for {longest:.0f} s."
            raise HungStepError(msg)

    async def _answer(self, job: RenderJob, master: Pixels) -> AsyncGenerator[bytes]:
        """Yield the lines of a job, whoever renders it."""
        yield to_line(Started(replica=self._replica))
        master_sha256 = hashlib.sha256(master.tobytes()).hexdigest()
        key = job.digest(master_sha256)
        while (claim := await self._claim(key)) == "theirs":
            yield to_line(Alive())
            await asyncio.sleep(POLL_S)
        if isinstance(claim, bytes):
            yield claim
            return
        try:
            async for event in self._render(master_sha256, master, job, key):
                self._tell_ledger("renew", key)
                if isinstance(event, StepDone):
                    yield to_line(Step(step=event.step, num_steps=event.num_steps))
                elif isinstance(event, Rendered):
                    self._num_rendered += 1
                    data = write_picture(event)
                    self._tell_ledger("finish", key, data)
                    yield data
                else:
                    yield to_line(Alive())
        except ModelError as exc:
            yield to_line(Failed(error=type(exc).__name__, message=str(exc)))
        finally:
            self._tell_ledger("release", key)

    async def _render(
        self, master_sha256: str, master: Pixels, job: RenderJob, key: str
    ) -> AsyncGenerator[Event | None]:
        """Yield the events of an angle, and None from time to time; whoever leaves ends it after the step."""
        loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(1)  # a generator is run and closed in one thread
        events = self._run(master_sha256, master, job)
        self._since[key] = time.monotonic()
        try:
            while True:
                step = loop.run_in_executor(pool, next, events, None)
                while not (await asyncio.wait([step], timeout=ALIVE_S))[0]:
                    yield None
                if (event := step.result()) is None:
                    return
                self._since[key] = time.monotonic()
                yield event
        finally:
            pool.submit(self._end, events, key)
            pool.shutdown(wait=False)

    def _run(self, key: str, master: Pixels, job: RenderJob) -> Generator[Event]:
        read = partial(Image.fromarray, master)
        if job.prompts:
            self._renderer.show(key, read, job.prompts)
        yield from self._renderer.render(key, read, job.angle)

    def _end(self, events: Generator[Event], key: str) -> None:
        events.close()
        self._since.pop(key, None)

    async def _claim(self, key: str) -> Claim | bytes:
        """Claim a picture; without a ledger, which Ray is starting anew then, everyone renders."""
        try:
            return await self._ledger.claim.remote(key, self._replica)
        except RayError:
            return "yours"

    def _tell_ledger(self, method: str, *arguments: object) -> None:
        """Tell the ledger, and do not wait for it."""
        with suppress(RayError):
            getattr(self._ledger, method).remote(*arguments, replica=self._replica)


def open_ledger() -> Any:  # noqa: ANN401 - Ray makes its methods up
    """Return the ledger of this cluster, which whoever asks first creates; Ray starts it anew if it dies."""
    options: dict[str, Any] = {"num_cpus": 0, "lifetime": "detached", "max_restarts": -1, "max_task_retries": 3}
    return ray.remote(Ledger).options(name="ledger", namespace="mastershot", get_if_exists=True, **options).remote()


def is_allowed(request: Request, token: str) -> bool:
    """Tell whether a request carries the token, if there is one."""
    return not token or hmac.compare_digest(request.headers.get("authorization", ""), f"Bearer {token}")
