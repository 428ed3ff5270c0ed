"""Small reports in the data set of a store, and what a question sees of them."""

from datetime import UTC, datetime

import polars as pl

from storage.datasets import angle_part_key, list_parts, query_parts
from storage.objects import Store
from storage.reports import Kind, list_columns, write_frame

MEDIA_TYPE = "application/vnd.apache.parquet"
FILLERS = {pl.String: "x", pl.Int32: 3, pl.Int64: 3, pl.Float64: 0.5, pl.Boolean: True}


def make_part(scene: str, number: int, project: str = "film", kind: Kind = "angles", **values: object) -> bytes:
    """Return the report of one version with two angles of one attempt each, or with its coverage."""
    names = {"scene": scene, "version": number, "project": project, "sequence": "one", "attempt": 1, "verdict": "pass"}
    row = {name: FILLERS.get(column.base_type()) for name, column in list_columns(kind).items()}
    row |= {name: value for name, value in names.items() if name in row}
    row |= {"created_at": datetime(2026, 3, number, tzinfo=UTC), "order_score": 1 / number} | values
    angles = ["close_up", "wide"] if kind == "angles" else ["x"]
    rows = [
        {name: value for name, value in (row | {"angle": angle}).items() if name in list_columns(kind)}
        for angle in angles
    ]
    return write_frame(pl.DataFrame(rows, list_columns(kind)), kind)


def lay_out(store: Store, scene: str, number: int, project: str = "film", data: bytes | None = None) -> str:
    """Put the part of one version where it belongs, and return its key."""
    key = angle_part_key(project, "one", scene, number)
    store.put_view(key, store.put_blob(data or make_part(scene, number, project), MEDIA_TYPE))
    return key


def count(store: Store, project: str | None = None) -> list[tuple[str, str, int, str]]:
    """Return what identifies each row that a question sees, sorted."""
    names = ("project", "scene", "version", "angle")
    parts = list_parts(store, "angles", project)
    return sorted(query_parts(store, "angles", parts, lambda rows: rows.select(names)).rows())
