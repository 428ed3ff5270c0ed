"""Every prompt of both dialects, byte for byte, against the tables of the models' cards written down once more."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.dialects import AbsoluteView, RelativeMove, all_absolute_views, all_relative_moves

ROOT = Path(__file__).parents[2]
Table = Mapping[str, Mapping[object, str]]

RELATIVE: Table = {
    "move_horizontal": {
        "none": "",
        "left": "将镜头向左移动 Move the camera left.",
        "right": "将镜头向右移动 Move the camera right.",
    },
    "move_vertical": {
        "none": "",
        "up": "将镜头向上移动 Move the camera up.",
        "down": "将镜头向下移动 Move the camera down.",
    },
    "move_forward": {"no": "", "yes": "将镜头向前移动 Move the camera forward."},
    "rotate": {
        -90: "将镜头向左旋转90度 Rotate the camera 90 degrees to the left.",
        -45: "将镜头向左旋转45度 Rotate the camera 45 degrees to the left.",
        0: "",
        45: "将镜头向右旋转45度 Rotate the camera 45 degrees to the right.",
        90: "将镜头向右旋转90度 Rotate the camera 90 degrees to the right.",
    },
    "view_top_down": {False: "", True: "将镜头转为俯视 Turn the camera to a top-down view."},
    "view_wide_angle": {False: "", True: "将镜头转为广角镜头 Turn the camera to a wide-angle lens."},
    "view_close_up": {False: "", True: "将镜头转为特写镜头 Turn the camera to a close-up."},
    "view_bottom_up": {False: "", True: "將相機方向調整為由下而上的視角 Turn the camera to a bottom-up view."},
}
ABSOLUTE: Table = {
    "azimuth_deg": {
        0: "front view",
        45: "front-right quarter view",
        90: "right side view",
        135: "back-right quarter view",
        180: "back view",
        225: "back-left quarter view",
        270: "left side view",
        315: "front-left quarter view",
    },
    "elevation_deg": {-30: "low-angle shot", 0: "eye-level shot", 30: "elevated shot", 60: "high-angle shot"},
    "distance": {"close-up": "close-up", "medium": "medium shot", "wide": "wide shot"},
}


def rebuild(dialect: str, table: Table, start: str = "") -> Iterator[dict[str, object]]:
    """Yield every line that the table implies: the parts in its order, one space between those that are not empty."""
    for values in product(*table.values()):
        settings = dict(zip(table, values, strict=True))
        parts = [start, *(table[name][value] for name, value in settings.items())]
        yield {"dialect": dialect, "settings": settings, "prompt": " ".join(part for part in parts if part)}


def exact(lines: Iterator[dict[str, object]] | list[dict[str, object]]) -> set[bytes]:
    """Return the lines as canonical JSON bytes, in which true is not 1 and 1 is not 1.0."""
    return {json.dumps(line, ensure_ascii=False, sort_keys=True).encode() for line in lines}


def expected_lines() -> set[bytes]:
    """Return all 1536 lines of both dialects."""
    return exact(rebuild("relative", RELATIVE)) | exact(rebuild("absolute", ABSOLUTE, "<sks>"))


def test_relative_prompts_are_those_of_the_table() -> None:
    """All 1440 settings of the relative dialect have the prompt of the table, byte for byte, and no two the same."""
    lines = [{"dialect": "relative", "settings": s.model_dump(), "prompt": s.prompt} for s in all_relative_moves()]
    assert exact(lines) == exact(rebuild("relative", RELATIVE))
    assert len(lines) == len({line["prompt"] for line in lines}) == 1440


def test_absolute_prompts_are_those_of_the_table() -> None:
    """All 96 views of the absolute dialect have the prompt of the table, byte for byte, and no two the same."""
    lines = [{"dialect": "absolute", "settings": s.model_dump(), "prompt": s.prompt} for s in all_absolute_views()]
    assert exact(lines) == exact(rebuild("absolute", ABSOLUTE, "<sks>"))
    assert len(lines) == len({line["prompt"] for line in lines}) == 96


def test_no_move_says_nothing() -> None:
    """Nothing chosen is the empty string; the reference of the absolute dialect is a view like the others."""
    assert not RelativeMove().prompt
    assert AbsoluteView().prompt == "<sks> front view eye-level shot medium shot"


def test_everything_at_once_in_order() -> None:
    """The parts stand in the order of the node, one space between them, the last one in Traditional Chinese."""
    move = RelativeMove(
        move_horizontal="left",
        move_vertical="up",
        move_forward="yes",
        rotate=-45,
        view_top_down=True,
        view_wide_angle=True,
        view_close_up=True,
        view_bottom_up=True,
    )
    assert move.prompt == (
        "将镜头向左移动 Move the camera left. 将镜头向上移动 Move the camera up. "
        "将镜头向前移动 Move the camera forward. 将镜头向左旋转45度 Rotate the camera 45 degrees to the left. "
        "将镜头转为俯视 Turn the camera to a top-down view. "
        "将镜头转为广角镜头 Turn the camera to a wide-angle lens. 将镜头转为特写镜头 Turn the camera to a close-up. "
        "將相機方向調整為由下而上的視角 Turn the camera to a bottom-up view."
    )


@pytest.mark.parametrize("setting", [{"rotate": 30}, {"rotate": 180}, {"move_horizontal": "up"}, {"roll": 5}])
def test_relative_setting_outside_the_table_is_refused(setting: dict[str, object]) -> None:
    """A value or a name that the node does not have makes no move."""
    with pytest.raises(ValidationError):
        RelativeMove.model_validate(setting)


@pytest.mark.parametrize("setting", [{"azimuth_deg": 360}, {"azimuth_deg": -45}, {"elevation_deg": 90}, {"lens": "w"}])
def test_absolute_setting_outside_the_table_is_refused(setting: dict[str, object]) -> None:
    """A value or a name that the card does not have makes no view."""
    with pytest.raises(ValidationError):
        AbsoluteView.model_validate(setting)


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
    ids=["C", "C-without-UTF-8-mode", "latin-1"],
)
def test_command_prints_every_line_in_utf8(locale: dict[str, str]) -> None:
    """`python -m models.camera` prints the 1536 lines as JSON in UTF-8, whatever the terminal is set to."""
    neutral = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    command = [sys.executable, "-m", "models.camera"]
    run = subprocess.run(command, cwd=ROOT, env=neutral | locale, capture_output=True, check=True)
    lines = [json.loads(line) for line in run.stdout.decode("utf-8").splitlines()]
    assert [set(line) for line in lines] == [{"dialect", "settings", "prompt"}] * 1536
    assert exact(lines) == expected_lines()
    assert b"\\u" not in run.stdout
    assert run.stderr == b""
