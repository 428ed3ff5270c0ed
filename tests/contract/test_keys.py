"""No key, digest, name or media type reaches beyond its own place, on a real folder and on a real S3 server."""

import posixpath
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from storage.errors import ConflictError, InvalidKeyError
from storage.objects import MAX_KEY_LENGTH, BlobRef, Housekeeper
from storage.opening import open_store
from tests.s3_stubs import store_at
from tests.servers import S3Server

KEY_CHARACTERS = "abzABZ019._=-"
segments = st.text(KEY_CHARACTERS, min_size=1, max_size=20).filter(lambda segment: not segment.startswith("."))
endings = st.sampled_from(["", ".json"])
keys = st.builds(
    lambda folders, name, ending: "/".join((*folders, name + ending)), st.lists(segments, max_size=4), segments, endings
)
hostile_keys = st.one_of(st.text(max_size=40), st.text(KEY_CHARACTERS + "/\\~%:\0 ", max_size=40))
examples = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
bucket_words = st.sampled_from(["", "a", "scenes", "a-scenes", "scenes-index", "a-scenes-index", "index"])


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "a/.hidden",
        "a b",
        "a\n",
        "ä",
        "~a",
        "a.json/b",
        "a" * 256,
        "a/" * 256 + "a",
    ],
)
def test_invalid_key_is_refused_everywhere(store: Housekeeper, key: str) -> None:
    """Every method that takes a key refuses one that cannot name an object."""
    ref = BlobRef.of(b"", "image/png")
    for use in (
        lambda: store.put_record(key, b""),
        lambda: store.get_record(key),
        lambda: store.remove_record(key),
        lambda: store.put_view(key, ref),
        lambda: store.get_view(key),
        lambda: store.remove_view(key),
        lambda: store.discard_view(key),
        lambda: store.locate_record(key),
        lambda: store.locate_view(key),
    ):
        with pytest.raises(InvalidKeyError):
            use()


@pytest.mark.parametrize("prefix", ["/", "..", "a/../", "a//", "a b", "a.json/b"])
def test_invalid_prefix_is_refused(store: Housekeeper, prefix: str) -> None:
    """A prefix that no key can start with is a mistake, not an empty list."""
    for find in (store.list_records, store.list_views):
        with pytest.raises(InvalidKeyError):
            find(prefix)


@examples
@given(key=keys)
def test_every_valid_key_holds_its_record(store: Housekeeper, key: str) -> None:
    """A valid key, whatever it is, is written, read and listed."""
    key = f"{uuid4().hex}/{key}"
    store.put_record(key, key.encode())
    assert store.get_record(key) == key.encode()
    assert store.list_records(key) == [key]


def test_longest_key_holds_its_record(store: Housekeeper, name: str) -> None:
    """The limits of a key are within what the store can name."""
    key = f"{name}/{'s' * 255}/".ljust(MAX_KEY_LENGTH, "k")
    store.put_record(key, b"{}")
    assert store.list_records(name) == [key]


@examples
@given(key=hostile_keys | keys)
def test_no_key_escapes_its_place(store: Housekeeper, key: str) -> None:
    """A key is refused, or names exactly its own place below the records, and below the views."""
    for locate in (store.locate_record, store.locate_view):
        root = locate("a").removesuffix("a")
        try:
            address = locate(key)
        except InvalidKeyError:
            continue
        assert address == root + key
        assert posixpath.normpath(f"/{key}") == f"/{key}"


@examples
@given(first=keys, second=keys, data=st.binary(max_size=8))
def test_no_two_things_share_a_place(store: Housekeeper, first: str, second: str, data: bytes) -> None:
    """Records, views and blobs never stand where another of them does, whatever they are called."""
    ref = BlobRef.of(data, "image/png")
    named = {first, second, ref.key, f"views/{first}", f"scenes/{first}"}
    places = [locate(key) for key in named for locate in (store.locate_record, store.locate_view)]
    assert len({*places, store.locate_blob(ref)}) == 2 * len(named) + 1


@examples
@given(first=keys, second=keys)
def test_different_keys_hold_different_things(store: Housekeeper, first: str, second: str) -> None:
    """What is put under one key never shows under another; only the folder of a key may be refused as one."""
    root = uuid4().hex
    written: dict[str, bytes] = {}
    for key in dict.fromkeys((f"{root}/{first}", f"{root}/{second}")):
        ref = store.put_blob(key.encode(), "image/png")
        try:
            store.put_record(key, key.encode())
            store.put_view(key, ref)
        except ConflictError:
            assert any(other.startswith(f"{key}/") or key.startswith(f"{other}/") for other in written)
        else:
            written[key] = key.encode()
    assert written == {key: store.get_record(key) for key in store.list_records(f"{root}/")}
    assert written == {key: store.get_view(key) for key in store.list_views(f"{root}/")}


@examples
@given(names=st.lists(segments, max_size=6, unique=True), prefix=segments)
def test_list_finds_what_starts_with_a_prefix(store: Housekeeper, names: list[str], prefix: str) -> None:
    """A list has every key that starts with the prefix, and no other, in order."""
    root = uuid4().hex
    for name in names:
        store.put_record(f"{root}/{name}", b"{}")
    expected = sorted(f"{root}/{name}" for name in names if name.startswith(prefix))
    assert store.list_records(f"{root}/{prefix}") == expected


@examples
@given(media_type=st.from_regex(r"[a-z]{1,9}/[a-z0-9][a-z0-9.+_-]{0,40}", fullmatch=True))
def test_media_type_arrives_as_it_was_given(seaweed: S3Server, media_type: str) -> None:
    """Every media type that a blob may have is the one that a browser is told."""
    store = store_at(seaweed.endpoint, "contract")
    ref = store.put_blob(uuid4().bytes, media_type)
    bucket, _, key = store.locate_blob(ref).removeprefix("s3://").partition("/")
    assert seaweed.client().stat_object(bucket_name=bucket, object_name=key).content_type == media_type


@pytest.mark.parametrize(
    "media_type", ["", "png", "image/png\n", "a/b\r\nx-amz-acl: public-read", "a/ü", f"a/{'b' * 126}"]
)
def test_media_type_cannot_carry_anything_else(either_store: Housekeeper, tmp_path: Path, media_type: str) -> None:
    """A media type that would be a header more, or none, is refused before anything is kept."""
    (tmp_path / "source").touch()
    for put in (
        lambda: either_store.put_blob(b"data", media_type),
        lambda: either_store.put_file(tmp_path / "source", media_type),
    ):
        with pytest.raises(ValidationError):
            put()
    assert list(either_store.list_blobs()) == []


@given(sha256=st.text(max_size=70))
def test_no_digest_escapes_the_blobs(sha256: str) -> None:
    """A reference names a digest, or is none."""
    try:
        ref = BlobRef(sha256=sha256, size_bytes=0, media_type="image/png")
    except ValidationError:
        return
    assert posixpath.normpath(f"/{ref.key}") == f"/blobs/sha256/{sha256[:2]}/{sha256}"


@given(
    prefixes=st.sets(st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True) | bucket_words, min_size=2)
)
def test_stores_of_one_server_share_no_bucket(prefixes: set[str]) -> None:
    """Whatever prefixes are chosen, what one store keeps is never in a bucket of another."""
    ref = BlobRef.of(b"data", "image/png")
    stores = [open_store(f"s3://127.0.0.1:9/{prefix}?secure=0") for prefix in prefixes]
    places = [place for store in stores for place in (store.locate_blob(ref), store.locate_record("a"))]
    assert len({place.split("/")[2] for place in places}) == 2 * len(prefixes)
