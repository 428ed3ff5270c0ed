"""What `make store` promises: it keeps what was put, tells no secret, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from deployments.store import StoreError, find_program, is_free, list_ports, run_store
from storage.objects import BlobRef
from storage.opening import open_store
from tests.seaweed import find_ports

PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def program() -> None:
    """Skip where SeaweedFS is not installed."""
    try:
        find_program()
    except StoreError as exc:
        pytest.skip(str(exc))


@contextmanager
def running(folder: Path, port: int) -> Generator[dict[str, str]]:
    """Run the command, yield the variables that it tells to set, and end it as Ctrl-C does."""
    variables = {**os.environ, "STORE_FOLDER": str(folder), "STORE_PORT": str(port)}
    command = [sys.executable, "-m", "deployments.store"]
    with subprocess.Popen(command, cwd=PROJECT, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        exports = islice((line for line in process.stdout if line.startswith("export ")), 2)
        pairs = [export.removeprefix("export ").strip().partition("=") for export in exports]
        yield {name: value.strip("'") for name, _, value in pairs}
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_what_was_put_is_there_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that the command tells are enough to use the store, which keeps all over a restart."""
    port = find_ports()
    ref = BlobRef.of(b"data", "image/png")
    for is_second in (False, True):
        with running(tmp_path / "store", port) as variables:
            assert variables.keys() == {"MASTERSHOT_STORE", "AWS_SHARED_CREDENTIALS_FILE"}
            monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
            monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", variables["AWS_SHARED_CREDENTIALS_FILE"])
            store = open_store(variables["MASTERSHOT_STORE"])
            assert store.has_blob(ref) == is_second
            store.put_blob(b"data", "image/png")
            assert store.get_blob(ref) == b"data"
        assert all(is_free(port) for port in list_ports(port))
    file = Path(variables["AWS_SHARED_CREDENTIALS_FILE"])
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().split()[-1] not in (tmp_path / "store/data/server.log").read_text()


def test_taken_port_is_told(tmp_path: Path) -> None:
    """A store that cannot have its ports does not start, and says which."""
    port = find_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + 2))
        taken.listen()
        with pytest.raises(StoreError, match=f"Port {port + 2} "), run_store(tmp_path, port, {}):
            pass
