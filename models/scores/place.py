"""Is it the same place: by places found again, else by what a judge of patches thinks, else not to be said."""

from models.camera import Pose
from models.scores.camera_check import expected_motion
from models.scores.findings import CameraFinding, PlaceFinding, Status
from models.scores.judge import Opinion
from models.thresholds import Thresholds


def check_place(camera: CameraFinding, appearance: float, opinion: Opinion | None, limits: Thresholds) -> PlaceFinding:
    """Judge the place by the strongest evidence there is."""
    status, reason = _judge(camera, appearance, opinion, limits)
    return PlaceFinding(status=status, reason=reason, appearance=appearance)


def _judge(camera: CameraFinding, appearance: float, opinion: Opinion | None, limits: Thresholds) -> tuple[Status, str]:
    if camera.evidence == "two_view":
        return "pass", f"{camera.num_inliers} places of the master were found again"
    if appearance < limits.min_appearance:
        return "fail", "nothing of the master is found again"
    if opinion is None:
        return "review", "too little of the master is found again to say that it is the same place"
    same = opinion.places["same"] + opinion.places["mirrored"]
    if same > limits.judge[0]:
        return (
            "pass",
            f"patches are found again as in the same place (probability {same:.0%}, learnt on the film stage)",
        )
    words = f"patches are found again as in another place (probability {1 - same:.0%}, learnt on the film stage)"
    return ("fail" if same < limits.judge[1] else "review"), words


def weigh_judge(camera: CameraFinding, opinion: Opinion, asked: Pose, limits: Thresholds) -> CameraFinding:
    """Return what is to be said of a camera that geometry could not verify."""
    if opinion.places["mirrored"] > limits.judge[0]:
        return camera.model_copy(
            update={"status": "fail", "reason": "the picture is mirrored", "motion": "mirrored", "evidence": "patches"}
        )
    if opinion.places["same"] < limits.judge[0]:
        return camera
    asked_for = opinion.probability_of(asked)
    seen = {
        "evidence": "patches",
        "motion": expected_motion(Pose(azimuth_deg=opinion.azimuth_deg, elevation_deg=opinion.elevation_deg)),
        "azimuth_deg": float(opinion.azimuth_deg),
        "elevation_deg": float(opinion.elevation_deg),
    }
    where = f"azimuth {opinion.azimuth_deg:+.0f}, elevation {opinion.elevation_deg:+.0f} degrees"
    if asked_for > limits.judge[0]:
        return camera.model_copy(update={**seen, "status": "pass", "reason": "", "motion": expected_motion(asked)})
    if asked_for < limits.judge[1]:
        words = f"patches are found again as from a camera at {where} (learnt on the film stage)"
        return camera.model_copy(update={**seen, "status": "fail", "reason": words})
    return camera
