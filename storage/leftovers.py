"""What stays behind in an S3 bucket and costs space: overwritten versions, and uploads that were never completed."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from minio import Minio
from minio.datatypes import ListMultipartUploadsResult, Upload
from urllib3 import BaseHTTPResponse, PoolManager

from storage.access import Server
from storage.errors import MissingObjectError
from storage.refusals import refusal_of, translated

_PAGE = "1000"


def remove_versions(client: Minio, bucket: str, key: str) -> None:
    """Take away all that a bucket keeps under a key, delete markers included, for good."""
    with suppress(MissingObjectError), translated(f"s3://{bucket}/{key}"):
        for found in list(client.list_objects(bucket_name=bucket, prefix=key, include_version=True)):
            if found.object_name == key:
                client.remove_object(bucket_name=bucket, object_name=key, version_id=found.version_id)


def abort_uploads(client: Minio, pool: PoolManager, server: Server, bucket: str, older_than: timedelta) -> int:
    """Take away uploads in parts that were begun so long ago and never completed, and return how many."""
    latest = datetime.now(UTC) - older_than
    old = [
        (upload.object_name, upload.upload_id)
        for upload in _list_uploads(pool, server, bucket)
        if upload.upload_id and upload.initiated_time and upload.initiated_time <= latest
    ]
    for key, upload_id in old:
        url = client.get_presigned_url("DELETE", bucket, key, extra_query_params={"uploadId": upload_id})
        with suppress(MissingObjectError):  # completed or aborted meanwhile
            _send(pool, "DELETE", url, f"s3://{bucket}/{key}")
    return len(old)


def _list_uploads(pool: PoolManager, server: Server, bucket: str) -> list[Upload]:
    """Find all uploads in parts; the client has no method for it."""
    address, uploads, markers = f"s3://{bucket}", list[Upload](), dict[str, str]()
    while True:
        url = server.sign_query("GET", bucket, {"uploads": "", "max-uploads": _PAGE, **markers})
        try:
            response = _send(pool, "GET", url, address)
        except MissingObjectError:  # the bucket, before the first put
            return []
        with translated(address):
            page = ListMultipartUploadsResult(response)
        uploads += page.uploads
        if not (page.is_truncated and page.uploads):
            return uploads
        markers = {"key-marker": uploads[-1].object_name, "upload-id-marker": uploads[-1].upload_id or ""}


def _send(pool: PoolManager, method: str, url: str, address: str) -> BaseHTTPResponse:
    """Send a signed request, not repeated, for urllib3 logs the signed address of what it repeats."""
    with translated(address):
        response = pool.request(method, url, retries=False)
    if response.status not in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}:
        raise refusal_of(address, response)
    return response
