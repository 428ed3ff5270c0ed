"""Publishing: the report, the sheet and the page of a version, and the manifest that makes it visible, last."""

import platform
from importlib.metadata import version

from prefect import task

from storage.objects import BlobRef, Store
from storage.opening import open_store
from storage.records import Manifest, MasterRecord, ReportRefs
from storage.reports import write_report
from storage.versions import commit_version, latest_version
from tasks.finished import digest_coverage
from tasks.ingest import decode_png, encode_png
from tasks.policies import WHILE_TRANSIENT
from tasks.reports import Coverage, draw_contact_sheet, list_rows, write_page
from tasks.requests import SceneRequest

PACKAGES = (
    "prefect",
    "torch",
    "diffusers",
    "transformers",
    "peft",
    "open_clip_torch",
    "scikit-image",
    "numpy",
    "pillow",
)
"""Their versions stand in every manifest."""


@task(name="publish-version", task_run_name="publish version", **WHILE_TRANSIENT)
def publish_version(request: SceneRequest, master: MasterRecord, coverage: Coverage, store_url: str) -> Manifest:
    """Write what a version shows, commit it, and lay readable copies beside it.

    Raises:
        StorageError: The store does not take it; nothing is visible then.
    """
    store = open_store(store_url)
    latest = latest_version(store, coverage.scene)
    if latest and latest.run_id == coverage.run_id:  # a try before committed it and failed behind that
        manifest = latest
    else:
        manifest = _describe(request, master, coverage, _write_reports(store, coverage), latest)
        commit_version(store, manifest)
    for name, reference in views_of(manifest).items():
        store.put_view(name, reference)
    return manifest


def _describe(
    request: SceneRequest, master: MasterRecord, coverage: Coverage, reports: ReportRefs, parent: Manifest | None
) -> Manifest:
    return Manifest(
        scene=coverage.scene,
        run_id=coverage.run_id,
        parent_run_id=parent.run_id if parent else None,
        created_at=coverage.created_at.isoformat(),
        coverage_sha256=digest_coverage(master, coverage.angles),
        training=coverage.profile.training,
        request=request.model_dump(mode="json"),
        master=master,
        angles=coverage.angles,
        reports=reports,
        software={"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    )


def _write_reports(store: Store, coverage: Coverage) -> ReportRefs:
    master = decode_png(store.get_blob(coverage.master))
    views = {record.name: decode_png(store.get_blob(record.picture)) for record in coverage.angles}
    sheet = encode_png(draw_contact_sheet(coverage, master, views))
    page = write_page(coverage, master, views)
    return ReportRefs(
        parquet=store.put_blob(write_report(list_rows(coverage)), "application/vnd.apache.parquet"),
        contact_sheet=store.put_blob(sheet, "image/png"),
        review_page=store.put_blob(page.encode(), "text/html"),
    )


def views_of(manifest: Manifest) -> dict[str, BlobRef]:
    """Return the readable names under which a version can be looked at, and what lies there."""
    scene, reports = manifest.scene, manifest.reports
    named = {
        "master.png": manifest.master.picture,
        "contact_sheet.png": reports.contact_sheet,
        "review.html": reports.review_page,
        "report.parquet": reports.parquet,
    }
    named |= {f"angles/{record.name}.png": record.picture for record in manifest.angles}
    return {f"{scene}/{name}": reference for name, reference in named.items()}
