"""Publishing: all that people see of a version is written first, and the manifest that makes it visible last."""

import platform
from importlib.metadata import version

from PIL import Image
from prefect import task

from storage.objects import BlobRef, Store
from storage.opening import open_store
from storage.records import Manifest, MasterRecord, ReportRefs
from storage.reports import write_report
from storage.versions import commit_version
from tasks.coverage import Coverage
from tasks.finished import digest_coverage
from tasks.ingest import decode_png, encode_png
from tasks.policies import WHILE_TRANSIENT
from tasks.provenance import describe_code
from tasks.reports import draw_contact_sheet, shrink_for_reports, write_page, write_summary
from tasks.rows import list_rows, sum_up

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
    "opencv-python-headless",
)
"""Their versions stand in every manifest."""


@task(name="publish-version", task_run_name="publish version", **WHILE_TRANSIENT)
def publish_version(master: MasterRecord, coverage: Coverage, store_url: str) -> Manifest:
    """Write what a version shows, and commit it.

    Raises:
        ConflictError: Another run has published a version since this one looked for its parent.
        StorageError: The store does not take it; nothing is visible then.
    """
    store = open_store(store_url)
    manifest = Manifest(
        project=coverage.request.project,
        sequence=coverage.request.sequence,
        scene=coverage.scene,
        number=coverage.number,
        parent=coverage.number - 1 or None,
        run_id=coverage.run_id,
        created_at=coverage.created_at.isoformat(),
        coverage_sha256=digest_coverage(master, coverage.angles, coverage.others),
        training=coverage.training,
        request=coverage.request.model_dump(mode="json"),
        master=master,
        angles=coverage.angles,
        other_takes=coverage.others,
        reports=_write_reports(store, coverage),
        verdicts={verdict: len(names) for verdict, names in coverage.verdicts.items()},
        code=describe_code(),
        software={"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    )
    return commit_version(store, manifest)


def _write_reports(store: Store, coverage: Coverage) -> ReportRefs:
    master = _read_small(store, coverage.master)
    records = {take.record.picture.sha256: take.record for takes in coverage.takes.values() for take in takes}
    pictures = {digest: _read_small(store, record.picture) for digest, record in records.items()}
    views = {record.name: pictures[record.picture.sha256] for record in coverage.angles}
    parquet = "application/vnd.apache.parquet"
    return ReportRefs(
        parquet=store.put_blob(write_report(list_rows(coverage)), parquet),
        coverage_parquet=store.put_blob(write_report([sum_up(coverage)], "coverage"), parquet),
        contact_sheet=store.put_blob(encode_png(draw_contact_sheet(coverage, master, views)), "image/png"),
        review_page=store.put_blob(write_page(coverage, master, pictures).encode(), "text/html"),
        summary=store.put_blob(write_summary(coverage, master, views).encode(), "text/markdown"),
    )


def _read_small(store: Store, reference: BlobRef) -> Image.Image:
    """Return a picture as small as reports may have it: of the full size, only one is in memory at a time."""
    return shrink_for_reports(decode_png(store.get_blob(reference)))
