"""A renderer that lives elsewhere: the seam of `models.renderer`, over HTTP."""

import random
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock

import httpx
import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from models.errors import ModelError, RendererBusyError, RendererUnavailableError, WrongRendererError
from models.profiles import Profile
from models.renderer import AngleJob, Event, Queued, Rendered
from models.wire import Pixels, RenderJob, identify_model, read_events, write_job

CONNECT_S = 5.0
SILENCE_S = 15.0
"""A renderer at work says something every second."""
QUEUE_S = 1800.0
"""Longest wait in the queue of a renderer, and for a place in it."""
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
        """Ask at `address`, such as `http://127.0.0.1:8000`, for pictures of one model."""
        self._address = address
        self._model_sha256 = identify_model(profile, weights_sha256)
        self._client = _open_client(token)
        weakref.finalize(self, self._client.close)
        self._lock = Lock()
        self._masters: OrderedDict[str, tuple[Pixels, tuple[str, ...]]] = OrderedDict()

    def show(self, key: str, read_master: Callable[[], Image.Image], prompts: Sequence[str] = ()) -> None:
        """Have the master at hand, and the prompts that will be asked for; the renderer encodes it at the first angle.

        Raises:
            RendererUnavailableError: Nobody answers there.
            WrongRendererError: Another model is held there.
        """
        self._master(key, read_master, tuple(prompts))
        held = _read_status(self._client, self._address)
        if identify_model(held.profile, held.weights_sha256) != self._model_sha256:
            raise _wrong_renderer(self._address)

    def render(self, key: str, read_master: Callable[[], Image.Image], job: AngleJob) -> Generator[Event]:
        """Yield one `StepDone` per diffusion step, then the picture; whoever closes the generator ends the job there.

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
        asked, deadline = time.perf_counter(), time.monotonic() + QUEUE_S
        while True:
            yield Queued(patience_s=QUEUE_S)
            with self._ask(write_job(content, master)) as response:
                if response.status_code == OK:
                    queued_s = time.perf_counter() - asked
                    yield from (_with_queue(event, queued_s) for event in read_events(response.iter_raw()))
                    return
                error = _refusal(self._address, response)
            if not isinstance(error, RendererBusyError) or time.monotonic() > deadline:
                raise error
            time.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - so that those who wait do not all come back at once

    @contextmanager
    def _ask(self, body: bytes) -> Generator[httpx.Response]:
        """Send a job, wait in the queue, and listen; whoever leaves hangs up, which ends the job."""
        with (
            _translated(self._address),
            self._client.stream("POST", f"{self._address}/render", content=body) as response,
        ):
            response.request.extensions["timeout"]["read"] = SILENCE_S  # the queue is over, and the body not yet read
            yield response

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
    """
    with _open_client(token) as client:
        return _read_status(client, address)


def _open_client(token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = httpx.Timeout(QUEUE_S, connect=CONNECT_S)
    return httpx.Client(headers=headers, timeout=timeout, limits=httpx.Limits(max_connections=None), trust_env=False)


def _read_status(client: httpx.Client, address: str) -> HeldModel:
    with _translated(address):
        response = client.get(f"{address}/status", timeout=SILENCE_S)
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


@contextmanager
def _translated(address: str) -> Generator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
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


def _with_queue(event: Event, queued_s: float) -> Event:
    """Count the wait in front of the renderer as the wait in it."""
    if not isinstance(event, Rendered):
        return event
    times = event.stage_times_s
    return replace(event, stage_times_s=times | {"queue": times.get("queue", 0.0) + queued_s})
