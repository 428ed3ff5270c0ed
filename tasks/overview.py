"""The versions of a scene at a glance, and the latest version of every scene."""

import re
from functools import partial

from storage.errors import StorageError
from storage.history import VersionKey, list_numbers, read_versions
from storage.marks import read_standing
from storage.objects import Store
from storage.reading import read_many
from storage.records import Manifest
from tasks.lineage import find_parent_number

Row = dict[str, object]
_MARK = re.compile(r"marks/([^/]+)/v(\d{6})/[^/]+")
VERDICTS = ("pass", "review", "fail")


def list_versions(store: Store, scene: str) -> list[Row]:
    """Return a row per version of a scene, the latest first.

    Raises:
        CorruptObjectError: A manifest or a mark is damaged.
    """
    numbers = list_numbers(store, scene).get(scene, [])
    keys = [(scene, number) for number in reversed(numbers)]
    marked = _find_marked(store, f"marks/{scene}/")
    versions = read_versions(store, keys)
    verdicts = read_many(partial(_count_verdicts, store), versions)
    rows = read_many(partial(_describe, store, marked), versions)
    return [row | counts for row, counts in zip(rows, verdicts, strict=True)]


def list_scenes(store: Store) -> list[Row]:
    """Return a row per scene: its latest version, and how many versions it has.

    Raises:
        CorruptObjectError: A manifest or a mark is damaged.
    """
    numbers = list_numbers(store)
    marked = _find_marked(store, "marks/")
    latest = read_versions(store, [(scene, each[-1]) for scene, each in sorted(numbers.items())])
    verdicts = read_many(partial(_count_verdicts, store), latest)
    rows = read_many(partial(_describe, store, marked), latest)
    return [
        row | {"num_versions": len(numbers[version.scene])} | counts
        for row, version, counts in zip(rows, latest, verdicts, strict=True)
    ]


def _find_marked(store: Store, prefix: str) -> set[VersionKey]:
    """Return the versions of which anything was said, from one listing."""
    found = (_MARK.fullmatch(key) for key in store.list_records(prefix))
    return {(match[1], int(match[2])) for match in found if match}


def _describe(store: Store, marked: set[VersionKey], manifest: Manifest) -> Row:
    key = (manifest.scene, manifest.number)
    standing = read_standing(store, key) if key in marked else None
    pin = standing.pin if standing else None
    return {
        "project": manifest.project,
        "sequence": manifest.sequence,
        "scene": manifest.scene,
        "version": manifest.number,
        "created_at": manifest.created_at,
        "run_id": manifest.run_id,
        "profile": str(manifest.request.get("profile", "")),
        "training": manifest.training,
        "num_angles": len(manifest.angles),
        "parent": find_parent_number(manifest),
        "restored_from": manifest.restored_from,
        "imported_from": manifest.imported_from,
        "is_pinned": pin is not None,
        "pinned_by": pin.who if pin else None,
        "tags": sorted(standing.tags) if standing else [],
    }


def _count_verdicts(store: Store, manifest: Manifest) -> Row:
    """Return how many angles pass and do not; of a manifest that does not say it, from the report."""
    verdicts = manifest.verdicts
    if verdicts is None and manifest.reports.coverage_parquet:
        from storage.reports import read_report  # noqa: PLC0415 - polars takes a second, and new manifests need none

        try:
            row = read_report(store.get_blob(manifest.reports.coverage_parquet), "coverage").row(0, named=True)
            verdicts = {verdict: row[f"num_{verdict}"] for verdict in VERDICTS}
        except StorageError:
            verdicts = None  # a list is of use without them, and verify says what is lost
    return {f"num_{verdict}": (verdicts or {}).get(verdict) for verdict in VERDICTS}
