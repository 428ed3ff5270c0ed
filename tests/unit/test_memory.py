"""How much memory scoring and publishing take: one picture of the full size at a time, however many there are."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from models.camera import Pose, phrase
from models.framing import plan_framing
from models.profiles import MINIATURE
from models.scores.paper import PaperScores
from models.specs import AngleSpec
from storage.directory import DirectoryStore
from storage.objects import BlobRef
from storage.records import AngleRecord, MasterRecord
from tasks.coverage import Coverage
from tasks.ingest import encode_png
from tasks.publish import publish_version
from tasks.requests import parse_request
from tasks.score import score_scene

SIDE_PX, NUM_ANGLES = 4000, 5
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
    """Return by how much the memory of this process grows at most while `work` runs for the second time."""
    work()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = _read_status("VmRSS")
    work()
    return _read_status("VmHWM") - before


def _read_status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def test_scoring_holds_one_large_picture(
    tmp_path: Path, weights: Path, master: BlobRef, records: tuple[AngleRecord, ...]
) -> None:
    """Six pictures are scored in the room of less than three."""
    peak = measure_peak_kib(lambda: score_scene.fn(master, records, MINIATURE, weights, str(tmp_path)))
    assert peak < 3 * PICTURE_KIB


def test_publishing_holds_one_large_picture(tmp_path: Path, master: BlobRef, records: tuple[AngleRecord, ...]) -> None:
    """Six pictures are laid out on the sheet, the page and the summary in the room of less than three."""
    coverage = Coverage(
        scene="street",
        number=1,
        run_id="20260101T000000Z-aaaaaaaaaaaa",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        profile=MINIATURE,
        master=master,
        angles=records,
        scores=dict.fromkeys(NAMES, PaperScores(clip=0, style=0, cam_move=0, semantic=0)),
    )
    request = parse_request({"scene": "street", "master": "m"})
    taken_in = MasterRecord(picture=master, original=master, source_name="m", facts={})
    peak = measure_peak_kib(lambda: publish_version.fn(request, taken_in, coverage, str(tmp_path)))
    assert peak < 3 * PICTURE_KIB
