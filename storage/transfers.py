"""Bytes to and from an S3 server, in memory or by the file; everything that is sent is verified on the way or after it.

Up to `MAX_REQUEST_BYTES` go in one request with their digest, so that no half-done upload stays behind; more goes in
parts, which no server verifies as a whole: whoever sends parts reads them back.
"""

import base64
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from minio import Minio

from storage.errors import CorruptObjectError
from storage.files import CHUNK_BYTES, MeasuredFile, pass_on, place_file
from storage.files import translated as disk_translated
from storage.objects import BlobRef
from storage.refusals import translated

MAX_REQUEST_BYTES = 64 * 1024 * 1024

_MIN_PART_BYTES = 5 * 1024 * 1024
_PART_BYTES = 16 * 1024 * 1024
_MAX_PARTS = 10_000


def put_bytes(client: Minio, bucket: str, ref: BlobRef, data: bytes) -> None:
    """Send the bytes of a blob with their digest in one request."""
    put_object(client, bucket, ref.key, data, ref)


def put_object(client: Minio, bucket: str, key: str, data: bytes, ref: BlobRef) -> None:
    """Send bytes under any key, with the digest and the media type that their reference says."""
    with translated(f"s3://{bucket}/{key}"):
        client.put_object(
            bucket_name=bucket,
            object_name=key,
            data=BytesIO(data),
            length=len(data),
            content_type=ref.media_type,
            metadata={"x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(ref.sha256)).decode()},
            part_size=max(len(data), _MIN_PART_BYTES),
        )


def put_file(client: Minio, bucket: str, ref: BlobRef, path: Path) -> None:
    """Send the bytes of a file that was measured.

    Raises:
        UnreadableFileError: it is another one by now; nothing is kept.
    """
    with MeasuredFile(path, ref) as file:
        if ref.size_bytes <= MAX_REQUEST_BYTES:
            put_bytes(client, bucket, ref, file.read())
        else:
            _put_parts(client, bucket, ref, file)


def get_object(client: Minio, bucket: str, key: str, version_id: str | None = None) -> bytes:
    """Read an object into memory."""
    with open_object(client, bucket, key, version_id) as chunks:
        return b"".join(chunks)


@contextmanager
def open_object(client: Minio, bucket: str, key: str, version_id: str | None = None) -> Generator[Iterator[bytes]]:
    """Open an object to read it chunk by chunk."""
    with translated(f"s3://{bucket}/{key}"):
        response = client.get_object(bucket_name=bucket, object_name=key, version_id=version_id)
        try:
            yield response.stream(CHUNK_BYTES)
        finally:
            response.close()
            response.release_conn()


def fetch_object(client: Minio, bucket: str, ref: BlobRef, path: Path, version_id: str | None = None) -> None:
    """Write a blob to a file, over what was there, unless it is damaged.

    Raises:
        CorruptObjectError: size or digest is another one; what was there stays.
    """
    with (
        disk_translated(path),
        open_object(client, bucket, ref.key, version_id) as chunks,
        place_file(path) as file,
    ):
        if not ref.is_of(pass_on(chunks, file)):
            msg = (
                f"Version {version_id or 'last put'} of s3://{bucket}/{ref.key} is not what was put there: restore it."
            )
            raise CorruptObjectError(msg)


def _put_parts(client: Minio, bucket: str, ref: BlobRef, file: MeasuredFile) -> None:
    """Send a file in parts, one after the other: a failure in between leaves no thread at work, and aborts the upload.

    A digest of the whole is refused by servers that keep one for each part.
    """
    with translated(f"s3://{bucket}/{ref.key}"):
        client.put_object(
            bucket_name=bucket,
            object_name=ref.key,
            data=file,
            length=ref.size_bytes,
            content_type=ref.media_type,
            part_size=max(_PART_BYTES, -(-ref.size_bytes // _MAX_PARTS)),
            num_parallel_uploads=1,
        )
