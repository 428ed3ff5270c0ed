"""Where a model lives, and how it is reached: in this process, of which it is the one state, or at an address.

The token of a resident renderer is read from MASTERSHOT_RENDERER_TOKEN where it is needed, so that no parameter has it.
"""

import logging
import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from models.errors import WrongRendererError
from models.profiles import Arithmetic, Profile, find_profile
from models.remote import RemoteRenderer, find_held_model
from models.renderer import Machine, Renderer
from models.specs import AngleSpec
from models.weights import as_found, digest_weights

_loading = threading.Lock()
TOKEN_VARIABLE = "MASTERSHOT_RENDERER_TOKEN"  # noqa: S105 - a name


class Place(BaseModel):
    """Where models live in this installation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: Path
    machine: Machine
    arithmetic: Arithmetic = Arithmetic()
    address: str = ""
    """Of a resident renderer, whose weights, machine and arithmetic count then; empty = in this process."""


class RendererSpec(BaseModel):
    """Which model, from which files, on what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: Profile
    weights: Path
    weights_sha256: str
    """Other bytes in the same folder are another renderer."""
    machine: Machine
    address: str = ""

    @classmethod
    def of(cls, spec: AngleSpec, place: Place) -> Self:
        """Return the renderer that `spec` asks for."""
        return cls(
            profile=spec.profile,
            weights=place.weights,
            weights_sha256=spec.weights_sha256,
            machine=place.machine,
            address=place.address,
        )


def find_model(name: str, place: Place) -> tuple[Profile, str]:
    """Return the profile of this name as it is found in a place, and the SHA-256 of its weights.

    Raises:
        ProfileError: There is none, or its files are missing or not safe to open.
        WrongRendererError: The resident renderer holds another one.
        RendererUnavailableError: It does not answer.
    """
    if place.address:
        held = find_held_model(place.address, os.environ.get(TOKEN_VARIABLE, ""))
        if held.profile.name != name:
            msg = f"The renderer at {place.address} holds {held.profile.name}, not {name}: ask for that one."
            raise WrongRendererError(msg)
        return held.profile, held.weights_sha256
    profile = as_found(find_profile(name), place.weights).model_copy(update={"arithmetic": place.arithmetic})
    return profile, digest_weights(profile, place.weights)


def renderer_for(spec: RendererSpec) -> Renderer:
    """Return the renderer at the address, or the warm one of this process, loaded at first use.

    Raises:
        ProfileError: What loading raises.
    """
    with _loading:
        return _load(spec)  # pyright: ignore[reportArgumentType] - pydantic makes frozen models hashable


@lru_cache(maxsize=1)
def _load(spec: RendererSpec) -> Renderer:
    if spec.address:
        token = os.environ.get(TOKEN_VARIABLE, "")
        return RemoteRenderer(spec.address, spec.profile, spec.weights_sha256, token)
    from models.in_process import InProcessRenderer  # noqa: PLC0415 - torch is slow to import, and not always needed

    logging.getLogger("models").setLevel(logging.INFO)  # what a model takes and how it computes is news, once a process
    return InProcessRenderer.load(spec.profile, spec.weights, spec.machine)
