"""The recipes of docs/reports.md read what the program's own questions see, in a folder and on real servers.

DuckDB is no dependency: where it cannot be imported, its recipes are skipped. A copy in a folder of its own, with
`duckdb-extension-httpfs` beside it, is found by PYTHONPATH.
"""

import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from storage.datasets import compact
from storage.objects import Store
from storage.opening import open_store
from tests.kept_reports import count, lay_out, make_part
from tests.servers import S3Server

PROJECT = Path(__file__).parents[2]
OWN, DUCKDB_FOLDER, DUCKDB_BUCKET, ARROW, POLARS = re.findall(
    r"```(?:python|sql)\n(.+?)```", (PROJECT / "docs" / "reports.md").read_text(), re.DOTALL
)
ONCE = "SELECT DISTINCT ON (project, sequence, scene, version, angle, attempt) * FROM angles"
NAMES = ["project", "scene", "version", "angle"]


def fill(store: Store) -> list[tuple[str, str, int, str]]:
    """Have a part with fewer columns first, a compacted file, a part of it again, and a new one; return all rows."""
    for number in (1, 2):
        lay_out(store, "street", number)
    compact(store, "angles")
    for number in (2, 3):
        lay_out(store, "street", number)
    older = BytesIO()
    pq.write_table(pq.read_table(BytesIO(make_part("alley", 1, "007"))).drop_columns(["strange_share"]), older)
    lay_out(store, "alley", 1, "007", older.getvalue())
    return count(store)


def run(recipe: str, answer: str) -> str:
    """Run a recipe as a program of its own, and return what it prints then."""
    command = [sys.executable, "-c", f"{recipe}\nprint({answer})"]
    return subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True, timeout=120).stdout.strip()


def on(server: S3Server, prefix: str, recipe: str) -> str:
    """Write a test's server into a recipe."""
    named = recipe.replace("scenes/views", f"{prefix}-scenes/views").replace("127.0.0.1:9000", server.endpoint)
    return named.replace("<key>", server.access_key).replace("<secret>", server.secret_key)


def ask_duckdb(connection: Any, question: str) -> list[tuple[object, ...]]:  # noqa: ANN401 - not a dependency
    """Return what identifies the rows of an answer, in order."""
    return sorted(connection.sql(question).project(", ".join(NAMES)).fetchall())


@pytest.fixture
def owner(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Have the credentials of the server's owner in the environment."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


def test_own_reader_counts_every_row_once(
    seaweed: S3Server, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe needs only the setting that says where the store is, a folder or a bucket."""
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
    for url in (str(tmp_path), seaweed.url(prefix)):
        rows = fill(open_store(url))
        monkeypatch.setenv("MASTERSHOT_STORE", url)
        assert run(OWN, 'sorted(rows.select("scene", "version", "angle").rows())') == str(
            sorted(row[1:] for row in rows)
        )


def test_polars_reads_a_folder(tmp_path: Path) -> None:
    """Files with more and fewer columns lie side by side, and each row counts once."""
    rows = fill(open_store(str(tmp_path)))
    assert run(POLARS.replace("<store>", str(tmp_path)), f"sorted(rows.select({NAMES}).rows())") == str(rows)


def test_pyarrow_reads_a_bucket(owner: S3Server, prefix: str) -> None:
    """Every file of a bucket is read with all columns, those that it lacks too; rows that lie twice are there twice."""
    rows = fill(open_store(owner.url(prefix)))
    answer = f'sorted(set(zip(*angles.to_table({NAMES}).to_pydict().values()))), "strange_share" in angles.schema.names'
    assert run(on(owner, prefix, ARROW), answer) == f"{rows} True"


def test_duckdb_reads_a_folder(tmp_path: Path) -> None:
    """The glob of SQL sees what our questions see."""
    duckdb = pytest.importorskip("duckdb")
    rows = fill(open_store(str(tmp_path)))
    assert ask_duckdb(duckdb.connect(), DUCKDB_FOLDER.replace("<store>", str(tmp_path))) == rows


def test_duckdb_reads_a_bucket(owner: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With httpfs, and over pyarrow without it, as somebody who may only read."""
    duckdb, httpfs = pytest.importorskip("duckdb"), pytest.importorskip("duckdb_extension_httpfs")
    rows = fill(open_store(owner.url(prefix)))
    reader = owner.as_role("reader", prefix)
    for name, value in reader.environment.items():
        monkeypatch.setenv(name, value)
    (extension,) = Path(httpfs.__file__).parent.rglob("*.duckdb_extension")
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")
    secret, question = on(reader, prefix, DUCKDB_BUCKET).split(";")[:2]
    connection.execute(secret)
    assert ask_duckdb(connection, question) == rows
    recipe = "import duckdb\n" + on(reader, prefix, ARROW)
    assert run(recipe, f"sorted(duckdb.sql({ONCE!r}).project({', '.join(NAMES)!r}).fetchall())") == str(rows)
