# pyright: standard
"""The comparison of tools, end to end: the same scores for all, and a row for what cannot be scored."""

import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from flows.comparison import compare_tools, main
from storage.comparison_report import read_comparison
from storage.records import Manifest
from tasks.comparison import Comparison
from tests.e2e.installation import Installation

Capture = pytest.CaptureFixture[str]
FIGURES = pl.col("^(paper_.*|verdict|reasons|order_score|camera_.*|colour_distance|structure)$")


def compare(installation: Installation, tools: dict[str, str], **changes: object) -> tuple[Comparison, pl.DataFrame]:
    """Run the flow on the master of the installation, and return what it made and its rows."""
    request: Any = {
        "name": "trial",
        "scenes": [{"scene": "scene_1", "master": str(installation.folder / "master.png")}],
        "tools": [{"tool": tool, "source": source} for tool, source in tools.items()],
        "angles": ["close_up", "left_45"],
    }
    comparison = compare_tools(request | changes)
    return comparison, read_comparison(installation.store.get_blob(comparison.report))


def bring_in(installation: Installation, manifest: Manifest, name: str) -> Path:
    """Write the pictures of a version into a folder, as if another tool had made them."""
    folder = installation.folder / name
    folder.mkdir()
    for record in manifest.angles:
        installation.picture(record).save(folder / f"{record.name}.png")
    return folder


def test_equal_pictures_have_equal_scores(installation: Installation) -> None:
    """Our own version and the same pictures brought in from outside differ in their names alone."""
    brought = bring_in(installation, installation.run(), "brought")
    comparison, rows = compare(installation, {"ours": "store", "Brought in": str(brought)})
    assert (comparison.num_rows, comparison.num_scored) == (4, 4)
    ours, other = (rows.filter(tool=tool).sort("angle") for tool in ("ours", "Brought in"))
    assert ours.select("angle", "picture_sha256", FIGURES).equals(other.select("angle", "picture_sha256", FIGURES))
    assert ours["training"].to_list() == ["untrained"] * 2
    assert other["training"].to_list() == [None] * 2
    assert rows["was_resized"].to_list() == [False] * 4
    assert rows.select(pl.col("^paper_.*$").is_finite().all()).row(0) == (True,) * 20
    assert rows["paper_composite_null"].to_list() == pytest.approx([200 / 3] * 4)


def test_results_are_laid_out_and_say_what_they_are(installation: Installation) -> None:
    """The report and three figures lie under the name of the comparison; untrained weights are named in every one."""
    installation.run()
    comparison, rows = compare(installation, {"ours": "store:1"})
    folder = installation.folder / "store/scenes/views/_comparisons/trial"
    assert {path.name for path in folder.iterdir()} == {"comparison.parquet", *comparison.figures}
    assert set(comparison.figures) == {"figure_8.svg", "figure_9.svg", "intervals.svg"}
    assert read_comparison((folder / "comparison.parquet").read_bytes()).equals(rows)
    for figure in comparison.figures:
        assert "UNTRAINED" in (folder / figure).read_text()
    assert "Not enough scenes for an interval" in (folder / "intervals.svg").read_text()


def test_what_cannot_be_scored_is_a_row(installation: Installation) -> None:
    """A missing picture, a damaged one and one of another size do not stop the rest; each says what became of it."""
    odd = installation.folder / "odd"
    odd.mkdir()
    (odd / "left_45.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    Image.open(installation.folder / "master.png").convert("RGB").resize((100, 100)).save(odd / "close_up.webp")
    (installation.folder / "empty").mkdir()
    comparison, rows = compare(installation, {"Odd": str(odd), "Empty": str(installation.folder / "empty")})
    assert (comparison.num_rows, comparison.num_scored) == (4, 1)
    assert rows["status"].to_list() == ["scored", "unreadable", "missing", "missing"]
    square = rows.row(0, named=True)
    assert (square["was_resized"], square["width_px"], square["master_width_px"]) == (True, 100, 280)
    assert square["note"].startswith("It came at 100x100 and was brought to the master's 280x160, which is another")
    assert rows[1:]["paper_composite"].to_list() == [None] * 3
    assert rows[1:]["verdict"].to_list() == [None] * 3
    assert all(rows[1:]["note"].to_list())


def test_a_version_of_another_master_is_not_compared(installation: Installation) -> None:
    """What was made from another still under the same name of a scene has no figures."""
    installation.run()
    Image.new("RGB", (280, 160), "teal").save(installation.folder / "other.png")
    scenes = [{"scene": "scene_1", "master": str(installation.folder / "other.png")}]
    _, rows = compare(installation, {"ours": "store"}, scenes=scenes)
    assert rows["status"].to_list() == ["other_master"] * 2
    assert rows["paper_style"].to_list() == [None] * 2


def run_command(monkeypatch: pytest.MonkeyPatch, installation: Installation, *tools: str) -> int:
    """Run the command line for close-ups of the master of the installation."""
    words = ["--scene", "scene_1", "--master", str(installation.folder / "master.png"), "--angles", "close_up"]
    named = [word for tool in tools for word in ("--tool", tool)]
    monkeypatch.setattr(sys, "argv", ["python -m flows.comparison", *words, *named])
    return main()


def test_the_command_line_says_where_the_results_are(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """One line for the count and one for each file, which is there."""
    brought = bring_in(installation, installation.run(), "brought")
    assert run_command(monkeypatch, installation, f"Other={brought}", "ours=store") == 0
    count, *files = capsys.readouterr().out.splitlines()
    assert count == "2 of 2 pictures scored"
    assert [Path(file).name for file in files] == [
        "comparison.parquet",
        "figure_8.svg",
        "figure_9.svg",
        "intervals.svg",
    ]
    assert all(Path(file).is_file() for file in files)


@pytest.mark.parametrize(("tool", "words"), [("Other=nowhere", "'nowhere'"), ("Other", "tools.0.source")])
def test_the_command_line_fails_in_one_sentence(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tool: str, words: str
) -> None:
    """A tool whose pictures are nowhere, and one without a place, are named."""
    assert run_command(monkeypatch, installation, tool) == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("Failed: ")
    assert words in last
