# pyright: standard
"""What two views say of a camera: places seen by known cameras, with noise and false pairs, and what is too little."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from models.camera import Pose
from models.scores.epipolar import find_positions
from models.scores.findings import Motion
from models.scores.matching import Matches
from models.scores.two_view import MIN_INLIERS, Lens, TwoViews, angle_deg, relate
from tests.unit.sightings import (
    HEIGHT_PX,
    LENS,
    NUM_FALSE,
    NUM_PLACES,
    WIDTH_PX,
    look,
    observe,
    pair,
    see,
    spread,
)

FOUND = slice(NUM_FALSE, None)
ARCS = [
    Pose(azimuth_deg=30),
    Pose(azimuth_deg=-90),
    Pose(elevation_deg=30),
    Pose(elevation_deg=-20),
    Pose(azimuth_deg=-45, elevation_deg=20, distance=0.8),
]
SLANTED = [Pose(azimuth_deg=30), Pose(azimuth_deg=-45), Pose(elevation_deg=30)]
"""From where a wall is not seen edge on."""


def check_inliers(views: TwoViews) -> None:
    """Nearly all right pairs agree with the camera, and nearly no false one does."""
    assert views.inliers is not None
    assert views.inliers[FOUND].mean() > 0.95
    assert views.inliers[:NUM_FALSE].mean() < 0.05
    assert views.num_inliers == views.inliers.sum()
    assert views.num_matches == NUM_PLACES


@given(angle=st.floats(0, 180), axis=st.sampled_from("xyz"))
def test_an_angle_is_that_of_the_turn(angle: float, axis: str) -> None:
    """By how much a rotation turns does not depend on its axis or its sense."""
    turn = Rotation.from_euler(axis, angle, degrees=True).as_matrix()
    assert angle_deg(turn) == pytest.approx(angle, abs=1e-5)
    assert angle_deg(turn.T) == pytest.approx(angle, abs=1e-5)


def test_lens_maps_directions_to_pixels() -> None:
    """Straight ahead is the middle of the picture, and half the field of view its edge."""
    lens = Lens(tan_half_height=0.5, width_px=301, height_px=201)
    ahead, edge = lens.matrix @ (0, 0, 1), lens.matrix @ (0, -0.5, 1)
    assert ahead.tolist() == [150, 100, 1]
    assert edge.tolist() == [150, -0.5, 1]


@pytest.mark.parametrize(("pose", "place"), [*((pose, "room") for pose in ARCS), *((pose, "wall") for pose in SLANTED)])
def test_arc_is_found_within_a_degree(pose: Pose, place: str) -> None:
    """Among noise and a third of false pairs the rotation is found, also where all places lie on one wall."""
    views = observe(pose, flat=place == "wall")
    rotation, position = look(pose)
    assert views.motion == "orbited"
    assert views.rotation is not None
    assert angle_deg(views.rotation @ rotation.T) < 1
    check_inliers(views)
    assert views.translation is not None
    assert -views.translation @ rotation @ position / np.linalg.norm(position) > math.cos(math.radians(3))


@pytest.mark.parametrize("distance", [0.6, 1.6])
def test_dolly_is_told_from_an_arc(distance: float) -> None:
    """A camera that comes closer or goes back keeps its direction, and the sense of its way is known."""
    views = observe(Pose(distance=distance))
    assert views.motion == "dollied"
    assert views.rotation is not None
    assert angle_deg(views.rotation) < 1
    assert views.translation is not None
    assert -views.translation[2] * np.sign(1 - distance) > 0.99
    check_inliers(views)


@pytest.mark.parametrize(("axis", "angle"), [("x", 10), ("y", -10), ("y", 20), ("z", 30)])
def test_turn_on_the_spot_is_a_pan(axis: str, angle: float) -> None:
    """A camera that turns and does not move has a rotation and no translation."""
    turn = Rotation.from_euler(axis, angle, degrees=True).as_matrix()
    views = relate(pair(see(spread(), turn, np.zeros(3))), LENS, LENS)
    assert (views.motion, views.translation) == ("pan", None)
    assert views.rotation is not None
    assert angle_deg(views.rotation @ turn.T) < 0.03
    check_inliers(views)


@pytest.mark.parametrize(
    ("scale", "motion"), [(0.5, "zoom"), (0.8, "zoom"), (1.0, "static"), (1.3, "crop"), (1.8, "crop")]
)
def test_enlarged_or_reduced_picture_is_no_move(scale: float, motion: Motion) -> None:
    """Places that keep their pattern tell a crop from a zoom, and how large things are."""
    middle = np.array((WIDTH_PX, HEIGHT_PX)) / 2
    master = see(spread(), np.eye(3), np.zeros(3))
    views = relate(pair(middle + scale * (master - middle)), LENS, LENS)
    assert (views.motion, views.rotation) == (motion, None)
    assert views.scale == pytest.approx(scale, rel=0.01)
    check_inliers(views)


def test_errors_are_enlarged_with_the_picture() -> None:
    """A crop of 2.5 times stays one when places were found half a pixel off, which is more than a pixel in the view."""
    random, middle = np.random.default_rng(3), np.array((WIDTH_PX, HEIGHT_PX)) / 2
    master = see(spread(), np.eye(3), np.zeros(3))
    before, after = (each + random.normal(0, 0.6, each.shape) for each in (master, middle + 2.5 * (master - middle)))
    views = relate(Matches(master=before.astype(np.float32), view=after.astype(np.float32)), LENS, LENS)
    assert views.motion == "crop"
    assert views.num_inliers > 0.95 * NUM_PLACES


def test_view_of_another_size_and_lens_is_related() -> None:
    """A smaller view through a wider lens is put in relation by its own pixels."""
    lens = Lens(tan_half_height=math.tan(math.radians(30)), width_px=600, height_px=400)
    pose = Pose(azimuth_deg=30, elevation_deg=10)
    views = relate(pair(see(spread(), *look(pose), lens), lens), LENS, lens)
    assert views.motion == "orbited"
    assert views.rotation is not None
    assert angle_deg(views.rotation @ look(pose)[0].T) < 1
    check_inliers(views)


def test_a_place_behind_a_camera_explains_nothing() -> None:
    """Pairs that would lie behind the cameras are no inliers, however near their epipolar lines they are."""
    rotation, position = look(Pose(azimuth_deg=20))
    places = np.concatenate([spread(), 2 * position - spread()[:50]])
    before, after = places / places[:, 2:], (places - position) @ rotation.T
    found = find_positions(before, after / after[:, 2:], 1e-3)
    assert angle_deg(found.rotation @ rotation.T) < 0.1
    assert found.inliers[:NUM_PLACES].all()
    assert not found.inliers[NUM_PLACES:].any()


@pytest.mark.parametrize("num", [0, 1, 8, MIN_INLIERS - 1])
def test_too_few_places_say_nothing(num: int) -> None:
    """Below the floor nothing is said but how many places there were, however well they agree; above it they tell."""
    matches = pair(see(spread(), *look(Pose(azimuth_deg=30))))
    master, view = matches.master[FOUND], matches.view[FOUND]
    few = relate(Matches(master=master[:num], view=view[:num]), LENS, LENS)
    assert (few.motion, few.num_matches, few.num_inliers) == ("unverifiable", num, 0)
    assert few.reason == f"only {num} places were found in both"
    enough = Matches(master=master[: MIN_INLIERS + 5], view=view[: MIN_INLIERS + 5])
    assert relate(enough, LENS, LENS).motion == "orbited"


def test_false_pairs_agree_on_no_camera() -> None:
    """Of pairs that have nothing to do with each other too few agree, and that is the reason."""
    random = np.random.default_rng(0)
    master, view = random.uniform((0, 0), (WIDTH_PX, HEIGHT_PX), (2, 100, 2)).astype(np.float32)
    views = relate(Matches(master=master, view=view), LENS, LENS)
    assert views.motion == "unverifiable"
    assert views.num_inliers < MIN_INLIERS
    assert views.reason == f"of 100 places found in both only {views.num_inliers} agree on a camera"


@pytest.mark.parametrize("degenerate", ["one place", "one line", "onto a line", "onto a place"])
def test_degenerate_places_are_related_to_no_arc(degenerate: str) -> None:
    """Places that say nothing of depth break nothing, and no arc is read into them."""
    master = see(spread(), np.eye(3), np.zeros(3)).astype(np.float32)
    line = np.linspace((0, 0), (WIDTH_PX, HEIGHT_PX), len(master)).astype(np.float32)
    place = np.full_like(master, 100)
    pairs = {
        "one place": (place, place),
        "one line": (line, line),
        "onto a line": (master, line),
        "onto a place": (master, place),
    }
    views = relate(Matches(master=pairs[degenerate][0], view=pairs[degenerate][1]), LENS, LENS)
    expected = {"one place": "static", "one line": "static", "onto a line": "unverifiable", "onto a place": "zoom"}
    assert views.motion == expected[degenerate]


def test_turn_that_no_two_views_share_is_not_believed() -> None:
    """A mirrored pattern fits a camera that looks from behind, which is doubted and said to be."""
    master = see(spread(), np.eye(3), np.zeros(3))
    views = relate(pair((WIDTH_PX - 1, 0) + master * (-1, 1)), LENS, LENS)
    assert views.motion == "unverifiable"
    assert views.reason.endswith("degrees, which no two views of one side share")
