# pyright: standard
"""Viewpoint Error: what the formula gives by hand, and what it gives of pictures whose cameras are known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from models.camera import Pose
from models.miniature.cameras import camera_for
from models.scores.matching import Matches
from models.scores.spatial_edit import (
    POSES,
    PUBLISHED,
    STAYED,
    RelativePose,
    ViewpointError,
    measure_scene,
    merge,
    read_motion,
    true_pose,
    viewpoint_error,
    write_tables,
)
from models.scores.two_view import Lens, TwoViews, relate

SIZE_PX = (896, 504)


def truth_of(pose: Pose) -> RelativePose:
    """Return where the camera of a pose stands, seen from the master's."""
    return true_pose(camera_for(Pose()), camera_for(pose))


def see(pose: Pose, points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the pixels (N, 2) at which the camera of a pose sees world points (3, N)."""
    x, y, _ = camera_for(pose).project(points)
    width, height = SIZE_PX
    return np.stack(((width - 1) / 2 + x * height / 2, (height - 1) / 2 - y * height / 2), axis=1)


def relate_points(pose: Pose) -> TwoViews:
    """Return what 400 places of a scene, seen exactly, tell of the camera of a pose."""
    points = np.random.default_rng(0).uniform((-2, 0, -2), (2, 2.5, 2), (400, 3)).T.astype(np.float32)
    matches = Matches(
        master=see(Pose(), points).astype(np.float32),
        view=see(pose, points).astype(np.float32),
    )
    lens = Lens(tan_half_height=camera_for(Pose()).tan_half_height, width_px=SIZE_PX[0], height_px=SIZE_PX[1])
    return relate(matches, lens, lens)


@pytest.mark.parametrize(("azimuth_deg", "expected"), [(15, 0.5833), (45, 0.75), (-45, 0.75), (90, 1.0), (180, 1.5)])
def test_the_source_given_back(azimuth_deg: float, expected: float) -> None:
    """Who does nothing is at distance 1 and off by the angle asked for: 0.75 at 45 degrees and 1.0 at 90."""
    error = viewpoint_error(STAYED, truth_of(Pose(azimuth_deg=azimuth_deg)))
    assert error.position == pytest.approx(1, abs=1e-6)
    assert error.rotation == pytest.approx(abs(azimuth_deg) / 90, abs=1e-4)
    assert error.mean == pytest.approx(expected, abs=5e-5)


def test_the_true_camera_has_no_error() -> None:
    """The truth itself is at 0 in both terms."""
    truth = truth_of(Pose(azimuth_deg=45, elevation_deg=30))
    assert viewpoint_error(truth, truth).mean == pytest.approx(0, abs=1e-3)  # the stage has 32 bits


def test_both_terms_by_hand() -> None:
    """Beside the baseline by a quarter of it, turned by 27 degrees too many: (0.25 + 0.3) / 2; nothing is clipped."""
    truth = RelativePose(rotation=np.eye(3), position=np.array((4.0, 0, 0)))
    turned = Rotation.from_euler("z", 27, degrees=True).as_matrix()
    error = viewpoint_error(RelativePose(rotation=turned, position=np.array((4.0, 1, 0))), truth)
    assert (error.position, error.rotation, error.mean) == pytest.approx((0.25, 0.3, 0.275))
    behind = Rotation.from_euler("y", 180, degrees=True).as_matrix()
    error = viewpoint_error(RelativePose(rotation=behind, position=np.array((-8.0, 0, 0))), truth)
    assert (error.position, error.rotation, error.mean) == pytest.approx((3, 2, 2.5))


def test_a_camera_that_is_not_found_counts_as_the_source_given_back() -> None:
    """Being unreadable is worth what doing nothing is, and is told apart from it."""
    truth = truth_of(Pose(azimuth_deg=45))
    missing, stayed = viewpoint_error(None, truth), viewpoint_error(STAYED, truth)
    assert missing.mean == stayed.mean
    assert (missing.is_found, stayed.is_found) == (False, True)


def test_without_a_baseline_there_is_no_error() -> None:
    """Where the camera was not to move the formula divides by nothing, and says so."""
    with pytest.raises(ValueError, match="not defined"):
        viewpoint_error(STAYED, truth_of(Pose(lens="wide")))


@pytest.mark.parametrize("pose", POSES.values(), ids=POSES)
def test_the_true_pose_brings_points_from_camera_to_camera(pose: Pose) -> None:
    """World points in the frame of the view's camera are those in the master's frame, moved and turned."""
    points = np.random.default_rng(1).uniform(-1, 1, (3, 50)).astype(np.float32)
    before, after = (
        np.diag((1, -1, 1)) @ camera.axes @ (points - camera.position[:, None])
        for camera in (camera_for(Pose()), camera_for(pose))
    )
    truth = truth_of(pose)
    np.testing.assert_allclose(truth.rotation @ (before - truth.position[:, None]), after, atol=1e-5)
    assert np.linalg.det(truth.rotation) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("pose", POSES.values(), ids=POSES)
def test_exact_matches_give_the_true_camera(pose: Pose) -> None:
    """Of places seen exactly, the camera is found to a hundredth, so no convention is the wrong way round."""
    truth = truth_of(pose)
    estimate = read_motion(relate_points(pose), float(np.linalg.norm(truth.position)))
    assert estimate is not None
    assert viewpoint_error(estimate, truth).mean < 0.01


def test_what_does_not_move_the_camera_leaves_it() -> None:
    """A zoom, a crop and a static picture are no move; a turn on the spot turns and stays; the rest is not found."""
    turn = Rotation.from_euler("y", 20, degrees=True).as_matrix()
    assert read_motion(TwoViews(motion="crop", num_matches=50, num_inliers=50, scale=1.5), 3.0) is STAYED
    assert read_motion(TwoViews(motion="static", num_matches=50, num_inliers=50), 3.0) is STAYED
    pan = read_motion(TwoViews(motion="pan", num_matches=50, num_inliers=50, rotation=turn), 3.0)
    assert pan is not None
    assert np.array_equal(pan.position, np.zeros(3))
    assert np.array_equal(pan.rotation, turn)
    doubted = TwoViews(
        motion="unverifiable", num_matches=50, num_inliers=50, rotation=turn, translation=np.array((1.0, 0, 0))
    )
    assert read_motion(doubted, 3.0) is None


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, ViewpointError]]:
    """Every row of one held-out scene, small."""
    return measure_scene(7, {}, poses=("+30°", "high"), size_px=(448, 252))


def test_pictures_are_ranked_as_they_should_be(rows: dict[str, dict[str, ViewpointError]]) -> None:
    """True views are near 0, the master and noise exactly at the null edit; a mirrored one is far from the true.

    It may still be nearer than nothing done: what is symmetric matches its mirror image, and the formula has no guard.
    """
    null = (1 + 30 / 90) / 2
    assert all(error.is_found and error.mean < 0.15 for error in rows["oracle (the true view)"].values())
    assert rows["no-op (the master)"]["+30°"].mean == pytest.approx(null, abs=1e-4)
    assert rows["no-op (the master)"]["+30°"].is_found
    assert rows["noise"]["+30°"].mean == pytest.approx(null, abs=1e-4)
    assert not rows["noise"]["+30°"].is_found
    assert all(error.mean > 0.2 for error in rows["the true view mirrored"].values())


def test_published_figures_stand_apart(rows: dict[str, dict[str, ViewpointError]]) -> None:
    """What is quoted comes last, under its own heading, and in no table of ours."""
    ours, quoted = write_tables(merge([rows, rows])).split("**Different images, quoted from arXiv 2604.04911:**")
    assert "| no-op (the master) |" in ours
    assert "4 of 4" in ours
    assert "0 of 4" in ours
    for editor, error in PUBLISHED.items():
        assert f"| {editor} | {error:.3f} |" in quoted
        assert editor not in ours
