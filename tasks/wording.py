"""How a coverage is put into words and small pictures: one wording for the sheet, the page and the Prefect UI."""

import base64
import io
from collections.abc import Sequence

from PIL import Image

from models.camera import Pose
from models.scores.findings import CameraFinding, ScoreCard
from models.scores.paper import PaperScores
from models.specs import AngleSpec

SCORE_COLUMNS = ("CLIP", "Style", "Cam Move", "Semantic", "Composite")
SCORES_NOTE = (
    "Paper preset, every formula assumed: Cam Move = 1 - SSIM (grey, default window); Style = correlation of 50x60 "
    "hue-saturation histograms; Semantic = cosine at 32x32 RGB; Composite = 100 x mean of these three. None of them "
    "can decide whether a view is right."
)


def warn_of_training(untrained: Sequence[str], num_angles: int) -> str:
    """Return what a reader must know about the weights behind the angles of these names, or an empty string."""
    if not untrained:
        return ""
    if len(untrained) == num_angles:
        return "UNTRAINED: the weights are random numbers, so these pictures prove the path and no quality."
    return f"UNTRAINED: the weights behind {', '.join(untrained)} are random numbers, which prove no quality."


def describe_shot(spec: AngleSpec) -> tuple[str, ...]:
    """Return the pose that the model was given and, where it differs, a second line with the one asked for."""
    given, asked = _describe_pose(spec.instruction.given), _describe_pose(spec.asked)
    return (given,) if given == asked else (given, f"asked: {asked}")


def _describe_pose(pose: Pose) -> str:
    words = f"azimuth {pose.azimuth_deg:+g}°, elevation {pose.elevation_deg:+g}°, distance {pose.distance:g}"
    return f"{words}, wide lens" if pose.lens == "wide" else words


def describe_verdict(card: ScoreCard) -> str:
    """Return the verdict with its reasons, in one line."""
    return "; ".join((f"{card.verdict.upper()}", *card.reasons)).replace("; ", ": ", 1)


def describe_camera(camera: CameraFinding) -> str:
    """Return what the camera was found to have done."""
    learnt = " (by patches)" if camera.evidence == "patches" else ""
    if camera.motion in {"crop", "zoom"} and camera.scale is not None:
        return f"{camera.motion}, things {camera.scale:.2f} times as large"
    if camera.motion in {"orbited", "pan", "dollied"} and camera.azimuth_deg is not None:
        where = f"azimuth {camera.azimuth_deg:+.0f}°, elevation {camera.elevation_deg or 0.0:+.0f}°"
        return f"{camera.motion}, {where}{learnt}"
    return f"{camera.motion}{learnt}"


def list_scores(scores: PaperScores) -> tuple[str, ...]:
    """Return the figures in the order of `SCORE_COLUMNS`; one that was not measured as a dash."""
    figures = (scores.clip, scores.style, scores.cam_move, scores.semantic)
    return (*("-" if figure is None else f"{figure:.3f}" for figure in figures), f"{scores.composite:.1f}")


def embed_jpeg(picture: Image.Image, longest_side_px: int, quality: int = 85) -> str:
    """Return a `data:` address of a JPEG, made smaller if it is larger than wanted."""
    shown = picture.copy()
    shown.thumbnail((longest_side_px, longest_side_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.save(buffer, format="JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
