"""What `make serve` says when it cannot serve; what it does when it can is in test_production.py."""

import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deployments.processes import ServeError
from deployments.serve import BETWEEN_CHECKS_S, STARTUP_S, serve, wait_until_healthy


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without settings of Prefect but a home of its own."""
    (tmp_path / "prefect").mkdir()
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }


def test_a_server_of_others_is_not_taken_for_ours(environment: dict[str, str], tmp_path: Path) -> None:
    """If something listens on the port already, one sentence says so, the exit status is 1, and nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        command = [sys.executable, "-m", "deployments.serve"]
        environment |= {"PREFECT_SERVER_API_PORT": port, "STATE_FOLDER": str(tmp_path)}
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Failed: Port {port} of 127.0.0.1 cannot be used (Address already in use): ")
    assert done.stderr.count("\n") == 1


def test_a_server_that_ends_is_not_waited_for(environment: dict[str, str], tmp_path: Path) -> None:
    """A server that cannot start is reported when it ends, not when the time is up."""
    environment |= {"PREFECT_API_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:////proc/nowhere/prefect.db"}
    start = time.monotonic()
    with (
        pytest.raises(ServeError, match=r"^The Prefect server ended with exit status"),
        serve(_free_port(), environment, tmp_path),
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
