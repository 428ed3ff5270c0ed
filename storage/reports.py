# pyright: standard
"""The Parquet report: one row per angle of a version, for polars, DuckDB or anything else that reads Parquet.

The schema carries its version in the file's metadata under `mastershot.schema_version`; columns are only ever added.
"""

import io
from collections.abc import Mapping, Sequence

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

REPORT_SCHEMA_VERSION = 1

REPORT_SCHEMA = pa.schema(
    [
        pa.field("scene", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("created_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("angle", pa.string(), nullable=False),
        pa.field("fingerprint", pa.string(), nullable=False),
        pa.field("rendered_by_run", pa.string(), nullable=False),
        pa.field("profile", pa.string(), nullable=False),
        pa.field("training", pa.string(), nullable=False),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),
        *(
            pa.field(f"{pose}_{name}", kind, nullable=False)
            for pose in ("asked", "given")
            for name, kind in (
                ("azimuth_deg", pa.float64()),
                ("elevation_deg", pa.float64()),
                ("distance", pa.float64()),
                ("lens", pa.string()),
            )
        ),
        pa.field("is_extrapolated", pa.bool_(), nullable=False),
        pa.field("picture_sha256", pa.string(), nullable=False),
        pa.field("master_sha256", pa.string(), nullable=False),
        pa.field("width_px", pa.int32(), nullable=False),
        pa.field("height_px", pa.int32(), nullable=False),
        *(pa.field(f"{stage}_s", pa.float64()) for stage in ("queue", "encode", "sample", "decode", "store")),
        pa.field("paper_clip", pa.float64()),
        pa.field("paper_style", pa.float64()),
        pa.field("paper_cam_move", pa.float64()),
        pa.field("paper_semantic", pa.float64()),
        pa.field("paper_composite", pa.float64()),
        pa.field("clip_encoder", pa.string()),
        pa.field("clip_training", pa.string()),
        pa.field("linears", pa.string(), nullable=False),
        pa.field("reuses_reference", pa.bool_(), nullable=False),
    ],
    metadata={"mastershot.schema_version": str(REPORT_SCHEMA_VERSION)},
)


def write_report(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Return a Parquet file of `rows`, one per angle.

    Raises:
        pyarrow.ArrowInvalid, pyarrow.ArrowTypeError: A value does not fit its column.
    """
    for row in rows:
        _check(row)
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=REPORT_SCHEMA)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _check(row: Mapping[str, object]) -> None:
    """Refuse what pyarrow drops or cuts off in silence: unknown columns, and fractions of whole numbers."""
    unknown = sorted(row.keys() - set(REPORT_SCHEMA.names))
    whole = (field.name for field in REPORT_SCHEMA if pa.types.is_integer(field.type))
    fractions = [name for name in whole if isinstance(row.get(name), float)]
    if unknown or fractions:
        msg = f"A row does not fit the report (unknown: {unknown}, not whole: {fractions}): correct it or the schema."
        raise pa.ArrowInvalid(msg)


def read_report(data: bytes) -> pl.DataFrame:
    """Return the rows of a Parquet report."""
    return pl.read_parquet(io.BytesIO(data))
