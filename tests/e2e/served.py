"""A served Mastershot on SQLite, and what a test asks of its API: that of the server, over HTTP."""

import os
import socket
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deployments.serve import serve
from tests.e2e.installation import Installation

DEPLOYMENT = "render-scene/render-scene"
PATIENCE_S = 180.0
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_environment(folder: Path) -> dict[str, str]:
    """Return an environment without settings of Prefect but a home of its own."""
    (folder / "prefect").mkdir()
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }


@dataclass(frozen=True, kw_only=True)
class Service:
    """A server and a worker, and the installation that their flows work with."""

    api: str
    client: httpx.Client
    environment: dict[str, str]
    installation: Installation

    def start(self, **changes: object) -> str:
        """Start a run of the deployment on the installation's request, with changes, and return its id."""
        deployment = self.get(f"deployments/name/{DEPLOYMENT}")["id"]
        body = {"parameters": {"request": self.installation.request(**changes)}}
        return self.post(f"deployments/{deployment}/create_flow_run", body)["id"]

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Ask the API."""
        return _checked(self.client.get(f"{self.api}/{path}"))

    def post(self, path: str, body: Mapping[str, object]) -> Any:  # noqa: ANN401 - JSON
        """Tell the API."""
        return _checked(self.client.post(f"{self.api}/{path}", json=body))

    def set_state(self, run: str, **state: str) -> None:
        """Propose a state of a run, as the UI does."""
        assert self.post(f"flow_runs/{run}/set_state", {"state": state})["status"] == "ACCEPT"

    def wait(self, run: str, *names: str) -> dict[str, Any]:
        """Wait until a run is in one of these states, and return it as it is then."""

        def look() -> dict[str, Any] | None:
            found = self.get(f"flow_runs/{run}")
            is_wrong = found["state_type"] in FINAL and found["state_name"] not in names
            assert not is_wrong, f"{found['state_name']}: {found['state']['message']}"
            return found if found["state_name"] in names else None

        return wait_for(look)

    def list_tasks(self, run: str) -> list[dict[str, Any]]:
        """Return the task runs of a run, the first one first."""
        body = {"flow_runs": {"id": {"any_": [run]}}, "limit": 200, "sort": "EXPECTED_START_TIME_ASC"}
        return self.post("task_runs/filter", body)


def wait_for(look: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is looked for
    """Look until there is something to see, and return that."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    msg = f"There was nothing to see within {PATIENCE_S:g} s."
    raise AssertionError(msg)


def _checked(answer: httpx.Response) -> Any:  # noqa: ANN401 - JSON
    assert answer.is_success, answer.text
    return answer.json()


@contextmanager
def running_service(installation: Installation, settings: Mapping[str, str]) -> Generator[Service]:
    """Serve an installation on a port of its own."""
    environment = {**clean_environment(installation.folder), **settings}
    with serve(free_port(), environment, installation.folder / "state", "sqlite") as variables:
        client = httpx.Client(auth=httpx.BasicAuth(*variables["PREFECT_API_AUTH_STRING"].split(":", 1)), timeout=30)
        with client:
            yield Service(
                api=variables["PREFECT_API_URL"], client=client, environment=environment, installation=installation
            )
