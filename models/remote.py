"""A renderer that lives elsewhere: the seam of `models.renderer`, over HTTP.

Whoever waits is told that the renderer is alive, and may leave at any moment, which ends the job there: so every wait
is one of asyncio's, on a loop of the generator's own.
"""

import asyncio
import random
import ssl
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from functools import cache
from threading import Lock

import httpx
import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from models.errors import ModelError, RendererBusyError, RendererUnavailableError, WrongRendererError
from models.profiles import Profile
from models.renderer import AngleJob, Event, Queued
from models.wire import EventReader, Pixels, RenderJob, identify_model, write_job

CONNECT_S = 5.0
SILENCE_S = 15.0
"""A renderer at work says something every second."""
LOOK_S = 5.0
"""While a job waits in the queue, it is looked so often whether the renderer is alive."""
QUEUE_S = 1800.0
"""Longest wait for a place in a queue that is full."""
NUM_MASTERS_KEPT = 4
OK, UNAUTHORIZED, CONFLICT, UNAVAILABLE = 200, 401, 409, 503


class HeldModel(BaseModel):
    """The model that a resident renderer holds."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # a status says more

    profile: Profile
    weights_sha256: str


class RemoteRenderer:
    """Asks a resident renderer; it may be called from many threads."""

    def __init__(self, address: str, profile: Profile, weights_sha256: str, token: str = "") -> None:
        """Ask at `address`, such as `http://127.0.0.1:8200`, for pictures of one model."""
        self._address, self._token = address, token
        self._model_sha256 = identify_model(profile, weights_sha256)
        self._lock = Lock()
        self._masters: OrderedDict[str, tuple[Pixels, tuple[str, ...]]] = OrderedDict()

    def show(self, key: str, read_master: Callable[[], Image.Image], prompts: Sequence[str] = ()) -> None:
        """Have the master at hand, and the prompts that will be asked for; the renderer encodes it at the first angle.

        Raises:
            RendererUnavailableError: Nobody answers there.
            WrongRendererError: Another model is held there.
        """
        self._master(key, read_master, tuple(prompts))
        held = find_held_model(self._address, self._token)
        if identify_model(held.profile, held.weights_sha256) != self._model_sha256:
            raise _wrong_renderer(self._address)

    def render(self, key: str, read_master: Callable[[], Image.Image], job: AngleJob) -> Generator[Event]:
        """Yield one `StepDone` per diffusion step, then the picture, and `Queued` while others are ahead.

        Whoever closes the generator ends the job there.

        Raises:
            ModelError: The one that ended the job there.
            RendererUnavailableError: The connection, or the renderer, broke.
            RendererBusyError: Its queue stayed full.
            WrongRendererError: Another model is held there.
        """
        master, prompts = self._master(key, read_master, ())
        height, width, _ = master.shape
        content = RenderJob(
            model_sha256=self._model_sha256,
            prompt=job.prompt,
            seed=job.seed,
            prompts=prompts,
            height_px=height,
            width_px=width,
        )
        yield from _drive(self._come_back(write_job(content, master)))

    async def _come_back(self, body: bytes) -> AsyncGenerator[Event]:
        """Ask for a picture, again and again while the queue is full."""
        asked = time.monotonic()
        while True:
            try:
                async with aclosing(self._ask(body, asked)) as events:
                    async for event in events:
                        yield event
            except RendererBusyError:
                if time.monotonic() - asked > QUEUE_S:
                    raise
            else:
                return
            yield Queued()
            await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - so that those who wait do not all come back at once

    async def _ask(self, body: bytes, asked: float) -> AsyncGenerator[Event]:
        """Send a job, wait in the queue, and listen; whoever leaves hangs up."""
        async with _open_client(self._token) as client:
            request = client.build_request("POST", f"{self._address}/render", content=body)
            sending = asyncio.ensure_future(client.send(request, stream=True))
            try:
                while not (await asyncio.wait([sending], timeout=LOOK_S))[0]:
                    with _translated(self._address):
                        status = await client.get(f"{self._address}/status")
                    if status.status_code == OK:  # while a replica starts nothing moves, and nothing is said
                        yield Queued()
                with _translated(self._address):
                    response = sending.result()
            finally:
                sending.cancel()
            if response.status_code != OK:
                raise _refusal(self._address, response)
            queued_s, reader, chunks = time.monotonic() - asked, EventReader(), response.aiter_raw()
            while (chunk := await self._read(chunks)) is not None:
                for event in reader.feed(chunk):
                    yield event
            rendered = reader.finish()
            times = rendered.stage_times_s
            yield replace(rendered, stage_times_s=times | {"queue": times.get("queue", 0.0) + queued_s})

    async def _read(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        with _translated(self._address):
            return await asyncio.wait_for(anext(chunks, None), SILENCE_S)

    def _master(
        self, key: str, read_master: Callable[[], Image.Image], prompts: tuple[str, ...]
    ) -> tuple[Pixels, tuple[str, ...]]:
        """Return the pixels (H, W, 3) of a master and the prompts that were announced for it."""
        with self._lock:
            pixels, known = self._masters.get(key) or (np.asarray(read_master().convert("RGB")), ())
            self._masters[key] = (pixels, prompts or known)
            self._masters.move_to_end(key)
            if len(self._masters) > NUM_MASTERS_KEPT:
                self._masters.popitem(last=False)
            return self._masters[key]


def find_held_model(address: str, token: str = "") -> HeldModel:
    """Ask a resident renderer what it holds.

    Raises:
        RendererUnavailableError: Nobody answers there, or not as a renderer does.
        WrongRendererError: It asks for a token.
    """
    return asyncio.run(_find_held_model(address, token))


async def _find_held_model(address: str, token: str) -> HeldModel:
    async with _open_client(token) as client:
        with _translated(address):
            response = await client.get(f"{address}/status")
    if response.status_code == UNAVAILABLE:
        msg = f"No replica of the renderer at {address} is up: look at its log, or wait until it has started."
        raise RendererUnavailableError(msg)
    if response.status_code != OK:
        raise _refusal(address, response)
    try:
        return HeldModel.model_validate_json(response.content)
    except ValidationError as exc:
        msg = f"What answers at {address} is no renderer of this version: correct MASTERSHOT_RENDERER, or update it."
        raise RendererUnavailableError(msg) from exc


def _drive(events: AsyncGenerator[Event]) -> Generator[Event]:
    """Yield what an asynchronous generator yields, and close it when this one is closed."""

    async def step() -> Event | None:
        return await anext(events, None)

    with asyncio.Runner() as runner:
        try:
            while (event := runner.run(step())) is not None:
                yield event
        finally:
            runner.run(events.aclose())


def _open_client(token: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S, read=None)
    return httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=False, verify=_trust())


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()  # takes 20 ms


@contextmanager
def _translated(address: str) -> Generator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
        msg = f"The renderer at {address} does not answer ({type(exc).__name__}): look whether it runs."
        raise RendererUnavailableError(msg) from exc


def _refusal(address: str, response: httpx.Response) -> ModelError:
    if response.status_code == CONFLICT:
        return _wrong_renderer(address)
    if response.status_code == UNAVAILABLE:
        return RendererBusyError(f"The queue of the renderer at {address} is full: run again later, or add a GPU.")
    if response.status_code == UNAUTHORIZED:
        return WrongRendererError(f"The renderer at {address} asks for its token: set MASTERSHOT_RENDERER_TOKEN.")
    return RendererUnavailableError(f"The renderer at {address} answers with status {response.status_code}.")


def _wrong_renderer(address: str) -> WrongRendererError:
    return WrongRendererError(f"The renderer at {address} holds another model than was planned for: run again.")
