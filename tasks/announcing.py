"""Telling whoever listens on the server that a coverage needs a look; automations carry it to people."""

from prefect.events import emit_event

from storage.records import Manifest
from storage.versions import version_name

CHECKS_FAILED = "mastershot.coverage.failed-checks"
"""Its resource is the scene; its payload has `version`, `num_failed` and `num_angles`."""


def announce_failed_checks(manifest: Manifest, run_id: str) -> None:
    """Emit an event if this run has published the version and views of it failed their checks."""
    num_failed = (manifest.verdicts or {}).get("fail", 0)
    if not num_failed or manifest.run_id != run_id:
        return
    emit_event(
        CHECKS_FAILED,
        resource={
            "prefect.resource.id": f"mastershot.scene.{manifest.scene}",
            "prefect.resource.name": manifest.scene,
            "mastershot.project": manifest.project,
        },
        payload={
            "version": version_name(manifest.number),
            "num_failed": num_failed,
            "num_angles": len(manifest.angles),
        },
    )
