"""One machine's service: Prefect server with its UI on PostgreSQL, workers, automations, deployments of prefect.yaml.

Run `python -m deployments.serve`; everything listens on 127.0.0.1 and ends with Ctrl-C or SIGTERM, and what was there
is there again at the next start. `--database sqlite` is for one person alone. The variables that can be set are in
docs/production.md.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Literal

import httpx

from deployments.passwords import keep_password
from deployments.postgres import run_postgres
from deployments.processes import ServeError, running

PROJECT = Path(__file__).resolve().parent.parent
STATE = PROJECT / ".mastershot"
POOLS = ("mastershot", "mastershot-control")
STARTUP_S, BETWEEN_CHECKS_S = 120.0, 0.5
HERE, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - only where it is asked for
LEASES = "prefect.server.concurrency.lease_storage.filesystem"
DATABASE_VARIABLES = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")

Database = Literal["postgresql", "sqlite"]
Renderer = AbstractContextManager[Mapping[str, str]]
"""Starts what the flows render with, yields the variables that tell them where it is, and stops it."""


@contextmanager
def serve(
    port: int,
    environment: Mapping[str, str],
    state: Path = STATE,
    database: Database = "postgresql",
    renderer: Renderer | None = None,
) -> Generator[dict[str, str]]:
    """Start everything, yield the variables with which the API can be used, and stop what was started.

    Args:
        port: Of the server, on the address of PREFECT_SERVER_API_HOST or on 127.0.0.1.
        environment: What runs inherit. A database that it names is used as it is, in place of `database`.
        state: Folder of what is kept: passwords, and the data of PostgreSQL.
        database: Where the server keeps its state; SQLite is below PREFECT_HOME.
        renderer: A resident renderer; none by default, then every run loads the model itself.

    Raises:
        ServeError: The port is taken, something did not start in time, or the server refused the deployments.
    """
    host = environment.get("PREFECT_SERVER_API_HOST", HERE)
    variables = _describe(host, port, environment, keep_password(state / "prefect-auth", "mastershot"))
    _check_port(host, port)
    with ExitStack() as started:
        if database == "postgresql" and not any(name in environment for name in DATABASE_VARIABLES):
            folder = Path(environment.get("POSTGRES_FOLDER", state / "postgres")).absolute()
            address = started.enter_context(run_postgres(folder))
            of_server = variables | {DATABASE_VARIABLES[0]: address}
        else:
            of_server = variables
        server = started.enter_context(_prefect(["server", "start", "--host", host, "--port", str(port)], of_server))
        wait_until_healthy(variables["PREFECT_API_URL"], server)
        _register(variables)
        of_runs = variables | dict(started.enter_context(renderer or nullcontext({})))
        for pool in POOLS:
            arguments = ["worker", "start", "--pool", pool, "--name", f"{pool}-on-this-machine"]
            started.enter_context(_prefect(arguments, of_runs))
        yield variables


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


def _describe(host: str, port: int, environment: Mapping[str, str], password: str) -> dict[str, str]:
    """Return the variables of server, workers and runs; secrets are told in no other way."""
    heard_at = HERE if host == EVERYWHERE else host
    auth = environment.get("PREFECT_SERVER_API_AUTH_STRING", password)
    defaults = {
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,  # in memory, a restart would lose who holds what
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_SERVER_UI_API_URL": "/api",  # wherever the browser has the page from
    }
    return {
        **defaults,
        **environment,
        "PWD": str(PROJECT),
        "PREFECT_API_URL": f"http://{heard_at}:{port}/api",
        "PREFECT_SERVER_API_HOST": host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_API_AUTH_STRING": auth,
        "PREFECT_API_AUTH_STRING": auth,
    }


def _check_port(host: str, port: int) -> None:
    """Make sure that whoever answers on the port later is our server, and not one that was there before."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just left is free
        try:
            probe.bind((host, port))
        except OSError as exc:
            msg = (
                f"Port {port} of {host} cannot be used ({exc.strerror}): stop what listens there, "
                "or set PREFECT_SERVER_API_PORT to another port."
            )
            raise ServeError(msg) from exc


def _prefect(arguments: list[str], variables: Mapping[str, str]) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return running([sys.executable, "-m", "prefect", *arguments], variables, PROJECT)


def _register(variables: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "deployments.register", "--recover"]
    done = subprocess.run(command, cwd=PROJECT, env=dict(variables), check=False)  # noqa: S603
    if done.returncode:
        msg = f"`python -m deployments.register` ended with exit status {done.returncode}: look at its output above."
        raise ServeError(msg)


def main() -> int:
    """Serve on the port of PREFECT_SERVER_API_PORT, or 4200, until interrupted; return 1 if that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m deployments.serve", description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: with everything that was started
    port = int(os.environ.get("PREFECT_SERVER_API_PORT", "4200"))
    state = Path(os.environ.get("STATE_FOLDER", STATE)).absolute()
    try:
        with serve(port, os.environ, state, asked.database) as variables:
            sys.stdout.write(
                f"\nMastershot is served: {variables['PREFECT_API_URL'].removesuffix('/api')} (Ctrl-C ends it)\n"
                f"The UI asks for what {state / 'prefect-auth'} holds. In another shell:\n\n"
                f"export PREFECT_API_URL={variables['PREFECT_API_URL']}\n"
                f'export PREFECT_API_AUTH_STRING="$(cat {state / "prefect-auth"})"\n\n'
            )
            sys.stdout.flush()
            signal.pause()
    except KeyboardInterrupt:
        sys.stdout.write("Stopped.\n")
    except ServeError as exc:
        sys.stderr.write(f"Failed: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
