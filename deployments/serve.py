"""One machine's service: Prefect server with its UI, a process worker, and the deployments of prefect.yaml.

Run `python -m deployments.serve`; everything listens on 127.0.0.1 and ends with Ctrl-C or SIGTERM. The server keeps its
state in SQLite below PREFECT_HOME: right for one person, not for a team.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

PROJECT = Path(__file__).resolve().parent.parent
WORK_POOL = "mastershot"
STARTUP_S, SHUTDOWN_S, BETWEEN_CHECKS_S = 120.0, 20.0, 0.5


class ServeError(Exception):
    """The service cannot be started."""


@contextmanager
def serve(port: int, environment: Mapping[str, str]) -> Generator[str]:
    """Start everything, yield the address of the API, and stop what was started.

    Raises:
        ServeError: The port is taken, the server ended or did not answer in time, or it refused the deployments.
    """
    api = f"http://127.0.0.1:{port}/api"
    variables = {
        **environment,
        "PWD": str(PROJECT),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
    }
    _check_port(port)
    with _running(["server", "start", "--host", "127.0.0.1", "--port", str(port)], variables) as server:
        wait_until_healthy(api, server)
        _prefect(["work-pool", "create", "--overwrite", "--type", "process", WORK_POOL], variables)
        _prefect(["--no-prompt", "deploy", "--all"], variables)
        with _running(["worker", "start", "--pool", WORK_POOL, "--name", "worker-of-this-machine"], variables):
            yield api


def wait_until_healthy(api: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until our server answers.

    Raises:
        ServeError: It ended, or did not answer in time.
    """
    deadline = time.monotonic() + STARTUP_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            msg = f"The Prefect server ended with exit status {server.returncode}: look at its output above."
            raise ServeError(msg)
        with suppress(httpx.HTTPError):
            if httpx.get(f"{api}/health", timeout=5).is_success:
                return
        time.sleep(BETWEEN_CHECKS_S)
    msg = f"The Prefect server at {api} did not answer within {STARTUP_S:g} s: look at its output above."
    raise ServeError(msg)


def _check_port(port: int) -> None:
    """Make sure that whoever answers on the port later is our server, and not one that was there before."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just left is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as exc:
            msg = (
                f"Port {port} of 127.0.0.1 cannot be used ({exc.strerror}): stop what listens there, "
                "or set PREFECT_SERVER_API_PORT to another port."
            )
            raise ServeError(msg) from exc


@contextmanager
def _running(arguments: list[str], variables: dict[str, str]) -> Generator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "prefect", *arguments]
    process = subprocess.Popen(command, cwd=PROJECT, env=variables, start_new_session=True)  # noqa: S603
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(SHUTDOWN_S)
        with suppress(ProcessLookupError):  # what it leaves behind is in its session
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _prefect(arguments: list[str], variables: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-m", "prefect", *arguments], cwd=PROJECT, env=variables, check=False)  # noqa: S603
    if done.returncode:
        msg = f"`prefect {' '.join(arguments)}` ended with exit status {done.returncode}: look at its output above."
        raise ServeError(msg)


def main() -> int:
    """Serve on the port of PREFECT_SERVER_API_PORT, or 4200, until interrupted; return 1 if that cannot be."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: with everything that was started
    port = int(os.environ.get("PREFECT_SERVER_API_PORT", "4200"))
    try:
        with serve(port, os.environ) as api:
            sys.stdout.write(f"\nMastershot is served: {api.removesuffix('/api')} (Ctrl-C ends it)\n")
            signal.pause()
    except KeyboardInterrupt:
        sys.stdout.write("Stopped.\n")
    except ServeError as exc:
        sys.stderr.write(f"Failed: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
