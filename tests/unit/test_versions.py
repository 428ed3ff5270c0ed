"""Which version of a scene is seen, and which finished angle is found."""

from pathlib import Path

import pytest

from models.camera import Pose, phrase
from models.framing import plan_framing
from models.profiles import MINIATURE
from models.specs import AngleSpec
from storage.directory import DirectoryStore
from storage.errors import ConflictError, CorruptObjectError
from storage.objects import BlobRef
from storage.records import AngleRecord, Manifest, MasterRecord, ReportRefs
from storage.versions import commit_version, find_angle, keep_angle, latest_version
from tasks.finished import find_finished
from tasks.requests import parse_request

FINGERPRINT = "ab" * 32
PICTURE = b"a picture"
REF = BlobRef.of(PICTURE, "image/png")
FIRST, SECOND, THIRD = "20260101T000000Z-aaaaaaaaaaaa", "20260101T000001Z-999999999999", "20270101T000000Z-000000000000"


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """Open a store in a new folder."""
    return DirectoryStore(tmp_path / "store")


def make_angle(
    run_id: str = FIRST, name: str = "left_45", picture: BlobRef = REF, sample_s: float = 1.0
) -> AngleRecord:
    """Return the record of one finished angle."""
    return AngleRecord(
        name=name,
        fingerprint=FINGERPRINT,
        spec={"seed": 0, "asked": {"azimuth_deg": -40.0}},
        picture=picture,
        stage_times_s={"sample": sample_s},
        run_id=run_id,
        rendered_at="2026-01-01T00:00:00+00:00",
    )


def make_manifest(run_id: str = FIRST, scene: str = "street", training: str = "untrained") -> Manifest:
    """Return a version of one angle."""
    return Manifest(
        scene=scene,
        run_id=run_id,
        parent_run_id=None,
        created_at="2026-01-01T00:00:00+00:00",
        coverage_sha256="cd" * 32,
        training=training,
        request={"scene": scene, "master": "street.png"},
        master=MasterRecord(picture=REF, original=REF, source_name="street.png", facts={"width_px": 448}),
        angles=(make_angle(run_id),),
        reports=ReportRefs(parquet=REF, contact_sheet=REF, review_page=REF),
        software={"python": "3.11"},
    )


def find_files(root: Path) -> list[Path]:
    """Return all files below a folder."""
    return [path for path in root.rglob("*") if path.is_file()]


def test_scene_without_a_version_has_none(store: DirectoryStore) -> None:
    """A scene that was never committed has no latest version, also where the store does not exist yet."""
    assert latest_version(store, "street") is None


def test_version_comes_back_as_committed(store: DirectoryStore) -> None:
    """What was committed is read back equal, under a key that says scene and run."""
    manifest = make_manifest()
    assert commit_version(store, manifest) == f"runs/street/{FIRST}/manifest.json"
    assert latest_version(store, "street") == manifest


@pytest.mark.parametrize("order", [(FIRST, SECOND, THIRD), (THIRD, FIRST, SECOND), (SECOND, THIRD, FIRST)])
def test_latest_version_is_the_greatest(store: DirectoryStore, order: tuple[str, ...]) -> None:
    """The version with the greatest run id is the latest, in whatever order they were committed."""
    for run_id in order:
        commit_version(store, make_manifest(run_id))
    latest = latest_version(store, "street")
    assert latest is not None
    assert latest.run_id == THIRD


def test_scenes_do_not_see_each_other(store: DirectoryStore) -> None:
    """A scene whose name starts with another's, or has no version, is another scene."""
    commit_version(store, make_manifest(FIRST, "street"))
    commit_version(store, make_manifest(THIRD, "street-2"))
    latest = latest_version(store, "street")
    assert latest is not None
    assert latest.run_id == FIRST
    assert latest_version(store, "stree") is None


def test_incomplete_version_is_invisible(store: DirectoryStore, tmp_path: Path) -> None:
    """Blobs, angles and a manifest half written by a killed writer show nothing: the version before is the latest."""
    commit_version(store, make_manifest(FIRST))
    store.put_blob(b"a later sheet", "image/png")
    keep_angle(store, make_angle(THIRD))
    half = tmp_path / "store" / "scenes-index" / "runs" / "street" / THIRD / "~0123456789abcdef"
    half.parent.mkdir(parents=True)
    half.write_bytes(make_manifest(THIRD).model_dump_json().encode()[:100])
    latest = latest_version(store, "street")
    assert latest is not None
    assert latest.run_id == FIRST


def test_only_the_manifest_makes_a_version(store: DirectoryStore) -> None:
    """Another record that a later run keeps in its folder is no version, and does not hide the one before."""
    commit_version(store, make_manifest(FIRST))
    store.put_record(f"runs/street/{THIRD}/notes.json", b"{}")
    latest = latest_version(store, "street")
    assert latest is not None
    assert latest.run_id == FIRST


def test_commit_is_once_and_repeatable(store: DirectoryStore, tmp_path: Path) -> None:
    """Committing the same version again is a success that changes nothing."""
    commit_version(store, make_manifest())
    before = {path: path.read_bytes() for path in find_files(tmp_path)}
    commit_version(store, make_manifest())
    assert {path: path.read_bytes() for path in find_files(tmp_path)} == before


def test_run_commits_one_version_only(store: DirectoryStore) -> None:
    """Another content under the same scene and run is a conflict, and the first stays as it is."""
    commit_version(store, make_manifest(training="untrained"))
    with pytest.raises(ConflictError):
        commit_version(store, make_manifest(training="trained"))
    latest = latest_version(store, "street")
    assert latest is not None
    assert latest.training == "untrained"


def test_unknown_angle_is_not_found(store: DirectoryStore) -> None:
    """A fingerprint that was never rendered finds nothing."""
    assert find_angle(store, FINGERPRINT) is None


def test_finished_angle_is_found_before_its_version(store: DirectoryStore) -> None:
    """An angle that was kept is found by its fingerprint, with all that its record says."""
    store.put_blob(PICTURE, "image/png")
    keep_angle(store, make_angle())
    assert find_angle(store, FINGERPRINT) == make_angle()
    assert find_angle(store, "cd" * 32) is None
    assert latest_version(store, "street") is None


def test_latest_finished_angle_is_found(store: DirectoryStore) -> None:
    """Of two runs that rendered the same recipe the later is found."""
    store.put_blob(PICTURE, "image/png")
    for run_id in (SECOND, FIRST):
        keep_angle(store, make_angle(run_id))
    assert find_angle(store, FINGERPRINT) == make_angle(SECOND)


def test_angle_without_its_picture_is_not_found(store: DirectoryStore) -> None:
    """An angle whose picture is gone is not finished; one before it whose picture is there is found instead."""
    store.put_blob(PICTURE, "image/png")
    lost = store.put_blob(b"another picture", "image/png")
    keep_angle(store, make_angle(FIRST))
    keep_angle(store, make_angle(SECOND, picture=lost))
    assert find_angle(store, FINGERPRINT) == make_angle(SECOND, picture=lost)
    Path(store.locate_blob(lost)).unlink()
    assert find_angle(store, FINGERPRINT) == make_angle(FIRST)
    Path(store.locate_blob(REF)).unlink()
    assert find_angle(store, FINGERPRINT) is None


def test_cut_picture_is_not_found(store: DirectoryStore) -> None:
    """A picture of which only a part is left does not count as finished, and is never read as if it were whole."""
    keep_angle(store, make_angle(picture=store.put_blob(PICTURE, "image/png")))
    Path(store.locate_blob(REF)).write_bytes(PICTURE[:3])
    assert find_angle(store, FINGERPRINT) is None
    with pytest.raises(CorruptObjectError):
        store.get_blob(REF)


def test_keeping_an_angle_again_changes_nothing(store: DirectoryStore, tmp_path: Path) -> None:
    """Keeping the same record twice is one record."""
    store.put_blob(PICTURE, "image/png")
    keep_angle(store, make_angle())
    before = {path: path.read_bytes() for path in find_files(tmp_path)}
    keep_angle(store, make_angle())
    assert {path: path.read_bytes() for path in find_files(tmp_path)} == before


@pytest.mark.parametrize("again", [make_angle(sample_s=2.0), make_angle(name="left_too")], ids=["retry", "other name"])
def test_recipe_rendered_twice_in_a_run_is_kept_once(store: DirectoryStore, again: AngleRecord) -> None:
    """A retry after the record was kept, or a second angle of the run with the same recipe, is no conflict."""
    store.put_blob(PICTURE, "image/png")
    keep_angle(store, make_angle())
    keep_angle(store, again)
    assert find_angle(store, FINGERPRINT) in (make_angle(), again)


def make_spec(name: str, pose: Pose) -> AngleSpec:
    """Return an angle of the miniature, settled."""
    return AngleSpec(
        name=name,
        asked=pose,
        instruction=phrase(pose, "relative"),
        seed=0,
        profile=MINIATURE,
        weights_sha256="11" * 32,
        reference_sha256=REF.sha256,
        framing=plan_framing(448, 256, MINIATURE.reference_area_px),
    )


def test_finished_recipe_is_found_under_the_name_asked_for(store: DirectoryStore, tmp_path: Path) -> None:
    """A recipe that was finished under another name, or for a pose nearby, is reported as what is asked for now."""
    rendered, asked = make_spec("high_angle", Pose(elevation_deg=30)), make_spec("crane", Pose(elevation_deg=25))
    assert rendered.fingerprint == asked.fingerprint
    picture = store.put_blob(PICTURE, "image/png")
    record = make_angle(name="high_angle", picture=picture)
    keep_angle(
        store, record.model_copy(update={"fingerprint": asked.fingerprint, "spec": rendered.model_dump(mode="json")})
    )
    request = parse_request(
        {"scene": "street", "master": "m", "angles": [{"name": "crane", "elevation_deg": 25}, "high_angle"]}
    )
    master = MasterRecord(picture=REF, original=REF, source_name="street.png", facts={})
    found = find_finished.fn(request, master, [asked, rendered], str(tmp_path / "store"))
    assert {name: kept.name for name, kept in found.items()} == {"crane": "crane", "high_angle": "high_angle"}
    assert [AngleSpec.model_validate(kept.spec) for kept in found.values()] == [asked, rendered]
    assert {kept.picture for kept in found.values()} == {picture}
