"""Waiting for one's turn at a device without keeping silent: whoever waits can tell a queue from a hang."""

import threading
from collections.abc import Generator
from contextlib import ExitStack

from models.renderer import Queued

BETWEEN_LOOKS_S = 0.2


class Turns:
    """The angles of one renderer, and whether any of them moves on."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._num_moves = 0

    def move_on(self) -> None:
        """Say that an angle has got a step further."""
        self._num_moves += 1  # may count two at once as one, which still is another number than before

    def wait(self, place: threading.Semaphore, held: ExitStack) -> Generator[Queued]:
        """Take a place, which is given back when `held` closes; yield while others are ahead and move on."""
        seen = self._num_moves
        while not place.acquire(timeout=BETWEEN_LOOKS_S):
            if seen != self._num_moves:
                seen = self._num_moves
                yield Queued()
        held.callback(place.release)
