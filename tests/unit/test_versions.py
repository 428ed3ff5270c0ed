"""Which version of a scene is seen, and which finished angle is found."""

from collections.abc import Callable
from pathlib import Path

import pytest

from models.camera import Pose, phrase
from models.framing import plan_framing
from models.profiles import MINIATURE
from models.specs import AngleSpec
from storage.directory import DirectoryStore
from storage.errors import ConflictError, CorruptObjectError, MissingObjectError
from storage.objects import BlobRef
from storage.records import AngleRecord, Manifest, MasterRecord, ReportRefs
from storage.versions import (
    commit_version,
    find_angle,
    find_version,
    keep_angle,
    latest_version,
    manifest_key,
)
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


def make_manifest(number: int = 1, scene: str = "street", run_id: str = FIRST, shown: str = "cd") -> Manifest:
    """Return a version of one angle."""
    return Manifest(
        scene=scene,
        number=number,
        run_id=run_id,
        created_at="2026-01-01T00:00:00+00:00",
        coverage_sha256=shown * 32,
        training="untrained",
        request={"scene": scene, "master": "street.png"},
        master=MasterRecord(picture=REF, original=REF, source_name="street.png", facts={"width_px": 448}),
        angles=(make_angle(run_id),),
        reports=ReportRefs(parquet=REF, contact_sheet=REF, review_page=REF, summary=REF),
        software={"python": "3.11"},
    )


def find_files(root: Path) -> list[Path]:
    """Return all files below a folder."""
    return [path for path in root.rglob("*") if path.is_file()]


def test_scene_without_a_version_has_none(store: DirectoryStore) -> None:
    """A scene that was never committed has no latest version, also where the store does not exist yet."""
    assert latest_version(store, "street") is None


def test_version_comes_back_as_committed(store: DirectoryStore) -> None:
    """What was committed is read back equal, under a key that says scene and number."""
    manifest = make_manifest()
    assert commit_version(store, manifest) == manifest
    assert store.list_records("") == ["versions/street/v000001/manifest.json"]
    assert latest_version(store, "street") == manifest


@pytest.mark.parametrize("order", [(1, 2, 10), (10, 1, 2), (2, 10, 1)])
def test_latest_version_is_the_greatest(store: DirectoryStore, order: tuple[int, ...]) -> None:
    """The version with the greatest number is the latest, in whatever order and by whatever clock they were written."""
    for number, run_id in zip(order, (THIRD, SECOND, FIRST), strict=True):
        commit_version(store, make_manifest(number, run_id=run_id))
    latest = latest_version(store, "street")
    assert latest is not None
    assert latest.number == 10


def test_version_of_a_run_is_found(store: DirectoryStore) -> None:
    """What a run committed is found by its run, also behind versions of others."""
    for number, run_id in enumerate((FIRST, SECOND, THIRD), start=1):
        commit_version(store, make_manifest(number, run_id=run_id))
    assert find_version(store, "street", FIRST) == make_manifest(1)
    assert find_version(store, "street", "another") is None


def test_scenes_do_not_see_each_other(store: DirectoryStore) -> None:
    """A scene whose name starts with another's, or has no version, is another scene."""
    commit_version(store, make_manifest(1, "street"))
    commit_version(store, make_manifest(2, "street-2"))
    latest = latest_version(store, "street")
    assert latest is not None
    assert latest.number == 1
    assert latest_version(store, "stree") is None


def test_incomplete_version_is_invisible(store: DirectoryStore, tmp_path: Path) -> None:
    """Blobs, angles and a manifest half written by a killed writer show nothing: the version before is the latest."""
    commit_version(store, make_manifest(1))
    store.put_blob(b"a later sheet", "image/png")
    keep_angle(store, make_angle(THIRD))
    half = tmp_path / "store" / "scenes-index" / "versions" / "street" / "v000002" / "~0123456789abcdef"
    half.parent.mkdir(parents=True)
    half.write_bytes(make_manifest(2).model_dump_json().encode()[:100])
    latest = latest_version(store, "street")
    assert latest is not None
    assert latest.number == 1


def test_only_the_manifest_makes_a_version(store: DirectoryStore) -> None:
    """Another record in the folder of a version is no version, and does not hide the one before."""
    commit_version(store, make_manifest(1))
    store.put_record("versions/street/v000002/notes.json", b"{}")
    latest = latest_version(store, "street")
    assert latest is not None
    assert latest.number == 1


def test_commit_is_once_and_repeatable(store: DirectoryStore, tmp_path: Path) -> None:
    """Committing the same version again is a success that changes nothing."""
    commit_version(store, make_manifest())
    before = {path: path.read_bytes() for path in find_files(tmp_path)}
    commit_version(store, make_manifest())
    assert {path: path.read_bytes() for path in find_files(tmp_path)} == before


def test_a_number_is_taken_once(store: DirectoryStore) -> None:
    """Of two runs that follow the same version the later learns of the other in one sentence, and loses it nothing."""
    commit_version(store, make_manifest(run_id=FIRST))
    with pytest.raises(ConflictError, match=f"^Run {FIRST} has published v000001 of street .* run it again") as caught:
        commit_version(store, make_manifest(run_id=SECOND, shown="ef"))
    assert "\n" not in str(caught.value)
    assert latest_version(store, "street") == make_manifest(run_id=FIRST)


def test_a_try_behind_a_commit_finds_it(store: DirectoryStore) -> None:
    """What shows the same is the version that stands there, also if the scene has gone on since."""
    first = commit_version(store, make_manifest())
    commit_version(store, make_manifest(2, run_id=SECOND, shown="ef"))
    again = first.model_copy(update={"created_at": "2026-01-01T00:00:09+00:00"})
    assert commit_version(store, again) == first


@pytest.mark.parametrize("spoil", [lambda text: text[:100], lambda text: text.replace('_version":3', '_version":4')])
def test_damaged_manifest_is_one_sentence(store: DirectoryStore, spoil: Callable[[str], str]) -> None:
    """A manifest that is cut off or of another schema is named with its place, and no older version takes its rank."""
    commit_version(store, make_manifest(1))
    store.put_record(manifest_key("street", 2), spoil(make_manifest(2).model_dump_json()).encode())
    with pytest.raises(CorruptObjectError, match=r"v000002/manifest.json is damaged or of another version") as caught:
        latest_version(store, "street")
    assert "\n" not in str(caught.value)


def test_damaged_angle_is_rendered_again(store: DirectoryStore, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged record is passed over with a warning, for another run's or for none: it blocks nothing for ever."""
    store.put_blob(PICTURE, "image/png")
    store.put_record(f"angles/{FINGERPRINT}/{SECOND}.json", b'{"name": "left')
    assert find_angle(store, FINGERPRINT) is None
    keep_angle(store, make_angle(FIRST))
    assert find_angle(store, FINGERPRINT) == make_angle(FIRST)
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_keeping_an_angle_over_something_else_fails(store: DirectoryStore, tmp_path: Path) -> None:
    """Where no whole record stands afterwards the angle is not said to be kept."""
    store.put_record(f"angles/{FINGERPRINT}/{FIRST}.json", b"{}")
    with pytest.raises(CorruptObjectError, match="is damaged"):
        keep_angle(store, make_angle(FIRST))
    (tmp_path / f"store/scenes-index/angles/{FINGERPRINT}/{SECOND}.json").mkdir()
    with pytest.raises(MissingObjectError):
        keep_angle(store, make_angle(SECOND))


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


def test_angle_of_a_run_is_found(store: DirectoryStore) -> None:
    """With a run, only what that run rendered counts as finished."""
    store.put_blob(PICTURE, "image/png")
    keep_angle(store, make_angle(FIRST))
    keep_angle(store, make_angle(SECOND))
    assert find_angle(store, FINGERPRINT, FIRST) == make_angle(FIRST)
    assert find_angle(store, FINGERPRINT, THIRD) is None


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
    assert keep_angle(store, again) == make_angle()
    assert find_angle(store, FINGERPRINT) == make_angle()


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
    found = find_finished.fn(request, master, [asked, rendered], None, SECOND, str(tmp_path / "store"))
    assert {name: kept.name for name, kept in found.items()} == {"crane": "crane", "high_angle": "high_angle"}
    assert [AngleSpec.model_validate(kept.spec) for kept in found.values()] == [asked, rendered]
    assert {kept.picture for kept in found.values()} == {picture}
