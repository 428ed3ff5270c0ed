"""What differs between two versions of a scene: which angles, by which parameters, with which scores."""

from collections.abc import Iterator, Mapping
from typing import Literal

import polars as pl
from PIL import Image
from pydantic import BaseModel, ConfigDict, JsonValue

from models.sheet import SURROUND, SheetCell, draw_pairs
from storage.objects import Store
from storage.records import AngleRecord, Manifest
from storage.reports import read_report
from storage.versions import version_name
from tasks.ingest import decode_png
from tasks.reports import shrink_for_reports

Change = Literal["added", "removed", "changed", "unchanged"]
Pair = tuple[JsonValue, JsonValue]

_SAME_BY_NATURE = ("name", "reference_sha256", "profile.licence")
_NO_SCORES = {"queue_s", "encode_s", "sample_s", "decode_s", "store_s"}
_NUM_LINES = 4


class AngleDifference(BaseModel):
    """What became of one angle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    angle: str
    change: Change
    """By the digest of the picture."""
    parameters: dict[str, Pair] = {}
    """What differs in the recipe, by its dotted name: before and after."""
    scores: dict[str, Pair] = {}
    """What differs in the report, by its column: before and after."""


class Difference(BaseModel):
    """What became of a scene from one version to another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scene: str
    before: int
    after: int
    is_other_master: bool
    angles: tuple[AngleDifference, ...]
    """In the order of the later version, those that it no longer has behind."""


def compare_versions(store: Store, before: Manifest, after: Manifest) -> Difference:
    """Return what differs between two versions.

    Raises:
        StorageError: A report cannot be read.
    """
    old, new = _by_name(before), _by_name(after)
    scores_before, scores_after = _read_scores(store, before), _read_scores(store, after)
    angles = [
        AngleDifference(
            angle=name,
            change=_judge(old.get(name), new.get(name)),
            parameters=_differ(_recipe(old.get(name)), _recipe(new.get(name))) if name in old and name in new else {},
            scores=_differ(scores_before.get(name, {}), scores_after.get(name, {})),
        )
        for name in [*new, *(name for name in old if name not in new)]
    ]
    return Difference(
        scene=after.scene,
        before=before.number,
        after=after.number,
        is_other_master=before.master.picture != after.master.picture,
        angles=tuple(angles),
    )


def draw_differences(store: Store, before: Manifest, after: Manifest, difference: Difference) -> Image.Image:
    """Draw a sheet with one row per angle that is not the same: before on the left, after on the right.

    Raises:
        StorageError: A picture cannot be read back.
    """
    versions = (before, after)
    rows = [angle for angle in difference.angles if angle.change != "unchanged"]
    pairs = [(_draw(store, before, angle, 0), _draw(store, after, angle, 1)) for angle in rows]
    names = " | ".join(version_name(version.number) for version in versions)
    num_same = len(difference.angles) - len(rows)
    note = f"{num_same} of {len(difference.angles)} angles are unchanged" + (
        "; the masters differ" if difference.is_other_master else ""
    )
    if any(version.training != "trained" for version in versions):
        note += "; UNTRAINED weights are behind at least one picture"
    return draw_pairs(f"{difference.scene}  {names}", note, pairs)


def flatten(value: JsonValue, name: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Yield every plain value within nested ones, by its dotted name; an empty list or dictionary is a plain value."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from flatten(inner, f"{name}.{index}")
    else:
        yield name, value


def _by_name(manifest: Manifest) -> dict[str, AngleRecord]:
    return {record.name: record for record in manifest.angles}


def _judge(old: AngleRecord | None, new: AngleRecord | None) -> Change:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    return "unchanged" if old.picture.sha256 == new.picture.sha256 else "changed"


def _recipe(record: AngleRecord | None) -> dict[str, JsonValue]:
    flat = dict(flatten(record.spec)) if record else {}
    return {name: value for name, value in flat.items() if name not in _SAME_BY_NATURE}


def _read_scores(store: Store, manifest: Manifest) -> dict[str, dict[str, JsonValue]]:
    """Return verdict and figures of the chosen attempt at every angle."""
    frame = read_report(store.get_blob(manifest.reports.parquet))
    figures = [name for name, kind in frame.schema.items() if kind == pl.Float64 and name not in _NO_SCORES]
    asked = [name for name in figures if not name.startswith(("asked_", "given_", "order_"))]
    words = ["verdict", "reasons", "camera_kind"]
    chosen = frame.filter(pl.col("is_chosen").fill_null(value=True)).select("angle", *words, "order_score", *asked)
    return {row.pop("angle"): row for row in chosen.iter_rows(named=True)}


def _differ(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> dict[str, Pair]:
    names = [*old, *(name for name in new if name not in old)]
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


def _draw(store: Store, version: Manifest, angle: AngleDifference, side: Literal[0, 1]) -> SheetCell:
    record = _by_name(version).get(angle.angle)
    title = f"{angle.angle}  {version_name(version.number)}"
    if record is None:
        empty = Image.new("RGB", _master_size(version), tuple(channel - 16 for channel in SURROUND))
        return SheetCell(picture=empty, title=title, lines=("not in this version",))
    picture = shrink_for_reports(decode_png(store.get_blob(record.picture)))
    return SheetCell(picture=picture, title=title, lines=_caption(angle, side))


def _caption(angle: AngleDifference, side: Literal[0, 1]) -> tuple[str, ...]:
    """Return verdict and order score, and what differs in the recipe; the long digests are left out."""
    scored = [
        f"{name} {_short(angle.scores[name][side])}" for name in ("verdict", "order_score") if name in angle.scores
    ]
    recipe = [f"{name} {_short(pair[side])}" for name, pair in angle.parameters.items() if not name.endswith("sha256")]
    return ("   ".join(scored), *recipe[: _NUM_LINES - 1])


def _short(value: JsonValue) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _master_size(manifest: Manifest) -> tuple[int, int]:
    facts = manifest.master.facts
    return int(str(facts.get("width_px", 896))), int(str(facts.get("height_px", 512)))
