# pyright: standard
"""The data set of all reports: where its parts lie, what is read of them; compacting loses and doubles nothing."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from storage.datasets import angle_part_key, compact, coverage_part_key, list_parts, query_parts
from storage.errors import (
    ConflictError,
    CorruptObjectError,
    InvalidKeyError,
    StorageError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from storage.objects import Store
from storage.opening import open_store
from storage.queries import find_drift, find_worst, rank_profiles
from storage.reports import REPORT_SCHEMA_VERSION
from tests.kept_reports import MEDIA_TYPE, count, lay_out, make_part
from tests.servers import S3Server


@pytest.fixture
def store(either_store: Store) -> Store:
    """Open a store of each kind, in which nothing is."""
    return either_store


def expect(*versions: tuple[str, str, int]) -> list[tuple[str, str, int, str]]:
    """Return what `count` should find."""
    return sorted((*version, angle) for version in versions for angle in ("close_up", "wide"))


def test_keys_are_those_of_hive() -> None:
    """A part lies under its project and sequence, by the name of its scene and version."""
    assert (
        angle_part_key("film", "a_1", "street", 7) == "reports/angles/project=film/sequence=a_1/street-v000007.parquet"
    )
    key = coverage_part_key("film", "default", "street", 12)
    assert key == "reports/coverages/project=film/sequence=default/street-v000012.parquet"


@pytest.mark.parametrize("name", ["", "Film", "a/b", "..", "-a", "a" * 64, "a=b", "é"])
def test_name_that_is_none_is_refused(store: Store, name: str) -> None:
    """A project, a sequence or a scene that could leave its folder is refused, in keys and in questions."""
    for names in ((name, "one", "street"), ("film", name, "street"), ("film", "one", name)):
        with pytest.raises(InvalidKeyError):
            angle_part_key(*names, 1)
    with pytest.raises(InvalidKeyError):
        list_parts(store, "angles", name)
    with pytest.raises(InvalidKeyError):
        list_parts(store, "angles", None, name)


def test_questions_are_answered_from_the_store(store: Store) -> None:
    """Parts of all projects are read where they lie, or those of one project, also if its name is a number."""
    for project in ("film", "007"):
        for number in (1, 2):
            lay_out(store, "street", number, project)
    versions = [(project, "street", number) for project in ("film", "007") for number in (1, 2)]
    assert count(store) == expect(*versions)
    assert count(store, "007") == expect(*versions[2:])
    assert count(store, "0") == []
    assert [len(list_parts(store, "angles", project, "one")) for project in (None, "film", "0")] == [4, 2, 0]
    assert list_parts(store, "angles", None, "on") == []
    parts = list_parts(store, "angles")
    assert query_parts(store, "angles", parts, find_worst)["version"].to_list() == [2, 2, 2, 2]
    assert query_parts(store, "angles", parts, find_drift)["order_score_change"].to_list() == [-0.5] * 4
    assert query_parts(store, "angles", parts, rank_profiles)["num_angles"].to_list() == [4]


def test_empty_store_has_no_rows(store: Store) -> None:
    """Before the first version there is nothing to read or compact, and asking creates nothing."""
    assert count(store) == []
    assert compact(store, "angles") == {}
    assert store.list_views("") == []


def test_compacting_makes_one_file_of_a_partition(store: Store) -> None:
    """The parts of a sequence become one file of the same rows, sorted; a sequence of one file is left alone."""
    keys = [lay_out(store, scene, number) for scene in ("street", "alley") for number in (2, 1)]
    alone = lay_out(store, "street", 1, "other")
    before = count(store)
    ((made, num_parts),) = compact(store, "angles").items()
    assert num_parts == len(keys)
    assert list_parts(store, "angles") == [made, alone]
    assert count(store) == before
    table = pq.read_table(BytesIO(store.get_view(made)))
    assert table.select(["scene", "version"]).to_pylist()[::2] == [
        {"scene": scene, "version": number} for scene in ("alley", "street") for number in (1, 2)
    ]
    assert compact(store, "angles") == {}


def test_coverages_are_compacted_too(store: Store) -> None:
    """The rows of coverages are a data set of their own."""
    for number in (1, 2):
        data = make_part("street", number, kind="coverage")
        store.put_view(coverage_part_key("film", "one", "street", number), store.put_blob(data, MEDIA_TYPE))
    assert compact(store, "angles") == {}
    assert list(compact(store, "coverage").values()) == [2]
    parts = list_parts(store, "coverage")
    assert query_parts(store, "coverage", parts, lambda rows: rows.select("version").sort("version")).rows() == [
        (1,),
        (2,),
    ]


def test_nothing_counts_twice(store: Store) -> None:
    """After a compaction that was broken off, or under parts laid out again, every row counts once."""
    versions = [("film", "street", number) for number in (1, 2, 3)]
    keys = [lay_out(store, "street", number) for number in (1, 2, 3)]
    compact(store, "angles")
    lay_out(store, "street", 2)
    assert count(store) == expect(*versions)
    lay_out(store, "street", 4)
    assert count(store) == expect(*versions, ("film", "street", 4))
    (made,) = compact(store, "angles")
    assert list_parts(store, "angles") == [made]
    assert count(store) == expect(*versions, ("film", "street", 4))
    assert pq.read_metadata(BytesIO(store.get_view(made))).num_rows == 8
    assert keys[0] != made


def test_two_compactions_at_once_lose_nothing(store: Store) -> None:
    """Two files that hold some of the same parts, whatever wrote them, are one set of rows, and one file afterwards."""
    made: list[tuple[str, bytes]] = []
    for numbers in ((1, 2), (2, 3)):
        for number in numbers:
            lay_out(store, "street", number)
        (key,) = compact(store, "angles")
        made.append((key, store.get_view(key)))
        store.remove_view(key)
    for key, data in made:
        store.put_view(key, store.put_blob(data, MEDIA_TYPE))
    whole = expect(*(("film", "street", number) for number in (1, 2, 3)))
    assert count(store) == whole
    assert list(compact(store, "angles").values()) == [2]
    assert count(store) == whole


def test_compacting_what_is_in_the_file_already_keeps_the_file(store: Store) -> None:
    """Parts that are laid out again without news make the same file, which is not taken away as its own source."""
    for number in (1, 2):
        lay_out(store, "street", number)
    (made,) = compact(store, "angles")
    lay_out(store, "street", 1)
    assert list(compact(store, "angles")) == [made]
    assert list_parts(store, "angles") == [made]


def test_older_and_newer_parts_do_not_stop_a_question(store: Store) -> None:
    """What a part lacks is null, what is not known here is passed over, and compacting refuses to lose it."""
    lay_out(store, "street", 1)
    old = pq.read_table(BytesIO(make_part("street", 2))).drop_columns(["order_score", "verdict", "project"])
    new = pq.read_table(BytesIO(make_part("street", 3)))
    new = new.append_column("mood", new["prompt"]).replace_schema_metadata(
        {"mastershot.schema_version": str(REPORT_SCHEMA_VERSION + 1), "mastershot.kind": "angles"}
    )
    for number, table in ((2, old), (3, new)):
        file = BytesIO()
        pq.write_table(table, file)
        lay_out(store, "street", number, data=file.getvalue())
    rows = query_parts(
        store, "angles", list_parts(store, "angles"), lambda rows: rows.filter(pl.col("angle") == "wide")
    )
    assert rows.sort("version").select("version", "order_score").rows() == [(1, 1.0), (2, None), (3, 1 / 3)]
    for question in (find_worst, find_drift, rank_profiles):
        assert query_parts(store, "angles", list_parts(store, "angles"), question).height > 0
    with pytest.raises(CorruptObjectError, match=r"street-v000003.*update Mastershot"):
        compact(store, "angles")
    assert len(list_parts(store, "angles")) == 3
    store.remove_view(angle_part_key("film", "one", "street", 3))
    compact(store, "angles")
    assert count(store) == expect(("film", "street", 1), ("film", "street", 2))


@pytest.mark.parametrize("act", [count, lambda store: compact(store, "angles")], ids=["question", "compact"])
def test_damaged_part_is_named(store: Store, act: Callable[[Store], object]) -> None:
    """A part that is no Parquet file is named in one sentence, and nothing is taken away."""
    lay_out(store, "street", 1)
    lay_out(store, "street", 2, data=make_part("street", 2)[:-9])
    with pytest.raises(CorruptObjectError, match="street-v000002") as caught:
        act(store)
    assert len(str(caught.value).splitlines()) == 1
    assert len(list_parts(store, "angles")) == 2


def test_part_that_went_away_is_told(store: Store) -> None:
    """A part that is compacted away under a question asks for another try."""
    keys = [lay_out(store, "street", 1), angle_part_key("film", "one", "street", 2)]
    with pytest.raises(StoreUnavailableError, match="run it again"):
        query_parts(store, "angles", keys, find_worst)


def test_part_that_goes_away_while_compacting_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of two compactions that meet, one says so; what the other made is not touched."""
    store = open_store(str(tmp_path))
    for number in (1, 2):
        lay_out(store, "street", number)
    rival = open_store(str(tmp_path))
    read = store.get_view

    def read_late(key: str) -> bytes:
        compact(rival, "angles")
        return read(key)

    monkeypatch.setattr(store, "get_view", read_late)
    with pytest.raises(ConflictError, match="run it again"):
        compact(store, "angles")
    assert count(rival) == expect(("film", "street", 1), ("film", "street", 2))


def test_refusal_of_the_server_holds_no_secret(seaweed: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong credentials are told, without them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweed.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    store = open_store(seaweed.url("t-secret"))
    with pytest.raises(StoreReadOnlyError) as caught:
        count(store)
    with pytest.raises(StorageError) as second:
        query_parts(store, "angles", [angle_part_key("film", "one", "street", 1)], find_worst)
    assert "wrong-secret" not in f"{caught.value}{second.value}"
