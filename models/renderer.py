"""Where the model lives: the seam between who wants a picture and what computes it.

A renderer holds the encoded references of a few scenes, and streams one event per diffusion step, so that whoever
waits can show progress, notice a hang, or stop between two steps.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True, kw_only=True)
class AngleJob:
    """What a renderer must know of one angle."""

    prompt: str
    seed: int


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


class Renderer(Protocol):
    """Renders angles of a master that it was shown."""

    def show(self, key: str, read_master: Callable[[], Image.Image]) -> None:
        """Encode the master `key`, fitted to the raster, unless it is held already; `read_master` is called then."""
        ...

    def render(self, key: str, read_master: Callable[[], Image.Image], job: AngleJob) -> Generator[StepDone | Rendered]:
        """Yield one `StepDone` per diffusion step of an angle of the master `key`, then its picture.

        Whoever stops before the end closes the generator, so that the next angle can begin.
        """
        ...
