# pyright: standard
"""What the questions answer, on rows that a person can check by eye, and how the command line shows it."""

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.reports import main
from storage.datasets import angle_part_key
from storage.opening import open_store
from storage.queries import find_drift, find_worst, rank_profiles
from storage.reports import REPORT_SCHEMA, list_columns, write_report

Capture = pytest.CaptureFixture[str]
Command = Callable[..., tuple[int, str, str]]
HOSTILE = "[red]it failed"
PLAIN = {"string": "x", "int32": 3, "int64": 3, "double": 0.5, "bool": True, "timestamp[us, tz=UTC]": None}
DEFAULTS: dict[str, object] = {
    "scene": "street",
    "run_id": "run",
    "created_at": datetime(2026, 3, 29, tzinfo=UTC),
    "angle": "wide",
    "profile": "miniature",
    "training": "trained",
    "project": "film",
    "sequence": "one",
    "version": 1,
    "attempt": 1,
    "is_chosen": True,
    "verdict": "pass",
    "order_score": 0.5,
}


def make_rows(*rows: Mapping[str, object]) -> pl.LazyFrame:
    """Return rows of the whole schema; a picture is that of its scene, angle and version unless it is said."""
    named = [DEFAULTS | dict(row) for row in rows]
    for row in named:
        picture = f"{row['project']} {row['scene']} {row['angle']} {row['version']}"
        row |= {"fingerprint": row.get("fingerprint", picture), "picture_sha256": row.get("fingerprint", picture)}
    return pl.LazyFrame(
        [{name: row.get(name) for name in list_columns("angles")} for row in named], list_columns("angles")
    )


def ask(question: pl.LazyFrame, *columns: str) -> list[tuple[Any, ...]]:
    """Return the answer's rows, of these columns."""
    return question.select(columns).collect().rows()


def test_failed_angles_are_worst() -> None:
    """Failed ones come first, then the lowest score; what could not be judged comes last."""
    rows = make_rows(
        {"angle": "a", "verdict": "pass", "order_score": 0.9},
        {"angle": "b", "verdict": "review", "order_score": 0.1},
        {"angle": "c", "verdict": "fail", "order_score": 0.8},
        {"angle": "d", "verdict": "fail", "order_score": None},
        {"angle": "e", "verdict": None, "order_score": None},
        {"angle": "f", "verdict": "fail", "order_score": 0.2},
        {"angle": "g", "verdict": None, "order_score": math.nan},
        {"angle": "h", "verdict": None, "order_score": 0.3},
    )
    assert "".join(angle for (angle,) in ask(find_worst(rows), "angle")) == "fcdbhaeg"
    assert ask(find_worst(rows, limit=2), "angle") == [("f",), ("c",)]


def test_worst_is_of_chosen_attempts_of_the_latest_version() -> None:
    """What was thrown away, or mended since, is not held against a scene; each scene has its own latest version."""
    rows = make_rows(
        {"version": 1, "verdict": "fail", "order_score": 0.1},
        {"version": 2, "order_score": 0.7},
        {"version": 2, "attempt": 2, "is_chosen": False, "verdict": "fail", "order_score": 0.0},
        {"scene": "alley", "version": 1, "order_score": 0.6},
        {"project": "other", "version": 1, "order_score": 0.65},
    )
    found = ask(find_worst(rows), "project", "scene", "version")
    assert found == [("film", "alley", 1), ("other", "street", 1), ("film", "street", 2)]
    assert ask(find_worst(rows, is_latest_only=False), "version", "verdict")[0] == (1, "fail")


def test_rows_of_before_are_found() -> None:
    """Rows of version 1 of the schema, which know neither version nor attempt, are answered with, not crashed on."""
    rows = make_rows({"version": None, "is_chosen": None, "attempt": None, "verdict": None, "order_score": None})
    assert ask(find_worst(rows), "scene", "version") == [("street", None)]
    assert ask(find_drift(rows), "scene") == []
    assert ask(rank_profiles(rows), "num_angles", "num_judged", "share_passed", "median_s") == [(1, 0, None, None)]


def test_drift_is_from_one_version_to_the_next() -> None:
    """Each change is new less old, of the same angle of the same scene, over gaps in versions; losses come first."""
    rows = make_rows(
        {"version": 4, "order_score": 0.5, "camera_error_deg": 3.0, "colour_distance": 2.0},
        {"version": 1, "order_score": 0.25, "camera_error_deg": 8.0, "colour_distance": 1.5, "verdict": "review"},
        {"version": 2, "order_score": 0.75, "camera_error_deg": 2.0},
        {"version": 3, "angle": "close_up", "order_score": 0.0},
        {"version": 3, "scene": "alley", "order_score": 0.0},
        {"version": 2, "project": "other", "order_score": 0.0},
    )
    columns = ("angle", "from_version", "to_version", "order_score_change", "camera_error_deg_change")
    assert ask(find_drift(rows), *columns) == [("wide", 2, 4, -0.25, 1.0), ("wide", 1, 2, 0.5, -6.0)]
    words = ("from_verdict", "to_verdict", "colour_distance_change")
    assert ask(find_drift(rows), *words) == [("pass", "pass", None), ("review", "pass", None)]
    assert ask(find_drift(rows, limit=1), "to_version") == [(4,)]


def test_drift_of_one_scene() -> None:
    """A scene is asked for by its name, and only chosen attempts are compared."""
    rows = make_rows(
        *({"scene": scene, "version": number} for scene in ("street", "alley") for number in (1, 2)),
        {"version": 2, "attempt": 2, "is_chosen": False, "order_score": 0.0},
    )
    assert ask(find_drift(rows, scene="street"), "scene", "order_score_change") == [("street", 0.0)]
    assert len(ask(find_drift(rows), "scene")) == 2


def test_drift_tells_the_judge_from_the_picture() -> None:
    """A change of figures under the same picture is told, and so are another profile and untrained weights."""
    rows = make_rows(
        {"version": 1, "fingerprint": "same", "profile": "random", "training": "untrained"},
        {"version": 2, "fingerprint": "same", "order_score": 0.25},
        {"version": 3, "fingerprint": "other"},
    )
    columns = ("is_other_picture", "from_profile", "to_profile", "training")
    first, second = ask(find_drift(rows), *columns)
    assert first == (False, "random", "miniature", "untrained")
    assert second == (True, "miniature", "miniature", "trained")


def test_picture_counts_once_on_the_leaderboard() -> None:
    """A picture that versions carry on counts once, as the latest judged it; another seed is another picture."""
    rows = make_rows(
        {"version": 1, "fingerprint": "a", "verdict": "pass"},
        {"version": 2, "fingerprint": "a", "verdict": "fail"},
        {"version": 3, "fingerprint": "b", "verdict": "pass"},
        {"version": 3, "fingerprint": "c", "attempt": 2, "is_chosen": False, "verdict": "fail"},
        {"version": 1, "scene": "alley", "fingerprint": "a", "verdict": None},
    )
    assert ask(rank_profiles(rows), "num_angles", "num_judged", "share_passed") == [(3, 2, 0.5)]


def test_leaderboard_is_ordered_and_keeps_untrained_apart() -> None:
    """The greatest share comes first, a profile that nobody judged last; untrained weights have a row of their own."""
    rows = make_rows(
        {"angle": "a", "profile": "half"},
        {"angle": "b", "profile": "half", "verdict": "fail"},
        {"angle": "a", "profile": "best"},
        {"angle": "c", "profile": "best", "training": "untrained", "verdict": "fail"},
        {"angle": "a", "profile": "unknown", "verdict": None, "order_score": None},
    )
    assert ask(rank_profiles(rows), "profile", "training", "share_passed") == [
        ("best", "trained", 1.0),
        ("half", "trained", 0.5),
        ("best", "untrained", 0.0),
        ("unknown", "trained", None),
    ]


@pytest.mark.parametrize(
    ("num_pass", "num_judged", "low", "high"),
    [(8, 10, 0.4901625, 0.9433178), (0, 5, 0.0, 0.4344825), (5, 5, 0.5655175, 1.0), (1, 1, 0.2065493, 1.0)],
)
def test_share_has_wilsons_interval(num_pass: int, num_judged: int, low: float, high: float) -> None:
    """The interval is that of the tables, also where all or none passed."""
    rows = make_rows(*({"angle": f"a{n}", "verdict": "pass" if n < num_pass else "fail"} for n in range(num_judged)))
    ((*interval,),) = ask(rank_profiles(rows), "share_passed_low", "share_passed_high")
    assert interval == pytest.approx([low, high], abs=1e-6)


@pytest.mark.parametrize(
    ("num_scenes", "t"),
    [(2, 12.706205), (5, 2.776445), (6, 2.570582), (11, 2.228139), (31, 2.042272), (101, 1.983972)],
)
def test_score_has_students_interval_over_scenes(num_scenes: int, t: float) -> None:
    """Scenes are averaged first, however many angles they have, and their spread makes the interval."""
    means = [number / 128 for number in range(num_scenes)]
    rows = make_rows(
        *(
            {"scene": f"s{n}", "angle": f"{a}", "order_score": mean + d}
            for n, mean in enumerate(means)
            for a, d in enumerate((-0.5, 0.5) * (1 + n % 2))
        ),
    )
    ((mean, low, high),) = ask(rank_profiles(rows), "mean_order_score", "order_score_low", "order_score_high")
    spread = pl.Series(means).std()
    assert isinstance(spread, float)
    assert mean == pytest.approx(sum(means) / num_scenes)
    assert (high - low) / 2 == pytest.approx(t * spread / math.sqrt(num_scenes), rel=2e-4)


def test_one_scene_has_no_interval() -> None:
    """The mean of one scene stands without an interval, and scores that are no number do not count."""
    rows = make_rows({"order_score": 0.25}, {"angle": "b", "order_score": math.nan})
    columns = ("mean_order_score", "order_score_low", "order_score_high", "num_scenes")
    assert ask(rank_profiles(rows), *columns) == [(0.25, None, None, 1)]


def test_seconds_are_the_median_without_the_queue() -> None:
    """The time of an angle is that of its own work; one whose times are unknown does not count."""
    times = {"queue_s": 99.0, "encode_s": 0.25, "decode_s": None, "store_s": 0.25}
    rows = make_rows(*({"angle": f"{s}", "sample_s": s, **times} for s in (1.0, 2.0, 8.0, None)))
    assert ask(rank_profiles(rows), "median_s") == [(2.5,)]


@pytest.mark.parametrize("question", [find_worst, find_drift, rank_profiles])
def test_no_rows_are_no_answer(question: Callable[[pl.LazyFrame], pl.LazyFrame]) -> None:
    """A data set without a row is answered with an empty table of the usual columns."""
    empty = question(make_rows()).collect()
    assert empty.height == 0
    assert empty.columns == question(make_rows({})).collect().columns


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Command:
    """Lay out two versions of a scene, and return what runs the command line over them."""
    store = open_store(str(tmp_path / "store"))
    full = {field.name: PLAIN[str(field.type)] for field in REPORT_SCHEMA if not field.nullable} | DEFAULTS
    for number, words in (
        (1, {"training": "untrained"}),
        (2, {"verdict": "fail", "reasons": HOSTILE, "order_score": 0.1}),
    ):
        data = write_report([full | words | {"version": number, "fingerprint": str(number)}])
        store.put_view(angle_part_key("film", "one", "street", number), store.put_blob(data, "application/x-parquet"))
    monkeypatch.setenv("MASTERSHOT_STORE", str(tmp_path / "store"))

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["python -m flows.reports", *arguments])
        status, captured = main(), capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("worst", "--project", "film"), ("street", "film/one", "2", "wide", "fail", "0.100", "[red]it failed")),
        (("worst", "--all-versions"), ("1", "pass", "0.500", "UNTRAINED")),
        (("drift", "--project", "film", "--scene", "street"), ("1 > 2", "-0.400", "pass > fail", "UNTRAINED")),
        (("leaderboard",), ("miniature", "100.0% (20.7% to 100.0%)", "0.0% (0.0% to 79.3%)", "UNTRAINED")),
        (("schema",), ("order_score", "double", "may be", "num_attempts", "never")),
        (("compact",), ("compacted-", "2")),
    ],
)
def test_table_is_readable(command: Command, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Every answer is a table of at most 100 columns that holds what matters, with untrained weights marked."""
    status, out, err = command(*arguments)
    assert (status, err) == (0, "")
    assert [word for word in words if word not in out] == []
    assert max(len(line) for line in out.splitlines()) <= 100


@pytest.mark.parametrize("name", ["worst", "drift", "leaderboard", "compact", "schema"])
def test_json_and_csv_are_the_same_rows(command: Command, name: str) -> None:
    """Both formats hold every column of every row, and nothing else is printed."""
    rows = json.loads(command(name, "--format", "json")[1]) if name != "compact" else [{"file": "", "num_parts": 2}]
    lines = list(csv.DictReader(io.StringIO(command(name, "--format", "csv")[1])))
    assert len(rows) == len(lines) > 0
    assert [list(row) for row in rows] == [list(line) for line in lines]


def test_nothing_to_show_is_said(command: Command) -> None:
    """A project without reports is told from a failure."""
    assert command("worst", "--project", "nobody") == (
        0,
        "There is nothing to show: no report fits, or no version is laid out yet.\n",
        "",
    )
    assert command("worst", "--project", "nobody", "--format", "json")[1] == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "setting", "words"),
    [
        (("worst", "--project", "../film"), None, "'../film' is no name"),
        (("leaderboard",), "gopher://x", "No store can be opened"),
        (("drift",), "s3://127.0.0.1:9?secure=0", "did not answer"),
    ],
)
def test_failure_is_one_sentence(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], setting: str | None, words: str
) -> None:
    """What cannot be answered is said in one sentence on the other stream."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    if setting:
        monkeypatch.setenv("MASTERSHOT_STORE", setting)
    status, out, err = command(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith("Failed: ")
    assert words in err
    assert len(err.splitlines()) == 1
