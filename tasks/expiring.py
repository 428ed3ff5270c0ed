"""Letting old versions go: what a policy would take away, and taking it away."""

from collections.abc import Sequence
from datetime import UTC, datetime

from storage.expiry import Policy, choose_expiring, expire_version, sweep
from storage.garbage import find_free, find_garbage
from storage.history import VersionKey
from storage.objects import Housekeeper, KeptBlob
from storage.records import Manifest
from storage.work import WORK_LIFE, list_open

Facts = dict[str, object]


def foresee(store: Housekeeper, policy: Policy, scene: str) -> Facts:
    """Return what `expire` would take away, of a scene or of all, and how many bytes that frees; nothing is changed.

    Raises:
        CorruptObjectError: A manifest or a mark is damaged.
    """
    now = datetime.now(UTC)
    versions = choose_expiring(store, policy, now, scene)
    garbage = find_garbage(store, {_key(version) for version in versions}, now)
    free = find_free(store, garbage.blobs)
    return {
        "is_dry_run": True,
        "versions": _describe(versions),
        "num_blobs": len(free),
        "freed_bytes": _count_bytes(free),
        "num_locked": len(garbage.blobs) - len(free),
        "num_young": len(garbage.young),
        "young_bytes": _count_bytes(garbage.young),
        "num_records": len(garbage.angles) + len(garbage.cards) + len(garbage.marks),
        "num_views": len(garbage.views),
        "held_off_by": list_open(store, "work", WORK_LIFE),
        "is_cut_short": False,
    }


def expire(store: Housekeeper, policy: Policy, scene: str) -> Facts:
    """Let the versions go that the policy lets go, then what nothing refers to in the whole store; say what went.

    Raises:
        CorruptObjectError: A manifest, a mark or a part of the data set is damaged.
    """
    now = datetime.now(UTC)
    versions = choose_expiring(store, policy, now, scene)
    gone = [version for version in versions if expire_version(store, _key(version))]
    return {"is_dry_run": False, "versions": _describe(gone), **sweep(store, now).model_dump(mode="json")}


def _key(version: Manifest) -> VersionKey:
    return version.scene, version.number


def _describe(versions: Sequence[Manifest]) -> list[Facts]:
    return [{"scene": each.scene, "version": each.number, "created_at": each.created_at} for each in versions]


def _count_bytes(blobs: Sequence[KeptBlob]) -> int:
    return sum(blob.size_bytes for blob in blobs)
