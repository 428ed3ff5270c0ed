"""A network that loses, cuts and bends: never a wrong picture, never two versions of one commit, on a real server."""

from collections.abc import Callable, Generator
from uuid import uuid4

import pytest
from minio.credentials.providers import StaticProvider

from storage.errors import StorageError, StoreReadOnlyError, StoreUnavailableError
from storage.objects import BlobRef
from storage.s3 import S3Store
from tests.fault_proxy import Fault, FaultProxy, stand_before
from tests.servers import S3Server

PICTURE = bytes(range(256)) * 2_000
KEY = "versions/scene/v000001/manifest.json"
FAULTS: tuple[Fault, ...] = ("unreachable", "lose answer", "cut answer", "bend answer", "cut request", "bend request")
PERSISTENT = 100


@pytest.fixture(params=["seaweed", "ceph"])
def server(request: pytest.FixtureRequest) -> S3Server:
    """A real server of each kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def proxy(server: S3Server) -> Generator[FaultProxy]:
    """A proxy before the real server."""
    with stand_before(server.endpoint) as proxy:
        yield proxy


@pytest.fixture
def prefix() -> str:
    """Make buckets that no other test uses."""
    return f"t{uuid4().hex[:12]}"


def open_at(endpoint: str, prefix: str) -> S3Store:
    """Open a store at an endpoint, with the credentials of the real server."""
    provider = StaticProvider(S3Server.access_key, S3Server.secret_key)
    return S3Store(endpoint, bucket_prefix=prefix, region="us-east-1", is_secure=False, credentials=provider)


def attempt(what: Callable[[], object]) -> StorageError | None:
    """Return our error, or None; any other is the test's failure."""
    try:
        what()
    except StorageError as exc:
        return exc
    return None


@pytest.mark.parametrize("times", [1, PERSISTENT])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_picture_is_never_another(server: S3Server, proxy: FaultProxy, prefix: str, fault: Fault, times: int) -> None:
    """Whatever happens to its put, a picture is read back as it was, or the put or the read says that it failed."""
    near, far = open_at(server.endpoint, prefix), open_at(proxy.endpoint, prefix)
    near.put_blob(b"the buckets are there", "text/plain")
    proxy.make(fault, "PUT", "blobs/sha256", times)
    said = attempt(lambda: far.put_blob(PICTURE, "image/png"))
    assert said is None or isinstance(said, StoreUnavailableError)
    ref = BlobRef.of(PICTURE, "image/png")
    if said is None:
        assert near.get_blob(ref) == PICTURE
    proxy.make("none", "PUT", "")
    far.put_blob(PICTURE, "image/png")  # the retry of the task
    assert near.get_blob(ref) == PICTURE


@pytest.mark.parametrize("times", [1, PERSISTENT])
@pytest.mark.parametrize("fault", FAULTS[:4])
def test_a_read_is_right_or_fails(server: S3Server, proxy: FaultProxy, prefix: str, fault: Fault, times: int) -> None:
    """A body that was cut or bent on its way is never taken for the picture."""
    ref = open_at(server.endpoint, prefix).put_blob(PICTURE, "image/png")
    proxy.make(fault, "GET", "blobs/sha256", times)
    far = open_at(proxy.endpoint, prefix)
    read: list[bytes] = []
    said = attempt(lambda: read.append(far.get_blob(ref)))
    assert read == [PICTURE] or said is not None
    proxy.make("none", "GET", "")
    assert far.get_blob(ref) == PICTURE


@pytest.mark.parametrize("times", [1, PERSISTENT])
@pytest.mark.parametrize("fault", FAULTS)
def test_one_commit_is_one_version(server: S3Server, proxy: FaultProxy, prefix: str, fault: Fault, times: int) -> None:
    """A commit whose answer was lost is settled by its retry: one manifest of the right bytes, and no other."""
    near, far = open_at(server.endpoint, prefix), open_at(proxy.endpoint, prefix)
    near.put_record("somebody/else", b"{}")
    manifest = b'{"number": 1}' * 50
    proxy.make(fault, "PUT", "versions/", times)
    said = attempt(lambda: far.put_record(KEY, manifest))
    proxy.make("none", "PUT", "")
    if said is not None:
        assert attempt(lambda: far.put_record(KEY, manifest)) is None
    assert near.list_records("versions/") == [KEY]
    assert near.get_record(KEY) == manifest
    bucket = f"{prefix}-scenes-index"
    found = server.client().list_objects(bucket_name=bucket, prefix=KEY, include_version=True)
    assert len(list(found)) == 1


def test_credentials_that_were_revoked_are_told(server: S3Server, proxy: FaultProxy, prefix: str) -> None:
    """A refusal in the middle of everything is no network trouble, is not tried again, and names what to check."""
    far = open_at(proxy.endpoint, prefix)
    far.put_blob(b"before", "text/plain")
    proxy.make("refuse", "PUT", "", PERSISTENT)
    with pytest.raises(StoreReadOnlyError, match="check the credentials"):
        far.put_blob(PICTURE, "image/png")
    assert [fault for _, _, fault in proxy.seen].count("refuse") == 1
    assert open_at(server.endpoint, prefix).has_blob(BlobRef.of(b"before", "text/plain"))
