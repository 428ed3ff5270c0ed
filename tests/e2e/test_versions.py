"""Versions as people use them: the command line on real renders of the untrained miniature."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from flows.versions import main
from storage.records import Manifest
from storage.versions import commit_version, latest_version, manifest_key
from tests.e2e.installation import Installation

Capture = pytest.CaptureFixture[str]
Command = Callable[..., tuple[int, object]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Command:
    """Run a command of `python -m flows.versions` for its JSON; return the exit code, and the JSON or the failure."""

    def run(*words: object) -> tuple[int, object]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["python -m flows.versions", *map(str, words), "--format", "json"])
        code, printed = main(), capsys.readouterr()
        return code, json.loads(printed.out) if printed.out else printed.err.strip()

    return run


def change(installation: Installation, manifest: Manifest, **spec: object) -> Manifest:
    """Publish a version whose first angle has another recipe, as if other code or weights had made it."""
    first = manifest.angles[0]
    changed = first.model_copy(update={"spec": first.spec | spec})
    update = {"number": manifest.number + 1, "angles": (changed, *manifest.angles[1:]), "coverage_sha256": "0" * 64}
    return commit_version(installation.store, manifest.model_copy(update=update))


def test_rendered_version_is_reproduced_and_restored(installation: Installation, command: Command) -> None:
    """A version is bit-identical when it is rendered again; restored it is the newest, and the next run follows it."""
    first = installation.run()
    second = installation.run(seed=1)
    records = installation.finished_angles()
    code, outcomes = command("reproduce", "scene_1", 1)
    same = {"outcome": "identical", "max_difference": 0, "mean_difference": 0.0}
    assert (code, outcomes) == (0, [{"angle": name} | same for name in ("close_up", "left_45")])
    assert command("restore", "scene_1", "v1") == (0, {"scene": "scene_1", "version": 3, "restored_from": 1})
    latest = latest_version(installation.store, "scene_1")
    assert latest
    assert (latest.parent, latest.angles, latest.code) == (second.number, first.angles, first.code)
    assert {"mastershot", "recipe_version"} <= first.code.keys()
    assert first.verdicts
    assert sum(first.verdicts.values()) == 2
    assert (installation.views(latest) / "angles/left_45.png").exists()
    assert installation.run() == latest
    assert installation.finished_angles() == records
    assert len(installation.store.list_records("versions/")) == 3
    assert command("reproduce", "scene_1", 3, "--angles", "left_45") == (0, [{"angle": "left_45"} | same])


def test_other_code_weights_and_pictures_are_told(installation: Installation, command: Command) -> None:
    """Other recipes and weights are refused in a sentence; a picture that is another is measured."""
    first = installation.run(angles=["wide"])
    other_code = change(installation, first, recipe_version=0)
    other_weights = change(installation, other_code, recipe_version=1, weights_sha256="ab" * 32)
    other_picture = change(installation, other_weights, weights_sha256=first.angles[0].spec["weights_sha256"], seed=5)
    for version, words in ((other_code, "rendered by recipe 0"), (other_weights, "rendered with weights abababababab")):
        code, failure = command("reproduce", "scene_1", version.number)
        assert (code, str(failure).splitlines()) == (1, [failure])
        assert words in str(failure)
    code, outcomes = command("reproduce", "scene_1", other_picture.number)
    assert isinstance(outcomes, list)
    assert (code, outcomes[0]["outcome"]) == (1, "other_pixels")
    assert 0 < outcomes[0]["mean_difference"] < outcomes[0]["max_difference"] <= 255
    assert "shows no left_45" in str(command("reproduce", "scene_1", 1, "--angles", "left_45")[1])
    assert "There is no v000009" in str(command("reproduce", "scene_1", 9)[1])


def test_differences_are_told_and_drawn(installation: Installation, command: Command, tmp_path: Path) -> None:
    """Angles are added, removed, changed or the same, and the sheet has a row for each that is not the same."""
    installation.run(angles=["close_up", "left_45", "wide"])
    installation.run(angles=["close_up", "left_45", "top_down"], only_angles=["left_45", "top_down"], seed=3)
    code, found = command("compare", "scene_1", 1, 2, "--sheet", tmp_path / "sheet.png")
    assert code == 0
    assert isinstance(found, dict)
    angles = {angle["angle"]: angle for angle in found["angles"]}
    assert {name: angle["change"] for name, angle in angles.items()} == {
        "close_up": "unchanged",
        "left_45": "changed",
        "top_down": "added",
        "wide": "removed",
    }
    assert angles["left_45"]["parameters"] == {"seed": [0, 3]}
    assert angles["close_up"]["parameters"] == {}
    assert "order_score" in angles["left_45"]["scores"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        width, height = sheet.size
    assert command("compare", "scene_1", 2, 2, "--sheet", tmp_path / "none.png")[0] == 0
    with Image.open(tmp_path / "none.png") as none:
        assert (none.width, none.height) < (width, height)
    assert "cannot be written" in str(command("compare", "scene_1", 1, 2, "--sheet", tmp_path / "no/sheet.png")[1])


def test_a_day_of_housekeeping(installation: Installation, command: Command, tmp_path: Path) -> None:
    """Marks, export, import, lists, verification and expiry, one after the other on one store."""
    first = installation.run(angles=["wide"])
    installation.run(angles=["wide"], seed=1)
    assert command("tag", "scene_1", 1, "approved", "--who", "ada", "--note", "client")[0] == 0
    assert command("export", "scene_1", 1, "--to", tmp_path / "one.zip") == (0, {"written": str(tmp_path / "one.zip")})
    code, made = command("import", tmp_path / "one.zip", "--as", "alley")
    assert isinstance(made, dict)
    assert (code, made["scene"], made["version"], len(str(made["imported_from"]))) == (0, "alley", 1, 64)
    code, lineage = command("lineage", "alley", 1)
    assert isinstance(lineage, dict)
    assert (code, lineage["imported_from"], lineage["parent"]) == (0, made["imported_from"], None)
    code, scenes = command("list")
    assert isinstance(scenes, list)
    assert (code, [(row["scene"], row["num_versions"]) for row in scenes]) == (0, [("alley", 1), ("scene_1", 2)])
    assert command("verify")[0] == 0
    policy = ("expire", "--keep-last", 1, "--keep-days", 0)
    code, foreseen = command(*policy)
    assert isinstance(foreseen, dict)
    assert (code, foreseen["versions"]) == (0, [])
    assert command("untag", "scene_1", 1, "approved")[0] == 0
    code, foreseen = command(*policy)
    assert isinstance(foreseen, dict)
    assert [row["version"] for row in foreseen["versions"]] == [1]
    assert installation.store.get_record(manifest_key("scene_1", 1))
    code, gone = command(*policy, "--yes")
    assert isinstance(gone, dict)
    assert (code, [row["version"] for row in gone["versions"]], gone["num_blobs"]) == (0, [1], 0)
    assert not list(installation.views(first).rglob("*.png"))
    picture = Path(installation.store.locate_blob(first.angles[0].picture))
    picture.unlink()
    code, verified = command("verify")
    assert isinstance(verified, dict)
    assert (code, verified["faults"][0]["needed_by"]) == (1, ["alley v000001"])


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (("list",), "There is no version."),
        (("list", "street"), "There is no version."),
        (("verify",), "0 blobs, 0 bytes, of 0 versions were read"),
        (("expire",), "Nothing was done: add --yes"),
    ],
)
def test_empty_store_has_answers(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: Capture, words: tuple[str, ...], printed: str
) -> None:
    """Before anything was rendered every question has an answer for people, and asking creates nothing."""
    monkeypatch.setattr(sys, "argv", ["python -m flows.versions", *words])
    assert main() == 0
    assert printed in capsys.readouterr().out
    assert not (installation.folder / "store").exists()
