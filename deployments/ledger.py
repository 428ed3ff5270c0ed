"""Who renders what: one ledger for all replicas of a renderer, so that no picture is computed twice.

It is an actor of Ray, found by name, and begins anew if it is killed: then a picture may be computed twice, and no job
fails.

A claim is a lease: it ends when its replica stops renewing it, so a replica that was killed blocks nobody for long.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal

LEASE_S = 5.0
"""A claim that is not renewed for so long is given to the next who asks."""
REPORT_S = 5.0
"""A replica that reports nothing for so long is gone."""
KEPT_BYTES = 256 * 2**20
"""Finished pictures are kept for whoever lost the connection before the end."""

Claim = Literal["yours", "theirs"]


class Ledger:
    """Claims on pictures by the digest of all that changes them, and the last finished ones."""

    def __init__(self, kept_bytes: int = KEPT_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin empty; `clock` returns seconds."""
        self._kept_bytes, self._clock = kept_bytes, clock
        self._claims: dict[str, tuple[str, float]] = {}
        self._finished: OrderedDict[str, bytes] = OrderedDict()
        self._num_bytes = 0
        self._reports: dict[str, tuple[dict[str, Any], float]] = {}
        self._num_finished = 0

    def claim(self, key: str, replica: str) -> Claim | bytes:
        """Return the finished picture, or who is to make it: the one who asks, or somebody else."""
        if key in self._finished:
            self._finished.move_to_end(key)
            return self._finished[key]
        holder, until = self._claims.get(key, ("", 0.0))
        if holder and self._clock() < until:
            return "theirs"
        self._claims[key] = (replica, self._clock() + LEASE_S)
        return "yours"

    def renew(self, key: str, replica: str) -> None:
        """Hold on to a claim."""
        if self._claims.get(key, ("",))[0] in {"", replica}:
            self._claims[key] = (replica, self._clock() + LEASE_S)

    def finish(self, key: str, data: bytes, replica: str) -> None:
        """Keep a finished picture for a while, and end the claim."""
        self.release(key, replica)
        self._num_finished += 1
        self._num_bytes += len(data) - len(self._finished.pop(key, b""))
        self._finished[key] = data
        while self._num_bytes > self._kept_bytes:
            _, oldest = self._finished.popitem(last=False)
            self._num_bytes -= len(oldest)

    def release(self, key: str, replica: str) -> None:
        """End a claim, if it is still held by this replica."""
        if self._claims.get(key, ("",))[0] == replica:
            del self._claims[key]

    def report(self, row: dict[str, Any], replica: str) -> None:
        """Take down what a replica says of itself."""
        self._reports[replica] = (row, self._clock())

    def read_reports(self) -> tuple[int, list[dict[str, Any]]]:
        """Return how many pictures were finished, and what all replicas that are there said last."""
        self._reports = {name: each for name, each in self._reports.items() if self._clock() - each[1] < REPORT_S}
        return self._num_finished, [row for row, _ in self._reports.values()]
