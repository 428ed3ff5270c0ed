"""Places that cameras of known poses see: with noise, and among pairs that are false."""

import math

import numpy as np
from numpy.typing import NDArray

from models.camera import Pose
from models.scores.matching import Matches
from models.scores.two_view import Lens, TwoViews, relate

Doubles = NDArray[np.float64]

WIDTH_PX, HEIGHT_PX = 896, 504
LENS = Lens(tan_half_height=math.tan(math.radians(20)), width_px=WIDTH_PX, height_px=HEIGHT_PX)
DISTANCE = 5.0
NUM_PLACES, NUM_FALSE, NOISE_PX = 300, 90, 0.25


def look(pose: Pose) -> tuple[Doubles, Doubles]:
    """Return the rotation (3, 3) and the position (3,) of a camera that looks at the subject, in the master's frame."""
    azimuth, elevation = math.radians(pose.azimuth_deg), math.radians(pose.elevation_deg)
    ahead = np.array((-math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(elevation)))
    ahead[2] *= math.cos(azimuth)
    right = np.cross((0, 1, 0), ahead)
    right /= np.linalg.norm(right)
    return np.stack((right, np.cross(ahead, right), ahead)), np.array(
        (0, 0, DISTANCE)
    ) - pose.distance * DISTANCE * ahead


def spread(*, flat: bool = False) -> Doubles:
    """Return places (N, 3) around the subject, or on a wall through it."""
    places = np.random.default_rng(1).uniform((-1.8, -0.9, -1.2), (1.8, 0.9, 1.2), (NUM_PLACES, 3))
    return places * (1, 1, not flat) + (0, 0, DISTANCE)


def see(places: Doubles, rotation: Doubles, position: Doubles, lens: Lens = LENS) -> Doubles:
    """Return the pixels (N, 2) at which a camera sees places."""
    seen = (places - position) @ rotation.T @ lens.matrix.T
    return seen[:, :2] / seen[:, 2:]


def pair(view: Doubles, lens: Lens = LENS, *, flat: bool = False) -> Matches:
    """Return pairs of what the master sees and of what a view does, both noisy; the first `NUM_FALSE` are false."""
    random = np.random.default_rng(2)
    master = see(spread(flat=flat), np.eye(3), np.zeros(3))
    master, view = (pixels + random.normal(0, NOISE_PX, pixels.shape) for pixels in (master, view))
    view[:NUM_FALSE] = random.uniform((0, 0), (lens.width_px, lens.height_px), (NUM_FALSE, 2))
    return Matches(master=master.astype(np.float32), view=view.astype(np.float32))


def observe(pose: Pose, *, flat: bool = False) -> TwoViews:
    """Return what is said of the camera of a pose."""
    return relate(pair(see(spread(flat=flat), *look(pose)), flat=flat), LENS, LENS)
