"""Lists of an S3 bucket that are read here: keys alone, of which the client reads much more, and unfinished uploads.

A bucket that is not there yet, before the first put, is empty.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from minio import Minio
from urllib3 import PoolManager

from storage.access import Server
from storage.errors import MissingObjectError, UnknownStoreError
from storage.refusals import refusal_of, translated

_UPLOAD = ("{*}Key", "{*}UploadId", "{*}Initiated")
_MARKS = {
    "continuation-token": "NextContinuationToken",
    "key-marker": "NextKeyMarker",
    "upload-id-marker": "NextUploadIdMarker",
}


class BucketList:
    """What is in the buckets of a server, a page of its list after the other; for many threads."""

    def __init__(self, client: Minio, pool: PoolManager, server: Server) -> None:
        """Remember a server; nothing is asked yet."""
        self._client, self._pool, self._server = client, pool, server

    def list_keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """Find the keys of all objects that start with a prefix, in the server's order."""
        for page in self._turn_pages(bucket, {"list-type": "2", "prefix": prefix, "encoding-type": "url"}):
            yield from (unquote_plus(key.text or "") for key in page.iterfind("{*}Contents/{*}Key"))

    def list_uploads(self, bucket: str) -> Iterator[tuple[str, str, datetime]]:
        """Find key, id and beginning of all uploads in parts that were not completed yet."""
        for page in self._turn_pages(bucket, {"uploads": ""}):
            for upload in page.iterfind("{*}Upload"):
                key, upload_id, begun = (upload.findtext(name, "") for name in _UPLOAD)
                yield key, upload_id, datetime.fromisoformat(begun)

    def _turn_pages(self, bucket: str, query: dict[str, str]) -> Iterator[ET.Element]:
        with suppress(MissingObjectError):
            page = self._ask(bucket, query)
            while page.findtext("{*}IsTruncated") == "true":
                yield page
                page = self._ask(bucket, query | _find_marks(page, f"s3://{bucket}"))
            yield page

    def _ask(self, bucket: str, query: dict[str, str]) -> ET.Element:
        """Return what the server says about a bucket."""
        address = f"s3://{bucket}/{query.get('prefix', '')}"
        with translated(address):
            url, headers = self._server.sign_query(self._client, bucket, query)
            response = self._pool.request("GET", url, headers=headers)
            if response.status != HTTPStatus.OK:
                raise refusal_of(address, response)
            page = ET.fromstring(response.data)  # noqa: S314 - as the client does
            if not page.tag.endswith("Result"):  # never take another document for an empty list
                raise ET.ParseError(page.tag)
        return page


def _find_marks(page: ET.Element, address: str) -> dict[str, str]:
    """Return where the next page begins, by whatever names the server says it: a list is never silently shorter."""
    found = {query: page.findtext(f"{{*}}{name}") for query, name in _MARKS.items()}
    marks = {query: mark for query, mark in found.items() if mark}
    if not marks:
        msg = f"The server cuts its list of {address} and does not say where it goes on: choose another server."
        raise UnknownStoreError(msg)
    return marks
