"""Objects in an S3 store, MinIO first; only the modules that this one imports know minio and urllib3, too.

```
<prefix->scenes          blobs/sha256/<2>/<64>, views/<key>   versioned: the net under deletes and overwrites
<prefix->scenes-index    <key>                                not versioned: some servers drop conditions if it is
```

Servers and networks lie silently, so nothing rests on a promise that was not seen kept: uploads carry their digest,
reads are verified, a conditional put is probed before it is trusted, and an ETag is no identity.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TypeVar

from minio.commonconfig import REPLACE, CopySource
from minio.credentials.providers import Provider

from storage.access import FoundCredentials, Server, open_pool
from storage.buckets import Safeguards, create_bucket
from storage.conditions import WriteOnce
from storage.errors import ConflictError, CorruptObjectError, MissingObjectError, StoreUnavailableError
from storage.files import measure
from storage.leftovers import abort_uploads, list_kept_keys, remove_versions
from storage.listing import BucketList
from storage.locks import find_longest_lock, lock_objects
from storage.objects import (
    FRESH_FOR,
    BlobRef,
    KeptBlob,
    blob_key,
    can_be_folder,
    check_digest,
    check_key,
    check_prefix,
    is_digest,
    is_key,
)
from storage.refusals import translated
from storage.transfers import MAX_REQUEST_BYTES, fetch_object, get_object, open_object, put_bytes, put_file

Answer = TypeVar("Answer")

_BLOBS = "blobs/sha256/"
_VIEW_DIGEST = "x-amz-meta-sha256"


class S3Store:
    """A `Housekeeper` on an S3 server, whose buckets the first put creates; for threads, not for forked processes."""

    def __init__(
        self,
        endpoint: str,
        *,
        bucket_prefix: str,
        region: str,
        is_secure: bool,
        credentials: Provider | None = None,
        safeguards: Safeguards | None = None,
    ) -> None:
        """Remember a server, `host:port`; without a provider, credentials are looked for where the AWS tools look.

        Raises:
            UnknownStoreError: the endpoint or the region is none.
        """
        self._scenes = f"{bucket_prefix}-scenes" if bucket_prefix else "scenes"
        self._index = f"{self._scenes}-index"
        self._safeguards = safeguards or Safeguards()
        self._lock = Lock()
        self._ready_buckets: set[str] = set()
        self._pool = open_pool()
        self._server = Server(endpoint, region, is_secure=is_secure, credentials=FoundCredentials(credentials))
        self._client = self._server.open_client(self._pool)
        self._lists = BucketList(self._client, self._pool, self._server)
        self._records = WriteOnce(self._client, self._pool, self._index)

    def put_blob(self, data: bytes, media_type: str) -> BlobRef:
        """Keep bytes under their digest; what is there already is read, which costs less than to send it again."""
        ref = BlobRef.of(data, media_type)
        self._keep(ref, lambda: put_bytes(self._client, self._scenes, ref, data))
        return ref

    def put_file(self, path: Path, media_type: str) -> BlobRef:
        """Keep the bytes of a file; one too large for a request is sent in parts and read back."""
        ref = measure(path, media_type)
        self._keep(ref, lambda: put_file(self._client, self._scenes, ref, path))
        return ref

    def get_blob(self, ref: BlobRef) -> bytes:
        """Read bytes back, verified; if the newest version is corrupt, an older one may be whole."""
        for version_id in self._list_chances(ref):
            data = get_object(self._client, self._scenes, ref.key, version_id)
            if ref.matches(data):
                return data
        raise self._corrupt(ref)

    def fetch_blob(self, ref: BlobRef, path: Path) -> None:
        """Write a blob to a file, verified; if the newest version is corrupt, an older one may be whole."""
        for version_id in self._list_chances(ref):
            with suppress(CorruptObjectError):
                return fetch_object(self._client, self._scenes, ref, path, version_id)
        raise self._corrupt(ref)

    def has_blob(self, ref: BlobRef) -> bool:
        """Tell whether a blob of this digest and size is there, without reading it."""
        try:
            with translated(self.locate_blob(ref)):
                return self._client.stat_object(bucket_name=self._scenes, object_name=ref.key).size == ref.size_bytes
        except MissingObjectError:
            return False

    def put_record(self, key: str, data: bytes) -> None:
        """Write a record once; equal bytes already there are a success, as after a put whose answer was lost."""
        check_key(key)  # one that can be a folder is looked for as one, for not every server minds
        is_folder = can_be_folder(key) and any(self._lists.list_keys(self._index, f"{key}/"))
        if is_folder or not (
            self._put_into(self._index, lambda: self._records.put(key, data)) or self._records.holds(key, data)
        ):
            msg = f"Something else already stands at {self.locate_record(key)}: read it, or choose another key."
            raise ConflictError(msg)

    def get_record(self, key: str) -> bytes:
        """Read a record."""
        return get_object(self._client, self._index, check_key(key))

    def list_records(self, prefix: str) -> list[str]:
        """Find the keys of all records that start with a prefix, sorted."""
        return sorted(filter(is_key, self._lists.list_keys(self._index, check_prefix(prefix))))

    def put_view(self, key: str, ref: BlobRef) -> None:
        """Copy a blob to a readable name, on the server, and only once: the bucket keeps every copy as a version."""
        if self._shows(check_key(key), ref):
            return
        with translated(self.locate_blob(ref)):
            self._client.copy_object(
                bucket_name=self._scenes,
                object_name=f"views/{key}",
                source=CopySource(bucket_name=self._scenes, object_name=ref.key),
                metadata={"Content-Type": ref.media_type, _VIEW_DIGEST: ref.sha256},
                metadata_directive=REPLACE,
            )

    def get_view(self, key: str) -> bytes:
        """Read a readable copy."""
        return get_object(self._client, self._scenes, f"views/{check_key(key)}")

    def list_views(self, prefix: str) -> list[str]:
        """Find the keys of all views that start with a prefix, sorted."""
        found = self._lists.list_keys(self._scenes, f"views/{check_prefix(prefix)}")
        return sorted(filter(is_key, (key.removeprefix("views/") for key in found)))

    def remove_view(self, key: str) -> None:
        """Take a readable copy away; the bucket keeps its versions behind a delete marker."""
        with suppress(MissingObjectError), translated(self.locate_view(key)):
            self._client.remove_object(bucket_name=self._scenes, object_name=f"views/{key}")

    def list_blobs(self) -> Iterator[KeptBlob]:
        """Find all blobs, in the order of their digests, a page of the server's list at a time."""
        with suppress(MissingObjectError), translated(f"s3://{self._scenes}/{_BLOBS}"):
            for item in self._client.list_objects(bucket_name=self._scenes, prefix=_BLOBS, recursive=True):
                digest = (item.object_name or "").rpartition("/")[2]
                if is_digest(digest) and item.object_name == blob_key(digest) and item.last_modified:
                    yield KeptBlob(sha256=digest, size_bytes=item.size or 0, kept_at=item.last_modified)

    def remove_blob(self, sha256: str) -> None:
        """Take a blob away in every version that the bucket keeps; what is locked stays and can be read."""
        remove_versions(self._client, self._scenes, blob_key(check_digest(sha256)))

    def list_kept_views(self) -> list[str]:
        """Find the keys of all views, also of those that lie behind a delete marker, sorted."""
        found = list_kept_keys(self._client, self._scenes, "views/")
        return sorted(filter(is_key, (key.removeprefix("views/") for key in found)))

    def discard_view(self, key: str) -> None:
        """Take a view away in every version that the bucket keeps; what is locked stays behind a delete marker."""
        remove_versions(self._client, self._scenes, f"views/{check_key(key)}", is_hidden=True)

    def remove_record(self, key: str) -> None:
        """Take a record away, of which the bucket keeps no versions."""
        with suppress(MissingObjectError), translated(self.locate_record(key)):
            self._client.remove_object(bucket_name=self._index, object_name=key)

    def remove_unfinished(self, older_than: timedelta) -> int:
        """Take away uploads in parts that were begun so long ago and never completed, and return how many."""
        return abort_uploads(self._client, self._pool, self._lists, self._scenes, older_than)

    def lock_blobs(self, refs: Iterable[BlobRef]) -> datetime | None:
        """Keep the newest version of blobs from deletion; None if the address has no `lock_days`."""
        if not self._safeguards.lock_days:
            return None
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=self._safeguards.lock_days)
        with translated(f"s3://{self._scenes}"):
            lock_objects(self._client, self._scenes, [ref.key for ref in refs], until)
        return until

    def find_lock(self, sha256: str) -> datetime | None:
        """Return until when a version of a blob is locked."""
        key = blob_key(check_digest(sha256))
        with suppress(MissingObjectError), translated(f"s3://{self._scenes}/{key}"):
            return find_longest_lock(self._client, self._scenes, key)
        return None

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

    def _put_into(self, bucket: str, put: Callable[[], Answer]) -> Answer:
        """Put something into a bucket, which is made if it is not there yet, or was removed behind our back."""
        self._create_bucket(bucket)
        try:
            return put()
        except MissingObjectError:
            with self._lock:
                self._ready_buckets.discard(bucket)
            self._create_bucket(bucket)
            return put()

    def _create_bucket(self, bucket: str) -> None:
        """Make sure of a bucket, once per store: some servers create a missing one at a put, without versions."""
        with self._lock, translated(f"s3://{bucket}"):
            if bucket not in self._ready_buckets:
                create_bucket(self._client, bucket, self._safeguards, is_versioned=bucket == self._scenes)
                self._ready_buckets.add(bucket)

    def _keep(self, ref: BlobRef, send: Callable[[], None]) -> None:
        """Send a blob unless it is there, whole and fresh; if its answer is lost, look whether it has arrived."""
        self._create_bucket(self._scenes)
        if self._is_fresh(ref) and self._is_whole(ref):
            return
        try:
            self._put_into(self._scenes, send)
        except StoreUnavailableError:
            if not self._is_whole(ref):
                raise
        if ref.size_bytes > MAX_REQUEST_BYTES and not self._is_whole(ref):
            msg = f"What was sent to {self.locate_blob(ref)} arrived damaged: put it again."
            raise StoreUnavailableError(msg)

    def _is_fresh(self, ref: BlobRef) -> bool:
        """Tell whether a blob of this size is there and so young that housekeeping will not soon take it away."""
        try:
            with translated(self.locate_blob(ref)):
                found = self._client.stat_object(bucket_name=self._scenes, object_name=ref.key)
        except MissingObjectError:
            return False
        is_young = found.last_modified is not None and datetime.now(UTC) - found.last_modified < FRESH_FOR
        return is_young and found.size == ref.size_bytes

    def _is_whole(self, ref: BlobRef) -> bool:
        """Tell whether the newest version is what it should be, by reading it: no server's word stands for bytes."""
        try:
            with open_object(self._client, self._scenes, ref.key) as chunks:
                return ref.is_of(chunks)
        except (MissingObjectError, StoreUnavailableError):  # a server may know that its copy is damaged
            return False

    def _list_chances(self, ref: BlobRef) -> Iterator[str | None]:
        """Yield the newest version, and whoever asks on, for it is corrupt, all that the bucket keeps."""
        yield None
        with translated(self.locate_blob(ref)):
            found = self._client.list_objects(bucket_name=self._scenes, prefix=ref.key, include_version=True)
            versions = [item.version_id for item in found if item.version_id and not item.is_delete_marker]
        yield from versions

    def _corrupt(self, ref: BlobRef) -> CorruptObjectError:
        return CorruptObjectError(
            f"No version of {self.locate_blob(ref)} is what was put there: make it again and put it again."
        )

    def _shows(self, key: str, ref: BlobRef) -> bool:
        """Tell whether a view is a copy of this blob, by the digest that only a copy of ours carries."""
        try:
            with translated(self.locate_view(key)):
                view = self._client.stat_object(bucket_name=self._scenes, object_name=f"views/{key}")
        except MissingObjectError:
            return False
        return (view.metadata or {}).get(_VIEW_DIGEST) == ref.sha256 and view.content_type == ref.media_type
