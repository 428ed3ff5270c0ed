"""The evaluation of the miniature can be failed, and knows the truth when it sees it."""

import numpy as np
import pytest

from models.camera import PRESETS, Pose
from models.miniature.cameras import camera_for
from models.miniature.evaluation import Take, baselines, draw_truth, gradient_energy, held_out_seeds, judge
from models.miniature.raycast import View, render_view
from models.miniature.stage import is_held_out, make_scene
from models.miniature.training.views import training_poses, training_seed
from models.miniature.visibility import fill_from_master


@pytest.fixture(scope="module")
def take() -> Take:
    """Return a scene shown as it is."""
    master, truth = draw_truth(7)
    return Take(master=master, truth=truth, shown=truth)


@pytest.fixture(scope="module")
def master(take: Take) -> View:
    """Return the master of that scene with its depth and ids."""
    height, width = take.master.shape[:2]
    return render_view(make_scene(7), camera_for(Pose()), width, height)


def test_the_truth_is_always_right_and_as_sharp_as_itself(take: Take) -> None:
    """An oracle has the highest figures there are."""
    figures = judge("oracle", [take])
    assert figures.mean_accuracy == 1
    assert figures.sharpness == 1
    assert figures.psnr_db > 100


def test_the_master_given_back_is_never_right(take: Take) -> None:
    """Nothing is gained by doing nothing."""
    no_op = baselines([(take.master, take.truth)])["no-op (the master)"]
    assert judge("no-op", no_op).mean_accuracy == 0


def test_another_view_is_never_right(take: Take) -> None:
    """A view of the right scene from the wrong place is wrong."""
    other = baselines([(take.master, take.truth)])["a random view"]
    assert judge("random", other).mean_accuracy == 0


def test_mirrored_left_and_right_are_wrong(take: Take) -> None:
    """Who takes left for right is found out."""
    names = list(map(str, PRESETS))
    order = list(range(len(names)))
    for left, right in (("left_45", "right_45"), ("left_90", "right_90")):
        a, b = names.index(left), names.index(right)
        order[a], order[b] = order[b], order[a]
    figures = judge("swapped", [Take(master=take.master, truth=take.truth, shown=take.truth[order])])
    assert figures.accuracy["left_45"] == 0
    assert figures.accuracy["close_up"] == 1


def test_a_blurred_picture_has_less_gradient_energy(take: Take) -> None:
    """Averages are found out."""
    blurred = (take.truth.astype(np.float32) + np.roll(take.truth, 1, axis=2) + np.roll(take.truth, 2, axis=2)) / 3
    assert gradient_energy(blurred.astype(np.uint8)) < 0.8 * gradient_energy(take.truth)


def test_the_master_shows_all_of_itself(take: Take, master: View) -> None:
    """From where it was taken nothing is hidden, and every pixel is where it was."""
    filled, seen = fill_from_master(make_scene(7), master, Pose(), take.master)
    assert seen == 1
    assert np.abs(filled.astype(int) - take.master).max() <= 1


def test_the_oracle_knows_what_the_master_shows(take: Take, master: View) -> None:
    """Nearly all of a close-up and little of a side view; its pictures are nearer to the truth than the master is."""
    shares = {}
    for view, (name, pose) in zip(take.truth, PRESETS.items(), strict=True):
        filled, shares[name] = fill_from_master(make_scene(7), master, pose, view)
        error, no_op = (np.square(shown.astype(float) - view).mean() for shown in (filled, take.master))
        assert error < no_op / 2
    assert shares["close_up"] > 0.8
    assert shares["left_90"] < 0.5


def test_no_scene_that_is_trained_on_is_evaluated_on() -> None:
    """Training seeds and evaluation seeds share nothing, and training never meets a held-out one."""
    trained = {training_seed(index) for index in range(5000)}
    assert len(trained) == 5000
    assert not any(map(is_held_out, trained))
    assert trained.isdisjoint(held_out_seeds(64))
    assert all(map(is_held_out, held_out_seeds(64)))


def test_poses_of_a_scene_are_the_master_and_different_others() -> None:
    """No view is drawn twice."""
    for seed in range(50):
        poses = training_poses(seed)
        assert len(set(map(str, poses))) == len(poses)
        assert poses[0].distance == 1
        assert poses[0].azimuth_deg == 0
