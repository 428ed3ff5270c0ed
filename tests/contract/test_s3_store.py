"""What the S3 store does when a server forgets, loses, refuses, or is none."""

import traceback
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from minio.commonconfig import ENABLED

from storage.errors import (
    ConflictError,
    MissingObjectError,
    StorageError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
    UnknownStoreError,
)
from storage.objects import BlobRef
from storage.opening import open_store
from tests.s3_stubs import Stub, always, forgetful, losing, serve, store_at
from tests.servers import S3Server

LOST_KEY = "lost-answer"


def test_blobs_are_versioned_and_records_are_not(s3_server: S3Server, prefix: str) -> None:
    """The first put sets up both buckets, also where one was made without versions, and lists only what was put."""
    client = s3_server.client()
    client.make_bucket(bucket_name=f"{prefix}-scenes")
    store = store_at(s3_server.endpoint, prefix)
    store.put_blob(b"data", "image/png")
    store.put_record("runs/1", b"{}")
    assert store.list_records("") == ["runs/1"]
    assert client.get_bucket_versioning(bucket_name=f"{prefix}-scenes").status == ENABLED
    assert client.get_bucket_versioning(bucket_name=f"{prefix}-scenes-index").status != ENABLED


def test_reading_creates_nothing(s3_server: S3Server, prefix: str) -> None:
    """Before the first put there is nothing, and reading leaves it so."""
    store = store_at(s3_server.endpoint, prefix)
    assert store.list_records("") == []
    assert not store.has_blob(BlobRef.of(b"data", "image/png"))
    with pytest.raises(MissingObjectError):
        store.get_record("runs/1")
    assert not s3_server.client().bucket_exists(bucket_name=f"{prefix}-scenes-index")


def test_long_list_is_whole(seaweed: S3Server, prefix: str) -> None:
    """A list that the server gives in pages of a thousand has every key, in order."""
    store = store_at(seaweed.endpoint, prefix)
    keys = [f"runs/{number:04d}" for number in range(1001)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: store.put_record(key, b"{}"), keys))
    assert store.list_records("") == keys


def test_list_that_is_cut_is_not_taken_for_whole() -> None:
    """A server that stops in the middle and does not say where to go on is none that can be used."""
    data = b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"
    with (
        serve(always(200, "application/xml", data)) as endpoint,
        pytest.raises(UnknownStoreError, match="cuts its list"),
    ):
        store_at(endpoint, "a").list_records("")


def test_older_version_mends_a_corrupt_blob(s3_server: S3Server, prefix: str) -> None:
    """A blob that someone overwrote is read from the version before."""
    store = store_at(s3_server.endpoint, prefix)
    ref = store.put_blob(b"data", "image/png")
    s3_server.client().put_object(bucket_name=f"{prefix}-scenes", object_name=ref.key, data=BytesIO(b"dat`"), length=4)
    assert store.get_blob(ref) == b"data"


def test_media_type_reaches_the_browser(s3_server: S3Server, prefix: str) -> None:
    """A blob opens as what it was first put as, a view as what its reference says."""
    store = store_at(s3_server.endpoint, prefix)
    ref = store.put_blob(b"data", "image/png")
    store.put_view("a.txt", BlobRef.of(b"data", "text/plain"))
    for key, media_type in ((ref.key, "image/png"), ("views/a.txt", "text/plain")):
        assert (
            s3_server.client().stat_object(bucket_name=f"{prefix}-scenes", object_name=key).content_type == media_type
        )


def test_view_is_copied_once(s3_server: S3Server, prefix: str) -> None:
    """A view that is put again is no new version in the bucket, which keeps them all; another blob is one."""
    store = store_at(s3_server.endpoint, prefix)

    def count_versions() -> int:
        found = s3_server.client().list_objects(
            bucket_name=f"{prefix}-scenes", prefix="views/a.txt", include_version=True
        )
        return len(list(found))

    for data, num_versions in ((b"data", 1), (b"data", 1), (b"atad", 2)):
        store.put_view("a.txt", store.put_blob(data, "text/plain"))
        assert count_versions() == num_versions


def test_server_that_ignores_conditions_is_found_out(
    seaweed: S3Server, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without conditional puts a record still is not overwritten, and one warning says what is weaker."""
    with serve(forgetful(seaweed.endpoint)) as endpoint:
        store = store_at(endpoint, prefix)
        store.put_record("runs/1", b"{}")
        store.put_record("runs/1", b"{}")
        with pytest.raises(ConflictError):
            store.put_record("runs/1", b"[]")
        assert store.get_record("runs/1") == b"{}"
    assert [record.levelname for record in caplog.records if record.name == "storage.conditions"] == ["WARNING"]


def test_lost_answer_is_settled_by_the_retry(seaweed: S3Server, prefix: str, caplog: pytest.LogCaptureFixture) -> None:
    """A put that won and whose answer was lost is transient, then a success; no signature is logged or raised."""
    with serve(losing(seaweed.endpoint, "PUT", LOST_KEY)) as endpoint:
        with pytest.raises(StoreUnavailableError) as caught:
            store_at(endpoint, prefix).put_record(LOST_KEY, b"{}")
        store_at(seaweed.endpoint, prefix).put_record(LOST_KEY, b"{}")
    assert "Signature" not in caplog.text + "".join(traceback.format_exception(caught.value))


def test_wrong_secret_is_told(s3_server: S3Server, prefix: str) -> None:
    """Wrong credentials are no transient fault, and are not repeated."""
    store = store_at(s3_server.endpoint, prefix, secret_key="wrong-secret")  # noqa: S106
    with pytest.raises(StoreReadOnlyError) as caught:
        store.put_blob(b"data", "image/png")
    with pytest.raises(StoreReadOnlyError, match="SignatureDoesNotMatch"):
        store.list_records("")
    assert "wrong-secret" not in "".join(traceback.format_exception(caught.value))


def test_no_credentials_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no credentials are found, the message names the variables to set."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "MINIO_ACCESS_KEY", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreReadOnlyError, match="AWS_SECRET_ACCESS_KEY"):
        open_store("s3://127.0.0.1:9").list_records("")


def test_nobody_there_is_transient() -> None:
    """A refused connection is told within seconds."""
    with serve(Stub) as endpoint:
        pass
    with pytest.raises(StoreUnavailableError, match="s3://none-scenes"):
        store_at(endpoint, "none").put_blob(b"data", "image/png")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (301, "PermanentRedirect", UnknownStoreError),
        (400, "AuthorizationHeaderMalformed", UnknownStoreError),
        (400, "BadDigest", StoreUnavailableError),
        (403, "AccessDenied", StoreReadOnlyError),
        (403, "QuotaExceeded", StoreFullError),
        (404, "NoSuchKey", MissingObjectError),
        (409, "ConditionalRequestConflict", StoreUnavailableError),
        (503, "SlowDown", StoreUnavailableError),
        (507, "XMinioStorageFull", StoreFullError),
    ],
)
def test_refusal_of_the_server_is_ours(status: int, code: str, kind: type[StorageError]) -> None:
    """Every refusal is one of our errors and names the object and the server's word for it."""
    data = f"<Error><Code>{code}</Code></Error>".encode()
    with (
        serve(always(status, "application/xml", data)) as endpoint,
        pytest.raises(kind, match=f"s3://a-scenes-index/runs/1 .{status} {code}"),
    ):
        store_at(endpoint, "a").get_record("runs/1")


@pytest.mark.parametrize(
    ("status", "kind"), [(200, UnknownStoreError), (400, UnknownStoreError), (502, StoreUnavailableError)]
)
def test_web_server_is_no_store(status: int, kind: type[StorageError]) -> None:
    """What answers with a web page is no store."""
    with serve(always(status, "text/html", b"<html><p>hello")) as endpoint, pytest.raises(kind):
        store_at(endpoint, "a").list_records("")
