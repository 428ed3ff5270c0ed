"""Letting versions go: what goes, what stays, in which order, and who may be at work meanwhile."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import cast

import pytest

from storage.datasets import compact, list_parts, query_parts
from storage.errors import CorruptObjectError, MissingObjectError
from storage.expiry import Policy, choose_expiring, expire_version, sweep
from storage.garbage import find_garbage
from storage.history import list_numbers
from storage.marks import Mark, add_mark
from storage.objects import Housekeeper, Store
from storage.records import Manifest
from storage.versions import manifest_key
from storage.work import at_work, begin_work, end_work, list_open, sweeping
from tasks.expiring import expire, foresee
from tests.kept_versions import CREATED_AT, keep_version

LATER = datetime.now(UTC) + timedelta(days=8)
"""When all that a test keeps is old."""
LAST = Policy(keep_last=1, keep_days=0)


@pytest.fixture
def store(either_store: Store) -> Housekeeper:
    """Open a store of each kind, in which nothing is."""
    return cast("Housekeeper", either_store)


def mark(action: str, tag: str | None = None) -> Mark:
    """Return a mark."""
    return Mark.model_validate({"action": action, "tag": tag, "who": "ada", "when": "2026-01-01T00:00:00+00:00"})


def choose(store: Store, policy: Policy, now: datetime = LATER) -> list[tuple[str, int]]:
    """Return scene and number of what a policy lets go."""
    return [(version.scene, version.number) for version in choose_expiring(store, policy, now)]


def is_whole(store: Store, manifest: Manifest) -> bool:
    """Tell whether every blob of a version is there."""
    return all(store.has_blob(ref) for ref in manifest.list_blobs())


def read_rows(store: Store) -> list[tuple[str, int]]:
    """Return scene and version of every row of the data set of angles, each once."""
    parts = list_parts(store, "angles")
    return query_parts(
        store, "angles", parts, lambda rows: rows.select("scene", "version").unique().sort("scene", "version")
    ).rows()


def test_policy_keeps_the_last_and_the_young(store: Housekeeper) -> None:
    """What is among the last ones or young stays; the latest always; of every scene for itself."""
    for number in (1, 2, 3):
        keep_version(store, number, created_at=CREATED_AT + timedelta(days=number))
    keep_version(store, 1, "alley")
    assert choose(store, LAST) == [("street", 1), ("street", 2)]
    assert choose(store, Policy(keep_last=2, keep_days=0)) == [("street", 1)]
    assert choose(store, Policy(keep_last=9, keep_days=0)) == []
    assert choose(store, Policy(keep_last=1, keep_days=1), CREATED_AT + timedelta(days=2.5)) == [("street", 1)]
    assert choose(store, Policy(keep_last=1, keep_days=9), CREATED_AT + timedelta(days=9)) == []
    assert [each.number for each in choose_expiring(store, LAST, LATER, "street")] == [1, 2]
    assert choose_expiring(store, LAST, LATER, "alley") == []


def test_marked_version_stays(store: Housekeeper) -> None:
    """A pinned or tagged version stays until that is taken back."""
    for number in (1, 2, 3):
        keep_version(store, number)
    add_mark(store, ("street", 1), mark("pin"))
    add_mark(store, ("street", 2), mark("tag", "approved"))
    assert choose(store, LAST) == []
    assert not expire_version(store, ("street", 1))
    add_mark(store, ("street", 1), mark("unpin"))
    add_mark(store, ("street", 2), mark("untag", "approved"))
    assert choose(store, LAST) == [("street", 1), ("street", 2)]


def test_expired_version_leaves_nothing_and_takes_nothing_of_others(store: Housekeeper) -> None:
    """Manifest, blobs, angles, cards, marks, views and rows of it go; what another version needs stays."""
    old, new, other = keep_version(store, 1), keep_version(store, 2), keep_version(store, 1, "alley")
    add_mark(store, ("street", 1), mark("pin"))
    add_mark(store, ("street", 1), mark("unpin"))
    foreseen = foresee(store, LAST, "")
    assert [version["version"] for version in cast("list[dict[str, object]]", foreseen["versions"])] == [1]
    assert is_whole(store, old)
    assert expire_version(store, ("street", 1))
    swept = sweep(store, LATER)
    assert list_numbers(store) == {"street": [2], "alley": [1]}
    shared = {old.master.picture, old.master.original}
    assert [ref for ref in old.list_blobs() if store.has_blob(ref)] == [
        ref for ref in old.list_blobs() if ref in shared
    ]
    assert is_whole(store, new)
    assert is_whole(store, other)
    gone = [ref for ref in old.list_blobs() if ref not in shared]
    assert (swept.num_blobs, swept.freed_bytes) == (len(gone), sum(ref.size_bytes for ref in gone))
    assert [key for key in store.list_views("") if "v000001" in key and "street" in key] == []
    assert store.list_records("marks/") == []
    assert len(store.list_records("angles/")) == 6
    assert len(store.list_records("scores/")) == 2
    assert store.list_records("sweeps/") == []
    assert read_rows(store) == [("alley", 1), ("street", 2)]


def test_second_sweep_finds_nothing(store: Housekeeper) -> None:
    """What is done is done; and a sweep of a store without versions takes nothing of importance."""
    for number in (1, 2):
        keep_version(store, number)
    expire_version(store, ("street", 1))
    sweep(store, LATER)
    again = sweep(store, LATER)
    assert (again.num_blobs, again.num_views, again.num_rows_parts, again.freed_bytes) == (0, 0, 0, 0)


def test_young_blobs_and_recent_angles_stay(store: Housekeeper) -> None:
    """A blob that was put in the last days stays, and so does the picture of an angle that was rendered then."""
    old = keep_version(store, 1, created_at=LATER - timedelta(days=1))
    keep_version(store, 2)
    expire_version(store, ("street", 1))
    early = sweep(store, datetime.now(UTC))
    assert early.num_blobs == 0
    assert early.num_young > 0
    assert is_whole(store, old)
    sweep(store, LATER)
    assert all(store.has_blob(record.picture) for record in old.angles)
    assert not store.has_blob(old.reports.contact_sheet)


def test_dry_run_foresees_what_happens(store: Housekeeper) -> None:
    """Nothing is changed by asking, and what is said then comes true."""
    for number in (1, 2, 3):
        keep_version(store, number)
    before = [*store.list_records(""), *store.list_views(""), *store.list_blobs()]
    garbage = find_garbage(store, {("street", 1), ("street", 2)}, LATER)
    assert [*store.list_records(""), *store.list_views(""), *store.list_blobs()] == before
    for version in choose(store, LAST):
        assert expire_version(store, version)
    swept = sweep(store, LATER)
    assert swept.num_blobs == len(garbage.blobs)
    assert swept.freed_bytes == sum(blob.size_bytes for blob in garbage.blobs)
    assert swept.num_views == len(garbage.views)


def test_rows_in_a_compacted_file_go(store: Housekeeper) -> None:
    """Rows of an expired version leave a compacted file, which keeps those of the others; an empty one goes."""
    for number in (1, 2):
        keep_version(store, number)
    compact(store, "angles")
    keep_version(store, 3)
    expire_version(store, ("street", 1))
    sweep(store, LATER)
    assert read_rows(store) == [("street", 2), ("street", 3)]
    expire_version(store, ("street", 2))
    sweep(store, LATER)
    assert read_rows(store) == [("street", 3)]
    assert len(list_parts(store, "angles")) == 1


def test_sweep_gives_way_to_work(store: Housekeeper) -> None:
    """While something that will publish is under way, no blob and no angle goes; it is said, and done the next time."""
    old = keep_version(store, 1)
    keep_version(store, 2)
    expire_version(store, ("street", 1))
    with at_work(store, "a run"):
        swept = sweep(store, LATER)
    assert len(swept.held_off_by) == 1
    assert is_whole(store, old)
    assert len(store.list_records("angles/")) == 6
    assert sweep(store, LATER).num_blobs > 0
    assert store.list_records("work/") == []


def test_work_waits_for_a_sweep(store: Housekeeper) -> None:
    """Work that begins while a sweep is under way goes on when it is over."""
    with ThreadPoolExecutor(1) as pool:
        with sweeping(store):
            begun = pool.submit(begin_work, store, "a run")
            while not list_open(store, "work", timedelta(days=1)):
                assert not begun.done()
            assert not begun.done()
        end_work(store, begun.result(timeout=30))
    assert list_open(store, "work", timedelta(days=1)) == []


def test_forgotten_claims_count_as_over(store: Housekeeper) -> None:
    """Work that was killed a day ago holds no sweep off, and a sweep that was killed holds no work off for long."""
    store.put_record("work/20260101T000000.000000Z-0/began.json", b"{}")
    store.put_record("sweeps/20260101T000000.000000Z-0/began.json", b"{}")
    keep_version(store, 1)
    assert sweep(store, LATER).held_off_by == ()
    assert store.list_records("work/") == []
    with at_work(store, "a run"):
        pass


@pytest.mark.parametrize(
    "spoil", ["versions/street/v000003/manifest.json", "marks/street/v000001/20260101T000000.000000Z-0.json"]
)
def test_damage_stops_it(store: Housekeeper, spoil: str) -> None:
    """With a manifest or a mark that cannot be read nothing goes, for nobody knows what it names."""
    kept = [keep_version(store, number) for number in (1, 2)]
    store.put_record(spoil, b"{")
    keep_version(store, 4)
    before = list(store.list_blobs())
    with pytest.raises(CorruptObjectError):
        expire(store, LAST, "")
    assert list(store.list_blobs()) == before
    assert all(is_whole(store, manifest) for manifest in kept)


def test_pin_in_the_moment_of_the_end_is_never_lost(store: Housekeeper) -> None:
    """Whoever pins a version that goes in the same moment is told, or the version stays."""
    for number in range(1, 7):
        keep_version(store, number)

    def pin(number: int) -> bool:
        try:
            add_mark(store, ("street", number), mark("pin"))
        except MissingObjectError:
            return False
        return True

    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(8))
        ends = [pool.submit(expire_version, store, ("street", number)) for number in range(1, 6)]
        pins = {number: pool.submit(pin, number) for number in range(1, 6)}
        held = {number for number, pinned in pins.items() if pinned.result()}
        assert all(isinstance(end.result(), bool) for end in ends)
    assert held <= set(list_numbers(store)["street"])


class Watched:
    """A store that notes, whenever something is taken away, whether a version is still visible."""

    def __init__(self, store: Housekeeper, version: tuple[str, int]) -> None:
        """Watch a version in a store."""
        self._store, self._key = store, manifest_key(*version)
        self.seen: list[bool] = []

    def __getattr__(self, name: str) -> object:
        method = getattr(self._store, name)
        return partial(self._note, method) if name in {"remove_record", "remove_blob", "discard_view"} else method

    def _note(self, remove: Callable[[str], None], key: str) -> None:
        if key != self._key and not key.startswith("sweeps/"):
            self.seen.append(self._key in self._store.list_records("versions/"))
        remove(key)


def test_manifest_goes_first(store: Housekeeper) -> None:
    """When anything of a version is taken away, the version is invisible already."""
    keep_version(store, 1)
    keep_version(store, 2)
    watched = Watched(store, ("street", 1))
    expire_version(cast("Housekeeper", watched), ("street", 1))
    sweep(cast("Housekeeper", watched), LATER)
    assert watched.seen
    assert not any(watched.seen)


class Publishing:
    """A store in which somebody publishes a version as soon as the rows of all versions are looked for."""

    def __init__(self, store: Housekeeper) -> None:
        """Publish into a store."""
        self._store, self._is_done = store, False

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def list_views(self, prefix: str) -> list[str]:
        """Publish, and then list."""
        if prefix.startswith("reports/") and not self._is_done:
            self._is_done = True
            keep_version(self._store, 2)
        return self._store.list_views(prefix)


def test_rows_of_a_version_that_is_published_meanwhile_stay(store: Housekeeper) -> None:
    """A sweep takes no rows of a version that it had not heard of when it began to look."""
    keep_version(store, 1)
    sweep(cast("Housekeeper", Publishing(store)), LATER)
    assert read_rows(store) == [("street", 1), ("street", 2)]
