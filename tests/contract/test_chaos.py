"""A few rounds of killing; `make chaos` runs many."""

from pathlib import Path

import pytest

from tests.chaos.rounds import NUM_WRITERS, race_for_one_number, run_rounds
from tests.chaos.servers import run_killable_seaweed


def test_killed_writers_lose_and_tear_nothing(tmp_path: Path) -> None:
    """What was acknowledged is there and whole, what is visible is whole, and no run has two versions."""
    found = run_rounds(str(tmp_path / "store"), tmp_path / "logs", 1, None)
    assert found.is_whole, found
    assert 0 < found.acknowledged <= found.visible
    assert found.writers_killed == NUM_WRITERS


def test_a_killed_server_loses_and_tears_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of a server that is killed while eight write, and started again."""
    with run_killable_seaweed(tmp_path / "seaweed") as (server, killable):
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        found = run_rounds(server.url("chaos"), tmp_path / "logs", 2, killable)
    assert found.is_whole, found
    assert (found.writers_killed, found.servers_killed) == (2 * NUM_WRITERS, 1)


def test_of_eight_writers_one_wins(tmp_path: Path) -> None:
    """Whoever wants a number that another has taken at the same moment is told so."""
    races = race_for_one_number(str(tmp_path), 2)
    assert races == [{"won": 1, "told": NUM_WRITERS - 1}] * 2
