"""A version shown again under another number, in this scene or another: its pictures as they are, its rows renamed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

import polars as pl

from storage.errors import MissingObjectError
from storage.objects import BlobRef, Store
from storage.reading import read_many
from storage.records import Manifest, ReportRefs
from storage.reports import IDENTITY, Kind, read_report, write_frame
from storage.versions import commit_version, latest_version, version_name

_MEDIA_TYPE = "application/vnd.apache.parquet"


def republish(store: Store, source: Manifest, scene: str, lineage: Mapping[str, object]) -> Manifest:
    """Commit what `source` shows as the next version of `scene`; all its blobs are in the store.

    The Parquet rows are those of the source under the new number, run and time. Sheet, page and summary stay as they
    are, and name the version that they were made for; so do software and code, which say how the pictures came about.

    Args:
        store: Where to.
        source: What is shown again; it is not changed.
        scene: Of the new version.
        lineage: Where it comes from: `restored_from` or `imported_from`.

    Raises:
        MissingObjectError: One of its blobs is lost.
        ConflictError: Another run has taken the number in this moment.
        CorruptObjectError: A report cannot be read.
    """
    _check_blobs(store, source)
    latest, now = latest_version(store, scene), datetime.now(UTC)
    number = latest.number + 1 if latest else 1
    changes = {
        "schema_version": 3,
        "scene": scene,
        "number": number,
        "parent": latest.number if latest else None,
        "restored_from": None,
        "imported_from": None,
        "run_id": f"{now:%Y%m%dT%H%M%S}Z-{uuid4().hex[:12]}",
        "created_at": now.isoformat(),
        **lineage,
    }
    named = {"scene": scene, "version": number, "run_id": changes["run_id"], "created_at": now}
    place = {"project": source.project, "sequence": source.sequence}
    reports = source.reports.model_copy(
        update={
            name: _rename_rows(store, ref, kind, named | place)
            for name, kind in _KINDS.items()
            if (ref := _ref(source.reports, name))
        }
    )
    # Checked again as a whole, which a copy is not.
    return commit_version(store, Manifest.model_validate(dict(source) | changes | {"reports": reports}))


def _check_blobs(store: Store, source: Manifest) -> None:
    refs = source.list_blobs()
    lost = [ref for ref, is_there in zip(refs, read_many(store.has_blob, refs), strict=True) if not is_there]
    if lost:
        msg = (
            f"{len(lost)} of the {len(refs)} blobs of {version_name(source.number)} of {source.scene} are lost, among "
            f"them {store.locate_blob(lost[0])}: put them back, or choose another version."
        )
        raise MissingObjectError(msg)


_KINDS: dict[str, Kind] = {"parquet": "angles", "coverage_parquet": "coverage"}


def _ref(reports: ReportRefs, name: str) -> BlobRef | None:
    return reports.parquet if name == "parquet" else reports.coverage_parquet


def _rename_rows(store: Store, ref: BlobRef, kind: Kind, named: Mapping[str, object]) -> BlobRef:
    rows = read_report(store.get_blob(ref), kind)
    types = rows.schema
    columns = [pl.lit(value).cast(types[name]).alias(name) for name, value in named.items()]
    return store.put_blob(write_frame(rows.with_columns(columns).sort(IDENTITY[kind]), kind), _MEDIA_TYPE)
