# pyright: standard
"""The Parquet report of a comparison: one row per tool, scene and angle, also where there is no picture to score.

A file carries the version of this schema in its metadata under `mastershot.schema_version`, and `comparison` under
`mastershot.kind`. Figures are null in every row whose `status` is not `scored`; `note` says why. Columns are only
ever added. Figures quoted from elsewhere have no row here.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import CorruptObjectError
from storage.reports import REPORT_SCHEMA, find_faults

COMPARISON_SCHEMA_VERSION = 2
FIGURES = ("clip", "style", "cam_move", "semantic", "composite")
STATUSES = frozenset({"scored", "missing", "unreadable", "other_master"})
IDENTITY = ("tool", "scene", "angle")
"""No two rows have these values in common."""

_KIND = "comparison"
_VERSION_KEY, _KIND_KEY = "mastershot.schema_version", "mastershot.kind"
_CARD = REPORT_SCHEMA.names[REPORT_SCHEMA.get_field_index("verdict") : REPORT_SCHEMA.get_field_index("thresholds") + 1]


def _fields(kind: pa.DataType, *names: str, nullable: bool = True) -> list[pa.Field]:
    return [pa.field(name, kind, nullable=nullable) for name in names]


COMPARISON_SCHEMA = pa.schema(
    chain(
        _fields(pa.string(), "comparison", "run_id", nullable=False),
        _fields(pa.timestamp("us", tz="UTC"), "created_at", nullable=False),
        _fields(pa.string(), *IDENTITY, "status", nullable=False),
        _fields(pa.string(), "note"),
        _fields(pa.string(), "source", nullable=False),
        _fields(pa.string(), "training", "picture_sha256"),
        _fields(pa.string(), "master_sha256", nullable=False),
        _fields(pa.int32(), "width_px", "height_px"),
        _fields(pa.int32(), "master_width_px", "master_height_px", nullable=False),
        _fields(pa.bool_(), "was_resized"),
        _fields(pa.float64(), "asked_azimuth_deg", "asked_elevation_deg", "asked_distance", nullable=False),
        _fields(pa.string(), "asked_lens", nullable=False),
        *(
            _fields(pa.float64(), *(f"paper_{figure}{level}" for figure in FIGURES))
            for level in ("", "_mirror", "_chance", "_null")
        ),
        _fields(pa.string(), "clip_encoder", "clip_training"),
        (REPORT_SCHEMA.field(name) for name in _CARD),
        # from version 2 on
        (REPORT_SCHEMA.field(name) for name in ("foreign_evidence", "strange_share", "subject_distance")),
    ),
    metadata={_VERSION_KEY: str(COMPARISON_SCHEMA_VERSION), _KIND_KEY: _KIND},
)


def write_comparison(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Return a Parquet file of `rows`.

    Raises:
        pyarrow.ArrowInvalid, pyarrow.ArrowTypeError: A value does not fit its column, or two rows are of one picture.
    """
    faults = [fault for row in rows for fault in _find_faults(row)]
    if len({tuple(row.get(name) for name in IDENTITY) for row in rows}) < len(rows):
        faults.append(f"two rows have the same {', '.join(IDENTITY)}")
    if faults:
        msg = f"A row does not fit the report of a comparison ({faults[0]}): correct it or the schema."
        raise pa.ArrowInvalid(msg)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=COMPARISON_SCHEMA), buffer, compression="zstd")
    return buffer.getvalue()


def read_comparison(data: bytes) -> pl.DataFrame:
    """Return the rows of a report of this version of the schema or an older one, whose gaps are null.

    Raises:
        CorruptObjectError: The file is damaged, is no report of a comparison, or is newer than this program.
    """
    try:
        metadata = pq.read_schema(io.BytesIO(data)).metadata or {}
    except pa.ArrowException as exc:
        msg = "The report of a comparison is no whole Parquet file: run the comparison again."
        raise CorruptObjectError(msg) from exc
    version = metadata.get(_VERSION_KEY.encode(), b"").decode()
    kind = metadata.get(_KIND_KEY.encode(), b"").decode()
    if kind != _KIND or not version.isdigit() or int(version) > COMPARISON_SCHEMA_VERSION:
        msg = (
            f"A Parquet file is no report of a comparison that is known here (kind {kind or 'none'}, version "
            f"{version or 'none'}, known up to {COMPARISON_SCHEMA_VERSION}): read another one, or update Mastershot."
        )
        raise CorruptObjectError(msg)
    schema = pl.DataFrame(COMPARISON_SCHEMA.empty_table()).schema
    lazy = pl.scan_parquet(io.BytesIO(data), schema=schema, missing_columns="insert", extra_columns="ignore")
    try:
        return lazy.collect()
    except pl.exceptions.PolarsError as exc:
        msg = "The report of a comparison is damaged: run the comparison again."
        raise CorruptObjectError(msg) from exc


def _find_faults(row: Mapping[str, object]) -> Iterator[str]:
    """Find what does not fit a column, and what does not fit the status."""
    yield from find_faults(row, COMPARISON_SCHEMA)
    if row.get("status") not in STATUSES:
        yield f"status cannot be {row.get('status')!r}"
    if row.get("status") == "scored":
        yield from (f"{name} is missing of a scored picture" for name in _SCORED if row.get(name) is None)
    else:
        yield from (f"{name} is given of a picture that was not scored" for name in _SCORED if name in row)
        if not row.get("note"):
            yield "note is missing of a picture that was not scored"


_SCORED = ("paper_style", "paper_cam_move", "paper_semantic", "paper_composite", "verdict", "picture_sha256")
