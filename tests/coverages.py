"""Coverages of finished angles, without a model and without pictures."""

from collections.abc import Mapping
from datetime import UTC, datetime

from models.camera import Pose, phrase
from models.framing import plan_framing
from models.profiles import MINIATURE, Profile
from models.scores.findings import (
    CameraFinding,
    GradeFinding,
    MultiViewFinding,
    PeopleFinding,
    PictureFinding,
    PlaceFinding,
    ScoreCard,
    Status,
)
from models.scores.paper import PaperBaselines, PaperScores
from models.specs import AngleSpec
from storage.objects import BlobRef
from storage.records import AngleRecord
from tasks.coverage import Coverage
from tasks.requests import parse_request
from tasks.takes import Scored, add_takes

SIZE = (448, 256)
MASTER = BlobRef.of(b"the master", "image/png")
CREATED_AT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
STAGE_TIMES_S = {"queue": 9.0, "encode": 0.25, "sample": 1.0, "decode": 0.125, "store": 0.0625}
POSES = {"left_40": Pose(azimuth_deg=-40), "top_down": Pose(elevation_deg=90)}
SCORES = PaperScores(clip=0.875, style=0.5, cam_move=0.75, semantic=1.0)
BASELINES = PaperBaselines(
    chance=PaperScores(clip=0.25, style=0.125, cam_move=0.75, semantic=0.5),
    null_edit=PaperScores(clip=1.0, style=1.0, cam_move=0.0, semantic=1.0),
)


def make_card(camera: Status = "pass", reason: str = "", error_deg: float = 3.0) -> ScoreCard:
    """Return a card on which all but the camera is as it should be."""
    return ScoreCard(
        picture=PictureFinding(status="pass", structure=0.95, sharpness_ratio=0.9),
        camera=CameraFinding(
            status=camera,
            reason=reason,
            motion="orbited",
            evidence="two_view",
            azimuth_deg=-42.0,
            elevation_deg=1.0,
            roll_deg=0.5,
            error_deg=error_deg,
            num_matches=300,
            num_inliers=90,
        ),
        place=PlaceFinding(
            status="pass",
            appearance=0.55,
            unmatched_share=0.125,
            foreign=7.5,
            strange=0.01,
            heat_map=((0.5, 0.25), (1.0, 0.0)),
        ),
        people=PeopleFinding(status="pass", subject_distance=1.5),
        grade=GradeFinding(status="pass", colour_distance=2.5, palette_distance=1.25),
        paper=SCORES,
        paper_mirror=SCORES,
        thresholds="made-up",
    )


def make_record(
    name: str, pose: Pose, profile: Profile = MINIATURE, seed: int = 2**32 - 1, picture: BlobRef | None = None
) -> AngleRecord:
    """Return the record of one finished angle."""
    spec = AngleSpec(
        name=name,
        asked=pose,
        instruction=phrase(pose, "relative"),
        seed=seed,
        profile=profile,
        weights_sha256="11" * 32,
        reference_sha256=MASTER.sha256,
        framing=plan_framing(*SIZE, MINIATURE.reference_area_px),
    )
    return AngleRecord(
        name=name,
        fingerprint=spec.fingerprint,
        spec=spec.model_dump(mode="json"),
        picture=picture or BlobRef.of(f"{name} {seed}".encode(), "image/png"),
        stage_times_s=STAGE_TIMES_S,
        run_id="20260101T000000Z-earlier",
        rendered_at="2026-01-01T00:00:00+00:00",
    )


def cover(
    records: Mapping[str, AngleRecord], cards: Mapping[str, ScoreCard] | None = None, *, master: BlobRef = MASTER
) -> Coverage:
    """Return a coverage of one attempt at each angle."""
    cards = cards or dict.fromkeys(records, make_card())
    scored = Scored(cards=dict(cards), baselines=BASELINES, missing={}, seconds=0.5)
    return Coverage(
        request=parse_request({"project": "night", "sequence": "s010", "scene": "street", "master": "m"}),
        number=7,
        run_id="20260329T013000Z-0123456789ab",
        created_at=CREATED_AT,
        profile=MINIATURE,
        master=master,
        takes=add_takes({}, records, cards),
        rounds=(scored,),
        multi_view=MultiViewFinding(
            status="pass", reason="2 of 2 angles show one place", registered_share=1.0, reprojection_px=0.5
        ),
    )


def make_coverage(poses: Mapping[str, Pose] = POSES) -> Coverage:
    """Return a coverage of finished angles that pass."""
    return cover({name: make_record(name, pose) for name, pose in poses.items()})
