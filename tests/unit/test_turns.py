"""A queue in front of a device that tells whoever waits whether it moves."""

import threading
import time
from collections.abc import Generator
from contextlib import ExitStack

from models.renderer import Queued
from models.turns import Turns


def wait_in(turns: Turns, place: threading.Semaphore, heard: list[Queued]) -> threading.Thread:
    """Wait for a place in a thread, and give it back at once."""

    def wait() -> None:
        with ExitStack() as held:
            heard.extend(turns.wait(place, held))

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_free_place_is_taken_without_a_word() -> None:
    """Nothing is yielded, the place is held while the stack is open, and free behind it."""
    place = threading.Semaphore()
    with ExitStack() as held:
        assert list(Turns().wait(place, held)) == []
        assert not place.acquire(blocking=False)
    assert place.acquire(blocking=False)


def test_a_queue_speaks_only_while_it_moves() -> None:
    """Each move of whoever is ahead is one sign at most, and none comes while nothing moves."""
    turns, place, heard = Turns(), threading.Semaphore(0), list[Queued]()
    waiting = wait_in(turns, place, heard)
    time.sleep(0.6)
    assert heard == []
    turns.move_on()
    time.sleep(0.6)
    place.release()
    waiting.join(5)
    assert heard == [Queued()]


def test_who_leaves_the_queue_takes_no_place() -> None:
    """A generator that is closed while it waits leaves the place to the next."""
    turns, place = Turns(), threading.Semaphore(0)
    with ExitStack() as held:
        waiting: Generator[Queued] = turns.wait(place, held)
        threading.Timer(0.1, turns.move_on).start()
        assert next(waiting) == Queued()
        waiting.close()
    place.release()
    assert place.acquire(blocking=False)
