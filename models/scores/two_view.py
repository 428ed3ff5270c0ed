# pyright: standard
"""What the camera did between two pictures, from the places that they have in common.

Four motions are tried on the same matches, each from the pixel tolerance up: none, a similarity (crop or zoom), a turn
on the spot (pan), and two positions (the essential matrix of two pinhole cameras of known field of view). The simplest
one that explains as many matches as two positions do is what happened. A picture that was stretched or bent is found by
a homography that explains more than any camera does; one that explains all of a small turn leaves it open whether there
was a camera or a flat picture that was tilted. Below a floor of matches nothing is said.

Frames are OpenCV's: x right, y down, z ahead. Source: Hartley and Zisserman 2004, chapters 8 and 9; MAGSAC++ (Barath et
al. 2020) does the sampling.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scores.epipolar import Doubles, find_positions
from models.scores.findings import Motion
from models.scores.matching import Floats, Matches

TOLERANCE_PX, POINT_TOLERANCE_PX = 1.0, 2.0
"""Of a distance from an epipolar line, and of one between points."""
STATIC_PX = 2.0
MIN_INLIERS = 35
SIMPLER_SHARE = 0.85
"""A simpler motion that explains this share of what two positions explain is what happened."""
MIN_STATIC_SHARE = 0.5
WARPED_FACTOR = 1.25
"""Of a stretched or sheared picture a homography explains at least 1.46 times what two positions do; of 66 right views
at most 1.03 times."""
FLAT_SHARE, MAX_FLAT_DEG = 0.97, 25.0
"""Of a small turn a homography explains at most two thirds where there is depth."""
MAX_ROTATION_DEG = 120.0
MIN_TURN_DEG = 5.0
SAME_SCALE = 1.05
_PAIR, _NEAR = 2, 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Lens:
    """A pinhole of known field of view over a picture of the working size."""

    tan_half_height: float
    width_px: int
    height_px: int

    @property
    def matrix(self) -> Doubles:
        """Return (3, 3): from a direction to pixels."""
        focal = self.height_px / 2 / self.tan_half_height
        return np.array([[focal, 0, (self.width_px - 1) / 2], [0, focal, (self.height_px - 1) / 2], [0, 0, 1]])


@dataclass(frozen=True, kw_only=True, eq=False)
class TwoViews:
    """What two pictures say of the camera between them."""

    motion: Motion
    num_matches: int
    num_inliers: int
    """Of the motion that explains most."""
    scale: float | None = None
    """Of a crop or zoom: how much larger the view shows things."""
    rotation: Doubles | None = None
    """(3, 3), from the master's frame to the view's."""
    translation: Doubles | None = None
    """(3,), of unit length, from the master's frame to the view's."""
    inliers: NDArray[np.bool_] | None = None
    """(M,), of the matches."""
    reason: str = ""
    """Why nothing can be said."""


def relate(matches: Matches, master: Lens, view: Lens) -> TwoViews:
    """Say what the camera did between the master and a view."""
    num = len(matches)
    if num < MIN_INLIERS:
        return TwoViews(
            motion="unverifiable", num_matches=num, num_inliers=0, reason=f"only {num} places were found in both"
        )
    stays = np.linalg.norm(matches.view - matches.master, axis=1) < STATIC_PX
    similar, scale = _fit_similarity(matches)
    turn, turned = _fit_turn(matches, master, view)
    positions = find_positions(
        _directions(matches.master, master), _directions(matches.view, view), TOLERANCE_PX / master.matrix[0, 0]
    )
    moved, rotation = positions.inliers, positions.rotation
    most = max(int(part.sum()) for part in (similar, turned, moved))
    if stays.sum() >= max(MIN_INLIERS, MIN_STATIC_SHARE * most):
        return TwoViews(motion="static", num_matches=num, num_inliers=int(stays.sum()), inliers=stays, scale=1.0)
    is_enough = most >= MIN_INLIERS
    if is_enough and similar.sum() >= SIMPLER_SHARE * most:
        motion: Motion = "crop" if scale > 1 / SAME_SCALE else "zoom"
        return TwoViews(motion=motion, num_matches=num, num_inliers=int(similar.sum()), inliers=similar, scale=scale)
    if is_enough and turned.sum() >= SIMPLER_SHARE * most:
        return TwoViews(motion="pan", num_matches=num, num_inliers=int(turned.sum()), inliers=turned, rotation=turn)
    flat = _fit_homography(matches)
    if is_enough and flat.sum() >= WARPED_FACTOR * moved.sum():
        return TwoViews(motion="warped", num_matches=num, num_inliers=int(flat.sum()), inliers=flat)
    few = f"of {num} places found in both only {most} agree on a camera"
    reason = _doubt(rotation, flat.sum() / moved.sum()) if is_enough else few
    return TwoViews(
        motion="unverifiable" if reason else "dollied" if angle_deg(rotation) < MIN_TURN_DEG else "orbited",
        num_matches=num,
        num_inliers=int(moved.sum()) if is_enough else most,
        rotation=rotation,
        translation=positions.translation,
        inliers=moved,
        reason=reason,
    )


def _doubt(rotation: Doubles, flat_share: float) -> str:
    if flat_share >= FLAT_SHARE and angle_deg(rotation) <= MAX_FLAT_DEG:
        return "all matches lie as on one plane, so that a flat picture, tilted, would look the same"
    if angle_deg(rotation) > MAX_ROTATION_DEG:
        return f"the matches give a turn of {angle_deg(rotation):.0f} degrees, which no two views of one side share"
    return ""


def _fit_similarity(matches: Matches) -> tuple[NDArray[np.bool_], float]:
    """Return which matches a crop or zoom explains, and its scale; what is enlarged has its errors enlarged."""
    found, _ = cv2.estimateAffinePartial2D(
        matches.master, matches.view, method=cv2.RANSAC, ransacReprojThreshold=POINT_TOLERANCE_PX, maxIters=4000
    )
    if found is None:
        return np.zeros(len(matches), bool), 1.0
    turn_deg = np.degrees(np.arctan2(found[1, 0], found[0, 0]))
    is_upright = abs(turn_deg) < MIN_TURN_DEG
    scale = float(np.hypot(found[0, 0], found[1, 0]))
    errors_px = np.linalg.norm(matches.master @ found[:, :2].T + found[:, 2] - matches.view, axis=1)
    return (errors_px < POINT_TOLERANCE_PX * max(1.0, scale)) & is_upright, scale


def _fit_homography(matches: Matches) -> NDArray[np.bool_]:
    """Return which matches one plane, seen in any way, explains."""
    found, inliers = cv2.findHomography(
        matches.master, matches.view, cv2.USAC_MAGSAC, POINT_TOLERANCE_PX, maxIters=4000, confidence=0.999
    )
    return np.zeros(len(matches), bool) if found is None else inliers.ravel().astype(bool)


def _fit_turn(matches: Matches, master: Lens, view: Lens) -> tuple[Doubles, NDArray[np.bool_]]:
    """Return the turn on the spot that explains most matches, and which."""
    before, after = _directions(matches.master, master), _directions(matches.view, view)
    random, best = np.random.default_rng(0), (np.eye(3), np.zeros(len(matches), bool))
    for _ in range(300):
        pair = random.choice(len(matches), _PAIR, replace=False)
        turn = _kabsch(before[pair], after[pair])
        inliers = _turn_errors_px(turn, before, matches, view) < POINT_TOLERANCE_PX
        if inliers.sum() > best[1].sum():
            best = (turn, inliers)
    if best[1].sum() > _PAIR:
        turn = _kabsch(before[best[1]], after[best[1]])
        best = (turn, _turn_errors_px(turn, before, matches, view) < POINT_TOLERANCE_PX)
    return best


def _turn_errors_px(turn: Doubles, before: Doubles, matches: Matches, view: Lens) -> Doubles:
    seen = before @ turn.T @ view.matrix.T
    depth = np.where(seen[:, 2] > _NEAR, seen[:, 2], np.nan)
    return np.nan_to_num(np.linalg.norm(seen[:, :2] / depth[:, None] - matches.view, axis=1), nan=np.inf)


def _kabsch(before: Doubles, after: Doubles) -> Doubles:
    """Return the rotation that brings directions (N, 3) onto others."""
    before, after = (rays / np.linalg.norm(rays, axis=1, keepdims=True) for rays in (before, after))
    left, _, right = np.linalg.svd(after.T @ before)
    return left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right


def _directions(points: Floats, lens: Lens) -> Doubles:
    """Return directions (N, 3) with depth 1 towards points of a picture."""
    return np.c_[points, np.ones(len(points))] @ np.linalg.inv(lens.matrix).T


def angle_deg(rotation: Doubles) -> float:
    """Return by how much a rotation (3, 3) turns, in [0, 180]."""
    return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))
