"""The two grammars in which an edit model is asked to move its camera, word for word.

Relative moves start from the camera of the master; absolute views name a place around the subject, the master being
the front view. Every setting of both can be enumerated, so that all prompts can be compared byte for byte.

Source: camera-control node and card of dx8152/Qwen-Edit-2509-Multiple-angles (relative); card of
fal/Qwen-Image-Edit-2511-Multiple-Angles-LoRA (absolute).
"""

from collections.abc import Iterator
from itertools import product
from typing import Literal

from pydantic import BaseModel, ConfigDict

_HORIZONTAL = {
    "none": "",
    "left": "将镜头向左移动 Move the camera left.",
    "right": "将镜头向右移动 Move the camera right.",
}
_VERTICAL = {
    "none": "",
    "up": "将镜头向上移动 Move the camera up.",
    "down": "将镜头向下移动 Move the camera down.",
}
_FORWARD = {"no": "", "yes": "将镜头向前移动 Move the camera forward."}
_TOP_DOWN = "将镜头转为俯视 Turn the camera to a top-down view."
_WIDE_ANGLE = "将镜头转为广角镜头 Turn the camera to a wide-angle lens."
_CLOSE_UP = "将镜头转为特写镜头 Turn the camera to a close-up."
_BOTTOM_UP = "將相機方向調整為由下而上的視角 Turn the camera to a bottom-up view."

ROTATIONS_DEG = (-90, -45, 0, 45, 90)

_AZIMUTHS = {
    0: "front view",
    45: "front-right quarter view",
    90: "right side view",
    135: "back-right quarter view",
    180: "back view",
    225: "back-left quarter view",
    270: "left side view",
    315: "front-left quarter view",
}
_ELEVATIONS = {-30: "low-angle shot", 0: "eye-level shot", 30: "elevated shot", 60: "high-angle shot"}
_DISTANCES = {"close-up": "close-up", "medium": "medium shot", "wide": "wide shot"}


class RelativeMove(BaseModel):
    """One setting of the relative dialect: a move away from the master's camera."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    move_horizontal: Literal["none", "left", "right"] = "none"
    move_vertical: Literal["none", "up", "down"] = "none"
    move_forward: Literal["no", "yes"] = "no"
    rotate: Literal[-90, -45, 0, 45, 90] = 0
    """Degrees; negative = left. Hosted services use the opposite sign."""
    view_top_down: bool = False
    view_wide_angle: bool = False
    view_close_up: bool = False
    view_bottom_up: bool = False

    @property
    def prompt(self) -> str:
        """The chosen parts, joined by one space; nothing chosen is the empty string."""
        parts = (
            _HORIZONTAL[self.move_horizontal],
            _VERTICAL[self.move_vertical],
            _FORWARD[self.move_forward],
            _rotation(self.rotate),
            _TOP_DOWN * self.view_top_down,
            _WIDE_ANGLE * self.view_wide_angle,
            _CLOSE_UP * self.view_close_up,
            _BOTTOM_UP * self.view_bottom_up,
        )
        return " ".join(filter(None, parts))


class AbsoluteView(BaseModel):
    """One of the 96 views of the absolute dialect; the master is the front view at eye level, medium shot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    azimuth_deg: Literal[0, 45, 90, 135, 180, 225, 270, 315] = 0
    elevation_deg: Literal[-30, 0, 30, 60] = 0
    distance: Literal["close-up", "medium", "wide"] = "medium"

    @property
    def prompt(self) -> str:
        """The trigger word and the three parts, single spaces, token for token as trained."""
        return f"<sks> {_AZIMUTHS[self.azimuth_deg]} {_ELEVATIONS[self.elevation_deg]} {_DISTANCES[self.distance]}"


def all_relative_moves() -> Iterator[RelativeMove]:
    """Yield the 1440 settings of the relative dialect."""
    flags = (False, True)
    domains = (_HORIZONTAL, _VERTICAL, _FORWARD, ROTATIONS_DEG, flags, flags, flags, flags)
    for values in product(*domains):
        yield RelativeMove.model_validate(dict(zip(RelativeMove.model_fields, values, strict=True)))


def all_absolute_views() -> Iterator[AbsoluteView]:
    """Yield the 96 views of the absolute dialect."""
    for values in product(_AZIMUTHS, _ELEVATIONS, _DISTANCES):
        yield AbsoluteView.model_validate(dict(zip(AbsoluteView.model_fields, values, strict=True)))


def _rotation(degrees: int) -> str:
    if degrees == 0:
        return ""
    if degrees < 0:
        return f"将镜头向左旋转{-degrees}度 Rotate the camera {-degrees} degrees to the left."
    return f"将镜头向右旋转{degrees}度 Rotate the camera {degrees} degrees to the right."
