"""A second time: what another run, a retry or a run after a kill finds, carries on, and does not do again."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from prefect.settings import PREFECT_API_URL

from flows.__main__ import run_embedded
from storage.records import AngleRecord
from storage.versions import commit_version, latest_version
from tasks.errors import AnglesFailedError
from tasks.finished import find_parent
from tasks.publish import publish_version
from tasks.requests import DEFAULT_COVERAGE, parse_request
from tests.coverages import cover
from tests.e2e.installation import Installation, count_tasks, find_artifacts, listening


def test_an_identical_run_renders_nothing(installation: Installation) -> None:
    """The second run of a request has no angle to render and publishes no new version."""
    first = installation.run()
    state = installation.run_to_end()
    assert state.result() == first
    assert set(count_tasks(state)) == {
        "claim store Completed",
        f"ingest {installation.folder / 'master.png'} Completed",
        "check store Completed",
        "plan coverage Completed",
        "find parent version Completed",
        "find finished angles Completed",
        "score scene Completed",
        "look at all views together Completed",
        "lay out views Completed",
        "show coverage Completed",
    }
    assert len(find_artifacts(state, "coverage-scene-u1")) == 1


def test_an_identical_run_is_fast(installation: Installation) -> None:
    """Run as the command line does, in a warm process, a request takes less than a fifth the second time."""
    request = installation.request(angles=list(DEFAULT_COVERAGE), seed=32)
    run_embedded(parse_request(request | {"angles": ["wide"], "seed": 31}))
    seconds: list[float] = []
    for _ in range(2):
        start = time.perf_counter()
        run_embedded(parse_request(request))
        seconds.append(time.perf_counter() - start)
    assert seconds[1] < seconds[0] / 5


def test_views_that_failed_are_laid_out_by_the_next_run(installation: Installation) -> None:
    """A run whose version was committed and whose views were not is made whole by an identical one, from the store."""
    obstacle = installation.folder / "store/scenes/views/scene_1"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_bytes(b"in the way")
    assert installation.run_to_end().is_failed()
    assert len(installation.store.list_records("versions/")) == 1
    obstacle.unlink()
    state = installation.run_to_end()
    manifest = state.result()
    assert (installation.views(manifest) / "angles/left_45.png").exists()
    assert len(find_artifacts(state, "coverage-scene-u1")) == 1
    assert not {name for name in count_tasks(state) if name.startswith(("publish", "close_up", "left_45"))}


def test_every_version_has_views_of_its_own(installation: Installation) -> None:
    """No picture of an older version lies among those of a newer, and the older stays as it was."""
    first = installation.run(angles=["close_up", "left_45"])
    second = installation.run(angles=["close_up"])
    names = [{path.name for path in (installation.views(version) / "angles").iterdir()} for version in (first, second)]
    assert names == [{"close_up.png", "left_45.png"}, {"close_up.png"}]


def test_one_failed_angle_fails_the_run_and_a_retry_keeps_just_that(installation: Installation) -> None:
    """The flow is Failed, not Completed; the other angle is kept; Prefect's retry keeps what was set aside."""
    blocked = installation.block_picture("left_45")
    state = installation.run_to_end()
    assert state.is_failed()
    assert isinstance(state.result(raise_on_failure=False), AnglesFailedError)
    assert state.message
    assert "1 of 2 angles failed (left_45: " in state.message
    assert len(installation.finished_angles()) == 1

    blocked = installation.block_picture("left_45", seed=3)
    heard: list[tuple[str, int]] = []
    with listening(lambda angle, step, _: heard.append((angle, step))), _unblocking(blocked):
        state = installation.run_to_end(retries=1, seed=3)
    assert state.is_completed()
    assert (heard.count(("close_up", 1)), heard.count(("left_45", 1))) == (1, 1)
    counts = count_tasks(state)
    assert {name: count for name, count in counts.items() if name.startswith(("close_up", "left_45"))} == {
        "close_up Completed": 1,
        "left_45 Failed": 1,
        "left_45 Completed": 1,
    }


def test_a_retry_does_not_retake_what_it_has_retaken(installation: Installation) -> None:
    """With `only_angles`, Prefect's retry renders just what the try before did not finish."""
    first = installation.run(seed=1)
    both = {"seed": 2, "only_angles": ["close_up", "left_45"]}
    blocked = installation.block_picture("left_45", seed=2)
    heard: list[tuple[str, int]] = []
    with listening(lambda angle, step, _: heard.append((angle, step))), _unblocking(blocked):
        state = installation.run_to_end(retries=1, **both)
    second = state.result()
    assert {record.run_id for record in second.angles} == {second.run_id} != {first.run_id}
    assert (heard.count(("close_up", 1)), heard.count(("left_45", 1))) == (1, 1)
    counts = count_tasks(installation.run_to_end(**both))
    assert (counts["close_up Completed"], counts["left_45 Completed"]) == (1, 1)


@contextmanager
def _unblocking(obstacle: Path) -> Generator[None]:
    """Take an obstacle away once a picture was set aside because of it."""

    class Unblock(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "is set aside" in record.getMessage():
                obstacle.rmdir()

    handler = Unblock()
    logging.getLogger("tasks.spool").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("tasks.spool").removeHandler(handler)


def test_a_version_of_another_run_is_never_lost(installation: Installation) -> None:
    """A retake that another run publishes in the meantime stops this one, whose retry carries it on."""
    first = installation.run(seed=1)
    theirs = first.angles[0].model_copy(update={"run_id": "another"})
    other = first.model_copy(
        update={"number": 2, "run_id": "another", "coverage_sha256": "ef" * 32, "angles": (theirs, first.angles[1])}
    )
    mine = {"seed": 2, "only_angles": ["left_45"]}
    with listening(lambda *_: void(commit_version(installation.store, other))):
        state = installation.run_to_end(**mine)
    assert state.is_failed()
    assert "Run another has published v000002 of scene_1 since this run began" in (state.message or "")
    assert latest_version(installation.store, "scene_1") == other

    again = other.model_copy(update={"number": 3, "run_id": "a third"})
    with listening(lambda *_: void(commit_version(installation.store, again))):
        state = installation.run_to_end(retries=1, **mine)
    merged = state.result()
    assert merged.number == 4
    assert merged.angles[0] == theirs
    assert merged.angles[1].run_id == merged.run_id
    assert count_tasks(state)["left_45 Completed"] == 1


def void(_: object) -> None:
    """Let go of a result."""


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
    assert installation.store.list_records("versions/") == []

    manifest = installation.run(angles=list(DEFAULT_COVERAGE))
    assert {record.name for record in manifest.angles if record.run_id != manifest.run_id} == kept
    assert len(manifest.angles) == 7


def test_publishing_again_changes_nothing(installation: Installation) -> None:
    """A try behind one that had committed its version finds it, also if the scene has gone on since."""
    manifest = installation.run()
    installation.run(seed=2)
    coverage = cover({record.name: record for record in manifest.angles}, master=manifest.master.picture)
    coverage = coverage.model_copy(
        update={"request": parse_request(manifest.request), "number": manifest.number, "run_id": manifest.run_id}
    )
    store = str(installation.folder / "store")
    assert publish_version.fn(manifest.master, coverage, store) == manifest
    assert find_parent.fn(manifest.scene, manifest.run_id, store, is_retry=True) == manifest
    assert find_parent.fn(manifest.scene, manifest.run_id, store, is_retry=False) != manifest
