"""Profiles: everything that fixes a model, as typed constants.

Adding a model is adding a profile here and, at most, a dialect.
"""

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from models.camera import Dialect
from models.errors import UnknownProfileError


class SchedulerConfig(BaseModel):
    """The noise levels that a render passes through, in the words of `FlowMatchEulerDiscreteScheduler`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_image_seq_len: int
    max_image_seq_len: int
    base_shift: float
    max_shift: float
    num_train_timesteps: int
    shift: float
    shift_terminal: float | None
    time_shift_type: Literal["exponential", "linear"]
    use_dynamic_shifting: bool

    @model_validator(mode="after")
    def _is_the_same_for_every_raster(self) -> Self:
        if self.base_shift != self.max_shift:
            msg = f"base_shift={self.base_shift} and max_shift={self.max_shift} differ: give one, for every raster"
            raise ValueError(msg)
        return self


class Lora(BaseModel):
    """One LoRA file of a profile and how strongly it is applied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    path: str
    strength: float = 1.0


class Profile(BaseModel):
    """Everything that fixes a model; what is missing here must not change a pixel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    base: str
    """Folder of the base model in diffusers' layout, below the folder of all weights."""
    revision: str
    licence: str
    training: Literal["untrained", "trained"]
    """Untrained weights say so in every report."""
    dialect: Dialect
    loras: tuple[Lora, ...]
    scheduler: SchedulerConfig
    """Pinned here, because the scheduler folder of a base model holds the stock one."""
    num_steps: int
    reference_area_px: int
    """Pixels of the reference and of the output picture."""
    condition_area_px: int
    """Pixels of the reference as the text encoder sees it."""
    dtype: Literal["float32", "bfloat16"]
    clip: str
    """open_clip checkpoint for the CLIP score, below the folder of all weights."""


DISTILLED_SCHEDULER = SchedulerConfig(
    base_image_seq_len=256,
    max_image_seq_len=8192,
    base_shift=math.log(3),
    max_shift=math.log(3),
    num_train_timesteps=1000,
    shift=1.0,
    shift_terminal=None,
    time_shift_type="exponential",
    use_dynamic_shifting=True,
)
"""The schedule that the Lightning LoRAs were distilled on; the stock Qwen schedule is wrong for them.

Source: the model card of lightx2v/Qwen-Image-Lightning.
"""

MINIATURE = Profile(
    name="miniature",
    base="miniature",
    revision="stage-1",
    licence="Apache-2.0",
    training="trained",
    dialect="relative",
    loras=(
        Lora(name="lightning", path="miniature/loras/lightning-8steps.safetensors"),
        Lora(name="angles", path="miniature/loras/multi-angle.safetensors"),
    ),
    scheduler=DISTILLED_SCHEDULER,
    num_steps=8,
    reference_area_px=224 * 128,
    condition_area_px=112 * 112,
    dtype="float32",
    clip="miniature/clip",
)

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (MINIATURE,)}


def find_profile(name: str) -> Profile:
    """Return the profile called `name`.

    Raises:
        UnknownProfileError: No profile has this name.
    """
    if name not in PROFILES:
        msg = f"There is no profile {name!r}: choose one of {', '.join(PROFILES)}."
        raise UnknownProfileError(msg)
    return PROFILES[name]
