"""Records that are written once in an S3 bucket: a conditional put, probed before it is trusted.

The client has no conditional put, so the request is signed by it and sent here.
"""

import base64
import logging
from datetime import timedelta
from hashlib import md5
from http import HTTPStatus
from threading import Lock

from minio import Minio
from urllib3 import PoolManager

from storage.errors import MissingObjectError
from storage.objects import BlobRef
from storage.refusals import refusal_of, translated
from storage.transfers import get_object, put_object

_RECORD_MEDIA_TYPE = "application/octet-stream"

_LOG = logging.getLogger(__name__)
_SIGNATURE_LIFE = timedelta(minutes=10)
_PROBE_KEY = "~conditional-put"  # no record can have this key


class WriteOnce:
    """Puts into one bucket that never overwrite, as far as its server can tell; for many threads."""

    def __init__(self, client: Minio, pool: PoolManager, bucket: str) -> None:
        """Remember a bucket; nothing is asked yet."""
        self._client, self._pool, self._bucket = client, pool, bucket
        self._lock = Lock()
        self._keeps_conditions: bool | None = None

    def put(self, key: str, data: bytes) -> bool:
        """Put a record unless something is there, and tell whether it was put."""
        if self._probe_conditions():
            return self._put_conditionally(key, data) == HTTPStatus.OK
        return self._put_if_missing(key, data)

    def holds(self, key: str, data: bytes) -> bool:
        """Tell whether exactly these bytes stand there, as after a put whose answer was lost."""
        try:
            return get_object(self._client, self._bucket, key) == data
        except MissingObjectError:  # some servers refuse a key that is the folder of others
            return False

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
                        self._bucket,
                    )
            return self._keeps_conditions

    def _put_if_missing(self, key: str, data: bytes) -> bool:
        """Do the same on a server without conditions, safe for one writer at a time."""
        try:
            get_object(self._client, self._bucket, key)
        except MissingObjectError:
            put_object(self._client, self._bucket, key, data, BlobRef.of(data, _RECORD_MEDIA_TYPE))
            return True
        return False

    def _put_conditionally(self, key: str, data: bytes) -> int:
        """Put a record if nothing is there, and return the answer: 200, 412, or 501 from a server that cannot.

        It is sent once, because a repeated one may be refused by its own success, and because urllib3 logs the signed
        address of what it repeats.
        """
        address = f"s3://{self._bucket}/{key}"
        headers = {
            "If-None-Match": "*",
            "Content-Type": _RECORD_MEDIA_TYPE,
            "Content-MD5": base64.b64encode(md5(data, usedforsecurity=False).digest()).decode(),
        }
        with translated(address):
            url = self._client.presigned_put_object(bucket_name=self._bucket, object_name=key, expires=_SIGNATURE_LIFE)
            response = self._pool.request("PUT", url, body=data, headers=headers, retries=False)
        if response.status not in {HTTPStatus.OK, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.NOT_IMPLEMENTED}:
            raise refusal_of(address, response)
        return response.status
