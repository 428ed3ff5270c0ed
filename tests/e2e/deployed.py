"""An installation whose flows run as deployments, and what a test asks of such a run."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.records import Manifest
from storage.versions import latest_version
from tests.e2e.installation import Installation
from tests.e2e.service import Service

PATIENCE_S = 240.0
UNDER_WAY = {"SCHEDULED", "PENDING", "RUNNING", "CANCELLING"}


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A service, and the installation that its runs work with."""

    service: Service
    installation: Installation
    settings: dict[str, str]

    def start(self, **changes: object) -> str:
        """Start a run on the installation's request, with changes, and return its id."""
        request = self.installation.request(**changes)
        return self.service.start("render-scene/render-scene", parameters={"request": request})

    def set_state(self, run: str, **state: str) -> None:
        """Propose a state of a run, as the UI does."""
        assert self.service.ask("POST", f"/flow_runs/{run}/set_state", state=state)["status"] == "ACCEPT"

    def retry(self, run: str) -> None:
        """Do what the button of the UI does."""
        self.set_state(run, type="SCHEDULED", name="AwaitingRetry")

    def wait_for(self, run: str, name: str) -> dict[str, Any]:
        """Wait until a run is in a state of this name, or in one that it will not leave, and return it."""

        def look() -> dict[str, Any] | None:
            found = self.service.run(run)
            is_still = found["state_type"] not in UNDER_WAY | {"PAUSED"} or found["state_name"] == name
            return found if is_still else None

        found = self.service.wait(look, PATIENCE_S)
        assert found["state_name"] == name, found["state"]["message"]
        return found

    def tasks(self, run: str) -> list[dict[str, Any]]:
        """Return the task runs of a run."""
        return self.service.ask("POST", "/task_runs/filter", flow_runs={"id": {"any_": [run]}}, limit=200)

    def count_angles(self, run: str) -> Counter[str]:
        """Count the task runs that render an angle, by their name and state."""
        angles = (task for task in self.tasks(run) if task["task_key"].startswith("render_angle"))
        return Counter(f"{task['name']} {task['state_name']}" for task in angles)

    def find_process(self, run: str) -> Path:
        """Return what is there as long as the process of a run is."""
        return Path("/proc") / str(self.service.run(run)["infrastructure_pid"]).rpartition(":")[2]

    def latest(self, scene: str) -> Manifest | None:
        """Return the latest version of a scene."""
        return latest_version(self.installation.store, scene)
