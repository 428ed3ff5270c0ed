"""The command line for versions: `python -m flows.versions list|compare|restore|pin|tag|lineage|reproduce|...`."""

import argparse
import json
import os
import pwd
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from flows.failures import OUR_ERRORS, tell_failure
from flows.settings import Settings, read_settings
from flows.version_tables import show
from storage.errors import StorageError
from storage.history import read_version
from storage.marks import Mark, add_mark
from storage.names import check_name
from storage.opening import open_housekeeper, open_store
from storage.versions import version_name

MAX_WORDS = 200
"""Characters of a name or of a note."""
Answer = tuple[object, bool]
"""What is answered, plain enough for JSON, and whether all is well."""


def main() -> int:
    """Do what the command line asks; return 1 if that failed, with one sentence, or found something wrong."""
    asked = _parse()
    try:
        answer, is_well = COMMANDS[asked.command](asked, read_settings())
    except OUR_ERRORS as exc:
        return tell_failure(exc)
    if asked.format == "json":
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    else:
        show(asked.command, answer)
    return 0 if is_well else 1


def _list(asked: argparse.Namespace, settings: Settings) -> Answer:
    from tasks.overview import list_scenes, list_versions  # noqa: PLC0415

    store = open_store(settings.store)
    return (list_versions(store, asked.scene) if asked.scene else list_scenes(store)), True


def _compare(asked: argparse.Namespace, settings: Settings) -> Answer:
    from tasks.differences import compare_versions, draw_differences  # noqa: PLC0415

    store = open_store(settings.store)
    before, after = (read_version(store, asked.scene, number) for number in (asked.before, asked.after))
    difference = compare_versions(store, before, after)
    if asked.sheet:
        write_picture(asked.sheet, draw_differences(store, before, after, difference).save)
    return difference.model_dump(mode="json") | {"sheet": str(asked.sheet) if asked.sheet else None}, True


def _restore(asked: argparse.Namespace, settings: Settings) -> Answer:
    from tasks.restoring import restore_version  # noqa: PLC0415
    from tasks.showing import lay_out  # noqa: PLC0415 - Prefect takes seconds

    store = open_store(settings.store)
    made = restore_version(store, asked.scene, asked.number)
    lay_out(made, store)
    return {"scene": made.scene, "version": made.number, "restored_from": made.restored_from}, True


def _mark(asked: argparse.Namespace, settings: Settings) -> Answer:
    from storage.approval import APPROVED  # noqa: PLC0415

    version, tag = (asked.scene, asked.number), getattr(asked, "tag", None)
    who = asked.who or _find_user()
    mark = Mark(action=asked.command, tag=tag, who=who, when=datetime.now(UTC).isoformat(), note=asked.note)
    lock = _lock(asked, settings) if tag == APPROVED else {}
    standing = add_mark(open_store(settings.store), version, mark)
    return {"scene": asked.scene, "version": asked.number, **standing.model_dump(mode="json"), **lock}, True


def _lock(asked: argparse.Namespace, settings: Settings) -> dict[str, object]:
    """Lock a version before it is called approved, or find until when one stays locked that is not any more."""
    from storage.approval import find_version_lock, lock_version  # noqa: PLC0415

    store, version = open_housekeeper(settings.store), (asked.scene, asked.number)
    if asked.command == "tag":
        return {"lock": lock_version(store, version).model_dump(mode="json")}
    until = find_version_lock(store, version)
    return {"lock": {"until": until.isoformat() if until else None}}


def _lineage(asked: argparse.Namespace, settings: Settings) -> Answer:
    from tasks.lineage import describe_lineage  # noqa: PLC0415

    return describe_lineage(open_store(settings.store), asked.scene, asked.number), True


def _reproduce(asked: argparse.Namespace, settings: Settings) -> Answer:
    from tasks.reproducing import choose_angles, reproduce  # noqa: PLC0415 - Prefect and torch take seconds

    manifest = read_version(open_store(settings.store), asked.scene, asked.number)
    records = choose_angles(manifest, asked.angles)
    console = Console(stderr=True)
    outcomes: list[dict[str, object]] = []
    with console.status(f"Rendering {len(records)} angles of {version_name(asked.number)} again ..."):
        for outcome in reproduce(manifest, records, settings.weights, settings.machine, settings.store):
            outcomes.append(outcome.model_dump(mode="json"))
            console.print(f"{len(outcomes)}/{len(records)} {outcome.angle} {outcome.outcome}", highlight=False)
    return outcomes, all(outcome["outcome"] == "identical" for outcome in outcomes)


def _expire(asked: argparse.Namespace, settings: Settings) -> Answer:
    from storage.expiry import Policy  # noqa: PLC0415
    from tasks.expiring import expire, foresee  # noqa: PLC0415

    policy = Policy(keep_last=asked.keep_last, keep_days=asked.keep_days)
    store = open_housekeeper(settings.store)
    return (expire if asked.yes else foresee)(store, policy, asked.scene or ""), True


def _export(asked: argparse.Namespace, settings: Settings) -> Answer:
    from storage.exporting import export_version  # noqa: PLC0415

    return {"written": str(export_version(open_store(settings.store), asked.scene, asked.number, asked.to))}, True


def _import(asked: argparse.Namespace, settings: Settings) -> Answer:
    from storage.importing import import_version  # noqa: PLC0415
    from tasks.showing import lay_out  # noqa: PLC0415 - Prefect takes seconds

    store = open_store(settings.store)
    made = import_version(store, asked.path, asked.scene or "")
    lay_out(made, store)
    return {"scene": made.scene, "version": made.number, "imported_from": made.imported_from}, True


def _verify(asked: argparse.Namespace, settings: Settings) -> Answer:
    from storage.verifying import verify  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("reading blobs", total=None)

        def advance(num_done: int, num_blobs: int) -> None:
            progress.update(bar, completed=num_done, total=num_blobs)

        verified = verify(open_housekeeper(settings.store), asked.scene or "", advance)
    return verified.model_dump(mode="json"), verified.is_well


def write_picture(path: Path, save: Callable[..., None]) -> None:
    """Write a PNG where it is asked for.

    Raises:
        InvalidRequestError: It cannot be written there.
    """
    from tasks.errors import InvalidRequestError  # noqa: PLC0415

    try:
        save(path, format="PNG")
    except OSError as exc:
        msg = f"The sheet cannot be written to {path} ({exc.strerror}): choose another place."
        raise InvalidRequestError(msg) from exc


def _find_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may have no name for its user
        return f"user {os.getuid()}"


COMMANDS: dict[str, Callable[[argparse.Namespace, Settings], Answer]] = {
    "list": _list,
    "compare": _compare,
    "restore": _restore,
    "pin": _mark,
    "unpin": _mark,
    "tag": _mark,
    "untag": _mark,
    "lineage": _lineage,
    "reproduce": _reproduce,
    "expire": _expire,
    "export": _export,
    "import": _import,
    "verify": _verify,
}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m flows.versions", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    words = {
        "list": "the versions of a scene, or the latest of every scene",
        "compare": "what differs between two versions: angles, parameters, scores, and a sheet of both",
        "restore": "publish an older version again as the newest",
        "pin": "keep a version from expiring",
        "unpin": "let a pinned version expire",
        "tag": "give a version a name, such as approved; it will not expire",
        "untag": "take a name from a version",
        "lineage": "where a version comes from",
        "reproduce": "render a version again and compare, without publishing",
        "expire": "let old versions go, and say what that frees; nothing is done without --yes",
        "export": "write a version to a folder or a zip that stands alone",
        "import": "publish the version in such a folder or zip here",
        "verify": "read every blob again and name what is lost or damaged",
    }
    options = {name: commands.add_parser(name, help=line, description=line) for name, line in words.items()}
    for option in options.values():
        option.add_argument("--format", choices=("table", "json"), default="table")
    for name in ("list", "expire", "verify"):
        options[name].add_argument("scene", nargs="?", type=_name, help="all of them by default")
    _add(options["compare"], "scene", "before", "after")
    options["compare"].add_argument("--sheet", type=Path, metavar="FILE.png", help="draw both side by side")
    for name in ("restore", "pin", "unpin", "tag", "untag", "lineage", "reproduce", "export"):
        _add(options[name], "scene", "number")
    for name in ("tag", "untag"):
        options[name].add_argument("tag", type=_name)
    for name in ("pin", "unpin", "tag", "untag"):
        options[name].add_argument("--who", type=_words, help="the user of this process by default")
        options[name].add_argument("--note", type=_words, default="", help="why")
    options["reproduce"].add_argument("--angles", nargs="+", default=[], metavar="ANGLE", help="all by default")
    _add_housekeeping(options)
    return parser.parse_args()


def _add_housekeeping(options: dict[str, argparse.ArgumentParser]) -> None:
    expire = options["expire"]
    expire.add_argument("--keep-last", type=_number, default=5, metavar="N", help="of every scene; 5 by default")
    expire.add_argument("--keep-days", type=_days, default=30, metavar="D", help="younger ones stay; 30 by default")
    what = expire.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="say what would go; the default")
    what.add_argument("--yes", action="store_true", help="let it go")
    options["export"].add_argument("--to", type=Path, required=True, metavar="PLACE", help="a folder, or FILE.zip")
    options["import"].add_argument("path", type=Path)
    options["import"].add_argument("--as", dest="scene", type=_name, help="another name of the scene")


def _add(parser: argparse.ArgumentParser, *names: str) -> None:
    for name in names:
        parser.add_argument(name, type=_name if name == "scene" else _number)


def _number(text: str) -> int:
    """Read the number of a version: 3, v3 or v000003."""
    digits = text.removeprefix("v")
    if not digits.isdecimal() or not digits.isascii() or not 0 < int(digits) < 10**6:
        msg = f"{text!r} is no version: give its number, from 1"
        raise argparse.ArgumentTypeError(msg)
    return int(digits)


def _words(text: str) -> str:
    if len(text) > MAX_WORDS or not text.isprintable():
        msg = f"give up to {MAX_WORDS} characters in one line"
        raise argparse.ArgumentTypeError(msg)
    return text


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < 10**5:
        msg = f"{text!r} is no number of days"
        raise argparse.ArgumentTypeError(msg)
    return days


def _name(text: str) -> str:
    try:
        return check_name(text)
    except StorageError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


if __name__ == "__main__":
    sys.exit(main())
