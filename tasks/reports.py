"""What people see of a version: the contact sheet, the review page, and the summary in the Prefect UI."""

from collections.abc import Mapping

from PIL import Image

from models.sheet import MASTER_WIDTH_PX, SheetCell, draw_sheet
from storage.records import AngleRecord
from tasks.coverage import Coverage, spec_of
from tasks.review_content import describe_coverage
from tasks.review_page import write_review_page
from tasks.wording import (
    SCORE_COLUMNS,
    SCORES_NOTE,
    describe_camera,
    describe_shot,
    describe_verdict,
    embed_jpeg,
    list_scores,
)

PAGE_SIDE_PX = 1024
SUMMARY_SIDE_PX, NUM_SUMMARY_COLUMNS = 210, 4  # as many fill the column of an artifact
TABLE_COLUMNS = ("Angle", "Verdict", "Camera given", "Camera found", *SCORE_COLUMNS, "Seconds")


def shrink_for_reports(picture: Image.Image) -> Image.Image:
    """Return a picture no larger than the largest place that it is shown in."""
    scale = max(PAGE_SIDE_PX / max(picture.size), MASTER_WIDTH_PX / picture.width)
    if scale >= 1:
        return picture
    size = (round(picture.width * scale), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def draw_contact_sheet(coverage: Coverage, master: Image.Image, views: Mapping[str, Image.Image]) -> Image.Image:
    """Draw the contact sheet of a version."""
    cells = [
        SheetCell(picture=views[record.name], title=record.name, lines=_captions(coverage, record))
        for record in coverage.angles
    ]
    cell = SheetCell(picture=master, title="master", lines=(_describe_size(coverage),))
    return draw_sheet(coverage.title, coverage.warning, cell, cells)


def write_page(coverage: Coverage, master: Image.Image, pictures: Mapping[str, Image.Image]) -> str:
    """Return the review page of a version: one HTML file that needs nothing else; `pictures` are by digest."""
    return write_review_page(describe_coverage(coverage, master, pictures))


def write_summary(coverage: Coverage, master: Image.Image, views: Mapping[str, Image.Image]) -> str:
    """Return the contact sheet and the scores in markdown, with the pictures in it."""
    pictures = {"master": master} | {record.name: views[record.name] for record in coverage.angles}
    thumbnails = {name: f"![{name}]({embed_jpeg(picture, SUMMARY_SIDE_PX, 75)})" for name, picture in pictures.items()}
    parts = [
        f"# {coverage.title}",
        f"**{coverage.warning}**" if coverage.warning else "",
        _grid(thumbnails),
        _table([TABLE_COLUMNS, *list_table(coverage)]),
        SCORES_NOTE,
    ]
    return "\n\n".join(parts)


def list_table(coverage: Coverage) -> list[tuple[str, ...]]:
    """Return one row per angle under `TABLE_COLUMNS`, for people."""
    return [
        (
            record.name,
            describe_verdict(coverage.card(record.name)),
            "; ".join(describe_shot(spec_of(record))),
            describe_camera(coverage.card(record.name).camera),
            *list_scores(coverage.card(record.name).paper),
            f"{sum(record.stage_times_s.values()) - record.stage_times_s['queue']:.2f}",
        )
        for record in coverage.angles
    ]


def _describe_size(coverage: Coverage) -> str:
    framing = spec_of(coverage.angles[0]).framing
    return f"{framing.source_width_px} x {framing.source_height_px} px"


def _captions(coverage: Coverage, record: AngleRecord) -> tuple[str, ...]:
    card = coverage.card(record.name)
    clip, style, cam_move, semantic, composite = list_scores(card.paper)
    return (
        describe_verdict(card),
        *describe_shot(spec_of(record)),
        f"found: {describe_camera(card.camera)}",
        f"paper: CLIP {clip}  Style {style}  Cam Move {cam_move}",
        f"Semantic {semantic}  Composite {composite}",
    )


def _grid(thumbnails: dict[str, str]) -> str:
    """Return a table with a row of names above every row of pictures."""
    cells = list(thumbnails.items())
    rows: list[tuple[str, ...]] = []
    for start in range(0, len(cells), NUM_SUMMARY_COLUMNS):
        chunk = cells[start : start + NUM_SUMMARY_COLUMNS]
        chunk += [("", "")] * (NUM_SUMMARY_COLUMNS - len(chunk))
        rows += [tuple(name for name, _ in chunk), tuple(picture for _, picture in chunk)]
    return _table(rows)


def _table(rows: list[tuple[str, ...]]) -> str:
    header, *body = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([header, "|" + " --- |" * len(rows[0]), *body])
