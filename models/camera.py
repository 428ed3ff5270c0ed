"""Camera positions, the shots that a film crew names, and how a model is asked for them.

One pose is kept inside; a dialect turns it into the instruction that a model was trained on. What was asked for and
what the model was given are both reported, because a dialect knows few poses; one that it cannot say is refused.

Run `python -m models.camera` for every setting of both dialects with its prompt, one JSON object a line.
"""

import json
import sys
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.dialects import ROTATIONS_DEG, AbsoluteView, RelativeMove, all_absolute_views, all_relative_moves
from models.errors import UnspeakablePoseError

Dialect = Literal["relative", "absolute"]

TOLERANCE_DEG = 22.5
"""A pose further than this from what the dialect can say is refused: half the step of both dialects' azimuths."""

DISTANCE_TOLERANCE = 1.4
"""A framing off by more than this factor is refused."""

WIDE_LENS_FACTOR = 1.8
"""A wide lens frames as much as this factor on the distance; the absolute dialect knows distances only."""


_RELATIVE_ELEVATIONS: dict[int, dict[str, object]] = {
    -60: {"view_bottom_up": True},
    -20: {"move_vertical": "down"},
    0: {},
    30: {"move_vertical": "up"},
    90: {"view_top_down": True},
}
_RELATIVE_DISTANCES: dict[float, dict[str, object]] = {
    0.6: {"view_close_up": True},
    0.8: {"move_forward": "yes"},
    1.0: {},
}
_TRAINED_ROTATIONS_DEG, _TRAINED_ELEVATIONS_DEG = (-45, 0, 45), (-20, 0, 90)
_ABSOLUTE_ELEVATIONS_DEG = (-30, 0, 30, 60)
_ABSOLUTE_DISTANCES = {0.6: "close-up", 1.0: "medium", 1.8: "wide"}


class Pose(BaseModel):
    """Where the camera stands, relative to the master's camera and around the same subject."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    azimuth_deg: Annotated[float, Field(strict=True, ge=-180, le=180)] = 0.0
    """Signed arc around the subject; + = the camera arcs to its right."""
    elevation_deg: Annotated[float, Field(strict=True, ge=-90, le=90)] = 0.0
    """0 = eye level, + = the camera rises and looks down."""
    distance: Annotated[float, Field(strict=True, ge=0.2, le=4.0)] = 1.0
    """Factor on the master's distance to the subject."""
    lens: Literal["normal", "wide"] = "normal"


class Preset(StrEnum):
    """The shots that can be asked for by name."""

    CLOSE_UP = "close_up"
    LOW_ANGLE = "low_angle"
    HIGH_ANGLE = "high_angle"
    TOP_DOWN = "top_down"
    WIDE = "wide"
    LEFT_45 = "left_45"
    RIGHT_45 = "right_45"
    LEFT_90 = "left_90"
    RIGHT_90 = "right_90"


PRESETS: dict[Preset, Pose] = {
    Preset.CLOSE_UP: Pose(distance=0.6),
    Preset.LOW_ANGLE: Pose(elevation_deg=-20),
    Preset.HIGH_ANGLE: Pose(elevation_deg=30),
    Preset.TOP_DOWN: Pose(elevation_deg=90),
    Preset.WIDE: Pose(lens="wide"),
    Preset.LEFT_45: Pose(azimuth_deg=-45),
    Preset.RIGHT_45: Pose(azimuth_deg=45),
    Preset.LEFT_90: Pose(azimuth_deg=-90),
    Preset.RIGHT_90: Pose(azimuth_deg=90),
}


class Instruction(BaseModel):
    """What a model is told: the prompt, and the pose that the prompt means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dialect: Dialect
    settings: RelativeMove | AbsoluteView
    prompt: str
    given: Pose
    is_extrapolated: bool
    """The LoRA's own card does not name this move among those it was trained on."""


def phrase(pose: Pose, dialect: Dialect) -> Instruction:
    """Say `pose` in `dialect`, at the nearest setting that the dialect has.

    Raises:
        UnspeakablePoseError: The nearest setting is too far away to be the same shot.
    """
    settings, given, is_extrapolated = _relative(pose) if dialect == "relative" else _absolute(pose)
    return Instruction(
        dialect=dialect, settings=settings, prompt=settings.prompt, given=given, is_extrapolated=is_extrapolated
    )


def _relative(pose: Pose) -> tuple[RelativeMove, Pose, bool]:
    rotate = min(ROTATIONS_DEG, key=lambda step: abs(step - pose.azimuth_deg))
    _refuse_far("azimuth_deg", pose.azimuth_deg, rotate, "relative")
    elevation = min(_RELATIVE_ELEVATIONS, key=lambda step: abs(step - pose.elevation_deg))
    _refuse_far("elevation_deg", pose.elevation_deg, elevation, "relative")
    distance = min(_RELATIVE_DISTANCES, key=lambda step: abs(step - pose.distance))
    _refuse_distance(pose.distance, distance, "relative")
    words = _RELATIVE_ELEVATIONS[elevation] | _RELATIVE_DISTANCES[distance]
    move = RelativeMove.model_validate({"rotate": rotate, "view_wide_angle": pose.lens == "wide"} | words)
    given = Pose(azimuth_deg=rotate, elevation_deg=elevation, distance=distance, lens=pose.lens)
    is_yaw_with_pitch = rotate != 0 and elevation != 0
    is_trained = rotate in _TRAINED_ROTATIONS_DEG and elevation in _TRAINED_ELEVATIONS_DEG and not is_yaw_with_pitch
    return move, given, not is_trained


def _absolute(pose: Pose) -> tuple[AbsoluteView, Pose, bool]:
    azimuth = round(pose.azimuth_deg / 45) * 45
    elevation = min(_ABSOLUTE_ELEVATIONS_DEG, key=lambda step: abs(step - pose.elevation_deg))
    _refuse_far("elevation_deg", pose.elevation_deg, elevation, "absolute")
    framing = pose.distance * (WIDE_LENS_FACTOR if pose.lens == "wide" else 1.0)
    distance = min(_ABSOLUTE_DISTANCES, key=lambda step: abs(step - framing))
    _refuse_distance(framing, distance, "absolute")
    view = AbsoluteView.model_validate(
        {"azimuth_deg": azimuth % 360, "elevation_deg": elevation, "distance": _ABSOLUTE_DISTANCES[distance]}
    )
    return view, Pose(azimuth_deg=azimuth, elevation_deg=elevation, distance=distance), False


def _refuse_far(name: str, asked: float, nearest: float, dialect: Dialect) -> None:
    if abs(asked - nearest) > TOLERANCE_DEG:
        msg = (
            f"The {dialect} dialect cannot say {name}={asked:g} (nearest {nearest:g}, tolerance {TOLERANCE_DEG:g}): "
            "ask for a nearer pose or choose a profile with the other dialect."
        )
        raise UnspeakablePoseError(msg)


def _refuse_distance(asked: float, nearest: float, dialect: Dialect) -> None:
    if not 1 / DISTANCE_TOLERANCE <= asked / nearest <= DISTANCE_TOLERANCE:
        msg = (
            f"The {dialect} dialect cannot frame at {asked:g} times the master's distance (nearest {nearest:g}): "
            "ask for a nearer distance, lens 'wide', or a profile with the other dialect."
        )
        raise UnspeakablePoseError(msg)


def main() -> None:
    """Write every setting of both dialects and its prompt to standard output, one JSON object a line, in UTF-8."""
    for dialect, all_settings in (("relative", all_relative_moves()), ("absolute", all_absolute_views())):
        for settings in all_settings:
            line = {"dialect": dialect, "settings": settings.model_dump(), "prompt": settings.prompt}
            sys.stdout.buffer.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


if __name__ == "__main__":
    main()
