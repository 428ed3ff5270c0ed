"""What an S3 server really does, asked with what the store itself uses."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from uuid import uuid4

from minio.error import MinioException, S3Error

from storage.access import FoundCredentials, Server, open_pool
from storage.buckets import S3Address
from storage.doctor_bench import Bench
from storage.doctor_questions import (
    NUM_RACERS,
    connect,
    copy,
    damage,
    damage_either,
    delete,
    encrypt,
    find_encryption,
    find_lock,
    list_at_once,
    lock,
    make_buckets,
    overwrite,
    put_parts,
    put_twice,
    race,
    race_if_heard,
    read_clock,
    read_versioning,
    remove_probes,
)
from storage.probing import Finding, Probe, ask_all
from storage.refusals import translated


def examine_s3(address: S3Address, *, is_quick: bool) -> list[Finding]:
    """Ask the server at an address, under keys that no record can have."""
    with translated(f"s3://{address.scenes}"), _bench(address) as bench:
        bench.client.bucket_exists(bucket_name=address.scenes)  # whoever is nobody's server is told here
        probes = _choose(address, is_quick=is_quick)
        if is_quick:
            return [probe.judge(probe.check(bench)) for probe in probes]
        return list(ask_all(probes, bench, S3Error, lambda exc: f"{exc.response.status} {exc.code}"))


def _choose(address: S3Address, *, is_quick: bool) -> Sequence[Probe[Bench]]:
    asked = [_LOCK_ASKED] if address.safeguards.lock_days else []
    asked += [_ENCRYPTION_ASKED] if address.safeguards.is_encrypted else []
    return [*_ALWAYS, *_QUICK, *asked] if is_quick else [*_ALWAYS, *_THOROUGH, *asked, _REMOVAL]


@contextmanager
def _bench(address: S3Address) -> Generator[Bench]:
    pool = open_pool()
    server = Server(
        address.endpoint, address.region, is_secure=address.is_secure, credentials=FoundCredentials(source=None)
    )
    bench = Bench(
        address=address, server=server, pool=pool, client=server.open_client(pool), folder=f"~doctor-{uuid4().hex}"
    )
    try:
        yield bench
    finally:
        with suppress(MinioException):
            bench.remove_all()


_ALWAYS = (
    Probe(
        subject="connection",
        asked="be spoken with over TLS, or on this machine",
        check=connect,
        consequence="nobody reads along",
        otherwise="adapted",
        consequence_otherwise="keep to a network that you trust, or use TLS, for pictures travel in the clear",
    ),
    Probe(
        subject="buckets",
        asked="have both buckets",
        check=make_buckets,
        consequence="there is a place for everything",
        otherwise="refused",
        consequence_otherwise="nothing can be kept there: have the buckets made by who may, or check the credentials",
    ),
    Probe(
        subject="clock",
        asked="tell the time",
        check=read_clock,
        consequence="signatures and dates are right",
        otherwise="adapted",
        consequence_otherwise="set the clocks, for servers refuse requests from a quarter of an hour away",
    ),
)
_VERSIONING = Probe(
    subject="versioning",
    asked="keep versions of blobs",
    check=read_versioning,
    consequence="what is deleted or overwritten by mistake can be brought back",
    otherwise="adapted",
    consequence_otherwise="what is deleted or overwritten by mistake cannot be brought back, so keep a backup",
)
_LIST = Probe(
    subject="list",
    asked="list a put at once",
    check=list_at_once,
    consequence="the latest version is the latest",
    otherwise="refused",
    consequence_otherwise="an older version could pass for the latest: use another server",
)
_CONDITION = Probe(
    subject="conditional put",
    asked="put a record only if nothing is there",
    check=partial(put_twice, is_versioned=False),
    consequence="a record is written once",
    otherwise="adapted",
    consequence_otherwise="records are read before they are put, so have one writer at a time",
)

_QUICK = (
    _VERSIONING,
    _CONDITION,
    Probe(
        subject="conditional put, raced",
        asked="let one of two writers of a record win",
        check=race_if_heard,
        consequence="two runs never publish the same version",
        otherwise="refused",
        consequence_otherwise="one version could silently replace another: use another server, or one writer at a time",
    ),
    Probe(
        subject="damaged upload",
        asked="refuse bytes that are not those of their digest",
        check=damage_either,
        consequence="an upload damaged on the way is sent again",
        otherwise="adapted",
        consequence_otherwise="an upload damaged on the way is found when it is read, as every read is verified",
    ),
    _LIST,
)
_THOROUGH = (
    _VERSIONING,
    Probe(
        subject="overwrite",
        asked="keep what is overwritten",
        check=overwrite,
        consequence="a damaged blob is read from the version before",
        otherwise="adapted",
        consequence_otherwise="a blob that is overwritten is lost, so keep a backup",
    ),
    Probe(
        subject="delete",
        asked="keep what is deleted behind a marker",
        check=delete,
        consequence="a blob that is deleted by mistake can be brought back",
        otherwise="adapted",
        consequence_otherwise="a blob that is deleted is lost, so keep a backup",
    ),
    _CONDITION,
    Probe(
        subject="conditional put, versions",
        asked="do so in the bucket with versions",
        check=partial(put_twice, is_versioned=True),
        consequence="records could be kept with versions, too",
        otherwise="adapted",
        consequence_otherwise="which is why records have a bucket without versions",
    ),
    Probe(
        subject="conditional put, raced",
        asked=f"let one of {NUM_RACERS} writers of a record win",
        check=race,
        consequence="two runs never publish the same version",
        otherwise="adapted",
        consequence_otherwise="one version could silently replace another, so have one writer at a time",
    ),
    Probe(
        subject="digest in a header",
        asked="refuse bytes that are not those of x-amz-checksum-sha256",
        check=partial(damage, by_header=True),
        consequence="an upload damaged on the way is sent again",
        otherwise="adapted",
        consequence_otherwise="this digest protects nothing on the way",
    ),
    Probe(
        subject="digest in the signature",
        asked="refuse bytes that are not those that were signed",
        check=partial(damage, by_header=False),
        consequence="an upload damaged on the way is sent again",
        otherwise="adapted",
        consequence_otherwise="this digest protects nothing on the way",
    ),
    _LIST,
    Probe(
        subject="parts",
        asked="take an object in parts",
        check=put_parts,
        consequence="files of any size can be kept",
        otherwise="adapted",
        consequence_otherwise="files above 64 MB cannot be kept",
    ),
    Probe(
        subject="copy",
        asked="copy an object without sending it again",
        check=copy,
        consequence="readable copies cost no transfer",
        otherwise="refused",
        consequence_otherwise="readable copies cannot be laid out: use another server",
    ),
    Probe(
        subject="object lock",
        asked="keep a locked object from deletion",
        check=lock,
        consequence="approved versions can be locked with lock_days in the address",
        otherwise="adapted",
        consequence_otherwise="approved versions cannot be locked, so give the right to delete to housekeeping only",
    ),
    Probe(
        subject="encryption",
        asked="encrypt an object with its own keys",
        check=encrypt,
        consequence="all can be encrypted with encryption=sse-s3 in the address",
        otherwise="adapted",
        consequence_otherwise="encrypt the disks of the server instead",
    ),
)
_LOCK_ASKED = Probe(
    subject="lock_days",
    asked="lock blobs, as its address says",
    check=find_lock,
    consequence="approved versions cannot be deleted",
    otherwise="refused",
    consequence_otherwise="approved versions would not be locked: have the bucket made so, or leave that out",
)

_ENCRYPTION_ASKED = Probe(
    subject="encryption=sse-s3",
    asked="encrypt by itself, as its address says",
    check=find_encryption,
    consequence="all that is kept is encrypted",
    otherwise="refused",
    consequence_otherwise="pictures would be kept in the clear: use another server, or leave the option out",
)

_REMOVAL = Probe(
    subject="removal",
    asked="remove all versions of what was put here",
    check=remove_probes,
    consequence="these credentials are those of housekeeping, so do not render with them",
    otherwise="adapted",
    consequence_otherwise="these credentials cannot destroy anything; what begins with ~doctor- is left behind",
)
