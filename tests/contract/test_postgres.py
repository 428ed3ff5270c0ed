"""What the database of the service promises: it keeps everything, hears nobody from elsewhere, and leaves nothing."""

import asyncio
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import asyncpg
import psutil
import pytest

from deployments.postgres import is_installed, run_postgres
from deployments.processes import ServeError

pytestmark = pytest.mark.skipif(not is_installed(), reason="PostgreSQL is not installed: apt-get install postgresql")


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder that whom PostgreSQL runs as can come to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name) / "postgres"


def ask(url: str, question: str) -> object:
    """Return the answer of the database to one question."""

    async def fetch() -> object:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def test_what_was_written_is_there_after_a_restart(folder: Path) -> None:
    """The second start finds data and password of the first; in between, nothing of it runs."""
    with run_postgres(folder) as first:
        ask(first, "CREATE TABLE kept (number int)")
        ask(first, "INSERT INTO kept VALUES (12)")
    assert [each for each in psutil.process_iter(["cmdline"]) if str(folder) in str(each.info["cmdline"])] == []
    with run_postgres(folder) as second:
        assert second == first
        assert ask(second, "SELECT number FROM kept") == 12


def test_only_who_knows_the_password_comes_in_and_only_here(folder: Path) -> None:
    """It listens on no network, its folder is closed, and a wrong password is refused."""
    with run_postgres(folder) as url:
        assert ask(url, "SHOW listen_addresses") == ""
        assert (folder.stat().st_mode & 0o777, (folder / "password").stat().st_mode & 0o777) == (0o700, 0o600)
        secret = (folder / "password").read_text()
        with pytest.raises(asyncpg.InvalidPasswordError):
            ask(url.replace(secret, "guess"), "SELECT 1")
        assert secret not in (folder / "server.log").read_text()


def test_a_second_one_on_the_same_data_is_refused(folder: Path) -> None:
    """Two services do not share a folder, and the second says so."""
    with run_postgres(folder), pytest.raises(ServeError, match="lock file"), run_postgres(folder):
        pass


def test_data_that_were_not_finished_are_made_again(folder: Path) -> None:
    """A first start that was killed in the midst of it is no obstacle to the second."""
    (folder / "data.new/base").mkdir(parents=True)
    with run_postgres(folder) as url:
        assert ask(url, "SELECT 1") == 1


def test_data_of_another_version_are_not_touched(folder: Path) -> None:
    """What another PostgreSQL has written is named, and left alone."""
    (folder / "data").mkdir(parents=True)
    (folder / "data/PG_VERSION").write_text("9\n")
    with pytest.raises(ServeError, match=r"is of PostgreSQL 9, which is not installed"), run_postgres(folder):
        pass


def test_a_path_too_long_for_a_socket_is_told(folder: Path) -> None:
    """The kernel's limit is met with a sentence that names the way out."""
    with pytest.raises(ServeError, match="set POSTGRES_FOLDER"), run_postgres(folder / ("long" * 30)):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="we are whom PostgreSQL runs as")
def test_a_folder_out_of_reach_is_told(folder: Path) -> None:
    """Where we are root and PostgreSQL is not, a closed folder above its own is named."""
    folder.parent.chmod(0o700)
    with pytest.raises(ServeError, match="may not enter"), run_postgres(folder):
        pass
