"""Locks on the objects of an S3 bucket: a version that is locked cannot be taken away before its date.

Whether one is locked is read from what a server says of the object itself, for the client cannot read the dates that
Ceph gives when it is asked for them.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from minio import Minio
from minio.commonconfig import GOVERNANCE
from minio.error import S3Error
from minio.retention import Retention

from storage.errors import UnsafeStoreError

_WITHOUT_LOCK = {"ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration", "InvalidRequest"}
_UNTIL, _HOLD = "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold"
_HELD = datetime.max.replace(tzinfo=UTC)
"""A legal hold has no date: somebody has to lift it."""


def can_lock(client: Minio, bucket: str) -> bool:
    """Tell whether the bucket was made to lock objects."""
    try:
        client.get_object_lock_config(bucket_name=bucket)
    except S3Error as exc:
        if exc.code in _WITHOUT_LOCK:
            return False
        raise
    return True


def lock_objects(client: Minio, bucket: str, keys: Iterable[str], until: datetime) -> None:
    """Keep the newest version of each object from deletion, except by whoever may bypass governance; never shortens.

    Raises:
        UnsafeStoreError: The bucket was made without locks.
    """
    if not can_lock(client, bucket):
        msg = f"The bucket s3://{bucket} cannot lock: have it made with lock_days in the address, or leave that out."
        raise UnsafeStoreError(msg)
    for key in keys:
        version_id, held = _look(client, bucket, key)
        if held is None or held < until:
            retention = Retention(GOVERNANCE, until)
            client.set_object_retention(bucket_name=bucket, object_name=key, config=retention, version_id=version_id)


def find_lock(client: Minio, bucket: str, key: str, version_id: str | None) -> datetime | None:
    """Return until when a version of an object is locked, or None if it is not, or not any more."""
    held = _look(client, bucket, key, version_id)[1]
    return held if held and held > datetime.now(UTC) else None


def find_longest_lock(client: Minio, bucket: str, key: str) -> datetime | None:
    """Return until when a version at least of an object is locked, or None: a newer one may lie over a locked one."""
    found = client.list_objects(bucket_name=bucket, prefix=key, include_version=True)
    versions = [each.version_id for each in found if each.object_name == key and not each.is_delete_marker]
    return max(filter(None, (find_lock(client, bucket, key, version_id) for version_id in versions)), default=None)


def _look(client: Minio, bucket: str, key: str, version_id: str | None = None) -> tuple[str | None, datetime | None]:
    """Return which version of an object this is, and until when it is, or was, locked."""
    found = client.stat_object(bucket_name=bucket, object_name=key, version_id=version_id)
    said = found.metadata or {}
    if said.get(_HOLD) == "ON":
        return found.version_id, _HELD
    return found.version_id, datetime.fromisoformat(said[_UNTIL]) if _UNTIL in said else None
