"""How long the questions of `python -m flows.reports` take over a million rows, compacted and with 2,000 new parts.

Run `python -m tests.benchmark.queries`. The rows are invented in the shape of real ones: projects, sequences, scenes,
versions that carry most pictures on, seven angles of which three were tried twice. A time includes finding and opening
the files; each run is after the first, so the files are in the system's cache. The last line of the output is JSON.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from storage.datasets import angle_part_key, compact, list_parts, query_parts
from storage.directory import DirectoryStore
from storage.queries import find_drift, find_worst, rank_profiles
from storage.reports import list_columns, write_frame

NUM_PROJECTS, NUM_SEQUENCES, NUM_SCENES = 20, 10, 25
ANGLES = ("close_up", "low_angle", "high_angle", "top_down", "wide", "left_45", "right_45")
ATTEMPTS = [(angle, attempt) for angle in ANGLES for attempt in (1, 2) if attempt == 1 or angle in ANGLES[:3]]
PROFILES = ("miniature", "qwen-edit-2509", "qwen-edit-2511")
QUESTIONS: dict[str, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
    "worst": find_worst,
    "drift": find_drift,
    "leaderboard": rank_profiles,
}


def draw_rows(project: int, sequence: int, scenes: range, versions: range) -> pl.DataFrame:
    """Return the rows of these versions of these scenes, in which a version renders 40 % of its angles anew."""
    random = np.random.default_rng((project, sequence, scenes.start, versions.start))
    grid = [(scene, version, *attempt) for scene in scenes for version in versions for attempt in ATTEMPTS]
    scene, version, angle, attempt = (list(column) for column in zip(*grid, strict=True))
    size = len(grid)
    scores, renders = random.normal(0.6, 0.15, size), random.random(size) < 0.4
    pictures = digest_renders(f"{project} {sequence}", list(zip(scene, angle, attempt, strict=True)), renders.tolist())
    seconds = random.gamma(4, 0.1, (size, 4))
    columns: dict[str, object] = {
        "scene": [f"scene_{number:03d}" for number in scene],
        "run_id": [f"20260101T0000{v:02d}Z-{project:04d}{sequence:04d}{s:04d}" for s, v, *_ in grid],
        "created_at": [datetime(2026, 1 + v % 12, 1 + v // 12 % 28, tzinfo=UTC) for v in version],
        "angle": angle,
        "fingerprint": pictures,
        "picture_sha256": pictures,
        "profile": [PROFILES[number % 3] for number in scene],
        "prompt": [f"Move the camera to {name}." for name in angle],
        "project": f"project_{project:02d}",
        "sequence": f"sequence_{sequence:02d}",
        "version": version,
        "attempt": attempt,
        "is_chosen": [(tried == 1) != (name in ANGLES[:3]) for *_, name, tried in grid],
        "verdict": np.select([scores < 0.4, scores < 0.55], ["fail", "review"], "pass"),
        "reasons": ["the camera is 31° from where it was asked to be" if score < 0.4 else None for score in scores],
        "order_score": [score if score > 0.3 else None for score in scores],
        "camera_error_deg": random.gamma(2, 4, size),
        "colour_distance": random.gamma(2, 2, size),
        **{f"{stage}_s": seconds[:, place] for place, stage in enumerate(("encode", "sample", "decode", "store"))},
    }
    return complete(pl.DataFrame(columns, strict=False))


def digest_renders(salt: str, names: list[tuple[object, ...]], renders: list[bool]) -> list[str]:
    """Return the digest of each row's picture: a new one where it is rendered, else that of the version before."""
    count: defaultdict[tuple[object, ...], int] = defaultdict(int)
    digests: list[str] = []
    for name, is_rendered in zip(names, renders, strict=True):
        count[name] += is_rendered
        digests.append(sha256(f"{salt} {name} {count[name]}".encode()).hexdigest())
    return digests


def complete(rows: pl.DataFrame) -> pl.DataFrame:
    """Add every other column of the schema, filled with noise or a word, so that files are as wide as real ones."""
    random = np.random.default_rng(rows.height)
    columns = list_columns("angles")
    missing: dict[str, pl.Series] = {}
    for name, kind in columns.items():
        word = "trained" if name == "training" else "11" * 32 if name.endswith("sha256") else "pass"
        noise = [word] * rows.height if kind == pl.String else random.random(rows.height)
        missing[name] = pl.Series(name, noise if kind in {pl.String, pl.Float64} else [1] * rows.height)
    whole = rows.with_columns(column for name, column in missing.items() if name not in rows.columns)
    return whole.select(pl.col(name).cast(kind) for name, kind in columns.items())


def put(store: DirectoryStore, rows: pl.DataFrame, scene: str) -> None:
    """Lay out rows of one sequence as a part of the data set."""
    project, sequence, version = rows.select("project", "sequence", "version").row(0)
    key = angle_part_key(project, sequence, scene, version)
    store.put_view(key, store.put_blob(write_frame(rows, "angles"), "application/vnd.apache.parquet"))


def lay_out(store: DirectoryStore, num_versions: int, num_new: int) -> dict[str, Any]:
    """Lay out all sequences and compact them, then that many versions beside them; return how it went."""
    half = num_versions // 2
    sequences = list(itertools.product(range(NUM_PROJECTS), range(NUM_SEQUENCES)))
    for project, sequence in sequences:
        for versions in (range(1, half + 1), range(half + 1, num_versions + 1)):
            put(store, draw_rows(project, sequence, range(NUM_SCENES), versions), f"versions-{versions.start}")
    start = time.perf_counter()
    num_files = len(compact(store, "angles"))
    seconds = time.perf_counter() - start
    keys = list_parts(store, "angles")
    for number in range(num_new):
        scene, (project, sequence) = number // len(sequences), sequences[number % len(sequences)]
        newest = range(num_versions + 1, num_versions + 2)
        put(store, draw_rows(project, sequence, range(scene, scene + 1), newest), f"scene_{scene:03d}")
    return {"compacted": keys, "num_files": num_files, "compact_s": seconds}


def measure(store: DirectoryStore, is_wanted: Callable[[str], bool], num_rounds: int) -> dict[str, Any]:
    """Return the seconds of every question, in turns, after one round of warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    for _ in range(num_rounds + 1):
        for name, question in QUESTIONS.items():
            start = time.perf_counter()
            keys = [key for key in list_parts(store, "angles") if is_wanted(key)]
            query_parts(store, "angles", keys, question)
            seconds[name].append(time.perf_counter() - start)
    return {
        name: {"median_s": statistics.median(times[1:]), "min_s": min(times[1:]), "max_s": max(times[1:])}
        for name, times in seconds.items()
    }


def time_import() -> float:
    """Return the seconds that a new process takes to import polars."""
    program = "import time; t = time.perf_counter(); import polars; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Make the data set, measure, print a table, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--versions", type=int, default=20, help="of each scene; 20 make a million rows")
    parser.add_argument("--new", type=int, default=2000, help="parts that are not compacted yet")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mastershot-queries-") as folder:
        store = DirectoryStore(Path(folder))
        made = lay_out(store, asked.versions, asked.new)
        compacted = set(made.pop("compacted"))
        choices: dict[str, Callable[[str], bool]] = {
            "compacted": compacted.__contains__,
            "new parts alone": lambda key: key not in compacted,
            "both": lambda _: True,
        }
        num_rows = NUM_PROJECTS * NUM_SEQUENCES * NUM_SCENES * asked.versions * len(ATTEMPTS)
        results = {name: measure(store, is_wanted, asked.rounds) for name, is_wanted in choices.items()}
    for name, questions in results.items():
        for question, times in questions.items():
            row = f"{times['median_s']:6.3f} s ({times['min_s']:.3f} to {times['max_s']:.3f})"
            sys.stdout.write(f"{name:>16}  {question:>11}  {row}\n")
    facts = {"num_rows": num_rows, "num_new_parts": asked.new, "import_polars_s": time_import(), **made}
    sys.stdout.write(json.dumps(facts | {"questions": results}) + "\n")


if __name__ == "__main__":
    main()
