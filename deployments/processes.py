"""Programs that a service starts, and ends together with whatever they have started themselves."""

import os
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

SHUTDOWN_S = 20.0


class ServeError(Exception):
    """The service cannot be started."""


@contextmanager
def running(
    command: Sequence[str],
    variables: Mapping[str, str],
    folder: Path,
    *,
    account: str | None = None,
    output: IO[bytes] | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Generator[subprocess.Popen[bytes]]:
    """Run a program in a session of its own, and end it with all its descendants.

    Args:
        command: The program and its arguments; no secrets, for everybody on the machine can read them.
        variables: Its whole environment.
        folder: Where it runs.
        account: Whose rights it has, where we are root; ours by default.
        output: Where its output goes; to ours by default.
        stop: What tells it to end. What still runs `SHUTDOWN_S` seconds later is killed.
    """
    process = subprocess.Popen(  # noqa: S603
        command,
        cwd=folder,
        env=dict(variables),
        stdout=output,
        stderr=output and subprocess.STDOUT,
        start_new_session=True,
        user=account,
        group=account,
        extra_groups=[] if account else None,
    )
    try:
        yield process
    finally:
        descendants = list_descendants(process.pid)
        process.send_signal(stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(SHUTDOWN_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for each in descendants:  # flow runs have sessions of their own
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()


def list_descendants(pid: int) -> list[psutil.Process]:
    """Return the children of a process, their children, and so on; none if it has ended."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
