"""What may be asked for, and the sentence that answers what may not."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.camera import PRESETS, Pose, Preset
from tasks.errors import InvalidRequestError
from tasks.requests import DEFAULT_COVERAGE, NamedPose, SceneRequest, parse_request

SCHEMA = Path(__file__).parent / "data" / "scene_request.schema.json"
RENEW = (
    "if the change is meant, write the snapshot anew, in the root of the repository: .venv/bin/python -c 'import json; "
    "from tasks.requests import SceneRequest as R; print(json.dumps(R.model_json_schema(), indent=2, sort_keys=True))' "
    "> tests/unit/data/scene_request.schema.json"
)
MINIMAL = {"scene": "street", "master": "street.png"}

names = st.from_regex(r"[a-z0-9][a-z0-9_]{0,40}", fullmatch=True).filter(lambda name: name not in {"master", *Preset})
named_poses = st.builds(
    NamedPose,
    name=names,
    azimuth_deg=st.floats(-180, 180),
    elevation_deg=st.floats(-90, 90),
    distance=st.floats(0.2, 4),
    lens=st.sampled_from(["normal", "wide"]),
)
requests = st.builds(
    SceneRequest,
    scene=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True),
    master=st.text(min_size=1, max_size=50),
    angles=st.lists(
        st.sampled_from(Preset) | named_poses,
        min_size=1,
        max_size=6,
        unique_by=lambda angle: angle.value if isinstance(angle, Preset) else angle.name,
    ).map(tuple),
    seed=st.integers(0, 2**32 - 1),
)
keys = st.sampled_from(list(SceneRequest.model_fields)) | st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(Preset),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
broken_requests = st.builds(dict.__or__, st.just(MINIMAL), st.dictionaries(keys, values, min_size=1, max_size=3))


def refusal(request: object) -> str:
    """Return the one sentence with which a request is refused."""
    with pytest.raises(InvalidRequestError) as caught:
        parse_request(request)
    sentence = str(caught.value)
    assert len(sentence.splitlines()) == 1
    assert sentence.startswith("The request is not valid at ")
    assert sentence.endswith(".")
    return sentence


def refusal_or_none(request: object) -> str | None:
    """Return the sentence with which a request is refused, or None where it is accepted."""
    try:
        parse_request(request)
    except InvalidRequestError as exc:
        return str(exc)
    return None


def pose(**numbers: object) -> dict[str, object]:
    """Return a named pose as JSON."""
    return {"name": "crane", **numbers}


def test_minimal_request_asks_for_seven_angles() -> None:
    """A scene and a master are enough: seven presets, seed 0, the miniature."""
    request = parse_request(MINIMAL)
    coverage = ("close_up", "low_angle", "high_angle", "top_down", "wide", "left_45", "right_45")
    assert tuple(request.poses) == DEFAULT_COVERAGE == coverage
    assert (request.seed, request.profile, request.only_angles) == (0, "miniature", ())


def test_poses_are_in_the_order_asked_for() -> None:
    """Presets and explicit poses mix; each has its name and its pose, in the order of the request."""
    angles = [pose(azimuth_deg=20, lens="wide"), "wide", {"name": "behind", "azimuth_deg": 180}, "left_90"]
    request = parse_request(MINIMAL | {"angles": angles})
    assert list(request.poses.items()) == [
        ("crane", Pose(azimuth_deg=20, lens="wide")),
        ("wide", PRESETS[Preset.WIDE]),
        ("behind", Pose(azimuth_deg=180)),
        ("left_90", PRESETS[Preset.LEFT_90]),
    ]
    assert {type(asked) for asked in request.poses.values()} == {Pose}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"angles": ["sideways"]}, ("angles.0", "'close_up'", "'right_90'")),
        ({"angles": ["wide", "close_up", "wide"]}, ("angles", "wide", "once")),
        ({"angles": ["wide", {"name": "wide", "azimuth_deg": 10}]}, ("angles.1", "'wide'", "preset")),
        ({"angles": [pose(name="right_90")]}, ("angles.0", "'right_90'", "preset")),
        ({"angles": [pose(name="master")]}, ("angles.0", "'master'", "another")),
        ({"angles": [pose(), pose(azimuth_deg=10)]}, ("angles", "crane", "once")),
        ({"angles": []}, ("angles", "at least 1")),
        ({"angles": None}, ("angles",)),
        ({"angles": "wide"}, ("angles",)),
        ({"angles": [7]}, ("angles.0",)),
        ({"angles": [pose(name=f"n{index}") for index in range(65)]}, ("angles", "at most 64")),
        ({"angles": [pose(azimuth_deg=181)]}, ("angles.0", "azimuth_deg", "180")),
        ({"angles": ["wide", pose(elevation_deg=-91)]}, ("angles.1", "elevation_deg", "-90")),
        ({"angles": [pose(distance=0.1)]}, ("angles.0", "distance", "0.2")),
        ({"angles": [pose(distance=float("nan"))]}, ("angles.0", "distance")),
        ({"angles": [pose(lens="fisheye")]}, ("angles.0", "lens", "'wide'")),
        ({"angles": [pose(roll_deg=5)]}, ("angles.0", "roll_deg")),
        ({"angles": [{"azimuth_deg": 5}]}, ("angles.0", "name", "required")),
        ({"angles": [pose(name="../up")]}, ("angles.0", "name")),
        ({"angles": [pose(name="")]}, ("angles.0", "name")),
        ({"only_angles": ["left_90"]}, ("only_angles", "left_90")),
        ({"only_angles": ["close_up", "x\ny"]}, ("only_angles",)),
        ({"seed": -1}, ("seed", "0")),
        ({"seed": 2**32}, ("seed", "4294967296")),
        ({"seed": 0.5}, ("seed", "integer")),
        ({"seed": 7.0}, ("seed", "integer")),
        ({"seed": "7"}, ("seed", "integer")),
        ({"seed": True}, ("seed", "integer")),
        ({"seed": None}, ("seed", "integer")),
        ({"angles": [pose(azimuth_deg="40")]}, ("angles.0", "azimuth_deg", "number")),
        ({"angles": [pose(elevation_deg=True)]}, ("angles.0", "elevation_deg", "number")),
        ({"angles": [pose(distance="1")]}, ("angles.0", "distance", "number")),
        ({"profile": "qwen"}, ("profile", "'qwen'", "miniature")),
        ({"master": ""}, ("master",)),
        ({"master": "still\udcff.png"}, ("master", "unicode")),
        ({"master": "x" * 1025}, ("master", "1024")),
        ({"colour": "warm"}, ("colour",)),
        ({"line\nbreak": 1}, ("line",)),
    ],
)
def test_what_may_not_be_asked_is_one_sentence(wrong: dict[str, object], named: tuple[str, ...]) -> None:
    """Whatever is wrong is said in one line that names the field and what would be right."""
    sentence = refusal(MINIMAL | wrong)
    assert [word for word in named if word not in sentence] == []


@pytest.mark.parametrize(
    "scene",
    ["", ".", "..", "../up", "a/b", "a\\b", "/etc", "Street", "straße", "a b", "-a", "_a", "a\n", "a\0", "a" * 64],
)
def test_scene_is_no_path(scene: str) -> None:
    """A scene's name becomes part of keys and paths, so it is lower case, short, and has no dots or slashes."""
    assert " at scene: " in refusal(MINIMAL | {"scene": scene})


@pytest.mark.parametrize("request_", [None, 7, "street", [], {}, {"scene": "street"}], ids=str)
def test_what_is_no_request_is_refused(request_: object) -> None:
    """Anything that is not a mapping, or lacks what has no default, is refused in one sentence."""
    refusal(request_)


@given(broken_requests)
def test_every_refusal_is_one_line(request_: dict[str, Any]) -> None:
    """Any mapping is a request or one sentence, also where it holds names and texts made to spoil a log."""
    answer = refusal_or_none(request_)
    assert answer is None or answer.isprintable()


@given(requests)
def test_request_survives_json(request_: SceneRequest) -> None:
    """A request comes back from JSON as it was, so that a manifest can be rendered again."""
    dumped = request_.model_dump(mode="json")
    assert parse_request(json.loads(json.dumps(dumped))) == request_
    assert parse_request(request_) == request_


def test_schema_is_the_one_that_was_agreed() -> None:
    """The JSON schema of a request, which forms, webhooks and cut lists build on, changes only on purpose."""
    assert SceneRequest.model_json_schema() == json.loads(SCHEMA.read_text(encoding="utf-8")), RENEW
