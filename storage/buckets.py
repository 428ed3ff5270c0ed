"""The two buckets of an S3 store: what an address says of them, how they are made, and how they are guarded."""

from dataclasses import dataclass
from http import HTTPStatus

from minio import Minio
from minio.commonconfig import ENABLED
from minio.error import S3Error
from minio.sseconfig import Rule, SSEConfig
from minio.versioningconfig import VersioningConfig

from storage.errors import UnsafeStoreError

_BUCKET_EXISTS = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


@dataclass(frozen=True, kw_only=True)
class Safeguards:
    """What is asked of the buckets beyond versions."""

    lock_days: int = 0
    """A blob that is locked cannot be deleted for so long; 0 = no locks."""
    is_encrypted: bool = False
    """The server encrypts what it keeps, with keys of its own (SSE-S3)."""


@dataclass(frozen=True, kw_only=True)
class S3Address:
    """What the address of an S3 store says."""

    endpoint: str
    bucket_prefix: str
    region: str
    is_secure: bool
    safeguards: Safeguards

    @property
    def scenes(self) -> str:
        """The bucket of blobs and views."""
        return f"{self.bucket_prefix}-scenes" if self.bucket_prefix else "scenes"

    @property
    def index(self) -> str:
        """The bucket of records."""
        return f"{self.scenes}-index"


def create_bucket(client: Minio, bucket: str, safeguards: Safeguards, *, is_versioned: bool) -> None:
    """Make sure of a bucket and its settings; changes nothing, and needs no right to, where all is as it should be.

    A lock needs versions, and can be had on most servers only when a bucket is made.
    """
    if not client.bucket_exists(bucket_name=bucket):
        _make_bucket(client, bucket, has_lock=is_versioned and safeguards.lock_days > 0)
    if is_versioned and client.get_bucket_versioning(bucket_name=bucket).status != ENABLED:
        client.set_bucket_versioning(bucket_name=bucket, config=VersioningConfig(ENABLED))
    if safeguards.is_encrypted and not _is_encrypted(client, bucket):
        _encrypt(client, bucket)


def _encrypt(client: Minio, bucket: str) -> None:
    try:
        client.set_bucket_encryption(bucket_name=bucket, config=SSEConfig(Rule.new_sse_s3_rule()))
    except S3Error as exc:
        if exc.response.status == HTTPStatus.FORBIDDEN:
            raise
    if not _is_encrypted(client, bucket):
        msg = f"The server does not encrypt s3://{bucket}: choose another, or leave encryption out of the address."
        raise UnsafeStoreError(msg)


def _is_encrypted(client: Minio, bucket: str) -> bool:
    try:
        return client.get_bucket_encryption(bucket_name=bucket) is not None
    except ValueError:  # Ceph before 17 does not know the question, and answers another
        return False


def _make_bucket(client: Minio, bucket: str, *, has_lock: bool) -> None:
    try:
        client.make_bucket(bucket_name=bucket, object_lock=has_lock)
    except S3Error as exc:  # another process was faster
        if exc.code not in _BUCKET_EXISTS:
            raise
