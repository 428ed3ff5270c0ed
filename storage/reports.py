# pyright: standard
"""The Parquet reports of a version: one row per attempt at an angle, and one row for the coverage as a whole.

They are for polars, DuckDB or anything else that reads Parquet; `docs/reports.md` says what every column means. A file
carries the version of its schema in its metadata under `mastershot.schema_version`, and under `mastershot.kind` which
of the two it is. Columns are only ever added: what an older file lacks is null, and what only a newer one has is never
dropped by writing it again, because it is refused.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import CorruptObjectError

Kind = Literal["angles", "coverage"]

REPORT_SCHEMA_VERSION = 3
PARTS_KEY = "mastershot.parts"
_VERSION_KEY, _KIND_KEY = "mastershot.schema_version", "mastershot.kind"
_ROW_GROUP_SIZE = 128 * 1024
_STATUSES = frozenset({"pass", "review", "fail", "not_measured"})
_TRUST = ("picture_status", "camera_status", "place_status", "people_status", "grade_status")
_FIGURES = ("clip", "style", "cam_move", "semantic", "composite")


def _fields(kind: pa.DataType, *names: str, nullable: bool = True) -> list[pa.Field]:
    return [pa.field(name, kind, nullable=nullable) for name in names]


def _schema(kind: Kind, *groups: list[pa.Field]) -> pa.Schema:
    metadata = {_VERSION_KEY: str(REPORT_SCHEMA_VERSION), _KIND_KEY: kind}
    return pa.schema(chain.from_iterable(groups), metadata=metadata)


REPORT_SCHEMA = _schema(
    "angles",
    _fields(pa.string(), "scene", "run_id", nullable=False),
    _fields(pa.timestamp("us", tz="UTC"), "created_at", nullable=False),
    _fields(pa.string(), "angle", "fingerprint", "rendered_by_run", "profile", "training", nullable=False),
    _fields(pa.int64(), "seed", nullable=False),
    _fields(pa.string(), "prompt", nullable=False),
    *(
        _fields(kind, f"{pose}_{name}", nullable=False)
        for pose in ("asked", "given")
        for name, kind in (
            ("azimuth_deg", pa.float64()),
            ("elevation_deg", pa.float64()),
            ("distance", pa.float64()),
            ("lens", pa.string()),
        )
    ),
    _fields(pa.bool_(), "is_extrapolated", nullable=False),
    _fields(pa.string(), "picture_sha256", "master_sha256", nullable=False),
    _fields(pa.int32(), "width_px", "height_px", nullable=False),
    _fields(pa.float64(), *(f"{stage}_s" for stage in ("queue", "encode", "sample", "decode", "store"))),
    _fields(pa.float64(), *(f"paper_{figure}" for figure in _FIGURES)),
    _fields(pa.string(), "clip_encoder", "clip_training"),
    _fields(pa.string(), "linears", nullable=False),
    _fields(pa.bool_(), "reuses_reference", nullable=False),
    # from version 2 on
    _fields(pa.string(), "project", "sequence", nullable=False),
    _fields(pa.int32(), "version"),
    _fields(pa.int32(), "attempt", nullable=False),
    _fields(pa.bool_(), "is_chosen", nullable=False),
    _fields(pa.string(), "verdict", "reasons"),
    _fields(pa.float64(), "order_score"),
    _fields(pa.string(), *_TRUST),
    _fields(pa.float64(), "structure", "sharpness_ratio"),
    _fields(pa.string(), "camera_kind", "camera_evidence"),
    _fields(pa.float64(), *(f"camera_{name}_deg" for name in ("azimuth", "elevation", "roll", "error"))),
    _fields(pa.int32(), "camera_num_matches", "camera_num_inliers"),
    _fields(pa.float64(), "appearance", "unmatched_share"),
    _fields(pa.int32(), "num_people_master", "num_people_view", "num_people_matched"),
    _fields(pa.float64(), "identity_worst", "identity_margin", "colour_distance", "palette_distance"),
    _fields(pa.string(), "appearance_encoder", "appearance_encoder_sha256", "face_encoder", "face_encoder_sha256"),
    _fields(pa.string(), "thresholds"),
    # from version 3 on
    _fields(pa.float64(), "foreign_evidence", "strange_share", "subject_distance"),
)

COVERAGE_SCHEMA = _schema(
    "coverage",
    _fields(pa.string(), "project", "sequence", "scene", nullable=False),
    _fields(pa.int32(), "version", nullable=False),
    _fields(pa.string(), "run_id", nullable=False),
    _fields(pa.timestamp("us", tz="UTC"), "created_at", nullable=False),
    _fields(pa.string(), "profile", "training", "master_sha256", nullable=False),
    _fields(pa.int32(), "num_angles", "num_attempts", nullable=False),
    _fields(pa.int32(), "num_pass", "num_review", "num_fail"),
    _fields(pa.string(), "worst_angle"),
    _fields(pa.float64(), "mean_order_score", "render_s", "score_s"),
    _fields(pa.string(), "multi_view_status"),
    _fields(pa.float64(), "multi_view_registered_share", "multi_view_reprojection_px"),
    _fields(pa.float64(), *(f"paper_{figure}_{level}" for figure in _FIGURES for level in ("chance", "null"))),
    _fields(pa.string(), "appearance_encoder", "face_encoder", "clip_encoder"),
    # from version 3 on
    _fields(pa.string(), "multi_view_reason"),
)

_SCHEMAS: dict[Kind, pa.Schema] = {"angles": REPORT_SCHEMA, "coverage": COVERAGE_SCHEMA}
IDENTITY: dict[Kind, tuple[str, ...]] = {
    "angles": ("project", "sequence", "scene", "version", "angle", "attempt"),
    "coverage": ("project", "sequence", "scene", "version"),
}
"""Of two rows with these values the same is known."""
_DEFAULTS: dict[Kind, dict[str, object]] = {
    "angles": {"project": "default", "sequence": "default", "attempt": 1, "is_chosen": True},
    "coverage": {"project": "default", "sequence": "default"},
}
_CHOICES: dict[str, frozenset[str]] = {
    "verdict": frozenset({"pass", "review", "fail"}),
    **dict.fromkeys((*_TRUST, "multi_view_status"), _STATUSES),
    "camera_kind": frozenset(
        {"static", "pan", "zoom", "crop", "dollied", "orbited", "mirrored", "warped", "unverifiable"},
    ),
    "camera_evidence": frozenset({"two_view", "multi_view", "patches", "none"}),
}


def write_report(rows: Sequence[Mapping[str, object]], kind: Kind = "angles") -> bytes:
    """Return a Parquet file of `rows`: one per attempt at an angle, or one per coverage.

    A row that does not name them is of project and sequence `default`, and its angle's first and chosen attempt.

    Raises:
        pyarrow.ArrowInvalid, pyarrow.ArrowTypeError: A value does not fit its column, or two rows are of one attempt.
    """
    whole = [_DEFAULTS[kind] | dict(row) for row in rows]
    faults = [fault for row in whole for fault in find_faults(row, _SCHEMAS[kind])]
    keys = {tuple(row.get(name) for name in IDENTITY[kind]) for row in whole}
    if len(keys) < len(whole):
        faults.append(f"two rows have the same {', '.join(IDENTITY[kind])}")
    if faults:
        msg = f"A row does not fit the report ({faults[0]}): correct it or the schema."
        raise pa.ArrowInvalid(msg)
    return _encode(pa.Table.from_pylist(whole, schema=_SCHEMAS[kind]))


def write_frame(frame: pl.DataFrame, kind: Kind, parts: Iterable[str] = ()) -> bytes:
    """Return a Parquet file of rows that were read from others; what files of version 1 lack is filled as above.

    The names of those others are kept in the metadata under `mastershot.parts`.

    Raises:
        pyarrow.ArrowInvalid: A value is missing that must be there.
    """
    filled = frame.with_columns(pl.col(name).fill_null(value) for name, value in _DEFAULTS[kind].items())
    table = filled.select(_SCHEMAS[kind].names).to_arrow(compat_level=pl.CompatLevel.oldest())
    return _encode(table.cast(_SCHEMAS[kind]), {PARTS_KEY: json.dumps(sorted(parts))})


def read_report(data: bytes, kind: Kind = "angles") -> pl.DataFrame:
    """Return the rows of a Parquet report of this version of the schema or an older one, whose gaps are null.

    Raises:
        CorruptObjectError: The file is damaged, is no report of this kind, or is newer than this program.
    """
    _check_file(data, kind)
    lazy = pl.scan_parquet(
        io.BytesIO(data), schema=list_columns(kind), missing_columns="insert", extra_columns="ignore"
    )
    try:
        return lazy.collect()
    except pl.exceptions.PolarsError as exc:
        msg = "A report is damaged, or its columns are of other types than its version says: lay its version out again."
        raise CorruptObjectError(msg) from exc


def list_columns(kind: Kind) -> pl.Schema:
    """Return the columns of a report as polars has them."""
    return pl.DataFrame(_SCHEMAS[kind].empty_table()).schema


def _encode(table: pa.Table, more: Mapping[str, str] = MappingProxyType({})) -> bytes:
    known = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    buffer = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata(known | dict(more)), buffer, compression="zstd", row_group_size=_ROW_GROUP_SIZE
    )
    return buffer.getvalue()


def find_faults(row: Mapping[str, object], schema: pa.Schema) -> Iterator[str]:
    """Find what pyarrow drops, cuts off or lets pass in silence: unknown columns, fractions, words of no meaning."""
    yield from (f"there is no column {name}" for name in sorted(row.keys() - set(schema.names)))
    for field in schema:
        value = row.get(field.name)
        if isinstance(value, float) and pa.types.is_integer(field.type):
            yield f"{field.name} is not whole at {value}"
        if isinstance(value, str) and value not in _CHOICES.get(field.name, {value}):
            yield f"{field.name} cannot be {value!r}"
        if value is None and not field.nullable:
            yield f"{field.name} is missing"


def _check_file(data: bytes, kind: Kind) -> None:
    """Raise for a file that `read_report` does not take."""
    try:
        metadata = pq.read_schema(io.BytesIO(data)).metadata or {}
    except pa.ArrowException as exc:
        msg = "A report is no whole Parquet file: lay its version out again, or remove it."
        raise CorruptObjectError(msg) from exc
    version = metadata.get(_VERSION_KEY.encode(), b"").decode()
    found = metadata.get(_KIND_KEY.encode(), b"angles").decode()  # version 1 had no other kind
    if not version.isdigit() or found != kind:
        msg = f"A Parquet file is no report of {kind} (version {version or 'none'}, kind {found}): read another one."
        raise CorruptObjectError(msg)
    if int(version) > REPORT_SCHEMA_VERSION:
        msg = (
            f"A report has version {version} of its schema and this Mastershot knows {REPORT_SCHEMA_VERSION}: update "
            "Mastershot, or read the file with polars itself."
        )
        raise CorruptObjectError(msg)
