"""What questions to an S3 server have at hand: a client, what the client cannot send, and a place to put things."""

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from io import BytesIO
from threading import Barrier
from urllib.parse import urlsplit

from minio import Minio
from minio.signer import sign_v4_s3
from urllib3 import BaseHTTPResponse, PoolManager

from storage.access import Server
from storage.buckets import S3Address


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A server, and the folder of a doctor's visit in both buckets."""

    address: S3Address
    server: Server
    pool: PoolManager
    client: Minio
    folder: str

    def key(self, name: str) -> str:
        """Return a key that no record, blob or view can have."""
        return f"{self.folder}/{name}"

    def put(self, name: str, data: bytes, bucket: str | None = None) -> str:
        """Put an object, and return its key."""
        key = self.key(name)
        self.client.put_object(
            bucket_name=bucket or self.address.scenes, object_name=key, data=BytesIO(data), length=len(data)
        )
        return key

    def get(self, key: str, bucket: str | None = None, version_id: str | None = None) -> bytes:
        """Read an object, or one version of it."""
        with self.client.get_object(
            bucket_name=bucket or self.address.scenes, object_name=key, version_id=version_id
        ) as response:
            return response.read()

    def list_versions(self, key: str, bucket: str | None = None) -> list[tuple[str, str | None, bool]]:
        """Find key, version and whether it is a delete marker of all that starts like this, the newest first."""
        found = self.client.list_objects(
            bucket_name=bucket or self.address.scenes, prefix=key, recursive=True, include_version=True
        )
        return [(item.object_name or "", item.version_id, item.is_delete_marker) for item in found]

    def send(self, bucket: str, key: str, data: bytes, headers: dict[str, str], signed: bytes) -> BaseHTTPResponse:
        """Put `data` with headers, signed as if it were the bytes `signed`."""
        url = urlsplit(f"{'https' if self.address.is_secure else 'http'}://{self.address.endpoint}/{bucket}/{key}")
        digest, now = sha256(signed).hexdigest(), datetime.now(UTC)
        found = self.server.credentials.retrieve()
        token = {"x-amz-security-token": found.session_token} if found.session_token else {}
        signed_headers = sign_v4_s3(
            method="PUT",
            url=url,
            region=self.address.region,
            headers={
                "Host": url.netloc,
                "x-amz-content-sha256": digest,
                "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
                **token,
                **headers,
            },
            credentials=found,
            content_sha256=digest,
            date=now,
        )
        sent = {name: str(value) for name, value in signed_headers.items()}
        return self.pool.request("PUT", url.geturl(), body=data, headers=sent, retries=False)

    def put_if_absent(self, bucket: str, key: str, data: bytes) -> int:
        """Put an object unless one is there, and return the status."""
        return self.send(bucket, key, data, {"If-None-Match": "*"}, data).status

    def race(self, bucket: str, key: str, num_racers: int) -> list[int]:
        """Have many put different bytes in the same moment if nothing is there, and return who was told to have won."""
        start = Barrier(num_racers)

        def run(number: int) -> int:
            start.wait()
            return self.put_if_absent(bucket, key, b"%d" % number)

        with ThreadPoolExecutor(num_racers) as pool:
            return [number for number, status in enumerate(pool.map(run, range(num_racers))) if status == HTTPStatus.OK]

    def put_damaged(self, name: str, *, by_header: bool) -> BaseHTTPResponse:
        """Put bytes that are not those of their digest, said in a header or by the signature."""
        promised, sent = b"promised", b"damaged!"
        header = {"x-amz-checksum-sha256": base64.b64encode(sha256(promised).digest()).decode()}
        return self.send(
            self.address.index, self.key(name), sent, header if by_header else {}, sent if by_header else promised
        )

    def remove_all(self) -> int:
        """Take away all versions of all that was put, and return how many."""
        found = [(self.address.index, key, None) for key in self._list_index()]
        found += [
            (self.address.scenes, key, version_id) for key, version_id, _ in self.list_versions(f"{self.folder}/")
        ]
        for bucket, key, version_id in found:
            self.client.remove_object(bucket_name=bucket, object_name=key, version_id=version_id)
        return len(found)

    def _list_index(self) -> list[str]:
        found = self.client.list_objects(bucket_name=self.address.index, prefix=f"{self.folder}/", recursive=True)
        return [item.object_name or "" for item in found]
