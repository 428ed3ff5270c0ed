"""Where the model lives: the seam between who wants a picture and what computes it.

A renderer holds the encoded references of a few scenes, and streams one event per diffusion step, so that whoever
waits can show progress, notice a hang, or stop between two steps.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict

MemoryPlan = Literal["resident", "encoder_freed", "offload"]
"""All parts on the device; the text encoder and the transformer by turns; blocks fetched from the host one by one."""


class Machine(BaseModel):
    """What a model runs on, and how it makes use of that; changes pixels by rounding at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    num_lanes: int = 1
    """Angles that are rendered at the same time."""
    plan: MemoryPlan = "resident"
    is_compiled: bool = False
    """The blocks of the transformer, for every size of picture anew."""


@dataclass(frozen=True, kw_only=True)
class AngleJob:
    """What a renderer must know of one angle."""

    prompt: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Queued:
    """The angle waits for its turn, and whoever is ahead of it has moved on since the last event, or nobody is left."""

    patience_s: float = 0.0
    """So long a queue that cannot be looked into may say nothing more; 0 is as long as a step may take."""


@dataclass(frozen=True, kw_only=True)
class StepDone:
    """One diffusion step is over."""

    step: int
    num_steps: int


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """The picture (H, W, 3) at the size of the model's raster, and the seconds each stage took."""

    picture: NDArray[np.uint8]
    stage_times_s: dict[str, float] = field(default_factory=dict[str, float])


Event = Queued | StepDone | Rendered
"""What becomes of an angle; where no event comes for long, something hangs."""


class Renderer(Protocol):
    """Renders angles of a master that it was shown."""

    def show(self, key: str, read_master: Callable[[], Image.Image], prompts: Sequence[str] = ()) -> None:
        """Encode the master `key`, fitted to the raster, unless it is held already; `read_master` is called then.

        `prompts` are those that will be asked for: a renderer may encode them while it has the text encoder at hand.
        """
        ...

    def render(self, key: str, read_master: Callable[[], Image.Image], job: AngleJob) -> Generator[Event]:
        """Yield one `StepDone` per diffusion step of an angle of the master `key`, then its picture.

        While others are ahead of it, `Queued` is yielded now and then, as long as they move on: silence is a hang.
        Whoever stops before the end closes the generator, so that the next angle can begin.
        """
        ...
