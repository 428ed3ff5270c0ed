"""The film stage: same seed, same pixels; a pose moves the camera where it says; depth and ids are true."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.camera import Pose
from models.miniature.cameras import camera_for
from models.miniature.raycast import View, render_view
from models.miniature.stage import ObjectId, is_held_out, make_scene

WIDTH, HEIGHT = 112, 64
SEED = 127
POSES = {
    "master": Pose(),
    "close_up": Pose(distance=0.6),
    "wide": Pose(distance=1.8),
    "wide_lens": Pose(lens="wide"),
    "low_angle": Pose(elevation_deg=-20),
    "high_angle": Pose(elevation_deg=35),
    "top_down": Pose(elevation_deg=90),
    "left_45": Pose(azimuth_deg=-45),
    "right_45": Pose(azimuth_deg=45),
    "left_90": Pose(azimuth_deg=-90),
    "right_90": Pose(azimuth_deg=90),
    "behind": Pose(azimuth_deg=180),
}


@pytest.fixture(scope="module")
def views() -> dict[str, View]:
    """Draw one scene from every preset pose."""
    scene = make_scene(SEED)
    return {name: render_view(scene, camera_for(pose), WIDTH, HEIGHT) for name, pose in POSES.items()}


def draw_master(seed: int) -> NDArray[np.uint8]:
    """Draw the master picture of a seed."""
    return render_view(make_scene(seed), camera_for(Pose()), WIDTH, HEIGHT).picture


def num_subject_pixels(view: View) -> int:
    """Count the pixels that show the subject."""
    return int(np.count_nonzero(view.object_ids == ObjectId.SUBJECT))


def test_a_seed_means_the_same_pixels(views: dict[str, View]) -> None:
    """A scene built and drawn twice gives identical bytes."""
    np.testing.assert_array_equal(draw_master(SEED), views["master"].picture)


def test_another_seed_means_another_scene(views: dict[str, View]) -> None:
    """Two seeds differ in most of their pixels, visibly."""
    difference = np.abs(draw_master(SEED + 1).astype(int) - views["master"].picture).max(axis=2)
    assert np.mean(difference > 16) > 0.5


def test_one_seed_in_ten_is_held_out() -> None:
    """The rule keeps the seeds that end in 7, the example among them."""
    assert [seed for seed in range(30) if is_held_out(seed)] == [7, 17, 27]
    assert is_held_out(SEED)


def test_the_camera_arcs_to_its_own_right() -> None:
    """At azimuth 45 what stands behind the subject moves right in the picture, and what stands right comes nearer."""
    behind, right = np.array(((0, 1, -2), (2, 1, 0)), np.float32)
    points = np.stack((behind, right), axis=1)
    before = camera_for(Pose()).project(points)
    after = camera_for(Pose(azimuth_deg=45)).project(points)
    assert before[0, 0] == pytest.approx(0, abs=1e-6)
    assert after[0, 0] > 0.3
    assert after[2, 1] < before[2, 1] - 1
    assert 0 < after[0, 1] * after[2, 1] < before[0, 1] * before[2, 1]


@pytest.mark.parametrize("elevation", [-30.0, 0.0, 35.0, 85.0, 90.0])
@pytest.mark.parametrize("azimuth", [0.0, 90.0, 180.0, -135.0])
def test_a_camera_is_square_and_above_the_ground(azimuth: float, elevation: float) -> None:
    """Right, up and forward are orthonormal and right-handed at every pose, straight down included."""
    camera = camera_for(Pose(azimuth_deg=azimuth, elevation_deg=elevation, distance=1.8))
    np.testing.assert_allclose(camera.axes @ camera.axes.T, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(np.cross(camera.axes[0], camera.axes[1]), -camera.axes[2], atol=1e-5)
    assert camera.position[1] > 0.2


@pytest.mark.parametrize("name", POSES)
def test_a_view_has_its_shape_and_shows_the_subject(views: dict[str, View], name: str) -> None:
    """Every preset gives bytes, depth and ids of one size, with the subject near the middle."""
    view = views[name]
    assert view.picture.shape == (HEIGHT, WIDTH, 3)
    assert (view.picture.dtype, view.depth.dtype, view.object_ids.dtype) == (np.uint8, np.float32, np.uint8)
    assert view.depth.shape == view.object_ids.shape == (HEIGHT, WIDTH)
    columns = np.nonzero(view.object_ids == ObjectId.SUBJECT)[1]
    assert len(columns) > 0.004 * WIDTH * HEIGHT
    assert abs(columns.mean() / WIDTH - 0.5) < 0.12


@pytest.mark.parametrize("name", POSES)
def test_a_projected_point_lands_on_its_object(views: dict[str, View], name: str) -> None:
    """The middle of the subject's head falls on a subject pixel, at about its depth."""
    camera = camera_for(POSES[name])
    x, y, depth = camera.project(np.array(((0,), (1.62,), (0,)), np.float32))[:, 0]
    pixel = int(HEIGHT / 2 * (1 - y)), int(WIDTH / 2 + x * HEIGHT / 2)
    assert views[name].object_ids[pixel] == ObjectId.SUBJECT
    assert views[name].depth[pixel] == pytest.approx(depth, abs=0.3)


@pytest.mark.parametrize("name", POSES)
def test_depth_puts_the_ground_on_the_ground(views: dict[str, View], name: str) -> None:
    """Depth is finite but for the sky, and a ground pixel's middle ray ends at height 0."""
    camera, view = camera_for(POSES[name]), views[name]
    np.testing.assert_array_equal(np.isinf(view.depth), view.object_ids == ObjectId.SKY)
    row, column = np.nonzero((view.object_ids == ObjectId.GROUND) & (view.depth < 30))
    scale = camera.tan_half_height / HEIGHT
    right, up = (2 * column + 1 - WIDTH) * scale, (HEIGHT - 1 - 2 * row) * scale
    fall = camera.axes[2, 1] + camera.axes[0, 1] * right + camera.axes[1, 1] * up
    np.testing.assert_allclose(camera.position[1] + fall * view.depth[row, column], 0, atol=1e-4)


def test_closer_shows_more_of_the_subject(views: dict[str, View]) -> None:
    """The close-up has more subject pixels than the master, the wide views fewer."""
    num_master = num_subject_pixels(views["master"])
    assert num_subject_pixels(views["close_up"]) > 1.4 * num_master
    assert num_subject_pixels(views["wide"]) < 0.5 * num_master
    assert num_subject_pixels(views["wide_lens"]) < 0.5 * num_master


@pytest.mark.parametrize("pair", [("left_45", "right_45"), ("left_90", "right_90"), ("master", "master")])
def test_left_is_not_right_mirrored(views: dict[str, View], pair: tuple[str, str]) -> None:
    """A view from the left is not the mirrored view from the right, in pixels and in what the pixels show."""
    left, right = (views[name] for name in pair)
    difference = np.abs(left.picture.astype(int) - right.picture[:, ::-1]).max(axis=2)
    assert np.mean(difference > 16) > 0.3
    assert np.mean(left.object_ids != right.object_ids[:, ::-1]) > 0.1
