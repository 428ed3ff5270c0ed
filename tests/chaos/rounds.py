"""Rounds of killing: writers and servers end at any moment, and then all that was acknowledged is looked for."""

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

import numpy as np

from storage.errors import StorageError, StoreReadOnlyError, StoreUnavailableError
from storage.objects import Store
from storage.opening import open_store
from storage.records import Manifest
from tests.chaos.writers import Job, race, write_versions

NUM_WRITERS, NUM_SCENES = 8, 4
FIRST_S, LATER_S = (1.0, 3.0), (1.0, 2.0)
"""How long all writers, and then those that are left, may write."""
SETTLE_S = 30.0
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.chaos.writers"])


class Killable(Protocol):
    """A server that can be killed and started again on what it has kept."""

    def kill(self) -> None:
        """End it with all its processes, at once."""
        ...

    def start(self) -> None:
        """Start it again where it was, and wait until it answers."""
        ...


@dataclass(kw_only=True)
class Found:
    """What was found out over all rounds."""

    acknowledged: int = 0
    visible: int = 0
    lost: list[str] = field(default_factory=list)
    """Versions that were acknowledged and are not there, or are others."""
    torn: list[str] = field(default_factory=list)
    """Versions that are there, of which something is missing or is another."""
    twice: list[str] = field(default_factory=list)
    """Runs that have two versions."""
    writers_killed: int = 0
    servers_killed: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.torn or self.twice)


def run_rounds(url: str, folder: Path, num_rounds: int, server: Killable | None, seed: int = 0) -> Found:
    """Let eight writers write, kill half of them and the server, then the rest, and look at what is kept."""
    chance, found, known = np.random.default_rng(seed), Found(), set[str]()
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(num_rounds):
        writers = [_start_writer(url, folder, number, writer) for writer in range(NUM_WRITERS)]
        time.sleep(chance.uniform(*FIRST_S))
        doomed = [writers[each] for each in chance.permutation(NUM_WRITERS)[: NUM_WRITERS // 2]]
        _kill(doomed[:2])
        if server and number % 2:
            server.kill()
            found.servers_killed += 1
            time.sleep(chance.uniform(0, 0.3))
            server.start()
        _kill(doomed[2:])
        time.sleep(chance.uniform(*LATER_S))
        _kill(writers)
        found.writers_killed += NUM_WRITERS
        check_all(_open_patiently(url), sorted(folder.glob("*.log")), found, known)
    check_all(_open_patiently(url), sorted(folder.glob("*.log")), found, set())
    return found


def check_all(store: Store, logs: Sequence[Path], found: Found, known: set[str]) -> None:
    """Look for every acknowledged version, and at every visible one that was not looked at before."""
    told = dict(_read_line(line) for log in logs for line in log.read_text().splitlines())
    manifests = {key: Manifest.model_validate_json(store.get_record(key)) for key in store.list_records("versions/")}
    runs = Counter((manifest.scene, manifest.run_id) for manifest in manifests.values())
    found.acknowledged, found.visible = len(told), len(manifests)
    found.lost = [key for key, digest in told.items() if not _is_shown(manifests.get(key), digest)]
    found.twice = [" ".join(run) for run, count in runs.items() if count > 1]
    found.torn += [key for key, manifest in manifests.items() if key not in known and not is_whole(store, manifest)]
    known |= manifests.keys()


def is_whole(store: Store, manifest: Manifest) -> bool:
    """Tell whether every picture of a version can be read, and is the one that was put."""
    try:
        for angle in manifest.angles:
            store.get_blob(angle.picture)
    except StorageError:
        return False
    return True


def race_for_one_number(url: str, num_races: int, scene: str = "race") -> list[Counter[str]]:
    """Let eight writers commit the same number of a scene at the same moment, again and again."""
    counts: list[Counter[str]] = []
    with ProcessPoolExecutor(NUM_WRITERS, PROCESSES) as pool:
        for number in range(1, num_races + 1):
            start_at = time.time() + 1.0
            jobs = [
                Job(url=url, scene=scene, run_id=f"r{number}w{writer}", log=Path()) for writer in range(NUM_WRITERS)
            ]
            counts.append(Counter(pool.map(race, jobs, [number] * NUM_WRITERS, [start_at] * NUM_WRITERS)))
    return counts


def _start_writer(url: str, folder: Path, number: int, writer: int) -> BaseProcess:
    run_id = f"r{number:03d}w{writer}"
    job = Job(url=url, scene=f"scene_{writer % NUM_SCENES}", run_id=run_id, log=folder / f"{run_id}.log")
    process = PROCESSES.Process(target=write_versions, args=(job,), daemon=True)
    process.start()
    return process


def _kill(writers: Sequence[BaseProcess]) -> None:
    for writer in writers:
        if writer.is_alive() and writer.pid:
            os.kill(writer.pid, signal.SIGKILL)
        writer.join()


def _open_patiently(url: str) -> Store:
    """Open a store whose server may have been started a moment ago."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        try:
            store = open_store(url)
            store.list_records("")
        except (StoreUnavailableError, StoreReadOnlyError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return store


def _read_line(line: str) -> tuple[str, str]:
    scene, number, digest = line.split()
    return f"versions/{scene}/v{int(number):06d}/manifest.json", digest


def _is_shown(manifest: Manifest | None, digest: str) -> bool:
    return manifest is not None and manifest.coverage_sha256 == digest
