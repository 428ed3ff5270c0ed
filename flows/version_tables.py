"""How the answers of `python -m flows.versions` are laid before people: tables, and a tree."""

import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from rich.console import Console, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

WIDTH = 120
"""Columns of a table that no terminal shows."""

Facts = Mapping[str, object]


def show(command: str, answer: object) -> None:
    """Print the answer to a command."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    for part in _VIEWS[command](answer):
        console.print(part, markup=False)


def make_table(rows: Sequence[Facts], cells: Mapping[str, Callable[[Facts], str]]) -> Table:
    """Return a table with a column per cell."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in cells:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row)) for cell in cells.values()))
    return table


def _rows(answer: object) -> list[Facts]:
    return cast("list[Facts]", answer)


def _facts(answer: object) -> Facts:
    return cast("Facts", answer)


def _word(value: object) -> str:
    if value is None or value == "":
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _version(value: object) -> str:
    return f"v{value:06d}" if isinstance(value, int) else "-"


def _when(row: Facts) -> str:
    return _word(row.get("created_at"))[:19].replace("T", " ")


def _verdicts(row: Facts) -> str:
    counts = [row.get(f"num_{verdict}") for verdict in ("pass", "review", "fail")]
    return "-" if None in counts else " / ".join(map(str, counts))


def _origin(row: Facts) -> str:
    if row.get("restored_from"):
        return f"restored {_version(row['restored_from'])}"
    if row.get("imported_from"):
        return f"imported {str(row['imported_from'])[:12]}"
    return _version(row.get("parent"))


def _marks(row: Facts) -> str:
    pin = [f"pinned by {row['pinned_by']}"] if row.get("is_pinned") else []
    return ", ".join([*pin, *cast("list[str]", row.get("tags") or [])]) or "-"


def _profile(row: Facts) -> str:
    return _word(row.get("profile")) + ("" if row.get("training") == "trained" else " UNTRAINED")


_LIST: dict[str, Callable[[Facts], str]] = {
    "version": lambda row: _version(row["version"]),
    "when (UTC)": _when,
    "profile": _profile,
    "pass / review / fail": _verdicts,
    "marks": _marks,
    "follows": _origin,
    "run": lambda row: _word(row["run_id"]),
}


def _show_list(answer: object) -> list[RenderableType]:
    rows = _rows(answer)
    if not rows:
        return ["There is no version."]
    if "num_versions" not in rows[0]:
        return [make_table(rows, _LIST)]
    scenes: dict[str, Callable[[Facts], str]] = {
        "scene": lambda row: f"{row['scene']}\n{row['project']}/{row['sequence']}",
        "versions": lambda row: str(row["num_versions"]),
        **{("latest" if name == "version" else name): cell for name, cell in _LIST.items() if name != "run"},
    }
    return [make_table(rows, scenes)]


def _show_difference(answer: object) -> list[RenderableType]:
    difference = _facts(answer)
    angles = _rows(difference["angles"])
    parts: list[RenderableType] = []
    if difference["is_other_master"]:
        parts.append("The masters differ.")
    cells: dict[str, Callable[[Facts], str]] = {
        "angle": lambda row: _word(row["angle"]),
        "picture": lambda row: _word(row["change"]),
        "parameters": lambda row: _pairs(row["parameters"]),
        "scores": lambda row: _pairs(row["scores"]),
    }
    parts.append(make_table(angles, cells))
    if difference["sheet"]:
        parts.append(f"\nsheet  {difference['sheet']}")
    return parts


def _pairs(pairs: object, limit: int = 8) -> str:
    lines = [
        f"{name}: {_short(old)} > {_short(new)}" for name, (old, new) in cast("dict[str, list[object]]", pairs).items()
    ]
    more = [f"and {len(lines) - limit} more (--format json)"] if len(lines) > limit else []
    return "\n".join([*lines[:limit], *more]) or "-"


def _short(value: object) -> str:
    word = _word(value)
    return textwrap.shorten(word, 48, placeholder="...") if " " in word else word[:48]


def _show_restored(answer: object) -> list[RenderableType]:
    made = _facts(answer)
    return [f"{made['scene']} {_version(made['version'])} shows what {_version(made['restored_from'])} shows."]


def _show_standing(answer: object) -> list[RenderableType]:
    standing = _facts(answer)
    pin, tags = cast("Facts | None", standing["pin"]), cast("dict[str, Facts]", standing["tags"])
    lines = [f"pinned by {_said(pin)}"] if pin else ["not pinned"]
    lines += [f"{name} by {_said(mark)}" for name, mark in sorted(tags.items())]
    if "lock" in standing:
        lines.append(_lock(_facts(standing["lock"])))
    return [f"{standing['scene']} {_version(standing['version'])}", *(f"  {line}" for line in lines)]


def _lock(lock: Facts) -> str:
    """Say until when a version is locked: one that was approved now, or is not approved any more."""
    until = str(lock["until"])[:16].replace("T", " ")
    if "num_blobs" not in lock:
        return (
            f"stays locked until {until} UTC: a lock ends on its date, not with its tag"
            if lock["until"]
            else "not locked"
        )
    if not lock["until"]:
        return "not locked: the address of the store asks for no lock (lock_days)"
    return f"locked until {until} UTC: {lock['num_blobs']} blobs, its manifest among them as {lock['manifest_copy']}"


def _said(mark: Facts) -> str:
    return f"{mark['who']} at {str(mark['when'])[:19]}" + (f": {mark['note']}" if mark["note"] else "")


def _show_lineage(answer: object) -> list[RenderableType]:
    facts = _facts(answer)
    tree = Tree(Text(_title(facts)))
    for name in ("master", "code", "software"):
        words = (f"{key} {value}" for key, value in _facts(facts[name]).items())
        tree.add(Text(f"{name}: " + (", ".join(words) or "not recorded")))
    request = tree.add("request")
    for key, value in _facts(facts["request"]).items():
        request.add(Text(f"{key}: {value}"))
    angles = tree.add(f"{len(_rows(facts['angles']))} angles, {facts['num_other_takes']} other takes")
    for angle in _rows(facts["angles"]):
        branch = angles.add(
            Text(f"{angle['angle']}: {_profile(angle)}, seed {angle['seed']}, recipe {angle['recipe_version']}")
        )
        branch.add(Text(f"rendered by {angle['rendered_by_run']} at {str(angle['rendered_at'])[:19]}"))
        branch.add(Text(f"weights {str(angle['weights_sha256'])[:16]}  fingerprint {str(angle['fingerprint'])[:16]}"))
    line = tree
    for ancestor in _rows(facts["ancestors"]):
        line = line.add(
            Text(f"{ancestor['version']}  expired" if ancestor["is_expired"] else f"follows {_title(ancestor)}")
        )
    return [tree]


def _title(facts: Facts) -> str:
    words = [f"{facts['scene']} {facts['version']}", _when(facts), f"by run {facts['run_id']}"]
    if facts["restored_from"]:
        words.append(f"restored from {facts['restored_from']}")
    if facts["imported_from"]:
        words.append(f"imported with manifest {str(facts['imported_from'])[:16]}")
    return "  ".join(words)


def _show_reproduced(answer: object) -> list[RenderableType]:
    rows = _rows(answer)
    cells: dict[str, Callable[[Facts], str]] = {
        "angle": lambda row: _word(row["angle"]),
        "outcome": lambda row: _word(row["outcome"]).replace("_", " "),
        "largest difference": lambda row: _word(row["max_difference"]),
        "mean difference": lambda row: _word(row["mean_difference"]),
    }
    num_same = sum(row["outcome"] == "identical" for row in rows)
    return [make_table(rows, cells), f"{num_same} of {len(rows)} angles are bit-identical."]


def _show_expired(answer: object) -> list[RenderableType]:
    facts = _facts(answer)
    rows = _rows(facts["versions"])
    cells: dict[str, Callable[[Facts], str]] = {
        "scene": lambda row: _word(row["scene"]),
        "version": lambda row: _version(row["version"]),
        "when (UTC)": _when,
    }
    parts: list[RenderableType] = [make_table(rows, cells)] if rows else []
    verb = "would go" if facts["is_dry_run"] else "went"
    blobs = f"{facts['num_blobs']} blobs {verb}, which frees {_bytes(facts['freed_bytes'])}"
    parts.append(f"{len(rows)} versions, {facts['num_records']} records, {facts['num_views']} views and {blobs}.")
    if facts["num_young"]:
        parts.append(f"{facts['num_young']} more, {_bytes(facts['young_bytes'])}, are too young and go later.")
    if facts["num_locked"]:
        parts.append(f"{facts['num_locked']} more are locked and go when their locks have ended.")
    if facts["held_off_by"]:
        parts.append(f"Work is under way ({_word(facts['held_off_by'])}): the other blobs are left for the next time.")
    if facts["is_cut_short"]:
        parts.append("Not everything went in one sweep: run it again.")
    return [*parts, "Nothing was done: add --yes to let them go."] if facts["is_dry_run"] else parts


def _show_written(answer: object) -> list[RenderableType]:
    return [f"{_facts(answer)['written']}"]


def _show_imported(answer: object) -> list[RenderableType]:
    made = _facts(answer)
    return [f"{made['scene']} {_version(made['version'])} is imported with manifest {made['imported_from']}."]


def _show_verified(answer: object) -> list[RenderableType]:
    facts = _facts(answer)
    cells: dict[str, Callable[[Facts], str]] = {
        "blob": lambda row: _word(row["place"]),
        "is": lambda row: _word(row["kind"]),
        "needed by": lambda row: "\n".join(cast("list[str]", row["needed_by"])) or "no version",
    }
    faults, damaged = _rows(facts["faults"]), cast("list[str]", facts["damaged_manifests"])
    parts: list[RenderableType] = [*damaged, *([make_table(faults, cells)] if faults else [])]
    read = f"{facts['num_blobs']} blobs, {_bytes(facts['num_bytes'])}, of {facts['num_versions']} versions were read"
    parts.append(f"{read}; {len(faults)} are lost or damaged, and {len(damaged)} manifests.")
    if facts["num_unreferenced"]:
        loose = f"{facts['num_unreferenced']} blobs, {_bytes(facts['unreferenced_bytes'])}"
        parts.append(f"No version refers to {loose} of them.")
    return parts


def _bytes(value: object) -> str:
    return str(decimal(int(str(value))))


_VIEWS: dict[str, Callable[[object], list[RenderableType]]] = {
    "list": _show_list,
    "compare": _show_difference,
    "restore": _show_restored,
    **dict.fromkeys(("pin", "unpin", "tag", "untag"), _show_standing),
    "lineage": _show_lineage,
    "reproduce": _show_reproduced,
    "expire": _show_expired,
    "export": _show_written,
    "import": _show_imported,
    "verify": _show_verified,
}
