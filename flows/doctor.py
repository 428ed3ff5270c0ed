"""What a store really does: `python -m flows.doctor [STORE]`; exit code 1 means that it must not be used."""

import argparse
import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.failures import OUR_ERRORS, tell_failure
from flows.settings import read_settings
from storage.doctor import examine_store
from storage.probing import Finding

WIDTH = 150
"""Columns of a table that no terminal shows."""
STYLES = {"ok": "green", "adapted": "yellow", "refused": "bold red"}


def main() -> int:
    """Examine the store that the command line names; return 1 if it must not be used, or cannot be."""
    asked = _parse()
    try:
        findings = examine_store(asked.store or read_settings().store)
    except OUR_ERRORS as exc:
        return tell_failure(exc)
    is_refused = any(finding.outcome == "refused" for finding in findings)
    if asked.format == "json":
        report = {"is_usable": not is_refused, "findings": [finding.model_dump() for finding in findings]}
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        _show(findings, is_refused=is_refused)
    return int(is_refused)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.doctor", description=__doc__)
    parser.add_argument("store", nargs="?", help="a folder, or s3://host:port; the configured store by default")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    return parser.parse_args()


def _show(findings: Sequence[Finding], *, is_refused: bool) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("probe", "asked to", "answer", "", "what follows"):
        table.add_column(name, overflow="fold")
    for finding in findings:
        outcome = Text(finding.outcome, STYLES[finding.outcome])
        table.add_row(finding.subject, finding.asked, finding.answer, outcome, finding.consequence)
    console.print(table)
    console.print("This store must not be used." if is_refused else "This store can be used.")


if __name__ == "__main__":
    sys.exit(main())
