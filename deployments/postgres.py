"""One machine's PostgreSQL for the Prefect server: on a unix socket alone, its data below .mastershot/postgres.

PostgreSQL refuses to run as root; where we are root it runs as the user of its Debian package, who then owns the
folder. Nothing listens on a network, and the socket asks for the password that is kept beside it.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from deployments.passwords import keep_password
from deployments.processes import ServeError, running

STARTUP_S, BETWEEN_CHECKS_S = 60.0, 0.1
ACCOUNT = "postgres"
"""Who owns the server where we are root."""
USER, DATABASE = "mastershot", "postgres"
DEBIAN_FOLDER = Path("/usr/lib/postgresql")
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.conf")
MAX_SOCKET_BYTES = 107
"""The kernel takes no longer path of a socket."""
_QUIET = {"LANG": "C.UTF-8", "PATH": os.defpath}


@contextmanager
def run_postgres(folder: Path) -> Generator[str]:
    """Start the server on the data in `folder`, made at the first start, yield its address with password, and stop it.

    Raises:
        ServeError: PostgreSQL is not installed, cannot use the folder, or did not start in time.
    """
    account = ACCOUNT if os.geteuid() == 0 else None
    programs = _find_programs(folder) or _install(folder)
    password = _prepare(folder, account)
    if not (folder / "data").exists():
        _make_cluster(programs, folder, account)
    command = [str(programs / "postgres"), "-D", str(folder / "data"), "-c", "listen_addresses="]
    command += ["-c", f"unix_socket_directories={folder / 'socket'}", "-c", "unix_socket_permissions=0700"]
    with (
        (folder / "server.log").open("ab") as log,
        running(command, _QUIET, folder, account=account, output=log, stop=signal.SIGINT) as process,
    ):
        _wait_until_ready(programs, folder, process)
        where = urlencode({"host": str(folder / "socket")}, quote_via=quote)
        yield f"postgresql+asyncpg://{USER}:{password}@/{DATABASE}?{where}"


def is_installed() -> bool:
    """Tell whether there is any PostgreSQL on this machine."""
    return bool(_list_programs())


def _list_programs() -> list[Path]:
    """Return the folders of all installed versions, the newest last."""
    found = sorted((path.parent for path in DEBIAN_FOLDER.glob("*/bin/postgres")), key=_major)
    on_path = shutil.which("postgres")
    return found or ([Path(on_path).resolve().parent] if on_path else [])


def _find_programs(folder: Path) -> Path | None:
    """Return the programs that fit the data in a folder, or the newest if there is none yet."""
    programs, written_by = _list_programs(), folder / "data/PG_VERSION"
    if not programs or not written_by.exists():
        return programs[-1] if programs else None
    major = written_by.read_text().strip()
    fitting = [each for each in programs if _major(each) == float(major)]
    if not fitting:
        msg = f"The data in {folder} is of PostgreSQL {major}, which is not installed: install it, or move the folder."
        raise ServeError(msg)
    return fitting[-1]


def _major(programs: Path) -> float:
    """Return the version whose programs lie in a folder."""
    said = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return float(said.stdout.split()[2].partition(".")[0]) if said.returncode == 0 else 0.0


def _install(folder: Path) -> Path:
    """Install the package of Debian without the server that it would start by itself."""
    apt = shutil.which("apt-get")
    if os.geteuid() or not apt:
        msg = "PostgreSQL is not installed: run `apt-get install postgresql` as root, or `make serve DATABASE=sqlite`."
        raise ServeError(msg)
    sys.stdout.write("PostgreSQL is not installed: installing the package of the system ...\n")
    sys.stdout.flush()
    if not NO_CLUSTER.exists():
        NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
        NO_CLUSTER.write_text("create_main_cluster = false\n")
    install = [apt, "install", "--yes", "--no-install-recommends", "postgresql"]
    for command in ([apt, "update"], install):
        subprocess.run(command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, check=False)  # noqa: S603
    programs = _find_programs(folder)
    if programs is None:
        msg = "PostgreSQL could not be installed: look at the output above, or run `make serve DATABASE=sqlite`."
        raise ServeError(msg)
    return programs


def _prepare(folder: Path, account: str | None) -> str:
    """Make the folder and what lies in it before the first start, and return the password."""
    socket = folder / "socket/.s.PGSQL.5432"
    if len(os.fsencode(socket)) > MAX_SOCKET_BYTES:
        msg = f"The path {socket} is longer than a socket may have: set POSTGRES_FOLDER to a shorter one."
        raise ServeError(msg)
    socket.parent.mkdir(parents=True, exist_ok=True)
    password = keep_password(folder / "password")
    for path in (folder, socket.parent, folder / "password"):
        path.chmod(0o600 if path.is_file() else 0o700)
        if account:
            shutil.chown(path, account, account)
    if account and _run(["test", "-w", str(socket.parent)], account).returncode:
        msg = f"The user {account} may not enter {folder}: let others pass through the folders above, or set "
        raise ServeError(msg + "POSTGRES_FOLDER to a place that it may.")
    return password


def _make_cluster(programs: Path, folder: Path, account: str | None) -> None:
    """Make the data beside its place and move it there whole."""
    fresh = folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    command = [str(programs / "initdb"), "-D", str(fresh), "--username", USER, "--pwfile", str(folder / "password")]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
    done = _run(command, account)
    if done.returncode:
        msg = f"PostgreSQL could not make its data in {folder}: {_tail(done.stdout + done.stderr)}"
        raise ServeError(msg)
    fresh.replace(folder / "data")


def _run(command: list[str], account: str | None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603
        command,
        env=_QUIET,
        cwd="/",
        capture_output=True,
        check=False,
        user=account,
        group=account,
        extra_groups=[] if account else None,
    )


def _wait_until_ready(programs: Path, folder: Path, process: subprocess.Popen[bytes]) -> None:
    command = [str(programs / "pg_isready"), "--quiet", "--host", str(folder / "socket"), "--dbname", DATABASE]
    deadline = time.monotonic() + STARTUP_S
    while _read_pid(folder) != process.pid or _run(command, None).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            log = folder / "server.log"
            msg = f"PostgreSQL did not start: look at {log}, whose end is {_tail(log.read_bytes())}"
            raise ServeError(msg)
        time.sleep(BETWEEN_CHECKS_S)


def _read_pid(folder: Path) -> int:
    """Return whose the data are now: another server may have them already."""
    file = folder / "data/postmaster.pid"
    line = file.read_text().partition("\n")[0] if file.exists() else ""
    return int(line) if line.isdecimal() else 0


def _tail(output: bytes) -> str:
    return repr(output[-500:].decode(errors="replace").strip())
