"""A review page of seven angles of the film stage, with one of everything that an editor may meet."""

import io
import math
from base64 import b64encode
from datetime import UTC, datetime
from typing import TypeVar

from PIL import Image, ImageOps
from pydantic import BaseModel

from models.camera import PRESETS, Pose, Preset
from models.miniature.cameras import camera_for
from models.miniature.raycast import render_view
from models.miniature.stage import make_scene
from tasks.review_page import (
    MeasuredPose,
    ReviewAngle,
    ReviewAttempt,
    ReviewCheck,
    ReviewDownload,
    ReviewEncoder,
    ReviewPage,
    ReviewPicture,
    ScoreColumn,
    Verdict,
)

Model = TypeVar("Model", bound=BaseModel)

SHOTS = (
    Preset.CLOSE_UP,
    Preset.LOW_ANGLE,
    Preset.HIGH_ANGLE,
    Preset.TOP_DOWN,
    Preset.WIDE,
    Preset.LEFT_45,
    Preset.RIGHT_45,
)
VERDICTS: tuple[Verdict, ...] = ("pass", "review", "pass", "review", "pass", "fail", "fail")
HOSTILE = """</script><script>hit = 1</script><img src="https://example.com/x.png" onerror="hit = 1">"&' {{ 7 * 7 }}"""
KEPT = {"uri", "verdict", "status", "download"}
CREATED_AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
MEASURED = (
    MeasuredPose(kind="crop", azimuth_deg=0.4, elevation_deg=1.1, distance=0.63, rotation_error_deg=1.2),
    MeasuredPose(kind="orbited", azimuth_deg=2.0, elevation_deg=-9.0, rotation_error_deg=11.2),
    MeasuredPose(kind="orbited", azimuth_deg=-3.0, elevation_deg=27.0, rotation_error_deg=4.3),
    MeasuredPose(kind="unverifiable"),
    None,
    MeasuredPose(kind="mirrored", azimuth_deg=41.0, elevation_deg=2.0, rotation_error_deg=86.1),
    MeasuredPose(kind="static", azimuth_deg=0.0, elevation_deg=0.0, distance=1.0, rotation_error_deg=45.0),
)
REASONS = (
    (),
    ("The camera fell by 9°, not by 20°.",),
    (),
    ("The master shows nothing from above, so the pose cannot be verified.",),
    (),
    ("The picture is the master's mirror image: the camera went to the right, not to the left.",),
    ("The camera did not move: the picture is the master again.", "Two persons stand where the master has one."),
)
COLUMNS = (
    ScoreColumn(
        key="patches",
        label="Patches",
        explanation="Median similarity of a patch to the most similar place in the master.",
        is_higher_better=True,
        chance=0.31,
        null_edit=1.0,
        mirror=0.93,
    ),
    ScoreColumn(
        key="rotation",
        label="Rotation off",
        explanation="Degrees between the measured orientation and the one given.",
        is_higher_better=False,
        num_decimals=1,
        chance=64.0,
        null_edit=38.6,
        mirror=47.2,
    ),
    ScoreColumn(
        key="cam_move",
        label="Cam Move",
        explanation="Paper preset: 1 - SSIM on grey.",
        chance=0.88,
        null_edit=0.0,
        mirror=0.61,
    ),
    ScoreColumn(
        key="composite",
        label="Composite",
        explanation="Paper preset: 100 x mean of three figures, each with weight 1/3.",
        num_decimals=1,
        chance=None,
        null_edit=66.7,
        mirror=75.9,
    ),
)


def make_page(width_px: int = 480, height_px: int = 270) -> ReviewPage:
    """Return the page; the pictures are of the size given, each in it at that size."""
    return ReviewPage(
        coverage_id="street/v000007/20260329T013000Z-0123456789ab",
        title="street  v000007  miniature",
        warning="UNTRAINED: the weights behind left_45 are random numbers, which prove no quality.",
        project="Night Shift",
        sequence="SQ 040",
        scene="street",
        version="v000007",
        created_at=CREATED_AT,
        profile="miniature",
        master=show(shoot(Pose(), width_px, height_px), "Master of street"),
        angles=tuple(_make_angle(index, width_px, height_px) for index in range(len(SHOTS))),
        columns=COLUMNS,
        multi_view_finding="Five of seven angles show one place; left_45 and right_45 contradict the others.",
        encoders=(
            ReviewEncoder(name="dinov2-small", licence="Apache-2.0", digest="3f" * 32),
            ReviewEncoder(name="miniature-clip", licence="made here", digest="not measured: no weights were found"),
        ),
        notes=(
            "Paper preset: Composite = 100 x (Style + Cam Move + Semantic) / 3, weights assumed.",
            "A rotation off by more than 20° fails: the 95th percentile of 400 held-out views of the film stage.",
        ),
        downloads=(
            ReviewDownload(label="Report", path="report.parquet"),
            ReviewDownload(label="Contact sheet", path="contact_sheet.png"),
        ),
    )


def make_hostile(page: ReviewPage) -> ReviewPage:
    """Return the page with markup in place of every text that it may be given."""
    changes = {
        "angles": tuple(
            _spoil(
                angle,
                name=f"{index} {HOSTILE}",
                picture=_spoil(angle.picture),
                measured=angle.measured and _spoil(angle.measured),
                checks=tuple(_spoil(check) for check in angle.checks),
            )
            for index, angle in enumerate(page.angles)
        ),
        "columns": tuple(_spoil(column, key=column.key) for column in page.columns),
        "encoders": tuple(_spoil(encoder) for encoder in page.encoders),
        "downloads": tuple(_spoil(file, path=file.path) for file in page.downloads),
        "master": _spoil(page.master),
    }
    return _spoil(page, **changes)


def _spoil(model: Model, **changes: object) -> Model:
    texts: dict[str, object] = {}
    for name, value in model:
        if value and name not in KEPT and isinstance(value, str):
            texts[name] = HOSTILE
        elif value and isinstance(value, tuple) and isinstance(value[0], str):
            texts[name] = (HOSTILE,) * len(value)
    return type(model).model_validate(model.model_dump() | texts | changes)


def shoot(pose: Pose, width_px: int, height_px: int) -> Image.Image:
    """Return the film stage from a pose."""
    view = render_view(make_scene(7), camera_for(pose), width_px, height_px, samples_per_axis=1)
    return Image.fromarray(view.picture)


def show(picture: Image.Image, alt: str) -> ReviewPicture:
    """Return a picture as the page holds it."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    uri = "data:image/png;base64," + b64encode(buffer.getvalue()).decode()
    return ReviewPicture(uri=uri, alt=alt, width_px=picture.width, height_px=picture.height)


def make_heat_map(num_rows: int = 16, num_columns: int = 28) -> tuple[tuple[float | None, ...], ...]:
    """Return similarities that fall towards the right, with a hole at the top left."""

    def value(x: int, y: int) -> float | None:
        if x < 2 and y < 2:
            return None
        return round(max(0.0, 1 - x / num_columns - 0.2 * math.sin(y / 3) ** 2), 3)

    return tuple(tuple(value(x, y) for x in range(num_columns)) for y in range(num_rows))


def _make_angle(index: int, width_px: int, height_px: int) -> ReviewAngle:
    shot, verdict, measured = SHOTS[index], VERDICTS[index], MEASURED[index]
    pose = PRESETS[shot]
    picture = shoot(pose, width_px, height_px)
    if shot in {Preset.LEFT_45, Preset.RIGHT_45}:
        master = shoot(Pose(), width_px, height_px)
        picture = ImageOps.mirror(master) if shot is Preset.LEFT_45 else master
    return ReviewAngle(
        name=shot.value,
        picture=show(picture, f"{shot.value} of street"),
        title_lines=(
            f"azimuth {pose.azimuth_deg:+g}°, elevation {pose.elevation_deg:+g}°, distance {pose.distance:g}",
        ),
        asked=pose,
        given=pose,
        measured=measured,
        verdict=verdict,
        reasons=REASONS[index],
        checks=_make_checks(verdict, measured),
        scores={
            "patches": 0.9 - 0.07 * index,
            "rotation": measured.rotation_error_deg if measured else None,
            "cam_move": 0.2 + 0.1 * index,
            "composite": (100.0, 9.5, 88.25, None, 71.0, 64.0, 66.7)[index],
        },
        heat_map=None if shot is Preset.WIDE else make_heat_map(),
        attempts=_make_attempts(picture, verdict) if index % 2 else (),
        download=f"angles/{shot.value}.png",
    )


def _make_checks(verdict: Verdict, measured: MeasuredPose | None) -> tuple[ReviewCheck, ...]:
    return (
        ReviewCheck(name="Camera moved as asked", status=verdict, reason="measured against the master's patches"),
        ReviewCheck(name="One subject", status="pass"),
        ReviewCheck(name="Not mirrored", status="pass", reason="similarity falls when the master is mirrored"),
        ReviewCheck(
            name="Same subject",
            status="pass" if measured else "not_measured",
            reason="" if measured else "no face found",
        ),
    )


def _make_attempts(picture: Image.Image, verdict: Verdict) -> tuple[ReviewAttempt, ...]:
    small = picture.copy()
    small.thumbnail((160, 160))
    return (
        ReviewAttempt(
            number=1, seed=7, picture=show(ImageOps.flip(small), "attempt 1"), verdict="fail", is_chosen=False
        ),
        ReviewAttempt(number=2, seed=1007, picture=show(small, "attempt 2"), verdict=verdict, is_chosen=True),
    )
