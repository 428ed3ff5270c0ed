"""Who is at work on a store, so that a sweep of unreferenced blobs never meets work that is about to refer to them.

```
work/<utc time>-<random>/began.json       something that will publish has begun; `ended.json` beside it: it is over
sweeps/<utc time>-<random>/began.json     a sweep has begun; `ended.json` beside it: it is over
```

Each writes its own record first and then looks for those of the other kind, so of two that meet at least one sees the
other. Work waits for the end of a sweep; a sweep that sees work removes nothing more and ends. What was killed without
a word counts as over after a while: see docs/decisions/0009-sweeps-give-way-to-work.md.
"""

import json
import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from storage.errors import StorageError
from storage.objects import Store

WORK_LIFE, SWEEP_LIFE = timedelta(days=1), timedelta(minutes=15)
"""How long a beginning without an end counts: no work takes a day, and no sweep removes anything after its time."""
_LOG = logging.getLogger(__name__)
_TIME = "%Y%m%dT%H%M%S.%fZ"
_BEGAN, _ENDED = "/began.json", "/ended.json"


@contextmanager
def at_work(store: Store, what: str) -> Generator[None]:
    """Hold off sweeps while something that will publish is under way."""
    claim = begin_work(store, what)
    try:
        yield
    finally:
        end_work(store, claim)


def begin_work(store: Store, what: str) -> str:
    """Say that something has begun that will publish, wait for the end of a sweep, and return the claim."""
    claim = _begin(store, "work", what)
    while list_open(store, "sweeps", SWEEP_LIFE):
        time.sleep(0.2)
    return claim


def end_work(store: Store, claim: str) -> None:
    """Say that it is over; if the store does not take that, it counts as over in a day."""
    try:
        store.put_record(f"{claim}{_ENDED}", b"{}")
    except StorageError as exc:
        _LOG.warning("The end of %s could not be kept, so no blobs are swept for a day: %s", claim, exc)


@contextmanager
def sweeping(store: Store) -> Generator[None]:
    """Hold off work that begins, while blobs are removed; the caller looks for work before and in between."""
    claim = _begin(store, "sweeps", "sweep")
    try:
        yield
    finally:
        store.put_record(f"{claim}{_ENDED}", b"{}")


def list_open(store: Store, folder: str, life: timedelta) -> list[str]:
    """Return the claims in `work` or `sweeps` that began within `life` and have not ended, the oldest first."""
    keys = store.list_records(f"{folder}/")
    ended = {key.removesuffix(_ENDED) for key in keys if key.endswith(_ENDED)}
    oldest = f"{folder}/{datetime.now(UTC) - life:{_TIME}}"
    claims = (key.removesuffix(_BEGAN) for key in keys if key.endswith(_BEGAN))
    return [claim for claim in claims if claim not in ended and claim >= oldest]


def list_closed(store: Store) -> list[str]:
    """Return the keys of all claims that are over, ended or too old, beginnings first: if broken off, none reopens."""
    is_open = {*list_open(store, "work", WORK_LIFE), *list_open(store, "sweeps", SWEEP_LIFE)}
    keys = [*store.list_records("work/"), *store.list_records("sweeps/")]
    return [key for key in keys if key.rpartition("/")[0] not in is_open]


def _begin(store: Store, folder: str, what: str) -> str:
    claim = f"{folder}/{datetime.now(UTC):{_TIME}}-{uuid4().hex[:12]}"
    store.put_record(f"{claim}{_BEGAN}", json.dumps({"what": what}).encode())
    return claim
