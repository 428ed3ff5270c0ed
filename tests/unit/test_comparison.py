# pyright: standard
"""The comparison of tools: what is asked, what is read from a folder or a manifest, what is kept, what is drawn."""

import io
import json
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from skimage import data

from models.camera import PRESETS, Preset
from models.picture import read_master
from storage.comparison_report import COMPARISON_SCHEMA, read_comparison, write_comparison
from storage.errors import CorruptObjectError
from storage.opening import open_store
from storage.records import MasterRecord
from storage.reports import write_report
from tasks.charts import Bar, Panel, draw_chart
from tasks.comparison_figures import bootstrap, draw_figures
from tasks.comparison_request import ComparedTool, ComparisonRequest, parse_comparison
from tasks.comparison_sources import Candidate, collect_files, collect_published
from tasks.errors import InvalidRequestError
from tasks.ingest import encode_png

Make = Callable[..., dict[Preset, Candidate]]
ANGLES = (Preset.CLOSE_UP, Preset.LEFT_45)


def request(**changes: object) -> ComparisonRequest:
    """A comparison of one scene, with changes."""
    asked = {
        "name": "trial",
        "scenes": [{"scene": "alley", "master": "master.png"}],
        "tools": [{"tool": "Other", "source": "pictures"}],
        "angles": ["close_up", "left_45"],
    }
    return parse_comparison(asked | changes)


def photograph(width_px: int = 96, height_px: int = 64) -> Image.Image:
    """Return a small photograph."""
    return Image.fromarray(data.coffee()).resize((width_px, height_px))


@pytest.fixture
def master(tmp_path: Path) -> MasterRecord:
    """The master of the scene, in the folder and in the store."""
    photograph().save(tmp_path / "master.png")
    picture, facts = read_master((tmp_path / "master.png").read_bytes())
    kept = open_store(str(tmp_path / "store")).put_blob(encode_png(picture), "image/png")
    return MasterRecord(picture=kept, original=kept, source_name="master.png", facts=facts.model_dump(mode="json"))


@pytest.fixture
def collect(tmp_path: Path, master: MasterRecord) -> Make:
    """Collect the pictures of a tool from somewhere below the folder allowed, by angle."""
    (tmp_path / "pictures").mkdir()

    def make(source: str = "pictures") -> dict[Preset, Candidate]:
        tool = ComparedTool(tool="Other", source=str(tmp_path / source))
        store = open_store(str(tmp_path / "store"))
        found = collect_files(tool, request(), {"alley": master}, (tmp_path,), store)
        assert [candidate.angle for candidate in found] == list(ANGLES)
        return {candidate.angle: candidate for candidate in found}

    return make


def bomb() -> bytes:
    """Return a PNG of a few bytes that says it has 60,000 by 60,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_a_folder_of_pictures(collect: Make, tmp_path: Path) -> None:
    """A picture of any accepted format is found by the name of its angle and kept as the PNG that will be scored."""
    photograph(120, 80).save(tmp_path / "pictures/close_up.JPG")
    found = collect()
    close_up, left = found[Preset.CLOSE_UP], found[Preset.LEFT_45]
    assert (close_up.status, close_up.width_px, close_up.height_px, close_up.note) == ("found", 120, 80, None)
    assert close_up.picture is not None
    kept = Image.open(io.BytesIO(open_store(str(tmp_path / "store")).get_blob(close_up.picture)))
    assert (kept.format, kept.mode, kept.size) == ("PNG", "RGB", (120, 80))
    assert (left.status, left.picture) == ("missing", None)
    assert left.note == "There is no left_45.png, .jpg or .webp, only close_up.JPG."


def test_a_folder_for_each_scene(collect: Make, tmp_path: Path) -> None:
    """A folder named like the scene is looked into before the tool's own."""
    (tmp_path / "pictures/alley").mkdir()
    photograph().save(tmp_path / "pictures/close_up.png")
    photograph(64, 64).save(tmp_path / "pictures/alley/close_up.webp")
    assert collect()[Preset.CLOSE_UP].width_px == 64


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no picture", "which is no picture"), (b"", "which is no picture"), (bomb(), "3600000000 pixels")],
)
def test_what_is_no_picture_has_a_reason(collect: Make, tmp_path: Path, content: bytes, words: str) -> None:
    """Bytes that are no picture, and a header that promises too much, are a row with a reason and no crash."""
    (tmp_path / "pictures/close_up.png").write_bytes(content)
    candidate = collect()[Preset.CLOSE_UP]
    assert (candidate.status, candidate.picture) == ("unreadable", None)
    assert words in (candidate.note or "")


def test_cut_ambiguous_and_escaping_files(collect: Make, tmp_path: Path) -> None:
    """A cut file, two files for one angle, and a link to outside the folders allowed are not scored."""
    photograph().save(tmp_path / "pictures/left_45.png")
    whole = (tmp_path / "pictures/left_45.png").read_bytes()
    (tmp_path / "pictures/left_45.png").write_bytes(whole[: len(whole) // 2])
    photograph().save(tmp_path / "pictures/close_up.png")
    photograph().save(tmp_path / "pictures/close_up.jpg")
    found = collect()
    assert found[Preset.LEFT_45].status == "unreadable"
    assert found[Preset.CLOSE_UP].note == "Which is it: close_up.jpg, close_up.png? Keep one."
    (tmp_path / "pictures/close_up.jpg").unlink()
    (tmp_path / "pictures/close_up.png").unlink()
    (tmp_path / "pictures/close_up.png").symlink_to("/etc/hostname")
    escaped = collect()[Preset.CLOSE_UP]
    assert escaped.status == "unreadable"
    assert "outside the folders allowed" in (escaped.note or "")


def write_manifest(folder: Path, **changes: object) -> None:
    """Write the manifest of a tool beside its pictures."""
    scene = {"scene": "alley", "master": "../master.png", "angles": {"close_up": "one.png", "left_45": "gone.png"}}
    (folder / "made.json").write_text(json.dumps({"tool": "Other", "scenes": [scene | changes]}))


def test_a_manifest_names_files(collect: Make, tmp_path: Path) -> None:
    """Files are named from the manifest's folder; what it names and is not there is missing."""
    photograph(90, 60).save(tmp_path / "pictures/one.png")
    write_manifest(tmp_path / "pictures")
    found = collect("pictures/made.json")
    assert (found[Preset.CLOSE_UP].status, found[Preset.CLOSE_UP].width_px) == ("found", 90)
    assert (found[Preset.LEFT_45].status, found[Preset.LEFT_45].picture) == ("missing", None)
    assert "gone.png" in (found[Preset.LEFT_45].note or "")


def test_a_manifest_of_another_master(collect: Make, tmp_path: Path) -> None:
    """Pictures that were made from another master are not compared with this one."""
    photograph(90, 60).save(tmp_path / "pictures/one.png")
    write_manifest(tmp_path / "pictures", master="one.png")
    assert {candidate.status for candidate in collect("pictures/made.json").values()} == {"other_master"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"scene": "quay"}, "quay"), ({"angles": {"clos_up": "one.png"}}, "clos_up"), ({"colour": 1}, "colour")],
)
def test_a_manifest_that_cannot_be_understood(
    collect: Make, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    """A scene that is not compared, an angle that is none, and unknown fields are refused in one sentence."""
    write_manifest(tmp_path / "pictures", **changes)
    with pytest.raises(InvalidRequestError, match=words) as caught:
        collect("pictures/made.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["nowhere", "pictures/made.json", "..", "a\0b"])
def test_a_source_that_is_not_there(collect: Make, source: str) -> None:
    """A folder or manifest that is absent or not allowed is a mistake of the request, not a row of missing pictures."""
    with pytest.raises(InvalidRequestError, match="Other"):
        collect(source)


def test_a_scene_that_was_never_published(master: MasterRecord, tmp_path: Path) -> None:
    """Of a scene without a version every angle is missing."""
    tool, store = ComparedTool(tool="ours", source="store:3"), open_store(str(tmp_path / "store"))
    found = collect_published(tool, request(), {"alley": master}, store)
    assert {(candidate.status, candidate.picture) for candidate in found} == {("missing", None)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tools": [{"tool": "<b>", "source": "x"}]}, "tools.0.tool"),
        ({"tools": [{"tool": "A", "source": "x"}, {"tool": "A", "source": "y"}]}, "tools names one more than once"),
        ({"angles": ["clos_up"]}, "angles.0"),
        ({"profile": "none"}, "there is no profile 'none'"),
        ({"scenes": []}, "scenes"),
    ],
)
def test_what_cannot_be_compared(changes: dict[str, object], words: str) -> None:
    """A request that cannot be understood is refused in one sentence that names the place."""
    with pytest.raises(InvalidRequestError, match=words):
        request(**changes)


def row(tool: str = "Other", scene: str = "alley", angle: str = "close_up", **changes: object) -> dict[str, Any]:
    """A row of a scored picture, with changes."""
    asked = {f"asked_{name}": value for name, value in PRESETS[Preset(angle)].model_dump().items()}
    made: dict[str, Any] = {"tool": tool, "scene": scene, "angle": angle, "status": "scored", "source": "pictures"}
    made |= {"comparison": "trial", "run_id": "1", "created_at": datetime(2026, 11, 23, tzinfo=UTC), **asked}
    made |= {"master_sha256": "0" * 64, "master_width_px": 96, "master_height_px": 64, "picture_sha256": "1" * 64}
    for level, value in (("", 0.5), ("_chance", 0.25), ("_null", 1.0)):
        made |= {f"paper_{name}{level}": value for name in ("clip", "style", "cam_move", "semantic")}
        made |= {f"paper_composite{level}": 100 * value}
    return made | {"verdict": "pass", "was_resized": False} | changes


def missing(**changes: object) -> dict[str, Any]:
    """A row without a picture."""
    whole = row(**changes)  # pyright: ignore[reportArgumentType]
    scored = [name for name in whole if name.startswith("paper_") and not name.endswith(("_chance", "_null"))]
    rest = {name: value for name, value in whole.items() if name not in (*scored, "verdict", "picture_sha256")}
    return rest | {"status": "missing", "note": "gone", "was_resized": None}


def test_the_report_is_read_as_it_was_written() -> None:
    """Rows with and without figures come back; the file says what it is."""
    written = write_comparison([row(), missing(angle="wide")])
    rows = read_comparison(written)
    assert rows.columns == COMPARISON_SCHEMA.names
    assert rows["paper_style"].to_list() == [0.5, None]
    metadata = pq.read_schema(io.BytesIO(written)).metadata
    assert (metadata[b"mastershot.kind"], metadata[b"mastershot.schema_version"]) == (b"comparison", b"2")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row(), row()], "two rows have the same tool, scene, angle"),
        ([row(colour=1)], "no column colour"),
        ([row(status="fine")], "status cannot be 'fine'"),
        ([row(paper_style=None)], "paper_style is missing"),
        ([missing() | {"verdict": "fail"}], "verdict is given of a picture that was not scored"),
        ([missing() | {"note": ""}], "note is missing"),
        ([row(source=None)], "source is missing"),
    ],
)
def test_rows_that_say_too_much_or_too_little(rows: list[dict[str, Any]], words: str) -> None:
    """A picture without a score has no figures and a reason, one with a score has them all."""
    with pytest.raises(pa.ArrowInvalid, match=words):
        write_comparison(rows)


@pytest.mark.parametrize("content", [b"", b"PAR1", write_report([])])
def test_other_files_are_no_comparison(content: bytes) -> None:
    """Damaged bytes and a report of another kind are refused."""
    with pytest.raises(CorruptObjectError):
        read_comparison(content)


def test_intervals_need_three_scenes() -> None:
    """Of two scenes there is no interval; of more it is that of resampled means, and holds the mean."""
    assert bootstrap([0.1, 0.9]) is None
    values = np.random.default_rng(1).normal(5, 1, 40).tolist()
    low, high = bootstrap(values) or (0.0, 0.0)
    assert low < np.mean(values) < high
    assert high - low == pytest.approx(2 * 1.96 * np.std(values) / np.sqrt(40), rel=0.15)
    assert bootstrap([2.0, 2.0, 2.0]) == (2.0, 2.0)


def draw(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return what each figure says, in words."""
    figures = draw_figures(read_comparison(write_comparison(rows)))
    return {name: "|".join(ET.fromstring(figure).itertext()) for name, figure in figures.items()}  # noqa: S314 - ours


def test_figures_are_drawn_from_the_report() -> None:
    """Bars are means over scenes of what was scored, levels stand beside them, and what is absent is said."""
    rows = [row(scene=f"s{n}", paper_composite=40.0 + 10 * n, paper_clip=None) for n in (1, 2, 3)]
    rows += [missing(tool="ours", scene="s1", training="untrained")]
    words = draw(rows)
    assert "60.0000" in words["figure_8"]
    assert "none" in words["figure_8"]
    assert "Other: 3 of 3; ours: 0 of 1" in words["figure_8"]
    assert all(level in words[name] for name in words for level in ("chance", "null edit"))
    assert "Not enough scenes for an interval (fewer than 3): ours." in words["intervals"]
    assert "UNTRAINED weights, which prove no quality: ours." in words["figure_9"]
    assert all(f"0.{digits}" not in "".join(words.values()) for digits in ("8267", "9208", "8764", "2884", "9364"))


def test_a_chart_takes_any_words() -> None:
    """Names are text and never markup, and a chart of nothing known is still a chart."""
    name = "<script>&'\""
    panel = Panel(title=name, groups=((name, (Bar(series=0, value=None),)),))
    drawn = draw_chart(name, [name], [name], [panel], columns=1)
    assert "<script>" not in drawn
    assert name in "|".join(ET.fromstring(drawn).itertext())  # noqa: S314 - ours
