"""Laying a version before people: readable copies in the store, and the summary in the Prefect UI.

Both tasks only copy what was written before the version was committed, so they can be done again at any time.
"""

from prefect import task
from prefect.artifacts import create_markdown_artifact

from storage.datasets import angle_part_key, coverage_part_key
from storage.objects import BlobRef, Store
from storage.opening import open_store
from storage.records import Manifest
from storage.versions import version_name
from tasks.policies import WHILE_TRANSIENT


@task(name="lay-out-views", task_run_name="lay out views", **WHILE_TRANSIENT)
def lay_out_views(manifest: Manifest, store_url: str) -> None:
    """Copy what a version shows to readable names, in a folder of its own.

    Raises:
        StorageError: The store does not take it; the version is published all the same.
    """
    lay_out(manifest, open_store(store_url))


def lay_out(manifest: Manifest, store: Store) -> None:
    """Copy what a version shows to readable names, wherever it is published from.

    Raises:
        StorageError: The store does not take it; the version is published all the same.
    """
    for name, reference in views_of(manifest).items():
        store.put_view(name, reference)


@task(name="show-coverage", task_run_name="show coverage", **WHILE_TRANSIENT)
def show_coverage(manifest: Manifest, store_url: str) -> None:
    """Write the summary of a version as a markdown artifact, one key per scene, so that its history can be seen.

    Raises:
        StorageError: The summary cannot be read back.
    """
    create_markdown_artifact(
        key=artifact_key(manifest.scene),
        description=f"Contact sheet of {manifest.scene}",
        markdown=open_store(store_url).get_blob(manifest.reports.summary).decode(),
    )


def views_of(manifest: Manifest) -> dict[str, BlobRef]:
    """Return the readable names under which a version can be looked at, and what lies there."""
    reports = manifest.reports
    named = {
        "master.png": manifest.master.picture,
        "contact_sheet.png": reports.contact_sheet,
        "review.html": reports.review_page,
        "report.parquet": reports.parquet,
    }
    named |= {f"angles/{record.name}.png": record.picture for record in manifest.angles}
    views = {f"{view_folder(manifest)}/{name}": reference for name, reference in named.items()}
    place = (manifest.project, manifest.sequence, manifest.scene, manifest.number)
    views[angle_part_key(*place)] = reports.parquet
    if reports.coverage_parquet:
        views[coverage_part_key(*place)] = reports.coverage_parquet
    return views


def view_folder(manifest: Manifest) -> str:
    """Return the folder that only this version is laid out in."""
    return f"{manifest.scene}/{version_name(manifest.number)}"


def artifact_key(scene: str) -> str:
    """Return a key of lower case letters, digits and dashes that no other scene has."""
    return "coverage-" + scene.replace("-", "--").replace("_", "-u")
