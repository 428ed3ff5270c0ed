"""Ceph's object gateway for tests: one monitor, one store in memory and the gateway, on loopback, once a session.

Import the fixture in a `conftest.py`: `from tests.ceph import ceph`. `make ceph` installs the programs on Debian.
Where it lies SeaweedFS does not, and the other way round, so what passes on both is portable.
"""

import base64
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from deployments.store import is_free
from tests.servers import S3Server

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
START_TIMEOUT_S = 60.0
PORTS = range(22_700, 24_000)  # those of SeaweedFS end below

CAPABILITIES = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
    "client.rgw": {"mon": "allow rw", "osd": "allow rwx"},
}
SETTINGS = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = {folder}/keyring
run dir = {folder}
crash dir = {folder}
log file = {folder}/$name.log
admin socket =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
paxos propose interval = 0.05
[mon]
mon data = {folder}/mon
mon cluster log file = {folder}/cluster.log
mon initial members = a
[osd]
osd data = {folder}/osd
osd objectstore = {objectstore}
bluestore block size = 4294967296
osd client watch timeout = 3
[client.rgw]
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{rgw_port} tcp_nodelay=1
rgw thread pool size = 64
"""


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Generator[S3Server]:
    """One server for the session."""
    if not all(shutil.which(program) for program in PROGRAMS):
        pytest.skip("no Ceph to test with: `make ceph` installs it")
    with run_ceph(tmp_path_factory.mktemp("ceph")) as server:
        yield server


@contextmanager
def run_ceph(folder: Path, objectstore: str = "memstore") -> Generator[S3Server]:
    """Start a cluster of one, wait until its gateway answers, and end all of it; `bluestore` keeps data on the disk."""
    mon_port, rgw_port = (port for port, _ in zip(filter(is_free, PORTS), range(2), strict=False))
    osd_id = str(uuid4())
    fsid = _write_settings(folder, mon_port, rgw_port, objectstore)
    variables = {**os.environ, "CEPH_CONF": str(folder / "ceph.conf")}
    with ExitStack() as stack:
        _run(
            variables,
            "monmaptool",
            "--create",
            "--addv",
            "a",
            f"[v2:127.0.0.1:{mon_port}/0]",
            "--fsid",
            fsid,
            str(folder / "monmap"),
        )
        _run(variables, "ceph-mon", "--mkfs", "-i", "a", "--monmap", str(folder / "monmap"))
        stack.enter_context(_running(variables, folder, "ceph-mon", "-i", "a"))
        _wait_for_port(mon_port, folder)
        _run(variables, "ceph", "osd", "new", osd_id)
        _run(variables, "ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osd_id)
        stack.enter_context(_running(variables, folder, "ceph-osd", "-i", "0"))
        stack.enter_context(_running(variables, folder, "radosgw", "-n", "client.rgw"))
        server = S3Server(endpoint=f"127.0.0.1:{rgw_port}", add_user=partial(_add_user, variables))
        _make_user(variables, server.access_key, server.secret_key, "--caps=user-policy=*")
        _wait_for_port(rgw_port, folder)
        yield server


def _write_settings(folder: Path, mon_port: int, rgw_port: int, objectstore: str) -> str:
    """Write settings and keys of a new cluster, and return its id."""
    fsid = str(uuid4())
    settings = SETTINGS.format(fsid=fsid, folder=folder, mon_port=mon_port, rgw_port=rgw_port, objectstore=objectstore)
    (folder / "ceph.conf").write_text(settings)
    sections: list[str] = []
    for name, capabilities in CAPABILITIES.items():
        key = base64.b64encode(struct.pack("<HIIH", 1, int(time.time()), 0, 16) + os.urandom(16)).decode()
        lines = [f'caps {kind} = "{allowed}"' for kind, allowed in capabilities.items()]
        sections.append("\n".join([f"[{name}]", f"key = {key}", *lines, ""]))
    (folder / "keyring").write_text("".join(sections))
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()
    return fsid


def _add_user(variables: Mapping[str, str], _: S3Server, name: str) -> tuple[str, str]:
    """Make a user who may do nothing, not even make buckets of its own."""
    _make_user(variables, name, f"{name}-not-a-secret", "--max-buckets=-1")
    return name, f"{name}-not-a-secret"


def _make_user(variables: Mapping[str, str], name: str, secret: str, *options: str) -> None:
    keys = (f"--access-key={name}", f"--secret-key={secret}")
    user = ("user", "create", f"--uid={name}", f"--display-name={name}", *keys, *options)
    _run(variables, "radosgw-admin", "-n", "client.rgw", *user)


def _run(variables: Mapping[str, str], *command: str) -> None:
    done = subprocess.run(command, env=dict(variables), capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(command[:4])} failed: {done.stdout[-500:]} {done.stderr[-1000:]}")


@contextmanager
def _running(variables: Mapping[str, str], folder: Path, *command: str) -> Generator[None]:
    """Run a daemon in the foreground of a session of its own; nothing in it is worth a clean end."""
    with (folder / f"{command[0]}.out").open("wb") as output:
        process = subprocess.Popen(
            [*command, "-f"], env=dict(variables), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for_port(port: int, folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                logs = {file.name: file.read_text(errors="replace")[-500:] for file in folder.glob("*.out")}
                pytest.fail(f"Ceph did not start: {logs}")
            time.sleep(0.05)
        else:
            return
