"""The main path, end to end: what a run leaves behind, what it does not do twice, what survives a failure."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from skimage import data

from models.profiles import MINIATURE
from models.scores.paper import PaperScores
from storage.records import AngleRecord
from storage.reports import REPORT_SCHEMA, read_report
from tasks.errors import AnglesFailedError
from tasks.progress import listener
from tasks.publish import publish_version
from tasks.reports import Coverage
from tasks.requests import DEFAULT_COVERAGE, parse_request
from tests.e2e.installation import Installation, count_tasks
from tests.seaweed import SeaweedServer


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
    views = installation.folder / "store/scenes/views/scene_1"
    assert {path.name for path in views.iterdir()} == {
        "angles",
        "contact_sheet.png",
        "master.png",
        "report.parquet",
        "review.html",
    }


def test_progress_and_contact_sheet_are_artifacts(installation: Installation) -> None:
    """Every angle has a progress artifact at 100 %, and the scene a markdown contact sheet with pictures inside."""
    heard: list[tuple[str, int, int]] = []
    token = listener.set(lambda *event: heard.append(event))
    state = installation.run_to_end(seed=11)
    listener.reset(token)
    assert sorted(heard) == [(name, step, 8) for name in ("close_up", "left_45") for step in range(1, 9)]
    with get_client(sync_client=True) as client:
        artifacts = [
            artifact
            for artifact in client.read_artifacts(limit=200)
            if artifact.flow_run_id == state.state_details.flow_run_id
        ]
    progress = [artifact for artifact in artifacts if artifact.type == "progress"]
    assert [artifact.data for artifact in progress] == [100.0, 100.0]
    (sheet,) = [artifact for artifact in artifacts if artifact.key == "coverage-scene-1"]
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


def test_an_identical_run_renders_nothing(installation: Installation) -> None:
    """The second run of a request has no angle to render and publishes no new version."""
    first = installation.run()
    state = installation.run_to_end()
    assert state.result() == first
    assert set(count_tasks(state)) == {
        f"ingest {installation.folder / 'master.png'} Completed",
        "plan coverage Completed",
        "find finished angles Completed",
    }


def test_a_new_angle_renders_just_that(installation: Installation) -> None:
    """An angle added to a request is rendered, the others are carried on, and the version names its parent."""
    first = installation.run()
    second = installation.run(angles=["close_up", "left_45", "wide"])
    assert second.parent_run_id == first.run_id
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


def test_one_failed_angle_fails_the_run_and_a_retry_renders_just_that(installation: Installation) -> None:
    """The flow is Failed, not Completed; the other angle is kept; Prefect's retry renders the one that is missing."""
    blocked = _block_picture(installation, "left_45")
    state = installation.run_to_end()
    assert state.is_failed()
    assert isinstance(state.result(raise_on_failure=False), AnglesFailedError)
    assert state.message
    assert "1 of 2 angles failed (left_45: " in state.message
    assert len(installation.finished_angles()) == 1

    heard: list[tuple[str, int]] = []

    def unblock(angle: str, step: int, _: int) -> None:
        heard.append((angle, step))
        if heard.count(("left_45", 1)) == 2:
            blocked.unlink(missing_ok=True)

    token = listener.set(unblock)
    state = installation.run_to_end(retries=1)
    listener.reset(token)
    assert state.is_completed()
    counts = count_tasks(state)
    assert {name: count for name, count in counts.items() if name.startswith(("close_up", "left_45"))} == {
        "left_45 Failed": 1,
        "left_45 Completed": 1,
    }


def _block_picture(installation: Installation, angle: str) -> Path:
    """Make the store refuse the picture of `angle`: a file lies where its folder must be. Return that file."""
    twin = Installation(folder=installation.folder / "twin")
    previous = os.environ["MASTERSHOT_STORE"]
    os.environ["MASTERSHOT_STORE"] = str(twin.folder / "store")
    record = next(record for record in installation.run().angles if record.name == angle)
    os.environ["MASTERSHOT_STORE"] = previous
    obstacle = installation.folder / "store/scenes" / Path(record.picture.key).parent
    obstacle.parent.mkdir(parents=True)
    obstacle.write_bytes(b"in the way")
    return obstacle


def test_a_kill_loses_no_finished_angle(installation: Installation) -> None:
    """After kill -9 behind the third angle, the next run renders exactly the missing ones."""
    request = installation.request(angles=list(DEFAULT_COVERAGE))
    script = f"from flows.scene import render_scene; render_scene({json.dumps(request)})"
    environment = {**os.environ, "MASTERSHOT_NUM_LANES": "1", "PREFECT_API_URL": PREFECT_API_URL.value() or ""}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(installation.finished_angles()) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {
        AngleRecord.model_validate_json(installation.store.get_record(key)).name
        for key in installation.finished_angles()
    }
    assert len(kept) == 3
    assert installation.store.list_records("runs/") == []

    manifest = installation.run(angles=list(DEFAULT_COVERAGE))
    assert {record.name for record in manifest.angles if record.run_id != manifest.run_id} == kept
    assert len(manifest.angles) == 7


def test_publishing_again_changes_nothing(installation: Installation) -> None:
    """A try behind one that had committed its version finds it, and lays out the views that may be missing."""
    manifest = installation.run()
    view = installation.folder / "store/scenes/views/scene_1/review.html"
    view.unlink()
    zero = PaperScores(clip=0, style=0, cam_move=0, semantic=0)
    coverage = Coverage(
        scene=manifest.scene,
        run_id=manifest.run_id,
        created_at=datetime.fromisoformat(manifest.created_at),
        profile=MINIATURE,
        master=manifest.master.picture,
        angles=manifest.angles,
        scores={record.name: zero for record in manifest.angles},
    )
    request = parse_request(manifest.request)
    assert publish_version.fn(request, manifest.master, coverage, str(installation.folder / "store")) == manifest
    assert view.exists()


def test_the_master_may_vanish_once_it_is_taken_in(installation: Installation) -> None:
    """A source file that is deleted in mid-run is not missed: the store has it."""
    master = installation.folder / "master.png"
    token = listener.set(lambda *_: master.unlink(missing_ok=True))
    manifest = installation.run()
    listener.reset(token)
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


def test_the_same_flow_on_s3(
    installation: Installation, seaweed: SeaweedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real S3 server a run leaves the same pictures, finds them again, and renders nothing twice."""
    on_disk = installation.run(seed=9)
    for name, value in seaweed.environment.items():
        monkeypatch.setenv(name, value)
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
