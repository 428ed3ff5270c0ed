"""What a version looks like in rows and on its page."""

import io
import re

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models.camera import Pose
from models.profiles import MINIATURE
from storage.errors import CorruptObjectError
from storage.objects import BlobRef
from storage.reports import COVERAGE_SCHEMA, REPORT_SCHEMA, read_report, write_report
from tasks.coverage import Coverage, spec_of
from tasks.reports import TABLE_COLUMNS, draw_contact_sheet, list_table, shrink_for_reports, write_page, write_summary
from tasks.rows import list_rows, sum_up
from tasks.takes import add_takes
from tasks.wording import describe_camera
from tests.coverages import (
    CREATED_AT,
    MASTER,
    POSES,
    SIZE,
    STAGE_TIMES_S,
    cover,
    make_card,
    make_coverage,
    make_record,
)


def render_page(coverage: Coverage) -> str:
    """Return the page of a coverage of plain pictures."""
    picture = Image.new("RGB", SIZE, "#336699")
    return write_page(coverage, picture, {record.picture.sha256: picture for record in coverage.angles})


def test_rows_have_every_column_and_no_other() -> None:
    """What is measured of every view is never empty; what was not measured is null and not left out."""
    frame = read_report(write_report(list_rows(make_coverage())))
    assert frame.columns == REPORT_SCHEMA.names
    empty = {name for name in frame.columns if frame[name].null_count()}
    assert empty == {"num_people_master", "num_people_view", "num_people_matched", "identity_worst", "identity_margin"}


def test_coverage_has_a_row() -> None:
    """The row of a version counts angles, attempts and verdicts, and holds what figures are to be read beside."""
    (row,) = read_report(write_report([sum_up(make_coverage())], "coverage"), "coverage").to_dicts()
    assert list(row) == COVERAGE_SCHEMA.names
    assert (row["project"], row["sequence"], row["scene"], row["version"]) == ("night", "s010", "street", 7)
    assert (row["num_angles"], row["num_attempts"], row["num_pass"], row["num_fail"]) == (2, 2, 2, 0)
    assert (row["paper_cam_move_chance"], row["paper_cam_move_null"]) == (0.75, 0.0)
    assert row["render_s"] == 2 * 1.4375
    assert (row["multi_view_status"], row["multi_view_registered_share"]) == ("pass", 1.0)


def test_every_attempt_has_a_row() -> None:
    """An angle that was rendered again has a row for each attempt, and says which one was chosen."""
    first, second = (make_record("left_40", POSES["left_40"], seed=seed) for seed in (5, 6))
    failed, passed = make_card("fail", "the camera stayed where it was", 45.0), make_card()
    coverage = cover({"left_40": first}, {"left_40": failed})
    coverage = coverage.model_copy(
        update={"takes": add_takes(coverage.takes, {"left_40": second}, {"left_40": passed})}
    )
    rows = read_report(write_report(list_rows(coverage))).to_dicts()
    assert [(row["attempt"], row["seed"], row["is_chosen"]) for row in rows] == [(1, 5, False), (2, 6, True)]
    assert [row["verdict"] for row in rows] == ["fail", "pass"]
    assert rows[0]["reasons"] == "the camera stayed where it was"
    assert coverage.angles == (second,)
    picture = Image.new("RGB", SIZE, "#336699")
    page = write_page(coverage, picture, {record.picture.sha256: picture for record in (first, second)})
    assert "left_40, attempt 2" in page


def test_row_says_what_was_asked_and_given() -> None:
    """A row holds the pose asked for beside the one given, the times, the figures and where they come from."""
    row, other = read_report(write_report(list_rows(make_coverage()))).to_dicts()
    assert (row["angle"], row["asked_azimuth_deg"], row["given_azimuth_deg"]) == ("left_40", -40.0, -45.0)
    assert (other["angle"], other["given_elevation_deg"], other["is_extrapolated"]) == ("top_down", 90.0, False)
    assert row["prompt"] == "将镜头向左旋转45度 Rotate the camera 45 degrees to the left."
    assert (row["run_id"], row["rendered_by_run"]) == ("20260329T013000Z-0123456789ab", "20260101T000000Z-earlier")
    assert (row["created_at"], row["seed"], row["training"]) == (CREATED_AT, 2**32 - 1, MINIATURE.training)
    assert {name: row[f"{name}_s"] for name in STAGE_TIMES_S} == STAGE_TIMES_S
    assert (row["paper_clip"], row["paper_composite"]) == (0.875, 75.0)
    assert (row["width_px"], row["height_px"]) == SIZE
    assert (row["picture_sha256"], row["master_sha256"]) == (
        BlobRef.of(b"left_40 4294967295", "image/png").sha256,
        MASTER.sha256,
    )
    assert row["clip_encoder"] == MINIATURE.clip.name
    assert (row["linears"], row["reuses_reference"]) == ("whole", False)


def test_polars_and_pyarrow_read_the_same() -> None:
    """Both readers give back the rows that were written."""
    rows = list_rows(make_coverage())
    data = write_report(rows)
    frame = pl.read_parquet(io.BytesIO(data))
    assert frame.to_dicts() == pq.read_table(io.BytesIO(data)).to_pylist() == read_report(data).to_dicts()
    assert [{name: line[name] for name in row} for line, row in zip(frame.to_dicts(), rows, strict=True)] == rows


def test_file_carries_its_schema() -> None:
    """The version of the schema is in the metadata, and what must be there is marked as such."""
    schema = pq.read_schema(io.BytesIO(write_report([])))
    assert (schema.metadata or {})[b"mastershot.schema_version"] == b"3"
    needed = {field.name for field in schema if not field.nullable}
    assert needed >= {"project", "sequence", "scene", "angle", "attempt", "is_chosen", "picture_sha256", "seed"}


def test_equal_rows_are_equal_bytes() -> None:
    """The same rows are the same file, so that a repeated run keeps one blob."""
    rows = list_rows(make_coverage())
    assert write_report(rows) == write_report(rows)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("seed", 0.5),
        ("seed", "7"),
        ("angle", 7),
        ("width_px", 2**31),
        ("created_at", "2026-03-29"),
        ("paper_clip", "high"),
        ("is_extrapolated", "no"),
    ],
)
def test_wrong_type_is_an_error(column: str, value: object) -> None:
    """A value that does not fit its column is refused, never bent."""
    row, *_ = list_rows(make_coverage())
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        write_report([row | {column: value}])


@pytest.mark.parametrize("column", ["scene", "created_at", "given_lens", "width_px"])
def test_missing_value_is_an_error(column: str) -> None:
    """A row without one of the columns that must be there is refused."""
    row, *_ = list_rows(make_coverage())
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        write_report([{name: value for name, value in row.items() if name != column}])


def test_unknown_column_is_an_error() -> None:
    """A row with a column that the schema does not have is refused, not cut."""
    row, *_ = list_rows(make_coverage())
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError, ValueError)):
        write_report([row | {"polish_s": 1.0}])


def test_table_is_for_people() -> None:
    """The table on the page has one row per angle, as many cells as columns, and the time without the queue."""
    row, other = list_table(make_coverage())
    assert len(row) == len(other) == len(TABLE_COLUMNS)
    assert row[0] == "left_40"
    assert row[1] == "PASS"
    assert "-45" in row[2]
    assert "-40" in row[2]
    assert row[3] == "orbited, azimuth -42°, elevation +1°"
    assert row[4:] == ("0.875", "0.500", "0.750", "1.000", "75.0", "1.44")


def test_page_shows_every_angle_and_the_warning() -> None:
    """Every angle has its name, verdict and figures on the page; untrained weights say so at the top."""
    coverage = make_coverage()
    page = render_page(coverage)
    for record in coverage.angles:
        assert record.name in page
    assert ("UNTRAINED" in page) == (MINIATURE.training == "untrained")
    assert "Composite is 100 times the mean" in page


def test_contact_sheet_has_the_master_and_the_angles() -> None:
    """The sheet of a coverage shows the master's pixels and those of every angle."""
    coverage = make_coverage()
    views = {"left_40": Image.new("RGB", SIZE, "#00ff00"), "top_down": Image.new("RGB", SIZE, "#0000ff")}
    sheet = draw_contact_sheet(coverage, Image.new("RGB", SIZE, "#ff0000"), views)
    colours = {value for _, value in sheet.getcolors(sheet.width * sheet.height) or []}
    assert colours >= {(255, 0, 0), (0, 255, 0), (0, 0, 255)}


def test_one_untrained_picture_is_enough_to_warn() -> None:
    """What is said of the weights comes from those of each picture, not from the profile of today."""
    untrained, trained = (MINIATURE.model_copy(update={"training": training}) for training in ("untrained", "trained"))
    angles = (
        make_record("left_40", Pose(azimuth_deg=-40), untrained),
        make_record("top_down", Pose(elevation_deg=90), trained),
    )
    mixed = cover({record.name: record for record in angles})
    assert mixed.training == "untrained"
    assert mixed.warning.startswith("UNTRAINED: the weights behind left_40 are random numbers")
    assert [row["training"] for row in list_rows(mixed)] == ["untrained", "trained"]
    picture = Image.new("RGB", SIZE, "#336699")
    assert mixed.warning in render_page(mixed)
    assert f"**{mixed.warning}**" in write_summary(mixed, picture, dict.fromkeys(POSES, picture))
    clean = cover({record.name: record for record in angles[1:]})
    assert (clean.training, clean.warning) == ("trained", "")
    assert "UNTRAINED" not in render_page(clean)


def test_summary_has_a_picture_of_everything() -> None:
    """The markdown for the Prefect UI holds the master and every angle as small pictures, and one row per angle."""
    coverage = make_coverage()
    picture = Image.new("RGB", SIZE, "#336699")
    summary = write_summary(coverage, picture, dict.fromkeys(POSES, picture))
    assert summary.startswith("# street  v000007  miniature")
    assert re.findall(r"!\[(\w+)\]\(data:image/jpeg;base64,", summary) == ["master", *POSES]
    assert [summary.count(f"| {name} | PASS | azimuth") for name in POSES] == [1, 1]


def test_recipe_of_another_schema_is_one_sentence() -> None:
    """A recipe with a field that is not known here is refused by the name of its angle."""
    record = make_record("left_40", Pose(azimuth_deg=-40))
    foreign = record.model_copy(update={"spec": record.spec | {"guidance": 4.0}})
    with pytest.raises(CorruptObjectError, match=r"^The recipe of left_40, rendered by run") as caught:
        spec_of(foreign)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("size", "shown"), [((448, 256), (448, 256)), ((4096, 2304), (1024, 576)), ((1000, 4000), (860, 3440))]
)
def test_pictures_shrink_to_the_largest_place_they_have(size: tuple[int, int], shown: tuple[int, int]) -> None:
    """A report's copy is 1024 px at its longer side, or as wide as the sheet's master, whichever is more."""
    assert shrink_for_reports(Image.new("RGB", size)).size == shown


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"motion": "zoom", "evidence": "patches", "azimuth_deg": 0.0}, "zoom (by patches)"),
        ({"motion": "crop", "scale": 1.42857}, "crop, things 1.43 times as large"),
        ({"motion": "unverifiable", "evidence": "none", "azimuth_deg": None}, "unverifiable"),
        ({"motion": "orbited", "evidence": "patches"}, "orbited, azimuth -42°, elevation +1° (by patches)"),
        ({"motion": "mirrored"}, "mirrored"),
    ],
)
def test_cameras_are_put_into_words(found: dict[str, object], said: str) -> None:
    """Whatever a camera was found to do can be said, also where only patches say it."""
    assert describe_camera(make_card().camera.model_copy(update=found)) == said
