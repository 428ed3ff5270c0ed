# pyright: standard, reportArgumentType=false, reportCallIssue=false, reportReturnType=false
"""Two camera positions from matched places: candidates from samples and from planes, the best of them, refined.

Where most matches lie on one plane, such as the ground seen from above, the essential matrix of a sample has a twin
that explains the plane as well. Both come out of the plane's homography, and what stands off the plane decides.

Directions are (N, 3) with depth 1 in OpenCV's frame. Source: Hartley and Zisserman 2004, chapters 9, 11 and 13; Malis
and Vargas 2007 (homography decomposition).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

Doubles = NDArray[np.float64]

MAX_ITERATIONS, CONFIDENCE = 20_000, 0.9999
NUM_PLANES, MIN_ON_PLANE = 2, 12
PLANE_TOLERANCE = 2.0
"""In tolerances of the epipolar distance."""
_TINY = 1e-6
_PIXELS = 1000.0
"""OpenCV's samplers find little in numbers much smaller than pixels are."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Positions:
    """Where the view's camera stands in relation to the master's, and which matches say so."""

    rotation: Doubles  # (3, 3), from the master's frame to the view's
    translation: Doubles  # (3,), of unit length
    inliers: NDArray[np.bool_]  # (N,)
    score: float


def find_positions(before: Doubles, after: Doubles, tolerance: float) -> Positions:
    """Return the camera positions that explain most matches in front of both cameras.

    Args:
        before: Directions (N, 3) in the master, N >= 8.
        after: Directions (N, 3) of the same places in the view.
        tolerance: Of the epipolar distance, in the unit of the directions.
    """
    candidates = [
        _judge(rotation, translation, before, after, tolerance)
        for rotation, translation in _candidates(before, after, tolerance)
    ]
    best = max(candidates, key=lambda positions: positions.score)
    refined = _refine(best, before, after, tolerance)
    return max((refined, best), key=lambda positions: positions.score)


def _candidates(before: Doubles, after: Doubles, tolerance: float) -> Iterator[tuple[Doubles, Doubles]]:
    for essential in _essentials(before, after, tolerance):
        first, second, translation = cv2.decomposeEssentialMat(essential)
        for rotation in (first, second):
            for sign in (1, -1):
                yield rotation, sign * translation[:, 0]
    for plane in _planes(before, after, tolerance):
        for rotation, translation in zip(*cv2.decomposeHomographyMat(plane, np.eye(3))[1:3], strict=True):
            length = np.linalg.norm(translation)
            if length > _TINY:
                yield rotation, translation[:, 0] / length
    yield np.eye(3), np.array((0.0, 0.0, 1.0))


def _essentials(before: Doubles, after: Doubles, tolerance: float) -> Iterator[Doubles]:
    found, _ = cv2.findEssentialMat(
        *(_PIXELS * directions[:, :2] for directions in (before, after)),
        np.diag([_PIXELS, _PIXELS, 1.0]),
        method=cv2.USAC_MAGSAC,
        prob=CONFIDENCE,
        threshold=_PIXELS * tolerance,
        maxIters=MAX_ITERATIONS,
    )
    if found is not None and found.shape == (3, 3):
        yield found


def _planes(before: Doubles, after: Doubles, tolerance: float) -> Iterator[Doubles]:
    """Yield the homographies of the planes that hold most matches, the fullest first."""
    left = np.ones(len(before), bool)
    for _ in range(NUM_PLANES):
        if left.sum() < MIN_ON_PLANE:
            return
        plane, inliers = cv2.findHomography(
            *(_PIXELS * directions[left, :2] for directions in (before, after)),
            cv2.USAC_MAGSAC,
            _PIXELS * PLANE_TOLERANCE * tolerance,
            maxIters=5000,
        )
        if plane is None or inliers.sum() < MIN_ON_PLANE:
            return
        yield np.diag([1 / _PIXELS, 1 / _PIXELS, 1.0]) @ plane @ np.diag([_PIXELS, _PIXELS, 1.0])
        left[np.flatnonzero(left)[inliers.ravel().astype(bool)]] = False


def _judge(rotation: Doubles, translation: Doubles, before: Doubles, after: Doubles, tolerance: float) -> Positions:
    """Return the positions with the matches that they explain, each worth more the nearer it is."""
    errors = _epipolar_distances(rotation, translation, before, after) / tolerance
    inliers = (errors < 1) & _is_in_front(rotation, translation, before, after)
    return Positions(
        rotation=rotation, translation=translation, inliers=inliers, score=float((1 - errors[inliers] ** 2).sum())
    )


def _epipolar_distances(rotation: Doubles, translation: Doubles, before: Doubles, after: Doubles) -> Doubles:
    """Return the Sampson distances (N,)."""
    essential = np.cross(np.eye(3), translation) @ rotation
    line, line_back = before @ essential.T, after @ essential
    along = (line[:, :2] ** 2).sum(axis=1) + (line_back[:, :2] ** 2).sum(axis=1)
    return np.abs((after * line).sum(axis=1)) / np.sqrt(np.maximum(along, 1e-18))


def _is_in_front(rotation: Doubles, translation: Doubles, before: Doubles, after: Doubles) -> NDArray[np.bool_]:
    """Tell which places (N,) lie in front of both cameras, by the depths at which their two rays come nearest."""
    turned = before @ rotation.T
    aa, bb, ab = (turned**2).sum(axis=1), (after**2).sum(axis=1), (turned * after).sum(axis=1)
    at, bt = turned @ translation, after @ translation
    parallel = np.maximum(aa * bb - ab**2, 1e-15)
    return ((ab * bt - bb * at) / parallel > 0) & ((aa * bt - ab * at) / parallel > 0)


def _refine(start: Positions, before: Doubles, after: Doubles, tolerance: float) -> Positions:
    """Return positions after least squares over what they explain."""
    kept = start.inliers
    if kept.sum() < MIN_ON_PLANE:
        return start

    def place(change: Doubles) -> tuple[Doubles, Doubles]:
        moved = start.translation + change[3:]
        return Rotation.from_rotvec(change[:3]).as_matrix() @ start.rotation, moved / np.linalg.norm(moved)

    def errors(change: Doubles) -> Doubles:
        return _epipolar_distances(*place(change), before[kept], after[kept]) / tolerance

    found = least_squares(errors, np.zeros(6), loss="soft_l1", max_nfev=30)
    return _judge(*place(found.x), before, after, tolerance)
