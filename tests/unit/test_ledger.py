"""The ledger of a resident renderer: one render a picture, and no claim outlives its replica for long."""

import pytest

from deployments.ledger import LEASE_S, REPORT_S, Ledger


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Begin at zero."""
    return Clock()


def test_one_claim_a_picture(clock: Clock) -> None:
    """The first who asks renders; the others wait for the picture and get it."""
    ledger = Ledger(clock=clock)
    assert ledger.claim("a", "one") == "yours"
    assert ledger.claim("a", "two") == "theirs"
    assert ledger.claim("b", "two") == "yours"
    ledger.finish("a", b"picture", "one")
    assert ledger.claim("a", "two") == b"picture"
    assert ledger.read_reports()[0] == 1


def test_a_claim_that_is_not_renewed_passes_on(clock: Clock) -> None:
    """A killed replica blocks its picture for the length of a lease; one at work renews it."""
    ledger = Ledger(clock=clock)
    ledger.claim("a", "one")
    clock.now = LEASE_S - 1
    ledger.renew("a", "one")
    clock.now = LEASE_S + 1
    assert ledger.claim("a", "two") == "theirs"
    clock.now = 2 * LEASE_S
    assert ledger.claim("a", "two") == "yours"
    ledger.renew("a", "one")
    ledger.release("a", "one")
    assert ledger.claim("a", "three") == "theirs"


def test_a_released_claim_is_free(clock: Clock) -> None:
    """Whoever gives up makes room at once."""
    ledger = Ledger(clock=clock)
    ledger.claim("a", "one")
    ledger.release("a", "one")
    assert ledger.claim("a", "two") == "yours"


def test_a_ledger_that_began_anew_learns_who_is_at_work(clock: Clock) -> None:
    """A renewal of a claim that nobody knows is a claim."""
    ledger = Ledger(clock=clock)
    ledger.renew("a", "one")
    assert ledger.claim("a", "two") == "theirs"


def test_memory_is_bounded(clock: Clock) -> None:
    """The pictures that were asked for longest ago go first, and a picture counts once."""
    ledger = Ledger(kept_bytes=10, clock=clock)
    for key in ("a", "b", "b"):
        ledger.finish(key, b"12345", "one")
    assert ledger.claim("a", "one") == b"12345"
    ledger.finish("c", b"12345", "one")
    assert ledger.claim("a", "one") == b"12345"
    assert ledger.claim("b", "one") == "yours"


def test_who_reports_nothing_is_gone(clock: Clock) -> None:
    """The status shows the replicas that are there."""
    ledger = Ledger(clock=clock)
    ledger.report({"pid": 1}, "one")
    clock.now = REPORT_S - 1
    ledger.report({"pid": 2}, "two")
    assert len(ledger.read_reports()[1]) == 2
    clock.now = REPORT_S + 1
    assert ledger.read_reports()[1] == [{"pid": 2}]
