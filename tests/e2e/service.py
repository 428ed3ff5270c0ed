"""A whole service as `make serve` starts it, in temporary folders, and its API as a test uses it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

PROJECT = Path(__file__).parents[2]
STARTUP_S = 150.0
Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service that runs."""

    folder: Path
    process: subprocess.Popen[bytes]
    variables: dict[str, str]
    log: Path

    def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Send a request to the API, with the password."""
        auth = httpx.BasicAuth(*self.variables["PREFECT_API_AUTH_STRING"].split(":", 1))
        return httpx.request(method, f"{self.variables['PREFECT_API_URL']}{path}", auth=auth, json=body, timeout=30)

    def ask(self, method: str, path: str, **body: object) -> Any:  # noqa: ANN401 - JSON
        """Return the answer to a request."""
        answer = self.send(method, path, body or None)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def start(self, deployment: str, **body: object) -> str:
        """Create a run of a deployment and return its id."""
        found = self.ask("GET", f"/deployments/name/{deployment}")
        return self.ask("POST", f"/deployments/{found['id']}/create_flow_run", **body)["id"]

    def runs(self, **filters: object) -> list[dict[str, Any]]:
        """Return flow runs."""
        return self.ask("POST", "/flow_runs/filter", flow_runs=filters)

    def run(self, run_id: str) -> dict[str, Any]:
        """Return a flow run."""
        return self.ask("GET", f"/flow_runs/{run_id}")

    def wait(self, look: Callable[[], Found | None], timeout_s: float) -> Found:
        """Look again until something is found."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.3)
        raise TimeoutError(self.log.read_text()[-3000:])

    def wait_for(self, run_id: str, *kinds: str, timeout_s: float = 180) -> dict[str, Any]:
        """Wait until a flow run is in a state of one of these types."""
        return self.wait(lambda: run if (run := self.run(run_id))["state_type"] in kinds else None, timeout_s)

    def processes(self) -> list[psutil.Process]:
        """Return all processes of the service."""
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def running_service(variables: dict[str, str]) -> Generator[Service]:
    """Start the service on PostgreSQL and stop it; every process that it started must then be gone."""
    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        folder = Path(name)
        folder.chmod(0o755)  # whom PostgreSQL runs as comes through here
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")},
            **variables,
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_LOGGING_LEVEL": "INFO",
            "STATE_FOLDER": str(folder / "state"),
        }
        log = folder / "output"
        command = [sys.executable, "-m", "deployments.serve"]
        with (
            log.open("wb") as output,
            subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=output, stderr=output) as process,
        ):
            try:
                yield _wait_until_served(folder, process, port, log)
            finally:
                started = psutil.Process(process.pid).children(recursive=True)
                process.terminate()
                assert process.wait(90) == 0
        assert started
        assert [each for each in started if each.is_running()] == []


def _wait_until_served(folder: Path, process: subprocess.Popen[bytes], port: int, log: Path) -> Service:
    deadline = time.monotonic() + STARTUP_S
    while "Mastershot is served" not in log.read_text():
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.3)
    variables = {
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_API_AUTH_STRING": (folder / "state/prefect-auth").read_text(),
    }
    return Service(folder=folder, process=process, variables=variables, log=log)
