"""What every store promises of readable copies, beyond writing them: finding, reading and taking them away."""

import io

import polars as pl
import pytest

from storage.errors import InvalidKeyError, MissingObjectError
from storage.objects import MAX_KEY_LENGTH, BlobRef, Store

KEYS = ("b.txt", "a/2.txt", "a/1.txt", "a-1.txt", "ab/1.txt", "p=1/q=x/1.txt")


@pytest.fixture
def store(either_store: Store) -> Store:
    """Open a store of each kind, in which nothing is."""
    return either_store


def put(store: Store, key: str, data: bytes) -> BlobRef:
    """Lay out bytes under a readable name."""
    ref = store.put_blob(data, "text/plain")
    store.put_view(key, ref)
    return ref


def test_views_are_listed_in_order(store: Store) -> None:
    """A list is sorted, holds keys that can be read again, and neither records nor blobs."""
    assert store.list_views("") == []
    for key in KEYS:
        put(store, key, key.encode())
    store.put_record("a/record", b"{}")
    assert store.list_views("") == sorted(KEYS)
    assert store.list_views("a/") == ["a/1.txt", "a/2.txt"]
    assert store.list_views("a") == sorted(key for key in KEYS if key.startswith("a"))
    assert store.list_views("none/") == []
    assert store.list_records("") == ["a/record"]
    assert [store.get_view(key) for key in store.list_views("")] == [key.encode() for key in sorted(KEYS)]


def test_longest_key_is_listed(store: Store) -> None:
    """Where a store keeps its views takes nothing from the length of their keys."""
    key = f"{'s' * 255}/{'t' * 200}/".ljust(MAX_KEY_LENGTH, "k")
    put(store, key, b"data")
    assert store.list_views("") == [key]


def test_view_is_what_was_laid_out_last(store: Store) -> None:
    """A view that is laid out again reads as the new blob."""
    for data in (b"first", b"second"):
        put(store, "a.txt", data)
    assert store.get_view("a.txt") == b"second"


def test_missing_view_says_so(store: Store) -> None:
    """Reading what was never laid out is an error, before and after the first put."""
    for _ in range(2):
        with pytest.raises(MissingObjectError, match=r"a\.txt"):
            store.get_view("a.txt")
        put(store, "b.txt", b"data")


def test_removed_view_is_gone_and_its_blob_stays(store: Store) -> None:
    """A view can be taken away, again, and laid out again; the blob and the other views know nothing of it."""
    ref = put(store, "a/1.txt", b"data")
    put(store, "a/2.txt", b"other")
    for _ in range(2):
        store.remove_view("a/1.txt")
    assert store.list_views("") == ["a/2.txt"]
    with pytest.raises(MissingObjectError):
        store.get_view("a/1.txt")
    assert store.get_blob(ref) == b"data"
    store.put_view("a/1.txt", ref)
    assert store.get_view("a/1.txt") == b"data"


def test_removing_from_an_empty_store_is_a_success(store: Store) -> None:
    """There is nothing to take away before the first put, nor below a view."""
    store.remove_view("a/1.txt")
    put(store, "a", b"data")
    store.remove_view("a/1.txt")
    assert store.get_view("a") == b"data"


def test_only_a_whole_key_is_removed(store: Store) -> None:
    """The folder of views is no view, and taking it away takes nothing."""
    put(store, "a/1.txt", b"data")
    store.remove_view("a")
    assert store.list_views("") == ["a/1.txt"]


@pytest.mark.parametrize("key", ["", "/a", "a/../b", "a/.hidden", "~a"])
def test_invalid_key_is_refused(store: Store, key: str) -> None:
    """No view is read, removed or listed by a key that cannot name one."""
    for use in (store.get_view, store.remove_view):
        with pytest.raises(InvalidKeyError):
            use(key)
    if key:
        with pytest.raises(InvalidKeyError):
            store.list_views(key)


def test_polars_reads_a_view_by_its_address(store: Store) -> None:
    """With the store's options, polars opens what the store names."""
    file = io.BytesIO()
    pl.DataFrame({"scene": ["street"]}).write_parquet(file)
    put(store, "p=1/report.parquet", file.getvalue())
    address, options = store.locate_view("p=1/report.parquet"), store.list_reader_options() or None
    assert pl.scan_parquet(address, storage_options=options, glob=False).select("scene").collect().rows() == [
        ("street",)
    ]
