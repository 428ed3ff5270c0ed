"""How much of another view the master shows, and what could be made of that and nothing else."""

import numpy as np
from numpy.typing import NDArray

from models.camera import Pose
from models.miniature.cameras import Camera, camera_for
from models.miniature.patterns import Floats
from models.miniature.raycast import View, render_view
from models.miniature.stage import Scene

_FARTHEST_M = 1e4
"""Where the sky counts as being."""
_DEPTH_TOLERANCE = 0.05


def fill_from_master(
    scene: Scene, master: NDArray[np.uint8], pose: Pose, truth: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], float]:
    """Return an oracle's picture (H, W, 3) of a pose, and the share of its pixels that the master shows.

    What the master shows is taken from there, exactly where it belongs; all else has its true mean colour.
    """
    height, width = truth.shape[:2]
    views = [(camera, render_view(scene, camera, width, height, 1)) for camera in map(camera_for, (Pose(), pose))]
    seen, x, y = _places_in_master(*views[0], *views[1])
    shown = _read_between_pixels(master.astype(np.float32), x, y)
    shown[~seen] = truth[~seen].mean(axis=0) if not seen.all() else 0
    return np.round(shown).astype(np.uint8), float(seen.mean())


def _places_in_master(
    master_camera: Camera, master: View, camera: Camera, view: View
) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Return which pixels (H, W) of a view the master shows, and their columns and rows there."""
    height, width = view.depth.shape
    rays = np.empty((3, height, width), np.float32)
    rays[0] = (np.arange(width) * 2 + 1 - width) / height
    rays[1] = (height - 1 - np.arange(height)[:, None] * 2) / height
    rays[2] = 1 / camera.tan_half_height
    depth = np.minimum(view.depth, _FARTHEST_M).ravel() * camera.tan_half_height
    points = camera.position[:, None] + camera.axes.T @ rays.reshape(3, -1) * depth
    right, up, ahead = master_camera.project(points).reshape(3, height, width)
    column, row = (right * height + width - 1) / 2, (height - 1 - up * height) / 2
    is_inside = (ahead > 0) & (np.abs(right) * height < width) & (np.abs(up) < 1)
    nearest = np.rint(row).clip(0, height - 1).astype(int), np.rint(column).clip(0, width - 1).astype(int)
    is_as_deep = np.abs(np.minimum(master.depth[nearest], _FARTHEST_M) - ahead) < _DEPTH_TOLERANCE * ahead
    return is_inside & is_as_deep & (master.object_ids[nearest] == view.object_ids), column, row


def _read_between_pixels(picture: Floats, column: Floats, row: Floats) -> Floats:
    """Return the colours (H, W, 3) of a picture at fractional places (H, W), bilinear, the border repeated."""
    height, width = picture.shape[:2]
    column, row = column.clip(0, width - 1.001), row.clip(0, height - 1.001)
    left, top = column.astype(int), row.astype(int)
    across, down = (column - left)[..., None], (row - top)[..., None]
    upper = picture[top, left] * (1 - across) + picture[top, left + 1] * across
    lower = picture[top + 1, left] * (1 - across) + picture[top + 1, left + 1] * across
    return upper * (1 - down) + lower * down
