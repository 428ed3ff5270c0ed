"""Who may do what: the policies that are shipped, under which one user can render, and only another can take away."""

from datetime import timedelta
from pathlib import Path

import pytest
from minio.credentials.providers import StaticProvider
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.versioningconfig import SUSPENDED, VersioningConfig

from storage.doctor import examine_store
from storage.errors import StoreReadOnlyError
from storage.s3 import S3Store
from tests.servers import S3Server


def open_as(server: S3Server, prefix: str) -> S3Store:
    """Open a store with the credentials of a server's user."""
    provider = StaticProvider(server.access_key, server.secret_key)
    return S3Store(server.endpoint, bucket_prefix=prefix, region="us-east-1", is_secure=False, credentials=provider)


@pytest.fixture
def owned(s3_server: S3Server, prefix: str) -> S3Store:
    """Have the buckets made by their owner, with something in them."""
    store = open_as(s3_server, prefix)
    store.put_view("a/1.txt", store.put_blob(b"data", "text/plain"))
    store.put_record("a", b"{}")
    return store


def test_renderer_adds_and_takes_nothing_away(s3_server: S3Server, prefix: str, owned: S3Store, tmp_path: Path) -> None:
    """What a render does is allowed; deleting anything, in any way, or changing a bucket is refused."""
    user = s3_server.as_role("renderer", prefix)
    store = open_as(user, prefix)
    ref = store.put_blob(b"more", "text/plain")
    store.put_record("b", b"{}")
    store.put_view("a/2.txt", ref)
    store.fetch_blob(ref, tmp_path / "more")
    assert store.get_blob(ref) == b"more"
    assert store.list_records("") == ["a", "b"]
    assert store.list_views("") == ["a/1.txt", "a/2.txt"]
    for take_away in (
        lambda: store.remove_view("a/1.txt"),
        lambda: store.remove_record("a"),
        lambda: store.remove_blob(ref.sha256),
    ):
        with pytest.raises(StoreReadOnlyError, match="403"):
            take_away()
    assert owned.get_view("a/1.txt") == b"data"
    _assert_buckets_are_fixed(user, f"{prefix}-scenes", ref.key)
    reader = open_as(s3_server.as_role("reader", prefix), prefix)  # on Ceph the owner of a bucket may not read this
    assert reader.get_blob(ref) == b"more"


def _assert_buckets_are_fixed(user: S3Server, bucket: str, key: str) -> None:
    client = user.client()
    version_id = client.stat_object(bucket_name=bucket, object_name=key).version_id
    for change in (
        lambda: client.remove_object(bucket_name=bucket, object_name=key, version_id=version_id),
        lambda: client.set_bucket_versioning(bucket_name=bucket, config=VersioningConfig(SUSPENDED)),
        lambda: client.delete_bucket_lifecycle(bucket_name=bucket),
        lambda: client.set_bucket_policy(bucket_name=bucket, policy='{"Version": "2012-10-17", "Statement": []}'),
        lambda: client.remove_bucket(bucket_name=bucket),
    ):
        with pytest.raises(S3Error, match="AccessDenied"):
            change()
    try:
        refused = list(client.remove_objects(bucket_name=bucket, delete_object_list=[DeleteObject(key, version_id)]))
    except S3Error as exc:
        assert exc.code == "AccessDenied"  # noqa: PT017 - one server refuses the request, the other each object
    else:
        assert [error.code for error in refused] == ["AccessDenied"]


@pytest.mark.usefixtures("owned")
def test_renderer_may_ask_what_a_flow_asks(s3_server: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick look needs no right beyond those of a render, and leaves nothing; the long one says what it left."""
    user = s3_server.as_role("renderer", prefix)
    for name, value in user.environment.items():
        monkeypatch.setenv(name, value)
    assert {finding.outcome for finding in examine_store(user.url(prefix), is_quick=True)} == {"ok"}
    left = s3_server.client().list_objects(bucket_name=f"{prefix}-scenes-index", prefix="~doctor", recursive=True)
    assert list(left) == []


def test_reader_reads(s3_server: S3Server, prefix: str, owned: S3Store) -> None:
    """A reader finds and reads everything, and writes nothing."""
    store = open_as(s3_server.as_role("reader", prefix), prefix)
    assert store.get_view("a/1.txt") == b"data"
    assert store.list_records("") == ["a"]
    assert [blob.size_bytes for blob in store.list_blobs()] == [4]
    for write in (
        lambda: store.put_blob(b"more", "text/plain"),
        lambda: store.put_record("b", b"{}"),
        lambda: store.put_record("a", b"[]"),
        lambda: store.remove_view("a/1.txt"),
    ):
        with pytest.raises(StoreReadOnlyError, match="403"):
            write()
    assert owned.list_records("") == ["a"]


def test_housekeeper_takes_away(s3_server: S3Server, prefix: str, owned: S3Store) -> None:
    """Housekeeping removes blobs for good, records, views and unfinished uploads, and changes no bucket."""
    user = s3_server.as_role("housekeeper", prefix)
    store = open_as(user, prefix)
    ref = store.put_blob(b"more", "text/plain")
    _assert_is_owners(user, f"{prefix}-scenes")
    store.remove_blob(ref.sha256)
    store.remove_record("a")
    store.remove_view("a/1.txt")
    store.remove_unfinished(timedelta(days=1))
    assert not owned.has_blob(ref)
    assert owned.list_records("") == owned.list_views("") == []


def _assert_is_owners(user: S3Server, bucket: str) -> None:
    with pytest.raises(S3Error, match="AccessDenied"):
        user.client().set_bucket_versioning(bucket_name=bucket, config=VersioningConfig(SUSPENDED))
