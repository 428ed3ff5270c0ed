# pyright: standard
"""The files of a version's report: what may stand in them, what older and newer ones do, and what the document says."""

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.errors import CorruptObjectError
from storage.reports import COVERAGE_SCHEMA, REPORT_SCHEMA, Kind, list_columns, read_report, write_frame, write_report

DOCUMENT = Path(__file__).parents[2] / "docs" / "reports.md"
SCHEMAS: dict[Kind, pa.Schema] = {"angles": REPORT_SCHEMA, "coverage": COVERAGE_SCHEMA}
KINDS: tuple[Kind, ...] = ("angles", "coverage")
CREATED_AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
PLAIN = {pa.string(): "x", pa.int32(): 3, pa.int64(): 3, pa.float64(): 0.5, pa.bool_(): True}
FIRST_OF_VERSION_2 = "project"
FIRST_OF_VERSION_3: dict[Kind, str] = {"angles": "foreign_evidence", "coverage": "multi_view_reason"}


def make_row(kind: Kind = "angles", **values: object) -> dict[str, object]:
    """Return a row of what must be there, and these values."""
    needed = {field.name: PLAIN.get(field.type, CREATED_AT) for field in SCHEMAS[kind] if not field.nullable}
    return {**needed, "version": 3, **values}


def write_version_1() -> bytes:
    """Return a report as version 1 of the schema had it."""
    names = REPORT_SCHEMA.names[: REPORT_SCHEMA.names.index(FIRST_OF_VERSION_2)]
    schema = pa.schema([REPORT_SCHEMA.field(name) for name in names], {"mastershot.schema_version": "1"})
    row = make_row()
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{name: row.get(name) for name in names}], schema=schema), buffer)
    return buffer.getvalue()


def with_metadata(data: bytes, **values: str) -> bytes:
    """Return a Parquet file with other values of our metadata."""
    table = pq.read_table(io.BytesIO(data))
    changed = {f"mastershot.{name}".encode(): value.encode() for name, value in values.items()}
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **changed}), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_comes_back(kind: Kind) -> None:
    """A row with a value in every column reads back as it was, by us, by polars and by pyarrow."""
    words = {"verdict": "review", "camera_kind": "orbited", "camera_evidence": "two_view"}
    full = {field.name: PLAIN.get(field.type, CREATED_AT) for field in SCHEMAS[kind]}
    full |= {name: "not_measured" for name in full if name.endswith("_status")}
    full |= {name: word for name, word in words.items() if name in full}
    data = write_report([full], kind)
    assert read_report(data, kind).to_dicts() == [full]
    assert pl.read_parquet(io.BytesIO(data)).to_dicts() == [full]
    assert pq.read_table(io.BytesIO(data)).to_pylist() == [full]
    assert read_report(data, kind).schema == list_columns(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_file_says_what_it_is(kind: Kind) -> None:
    """The metadata has the version of the schema and the kind of the report."""
    metadata = pq.read_schema(io.BytesIO(write_report([], kind))).metadata or {}
    assert metadata[b"mastershot.schema_version"] == b"3"
    assert metadata[b"mastershot.kind"] == kind.encode()


def test_row_of_no_project_is_of_the_default_one() -> None:
    """Who names no project or attempt means the default one and the first, chosen attempt; None is refused."""
    named = ("project", "sequence", "attempt", "is_chosen")
    row = {name: value for name, value in make_row().items() if name not in named}
    assert read_report(write_report([row])).select(named).row(0) == ("default", "default", 1, True)
    with pytest.raises(pa.ArrowInvalid, match="project is missing"):
        write_report([make_row(project=None)])


def test_version_without_scores_is_a_report() -> None:
    """What was not measured is null, and nothing else is."""
    frame = read_report(write_report([make_row()]))
    empty = {name for name in frame.columns if frame[name].null_count()}
    assert empty == {field.name for field in REPORT_SCHEMA if field.nullable} - {"version"}
    assert {"verdict", "order_score", "camera_status", "face_encoder", "thresholds"} <= empty


@pytest.mark.parametrize(
    ("kind", "column", "value"),
    [
        ("angles", "verdict", "passed"),
        ("angles", "verdict", "not_measured"),
        ("angles", "camera_status", "ok"),
        ("angles", "camera_kind", "tilt"),
        ("angles", "camera_evidence", "orb"),
        ("angles", "attempt", 1.5),
        ("angles", "attempt", None),
        ("angles", "verdikt", "pass"),
        ("angles", "camera_num_inliers", 2**31),
        ("coverage", "multi_view_status", "unknown"),
        ("coverage", "version", None),
        ("coverage", "order_score", 0.5),
    ],
)
def test_value_of_no_meaning_is_refused(kind: Kind, column: str, value: object) -> None:
    """A word that is none of the column's, a fraction, a gap or an unknown column is refused, never written."""
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        write_report([make_row(kind, **{column: value})], kind)


def test_attempt_stands_in_a_report_once() -> None:
    """Two rows of one attempt are refused; another attempt, angle or version is another row."""
    rows = [make_row(attempt=1), make_row(attempt=2), make_row(angle="wide"), make_row(version=4)]
    assert read_report(write_report(rows)).height == 4
    with pytest.raises(pa.ArrowInvalid, match="two rows have the same project"):
        write_report([*rows, make_row(attempt=2, verdict="fail")])


def test_file_of_version_1_has_gaps() -> None:
    """A file from before is read with nulls where it has no columns, and what it has is as it was."""
    frame = read_report(write_version_1())
    assert frame.schema == list_columns("angles")
    row = frame.row(0, named=True)
    old = REPORT_SCHEMA.names[: REPORT_SCHEMA.names.index(FIRST_OF_VERSION_2)]
    assert [row[name] for name in old] == [make_row().get(name) for name in old]
    assert {row[name] for name in set(row) - set(old)} == {None}


def test_file_of_version_1_is_written_as_the_newest() -> None:
    """What was read from an old file can be kept in a new one, as of the default project and the only attempt."""
    data = write_frame(read_report(write_version_1()), "angles")
    assert (pq.read_schema(io.BytesIO(data)).metadata or {})[b"mastershot.schema_version"] == b"3"
    row = read_report(data).row(0, named=True)
    assert [row[name] for name in ("project", "version", "attempt", "is_chosen")] == ["default", None, 1, True]


@pytest.mark.parametrize("kind", KINDS)
def test_file_of_version_2_has_gaps(kind: Kind) -> None:
    """A file of the second version lacks what the third has added, and keeps all that it has when written anew."""
    added = FIRST_OF_VERSION_3[kind]
    names = SCHEMAS[kind].names[: SCHEMAS[kind].names.index(added)]
    old = pq.read_table(io.BytesIO(write_report([make_row(kind)], kind))).select(names)
    metadata = {"mastershot.schema_version": "2", "mastershot.kind": kind}
    buffer = io.BytesIO()
    pq.write_table(old.replace_schema_metadata(metadata), buffer)
    frame = read_report(buffer.getvalue(), kind)
    assert frame.schema == list_columns(kind)
    assert frame.select(names).to_dicts() == old.to_pylist()
    assert {frame[name][0] for name in frame.columns if name not in names} == {None}
    again = read_report(write_frame(frame, kind), kind)
    assert again.equals(frame)


def test_newer_file_is_refused() -> None:
    """A file of a schema that is not known here is refused with what to do about it, in one sentence."""
    with pytest.raises(CorruptObjectError, match=r"version 4 .* knows 3: update Mastershot") as caught:
        read_report(with_metadata(write_report([make_row()]), schema_version="4"))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no Parquet",
        write_report([make_row()])[:-1],
        write_report([], "coverage"),
        with_metadata(write_report([]), schema_version="two"),
        with_metadata(write_report([]), kind="pictures"),
    ],
    ids=["empty", "text", "cut", "coverage", "version", "kind"],
)
def test_file_that_is_no_report_is_refused(data: bytes) -> None:
    """What is damaged, or another thing, is one error of ours."""
    with pytest.raises(CorruptObjectError) as caught:
        read_report(data)
    assert len(str(caught.value).splitlines()) == 1


def test_plain_parquet_is_no_report() -> None:
    """A Parquet file without our metadata is no report."""
    buffer = io.BytesIO()
    pl.DataFrame({"scene": ["street"]}).write_parquet(buffer)
    with pytest.raises(CorruptObjectError, match="version none"):
        read_report(buffer.getvalue())


@pytest.mark.parametrize(("kind", "heading"), [("angles", "Angles"), ("coverage", "Coverages")])
def test_document_says_every_column(kind: Kind, heading: str) -> None:
    """The document has exactly the columns, in their order, with type and meaning, and says of each what null means."""
    section = DOCUMENT.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.*?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    assert [(name, kind) for name, kind, *_ in rows] == [(field.name, str(field.type)) for field in SCHEMAS[kind]]
    gaps_of_version_1 = {"project", "sequence", "attempt", "is_chosen"} if kind == "angles" else set[str]()
    never_null = {name for name, *_, null in rows if null == "never"}
    assert never_null == {field.name for field in SCHEMAS[kind] if not field.nullable} - gaps_of_version_1
