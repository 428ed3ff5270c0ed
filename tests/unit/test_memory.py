"""How much memory scoring and publishing take: one picture of the full size at a time, however many there are."""

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import pytest
from PIL import Image

from models.camera import Pose, phrase
from models.framing import plan_framing
from models.profiles import MINIATURE
from models.specs import AngleSpec
from storage.directory import DirectoryStore
from storage.objects import BlobRef
from storage.records import AngleRecord, MasterRecord
from tasks.ingest import encode_png
from tasks.publish import publish_version
from tasks.score import score_scene
from tests.coverages import cover

SIDE_PX, NUM_ANGLES, FEW = 3000, 6, 2
PICTURE_KIB = SIDE_PX * SIDE_PX * 4 // 1024  # Pillow keeps four bytes a pixel
NAMES = [f"angle_{number}" for number in range(NUM_ANGLES)]


@pytest.fixture
def master(tmp_path: Path) -> BlobRef:
    """Keep a large picture in a new store."""
    picture = Image.new("RGB", (SIDE_PX, SIDE_PX), "#336699")
    return DirectoryStore(tmp_path).put_blob(encode_png(picture), "image/png")


@pytest.fixture
def records(master: BlobRef) -> tuple[AngleRecord, ...]:
    """Return finished angles that all show the master."""
    spec = AngleSpec(
        name="angle",
        asked=Pose(),
        instruction=phrase(Pose(), "relative"),
        seed=0,
        profile=MINIATURE,
        weights_sha256="11" * 32,
        reference_sha256=master.sha256,
        framing=plan_framing(SIDE_PX, SIDE_PX, MINIATURE.reference_area_px),
    )
    return tuple(
        AngleRecord(
            name=name,
            fingerprint=spec.fingerprint,
            spec=spec.model_dump(mode="json"),
            picture=master,
            stage_times_s=dict.fromkeys(("queue", "encode", "sample", "decode", "store"), 0.0),
            run_id="20260101T000000Z-aaaaaaaaaaaa",
            rendered_at="2026-01-01T00:00:00+00:00",
        )
        for name in NAMES
    )


def measure_peak_kib(work: Callable[[], object]) -> int:
    """Return how much memory this process takes at most while `work` runs for the second time."""
    work()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    work()
    return _read_status("VmHWM")


def _read_status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def measure_scoring_kib(
    folder: Path, weights: Path, master: BlobRef, records: Sequence[AngleRecord], counts: Sequence[int]
) -> list[int]:
    """Return how much memory scoring takes at most, of each count of angles, in a store that knows no cards yet."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one after another, so that no peaks meet by chance
    stores = (shutil.copytree(folder, Path(f"{folder}-{number}")) for number in count())

    def score(num_angles: int) -> object:
        return score_scene.fn(master, records[:num_angles], MINIATURE, weights, str(next(stores)))

    return [measure_peak_kib(partial(score, num_angles)) for num_angles in counts]


def test_scoring_six_angles_takes_no_more_room_than_two(
    tmp_path: Path, weights: Path, master: BlobRef, records: tuple[AngleRecord, ...]
) -> None:
    """Four more pictures cost less than the room of two, in a process of its own: none is kept once it is scored."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        measured = pool.submit(measure_scoring_kib, tmp_path, weights, master, records, (FEW, NUM_ANGLES))
        peak_of_few, peak = measured.result()
    assert peak < peak_of_few + 2 * PICTURE_KIB


def test_publishing_holds_one_large_picture(tmp_path: Path, master: BlobRef, records: tuple[AngleRecord, ...]) -> None:
    """Seven pictures are laid out on the sheet, the page and the summary in the room of less than three."""
    coverage = cover({record.name: record for record in records}, master=master)
    taken_in = MasterRecord(picture=master, original=master, source_name="m", facts={})
    before = measure_peak_kib(lambda: None)
    peak = measure_peak_kib(lambda: publish_version.fn(taken_in, coverage, str(tmp_path)))
    assert peak < before + 3 * PICTURE_KIB
