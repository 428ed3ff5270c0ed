"""One machine's service: Prefect server with its UI, a process worker, and the deployments of prefect.yaml.

Run `python -m deployments.serve`; everything listens on 127.0.0.1 and ends with Ctrl-C. The server keeps its state in
SQLite below PREFECT_HOME: right for one person, not for a team.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

PROJECT = Path(__file__).resolve().parent.parent
WORK_POOL = "mastershot"
STARTUP_S, SHUTDOWN_S = 120.0, 20.0


@contextmanager
def serve(port: int, environment: Mapping[str, str]) -> Generator[str]:
    """Start everything, yield the address of the API, and stop what was started.

    Raises:
        TimeoutError: The server did not answer in time.
        subprocess.CalledProcessError: The work pool or the deployments were refused.
    """
    api = f"http://127.0.0.1:{port}/api"
    variables = {
        **environment,
        "PWD": str(PROJECT),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
    }
    with _running(["server", "start", "--host", "127.0.0.1", "--port", str(port)], variables):
        _wait_until_healthy(api)
        _prefect(["work-pool", "create", "--overwrite", "--type", "process", WORK_POOL], variables)
        _prefect(["--no-prompt", "deploy", "--all"], variables)
        with _running(["worker", "start", "--pool", WORK_POOL, "--name", "worker-of-this-machine"], variables):
            yield api


@contextmanager
def _running(arguments: list[str], variables: dict[str, str]) -> Generator[None]:
    command = [sys.executable, "-m", "prefect", *arguments]
    process = subprocess.Popen(command, cwd=PROJECT, env=variables, start_new_session=True)  # noqa: S603
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(SHUTDOWN_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _prefect(arguments: list[str], variables: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "prefect", *arguments], cwd=PROJECT, env=variables, check=True)  # noqa: S603


def _wait_until_healthy(api: str) -> None:
    deadline = time.monotonic() + STARTUP_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{api}/health", timeout=5).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    msg = f"The Prefect server at {api} did not answer within {STARTUP_S:g} s: look at its output above."
    raise TimeoutError(msg)


def main() -> None:
    """Serve on the port of PREFECT_SERVER_API_PORT, or 4200, until interrupted."""
    port = int(os.environ.get("PREFECT_SERVER_API_PORT", "4200"))
    with serve(port, os.environ) as api:
        sys.stdout.write(f"\nMastershot is served: {api.removesuffix('/api')} (Ctrl-C ends it)\n")
        try:
            signal.pause()
        except KeyboardInterrupt:
            sys.stdout.write("Stopping.\n")


if __name__ == "__main__":
    main()
