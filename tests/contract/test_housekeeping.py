"""What every store promises to housekeeping: to show all blobs with their age, and to take away what it is told."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage.approval import lock_version
from storage.datasets import compact
from storage.directory import DirectoryStore
from storage.errors import InvalidKeyError, MissingObjectError
from storage.expiry import expire_version, sweep
from storage.objects import FRESH_FOR, BlobRef, Housekeeper, KeptBlob
from storage.opening import open_housekeeper
from storage.verifying import verify
from storage.versions import manifest_key
from tests.kept_versions import keep_version
from tests.servers import S3Server


def test_empty_store_has_nothing_to_keep_house_of(either_store: Housekeeper) -> None:
    """Before the first put all lists are empty, and taking away what is not there is a success."""
    ref = BlobRef.of(b"data", "image/png")
    assert list(either_store.list_blobs()) == []
    either_store.remove_blob(ref.sha256)
    either_store.remove_record("runs/1")
    assert either_store.remove_unfinished(timedelta(0)) == 0


def test_blobs_are_listed_in_order(either_store: Housekeeper) -> None:
    """Every blob is listed once, by digest, with size and age; views and records are none."""
    start = datetime.now(UTC) - timedelta(seconds=2)  # servers round
    refs = [either_store.put_blob(b"%d" % number, "image/png") for number in range(40)]
    either_store.put_blob(b"1", "text/plain")
    either_store.put_view(f"blobs/sha256/{refs[0].sha256}", refs[0])
    either_store.put_record(refs[0].key, b"{}")
    kept = either_store.list_blobs()
    assert isinstance(kept, Iterator)
    found = list(kept)
    assert [blob.sha256 for blob in found] == sorted(ref.sha256 for ref in refs)
    assert {blob.sha256: blob.size_bytes for blob in found} == {ref.sha256: ref.size_bytes for ref in refs}
    assert all(start <= blob.kept_at <= datetime.now(UTC) + timedelta(seconds=2) for blob in found)
    assert all(blob.kept_at.utcoffset() == timedelta(0) for blob in found)
    assert KeptBlob.model_validate_json(found[0].model_dump_json()) == found[0]


def test_removed_blob_is_gone_and_may_come_back(either_store: Housekeeper) -> None:
    """A blob that was taken away is missing; its view and the other blobs stay, and it can be put again."""
    ref, other = (either_store.put_blob(data, "image/png") for data in (b"data", b"other"))
    either_store.put_view("a.png", ref)
    for _ in range(2):
        either_store.remove_blob(ref.sha256)
    assert not either_store.has_blob(ref)
    with pytest.raises(MissingObjectError, match=ref.sha256):
        either_store.get_blob(ref)
    assert [blob.sha256 for blob in either_store.list_blobs()] == [other.sha256]
    assert either_store.get_view("a.png") == b"data"
    assert either_store.get_blob(either_store.put_blob(b"data", "image/png")) == b"data"


@pytest.mark.parametrize("sha256", ["", "..", "../../views/a", "A" * 64, "a" * 63, "a" * 64 + "\n", "é" * 64])
def test_what_is_no_digest_is_refused(either_store: Housekeeper, sha256: str) -> None:
    """Housekeeping never reaches beyond the blobs."""
    with pytest.raises(InvalidKeyError, match="digest"):
        either_store.remove_blob(sha256)


def test_removed_record_is_gone_and_its_key_free(either_store: Housekeeper) -> None:
    """A record that was taken away is missing, and other bytes may be written under its key."""
    for key in ("runs/1", "runs/2"):
        either_store.put_record(key, b"{}")
    for _ in range(2):
        either_store.remove_record("runs/1")
    assert either_store.list_records("") == ["runs/2"]
    with pytest.raises(MissingObjectError):
        either_store.get_record("runs/1")
    either_store.put_record("runs/1", b"[]")
    assert either_store.get_record("runs/1") == b"[]"


def test_folder_of_records_is_not_a_record(either_store: Housekeeper) -> None:
    """Taking away what is only the start of keys takes nothing."""
    either_store.put_record("runs/1", b"{}")
    either_store.remove_record("runs")
    assert either_store.list_records("") == ["runs/1"]


@pytest.fixture
def folder_store(tmp_path: Path) -> DirectoryStore:
    """Make a store in a new folder."""
    return DirectoryStore(tmp_path)


def test_files_left_half_done_are_removed(folder_store: DirectoryStore) -> None:
    """What a killed writer left goes when it is old enough, and nothing else does."""
    folder_store.put_record("runs/1", b"{}")
    ref = folder_store.put_blob(b"data", "image/png")
    folder_store.put_view("a.png", ref)
    places = (folder_store.locate_record("runs/1"), folder_store.locate_blob(ref), folder_store.locate_view("a.png"))
    for number, place in enumerate(places):
        unfinished = Path(place).with_name(f"~{number}")
        unfinished.touch()
        os.utime(unfinished, (0, datetime.now(UTC).timestamp() - 3600 * number))
    assert folder_store.remove_unfinished(timedelta(minutes=90)) == 1
    assert folder_store.remove_unfinished(timedelta(0)) == 2
    assert folder_store.remove_unfinished(timedelta(0)) == 0
    assert folder_store.list_records("") == ["runs/1"]
    assert folder_store.list_views("") == ["a.png"]
    assert folder_store.get_blob(ref) == b"data"


def test_old_file_that_is_put_again_is_new(folder_store: DirectoryStore, tmp_path: Path) -> None:
    """So housekeeping does not take away, as long unused, what a run has just put."""
    ref = folder_store.put_blob(b"data", "image/png")
    (tmp_path / "source").write_bytes(b"data")
    for put in (
        lambda: folder_store.put_blob(b"data", "image/png"),
        lambda: folder_store.put_file(tmp_path / "source", "image/png"),
    ):
        os.utime(folder_store.locate_blob(ref), (0, 0))
        put()
        (kept,) = folder_store.list_blobs()
        assert datetime.now(UTC) - kept.kept_at < FRESH_FOR


def test_foreign_files_are_no_blobs(folder_store: DirectoryStore) -> None:
    """What a person left among the blobs, or a blob in the wrong folder, is not listed."""
    ref = folder_store.put_blob(b"data", "image/png")
    blobs = Path(folder_store.locate_blob(ref)).parents[1]
    (blobs / "note.txt").touch()
    (blobs / ref.sha256[:2] / "~unfinished").touch()
    (blobs / "zz").mkdir()
    (blobs / "zz" / ref.sha256).touch()
    assert [blob.sha256 for blob in folder_store.list_blobs()] == [ref.sha256]


def test_discarded_view_is_gone_and_its_blob_stays(either_store: Housekeeper) -> None:
    """A view can be taken away for good, again, and laid out again; the blob and the other views know nothing of it."""
    ref = either_store.put_blob(b"data", "text/plain")
    either_store.discard_view("a/1.txt")
    assert either_store.list_kept_views() == []
    for key in ("a/1.txt", "a/1.txt.txt", "a/2.txt"):
        either_store.put_view(key, ref)
    either_store.remove_view("a/2.txt")
    assert {"a/1.txt", "a/1.txt.txt"} <= set(either_store.list_kept_views()) <= {"a/1.txt", "a/1.txt.txt", "a/2.txt"}
    for key in ("a/1.txt", "a/1.txt", "a/2.txt", "a"):
        either_store.discard_view(key)
    assert either_store.list_views("") == either_store.list_kept_views() == ["a/1.txt.txt"]
    assert either_store.get_blob(ref) == b"data"
    either_store.put_view("a/1.txt", ref)
    assert either_store.get_view("a/1.txt") == b"data"
    with pytest.raises(InvalidKeyError):
        either_store.discard_view("../a")


def test_sweep_frees_the_views_of_versions_that_are_gone(
    s3_server: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No version and no marker of their views is left in the bucket, nor of rows that were compacted away."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    store = open_housekeeper(s3_server.url(prefix))
    old, _, _ = (keep_version(store, number) for number in (1, 2, 3))
    store.put_view("street/v000001/master.png", old.reports.contact_sheet)  # laid out anew, over the old one
    store.put_view("street/v000001/hidden.png", old.master.picture)
    store.remove_view("street/v000001/hidden.png")
    store.remove_view("street/v000002/master.png")
    compact(store, "angles")
    assert expire_version(store, ("street", 1))
    foreseen = len([key for key in store.list_kept_views() if "v000001" in key])
    assert sweep(store, datetime.now(UTC) + timedelta(days=8)).num_views == foreseen == 4
    found = s3_server.client().list_objects(
        bucket_name=f"{prefix}-scenes", prefix="views/", recursive=True, include_version=True
    )
    kept = {each.object_name or "" for each in found}
    assert not [key for key in kept if "v000001" in key]
    assert "views/street/v000002/master.png" in kept
    assert len([key for key in store.list_views("") if "v000003" in key]) == 2


def test_copy_of_a_manifest_stays_with_its_version(either_store: Housekeeper) -> None:
    """What an approved version can be made from again is no garbage while there is the version, and goes with it."""
    for number in (1, 2):
        keep_version(either_store, number)
    later = datetime.now(UTC) + timedelta(days=8)
    lock = lock_version(either_store, ("street", 1))
    copy = BlobRef.of(either_store.get_record(manifest_key("street", 1)), "application/json")
    assert lock.until is None
    assert lock.manifest_copy == either_store.locate_blob(copy)
    sweep(either_store, later)
    assert either_store.has_blob(copy)
    assert verify(either_store, "", lambda *_: None).num_unreferenced == 0
    assert expire_version(either_store, ("street", 1))
    assert sweep(either_store, later).num_locked == 0
    assert not either_store.has_blob(copy)
