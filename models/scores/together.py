# pyright: standard
"""What the other pictures of a coverage add to the cards of its views, and what they say of the coverage as a whole.

A camera that two pictures could not verify is verified by a chain of pictures; a region that no other picture shows,
though it should, is pointed at. Nothing that two pictures verified is taken back.
"""

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict

from models.camera import Pose
from models.scores.camera_check import CameraEvidence, judge_camera, read_angles
from models.scores.findings import CameraFinding, Motion, MultiViewFinding, ScoreCard
from models.scores.matching import Matches
from models.scores.multi_view import MultiView, SeenByOthers
from models.scores.two_view import MAX_ROTATION_DEG, MIN_TURN_DEG, TwoViews, angle_deg
from models.thresholds import Thresholds

MIN_POINTS = 150
"""With fewer, a camera was placed as wrongly as rightly in low-textured scenes."""
MAX_ROLL_DEG = 15.0
"""No pose that can be asked for tilts the horizon: a camera placed so was placed wrongly."""
MIN_MOVED = 0.05
"""As a share of the distance to the scene: below it a camera stayed where it was."""
_WORDS = {
    "left_out": "left out, having failed on their own",
    "missing": "not found in it",
    "strange": "in part of somewhere else",
}
_NOWHERE = np.zeros((0, 2), np.float32)


class Together(BaseModel):
    """A coverage after all its pictures were looked at together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    finding: MultiViewFinding
    cards: dict[str, ScoreCard]
    """By name, with what the others added."""


def weigh_together(
    seen: MultiView, cards: Mapping[str, ScoreCard], given: Mapping[str, Pose], limits: Thresholds
) -> Together:
    """Return the cards with what the other pictures add, and the finding on all of them.

    Args:
        seen: What was found; it does not name views that failed on their own, which are no evidence.
        cards: By name.
        given: The poses that the pictures were asked for, by name.
        limits: What is doubtful.
    """
    weighed = {
        name: _weigh(card, seen.views[name], given[name], limits) if name in seen.views else card
        for name, card in cards.items()
    }
    placed = [name for name, view in seen.views.items() if _is_placed(view)]
    if not placed:
        reason = "too few places are shared by three pictures"
        return Together(finding=MultiViewFinding(status="not_measured", reason=reason), cards=weighed)
    outliers = {
        "left_out": tuple(name for name in cards if name not in seen.views),
        "missing": tuple(name for name in seen.views if name not in placed),
        "strange": tuple(name for name, view in seen.views.items() if _doubt(view, limits)),
    }
    said = [f"{len(placed)} of {len(cards)} angles show one place"]
    said += [f"{', '.join(names)}: {_WORDS[how]}" for how, names in outliers.items() if names]
    finding = MultiViewFinding(
        status="review" if any(outliers.values()) else "pass",
        reason="; ".join(said),
        registered_share=len(placed) / len(cards),
        reprojection_px=seen.reprojection_px,
        **outliers,
    )
    return Together(finding=finding, cards=weighed)


def _is_placed(view: SeenByOthers) -> bool:
    if view.rotation is None or view.num_points < MIN_POINTS:
        return False
    rotation = np.array(view.rotation)
    return abs(read_angles(rotation)[2]) <= MAX_ROLL_DEG and angle_deg(rotation) <= MAX_ROTATION_DEG


def _weigh(card: ScoreCard, view: SeenByOthers, given: Pose, limits: Thresholds) -> ScoreCard:
    camera, place = card.camera, card.place
    if view.strange is not None:
        place = place.model_copy(update={"strange": view.strange})
    if _is_placed(view):
        place = place.model_copy(update={"foreign": view.foreign})
        if camera.evidence != "two_view":
            camera = _judge_camera(view, given, limits)
            reason = f"{view.num_points} places that other angles show were found again"
            place = place.model_copy(update={"status": "pass", "reason": reason})
    if place.status == "pass" and (doubt := _doubt(view, limits)):
        place = place.model_copy(update={"status": "review", "reason": doubt})
    return card.model_copy(update={"camera": camera, "place": place})


def _doubt(view: SeenByOthers, limits: Thresholds) -> str:
    """Return what part of a view seems to be of somewhere else, or an empty string."""
    if _is_placed(view) and view.region and view.foreign is not None and view.foreign > limits.foreign:
        return f"its {view.region.words} part shows what no other angle shows there"
    if view.strange_region and view.strange is not None and view.strange > limits.strange:
        return f"its {view.strange_region.words} part has colours that no other angle has"
    return ""


def _judge_camera(view: SeenByOthers, given: Pose, limits: Thresholds) -> CameraFinding:
    rotation = np.array(view.rotation)
    has_turned, has_moved = angle_deg(rotation) >= MIN_TURN_DEG, view.moved >= MIN_MOVED
    motions: dict[tuple[bool, bool], Motion] = {
        (True, True): "orbited",
        (True, False): "pan",
        (False, True): "dollied",
        (False, False): "static",
    }
    motion = motions[has_turned, has_moved]
    views = TwoViews(motion=motion, num_matches=view.num_points, num_inliers=view.num_points, rotation=rotation)
    evidence = CameraEvidence(views=views, motion=motion, agreed=Matches(master=_NOWHERE, view=_NOWHERE))
    return judge_camera(evidence, given, limits).model_copy(update={"evidence": "multi_view"})
