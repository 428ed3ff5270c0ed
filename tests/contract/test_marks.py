"""Marks of people on versions: what holds is the fold of all that was said, whoever says it at the same time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from pydantic import ValidationError

from storage.errors import CorruptObjectError, MissingObjectError
from storage.marks import Mark, add_mark, fold_marks, list_marks, read_marks, read_standing
from storage.objects import Store
from storage.versions import commit_version
from tests.unit.test_versions import make_manifest

VERSION = ("street", 1)
WHEN = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def store(either_store: Store) -> Store:
    """Open a store of each kind with one version in it."""
    commit_version(either_store, make_manifest(1))
    return either_store


def pin(who: str = "ada", note: str = "") -> Mark:
    """Return a pin."""
    return Mark(action="pin", who=who, when=WHEN, note=note)


def unpin(who: str = "ada") -> Mark:
    """Return the end of a pin."""
    return Mark(action="unpin", who=who, when=WHEN)


def tag(name: str, who: str = "ada") -> Mark:
    """Return a tag."""
    return Mark(action="tag", tag=name, who=who, when=WHEN)


def untag(name: str) -> Mark:
    """Return the end of a tag."""
    return Mark(action="untag", tag=name, who="ada", when=WHEN)


def test_marks_are_folded(store: Store) -> None:
    """What was said last holds; who said it, and all that was said before, is kept."""
    assert not read_standing(store, VERSION).is_protected
    for mark in (pin("ada", "for the trailer"), tag("approved"), tag("final"), untag("final"), pin("ben")):
        standing = add_mark(store, VERSION, mark)
        assert standing == read_standing(store, VERSION)
        assert standing.is_protected
    assert standing.pin == pin("ada", "for the trailer")
    assert standing.tags == {"approved": tag("approved")}
    assert not add_mark(store, VERSION, unpin("ben")).pin
    assert not add_mark(store, VERSION, untag("approved")).is_protected
    assert [mark.action for mark in read_marks(store, VERSION)] == [
        "pin",
        "tag",
        "tag",
        "untag",
        "pin",
        "unpin",
        "untag",
    ]


def test_two_people_at_once_lose_nothing(store: Store) -> None:
    """Marks that are made in the same moment are all kept."""
    names = [f"tag{number}" for number in range(8)]
    barrier = Barrier(len(names))

    def speak(name: str) -> None:
        barrier.wait()
        add_mark(store, VERSION, tag(name, name))

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(speak, names))
    assert set(read_standing(store, VERSION).tags) == set(names)


def test_later_mark_is_later_than_all_it_follows(store: Store) -> None:
    """A mark by a machine whose clock was far ahead does not outlive the one that takes it back."""
    ahead = "marks/street/v000001/29991231T235959.000000Z-000000000000.json"
    store.put_record(ahead, pin().model_dump_json().encode())
    assert read_standing(store, VERSION).pin
    assert not add_mark(store, VERSION, unpin()).pin
    assert list_marks(store, VERSION)[0] == ahead


def test_mark_needs_a_version(store: Store) -> None:
    """Nothing can be said of a version that is not there, nor is it kept."""
    for version in (("street", 2), ("alley", 1)):
        with pytest.raises(MissingObjectError, match="list its versions"):
            add_mark(store, version, pin())
    assert store.list_records("marks/") == []


def test_damaged_mark_is_named(store: Store) -> None:
    """A mark that cannot be read stops the question, for it may have been a pin."""
    store.put_record("marks/street/v000001/20260101T000000.000000Z-0.json", b"{")
    with pytest.raises(CorruptObjectError, match=r"v000001/20260101"):
        read_standing(store, VERSION)


@pytest.mark.parametrize("name", ["", "Approved", "a b", "../x", "x" * 64])
def test_word_that_is_no_tag_is_refused(name: str) -> None:
    """A tag is a short name."""
    with pytest.raises(ValidationError):
        tag(name)


def test_nothing_said_is_nothing_held() -> None:
    """The fold of no marks, or of ends without beginnings, protects nothing."""
    assert not fold_marks([]).is_protected
    assert not fold_marks([unpin(), untag("approved")]).is_protected
