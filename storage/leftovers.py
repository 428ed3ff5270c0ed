"""What stays behind in an S3 bucket and costs space: overwritten versions, and uploads that were never completed."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from minio import Minio
from urllib3 import PoolManager

from storage.errors import MissingObjectError
from storage.listing import BucketList
from storage.refusals import refusal_of, translated


def remove_versions(client: Minio, bucket: str, key: str) -> None:
    """Take away all that a bucket keeps under a key, delete markers included, for good."""
    with suppress(MissingObjectError), translated(f"s3://{bucket}/{key}"):
        for found in list(client.list_objects(bucket_name=bucket, prefix=key, include_version=True)):
            if found.object_name == key:
                client.remove_object(bucket_name=bucket, object_name=key, version_id=found.version_id)


def abort_uploads(client: Minio, pool: PoolManager, lists: BucketList, bucket: str, older_than: timedelta) -> int:
    """Take away uploads in parts that were begun so long ago and never completed, and return how many."""
    latest = datetime.now(UTC) - older_than
    old = [(key, upload_id) for key, upload_id, begun in lists.list_uploads(bucket) if begun <= latest]
    for key, upload_id in old:
        _abort_upload(client, pool, bucket, key, upload_id)
    return len(old)


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
