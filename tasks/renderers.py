"""The loaded pipeline of this process: the one state that a worker may have."""

import logging
import threading
from functools import lru_cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from models.profiles import Profile
from models.renderer import Machine, Renderer
from models.specs import AngleSpec

_loading = threading.Lock()


class RendererSpec(BaseModel):
    """Which model, from which files, on what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: Profile
    weights: Path
    weights_sha256: str
    """Other bytes in the same folder are another renderer."""
    machine: Machine

    @classmethod
    def of(cls, spec: AngleSpec, weights: Path, machine: Machine) -> Self:
        """Return the renderer that `spec` asks for."""
        return cls(profile=spec.profile, weights=weights, weights_sha256=spec.weights_sha256, machine=machine)


def renderer_for(spec: RendererSpec) -> Renderer:
    """Return the warm renderer of this process, loading it at first use; raises what loading raises."""
    with _loading:
        return _load(spec)  # pyright: ignore[reportArgumentType] - pydantic makes frozen models hashable


@lru_cache(maxsize=1)
def _load(spec: RendererSpec) -> Renderer:
    from models.in_process import InProcessRenderer  # noqa: PLC0415 - torch is slow to import, and not always needed

    logging.getLogger("models").setLevel(logging.INFO)  # what a model takes and how it computes is news, once a process
    return InProcessRenderer.load(spec.profile, spec.weights, spec.machine)
