"""Versions shown again, looked over and read again: restore, lists, lineage, and what verify finds."""

from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from storage.errors import MissingObjectError
from storage.history import read_version
from storage.marks import Mark, add_mark
from storage.objects import Housekeeper, Store
from storage.opening import open_housekeeper
from storage.records import Manifest
from storage.reports import read_report
from storage.verifying import Verified, verify
from storage.versions import latest_version, manifest_key
from tasks.errors import InvalidRequestError
from tasks.lineage import describe_lineage
from tasks.overview import list_scenes, list_versions
from tasks.restoring import restore_version
from tests.kept_versions import CREATED_AT, keep_version

PIN = Mark(action="pin", who="ada", when=CREATED_AT.isoformat(), note="for the trailer")
SCHEMA_2 = Path(__file__).parents[1] / "data" / "manifest_of_schema_2.json"


@pytest.fixture
def store(either_store: Store) -> Housekeeper:
    """Open a store of each kind, in which nothing is."""
    return cast("Housekeeper", either_store)


def look(store: Housekeeper, scene: str = "") -> Verified:
    """Verify a store, and see that its progress comes to its end."""
    steps: list[tuple[int, int]] = []
    verified = verify(store, scene, lambda num_done, num_blobs: steps.append((num_done, num_blobs)))
    assert [num_done for num_done, _ in steps] == list(range(1, verified.num_blobs + 1))
    return verified


def test_restored_version_shows_the_old_one_as_the_newest(store: Housekeeper) -> None:
    """Pictures are those of the old version, rows carry the new number, and the old version is as it was."""
    first, second = keep_version(store, 1), keep_version(store, 2)
    before = store.get_record(manifest_key("street", 1))
    made = restore_version(store, "street", 1)
    assert (made.number, made.parent, made.restored_from) == (3, 2, 1)
    assert (made.angles, made.other_takes, made.master) == (first.angles, first.other_takes, first.master)
    assert made.coverage_sha256 == first.coverage_sha256 != second.coverage_sha256
    assert latest_version(store, "street") == made
    assert store.get_record(manifest_key("street", 1)) == before
    for kind, ref in (("angles", made.reports.parquet), ("coverage", made.reports.coverage_parquet)):
        assert ref
        rows = read_report(store.get_blob(ref), "angles" if kind == "angles" else "coverage")
        assert rows.select("version", "run_id").unique().rows() == [(3, made.run_id)]
    again = restore_version(store, "street", 2)
    assert (again.number, again.parent, again.restored_from) == (4, 3, 2)


def test_what_cannot_be_restored_is_told(store: Housekeeper) -> None:
    """The latest version, one that is not there, and one of which a blob is lost are refused; nothing is published."""
    first = keep_version(store, 1)
    keep_version(store, 2)
    with pytest.raises(InvalidRequestError, match="the latest version of street already"):
        restore_version(store, "street", 2)
    with pytest.raises(MissingObjectError, match="v000007"):
        restore_version(store, "street", 7)
    store.remove_blob(first.angles[0].picture.sha256)
    with pytest.raises(MissingObjectError, match="1 of the 10 blobs of v000001 of street are lost"):
        restore_version(store, "street", 1)
    assert [row["version"] for row in list_versions(store, "street")] == [2, 1]


def test_manifest_of_schema_2_is_restored_as_the_newest_schema(store: Housekeeper) -> None:
    """An old manifest is listed, traced and shown again; the new one is of schema 3, the old one untouched."""
    old = Manifest.model_validate_json(SCHEMA_2.read_bytes())
    new = keep_version(store, 5, "example")
    blobs = {"angles": new.angles, "other_takes": new.other_takes, "master": new.master, "reports": new.reports}
    older = old.model_copy(update=blobs)
    store.put_record(manifest_key("example", 1), older.encode())
    assert b"restored_from" not in older.encode()
    assert [row["parent"] for row in list_versions(store, "example")] == [4, None]
    made = restore_version(store, "example", 1)
    assert (made.schema_version, made.number, made.restored_from) == (3, 6, 1)
    assert store.get_record(manifest_key("example", 1)) == older.encode()
    assert read_version(store, "example", 1) == older


def test_versions_are_listed(store: Housekeeper) -> None:
    """Each version with its verdicts, marks and origin, the latest first; and each scene with its latest."""
    for number in (1, 2):
        keep_version(store, number, created_at=CREATED_AT + timedelta(days=number))
    keep_version(store, 1, "alley")
    add_mark(store, ("street", 1), PIN)
    add_mark(store, ("street", 1), PIN.model_copy(update={"action": "tag", "tag": "approved"}))
    restore_version(store, "street", 1)
    rows = list_versions(store, "street")
    assert [(row["version"], row["parent"], row["restored_from"]) for row in rows] == [
        (3, 2, 1),
        (2, 1, None),
        (1, None, None),
    ]
    assert [(row["pinned_by"], row["tags"]) for row in rows] == [(None, []), (None, []), ("ada", ["approved"])]
    assert [(row["num_pass"], row["num_review"], row["num_fail"]) for row in rows] == [(2, 0, 0)] * 3
    scenes = list_scenes(store)
    assert [(row["scene"], row["version"], row["num_versions"]) for row in scenes] == [
        ("alley", 1, 1),
        ("street", 3, 3),
    ]
    assert list_versions(store, "nowhere") == []


def test_lineage_goes_back_to_what_is_gone(store: Housekeeper) -> None:
    """The line of parents is followed until one is expired; angles say what they were made by."""
    for number in (1, 2, 3):
        keep_version(store, number)
    store.remove_record(manifest_key("street", 1))
    restore_version(store, "street", 2)
    facts = describe_lineage(store, "street", 4)
    assert (facts["parent"], facts["restored_from"], facts["code"]) == (
        "v000003",
        "v000002",
        {"mastershot": "0.1.0", "commit": "ab" * 20},
    )
    ancestors = cast("list[dict[str, object]]", facts["ancestors"])
    assert [(each["version"], each["is_expired"]) for each in ancestors] == [
        ("v000003", False),
        ("v000002", False),
        ("v000001", True),
    ]
    angles = cast("list[dict[str, object]]", facts["angles"])
    assert [(each["angle"], each["profile"], each["is_carried_on"]) for each in angles] == [
        ("close_up", "miniature", True),
        ("wide", "miniature", True),
    ]


def test_whole_store_is_well(store: Housekeeper) -> None:
    """In a store that is whole nothing is found, and what no version refers to is counted."""
    assert look(store).is_well
    for number in (1, 2):
        keep_version(store, number)
    loose = store.put_blob(b"nobody needs this", "text/plain")
    verified = look(store)
    assert verified.is_well
    assert (verified.num_versions, verified.num_unreferenced, verified.unreferenced_bytes) == (2, 1, loose.size_bytes)
    assert (look(store, "street").num_unreferenced, look(store, "street").num_blobs) == (None, verified.num_blobs - 1)


def test_lost_blob_is_named_with_the_versions_that_need_it(store: Housekeeper) -> None:
    """A blob that is lost is named with all that need it, and a manifest that is damaged is named too."""
    versions = [keep_version(store, number) for number in (1, 2)]
    keep_version(store, 1, "alley")
    store.remove_blob(versions[0].master.picture.sha256)
    store.remove_blob(versions[1].reports.summary.sha256)
    store.put_record(manifest_key("alley", 2), b"{")
    verified = look(store)
    found = {(fault.sha256, fault.kind, fault.needed_by) for fault in verified.faults}
    assert found == {
        (versions[0].master.picture.sha256, "missing", ("street v000001", "street v000002")),
        (versions[1].reports.summary.sha256, "missing", ("street v000002",)),
    }
    assert len(verified.damaged_manifests) == 1
    assert "alley/v000002" in verified.damaged_manifests[0]
    assert not verified.is_well
    assert look(store, "street").damaged_manifests == ()


def test_damaged_blob_is_named(tmp_path: Path) -> None:
    """A blob whose bytes have changed on disk is corrupt, whether or not a version needs it."""
    store = open_housekeeper(str(tmp_path))
    needed, loose = keep_version(store, 1).angles[0].picture, store.put_blob(b"loose", "text/plain")
    for ref in (needed, loose):
        Path(store.locate_blob(ref)).write_bytes(bytes(ref.size_bytes))
    found = {(fault.sha256, fault.kind, fault.needed_by) for fault in look(store).faults}
    assert found == {(needed.sha256, "corrupt", ("street v000001",)), (loose.sha256, "corrupt", ())}
