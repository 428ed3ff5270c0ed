"""What a version looks like: Parquet rows, the contact sheet, the review page."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image
from pydantic import BaseModel, ConfigDict

from models.profiles import Profile
from models.scores.paper import PaperScores
from models.sheet import SheetCell, draw_sheet
from models.specs import AngleSpec
from storage.objects import BlobRef
from storage.records import AngleRecord
from tasks.wording import (
    SCORE_COLUMNS,
    SCORES_NOTE,
    describe_shot,
    embed_jpeg,
    list_scores,
    warn_of_training,
)

TEMPLATES = Path(__file__).parent
PAGE_SIDE_PX = 1024
TABLE_COLUMNS = ("Angle", "Camera given", *SCORE_COLUMNS, "Seconds")


class Coverage(BaseModel):
    """All that a version shows, before it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scene: str
    run_id: str
    created_at: datetime
    profile: Profile
    master: BlobRef
    angles: tuple[AngleRecord, ...]
    scores: dict[str, PaperScores]

    @property
    def title(self) -> str:
        """One line that names the version."""
        return f"{self.scene}  {self.run_id}  {self.profile.name}"

    @property
    def warning(self) -> str:
        """What a reader must know before trusting a picture."""
        return warn_of_training(self.profile.training, self.profile.name)


def list_rows(coverage: Coverage) -> list[dict[str, object]]:
    """Return the rows of the Parquet report, one per angle; the columns are those of `storage.reports`."""
    return [_row(coverage, record, AngleSpec.model_validate(record.spec)) for record in coverage.angles]


def _row(coverage: Coverage, record: AngleRecord, spec: AngleSpec) -> dict[str, object]:
    scores = coverage.scores[record.name]
    poses = {"asked": spec.asked, "given": spec.instruction.given}
    return {
        "scene": coverage.scene,
        "run_id": coverage.run_id,
        "created_at": coverage.created_at,
        "angle": record.name,
        "fingerprint": record.fingerprint,
        "rendered_by_run": record.run_id,
        "profile": spec.profile.name,
        "training": spec.profile.training,
        "seed": spec.seed,
        "prompt": spec.instruction.prompt,
        **{f"{kind}_{name}": value for kind, pose in poses.items() for name, value in pose.model_dump().items()},
        "is_extrapolated": spec.instruction.is_extrapolated,
        "picture_sha256": record.picture.sha256,
        "master_sha256": coverage.master.sha256,
        "width_px": spec.framing.source_width_px,
        "height_px": spec.framing.source_height_px,
        **{f"{stage}_s": seconds for stage, seconds in record.stage_times_s.items()},
        **{f"paper_{name}": value for name, value in scores.model_dump().items()},
        "paper_composite": scores.composite,
        "clip_encoder": coverage.profile.clip,
        "clip_training": coverage.profile.training,
    }


def draw_contact_sheet(coverage: Coverage, master: Image.Image, views: Mapping[str, Image.Image]) -> Image.Image:
    """Draw the contact sheet of a version."""
    size = f"{master.width} x {master.height} px"
    cells = [
        SheetCell(picture=views[record.name], title=record.name, lines=_captions(coverage, record))
        for record in coverage.angles
    ]
    return draw_sheet(coverage.title, coverage.warning, SheetCell(picture=master, title="master", lines=(size,)), cells)


def write_page(coverage: Coverage, master: Image.Image, views: Mapping[str, Image.Image]) -> str:
    """Return the review page of a version: one HTML file that needs nothing else."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("review.html.j2").render(
        title=coverage.title,
        warning=coverage.warning,
        master={"uri": embed_jpeg(master, PAGE_SIDE_PX), "caption": f"{master.width} x {master.height} px"},
        angles=[
            {
                "name": record.name,
                "uri": embed_jpeg(views[record.name], PAGE_SIDE_PX),
                "captions": _captions(coverage, record),
            }
            for record in coverage.angles
        ],
        columns=TABLE_COLUMNS,
        rows=list_table(coverage),
        note=SCORES_NOTE,
    )


def list_table(coverage: Coverage) -> list[tuple[str, ...]]:
    """Return one row per angle under `TABLE_COLUMNS`, for people."""
    return [
        (
            record.name,
            "; ".join(describe_shot(AngleSpec.model_validate(record.spec))),
            *list_scores(coverage.scores[record.name]),
            f"{sum(record.stage_times_s.values()) - record.stage_times_s['queue']:.2f}",
        )
        for record in coverage.angles
    ]


def _captions(coverage: Coverage, record: AngleRecord) -> tuple[str, ...]:
    clip, style, cam_move, semantic, composite = list_scores(coverage.scores[record.name])
    return (
        *describe_shot(AngleSpec.model_validate(record.spec)),
        f"CLIP {clip}   Style {style}   Cam Move {cam_move}",
        f"Semantic {semantic}   Composite {composite}",
    )
