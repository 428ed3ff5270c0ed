"""Views that fail are rendered again, end to end: every attempt is kept and can be asked for, and the best is shown."""

import polars as pl
import pytest

from storage.objects import BlobRef, Store
from storage.queries import find_worst
from storage.records import Manifest
from tests.e2e.installation import Installation, count_tasks

ANGLES, SEED = ["close_up", "left_45"], 41
PART = "project=film/sequence=s010/scene_1-v000001.parquet"


def read_reports(installation: Installation, kind: str, expected: BlobRef) -> pl.DataFrame:
    """Return the rows of a data set as the documents say to read it; its only part is a copy of a report."""
    folder = installation.folder / "store/scenes/views/reports" / kind
    parts = [path for path in folder.rglob("*") if path.is_file()]
    assert [path.relative_to(folder).as_posix() for path in parts] == [PART]
    assert parts[0].read_bytes() == installation.store.get_blob(expected)
    rows = pl.scan_parquet(folder / "**/*.parquet", hive_partitioning=False, missing_columns="insert").collect()
    assert rows.select("project", "sequence", "scene", "version").unique().rows() == [("film", "s010", "scene_1", 1)]
    return rows


def check_attempts(store: Store, manifest: Manifest, rows: pl.DataFrame) -> None:
    """Of each angle both attempts are kept whole, and the one that is shown is the better of the two."""
    kept = {record.picture.sha256: record for record in (*manifest.angles, *manifest.other_takes)}
    assert sorted(rows["picture_sha256"]) == sorted(kept)
    for record in kept.values():
        assert store.get_blob(record.picture).startswith(b"\x89PNG")
    for record in manifest.angles:
        attempts = rows.filter(angle=record.name).sort("attempt")
        assert attempts.select("attempt", "seed").rows() == [(1, SEED), (2, SEED + 1)]
        assert attempts["is_chosen"].sum() == 1
        best = attempts.sort("order_score", descending=True, maintain_order=True).row(0, named=True)
        assert best["is_chosen"]
        assert (best["picture_sha256"], best["seed"]) == (record.picture.sha256, record.spec["seed"])


def test_failed_views_are_tried_again_and_all_is_kept(installation: Installation) -> None:
    """Of two attempts the better is shown and the other kept; the reports lie where any reader finds them."""
    request = {"project": "film", "sequence": "s010", "max_attempts": 2, "seed": SEED}
    state = installation.run_to_end(**request)
    manifest, counts = state.result(), count_tasks(state)
    assert [counts[f"{name} Completed"] for name in (*ANGLES, "score scene", "look at all views together")] == [2] * 4
    assert [record.name for record in manifest.angles] == ANGLES
    assert [record.name for record in manifest.other_takes] == ANGLES

    rows = read_reports(installation, "angles", manifest.reports.parquet)
    assert rows["verdict"].to_list() == ["fail"] * 4
    assert all(rows["reasons"])
    check_attempts(installation.store, manifest, rows)

    assert manifest.reports.coverage_parquet
    (totals,) = read_reports(installation, "coverages", manifest.reports.coverage_parquet).to_dicts()
    assert (totals["num_angles"], totals["num_attempts"], totals["num_fail"]) == (2, 4, 2)
    assert totals["mean_order_score"] == pytest.approx(rows.filter("is_chosen")["order_score"].mean())
    assert totals["worst_angle"] == find_worst(rows.lazy()).collect()["angle"][0]

    again = installation.run_to_end(**request)
    assert again.result() == manifest
    assert not {name for name in count_tasks(again) if name.startswith((*ANGLES, "publish"))}
