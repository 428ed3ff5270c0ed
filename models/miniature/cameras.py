"""Exact cameras: a pose around the subject's chest gives a pinhole camera.

The world is right-handed, y up, in metres; the subject stands at the origin and faces +z, where the master camera is.
"""

from dataclasses import dataclass

import numpy as np

from models.camera import Pose
from models.miniature.patterns import Floats

_MASTER_DISTANCE_M = 4.3
_CHEST_M, _FACE_M = 1.08, 1.46
_EYE_LEVEL_DEG = 7.0
_LOWEST_LENS_M = 0.22
_NORMAL_LENS_DEG, _WIDE_LENS_DEG = 40.0, 75.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Camera:
    """A pinhole camera: where it stands, how it is turned, how much it sees."""

    position: Floats  # (3,)
    axes: Floats  # (3, 3) rows: right, up, forward
    tan_half_height: float  # of the vertical field of view

    def project(self, points: Floats) -> Floats:
        """Return (3, N): x right and y up in half picture heights, and depth in metres, of world points (3, N)."""
        right, up, depth = self.axes @ (points - self.position[:, None])
        return np.stack((right / depth / self.tan_half_height, up / depth / self.tan_half_height, depth))


def camera_for(pose: Pose) -> Camera:
    """Return the camera of a pose; `Pose()` is the master's.

    At elevation 90 it looks straight down; a low camera stops just above the ground.
    """
    azimuth, height_m = np.deg2rad(pose.azimuth_deg), _aim_height_m(pose.distance)
    rise = np.deg2rad(pose.elevation_deg + _EYE_LEVEL_DEG * (1 - max(pose.elevation_deg, 0.0) / 90))
    away_m = _MASTER_DISTANCE_M * pose.distance * np.cos(rise)
    lens_m = max(height_m + _MASTER_DISTANCE_M * pose.distance * np.sin(rise), _LOWEST_LENS_M)
    fov_deg = _WIDE_LENS_DEG if pose.lens == "wide" else _NORMAL_LENS_DEG
    return Camera(
        position=np.array((away_m * np.sin(azimuth), lens_m, away_m * np.cos(azimuth)), np.float32),
        axes=_axes(azimuth, np.arctan2(lens_m - height_m, away_m)),
        tan_half_height=float(np.tan(np.deg2rad(fov_deg / 2))),
    )


def _aim_height_m(distance: float) -> float:
    """Return the height to aim at: the chest, and towards the face as the camera comes close."""
    return float(np.interp(distance, (0.6, 1.0), (_FACE_M, _CHEST_M)))


def _axes(azimuth: float, fall: float) -> Floats:
    """Return right, up, forward of a camera that looks at the vertical axis, `fall` radians downwards."""
    sin, cos = np.sin(azimuth), np.cos(azimuth)
    right = (cos, 0, -sin)
    up = (-np.sin(fall) * sin, np.cos(fall), -np.sin(fall) * cos)
    forward = (-np.cos(fall) * sin, -np.sin(fall), -np.cos(fall) * cos)
    return np.array((right, up, forward), np.float32)
