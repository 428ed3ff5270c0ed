"""What the S3 store does with bytes when answers are lost, parts are damaged, and what is there is old or corrupt."""

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest

from storage.errors import StoreReadOnlyError, StoreUnavailableError, UnknownStoreError, UnreadableFileError
from storage.objects import FRESH_FOR, BlobRef
from tests.backends import flip_bit
from tests.s3_stubs import aging, always, losing, meddling, refusing, serve, store_at
from tests.servers import S3Server

IN_PARTS = bytes(65 * 1024 * 1024)
REF = BlobRef.of(b"data", "image/png")


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    """Write a file that goes in parts."""
    path = tmp_path / "large"
    path.write_bytes(IN_PARTS)
    return path


@pytest.fixture
def count_versions(seaweed: S3Server, prefix: str) -> Callable[[str], int]:
    """Count what the bucket keeps under a key."""

    def count(key: str) -> int:
        bucket = f"{prefix}-scenes"
        return len(list(seaweed.client().list_objects(bucket_name=bucket, prefix=key, include_version=True)))

    return count


def overwrite(seaweed: S3Server, prefix: str, key: str, data: bytes) -> None:
    """Put other bytes under a key, as another program may."""
    seaweed.client().put_object(bucket_name=f"{prefix}-scenes", object_name=key, data=BytesIO(data), length=len(data))


def test_blob_is_sent_again_only_if_it_is_corrupt(
    seaweed: S3Server, prefix: str, count_versions: Callable[[str], int]
) -> None:
    """A whole blob that is put again is no new version in the bucket; a corrupt one of its size is mended by one."""
    store = store_at(seaweed.endpoint, prefix)
    for _ in range(2):
        store.put_blob(b"data", "image/png")
    assert count_versions(REF.key) == 1
    overwrite(seaweed, prefix, REF.key, b"dat`")
    for _ in range(2):
        store.put_blob(b"data", "image/png")
    assert count_versions(REF.key) == 3


def test_old_blob_that_is_put_again_is_new(
    seaweed: S3Server, prefix: str, count_versions: Callable[[str], int]
) -> None:
    """So housekeeping does not take away, as long unused, what a run has just put; a young one is left as it is."""
    store_at(seaweed.endpoint, prefix).put_blob(b"data", "image/png")
    for age, num_versions in ((FRESH_FOR / 2, 1), (FRESH_FOR * 2, 2)):
        with serve(aging(seaweed.endpoint, age)) as endpoint:
            store_at(endpoint, prefix).put_blob(b"data", "image/png")
        assert count_versions(REF.key) == num_versions


def test_blob_that_the_server_cannot_read_is_sent_again(
    seaweed: S3Server, prefix: str, count_versions: Callable[[str], int]
) -> None:
    """A blob of the right size whose bytes a server has lost is mended by putting it again."""
    store_at(seaweed.endpoint, prefix).put_blob(b"data", "image/png")
    with serve(refusing(seaweed.endpoint, lambda method, path: method == "GET" and REF.key in path)) as endpoint:
        store_at(endpoint, prefix).put_blob(b"data", "image/png")
    assert count_versions(REF.key) == 2


def test_lost_answer_to_a_blob_is_no_second_version(
    seaweed: S3Server, prefix: str, count_versions: Callable[[str], int]
) -> None:
    """A put that arrived and whose answer was lost is found, not repeated."""
    with serve(losing(seaweed.endpoint, "PUT", REF.key)) as endpoint:
        assert store_at(endpoint, prefix).put_blob(b"data", "image/png") == REF
    assert count_versions(REF.key) == 1


def test_lost_answer_to_parts_is_settled(
    seaweed: S3Server, prefix: str, large_file: Path, count_versions: Callable[[str], int]
) -> None:
    """Parts that were put together, and nobody was told, are a success."""
    with serve(losing(seaweed.endpoint, "POST", "uploadId=")) as endpoint:
        ref = store_at(endpoint, prefix).put_file(large_file, "image/png")
    assert store_at(seaweed.endpoint, prefix).get_blob(ref) == IN_PARTS
    assert count_versions(ref.key) == 1


def test_older_version_mends_a_corrupt_file(seaweed: S3Server, prefix: str, tmp_path: Path) -> None:
    """A blob that someone overwrote is fetched from the version before."""
    store = store_at(seaweed.endpoint, prefix)
    store.put_blob(b"data", "image/png")
    overwrite(seaweed, prefix, REF.key, b"dat`")
    store.fetch_blob(REF, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"data"


def test_damage_on_the_way_is_told(seaweed: S3Server, prefix: str, large_file: Path) -> None:
    """Bytes that arrive as others, in one request or in parts, are no success, and putting them again is one."""
    store = store_at(seaweed.endpoint, prefix)
    store.put_blob(b"before", "image/png")
    with serve(meddling(seaweed.endpoint, lambda _, body: flip_bit(body) if body else body)) as endpoint:
        with pytest.raises(StoreUnavailableError):
            store_at(endpoint, prefix).put_blob(b"data", "image/png")
        with pytest.raises(StoreUnavailableError, match="arrived damaged"):
            store_at(endpoint, prefix).put_file(large_file, "image/png")
    assert not store.has_blob(REF)
    assert store.get_blob(store.put_file(large_file, "image/png")) == IN_PARTS


def test_file_that_changes_between_parts_is_noticed(seaweed: S3Server, prefix: str, large_file: Path) -> None:
    """A file that is written to while its parts are sent is not kept, and nothing half done stays."""

    def write_to_file(path: str, body: bytes) -> bytes:
        if "partNumber=1&" in path:
            with large_file.open("r+b") as file:
                file.seek(-1, 2)
                file.write(b"!")
        return body

    with (
        serve(meddling(seaweed.endpoint, write_to_file)) as endpoint,
        pytest.raises(UnreadableFileError, match="changed while it was read"),
    ):
        store_at(endpoint, prefix).put_file(large_file, "image/png")
    store = store_at(seaweed.endpoint, prefix)
    assert list(store.list_blobs()) == []
    assert store.remove_unfinished(timedelta(0)) == 0


def test_uploads_left_half_done_are_removed(seaweed: S3Server, prefix: str, large_file: Path) -> None:
    """Parts that were neither put together nor given up are taken away when they are old enough."""
    store = store_at(seaweed.endpoint, prefix)
    assert store.remove_unfinished(timedelta(0)) == 0
    with serve(refusing(seaweed.endpoint, lambda method, path: method != "PUT" and "uploadId=" in path)) as endpoint:
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                store_at(endpoint, prefix).put_file(large_file, "image/png")
    assert store.remove_unfinished(timedelta(hours=1)) == 0
    assert store.remove_unfinished(timedelta(0)) == 2
    assert store.remove_unfinished(timedelta(0)) == 0


def test_removed_blob_leaves_nothing_behind(
    seaweed: S3Server, prefix: str, count_versions: Callable[[str], int]
) -> None:
    """All versions and delete markers of a blob go, and nothing of another."""
    store = store_at(seaweed.endpoint, prefix)
    other = store.put_blob(b"other", "image/png")
    store.put_blob(b"data", "image/png")
    overwrite(seaweed, prefix, REF.key, b"dat`")
    seaweed.client().remove_object(bucket_name=f"{prefix}-scenes", object_name=REF.key)
    assert count_versions(REF.key) == 3
    store.remove_blob(REF.sha256)
    assert count_versions(REF.key) == 0
    assert store.get_blob(other) == b"other"


@pytest.mark.parametrize(
    ("status", "media_type", "data", "kind"),
    [
        (403, "application/xml", b"<Error><Code>AccessDenied</Code></Error>", StoreReadOnlyError),
        (503, "application/xml", b"<Error><Code>SlowDown</Code></Error>", StoreUnavailableError),
        (200, "text/html", b"<html><p>hello", UnknownStoreError),
        (200, "application/xml", b"<html><p>hello</p></html>", UnknownStoreError),
    ],
)
def test_refusal_of_housekeeping_is_ours(status: int, media_type: str, data: bytes, kind: type[Exception]) -> None:
    """What a server says to a housekeeper without the right is one of our errors."""
    with serve(always(status, media_type, data)) as endpoint:
        store = store_at(endpoint, "a")
        for act in (lambda: store.remove_unfinished(timedelta(0)), lambda: store.list_records("")):
            with pytest.raises(kind, match="a-scenes"):
                act()
