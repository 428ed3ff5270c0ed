"""The plan view: where the cameras of a coverage stand, seen from above, in the units of an SVG drawing.

The subject stands in the middle and the master's camera below it. A camera is drawn over the ground it stands on, at
its distance times the cosine of its elevation, so one that looks straight down is over the subject.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict

from models.camera import Pose

_RADIUS, _MARGIN, _LABEL_WIDTH, _ROW = 240.0, 24.0, 178.0, 36.0
_MAX_LABEL_CHARS = 20
_OVERHEAD_DEG = 75.0


class _Drawn(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class PlanCamera(_Drawn):
    """A camera to draw: where it should stand and, if that is known, where it does."""

    label: str
    asked: Pose
    azimuth_deg: float | None
    elevation_deg: float | None
    distance: float
    """The measured one or, where none was measured, the one given."""


class Stand(_Drawn):
    """Where a camera is drawn: `turn_deg` from the master's around the subject, `away` from it."""

    turn_deg: float
    away: float
    x: float
    y: float
    glyph: Literal["normal", "wide", "overhead"]


class PlanEntry(_Drawn):
    """A camera with its label, and the line that leads from one to the other."""

    asked: Stand
    measured: Stand | None
    label: str
    elevation: str
    side: Literal["left", "right"]
    label_x: float
    label_y: float


class Plan(_Drawn):
    """The drawing, with the subject at the origin, x to the right and y down."""

    left: float
    top: float
    width: float
    height: float
    master: Stand
    entries: tuple[PlanEntry, ...]


def draw_plan(cameras: Sequence[PlanCamera]) -> Plan:
    """Lay out the cameras and their labels."""
    distances = [1.0, *(camera.asked.distance for camera in cameras), *(camera.distance for camera in cameras)]
    unit = _RADIUS / max(distances)
    asked = [
        _stand(unit, pose.azimuth_deg, pose.elevation_deg, pose.distance, is_wide=pose.lens == "wide")
        for pose in (camera.asked for camera in cameras)
    ]
    sides = _choose_sides(asked)
    heights = {side: _spread([s.y for s, own in zip(asked, sides, strict=True) if own == side]) for side in set(sides)}
    rows = {side: iter(values) for side, values in heights.items()}
    measured = [_stand_measured(unit, camera) for camera in cameras]
    stands = [*asked, *(stand for stand in measured if stand is not None)]
    top = min(-_ROW, *(stand.y for stand in stands), *(y for values in heights.values() for y in values)) - _ROW
    half_width = _RADIUS + _MARGIN + _LABEL_WIDTH
    return Plan(
        left=-half_width,
        top=round(top, 1),
        width=2 * half_width,
        height=round(_RADIUS + _ROW - top, 1),
        master=_stand(unit, 0.0, 0.0, 1.0),
        entries=tuple(
            PlanEntry(
                asked=stand,
                measured=found,
                label=_shorten(camera.label),
                elevation=_say_elevation(camera),
                side=side,
                label_x=math.copysign(_RADIUS + _MARGIN, -1 if side == "left" else 1),
                label_y=round(next(rows[side]), 1),
            )
            for camera, stand, found, side in zip(cameras, asked, measured, sides, strict=True)
        ),
    )


def _stand(unit: float, azimuth_deg: float, elevation_deg: float, distance: float, *, is_wide: bool = False) -> Stand:
    away = unit * distance * max(math.cos(math.radians(elevation_deg)), 0.0)
    azimuth = math.radians(azimuth_deg)
    return Stand(
        turn_deg=round(0.0 - azimuth_deg, 2),
        away=round(away, 1),
        x=round(away * math.sin(azimuth), 1),
        y=round(away * math.cos(azimuth), 1),
        glyph="overhead" if abs(elevation_deg) > _OVERHEAD_DEG else "wide" if is_wide else "normal",
    )


def _stand_measured(unit: float, camera: PlanCamera) -> Stand | None:
    if camera.azimuth_deg is None:
        return None
    is_wide = camera.asked.lens == "wide"
    return _stand(unit, camera.azimuth_deg, camera.elevation_deg or 0.0, camera.distance, is_wide=is_wide)


def _choose_sides(stands: Sequence[Stand]) -> list[Literal["left", "right"]]:
    """Return the side of every label: that of its camera, or the emptier one for a camera in the middle."""
    num_right = sum(stand.x > 1 for stand in stands)
    num_left = sum(stand.x < -1 for stand in stands)
    sides: list[Literal["left", "right"]] = []
    for stand in stands:
        if abs(stand.x) > 1:
            sides.append("right" if stand.x > 1 else "left")
        elif num_left < num_right:
            num_left += 1
            sides.append("left")
        else:
            num_right += 1
            sides.append("right")
    return sides


def _spread(wanted: list[float]) -> list[float]:
    """Return heights near those wanted, in the same order from the top and at least a row apart."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    placed = list(wanted)
    for above, index in pairwise(order):
        placed[index] = max(placed[index], placed[above] + _ROW)
    lowest = _RADIUS
    for index in reversed(order):
        placed[index] = min(placed[index], lowest)
        lowest = placed[index] - _ROW
    return placed


def _say_elevation(camera: PlanCamera) -> str:
    words = f"el {camera.asked.elevation_deg:+.0f}°"
    if camera.elevation_deg is None or camera.azimuth_deg is None:
        return words
    return f"{words}, measured {camera.elevation_deg:+.0f}°"


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_LABEL_CHARS else text[: _MAX_LABEL_CHARS - 1] + "…"
