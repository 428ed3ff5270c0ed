"""The questions to an S3 server: what is done, and whether what came of it is right."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from io import BytesIO
from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import uuid4

from minio.commonconfig import ENABLED, GOVERNANCE, REPLACE, CopySource
from minio.error import S3Error
from minio.retention import Retention

from storage.buckets import create_bucket
from storage.doctor_bench import Bench
from storage.locks import can_lock
from storage.probing import Answer

NUM_RACERS = 16

_PART_BYTES = 5 * 1024 * 1024
_LOCKED_FOR = timedelta(seconds=2)
_MAX_SKEW_S = 60.0


def connect(bench: Bench) -> Answer:
    """Tell whether anybody on the way can read along."""
    host = urlsplit(f"//{bench.address.endpoint}").hostname or ""
    is_local = host == "localhost"
    with suppress(ValueError):
        is_local = is_local or ip_address(host).is_loopback
    if bench.address.is_secure:
        return Answer(is_right=True, words="encrypted, its certificate is valid")
    return Answer(is_right=is_local, words=f"not encrypted, {'on this machine' if is_local else 'over a network'}")


def make_buckets(bench: Bench) -> Answer:
    """Make the buckets that are missing."""
    buckets = (bench.address.scenes, bench.address.index)
    missing = [bucket for bucket in buckets if not bench.client.bucket_exists(bucket_name=bucket)]
    for bucket, is_versioned in zip(buckets, (True, False), strict=True):
        create_bucket(bench.client, bucket, bench.address.safeguards, is_versioned=is_versioned)
    return Answer(is_right=True, words=f"made {', '.join(missing)}" if missing else "they are there")


def read_versioning(bench: Bench) -> Answer:
    """Read whether blobs keep their versions."""
    scenes, index = (
        bench.client.get_bucket_versioning(bucket_name=bucket).status or "off"
        for bucket in (bench.address.scenes, bench.address.index)
    )
    return Answer(is_right=scenes == ENABLED, words=f"{scenes} for blobs, {index} for records")


def overwrite(bench: Bench) -> Answer:
    """Overwrite an object, and read both versions."""
    for data in (b"first", b"second"):
        key = bench.put("overwritten", data)
    kept = [bench.get(key, version_id=version) for _, version, _ in bench.list_versions(key)]
    return Answer(is_right=kept == [b"second", b"first"], words=f"{len(kept)} of 2 versions kept")


def delete(bench: Bench) -> Answer:
    """Delete an object, and read the version behind the delete marker."""
    key = bench.put("deleted", b"data")
    bench.client.remove_object(bucket_name=bench.address.scenes, object_name=key)
    kept = [version for _, version, is_marker in bench.list_versions(key) if not is_marker]
    try:
        bench.get(key)
    except S3Error as exc:
        is_gone = exc.response.status == HTTPStatus.NOT_FOUND
    else:
        is_gone = False
    is_right = is_gone and [bench.get(key, version_id=version) for version in kept] == [b"data"]
    return Answer(
        is_right=is_right, words="hidden, and its version kept" if is_right else "gone for good, or still there"
    )


def put_twice(bench: Bench, *, is_versioned: bool) -> Answer:
    """Put an object if it is not there, twice."""
    bucket = bench.address.scenes if is_versioned else bench.address.index
    key = bench.key("conditional")
    statuses = [bench.put_if_absent(bucket, key, data) for data in (b"first", b"second")]
    is_right = statuses == [HTTPStatus.OK, HTTPStatus.PRECONDITION_FAILED] and bench.get(key, bucket) == b"first"
    return Answer(is_right=is_right, words=" then ".join(str(status) for status in statuses))


def race(bench: Bench, num_racers: int = NUM_RACERS) -> Answer:
    """Put an object if it is not there, in many threads at the same moment."""
    key = bench.key("raced")
    winners = bench.race(bench.address.index, key, num_racers)
    is_right = [b"%d" % number for number in winners] == [bench.get(key, bench.address.index)]
    return Answer(is_right=is_right, words=f"{len(winners)} of {num_racers} won")


def race_if_heard(bench: Bench) -> Answer:
    """Have just two race, for SeaweedFS lets each loser of more wait a second; where conditions are ignored, none."""
    status = bench.put_if_absent(bench.address.index, bench.key("conditional"), b"third")
    if status != HTTPStatus.PRECONDITION_FAILED:
        return Answer(is_right=True, words="not raced, for it ignores conditions")
    return race(bench, num_racers=2)


def damage(bench: Bench, *, by_header: bool) -> Answer:
    """Put bytes that are not those of their digest."""
    answer = bench.put_damaged(f"damaged-{by_header}", by_header=by_header)
    is_refused = HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
    return Answer(is_right=is_refused, words=f"{'refused' if is_refused else 'accepted'} ({answer.status})")


def damage_either(bench: Bench) -> Answer:
    """Do so in both ways."""
    answers = [damage(bench, by_header=by_header) for by_header in (True, False)]
    return Answer(is_right=any(answer.is_right for answer in answers), words=" and ".join(a.words for a in answers))


def put_parts(bench: Bench) -> Answer:
    """Put an object in two parts."""
    data, key = b"parts" * (_PART_BYTES // 5 + 1), bench.key("parts")
    bench.client.put_object(
        bucket_name=bench.address.scenes, object_name=key, data=BytesIO(data), length=len(data), part_size=_PART_BYTES
    )
    return Answer(is_right=bench.get(key) == data, words="2 parts, read back whole")


def list_at_once(bench: Bench) -> Answer:
    """Put an object, and list it."""
    key = bench.put("listed", b"data", bench.address.index)
    found = bench.client.list_objects(bucket_name=bench.address.index, prefix=bench.key(""), recursive=True)
    is_right = key in {item.object_name for item in found}
    return Answer(is_right=is_right, words="listed at once" if is_right else "not listed yet")


def copy(bench: Bench) -> Answer:
    """Copy an object on the server, under another media type."""
    source, key = bench.put("original", b"data"), bench.key("copy")
    bench.client.copy_object(
        bucket_name=bench.address.scenes,
        object_name=key,
        source=CopySource(bucket_name=bench.address.scenes, object_name=source),
        metadata={"Content-Type": "image/png", "x-amz-meta-sha256": "0"},
        metadata_directive=REPLACE,
    )
    copy = bench.client.stat_object(bucket_name=bench.address.scenes, object_name=key)
    is_right = bench.get(key) == b"data" and copy.content_type == "image/png"
    return Answer(
        is_right=is_right, words="copied, with its new media type" if is_right else "not the same bytes or type"
    )


def find_lock(bench: Bench) -> Answer:
    """Read whether the bucket was made to lock objects."""
    is_right = can_lock(bench.client, bench.address.scenes)
    return Answer(is_right=is_right, words="it can" if is_right else "its bucket was made without")


def lock(bench: Bench) -> Answer:
    """Lock an object in a bucket that is made for it, and try to delete it."""
    client, bucket = bench.client, f"doctor-{uuid4().hex[:12]}"
    client.make_bucket(bucket_name=bucket, object_lock=True)
    try:
        key = bench.put("locked", b"data", bucket)
        version_id = client.stat_object(bucket_name=bucket, object_name=key).version_id
        until = datetime.now(UTC) + _LOCKED_FOR
        client.set_object_retention(
            bucket_name=bucket, object_name=key, config=Retention(GOVERNANCE, until), version_id=version_id
        )
        try:
            client.remove_object(bucket_name=bucket, object_name=key, version_id=version_id)
        except S3Error as exc:
            is_right, words = True, f"deleting it is refused ({exc.response.status})"
        else:
            is_right, words = False, "deleted all the same"
        time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds() + 0.1))
        for found, version, _ in bench.list_versions(key, bucket):
            client.remove_object(bucket_name=bucket, object_name=found, version_id=version)
    finally:
        client.remove_bucket(bucket_name=bucket)
    return Answer(is_right=is_right, words=words)


def find_encryption(bench: Bench) -> Answer:
    """Put an object, and read whether it was encrypted by itself."""
    key = bench.put("encrypted", b"data", bench.address.index)
    found = bench.client.stat_object(bucket_name=bench.address.index, object_name=key).metadata or {}
    kind = found.get("x-amz-server-side-encryption")
    return Answer(is_right=kind is not None, words=f"encrypted ({kind})" if kind else "not encrypted")


def encrypt(bench: Bench) -> Answer:
    """Put an object that is to be encrypted."""
    data, header = b"data", {"x-amz-server-side-encryption": "AES256"}
    answer = bench.send(bench.address.scenes, bench.key("encrypted"), data, header, data)
    kind = answer.headers.get("x-amz-server-side-encryption")
    is_right = answer.status == HTTPStatus.OK and kind is not None
    return Answer(is_right=is_right, words=f"encrypted ({kind})" if is_right else f"not offered ({answer.status})")


def read_clock(bench: Bench) -> Answer:
    """Compare the clocks."""
    answer = bench.send(bench.address.index, bench.key("clock"), b"", {}, b"")
    try:
        said = parsedate_to_datetime(answer.headers["Date"]).replace(tzinfo=UTC)
    except (KeyError, ValueError):
        return Answer(is_right=False, words="it does not tell the time")
    skew_s = abs((said - datetime.now(UTC)).total_seconds())
    return Answer(is_right=skew_s <= _MAX_SKEW_S, words=f"{skew_s:.0f} s apart")


def remove_probes(bench: Bench) -> Answer:
    """Take away all that was put."""
    return Answer(is_right=True, words=f"{bench.remove_all()} objects and markers removed")
