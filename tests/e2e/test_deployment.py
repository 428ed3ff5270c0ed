"""The shipped deployment on a real server with a real worker: what `make serve` brings up does its work."""

import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from deployments.serve import BETWEEN_CHECKS_S, STARTUP_S, ServeError, serve, wait_until_healthy
from storage.opening import open_store
from storage.versions import latest_version
from tests.e2e.installation import Installation
from tests.e2e.service import DEPLOYMENT, clean_environment, free_port


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without settings of Prefect but a home of its own."""
    return clean_environment(tmp_path)


@pytest.mark.timeout(600)
def test_a_deployment_run_renders_a_coverage(installation: Installation, environment: dict[str, str]) -> None:
    """`prefect deployment run` completes, and the API knows the request's schema, the schedule and a bad request."""
    with serve(free_port(), environment) as api:
        deployment = httpx.get(f"{api}/deployments/name/{DEPLOYMENT}", timeout=30).json()
        (schedule,) = deployment["schedules"]
        assert (schedule["schedule"]["cron"], schedule["active"]) == ("0 2 * * *", False)
        schema = deployment["parameter_openapi_schema"]
        assert list(schema["properties"]) == ["request"]
        assert {"scene", "master", "angles", "seed"} <= schema["definitions"]["SceneRequest"]["properties"].keys()

        bad = {"parameters": {"request": {"scene": "s", "master": "m", "angles": ["clos_up"]}}}
        answer = httpx.post(f"{api}/deployments/{deployment['id']}/create_flow_run", json=bad, timeout=30)
        assert answer.status_code == 409

        request = installation.request(angles=["close_up"])
        command = [sys.executable, "-m", "prefect", "deployment", "run", DEPLOYMENT, "--watch"]
        command += ["--param", f"request={httpx.Request('POST', api, json=request).content.decode()}"]
        done = subprocess.run(command, env=environment | {"PREFECT_API_URL": api}, check=False, capture_output=True)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    version = latest_version(open_store(str(installation.folder / "store")), "scene_1")
    assert version
    assert [record.name for record in version.angles] == ["close_up"]


def test_a_server_of_others_is_not_taken_for_ours(environment: dict[str, str]) -> None:
    """If something listens on the port already, one sentence says so, the exit status is 1, and nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        command = [sys.executable, "-m", "deployments.serve"]
        environment |= {"PREFECT_SERVER_API_PORT": port}
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Failed: Port {port} of 127.0.0.1 cannot be used (Address already in use): ")
    assert done.stderr.count("\n") == 1


def test_a_server_that_ends_is_not_waited_for(environment: dict[str, str]) -> None:
    """A server that cannot start is reported when it ends, not when the time is up."""
    environment |= {"PREFECT_API_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:////proc/nowhere/prefect.db"}
    start = time.monotonic()
    with (
        pytest.raises(ServeError, match=r"^The Prefect server ended with exit status"),
        serve(free_port(), environment),
    ):
        pass
    assert time.monotonic() - start < STARTUP_S / 2


def test_an_unhealthy_answer_is_asked_for_again_later() -> None:
    """A server that answers, but not well, is given time between two questions."""
    asked: list[float] = []

    class Starting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(time.monotonic())
            self.send_response(200 if len(asked) == 3 else 503)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - so it is called there
            """Keep silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Starting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            wait_until_healthy(f"http://127.0.0.1:{server.server_port}/api", process)
        server.shutdown()
    assert len(asked) == 3
    assert asked[2] - asked[0] >= 2 * BETWEEN_CHECKS_S


@pytest.mark.timeout(300)
def test_sigterm_ends_everything(environment: dict[str, str]) -> None:
    """A service that is told to end takes the processes that it started with it."""
    port = free_port()
    environment |= {"PREFECT_SERVER_API_PORT": str(port)}
    command = [sys.executable, "-m", "deployments.serve"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as service:
        wait_until_healthy(f"http://127.0.0.1:{port}/api", service)
        started = _descendants(service.pid)
        service.terminate()
        assert service.wait(60) == 0
    assert started
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


def _descendants(pid: int) -> list[int]:
    """Return the children of a process, their children, and so on."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    return children + [other for child in children for other in _descendants(child)]
