"""What stays behind in an S3 bucket and costs space: versions that are not shown any more, and broken-off uploads."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from minio import Minio
from minio.datatypes import Object
from minio.error import S3Error
from urllib3 import PoolManager

from storage.errors import LockedObjectError, MissingObjectError
from storage.listing import BucketList
from storage.locks import find_lock
from storage.refusals import refusal_of, translated


def remove_versions(client: Minio, bucket: str, key: str, *, is_hidden: bool = False) -> None:
    """Take away all that a bucket keeps under a key, delete markers included, for good.

    The oldest version goes first, so that what is broken off halfway is still listed and is found again. What is locked
    stays and can be read, or with `is_hidden` lies behind a delete marker.

    Raises:
        LockedObjectError: a version is locked; the others are gone.
    """
    until, found = None, list[Object]()
    with suppress(MissingObjectError), translated(f"s3://{bucket}/{key}"):
        found = [each for each in _list_versions(client, bucket, key) if each.object_name == key]
        until = max(filter(None, (_remove_version(client, each) for each in reversed(found))), default=None)
        markers = [each for each in found if each.is_delete_marker]
        if not (until and is_hidden):
            _remove_markers(client, markers)
        elif not any(each.is_latest == "true" for each in markers):
            client.remove_object(bucket_name=bucket, object_name=key)
    if until:
        msg = f"s3://{bucket}/{key} is locked until {until:%Y-%m-%d %H:%M} UTC: it can be taken away after that."
        raise LockedObjectError(msg)


def list_kept_keys(client: Minio, bucket: str, prefix: str) -> set[str]:
    """Find all keys that start with a prefix and under which a bucket keeps anything, be it behind a delete marker."""
    with suppress(MissingObjectError), translated(f"s3://{bucket}/{prefix}"):
        found = client.list_objects(bucket_name=bucket, prefix=prefix, recursive=True, include_version=True)
        return {each.object_name or "" for each in found}
    return set()


def abort_uploads(client: Minio, pool: PoolManager, lists: BucketList, bucket: str, older_than: timedelta) -> int:
    """Take away uploads in parts that were begun so long ago and never completed, and return how many."""
    latest = datetime.now(UTC) - older_than
    old = [(key, upload_id) for key, upload_id, begun in lists.list_uploads(bucket) if begun <= latest]
    for key, upload_id in old:
        _abort_upload(client, pool, bucket, key, upload_id)
    return len(old)


def _list_versions(client: Minio, bucket: str, key: str) -> Iterable[Object]:
    return client.list_objects(bucket_name=bucket, prefix=key, include_version=True)


def _remove_version(client: Minio, version: Object) -> datetime | None:
    """Take a version away, or return until when it is locked; servers say of a lock only that it is not allowed."""
    if version.is_delete_marker:
        return None
    bucket, key = version.bucket_name, version.object_name or ""
    try:
        client.remove_object(bucket_name=bucket, object_name=key, version_id=version.version_id)
    except S3Error:
        until = find_lock(client, bucket, key, version.version_id)
        if until is None:
            raise
        return until
    return None


def _remove_markers(client: Minio, markers: Iterable[Object]) -> None:
    for each in markers:
        client.remove_object(
            bucket_name=each.bucket_name, object_name=each.object_name or "", version_id=each.version_id
        )


def _abort_upload(client: Minio, pool: PoolManager, bucket: str, key: str, upload_id: str) -> None:
    """Take an upload away, unless it was completed meanwhile.

    It is asked once, for urllib3 logs the signed address of what it repeats.
    """
    address = f"s3://{bucket}/{key}"
    with translated(address):
        url = client.get_presigned_url("DELETE", bucket, key, extra_query_params={"uploadId": upload_id})
        response = pool.request("DELETE", url, retries=False)
    if response.status not in {HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND}:
        raise refusal_of(address, response)
