# pyright: standard
"""Did the camera do what was asked: what two views say, put beside the pose that was asked for.

A picture that fits its master better when it is mirrored is mirrored, whatever else it seems to show.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.camera import Pose
from models.scores.epipolar import Doubles
from models.scores.findings import CameraFinding, Motion, Status
from models.scores.matching import SHAPES, Features, Matches, describe, match
from models.scores.two_view import MIN_INLIERS, MIN_TURN_DEG, SAME_SCALE, Lens, TwoViews, angle_deg, relate
from models.thresholds import Thresholds

FIELD_OF_VIEW_DEG = {"normal": 40.0, "wide": 75.0}
"""Across the shorter side. A master from outside is taken to have the normal one, which is the film stage's."""
MIRRORED_FACTOR = 1.5
ROUNDING_DEG = 1e-3
MIN_STRAIGHT = 0.5
"""Cosine of the angle by which a camera may leave its line of sight when it comes closer or goes back."""
MIN_WIDER, MAX_WIDER = 0.3, 0.75
"""Size of things under a wide lens, as a share of that in the master."""


Angles = tuple[float | None, float | None, float | None]
"""Azimuth, elevation and roll in degrees, where they were measured."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """The described places of a master, also of its mirror image."""

    upright: Features
    mirrored: Features


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraEvidence:
    """What was measured, and the pairs of places that agree with it."""

    views: TwoViews
    motion: Motion
    agreed: Matches
    """Places that are the same in both pictures, as far as is known."""


def describe_master(picture: NDArray[np.uint8]) -> Places:
    """Describe a master (H, W, 3) of the working size in all shapes, upright and mirrored."""
    return Places(upright=describe(picture, SHAPES), mirrored=describe(np.ascontiguousarray(picture[:, ::-1]), SHAPES))


def measure_camera(master: Places, view: Features, asked: Pose) -> CameraEvidence:
    """Measure what the camera did, whatever was asked for; `asked` says which lens the view was taken with."""
    lenses = tuple(
        lens_of(name, each.width_px, each.height_px) for name, each in (("normal", master.upright), (asked.lens, view))
    )
    matches, flipped = match(master.upright, view), match(master.mirrored, view)
    views = relate(matches, *lenses)
    mirrored = relate(flipped, *lenses) if len(flipped) > len(matches) else views
    is_mirrored = mirrored.num_inliers >= max(MIN_INLIERS, MIRRORED_FACTOR * views.num_inliers)
    inliers = views.inliers if views.inliers is not None else np.zeros(len(matches), bool)
    if is_mirrored or views.motion in {"warped", "unverifiable"}:
        inliers = np.zeros(len(matches), bool)
    return CameraEvidence(
        views=mirrored if is_mirrored else views,
        motion="mirrored" if is_mirrored else views.motion,
        agreed=Matches(master=matches.master[inliers], view=matches.view[inliers]),
    )


def judge_camera(evidence: CameraEvidence, asked: Pose, limits: Thresholds) -> CameraFinding:
    """Put what was measured beside the pose that was asked for."""
    views = evidence.views
    azimuth, elevation, roll = read_angles(views.rotation) if views.rotation is not None else (None, None, None)
    error = angle_deg(views.rotation @ rotation_of(asked).T) if views.rotation is not None else None
    if evidence.motion in {"static", "zoom", "crop"}:
        azimuth, elevation, roll, error = 0.0, 0.0, 0.0, angle_deg(rotation_of(asked))
    if evidence.motion in {"mirrored", "warped", "unverifiable"}:
        azimuth, elevation, roll, error = None, None, None, None
    status, reason = _judge(evidence, asked, error, (azimuth, elevation, roll), limits)
    return CameraFinding(
        status=status,
        reason=reason,
        motion=evidence.motion,
        evidence="none" if evidence.motion == "unverifiable" else "two_view",
        azimuth_deg=azimuth,
        elevation_deg=elevation,
        roll_deg=roll,
        error_deg=error,
        scale=views.scale,
        num_matches=views.num_matches,
        num_inliers=views.num_inliers,
    )


def expected_motion(asked: Pose) -> Motion:
    """Return what a camera does that takes this pose."""
    if angle_deg(rotation_of(asked)) >= MIN_TURN_DEG - ROUNDING_DEG:
        return "orbited"
    if asked.distance != 1.0:
        return "dollied"
    return "zoom" if asked.lens == "wide" else "static"


def _judge(
    evidence: CameraEvidence,
    asked: Pose,
    error: float | None,
    measured: Angles,
    limits: Thresholds,
) -> tuple[Status, str]:
    """Return a status and a reason."""
    motion, expected = evidence.motion, expected_motion(asked)
    if motion == "unverifiable":
        return "review", f"the camera cannot be verified: {evidence.views.reason}"
    if motion == expected:
        return _judge_way(evidence, asked) or _judge_amount(evidence, error, measured, limits)
    if {motion, expected} == {"orbited", "dollied"} and error is not None and error <= limits.camera_error_deg[0]:
        return "pass", ""
    azimuth, elevation, roll = (angle or 0.0 for angle in measured)
    scale = 1.0 if evidence.views.scale is None else evidence.views.scale
    if motion in {"crop", "zoom"} and 1 / SAME_SCALE <= scale <= SAME_SCALE:
        return "fail", "the picture is the master, shifted or turned in its frame"
    if expected == "dollied" and motion == "crop":
        return "review", "the picture was enlarged, the camera did not come closer"
    return "fail", _WORDS[motion].format(azimuth=azimuth, elevation=elevation, roll=roll, scale=scale)


def _judge_way(evidence: CameraEvidence, asked: Pose) -> tuple[Status, str] | None:
    """Return what is wrong with the way that a camera went which was only to come closer or to go back."""
    translation = evidence.views.translation
    if evidence.motion != "dollied" or asked.distance == 1.0 or translation is None:
        return None
    closer = -float(translation[2]) if asked.distance < 1.0 else float(translation[2])
    wanted = "came closer" if asked.distance < 1.0 else "went back"
    if closer < -MIN_STRAIGHT:
        return "fail", f"the camera went the wrong way: it never {wanted}"
    return None if closer >= MIN_STRAIGHT else ("review", f"the camera moved to the side more than it {wanted}")


def _judge_amount(
    evidence: CameraEvidence, error: float | None, measured: Angles, limits: Thresholds
) -> tuple[Status, str]:
    if evidence.motion == "zoom" and not MIN_WIDER <= (evidence.views.scale or 1.0) <= MAX_WIDER:
        return "review", f"things are {evidence.views.scale:.2f} times as large as in the master"
    if error is None or error <= limits.camera_error_deg[0]:
        return "pass", ""
    azimuth, elevation, _ = measured
    where = f"azimuth {azimuth:+.0f}, elevation {elevation:+.0f} degrees"
    words = f"the camera stands at {where}, {error:.0f} away from its mark"
    return ("fail" if error > limits.camera_error_deg[1] else "review"), words


_WORDS: dict[Motion, str] = {
    "static": "the camera stayed where it was",
    "pan": "the camera only turned, by azimuth {azimuth:+.0f}, elevation {elevation:+.0f} and roll {roll:+.0f} degrees",
    "zoom": "the picture only became wider: things are {scale:.2f} times as large",
    "crop": "the picture is an enlarged part of the master: things are {scale:.2f} times as large",
    "dollied": "the camera moved without going around the subject",
    "orbited": "the camera went around the subject, to azimuth {azimuth:+.0f} and elevation {elevation:+.0f} degrees",
    "mirrored": "the picture is mirrored",
    "warped": "the picture is the master, stretched or bent",
}


def rotation_of(pose: Pose) -> Doubles:
    """Return the rotation (3, 3) from the master's frame to a pose's, both cameras upright and level at elevation 0."""
    azimuth, elevation = math.radians(pose.azimuth_deg), math.radians(pose.elevation_deg)
    ahead = np.array(
        (-math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation))
    )
    right = np.array((math.cos(azimuth), 0.0, math.sin(azimuth)))
    return np.stack((right, np.cross(ahead, right), ahead))


def read_angles(rotation: Doubles) -> tuple[float, float, float]:
    """Return azimuth, elevation and roll in degrees: + = arced to the right, risen, turned clockwise."""
    right, _, ahead = rotation
    azimuth = math.degrees(math.atan2(-ahead[0], ahead[2]))
    elevation = math.degrees(math.asin(float(np.clip(ahead[1], -1, 1))))
    level = rotation_of(Pose(azimuth_deg=azimuth, elevation_deg=elevation))
    turned = level @ right
    return azimuth, elevation, math.degrees(math.atan2(turned[1], turned[0]))


def lens_of(name: str, width_px: int, height_px: int) -> Lens:
    """Return the lens that a picture of this size is taken to have."""
    half = math.tan(math.radians(FIELD_OF_VIEW_DEG[name] / 2))
    return Lens(tan_half_height=half * height_px / min(width_px, height_px), width_px=width_px, height_px=height_px)
