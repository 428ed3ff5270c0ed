"""How a pose is said to a model: which words, which pose they mean, and when the answer is no."""

from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.camera import (
    DISTANCE_TOLERANCE,
    PRESETS,
    TOLERANCE_DEG,
    WIDE_LENS_FACTOR,
    Dialect,
    Instruction,
    Pose,
    Preset,
    phrase,
)
from models.dialects import AbsoluteView, RelativeMove, all_absolute_views
from models.errors import UnspeakablePoseError

ROUNDING = 1e-9
poses = st.builds(
    Pose,
    azimuth_deg=st.floats(-180, 180),
    elevation_deg=st.floats(-90, 90),
    distance=st.floats(0.2, 4.0),
    lens=st.sampled_from(["normal", "wide"]),
)
dialects = st.sampled_from(get_args(Dialect))


def speak(pose: Pose, dialect: Dialect) -> Instruction | None:
    """Say a pose, or return None where the dialect refuses it."""
    try:
        return phrase(pose, dialect)
    except UnspeakablePoseError:
        return None


@pytest.mark.parametrize(
    ("preset", "prompt"),
    [
        (Preset.CLOSE_UP, "将镜头转为特写镜头 Turn the camera to a close-up."),
        (Preset.LOW_ANGLE, "将镜头向下移动 Move the camera down."),
        (Preset.HIGH_ANGLE, "将镜头向上移动 Move the camera up."),
        (Preset.TOP_DOWN, "将镜头转为俯视 Turn the camera to a top-down view."),
        (Preset.WIDE, "将镜头转为广角镜头 Turn the camera to a wide-angle lens."),
        (Preset.LEFT_45, "将镜头向左旋转45度 Rotate the camera 45 degrees to the left."),
        (Preset.RIGHT_45, "将镜头向右旋转45度 Rotate the camera 45 degrees to the right."),
        (Preset.LEFT_90, "将镜头向左旋转90度 Rotate the camera 90 degrees to the left."),
        (Preset.RIGHT_90, "将镜头向右旋转90度 Rotate the camera 90 degrees to the right."),
    ],
)
def test_preset_is_said_exactly(preset: Preset, prompt: str) -> None:
    """The relative dialect has the very words of every preset: the pose given is the pose asked for."""
    said = phrase(PRESETS[preset], "relative")
    assert (said.prompt, said.given) == (prompt, PRESETS[preset])


def test_every_preset_has_a_pose() -> None:
    """There is a pose for each name, and no two presets are the same shot."""
    assert set(PRESETS) == set(Preset)
    assert len(set(PRESETS.values())) == len(Preset)


@pytest.mark.parametrize(
    ("preset", "view"),
    [
        (Preset.LEFT_45, "front-left quarter view"),
        (Preset.RIGHT_45, "front-right quarter view"),
        (Preset.LEFT_90, "left side view"),
        (Preset.RIGHT_90, "right side view"),
        (Preset.HIGH_ANGLE, "elevated shot"),
        (Preset.LOW_ANGLE, "low-angle shot"),
        (Preset.CLOSE_UP, "close-up"),
    ],
)
def test_signs_mean_the_same_in_both_dialects(preset: Preset, view: str) -> None:
    """A negative azimuth is left and a positive elevation is above, in the absolute dialect as in the relative one."""
    assert view in phrase(PRESETS[preset], "absolute").prompt


def test_master_camera_says_nothing() -> None:
    """The pose of the master is no move in one dialect and the reference view in the other."""
    assert not phrase(Pose(), "relative").prompt
    assert phrase(Pose(), "absolute").prompt == "<sks> front view eye-level shot medium shot"


@pytest.mark.parametrize(
    ("pose", "is_extrapolated"),
    [
        (Pose(distance=0.8), False),  # forward
        (Pose(azimuth_deg=-45), False),
        (Pose(azimuth_deg=45), False),
        (Pose(elevation_deg=-20), False),  # down
        (Pose(elevation_deg=90), False),  # top-down
        (Pose(lens="wide"), False),
        (Pose(distance=0.6), False),  # close-up
        (Pose(elevation_deg=30), True),  # up
        (Pose(azimuth_deg=-90), True),
        (Pose(azimuth_deg=90), True),
        (Pose(elevation_deg=-60), True),  # bottom-up
        (Pose(azimuth_deg=45, elevation_deg=-20), True),
        (Pose(azimuth_deg=-45, elevation_deg=90), True),
    ],
)
def test_moves_off_the_card_are_marked(pose: Pose, *, is_extrapolated: bool) -> None:
    """Up, 90 degrees, bottom-up and yaw with pitch are extrapolations; what the card names is not."""
    assert phrase(pose, "relative").is_extrapolated == is_extrapolated


def test_every_absolute_view_can_be_asked_for() -> None:
    """Each of the 96 views is the answer to its own pose, and none of them is an extrapolation."""
    for view in all_absolute_views():
        azimuth = view.azimuth_deg if view.azimuth_deg <= 180 else view.azimuth_deg - 360
        distance = {"close-up": 0.6, "medium": 1.0, "wide": 1.8}[view.distance]
        pose = Pose(azimuth_deg=azimuth, elevation_deg=view.elevation_deg, distance=distance)
        said = phrase(pose, "absolute")
        assert (said.settings, said.given, said.is_extrapolated) == (view, pose, False)


@pytest.mark.parametrize("azimuth_deg", [-180.0, 180.0, 160.0, -160.0])
def test_behind_is_behind_from_both_sides(azimuth_deg: float) -> None:
    """The arc closes: near 180 degrees either way is the back view, on the side that was asked for."""
    said = phrase(Pose(azimuth_deg=azimuth_deg), "absolute")
    assert said.prompt == "<sks> back view eye-level shot medium shot"
    assert abs(said.given.azimuth_deg - azimuth_deg) <= TOLERANCE_DEG


def test_wide_lens_is_a_wide_shot() -> None:
    """The absolute dialect has no lens: a wide one is framed as the distance that shows as much."""
    said = phrase(PRESETS[Preset.WIDE], "absolute")
    assert said.prompt == "<sks> front view eye-level shot wide shot"
    assert said.given == Pose(distance=WIDE_LENS_FACTOR)
    assert phrase(Pose(distance=0.6, lens="wide"), "absolute").prompt.endswith("medium shot")


@pytest.mark.parametrize(
    ("dialect", "pose", "named"),
    [
        ("relative", Pose(azimuth_deg=135), "azimuth_deg=135"),
        ("relative", Pose(azimuth_deg=-180), "azimuth_deg=-180"),
        ("relative", Pose(elevation_deg=60), "elevation_deg=60"),
        ("relative", Pose(elevation_deg=-85), "elevation_deg=-85"),
        ("relative", Pose(distance=1.8), "1.8 times"),
        ("relative", Pose(distance=0.2), "0.2 times"),
        ("absolute", Pose(elevation_deg=90), "elevation_deg=90"),
        ("absolute", Pose(elevation_deg=-60), "elevation_deg=-60"),
        ("absolute", Pose(distance=4.0), "4 times"),
        ("absolute", Pose(distance=0.2), "0.2 times"),
    ],
)
def test_pose_without_words_is_refused(dialect: Dialect, pose: Pose, named: str) -> None:
    """A pose that the dialect cannot say is an error of one sentence that names the number and what to do."""
    with pytest.raises(UnspeakablePoseError) as caught:
        phrase(pose, dialect)
    sentence = str(caught.value)
    assert named in sentence
    assert sentence.startswith(f"The {dialect} dialect cannot ")
    assert "ask for a nearer" in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@given(poses, dialects)
def test_answer_is_near_what_was_asked(pose: Pose, dialect: Dialect) -> None:
    """Whatever is said is within the tolerances of what was asked, and the prompt is that of the settings."""
    said = speak(pose, dialect)
    if said is None:
        return
    assert abs(pose.azimuth_deg - said.given.azimuth_deg) <= TOLERANCE_DEG + ROUNDING
    assert abs(pose.elevation_deg - said.given.elevation_deg) <= TOLERANCE_DEG + ROUNDING
    asked, shown = (one.distance * (WIDE_LENS_FACTOR if one.lens == "wide" else 1.0) for one in (pose, said.given))
    assert 1 / DISTANCE_TOLERANCE - ROUNDING <= asked / shown <= DISTANCE_TOLERANCE + ROUNDING
    assert said.prompt == said.settings.prompt
    assert said.dialect == dialect
    assert isinstance(said.settings, RelativeMove if dialect == "relative" else AbsoluteView)


@given(poses, dialects)
def test_answer_to_what_was_given_is_the_same(pose: Pose, dialect: Dialect) -> None:
    """Asking for the pose that was given is given just that, in the same words."""
    said = speak(pose, dialect)
    if said is None:
        return
    again = phrase(said.given, dialect)
    assert (again.prompt, again.given) == (said.prompt, said.given)


@given(poses, dialects)
def test_instruction_survives_json(pose: Pose, dialect: Dialect) -> None:
    """An instruction comes back from JSON with settings of the same dialect."""
    said = speak(pose, dialect)
    if said is not None:
        assert Instruction.model_validate_json(said.model_dump_json()) == said


@pytest.mark.parametrize("lens", ["normal", "wide"])
def test_lens_is_kept_beside_any_move(lens: Literal["normal", "wide"]) -> None:
    """In the relative dialect the lens is a word of its own and rides along with every other move."""
    said = phrase(Pose(azimuth_deg=45, distance=0.8, lens=lens), "relative")
    assert said.given.lens == lens
    assert ("wide-angle lens" in said.prompt) == (lens == "wide")


@pytest.mark.parametrize(
    "numbers",
    [
        {"azimuth_deg": 180.5},
        {"azimuth_deg": float("nan")},
        {"elevation_deg": -91},
        {"distance": 0.1},
        {"distance": float("inf")},
        {"lens": "fisheye"},
        {"roll_deg": 5},
    ],
    ids=str,
)
def test_pose_out_of_range_is_no_pose(numbers: dict[str, object]) -> None:
    """A number outside its range, one that is not finite, or a key that is not known makes no pose."""
    with pytest.raises(ValidationError):
        Pose.model_validate(numbers)
