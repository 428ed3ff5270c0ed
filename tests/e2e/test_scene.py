"""The main path, end to end: what a run leaves behind, what it does not do twice, what survives a failure."""

import time

import polars as pl
import pytest
from PIL import Image
from skimage import data

from storage.doctor import examine_store
from storage.reports import REPORT_SCHEMA, read_report
from tasks.coverage import spec_of
from tasks.requests import DEFAULT_COVERAGE
from tests.e2e.installation import Installation, count_tasks, find_artifacts, listening
from tests.servers import S3Server


def test_a_run_leaves_a_whole_version(installation: Installation) -> None:
    """Seven angles by default: pictures of the master's size, a report, a sheet, a page, and a manifest naming all."""
    manifest = installation.run(angles=list(DEFAULT_COVERAGE))
    store = installation.store
    assert [record.name for record in manifest.angles] == [preset.value for preset in DEFAULT_COVERAGE]
    for record in manifest.angles:
        picture = installation.picture(record)
        assert (picture.size, picture.mode) == ((280, 160), "RGB")
        assert set(record.stage_times_s) == {"queue", "encode", "sample", "decode", "store"}
    report = read_report(store.get_blob(manifest.reports.parquet))
    assert report.columns == REPORT_SCHEMA.names
    assert report["angle"].to_list() == [preset.value for preset in DEFAULT_COVERAGE]
    assert report["training"].unique().to_list() == ["untrained"]
    assert report.select(pl.col("^paper_.*$").is_finite().all()).row(0) == (True,) * 5
    assert "UNTRAINED" in store.get_blob(manifest.reports.review_page).decode()
    assert {path.name for path in installation.views(manifest).iterdir()} == {
        "angles",
        "contact_sheet.png",
        "master.png",
        "report.parquet",
        "review.html",
    }


def test_progress_and_contact_sheet_are_artifacts(installation: Installation) -> None:
    """An angle that takes its time has a progress artifact, and the scene a contact sheet with pictures inside."""
    heard: list[tuple[str, int, int]] = []

    def hear(angle: str, step: int, num_steps: int) -> None:
        heard.append((angle, step, num_steps))
        time.sleep(0.1)  # or all would be over before anybody could look

    with listening(hear):
        state = installation.run_to_end(seed=11)
    assert sorted(heard) == [(name, step, 8) for name in ("close_up", "left_45") for step in range(1, 9)]
    assert [artifact.data for artifact in find_artifacts(state, None)] == [100.0, 100.0]
    (sheet,) = find_artifacts(state, "coverage-scene-u1")
    assert str(sheet.data).count("data:image/jpeg;base64,") == 3
    assert "UNTRAINED" in str(sheet.data)


def test_same_seed_is_the_same_picture_bit_by_bit(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two stores that know nothing of each other get identical PNGs for one seed, and others for another seed."""
    first = installation.run(seed=3)
    monkeypatch.setenv("MASTERSHOT_STORE", str(installation.folder / "other"))
    second = installation.run(seed=3)
    other = installation.run(seed=4)
    assert [record.picture for record in first.angles] == [record.picture for record in second.angles]
    assert {record.picture.sha256 for record in first.angles}.isdisjoint(
        record.picture.sha256 for record in other.angles
    )


def test_a_new_angle_renders_just_that(installation: Installation) -> None:
    """An angle added to a request is rendered, the others are carried on, and the version is the next one."""
    first = installation.run()
    second = installation.run(angles=["close_up", "left_45", "wide"])
    assert (first.number, second.number) == (1, 2)
    assert second.angles[:2] == first.angles
    assert second.angles[2].run_id == second.run_id


def test_only_angles_renders_just_those_again(installation: Installation) -> None:
    """With `only_angles` the one named gets a new seed, the other stays as it was in the latest version."""
    first = installation.run(seed=1)
    second = installation.run(seed=2, only_angles=["left_45"])
    assert second.angles[0] == first.angles[0]
    assert second.angles[1].picture != first.angles[1].picture
    assert second.angles[1].spec["seed"] == 2


def test_explicit_pose_is_rendered_at_the_nearest_that_can_be_said(installation: Installation) -> None:
    """Both the pose asked for and the pose given are recorded."""
    pose = {"name": "over_there", "azimuth_deg": 40, "elevation_deg": 3}
    (record,) = installation.run(angles=[pose]).angles
    report = read_report(installation.store.get_blob(installation.run(angles=[pose]).reports.parquet))
    assert record.name == "over_there"
    assert report.select("asked_azimuth_deg", "given_azimuth_deg", "asked_elevation_deg", "given_elevation_deg").row(
        0
    ) == (40, 45, 3, 0)


def test_equal_recipes_are_rendered_once(installation: Installation) -> None:
    """Two names for one recipe are one task run and one picture, under both names with the pose that each asks for."""
    crane, boom = {"name": "crane", "elevation_deg": 30}, {"name": "boom", "elevation_deg": 25}
    state = installation.run_to_end(angles=[crane, boom], seed=13)
    one, other = state.result().angles
    assert (one.name, other.name) == ("crane", "boom")
    assert (one.picture, one.fingerprint) == (other.picture, other.fingerprint)
    assert [spec_of(record).asked.elevation_deg for record in (one, other)] == [30, 25]
    counts = count_tasks(state)
    assert counts["crane Completed"] + counts["boom Completed"] == 1


def test_the_master_may_vanish_once_it_is_taken_in(installation: Installation) -> None:
    """A source file that is deleted in mid-run is not missed: the store has it."""
    master = installation.folder / "master.png"
    with listening(lambda *_: master.unlink(missing_ok=True)):
        manifest = installation.run()
    assert len(manifest.angles) == 2
    assert not master.exists()


def test_a_real_photograph_keeps_its_shape(installation: Installation) -> None:
    """A portrait-format photograph comes back at its own size."""
    photograph = Image.fromarray(data.astronaut()).crop((60, 0, 360, 480))
    photograph.save(installation.folder / "photograph.jpg")
    manifest = installation.run(master=str(installation.folder / "photograph.jpg"))
    assert manifest.master.original.media_type == "image/jpeg"
    for record in manifest.angles:
        assert installation.picture(record).size == (300, 480)


def test_the_same_flow_on_s3(installation: Installation, seaweed: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a real S3 server a run leaves the same pictures and renders nothing twice, with no right to take away."""
    on_disk = installation.run(seed=9)
    for user in (seaweed, seaweed.as_role("renderer", "e2e")):
        for name, value in user.environment.items():
            monkeypatch.setenv(name, value)
        examine_store(seaweed.url("e2e"), is_quick=True)  # its owner makes the buckets
    monkeypatch.setenv("MASTERSHOT_STORE", seaweed.url("e2e"))
    on_s3 = installation.run(seed=9)
    assert [record.picture for record in on_s3.angles] == [record.picture for record in on_disk.angles]
    assert installation.run(seed=9) == on_s3


def test_two_lanes_render_what_one_lane_renders(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many angles are rendered at the same time does not change a bit."""
    monkeypatch.setenv("MASTERSHOT_NUM_LANES", "2")
    two = installation.run(seed=21)
    monkeypatch.setenv("MASTERSHOT_NUM_LANES", "1")
    monkeypatch.setenv("MASTERSHOT_STORE", str(installation.folder / "one"))
    one = installation.run(seed=21)
    assert [record.picture for record in two.angles] == [record.picture for record in one.angles]


def test_only_angles_never_drops_or_swaps_an_angle(installation: Installation) -> None:
    """An angle that was never finished, or that has another pose under the same name, is not left out in silence."""
    state = installation.run_to_end(only_angles=["left_45"])
    assert state.is_failed()
    assert "no finished close_up to carry on" in (state.message or "")
    crane = {"name": "crane", "azimuth_deg": 45}
    installation.run(angles=["close_up", crane])
    state = installation.run_to_end(angles=["close_up", crane | {"azimuth_deg": -45}], only_angles=["close_up"])
    assert "no finished crane to carry on" in (state.message or "")
