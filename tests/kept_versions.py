"""Versions with small blobs in a store: everything is there that a render would leave, and nothing was rendered."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

from storage.datasets import angle_part_key, coverage_part_key
from storage.objects import BlobRef, Store
from storage.records import AngleRecord, Manifest, MasterRecord, ReportRefs
from storage.reports import COVERAGE_SCHEMA, REPORT_SCHEMA, Kind, write_report
from storage.versions import commit_version, keep_angle, version_name

CREATED_AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
_PLAIN = {"string": "x", "int32": 3, "int64": 3, "double": 0.5, "bool": True, "timestamp[us, tz=UTC]": CREATED_AT}
_SCHEMAS = {"angles": REPORT_SCHEMA, "coverage": COVERAGE_SCHEMA}


def keep_version(
    store: Store,
    number: int,
    scene: str = "street",
    *,
    angles: Sequence[str] = ("close_up", "wide"),
    created_at: datetime = CREATED_AT,
) -> Manifest:
    """Keep a version of a scene as the flow does: blobs, records of angles, manifest, views and rows."""
    run_id = f"20260329T013000Z-{scene}-{number}"
    records = [_keep_angle(store, f"{scene} {name} {number}", name, run_id, created_at) for name in angles]
    master = _put(store, f"master of {scene}", "image/png")
    place: dict[str, object] = {"scene": scene, "version": number, "run_id": run_id, "created_at": created_at}
    manifest = Manifest(
        scene=scene,
        number=number,
        parent=number - 1 or None,
        run_id=run_id,
        created_at=created_at.isoformat(),
        coverage_sha256=sha256(f"{scene} {number}".encode()).hexdigest(),
        training="trained",
        request={"scene": scene, "master": "master.png", "profile": "miniature"},
        master=MasterRecord(
            picture=master,
            original=_put(store, f"original of {scene}", "image/jpeg"),
            source_name="master.jpg",
            facts={"width_px": 448, "height_px": 256},
        ),
        angles=tuple(records),
        other_takes=(_keep_angle(store, f"other {scene} {number}", "wide", f"{run_id}-other", created_at),),
        reports=_keep_reports(store, place, angles),
        verdicts={"pass": len(angles), "review": 0, "fail": 0},
        software={"python": "3.11"},
        code={"mastershot": "0.1.0", "commit": "ab" * 20},
    )
    commit_version(store, manifest)
    lay_out(store, manifest)
    store.put_record(f"scores/{records[0].picture.sha256}/{'ab' * 32}.json", b"{}")
    return manifest


def lay_out(store: Store, manifest: Manifest) -> None:
    """Lay out a view of a version and its rows."""
    store.put_view(f"{manifest.scene}/{version_name(manifest.number)}/master.png", manifest.master.picture)
    place = (manifest.project, manifest.sequence, manifest.scene, manifest.number)
    store.put_view(angle_part_key(*place), manifest.reports.parquet)
    assert manifest.reports.coverage_parquet
    store.put_view(coverage_part_key(*place), manifest.reports.coverage_parquet)


def _keep_reports(store: Store, place: dict[str, object], angles: Sequence[str]) -> ReportRefs:
    name = f"{place['scene']} {place['version']}"
    return ReportRefs(
        parquet=_report(store, "angles", [{**place, "angle": angle} for angle in angles]),
        coverage_parquet=_report(store, "coverage", [place]),
        contact_sheet=_put(store, f"sheet {name}", "image/png"),
        review_page=_put(store, f"page {name}", "text/html"),
        summary=_put(store, f"summary {name}", "text/markdown"),
    )


def _keep_angle(store: Store, content: str, name: str, run_id: str, rendered_at: datetime) -> AngleRecord:
    record = AngleRecord(
        name=name,
        fingerprint=sha256(f"recipe of {content}".encode()).hexdigest(),
        spec={"seed": 0, "profile": {"name": "miniature", "training": "trained"}},
        picture=_put(store, f"picture {content}", "image/png"),
        stage_times_s={"sample": 1.0},
        run_id=run_id,
        rendered_at=rendered_at.isoformat(),
    )
    return keep_angle(store, record)


def _report(store: Store, kind: Kind, rows: list[dict[str, object]]) -> BlobRef:
    needed = {field.name: _PLAIN[str(field.type)] for field in _SCHEMAS[kind] if not field.nullable}
    named = {"project": "default", "sequence": "default"}
    whole = [needed | named | row for row in rows]
    return store.put_blob(write_report(whole, kind), "application/vnd.apache.parquet")


def _put(store: Store, content: str, media_type: str) -> BlobRef:
    return store.put_blob(content.encode(), media_type)
