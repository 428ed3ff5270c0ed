"""Objects in an S3 store, MinIO first; only this module and `storage.access` know minio and urllib3.

```
<prefix->scenes          blobs/sha256/<2>/<64>, views/<key>   versioned: the net under deletes and overwrites
<prefix->scenes-index    <key>                                not versioned: some servers drop conditions if it is
```

Servers and networks lie silently, so nothing rests on a promise that was not seen kept: uploads carry their digest,
reads are verified, a conditional put is probed before it is trusted, and an ETag is no identity.
"""

import base64
import logging
import re
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from hashlib import md5, sha256
from http import HTTPStatus
from io import BytesIO
from threading import Lock
from xml.etree.ElementTree import ParseError

from minio.commonconfig import ENABLED, REPLACE, CopySource
from minio.credentials.providers import Provider
from minio.error import InvalidResponseError, S3Error, ServerError
from minio.versioningconfig import VersioningConfig
from urllib3.exceptions import HTTPError

from storage.access import FoundCredentials, Server, open_pool
from storage.errors import (
    ConflictError,
    CorruptObjectError,
    MissingObjectError,
    StoreUnavailableError,
    UnknownStoreError,
)
from storage.objects import BlobRef, check_key, check_prefix, is_key
from storage.refusals import ADVICE, refusal

_LOG = logging.getLogger(__name__)
_MIN_PART_BYTES = 5 * 1024 * 1024
_SIGNATURE_LIFE = timedelta(minutes=10)
_PROBE_KEY = "~conditional-put"  # no record can have this key
_RECORD_MEDIA_TYPE = "application/octet-stream"
_VIEW_DIGEST = "x-amz-meta-sha256"
_BUCKET_EXISTS = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


class S3Store:
    """A `Store` on an S3 server, whose buckets the first put creates; for many threads, not for forked processes."""

    def __init__(
        self, endpoint: str, *, bucket_prefix: str, region: str, is_secure: bool, credentials: Provider | None = None
    ) -> None:
        """Remember a server, `host:port`; without a provider, credentials are looked for where the AWS tools look.

        Raises:
            UnknownStoreError: the endpoint or the region is none.
        """
        self._scenes = f"{bucket_prefix}-scenes" if bucket_prefix else "scenes"
        self._index = f"{self._scenes}-index"
        self._lock = Lock()
        self._ready_buckets: set[str] = set()
        self._keeps_conditions: bool | None = None
        self._pool = open_pool()
        self._server = Server(endpoint, region, is_secure=is_secure, credentials=FoundCredentials(credentials))
        self._client = self._server.open_client(self._pool)

    def put_blob(self, data: bytes, media_type: str) -> BlobRef:
        """Keep bytes under their digest; an object of that digest and size is not sent again."""
        ref = BlobRef.of(data, media_type)
        self._create_bucket(self._scenes, is_versioned=True)
        if not self.has_blob(ref):
            self._put(self._scenes, ref.key, data, media_type)
        return ref

    def get_blob(self, ref: BlobRef) -> bytes:
        """Read bytes back, verified; if the newest version is corrupt, an older one may be whole."""
        data = self._get(self._scenes, ref.key)
        if ref.matches(data):
            return data
        for version_id in self._list_versions(ref.key):
            data = self._get(self._scenes, ref.key, version_id)
            if ref.matches(data):
                return data
        msg = f"No version of {self.locate_blob(ref)} is what was put there: remove it, make it again and put it again."
        raise CorruptObjectError(msg)

    def has_blob(self, ref: BlobRef) -> bool:
        """Tell whether a blob of this digest and size is there, without reading it."""
        try:
            with _translated(self.locate_blob(ref)):
                return self._client.stat_object(bucket_name=self._scenes, object_name=ref.key).size == ref.size_bytes
        except MissingObjectError:
            return False

    def put_record(self, key: str, data: bytes) -> None:
        """Write a record once; equal bytes already there are a success, as after a put whose answer was lost."""
        check_key(key)
        self._create_bucket(self._index, is_versioned=False)
        put = self._put_if_absent if self._probe_conditions() else self._put_if_missing
        is_folder = bool(self._list_keys(self._index, f"{key}/"))  # not every server refuses what no folder can keep
        if is_folder or (not put(key, data) and not self._holds(key, data)):
            msg = f"Something else already stands at {self.locate_record(key)}: read it, or choose another key."
            raise ConflictError(msg)

    def get_record(self, key: str) -> bytes:
        """Read a record."""
        return self._get(self._index, check_key(key))

    def list_records(self, prefix: str) -> list[str]:
        """Find the keys of all records that start with a prefix, sorted."""
        return self._list_keys(self._index, check_prefix(prefix))

    def put_view(self, key: str, ref: BlobRef) -> None:
        """Copy a blob to a readable name, on the server, and only once: the bucket keeps every copy as a version."""
        if self._shows(check_key(key), ref):
            return
        with _translated(self.locate_blob(ref)):
            self._client.copy_object(
                bucket_name=self._scenes,
                object_name=f"views/{key}",
                source=CopySource(bucket_name=self._scenes, object_name=ref.key),
                metadata={"Content-Type": ref.media_type, _VIEW_DIGEST: ref.sha256},
                metadata_directive=REPLACE,
            )

    def get_view(self, key: str) -> bytes:
        """Read a readable copy."""
        return self._get(self._scenes, f"views/{check_key(key)}")

    def list_views(self, prefix: str) -> list[str]:
        """Find the keys of all views that start with a prefix, sorted."""
        return self._list_keys(self._scenes, check_prefix(prefix), below="views/")

    def remove_view(self, key: str) -> None:
        """Take a readable copy away; the bucket keeps its versions behind a delete marker."""
        with suppress(MissingObjectError), _translated(self.locate_view(key)):
            self._client.remove_object(bucket_name=self._scenes, object_name=f"views/{key}")

    def list_reader_options(self) -> dict[str, str]:
        """Return how the server is reached and with whose credentials."""
        return self._server.list_reader_options()

    def locate_blob(self, ref: BlobRef) -> str:
        """Name the `s3://` address that a person can open."""
        return f"s3://{self._scenes}/{ref.key}"

    def locate_record(self, key: str) -> str:
        """Name the `s3://` address that a person can open."""
        return f"s3://{self._index}/{check_key(key)}"

    def locate_view(self, key: str) -> str:
        """Name the `s3://` address that a person can open."""
        return f"s3://{self._scenes}/views/{check_key(key)}"

    def _create_bucket(self, bucket: str, *, is_versioned: bool) -> None:
        """Make sure of a bucket, once per store: some servers create a missing one at a put, without versions."""
        with self._lock, _translated(f"s3://{bucket}"):
            if bucket in self._ready_buckets:
                return
            if not self._client.bucket_exists(bucket_name=bucket):
                self._make_bucket(bucket)
            if is_versioned and self._client.get_bucket_versioning(bucket_name=bucket).status != ENABLED:
                self._client.set_bucket_versioning(bucket_name=bucket, config=VersioningConfig(ENABLED))
            self._ready_buckets.add(bucket)

    def _make_bucket(self, bucket: str) -> None:
        try:
            self._client.make_bucket(bucket_name=bucket)
        except S3Error as exc:  # another process was faster
            if exc.code not in _BUCKET_EXISTS:
                raise

    def _put(self, bucket: str, key: str, data: bytes, media_type: str) -> None:
        """Send bytes with their digest in one request, so that no half-done multipart upload stays behind."""
        with _translated(f"s3://{bucket}/{key}"):
            self._client.put_object(
                bucket_name=bucket,
                object_name=key,
                data=BytesIO(data),
                length=len(data),
                content_type=media_type,
                metadata={"x-amz-checksum-sha256": base64.b64encode(sha256(data).digest()).decode()},
                part_size=max(len(data), _MIN_PART_BYTES),
            )

    def _get(self, bucket: str, key: str, version_id: str | None = None) -> bytes:
        with _translated(f"s3://{bucket}/{key}"):
            response = self._client.get_object(bucket_name=bucket, object_name=key, version_id=version_id)
            try:
                return response.read()
            finally:
                response.close()
                response.release_conn()

    def _holds(self, key: str, data: bytes) -> bool:
        try:
            return self._get(self._index, key) == data
        except MissingObjectError:  # some servers refuse a key that is the folder of others
            return False

    def _shows(self, key: str, ref: BlobRef) -> bool:
        """Tell whether a view is a copy of this blob, by the digest that only a copy of ours carries."""
        try:
            with _translated(self.locate_view(key)):
                view = self._client.stat_object(bucket_name=self._scenes, object_name=f"views/{key}")
        except MissingObjectError:
            return False
        return (view.metadata or {}).get(_VIEW_DIGEST) == ref.sha256 and view.content_type == ref.media_type

    def _list_keys(self, bucket: str, prefix: str, below: str = "") -> list[str]:
        try:
            with _translated(f"s3://{bucket}/{below}{prefix}"):
                found = self._client.list_objects(bucket_name=bucket, prefix=below + prefix, recursive=True)
                return sorted(key for item in found if is_key(key := (item.object_name or "").removeprefix(below)))
        except MissingObjectError:  # the bucket, before the first put
            return []

    def _list_versions(self, key: str) -> list[str]:
        with _translated(f"s3://{self._scenes}/{key}"):
            found = self._client.list_objects(bucket_name=self._scenes, prefix=key, include_version=True)
            return [item.version_id for item in found if item.version_id and not item.is_delete_marker]

    def _probe_conditions(self) -> bool:
        """Tell, once per store, whether the server refuses a conditional put of what is already there."""
        with self._lock:
            if self._keeps_conditions is None:
                answers = [self._put_conditionally(_PROBE_KEY, b"probe") for _ in range(2)]
                self._keeps_conditions = HTTPStatus.PRECONDITION_FAILED in answers
                if not self._keeps_conditions:
                    _LOG.warning(
                        "the server of s3://%s ignores If-None-Match: records are read before they are put, "
                        "so of two writers at the same moment the later wins",
                        self._index,
                    )
            return self._keeps_conditions

    def _put_if_absent(self, key: str, data: bytes) -> bool:
        """Put a record unless something is there, and tell whether it was put."""
        return self._put_conditionally(key, data) == HTTPStatus.OK

    def _put_if_missing(self, key: str, data: bytes) -> bool:
        """Do the same on a server without conditions, safe for one writer at a time."""
        try:
            self._get(self._index, key)
        except MissingObjectError:
            self._put(self._index, key, data, _RECORD_MEDIA_TYPE)
            return True
        return False

    def _put_conditionally(self, key: str, data: bytes) -> int:
        """Put a record if nothing is there, and return the answer: 200, 412, or 501 from a server that cannot.

        The client has no conditional put, so the request is signed by it and sent here: once, because a repeated one
        may be refused by its own success, and because urllib3 logs the signed address of what it repeats.
        """
        address = f"s3://{self._index}/{key}"
        headers = {
            "If-None-Match": "*",
            "Content-Type": _RECORD_MEDIA_TYPE,
            "Content-MD5": base64.b64encode(md5(data, usedforsecurity=False).digest()).decode(),
        }
        with _translated(address):
            url = self._client.presigned_put_object(bucket_name=self._index, object_name=key, expires=_SIGNATURE_LIFE)
            response = self._pool.request("PUT", url, body=data, headers=headers, retries=False)
        if response.status not in {HTTPStatus.OK, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.NOT_IMPLEMENTED}:
            code = re.search(rb"<Code>(\w+)</Code>", response.data)
            raise refusal(address, response.status, code[1].decode() if code else "")
        return response.status


@contextmanager
def _translated(address: str) -> Generator[None]:
    """Turn what minio and urllib3 raise into our errors."""
    try:
        yield
    except S3Error as exc:
        raise refusal(address, exc.response.status, exc.code or "") from exc
    except ServerError as exc:
        raise refusal(address, exc.status_code) from exc
    except InvalidResponseError as exc:
        status = re.search(r"Response code: (\d+)", str(exc))
        raise refusal(address, int(status[1]) if status else HTTPStatus.BAD_GATEWAY) from exc
    except ParseError as exc:
        msg = f"What answers for {address} is no S3 server: {ADVICE[UnknownStoreError]}."
        raise UnknownStoreError(msg) from exc
    except HTTPError as exc:
        msg = f"The server of {address} did not answer ({type(exc).__name__}): {ADVICE[StoreUnavailableError]}."
        raise StoreUnavailableError(msg) from exc
