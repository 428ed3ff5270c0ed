"""Kill writers and servers for many rounds, and say what was lost: `python -m tests.chaos seaweed --rounds 20`.

The last line of the output is JSON; the exit code is 1 if a version was lost, torn, or committed twice.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.chaos.rounds import NUM_WRITERS, Killable, race_for_one_number, run_rounds
from tests.chaos.servers import run_killable_ceph, run_killable_seaweed

SERVERS = {"seaweed": run_killable_seaweed, "ceph": run_killable_ceph}


def main() -> int:
    """Run the rounds and the races that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("store", choices=("directory", *SERVERS))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--races", type=int, default=20, help="how often eight writers want the same number")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, _open(asked.store, Path(folder)) as (url, server):
        found = run_rounds(url, Path(folder) / "logs", asked.rounds, server, asked.seed)
        races = race_for_one_number(url, asked.races)
    fair = sum(race == {"won": 1, "told": NUM_WRITERS - 1} for race in races)
    answer = {"store": asked.store, "rounds": asked.rounds, **asdict(found), "races": len(races), "races_fair": fair}
    sys.stdout.write(json.dumps(answer | {"seconds": round(time.perf_counter() - start)}) + "\n")
    return 0 if found.is_whole and fair == len(races) else 1


@contextmanager
def _open(kind: str, folder: Path) -> Generator[tuple[str, Killable | None]]:
    if kind == "directory":
        yield str(folder / "store"), None
        return
    with SERVERS[kind](folder / kind) as (server, killable):
        os.environ |= server.environment
        yield server.url("chaos"), killable


if __name__ == "__main__":
    sys.exit(main())
