# pyright: standard
"""The researcher's command line: `python -m flows.reports worst|drift|leaderboard|compact|schema`."""

import argparse
import sys
from collections.abc import Callable

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.failures import OUR_ERRORS, tell_failure
from flows.settings import read_settings
from storage.datasets import compact, list_parts, query_parts
from storage.objects import Store
from storage.opening import open_store
from storage.queries import find_drift, find_worst, rank_profiles
from storage.reports import COVERAGE_SCHEMA, REPORT_SCHEMA

WIDTH = 100
"""Columns of a table that no terminal shows."""

Row = dict[str, object]


def main() -> int:
    """Answer what the command line asks; return 1 with one sentence if that failed."""
    asked = _parse()
    try:
        answer = describe_schema() if asked.command == "schema" else _answer(asked, open_store(read_settings().store))
    except OUR_ERRORS as exc:
        return tell_failure(exc)
    if asked.format == "json":
        sys.stdout.write(answer.write_json() + "\n")
    elif asked.format == "csv":
        sys.stdout.write(answer.write_csv())
    else:
        _show(answer, _CELLS[asked.command])
    return 0


def describe_schema() -> pl.DataFrame:
    """Return every column of both reports with its type."""
    reports = {"angles": REPORT_SCHEMA, "coverage": COVERAGE_SCHEMA}
    rows = [
        {"report": kind, "column": field.name, "type": str(field.type), "is_nullable": field.nullable}
        for kind, schema in reports.items()
        for field in schema
    ]
    return pl.DataFrame(rows)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.reports", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    words = {
        "worst": "the worst angles: failed first, then by order score",
        "drift": "what changed from version to version, the largest loss first",
        "leaderboard": "the profiles, by the share of angles that passed",
        "compact": "make one file of the many small ones of each sequence",
        "schema": "the columns of both reports",
    }
    options = {name: commands.add_parser(name, help=line, description=line) for name, line in words.items()}
    for name, option in options.items():
        option.add_argument("--format", choices=("table", "json", "csv"), default="table")
        if name in {"worst", "drift", "leaderboard"}:
            option.add_argument("--project", help="all of them by default")
            option.add_argument("--sequence", help="all of them by default")
        if name in {"worst", "drift"}:
            option.add_argument("--limit", type=_count, default=20, help="so many rows; 20 by default")
    options["worst"].add_argument("--all-versions", action="store_true", help="not just each scene's latest")
    options["drift"].add_argument("--scene", help="all of them by default")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        msg = f"{text!r} is no count: give a whole number from 1"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _answer(asked: argparse.Namespace, store: Store) -> pl.DataFrame:
    if asked.command == "compact":
        made = {**compact(store, "angles"), **compact(store, "coverage")}
        return pl.DataFrame(
            {"file": list(made), "num_parts": list(made.values())}, schema_overrides={"file": pl.String}
        )
    questions: dict[str, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
        "worst": lambda rows: find_worst(rows, asked.limit, is_latest_only=not asked.all_versions),
        "drift": lambda rows: find_drift(rows, asked.limit, scene=asked.scene),
        "leaderboard": rank_profiles,
    }
    parts = list_parts(store, "angles", asked.project, asked.sequence)
    return query_parts(store, "angles", parts, questions[asked.command])


def _show(answer: pl.DataFrame, cells: dict[str, Callable[[Row], str]]) -> None:
    """Print a table for people; untrained weights are told apart in every one."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    if not answer.height:
        console.print("There is nothing to show: no report fits, or no version is laid out yet.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in cells:
        table.add_column(name, overflow="fold")
    for row in answer.iter_rows(named=True):
        table.add_row(*(Text(cell(row)) for cell in cells.values()))
    console.print(table)


def _number(row: Row, name: str, form: str = ".3f") -> str:
    value = row[name]
    return f"{value:{form}}" if isinstance(value, int | float) else "-"


def _word(row: Row, name: str) -> str:
    return "-" if row.get(name) is None else str(row[name])


def _scene(row: Row) -> str:
    return f"{_word(row, 'scene')}\n{_word(row, 'project')}/{_word(row, 'sequence')}"


def _mark(row: Row, words: str) -> str:
    return words if row["training"] == "trained" else f"{words} UNTRAINED"


def _change(row: Row, name: str) -> str:
    before, after = _word(row, f"from_{name}"), _word(row, f"to_{name}")
    return after if before == after else f"{before} > {after}"


def _interval(row: Row, name: str, ends: str, form: str) -> str:
    value, low, high = (_number(row, column, form) for column in (name, f"{ends}_low", f"{ends}_high"))
    return f"{value} ({low} to {high})"


_CELLS: dict[str, dict[str, Callable[[Row], str]]] = {
    "worst": {
        "scene": _scene,
        "version": lambda row: _number(row, "version", "d"),
        "angle": lambda row: _word(row, "angle"),
        "verdict": lambda row: _word(row, "verdict"),
        "score": lambda row: _number(row, "order_score"),
        "reasons": lambda row: _word(row, "reasons"),
        "profile": lambda row: _mark(row, _word(row, "profile")),
    },
    "drift": {
        "scene": _scene,
        "angle": lambda row: _word(row, "angle"),
        "versions": lambda row: f"{row['from_version']} > {row['to_version']}",
        "score": lambda row: _number(row, "order_score_change", "+.3f"),
        "verdict": lambda row: _change(row, "verdict"),
        "camera °": lambda row: _number(row, "camera_error_deg_change", "+.1f"),
        "colour": lambda row: _number(row, "colour_distance_change", "+.2f"),
        "picture": lambda row: "new" if row["is_other_picture"] else "same",
        "profile": lambda row: _mark(row, _change(row, "profile")),
    },
    "leaderboard": {
        "profile": lambda row: _word(row, "profile"),
        "angles": lambda row: _number(row, "num_angles", ",d"),
        "passed (95 %)": lambda row: _interval(row, "share_passed", "share_passed", ".1%"),
        "order score (95 %)": lambda row: _interval(row, "mean_order_score", "order_score", ".3f"),
        "scenes": lambda row: _number(row, "num_scenes", ",d"),
        "median s": lambda row: _number(row, "median_s", ".2f"),
        "training": lambda row: "trained" if row["training"] == "trained" else "UNTRAINED",
    },
    "compact": {"file": lambda row: _word(row, "file"), "parts": lambda row: _number(row, "num_parts", "d")},
    "schema": {
        "report": lambda row: _word(row, "report"),
        "column": lambda row: _word(row, "column"),
        "type": lambda row: _word(row, "type"),
        "null": lambda row: "may be" if row["is_nullable"] else "never",
    },
}


if __name__ == "__main__":
    sys.exit(main())
