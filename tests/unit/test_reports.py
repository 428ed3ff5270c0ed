"""What a version looks like in rows and on its page."""

import io
import re
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models.camera import Pose, phrase
from models.framing import plan_framing
from models.profiles import MINIATURE, Profile
from models.scores.paper import PaperScores
from models.specs import AngleSpec
from storage.errors import CorruptObjectError
from storage.objects import BlobRef
from storage.records import AngleRecord
from storage.reports import REPORT_SCHEMA, read_report, write_report
from tasks.coverage import Coverage, spec_of
from tasks.reports import TABLE_COLUMNS, draw_contact_sheet, list_table, shrink_for_reports, write_page, write_summary
from tasks.rows import list_rows

COLUMNS = {
    "scene": pl.String,
    "run_id": pl.String,
    "created_at": pl.Datetime("us", "UTC"),
    "angle": pl.String,
    "fingerprint": pl.String,
    "rendered_by_run": pl.String,
    "profile": pl.String,
    "training": pl.String,
    "seed": pl.Int64,
    "prompt": pl.String,
    "asked_azimuth_deg": pl.Float64,
    "asked_elevation_deg": pl.Float64,
    "asked_distance": pl.Float64,
    "asked_lens": pl.String,
    "given_azimuth_deg": pl.Float64,
    "given_elevation_deg": pl.Float64,
    "given_distance": pl.Float64,
    "given_lens": pl.String,
    "is_extrapolated": pl.Boolean,
    "picture_sha256": pl.String,
    "master_sha256": pl.String,
    "width_px": pl.Int32,
    "height_px": pl.Int32,
    "queue_s": pl.Float64,
    "encode_s": pl.Float64,
    "sample_s": pl.Float64,
    "decode_s": pl.Float64,
    "store_s": pl.Float64,
    "paper_clip": pl.Float64,
    "paper_style": pl.Float64,
    "paper_cam_move": pl.Float64,
    "paper_semantic": pl.Float64,
    "paper_composite": pl.Float64,
    "clip_encoder": pl.String,
    "clip_training": pl.String,
    "linears": pl.String,
    "reuses_reference": pl.Boolean,
}
SIZE = (448, 256)
MASTER = BlobRef.of(b"the master", "image/png")
CREATED_AT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
STAGE_TIMES_S = {"queue": 9.0, "encode": 0.25, "sample": 1.0, "decode": 0.125, "store": 0.0625}
POSES = {"left_40": Pose(azimuth_deg=-40), "top_down": Pose(elevation_deg=90)}
SCORES = PaperScores(clip=0.875, style=0.5, cam_move=0.75, semantic=1.0)
HOSTILE = """<script>alert('x')</script><img src="https://example.com/x.png" onerror=alert(1)>"&'"""


def make_record(name: str, pose: Pose, profile: Profile = MINIATURE) -> AngleRecord:
    """Return the record of one finished angle."""
    spec = AngleSpec(
        name=name,
        asked=pose,
        instruction=phrase(pose, "relative"),
        seed=2**32 - 1,
        profile=profile,
        weights_sha256="11" * 32,
        reference_sha256=MASTER.sha256,
        framing=plan_framing(*SIZE, MINIATURE.reference_area_px),
    )
    return AngleRecord(
        name=name,
        fingerprint=spec.fingerprint,
        spec=spec.model_dump(mode="json"),
        picture=BlobRef.of(name.encode(), "image/png"),
        stage_times_s=STAGE_TIMES_S,
        run_id="20260101T000000Z-earlier",
        rendered_at="2026-01-01T00:00:00+00:00",
    )


def make_coverage(scene: str = "street", poses: dict[str, Pose] = POSES) -> Coverage:
    """Return a coverage of finished angles with the same scores."""
    return Coverage(
        scene=scene,
        number=7,
        run_id="20260329T013000Z-0123456789ab",
        created_at=CREATED_AT,
        profile=MINIATURE,
        master=MASTER,
        angles=tuple(make_record(name, pose) for name, pose in poses.items()),
        scores=dict.fromkeys(poses, SCORES),
    )


def render_page(coverage: Coverage) -> str:
    """Return the page of a coverage of plain pictures."""
    picture = Image.new("RGB", SIZE, "#336699")
    return write_page(coverage, picture, {record.name: picture for record in coverage.angles})


def test_columns_are_those_that_were_agreed() -> None:
    """The report has exactly these columns, types and order; a new one is added here and at the schema's end."""
    frame = read_report(write_report(list_rows(make_coverage())))
    assert dict(frame.schema) == COLUMNS
    assert REPORT_SCHEMA.names == list(COLUMNS)


def test_rows_have_exactly_the_columns() -> None:
    """Every row names every column and no other, so nothing is dropped or left empty in silence."""
    rows = list_rows(make_coverage())
    assert [set(row) for row in rows] == [set(COLUMNS)] * 2
    assert all(value is not None for row in rows for value in row.values())


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
    assert (row["picture_sha256"], row["master_sha256"]) == (BlobRef.of(b"left_40", "image/png").sha256, MASTER.sha256)
    assert row["clip_encoder"] == MINIATURE.clip.name
    assert (row["linears"], row["reuses_reference"]) == ("whole", False)


def test_polars_and_pyarrow_read_the_same() -> None:
    """Both readers give back the rows that were written."""
    rows = list_rows(make_coverage())
    data = write_report(rows)
    assert pl.read_parquet(io.BytesIO(data)).to_dicts() == rows
    assert pq.read_table(io.BytesIO(data)).to_pylist() == rows
    assert read_report(data).to_dicts() == rows


def test_file_carries_its_schema() -> None:
    """The version of the schema is in the metadata, and what must be there is marked as such."""
    schema = pq.read_schema(io.BytesIO(write_report([])))
    assert (schema.metadata or {})[b"mastershot.schema_version"] == b"1"
    optional = [field.name for field in schema if field.nullable]
    assert all(name.startswith(("paper_", "clip_")) or name.endswith("_s") for name in optional)
    assert len(optional) == 12


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
    assert "-45" in row[1]
    assert "-40" in row[1]
    assert row[2:] == ("0.875", "0.500", "0.750", "1.000", "75.0", "1.44")


def test_page_needs_nothing_else() -> None:
    """The page is one file: its pictures are in it, and nothing on it is fetched from anywhere or run."""
    page = render_page(make_coverage())
    addresses = re.findall(r"\b(?:src|href|srcset|action|data|poster)\s*=\s*[\"']?([^\"'\s>]+)", page)
    assert len(addresses) == 3
    assert all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert re.findall(r"https?://|@import|url\(|<script|<link|<iframe|<object|<form", page) == []


def test_page_shows_every_angle_and_the_warning() -> None:
    """Every angle has its figure, its row and its name; untrained weights say so at the top."""
    coverage = make_coverage()
    page = render_page(coverage)
    for record in coverage.angles:
        assert page.count(f"<td>{record.name}</td>") == 1
        assert page.count(f'<figure id="{record.name}">') == 1
    assert ("UNTRAINED" in page) == (MINIATURE.training == "untrained")
    assert page.index("street") < page.index("<figure")


def test_page_escapes_what_it_was_given() -> None:
    """A scene or an angle whose name is markup is shown as text, and adds no tag and no attribute."""
    page = render_page(make_coverage(HOSTILE, {HOSTILE: Pose()}))
    plain = render_page(make_coverage("street", {"still": Pose()}))
    assert re.findall(r"<[a-z]+", page) == re.findall(r"<[a-z]+", plain)
    assert "<script" not in page
    assert 'src="https:' not in page
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page


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
    mixed = make_coverage().model_copy(update={"profile": trained, "angles": angles})
    assert mixed.training == "untrained"
    assert mixed.warning.startswith("UNTRAINED: the weights behind left_40 are random numbers")
    assert [row["training"] for row in list_rows(mixed)] == ["untrained", "trained"]
    picture = Image.new("RGB", SIZE, "#336699")
    views = dict.fromkeys(POSES, picture)
    assert mixed.warning in write_page(mixed, picture, views)
    assert f"**{mixed.warning}**" in write_summary(mixed, picture, views)
    clean = mixed.model_copy(update={"angles": angles[1:]})
    assert (clean.training, clean.warning) == ("trained", "")
    assert "UNTRAINED" not in write_page(clean, picture, views)


def test_summary_has_a_picture_of_everything() -> None:
    """The markdown for the Prefect UI holds the master and every angle as small pictures, and one row per angle."""
    coverage = make_coverage()
    picture = Image.new("RGB", SIZE, "#336699")
    summary = write_summary(coverage, picture, dict.fromkeys(POSES, picture))
    assert summary.startswith("# street  v000007  miniature")
    assert re.findall(r"!\[(\w+)\]\(data:image/jpeg;base64,", summary) == ["master", *POSES]
    assert [summary.count(f"| {name} | azimuth") for name in POSES] == [1, 1]


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
