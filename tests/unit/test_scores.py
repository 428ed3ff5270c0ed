"""The score card on path-traced pictures of known cameras: right views pass, wrong ones say what is wrong."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.camera import PRESETS, Pose, Preset
from models.profiles import QWEN_EDIT_2511, Profile
from models.scores.camera_check import read_angles, rotation_of
from models.scores.controls import spoil
from models.scores.findings import CHECKS, ScoreCard
from models.scores.scoring import PreparedMaster, Scorer, load_scorer
from models.scores.two_view import angle_deg

PROJECT = Path(__file__).parents[2]
PLACE = PROJECT / "tests/known_cameras/workshop"
CAMERAS = json.loads((PLACE / "cameras.json").read_text())
PROFILE: Profile = QWEN_EDIT_2511


@cache
def read(name: str) -> Image.Image:
    """Return one of the pictures."""
    return Image.open(PLACE / CAMERAS[name]["file"]).convert("RGB")


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """The encoders that come with the installation; CLIP's weights are not there."""
    return load_scorer(PROFILE, PROJECT / "weights")


@pytest.fixture(scope="module")
def master(scorer: Scorer) -> PreparedMaster:
    """The master of the workshop."""
    return scorer.prepare(read("master"))


def score(scorer: Scorer, master: PreparedMaster, name: str) -> ScoreCard:
    """Score a picture at the pose that it was taken from."""
    return scorer.score(master, read(name), Pose.model_validate(CAMERAS[name]["pose"]))


@pytest.mark.parametrize("name", ["close", "low", "high", "wide", "azimuth_-45", "azimuth_+30"])
def test_true_views_pass(scorer: Scorer, master: PreparedMaster, name: str) -> None:
    """A true view passes every check, and its camera is found within three degrees of its azimuth."""
    card = score(scorer, master, name)
    assert (card.verdict, card.reasons) == ("pass", ())
    pose = CAMERAS[name]["pose"]
    assert card.camera.azimuth_deg == pytest.approx(pose["azimuth_deg"], abs=3)
    assert card.camera.motion == {"close": "dollied", "wide": "zoom"}.get(name, "orbited")
    assert card.paper.clip is None


def test_wrong_ones_fail_and_say_why(scorer: Scorer, master: PreparedMaster) -> None:
    """Every control fails, the first words name what is wrong, and every true view stands above all of them."""
    asked = Pose(azimuth_deg=30)
    view, stranger = np.asarray(read("azimuth_+30")), np.asarray(Image.open(PLACE.parent / "quay/master.jpg"))
    wrong = spoil(np.asarray(read("master")), view, stranger, 0) | {"turned": np.asarray(read("turned"))}
    cards = {name: scorer.score(master, Image.fromarray(picture), asked) for name, picture in wrong.items()}
    words = {
        "shuffled": "neighbouring pixels",
        "noise": "neighbouring pixels",
        "mirrored view": "mirrored",
        "mirrored master": "mirrored",
        "crop": "enlarged part",
        "blur": "blurred",
        "warm grade": "warmer",
        "dark grade": "darker",
        "master returned": "camera stayed",
        "turned": "camera stayed",
    }
    assert {name for name, card in cards.items() if card.verdict != "fail"} == {"patched"}
    assert [name for name, said in words.items() if said not in "; ".join(cards[name].reasons)] == []
    right = min(score(scorer, master, name).order_score for name in ("low", "high", "azimuth_-45"))
    assert right > max(cards[name].order_score for name in words)


def test_the_wrong_side_fails(scorer: Scorer, master: PreparedMaster) -> None:
    """A view of the other side is said to stand there."""
    card = scorer.score(master, read("azimuth_-30"), Pose(azimuth_deg=30))
    assert card.verdict == "fail"
    assert card.camera.azimuth_deg == pytest.approx(-30, abs=3)
    assert "azimuth -30" in card.reasons[0]


@pytest.mark.parametrize("colour", ["black", "white", "#336699"])
def test_one_colour_has_a_stated_result(scorer: Scorer, master: PreparedMaster, colour: str) -> None:
    """A picture of one colour fails as such; as a master it leaves nothing to be found again."""
    flat = Image.new("RGB", read("master").size, colour)
    card = scorer.score(master, flat, Pose())
    assert card.picture.reason == "the picture is one colour"
    assert card.verdict == "fail"
    assert card.camera.motion == "unverifiable"
    behind = scorer.score(scorer.prepare(flat), read("low"), Pose(elevation_deg=-20))
    assert behind.camera.reason.startswith("the camera cannot be verified: only 0 places")


def test_another_size_is_brought_to_the_masters(scorer: Scorer, master: PreparedMaster) -> None:
    """A picture of another size is scored at the master's, and the card says so."""
    other = read("high").resize((256, 200))
    card = scorer.score(master, other, PRESETS[Preset.HIGH_ANGLE])
    assert card.was_resized
    assert set(card.findings) == set(CHECKS)
    assert not score(scorer, master, "high").was_resized


def test_what_is_not_installed_is_not_measured() -> None:
    """Without its package an encoder measures nothing, and the card says which; nothing becomes zero."""
    assert PROFILE.appearance
    absent = PROFILE.appearance.model_copy(update={"package": "no_such_package"})
    poor = load_scorer(PROFILE.model_copy(update={"appearance": absent}), PROJECT / "weights")
    card = poor.score(poor.prepare(read("master")), read("low"), Pose(elevation_deg=-20))
    assert (card.place.status, card.place.appearance, card.place.heat_map) == ("not_measured", None, None)
    assert "no_such_package" in card.place.reason
    assert card.verdict == "pass"


def test_heat_map_is_of_the_view(scorer: Scorer, master: PreparedMaster) -> None:
    """The heat map has the patches of the view, and of the master given back all are found."""
    same = scorer.score(master, read("master"), Pose())
    assert same.place.heat_map
    assert {len(row) for row in same.place.heat_map} == {28}
    assert min(min(row) for row in same.place.heat_map) > 0.99
    assert same.camera.motion == "static"


@pytest.mark.parametrize(
    "pose", [Pose(azimuth_deg=40, elevation_deg=-10), Pose(azimuth_deg=-90), Pose(elevation_deg=60)]
)
def test_angles_are_read_back(pose: Pose) -> None:
    """The rotation of a pose is read as its azimuth and elevation, without roll."""
    assert read_angles(rotation_of(pose)) == pytest.approx((pose.azimuth_deg, pose.elevation_deg, 0), abs=1e-9)
    assert angle_deg(rotation_of(pose) @ rotation_of(pose).T) == pytest.approx(0, abs=1e-5)
