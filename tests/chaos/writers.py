"""Writers that commit versions as a run does, and say so on a log of their own once they were told that it is kept."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import numpy as np

from storage.errors import ConflictError, StoreReadOnlyError, StoreUnavailableError
from storage.objects import BlobRef, Store
from storage.opening import open_store
from storage.records import AngleRecord, Manifest, MasterRecord, ReportRefs
from storage.versions import commit_version, find_version, keep_angle, latest_version

NUM_ARTIFACTS = 6
SIZES_BYTES = (2_000, 200_000)
BETWEEN_TRIES_S = 0.05
CREATED_AT = "2026-01-01T00:00:00+00:00"

Kept = TypeVar("Kept")


@dataclass(frozen=True, kw_only=True)
class Job:
    """Who writes where."""

    url: str
    scene: str
    run_id: str
    log: Path
    """A line for every version that was acknowledged: scene, number, digest of the coverage."""


def write_versions(job: Job) -> None:
    """Commit version after version until killed; what fails in passing is tried again, with the same bytes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    chance, store = np.random.default_rng(list(job.run_id.encode())), open_store(job.url)
    for count in range(10_000):
        acknowledge(job.log, write_version(store, job.scene, f"{job.run_id}{count:06d}", chance.bytes(4)))


def write_version(store: Store, scene: str, run_id: str, salt: bytes) -> Manifest:
    """Keep pictures, their records, and the version that shows them."""
    angles = _until_kept(lambda _: keep_angles(store, run_id, salt))
    return _until_kept(lambda is_retry: follow(store, scene, run_id, angles, is_retry=is_retry))


def keep_angles(store: Store, run_id: str, salt: bytes) -> tuple[AngleRecord, ...]:
    """Keep six pictures and their records."""
    chance = np.random.default_rng(list(salt))
    return tuple(
        keep_angle(store, make_angle(f"angle_{number}", run_id, store.put_blob(picture, "image/png")))
        for number, picture in enumerate(chance.bytes(int(chance.integers(*SIZES_BYTES))) for _ in range(NUM_ARTIFACTS))
    )


def follow(store: Store, scene: str, run_id: str, angles: tuple[AngleRecord, ...], *, is_retry: bool) -> Manifest:
    """Commit a version behind the latest; of two that want one number, the other looks again."""
    if is_retry and (own := find_version(store, scene, run_id)):
        return own  # a try before had won, and was not told
    while True:
        parent = latest_version(store, scene)
        number = parent.number + 1 if parent else 1
        with suppress(ConflictError):
            return commit_version(store, make_manifest(scene, number, run_id, angles))


def make_angle(name: str, run_id: str, picture: BlobRef) -> AngleRecord:
    """Return the record of a picture that no model made."""
    return AngleRecord(
        name=name,
        fingerprint=sha256(f"{run_id} {name} {picture.sha256}".encode()).hexdigest(),
        spec={},
        picture=picture,
        stage_times_s={},
        run_id=run_id,
        rendered_at=CREATED_AT,
    )


def make_manifest(scene: str, number: int, run_id: str, angles: tuple[AngleRecord, ...]) -> Manifest:
    """Return a version of these angles; its master and reports are its first picture."""
    first = angles[0].picture
    return Manifest(
        scene=scene,
        number=number,
        run_id=run_id,
        created_at=CREATED_AT,
        coverage_sha256=sha256("".join(angle.picture.sha256 for angle in angles).encode()).hexdigest(),
        training="untrained",
        request={},
        master=MasterRecord(picture=first, original=first, source_name="none", facts={}),
        angles=angles,
        reports=ReportRefs(parquet=first, contact_sheet=first, review_page=first, summary=first),
        software={},
    )


def acknowledge(log: Path, manifest: Manifest) -> None:
    """Write down, durably, that a version was acknowledged."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, f"{manifest.scene} {manifest.number} {manifest.coverage_sha256}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def race(job: Job, number: int, start_at: float) -> str:
    """Commit one version at a moment agreed on, and return `won` or `told`."""
    store = open_store(job.url)
    angles = keep_angles(store, job.run_id, job.run_id.encode())
    manifest = make_manifest(job.scene, number, job.run_id, angles)
    while time.time() < start_at:
        time.sleep(0.0005)
    try:
        commit_version(store, manifest)
    except ConflictError:
        return "told"
    return "won"


def _until_kept(what: Callable[[bool], Kept]) -> Kept:
    """Do something until it is done; it is told whether it was tried before."""
    is_retry = False
    while True:
        try:
            return what(is_retry)
        except (StoreUnavailableError, StoreReadOnlyError):  # a server that starts may know nobody yet
            is_retry = True
            time.sleep(BETWEEN_TRIES_S)
