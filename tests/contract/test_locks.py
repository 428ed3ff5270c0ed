"""Locks on real servers: approved versions stay, for as long as was asked, whoever deletes; and the rest goes on."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from time import sleep
from urllib.parse import quote

import pytest

from flows.versions import main
from storage.approval import find_version_lock, lock_version
from storage.datasets import angle_part_key
from storage.doctor import examine_store
from storage.errors import LockedObjectError, StoreReadOnlyError, UnsafeStoreError
from storage.expiry import expire_version, sweep
from storage.garbage import find_free
from storage.history import read_version
from storage.marks import Mark, add_mark
from storage.objects import BlobRef, Housekeeper
from storage.opening import open_housekeeper
from storage.versions import manifest_key
from tests.contract.test_expiry import LATER
from tests.kept_versions import keep_version
from tests.servers import S3Server

STREET_1 = ("street", 1)
BYPASS = {"x-amz-bypass-governance-retention": "true"}
XML = "http://s3.amazonaws.com/doc/2006-03-01/"
Open = Callable[..., Housekeeper]


def use(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Have the credentials of somebody in the environment."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def owner(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Have the credentials of the server's owner in the environment."""
    return use(s3_server, monkeypatch)


@pytest.fixture
def open_locking(owner: S3Server, prefix: str) -> Open:
    """Open a store that locks for so many days."""
    return lambda days=2: open_housekeeper(f"{owner.url(prefix)}&lock_days={days}")


def end_locks(server: S3Server, prefix: str, *keys: str) -> None:
    """Have the locks of all versions of objects end now, as only the server's owner can, by bypassing them."""
    until = f"{datetime.now(UTC) + timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}"
    lock = f"<Retention xmlns='{XML}'><Mode>GOVERNANCE</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
    bucket = f"{prefix}-scenes"
    for key in keys:
        for each in server.client().list_objects(bucket_name=bucket, prefix=key, include_version=True):
            if not each.is_delete_marker:
                path = f"/{bucket}/{quote(key)}?retention=&versionId={each.version_id}"
                assert server.send("PUT", path, BYPASS, lock.encode()).status == 200
    sleep(2)


def list_versions(server: S3Server, prefix: str, key: str) -> list[tuple[str, bool]]:
    """Return key and whether it is a delete marker of all that a bucket keeps."""
    found = server.client().list_objects(
        bucket_name=f"{prefix}-scenes", prefix=key, recursive=True, include_version=True
    )
    return [(each.object_name or "", each.is_delete_marker) for each in found]


def delete(server: S3Server, prefix: str, key: str, **headers: str) -> int:
    """Delete the newest version of an object for good, past the store, and return the answer."""
    bucket = f"{prefix}-scenes"
    version_id = server.client().stat_object(bucket_name=bucket, object_name=key).version_id
    return server.send("DELETE", f"/{bucket}/{key}?versionId={version_id}", headers).status


def test_locked_blob_cannot_be_taken_away(owner: S3Server, open_locking: Open, prefix: str) -> None:
    """A blob that is locked stays for as long as the address says, whoever deletes it; others may go."""
    store = open_locking()
    locked, other = (store.put_blob(data, "image/png") for data in (b"approved", b"other"))
    until = store.lock_blobs([locked])
    assert until
    assert abs(until - datetime.now(UTC) - timedelta(days=2)) < timedelta(minutes=1)
    assert store.find_lock(locked.sha256) == until
    assert store.find_lock(other.sha256) is None
    assert store.find_lock("a" * 64) is None
    store.remove_blob(other.sha256)
    with pytest.raises(LockedObjectError, match=f"is locked until {until:%Y-%m-%d %H:%M} UTC"):
        store.remove_blob(locked.sha256)
    assert store.get_blob(locked) == b"approved"
    assert delete(owner, prefix, locked.key) == 403


def test_lock_is_made_longer_and_never_shorter(open_locking: Open) -> None:
    """A blob that two versions share stays as long as the one that is locked longest."""
    ref = open_locking().put_blob(b"shared", "image/png")
    short, long = open_locking(2).lock_blobs([ref]), open_locking(9).lock_blobs([ref])
    assert short
    assert long
    assert open_locking().find_lock(ref.sha256) == long > short
    open_locking(2).lock_blobs([ref])
    assert open_locking().find_lock(ref.sha256) == long


def test_lock_below_a_newer_version_holds(owner: S3Server, open_locking: Open, prefix: str) -> None:
    """What is put again over a locked blob may go, the locked bytes stay and are found."""
    store = open_locking()
    ref = store.put_blob(b"approved", "image/png")
    until = store.lock_blobs([ref])
    owner.client().put_object(bucket_name=f"{prefix}-scenes", object_name=ref.key, data=BytesIO(b"approved"), length=8)
    assert store.find_lock(ref.sha256) == until
    with pytest.raises(LockedObjectError):
        store.remove_blob(ref.sha256)
    assert list_versions(owner, prefix, ref.key) == [(ref.key, False)]
    assert store.get_blob(ref) == b"approved"


def test_bucket_without_locks_is_told(owner: S3Server, prefix: str) -> None:
    """What was made without locks does not pass for locked, neither to whoever locks nor to the doctor."""
    store, asked = (open_housekeeper(f"{owner.url(prefix)}{option}") for option in ("", "&lock_days=2"))
    ref = store.put_blob(b"approved", "image/png")
    assert store.lock_blobs([ref]) is None
    with pytest.raises(UnsafeStoreError, match="lock_days"):
        asked.lock_blobs([ref])
    findings = examine_store(f"{owner.url(prefix)}&lock_days=2", is_quick=True)
    assert [finding.subject for finding in findings if finding.outcome == "refused"] == ["lock_days"]


def test_approved_version_outlives_its_record(open_locking: Open) -> None:
    """All blobs of it are locked, and of the record, should it be lost, the bytes are there as one of them."""
    store = open_locking()
    kept = keep_version(store, 1)
    assert find_version_lock(store, STREET_1) is None
    lock = lock_version(store, STREET_1)
    assert lock.until == find_version_lock(store, STREET_1)
    assert lock.num_blobs == len(kept.list_blobs()) + 1
    assert {store.find_lock(ref.sha256) for ref in kept.list_blobs()} == {lock.until}
    store.remove_record(manifest_key(*STREET_1))
    copy = BlobRef.of(kept.encode(), "application/json")
    assert lock.manifest_copy == store.locate_blob(copy)
    store.put_record(manifest_key(*STREET_1), store.get_blob(copy))
    assert read_version(store, *STREET_1) == kept


def test_sweep_passes_over_what_is_locked(owner: S3Server, open_locking: Open, prefix: str) -> None:
    """Locked blobs of a version that is gone stay and are counted, all others go; after the date they go, too."""
    store = open_locking()
    old, _ = keep_version(store, 1), keep_version(store, 2)
    picture, sheet = old.angles[0].picture, old.reports.contact_sheet
    assert expire_version(store, STREET_1)
    store.lock_blobs([picture, sheet])
    swept = sweep(store, LATER)
    assert (swept.num_locked, swept.is_cut_short) == (2, False)
    assert swept.num_blobs > 2
    assert [ref for ref in (picture, sheet, old.angles[1].picture) if store.has_blob(ref)] == [picture, sheet]
    again = sweep(store, LATER)
    assert (again.num_locked, again.num_blobs, again.freed_bytes) == (2, 0, 0)
    end_locks(owner, prefix, picture.key, sheet.key)
    freed = sweep(store, LATER)
    assert (freed.num_locked, freed.num_blobs) == (0, 2)
    assert freed.freed_bytes == picture.size_bytes + sheet.size_bytes


def test_what_would_go_does_not_count_what_is_locked(open_locking: Open) -> None:
    """Only blobs that can be taken away are foreseen to go."""
    store = open_locking()
    locked, free = (store.put_blob(data, "image/png") for data in (b"locked", b"free"))
    store.lock_blobs([locked])
    assert [blob.sha256 for blob in find_free(store, list(store.list_blobs()))] == [free.sha256]


def test_view_of_a_locked_blob_goes(owner: S3Server, open_locking: Open, prefix: str) -> None:
    """It is not shown any more, though one server locks what is copied from a locked blob; in the end its bytes go."""
    store = open_locking()
    kept, _ = keep_version(store, 1), keep_version(store, 2)
    view, part = "street/v000001/sheet.png", angle_part_key("default", "default", "street", 1)
    store.lock_blobs([kept.reports.contact_sheet, kept.reports.parquet])
    store.put_view(view, kept.reports.contact_sheet)
    store.remove_view(part)
    store.put_view(part, kept.reports.parquet)
    assert expire_version(store, STREET_1)
    for _ in range(2):
        sweep(store, LATER)
        assert not [key for key in store.list_views("") if "v000001" in key]
    end_locks(owner, prefix, f"views/{view}", f"views/{part}")
    sweep(store, LATER)
    for key in (view, part):
        assert list_versions(owner, prefix, f"views/{key}") == []


def test_who_may_not_delete_is_told_so(owner: S3Server, open_locking: Open, prefix: str) -> None:
    """A sweep stops at what it has no right to take away, which is not locked."""
    store = open_locking()
    keep_version(store, 1)
    loose = store.put_blob(b"loose", "text/plain")
    with pytest.MonkeyPatch.context() as patch:
        use(owner.as_role("renderer", prefix), patch)
        with pytest.raises(StoreReadOnlyError, match="403"):
            sweep(open_locking(), LATER)
    assert store.has_blob(loose)


def test_approver_locks_and_takes_nothing_away(owner: S3Server, open_locking: Open, prefix: str) -> None:
    """Who approves needs no right to delete, and who renders can neither lock nor delete."""
    kept = keep_version(open_locking(), 1)
    with pytest.MonkeyPatch.context() as patch:
        use(owner.as_role("renderer", prefix), patch)
        with pytest.raises(StoreReadOnlyError, match="403"):
            lock_version(open_locking(), STREET_1)
    with pytest.MonkeyPatch.context() as patch:
        approver = use(owner.as_role("approver", prefix), patch)
        assert lock_version(open_locking(), STREET_1).until
        mark = Mark(action="tag", tag="approved", who="ada", when="2026-01-01T00:00:00+00:00")
        assert add_mark(open_locking(), STREET_1, mark).is_protected
        loose = open_locking().put_blob(b"loose", "text/plain")
        for ref, error in ((loose, StoreReadOnlyError), (kept.master.picture, LockedObjectError)):
            with pytest.raises(error):
                open_locking().remove_blob(ref.sha256)
        with pytest.raises(StoreReadOnlyError):
            open_locking().discard_view("street/v000001/master.png")
        assert delete(approver, prefix, kept.master.picture.key) == 403


@pytest.mark.parametrize(("name", "more"), [("seaweed", ()), ("ceph", ("no-bypass",))])
def test_housekeeper_lifts_no_lock(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, prefix: str, name: str, more: tuple[str, ...]
) -> None:
    """Not even by asking to bypass it; on Ceph, where all may who are not forbidden to, by one policy more."""
    server = use(request.getfixturevalue(name), monkeypatch)
    store = open_housekeeper(f"{server.url(prefix)}&lock_days=2")
    ref = store.put_blob(b"approved", "image/png")
    store.lock_blobs([ref])
    housekeeper = server.as_role("housekeeper", prefix, *more)
    assert delete(housekeeper, prefix, ref.key, **BYPASS) == 403
    assert store.get_blob(ref) == b"approved"


def test_command_says_until_when(
    owner: S3Server,
    open_locking: Open,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Approving says until when everything is locked, and taking the tag back that it stays so."""
    kept = keep_version(open_locking(), 1)
    monkeypatch.setenv("MASTERSHOT_STORE", f"{owner.url(prefix)}&lock_days=2")

    def say(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["python -m flows.versions", *words])
        assert main() == 0
        return capsys.readouterr().out.replace("\n", " ")

    assert "locked" not in say("tag", "street", "1", "final")
    assert "not locked" in say("untag", "street", "1", "approved")
    said = say("tag", "street", "1", "approved")
    until = f"{find_version_lock(open_locking(), STREET_1):%Y-%m-%d %H:%M} UTC"
    assert f"locked until {until}: {len(kept.list_blobs()) + 1} blobs" in said
    assert f"stays locked until {until}" in say("untag", "street", "1", "approved")
