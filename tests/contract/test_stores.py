"""What every store promises, on a real folder and on a real S3 server."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from storage.errors import ConflictError, CorruptObjectError, MissingObjectError, StorageError
from storage.objects import BlobRef, Store
from tests.backends import Backend, cut_short, flip_bit

NUM_RACERS = 8


def attempt(put: Callable[[], None]) -> StorageError | None:
    """Return what a put raised."""
    try:
        put()
    except StorageError as error:
        return error
    return None


@pytest.mark.parametrize("size_bytes", [0, 1, 6_000_000])
def test_blob_comes_back_as_it_was_put(store: Store, name: str, size_bytes: int) -> None:
    """A blob of any size reads back byte for byte, and put twice it is one blob."""
    data = (name.encode() * (size_bytes // 32 + 1))[:size_bytes]
    assert store.put_blob(data, "image/png") == store.put_blob(data, "image/png") == BlobRef.of(data, "image/png")
    assert store.get_blob(BlobRef.of(data, "image/png")) == data


def test_missing_blob_says_so(store: Store, name: str) -> None:
    """A blob that was never put is missing, not empty."""
    ref = BlobRef.of(name.encode(), "image/png")
    assert not store.has_blob(ref)
    with pytest.raises(MissingObjectError, match=ref.sha256):
        store.get_blob(ref)


def test_blob_is_there_only_when_its_size_is_right(store: Store, name: str) -> None:
    """A blob cut short does not count as there, so it is made and put again."""
    ref = store.put_blob(name.encode(), "image/png")
    assert store.has_blob(ref)
    longer = ref.model_copy(update={"size_bytes": ref.size_bytes + 1})
    assert not store.has_blob(longer)
    with pytest.raises(CorruptObjectError):
        store.get_blob(longer)


@pytest.mark.parametrize("damaged", [flip_bit, cut_short])
def test_verified_read_finds_damage(backend: Backend, name: str, damaged: Callable[[bytes], bytes]) -> None:
    """One flipped bit or one lost byte is found at reading."""
    ref = backend.store.put_blob(name.encode(), "image/png")
    backend.damage(backend.store.locate_blob(ref), damaged(name.encode()))
    with pytest.raises(CorruptObjectError, match=ref.sha256):
        backend.store.get_blob(ref)


def test_put_replaces_a_blob_cut_short(backend: Backend, name: str) -> None:
    """A put does not trust a blob that a fault cut short."""
    ref = backend.store.put_blob(name.encode(), "image/png")
    backend.damage(backend.store.locate_blob(ref), cut_short(name.encode()))
    backend.store.put_blob(name.encode(), "image/png")
    assert backend.store.get_blob(ref) == name.encode()


def test_record_comes_back_and_may_be_put_again(store: Store, name: str) -> None:
    """Equal bytes under the same key are a success, as a retry needs."""
    for _ in range(2):
        store.put_record(f"runs/{name}/manifest.json", b"{}")
    assert store.get_record(f"runs/{name}/manifest.json") == b"{}"


@pytest.mark.parametrize("other", [b"{ }", b"[]"])
def test_record_is_never_overwritten(store: Store, name: str, other: bytes) -> None:
    """Different bytes, of another or of the same size, are a conflict, and the first stay."""
    store.put_record(name, b"{}")
    with pytest.raises(ConflictError, match=name):
        store.put_record(name, other)
    assert store.get_record(name) == b"{}"


def test_missing_record_says_so(store: Store, name: str) -> None:
    """A record that was never put is missing."""
    with pytest.raises(MissingObjectError, match=name):
        store.get_record(f"runs/{name}")


def test_record_cannot_take_the_name_of_a_folder(store: Store, name: str) -> None:
    """A key that other keys stand under is a conflict."""
    store.put_record(f"{name}/manifest.json", b"{}")
    with pytest.raises(ConflictError):
        store.put_record(name, b"{}")


def test_one_of_many_writers_wins(store: Store, name: str) -> None:
    """Of writers racing with different bytes exactly one succeeds, and the others are told."""
    start = Barrier(NUM_RACERS)

    def race(number: int) -> StorageError | None:
        start.wait()
        return attempt(lambda: store.put_record(f"runs/{name}", b"%d" % number))

    with ThreadPoolExecutor(NUM_RACERS) as pool:
        errors = list(pool.map(race, range(NUM_RACERS)))
    winners = [number for number, error in enumerate(errors) if error is None]
    assert [b"%d" % number for number in winners] == [store.get_record(f"runs/{name}")]
    assert {type(error) for error in errors if error} == {ConflictError}


def test_writers_of_equal_bytes_all_succeed(store: Store, name: str) -> None:
    """Writers racing with the same bytes all succeed, whether of records or of blobs."""
    start = Barrier(NUM_RACERS)

    def race(_: int) -> StorageError | None:
        start.wait()
        store.put_blob(name.encode(), "image/png")
        return attempt(lambda: store.put_record(f"runs/{name}", b"{}"))

    with ThreadPoolExecutor(NUM_RACERS) as pool:
        assert list(pool.map(race, range(NUM_RACERS))) == [None] * NUM_RACERS


def test_records_are_listed_in_order(store: Store, name: str) -> None:
    """A list is sorted, holds the whole keys, and takes any start of a key as prefix."""
    written = [f"{name}/{key}" for key in ("b", "a/2", "a/1", "a-1", "a.1", "A", "ab/1")]
    for key in written:
        store.put_record(key, b"{}")
    assert store.list_records(f"{name}/") == sorted(written)
    assert store.list_records(f"{name}/a/") == [f"{name}/a/1", f"{name}/a/2"]
    assert store.list_records(f"{name}/ab") == [f"{name}/ab/1"]
    assert store.list_records(f"{name}/none/") == []
    assert set(written) <= set(store.list_records(""))


def test_view_is_overwritten_freely(backend: Backend, name: str) -> None:
    """A view shows the blob that was put last, and the blobs stay as they are."""
    refs = [backend.store.put_blob(f"{name}{number}".encode(), "image/png") for number in range(2)]
    for ref in refs:
        backend.store.put_view(f"{name}/angles/close_up.png", ref)
    assert backend.read(backend.store.locate_view(f"{name}/angles/close_up.png")) == f"{name}1".encode()
    assert backend.store.get_blob(refs[0]) == f"{name}0".encode()


def test_view_of_a_missing_blob_says_so(store: Store, name: str) -> None:
    """A view needs a blob."""
    with pytest.raises(MissingObjectError):
        store.put_view(name, BlobRef.of(name.encode(), "image/png"))


def test_addresses_can_be_opened(backend: Backend, name: str) -> None:
    """What a store names is what a person finds there."""
    ref = backend.store.put_blob(name.encode(), "image/png")
    backend.store.put_record(name, b"{}")
    assert backend.read(backend.store.locate_blob(ref)) == name.encode()
    assert backend.read(backend.store.locate_record(name)) == b"{}"
