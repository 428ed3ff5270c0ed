"""Runs and sweeps on one store at the same time: what is published is whole, however they meet."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import cast

import pytest

from storage.expiry import sweep
from storage.history import list_numbers, read_versions
from storage.objects import Housekeeper, Store
from storage.work import at_work
from tests.kept_versions import keep_version

LATER = datetime.now(UTC) + timedelta(days=8)
"""When nothing is too young to be swept."""
NUM_RUNS, NUM_VERSIONS = 3, 3


@pytest.fixture
def store(either_store: Store) -> Housekeeper:
    """Open a store of each kind, in which nothing is."""
    return cast("Housekeeper", either_store)


def test_runs_lose_nothing_to_sweeps(store: Housekeeper) -> None:
    """Sweeps that take whatever nothing refers to never take a blob from a version that is being made."""
    is_over = Event()

    def publish(scene: str) -> None:
        for number in range(1, NUM_VERSIONS + 1):
            with at_work(store, scene):
                keep_version(store, number, scene)

    def sweep_on() -> int:
        num_sweeps = 0
        while not is_over.is_set():
            sweep(store, LATER)
            num_sweeps += 1
        return num_sweeps

    with ThreadPoolExecutor(NUM_RUNS + 1) as pool:
        sweeper = pool.submit(sweep_on)
        runs = [pool.submit(publish, f"scene{number}") for number in range(NUM_RUNS)]
        try:
            for run in runs:
                run.result(timeout=200)
        finally:
            is_over.set()
        assert sweeper.result(timeout=60) > 0
    numbers = list_numbers(store)
    assert numbers == {f"scene{number}": list(range(1, NUM_VERSIONS + 1)) for number in range(NUM_RUNS)}
    versions = read_versions(store, [(scene, number) for scene, each in numbers.items() for number in each])
    lost = [ref for version in versions for ref in version.list_blobs() if not store.has_blob(ref)]
    assert lost == []
