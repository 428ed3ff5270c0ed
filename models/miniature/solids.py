"""The four solids that the stage is built of, and how groups of them are placed.

Every solid has a frame of its own: `local = axes @ (world - centre)`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from models.miniature.patterns import Floats

_UPRIGHT = np.eye(3, dtype=np.float32)


class Shape(Enum):
    """What fills the half-sizes of a solid."""

    ELLIPSOID = 0
    DOME = 1
    BOX = 2
    CAPSULE = 3


class Paint(Protocol):
    """Colours a surface from its own coordinates."""

    def __call__(self, local: Floats, normal: Floats, half: Floats) -> tuple[Floats, Floats]:
        """Return reflected colour and glow, each (3, N) or (3, 1), in linear light."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Solid:
    """One painted solid.

    Domes are the open upper half of an ellipsoid; capsules stand along their own y axis.
    """

    shape: Shape
    centre: Floats  # (3,) metres, y up
    half: Floats  # (3,) half-sizes along the solid's own axes
    paint: Paint
    axes: Floats  # (3, 3) rows: the solid's axes in the world
    object_id: int = 0

    @property
    def scale(self) -> Floats:
        """Per-axis radius (3,) that makes the quadratic a unit one."""
        if self.shape is Shape.CAPSULE:
            return self.half[[0, 0, 2]]
        return np.ones(3, np.float32) if self.shape is Shape.BOX else self.half


def solid(shape: Shape, centre: ArrayLike, half: ArrayLike, paint: Paint, axes: ArrayLike = _UPRIGHT) -> Solid:
    """Make a solid in its group's frame."""
    centre, half, axes = (np.asarray(value, np.float32) for value in (centre, half, axes))
    return Solid(shape=shape, centre=centre, half=half, paint=paint, axes=axes)


def limb(start: ArrayLike, end: ArrayLike, radius: float, paint: Paint) -> Solid:
    """Make a capsule between two points."""
    start, end = np.asarray(start, np.float32), np.asarray(end, np.float32)
    length = float(np.linalg.norm(end - start))
    along = (end - start) / length
    side = np.cross(along, (0, 0, 1) if abs(along[2]) < np.float32(0.9) else (1, 0, 0))
    side /= np.linalg.norm(side)
    axes = np.stack((side, along, np.cross(side, along)))
    return solid(Shape.CAPSULE, (start + end) / 2, (radius, length / 2 + radius, radius), paint, axes)


def turn(axis: int, angle_deg: float) -> Floats:
    """Return the axes (3, 3) of a frame turned about x (0), y (1) or z (2)."""
    angle, (i, j) = np.deg2rad(angle_deg), ((1, 2), (2, 0), (0, 1))[axis]
    axes = np.eye(3, dtype=np.float32)
    axes[i, i] = axes[j, j] = np.cos(angle)
    axes[i, j], axes[j, i] = np.sin(angle), -np.sin(angle)
    return axes


def placed(group: Iterable[Solid], at: tuple[float, float], yaw_deg: float, object_id: int) -> list[Solid]:
    """Stand a group on the ground at (x, z), turned about the vertical; yaw 90 turns its front from +z to +x."""
    frame, origin = turn(1, yaw_deg), np.array((at[0], 0, at[1]), np.float32)
    return [
        replace(part, centre=origin + part.centre @ frame, axes=part.axes @ frame, object_id=object_id)
        for part in group
    ]
