"""What a resident renderer and those who ask it say to each other over HTTP: lines of JSON, and raw pixels.

```
POST /render    a RenderJob, and behind its line the pixels of the master (H, W, 3)
200             a line per event: started, step, alive; the last is failed, or picture with its pixels behind it
401, 400, 409   no right to ask; not to be understood; another model is held here
503             the queue is full: ask again later
```
"""

import hashlib
import json
from collections.abc import Generator, Iterable
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

import models.errors
from models.errors import ModelError, RenderError, RendererUnavailableError
from models.profiles import JUDGES, Profile
from models.renderer import AngleJob, Event, Queued, Rendered, StepDone
from models.specs import RECIPE_VERSION

MAX_SIDE_PX = 8192
MAX_LINE_BYTES = 1 << 20

_Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Pixels = NDArray[np.uint8]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RenderJob(_Line):
    """One angle of a master whose pixels (H, W, 3) follow."""

    model_sha256: _Sha256
    prompt: str
    seed: int
    prompts: tuple[str, ...] = ()
    """Those that will be asked for of this master."""
    height_px: _Side
    width_px: _Side

    @property
    def angle(self) -> AngleJob:
        """What a renderer must know of it."""
        return AngleJob(prompt=self.prompt, seed=self.seed)

    def digest(self, master_sha256: str) -> str:
        """Return the key of the picture: everything that changes it."""
        content = [self.model_sha256, self.prompt, self.seed, self.height_px, self.width_px, master_sha256]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


class Started(_Line):
    """The job has left the queue."""

    event: Literal["started"] = "started"
    replica: str


class Step(_Line):
    """A diffusion step is over."""

    event: Literal["step"] = "step"
    step: int
    num_steps: int


class Alive(_Line):
    """Nothing is new, and somebody is there."""

    event: Literal["alive"] = "alive"


class Failed(_Line):
    """There will be no picture."""

    event: Literal["failed"] = "failed"
    error: str
    """Name of a class of `models.errors`."""
    message: str


class Picture(_Line):
    """The picture is finished; its pixels (H, W, 3) follow."""

    event: Literal["picture"] = "picture"
    height_px: _Side
    width_px: _Side
    sha256: _Sha256
    """Of the pixels."""
    stage_times_s: dict[str, float]


_EVENT: TypeAdapter[Started | Step | Alive | Failed | Picture] = TypeAdapter(
    Annotated[Started | Step | Alive | Failed | Picture, Field(discriminator="event")]
)


def identify_model(profile: Profile, weights_sha256: str) -> str:
    """Return the SHA-256 over all of a model that changes a pixel."""
    settings = profile.model_dump(mode="json", exclude=set(JUDGES))
    content = settings | {"weights_sha256": weights_sha256, "recipe_version": RECIPE_VERSION}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_job(job: RenderJob, master: Pixels) -> bytes:
    """Return the body of a request."""
    return to_line(job) + master.tobytes()


def read_job(body: bytes) -> tuple[RenderJob, Pixels]:
    """Return a job and the pixels (H, W, 3) of its master.

    Raises:
        ValueError: The body is another thing.
    """
    line, _, pixels = body.partition(b"\n")
    if len(line) > MAX_LINE_BYTES:
        msg = "the job is too long"
        raise ValueError(msg)
    job = RenderJob.model_validate_json(line)
    if len(pixels) != job.height_px * job.width_px * 3:
        msg = f"{len(pixels)} bytes of pixels follow, not those of {job.height_px} x {job.width_px}"
        raise ValueError(msg)
    return job, np.frombuffer(pixels, np.uint8).reshape(job.height_px, job.width_px, 3)


def to_line(line: BaseModel) -> bytes:
    """Return a line of JSON."""
    return line.model_dump_json().encode() + b"\n"


def write_picture(rendered: Rendered) -> bytes:
    """Return the last event of a job that went well."""
    pixels = rendered.picture.tobytes()
    height, width, _ = rendered.picture.shape
    sha256 = hashlib.sha256(pixels).hexdigest()
    line = Picture(height_px=height, width_px=width, sha256=sha256, stage_times_s=rendered.stage_times_s)
    return to_line(line) + pixels


def read_events(chunks: Iterable[bytes]) -> Generator[Event]:
    """Yield the events of an answer as a renderer in this process would.

    Raises:
        ModelError: The one that ended the job.
        RendererUnavailableError: The answer ends before a picture, or is none.
    """
    rest, source = b"", iter(chunks)
    for chunk in source:
        rest += chunk
        while b"\n" in rest:
            line, _, rest = rest.partition(b"\n")
            event = _read_event(line)
            if isinstance(event, Picture):
                yield _read_picture(event, rest, source)
                return
            if isinstance(event, Failed):
                raise _error_of(event)
            if isinstance(event, Started):
                yield Queued()
            if isinstance(event, Step):
                yield StepDone(step=event.step, num_steps=event.num_steps)
    msg = "The renderer stopped in the middle of an angle: it is asked again."
    raise RendererUnavailableError(msg)


def _read_event(line: bytes) -> Started | Step | Alive | Failed | Picture:
    try:
        return _EVENT.validate_json(line)
    except ValidationError as exc:
        msg = f"The renderer says {line[:80]!r}, which is no event: look whether it is of this version."
        raise RendererUnavailableError(msg) from exc


def _read_picture(line: Picture, rest: bytes, source: Iterable[bytes]) -> Rendered:
    pixels = b"".join([rest, *source])
    if len(pixels) != line.height_px * line.width_px * 3 or hashlib.sha256(pixels).hexdigest() != line.sha256:
        msg = "The picture was damaged on its way from the renderer: it is asked for again."
        raise RendererUnavailableError(msg)
    picture = np.frombuffer(pixels, np.uint8).reshape(line.height_px, line.width_px, 3)
    return Rendered(picture=picture, stage_times_s=line.stage_times_s)


def _error_of(line: Failed) -> ModelError:
    kind = getattr(models.errors, line.error, None)
    if isinstance(kind, type) and issubclass(kind, ModelError):
        return kind(line.message)
    return RenderError(line.message)
