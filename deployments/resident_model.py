"""What a resident renderer is told when it is deployed; written in `deployments/renderer.yaml` under `args`."""

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from models.profiles import Arithmetic
from models.renderer import Machine, Renderer

Load = Callable[..., Renderer]
"""Makes the renderer of a replica from profile, weights and machine."""


class ResidentModel(BaseModel):
    """What every replica holds, and how it is watched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    weights: Path
    machine: Machine
    arithmetic: Arithmetic = Arithmetic()
    step_limit_s: float = 300.0
    """A replica whose step takes longer is taken for hung and started anew; the first one may compile."""
    max_queued: int = 1000
    """Angles that wait in front of all replicas; more are refused."""
    drain_s: float = 120.0
    """How long a replica that is told to end may finish what it has begun."""
