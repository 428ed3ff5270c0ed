"""The settled description of one picture: everything that changes a pixel, and nothing else that matters."""

import hashlib
import json

from pydantic import BaseModel, ConfigDict

from models.camera import Instruction, Pose
from models.framing import Framing
from models.profiles import JUDGES, Profile

RECIPE_VERSION = 1
"""Raised by every change of the code that changes a pixel."""


class AngleSpec(BaseModel):
    """One angle of one master, ready to be rendered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    asked: Pose
    instruction: Instruction
    seed: int
    profile: Profile
    weights_sha256: str
    reference_sha256: str
    """Of the master after ingest, as it lies in the store."""
    framing: Framing
    recipe_version: int = RECIPE_VERSION

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON of all that changes a pixel: name, pose asked for and judges do not."""
        content = self.model_dump(mode="json", exclude={"name": True, "asked": True, "profile": set(JUDGES)})
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
