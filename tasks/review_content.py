"""What the review page of a version shows: its cards, put into words, colours and columns."""

from collections.abc import Mapping

from PIL import Image

from models.scores.findings import MultiViewFinding, ScoreCard
from models.scores.paper import ASSUMPTIONS, CANNOT_TELL
from models.specs import AngleSpec
from storage.records import AngleRecord
from storage.versions import version_name
from tasks.coverage import Coverage, spec_of
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
)
from tasks.takes import Take
from tasks.wording import describe_shot, embed_jpeg

PICTURE_SIDE_PX, TAKE_SIDE_PX = 1024, 240

_COLUMNS = (
    ScoreColumn(
        key="order_score",
        label="Order",
        explanation="For ranking only: grade in 0 to 1, less 1 for each check to review and 10 for each failed one",
        is_higher_better=True,
        num_decimals=2,
    ),
    ScoreColumn(
        key="camera_error_deg",
        label="Camera error °",
        explanation="Between the rotation measured and the one the model was given",
        is_higher_better=False,
        num_decimals=1,
    ),
    ScoreColumn(
        key="appearance",
        label="Appearance",
        explanation="Mean similarity of each patch to the most similar one of the master",
        is_higher_better=True,
    ),
    ScoreColumn(
        key="colour_distance",
        label="Colour",
        explanation="Sliced Wasserstein distance of all pixels in Lab",
        is_higher_better=False,
        num_decimals=1,
    ),
)
_PAPER = {"clip": "CLIP", "style": "Style", "cam_move": "Cam Move", "semantic": "Semantic", "composite": "Composite"}


def describe_coverage(coverage: Coverage, master: Image.Image, pictures: Mapping[str, Image.Image]) -> ReviewPage:
    """Return what the page of a version shows.

    Args:
        coverage: The version.
        master: Its master, as large as reports may have it.
        pictures: The pictures of all attempts, by digest.
    """
    framing = spec_of(coverage.angles[0]).framing
    size = (framing.source_width_px, framing.source_height_px)
    return ReviewPage(
        coverage_id=f"{coverage.request.project}/{coverage.scene}/{version_name(coverage.number)}/{coverage.run_id}",
        title=coverage.title,
        warning=coverage.warning,
        project=coverage.request.project,
        sequence=coverage.request.sequence,
        scene=coverage.scene,
        version=version_name(coverage.number),
        created_at=coverage.created_at,
        profile=coverage.profile.name,
        master=_picture(master, "Master", size),
        angles=tuple(_angle(coverage, record, pictures, size) for record in coverage.angles),
        columns=(*_COLUMNS, *_paper_columns(coverage)),
        encoders=_encoders(coverage),
        notes=_notes(coverage),
        multi_view_finding=_describe_multi_view(coverage.multi_view),
        downloads=tuple(
            ReviewDownload(label=label, path=path)
            for label, path in (
                ("Contact sheet", "contact_sheet.png"),
                ("Parquet report", "report.parquet"),
                ("Master", "master.png"),
            )
        ),
    )


def _angle(
    coverage: Coverage, record: AngleRecord, pictures: Mapping[str, Image.Image], size: tuple[int, int]
) -> ReviewAngle:
    card, spec = coverage.card(record.name), spec_of(record)
    takes = coverage.takes[record.name]
    return ReviewAngle(
        name=record.name,
        picture=_picture(pictures[record.picture.sha256], record.name, size),
        title_lines=describe_shot(spec),
        asked=spec.asked,
        given=spec.instruction.given,
        measured=_measured(card),
        verdict=card.verdict,
        reasons=card.reasons,
        checks=tuple(
            ReviewCheck(name=name, status=finding.status, reason=finding.reason)
            for name, finding in card.findings.items()
        ),
        scores=_scores(card),
        heat_map=card.place.heat_map,
        attempts=tuple(_attempt(take, pictures, size) for take in takes) if len(takes) > 1 else (),
        download=f"angles/{record.name}.png",
    )


def _picture(picture: Image.Image, alt: str, size: tuple[int, int], side_px: int = PICTURE_SIDE_PX) -> ReviewPicture:
    return ReviewPicture(uri=embed_jpeg(picture, side_px), alt=alt, width_px=size[0], height_px=size[1])


def _attempt(take: Take, pictures: Mapping[str, Image.Image], size: tuple[int, int]) -> ReviewAttempt:
    spec: AngleSpec = spec_of(take.record)
    picture = pictures[take.record.picture.sha256]
    return ReviewAttempt(
        number=take.number,
        seed=spec.seed,
        picture=_picture(picture, f"{spec.name}, attempt {take.number}", size, TAKE_SIDE_PX),
        verdict=take.card.verdict,
        is_chosen=take.is_chosen,
    )


def _measured(card: ScoreCard) -> MeasuredPose:
    camera = card.camera
    return MeasuredPose(
        kind=camera.motion,
        azimuth_deg=camera.azimuth_deg,
        elevation_deg=camera.elevation_deg,
        rotation_error_deg=camera.error_deg,
    )


def _scores(card: ScoreCard) -> dict[str, float | None]:
    return {
        "order_score": card.order_score,
        "camera_error_deg": card.camera.error_deg,
        "appearance": card.place.appearance,
        "colour_distance": card.grade.colour_distance,
        **{f"paper_{key}": getattr(card.paper, key) for key in _PAPER},
    }


def _paper_columns(coverage: Coverage) -> tuple[ScoreColumn, ...]:
    """Return the paper's figures with what each is to be compared with."""
    mirrored = [coverage.card(record.name).paper_mirror for record in coverage.angles]
    return tuple(
        ScoreColumn(
            key=f"paper_{key}",
            label=f"Paper {label}",
            explanation=f"Of the paper preset; cannot tell {CANNOT_TELL[key]}",
            num_decimals=1 if key == "composite" else 3,
            chance=getattr(coverage.baselines.chance, key),
            null_edit=getattr(coverage.baselines.null_edit, key),
            mirror=_mean([getattr(scores, key) for scores in mirrored]),
        )
        for key, label in _PAPER.items()
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _encoders(coverage: Coverage) -> tuple[ReviewEncoder, ...]:
    profile = coverage.profile
    shown = [
        ReviewEncoder(
            name=encoder.name,
            licence=encoder.licence,
            digest=f"not measured: {coverage.missing[kind]}" if kind in coverage.missing else encoder.digest,
        )
        for kind, encoder in (("appearance", profile.appearance), ("faces", profile.faces))
        if encoder
    ]
    for kind, source in (("clip", profile.clip), ("judge", profile.judge)):
        if source:
            missing = coverage.missing.get(kind)
            state = f"not measured: {missing}" if missing else f"revision {source.revision}"
            shown.append(ReviewEncoder(name=f"{kind}: {source.name}", licence=profile.licence, digest=state))
    return tuple(shown)


def _describe_multi_view(finding: MultiViewFinding) -> str:
    words = "not measured: " if finding.status == "not_measured" else ""
    error = finding.reprojection_px
    precision = "" if error is None else f" (mean reprojection error {error:.2f} px)"
    return f"All views together: {words}{finding.reason}{precision}."


def _notes(coverage: Coverage) -> tuple[str, ...]:
    thresholds = coverage.profile.thresholds
    return (
        f"Thresholds {thresholds.name}: {thresholds.origin}.",
        "The master is taken to have a field of view of 40 degrees across its shorter side.",
        "The subject is taken to stand in the middle, because every pose goes around it.",
        *ASSUMPTIONS,
    )
