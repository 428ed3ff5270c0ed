"""Real S3 servers that can be killed and started again on what they have kept."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from deployments.store import run_store
from tests.ceph import run_ceph
from tests.seaweed import add_user, find_ports
from tests.servers import S3Server

START_TIMEOUT_S = 60.0
_PROCESSES = get_context("spawn")


@dataclass(kw_only=True)
class KillableSeaweed:
    """SeaweedFS in a process of its own, with its data in a folder."""

    folder: Path
    first_port: int
    credentials: Mapping[str, str]
    process: BaseProcess | None = None

    def start(self) -> None:
        """Start it where it was, and wait until it takes a put."""
        ours, theirs = _PROCESSES.Pipe()
        arguments = (self.folder, self.first_port, dict(self.credentials), theirs)
        self.process = _PROCESSES.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        if not ours.poll(START_TIMEOUT_S):
            msg = f"SeaweedFS did not start: look into {self.folder}."
            raise TimeoutError(msg)
        ours.recv()

    def kill(self) -> None:
        """End it and all that it started, at once."""
        if self.process and self.process.pid:
            _kill_all([*_list_children(self.process.pid), self.process.pid])
            self.process.join()


def _serve(folder: Path, first_port: int, credentials: Mapping[str, str], ready: Connection) -> None:
    with run_store(folder, first_port, credentials):
        ready.send("ready")
        signal.pause()


@dataclass(frozen=True, kw_only=True)
class KillableCeph:
    """The gateway and the object store of a Ceph cluster of one that keeps its data on the disk."""

    folder: Path
    port: int

    def kill(self) -> None:
        """End both at once; the monitor stays."""
        _kill_all([pid for pid in _list_children(os.getpid()) if _name_of(pid) in {"ceph-osd", "radosgw"}])

    def start(self) -> None:
        """Start both where they were, and wait until the gateway listens."""
        variables = {**os.environ, "CEPH_CONF": str(self.folder / "ceph.conf")}
        subprocess.run(["ceph", "osd", "down", "0"], env=variables, check=True, capture_output=True, timeout=60)  # noqa: S607
        for command in (["ceph-osd", "-i", "0", "-f"], ["radosgw", "-n", "client.rgw", "-f"]):
            with (self.folder / f"{command[0]}.out").open("ab") as output:
                subprocess.Popen(command, env=variables, stdout=output, stderr=output, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _listens(self.port):
            if time.monotonic() > deadline:
                msg = f"Ceph did not start again: look into {self.folder}."
                raise TimeoutError(msg)
            time.sleep(0.05)


@contextmanager
def run_killable_seaweed(folder: Path) -> Generator[tuple[S3Server, KillableSeaweed]]:
    """Run SeaweedFS, and end all of it."""
    credentials = {"AWS_ACCESS_KEY_ID": S3Server.access_key, "AWS_SECRET_ACCESS_KEY": S3Server.secret_key}
    killable = KillableSeaweed(folder=folder, first_port=find_ports(), credentials=credentials)
    killable.start()
    try:
        yield S3Server(endpoint=f"127.0.0.1:{killable.first_port}", add_user=add_user), killable
    finally:
        killable.kill()


@contextmanager
def run_killable_ceph(folder: Path) -> Generator[tuple[S3Server, KillableCeph]]:
    """Run Ceph with its data on the disk, and end all of it."""
    folder.mkdir(parents=True, exist_ok=True)
    with run_ceph(folder, objectstore="bluestore") as server:
        killable = KillableCeph(folder=folder, port=int(server.endpoint.rpartition(":")[2]))
        try:
            yield server, killable
        finally:
            killable.kill()


def _list_children(pid: int) -> list[int]:
    """Return the processes below one, the deepest first."""
    own = [int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()]
    return [each for child in own for each in (*_list_children(child), child)]


def _kill_all(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for pid in pids:
        while _is_alive(pid):
            time.sleep(0.01)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
