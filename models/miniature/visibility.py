"""How much of another view the master shows, and what could be made of that and nothing else."""

from typing import cast

import numpy as np
from numpy.typing import NDArray
from skimage.transform import warp  # pyright: ignore[reportUnknownVariableType] - the library says no types

from models.camera import Pose
from models.miniature.cameras import camera_for
from models.miniature.patterns import Floats
from models.miniature.raycast import View, points_shown, render_view
from models.miniature.stage import Scene

_FARTHEST_M = 1e4
"""Where the sky counts as being."""
_DEPTH_TOLERANCE = 0.05


def fill_from_master(
    scene: Scene, master: View, pose: Pose, truth: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], float]:
    """Return an oracle's picture (H, W, 3) of a pose, and the share of its pixels that the master shows.

    What the master shows is taken from there, exactly where it belongs; all else has its true mean colour.
    """
    height, width = truth.shape[:2]
    seen, places = _places_in_master(master, pose, render_view(scene, camera_for(pose), width, height, 1))
    channels = np.moveaxis(master.picture.astype(np.float32), -1, 0)
    read: list[Floats] = [cast("Floats", warp(channel, places, order=1, mode="edge")) for channel in channels]
    shown = np.stack(read, axis=-1)
    shown[~seen] = truth[~seen].mean(axis=0) if not seen.all() else 0
    return np.round(shown).astype(np.uint8), float(seen.mean())


def _places_in_master(master: View, pose: Pose, view: View) -> tuple[NDArray[np.bool_], Floats]:
    """Return which pixels (H, W) of a view of `pose` the master shows, and their rows and columns there (2, H, W)."""
    height, width = view.depth.shape
    points = points_shown(camera_for(pose), np.minimum(view.depth, _FARTHEST_M))
    right, up, ahead = camera_for(Pose()).project(points).reshape(3, height, width)
    row, column = (height - 1 - up * height) / 2, (right * height + width - 1) / 2
    is_inside = (ahead > 0) & (np.abs(right) * height < width) & (np.abs(up) < 1)
    nearest = np.rint(row).clip(0, height - 1).astype(int), np.rint(column).clip(0, width - 1).astype(int)
    is_as_deep = np.abs(np.minimum(master.depth[nearest], _FARTHEST_M) - ahead) < _DEPTH_TOLERANCE * ahead
    return is_inside & is_as_deep & (master.object_ids[nearest] == view.object_ids), np.stack((row, column))
