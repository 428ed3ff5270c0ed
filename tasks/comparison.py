# pyright: standard
"""Comparing tools: pictures brought in from outside, or published here, under the same scores.

Every angle of every scene has one row for each tool. A picture that is missing, cannot be read or was made from another
master is a row without figures that says so; one of another size is brought to the master's, and says so.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from pydantic import BaseModel, ConfigDict

from models.camera import PRESETS
from models.profiles import Profile, find_profile
from models.weights import as_found
from storage.comparison_report import read_comparison, write_comparison
from storage.objects import BlobRef
from storage.opening import open_store
from storage.records import MasterRecord
from tasks.comparison_figures import draw_figures
from tasks.comparison_request import STORE, ComparedTool, ComparisonRequest
from tasks.comparison_sources import Candidate, collect_files, collect_published
from tasks.ingest import decode_png
from tasks.policies import WHILE_TRANSIENT
from tasks.scorers import scorer_for

if TYPE_CHECKING:
    from models.scores.scoring import Scorer

SAME_SHAPE = 1.02
"""Aspects within this factor are the same, but for a rounded side."""


class Comparison(BaseModel):
    """Where the results of a comparison are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    report: BlobRef
    """Parquet, one row per tool, scene and angle."""
    figures: dict[str, BlobRef]
    """SVG, by name."""
    num_rows: int
    num_scored: int


@task(name="choose-encoders", task_run_name="choose encoders", cache_policy=NO_CACHE)
def choose_profile(request: ComparisonRequest, weights: Path) -> Profile:
    """Return the profile whose encoders score all tools, as its files are.

    Raises:
        ProfileError: Its files cannot be found.
    """
    return as_found(find_profile(request.profile), weights)


@task(name="collect-pictures", task_run_name="collect pictures of {tool.tool}", **WHILE_TRANSIENT)
def collect_pictures(
    tool: ComparedTool,
    request: ComparisonRequest,
    masters: Mapping[str, MasterRecord],
    folders: tuple[Path, ...],
    store_url: str,
) -> tuple[Candidate, ...]:
    """Return one candidate for every angle of every scene, in their order.

    Raises:
        InvalidRequestError: The source of the tool is not there, not allowed, or cannot be understood.
        StorageError: The store does not give or take a picture.
    """
    store = open_store(store_url)
    if STORE.fullmatch(tool.source):
        return collect_published(tool, request, masters, store)
    return collect_files(tool, request, masters, folders, store)


@task(name="score-comparison", task_run_name="score all tools", **WHILE_TRANSIENT)
def score_comparison(
    request: ComparisonRequest,
    masters: Mapping[str, MasterRecord],
    candidates: Sequence[Candidate],
    profile: Profile,
    weights: Path,
    store_url: str,
) -> BlobRef:
    """Score every picture in the same way, and return the report; of the full size, one picture is in memory at a time.

    Raises:
        ProfileError: An encoder of the profile is damaged.
        StorageError: A picture cannot be read back, or the report cannot be kept.
    """
    store, scorer = open_store(store_url), scorer_for(profile, weights)
    rows: list[dict[str, object]] = []
    shared = _describe_run(request) | _describe_encoders(profile, scorer)
    for scene, master in masters.items():
        picture = decode_png(store.get_blob(master.picture))
        prepared = scorer.prepare(picture)
        baselines = scorer.measure_baselines(prepared)
        of_master = {
            **shared,
            "master_sha256": master.picture.sha256,
            "master_width_px": picture.width,
            "master_height_px": picture.height,
            **baselines.chance.columns("_chance"),
            **baselines.null_edit.columns("_null"),
        }
        for candidate in (each for each in candidates if each.scene == scene):
            row = of_master | _describe_candidate(candidate)
            if candidate.picture:
                card = scorer.score(prepared, decode_png(store.get_blob(candidate.picture)), PRESETS[candidate.angle])
                row |= card.columns() | card.paper.columns() | card.paper_mirror.columns("_mirror")
                row |= {"was_resized": card.was_resized, "note": _note_of_size(candidate, picture.size)}
            rows.append(row)
    return store.put_blob(write_comparison(rows), "application/vnd.apache.parquet")


@task(name="publish-comparison", task_run_name="publish comparison {name}", **WHILE_TRANSIENT)
def publish_comparison(name: str, report: BlobRef, store_url: str) -> Comparison:
    """Draw the figures from the report alone, and lay all of it out under readable names.

    Raises:
        StorageError: The report cannot be read back, or the store does not take what is drawn.
    """
    store = open_store(store_url)
    rows = read_comparison(store.get_blob(report))
    figures = {
        f"{figure}.svg": store.put_blob(drawing.encode(), "image/svg+xml")
        for figure, drawing in draw_figures(rows).items()
    }
    for file, blob in {"comparison.parquet": report, **figures}.items():
        store.put_view(f"{comparison_folder(name)}/{file}", blob)
    num_scored = int((rows["status"] == "scored").sum())
    return Comparison(name=name, report=report, figures=figures, num_rows=rows.height, num_scored=num_scored)


def comparison_folder(name: str) -> str:
    """Return the folder of the readable copies; no scene has a name that starts like it."""
    return f"_comparisons/{name}"


def _describe_run(request: ComparisonRequest) -> dict[str, object]:
    return {"comparison": request.name, "run_id": str(flow_run.id or "none"), "created_at": datetime.now(UTC)}


def _describe_encoders(profile: Profile, scorer: "Scorer") -> dict[str, object]:
    row: dict[str, object] = {}
    if scorer.clip:
        row |= {"clip_encoder": profile.clip.name, "clip_training": profile.training}
    for column, loaded, encoder in (
        ("appearance_encoder", scorer.patches, profile.appearance),
        ("face_encoder", scorer.faces, profile.faces),
    ):
        if loaded and encoder:
            row |= {column: encoder.name, f"{column}_sha256": encoder.digest}
    return row


def _describe_candidate(candidate: Candidate) -> dict[str, object]:
    asked = PRESETS[candidate.angle].model_dump()
    row: dict[str, object] = {f"asked_{name}": value for name, value in asked.items()}
    row |= candidate.model_dump(include={"tool", "scene", "source", "note", "width_px", "height_px", "training"})
    row |= {"angle": candidate.angle.value, "status": "scored" if candidate.picture else candidate.status}
    return row | ({"picture_sha256": candidate.picture.sha256} if candidate.picture else {})


def _note_of_size(candidate: Candidate, size: tuple[int, int]) -> str | None:
    """Say what was done to a picture of another size than the master's."""
    if candidate.width_px is None or candidate.height_px is None or (candidate.width_px, candidate.height_px) == size:
        return None
    aspects = sorted((candidate.width_px / candidate.height_px, size[0] / size[1]))
    shape = "" if aspects[1] / aspects[0] < SAME_SHAPE else ", which is another shape and so distorts it"
    came, brought = f"{candidate.width_px}x{candidate.height_px}", f"{size[0]}x{size[1]}"
    return f"It came at {came} and was brought to the master's {brought}{shape}."
