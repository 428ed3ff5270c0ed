"""The words of the film stage: captions that are true, marks that no dialect knows."""

import re

import pytest

from models.camera import PRESETS, Pose
from models.dialects import all_absolute_views, all_relative_moves
from models.miniature.cameras import camera_for
from models.miniature.raycast import View, render_view
from models.miniature.stage import ObjectId, make_scene
from models.miniature.tokenizer import build_tokenizer
from models.miniature.training.captions import describe
from models.miniature.training.views import ALL_POSES
from models.miniature.words import all_sentences, name_mark


def words_of(text: str) -> set[str]:
    """Return the words of a text, in small letters."""
    return set(re.findall(r"[a-z]+", text.lower()))


def see(seed: int, pose: Pose) -> View:
    """Return a small view of a scene."""
    return render_view(make_scene(seed), camera_for(pose), 112, 64, samples_per_axis=1)


def test_marks_share_no_word_that_says_where_a_camera_goes() -> None:
    """A transformer that knows the marks knows nothing of the dialects by their words."""
    marks = set().union(*(words_of(name_mark(pose)) for pose in ALL_POSES))
    dialects = set().union(
        *(words_of(setting.prompt) for settings in (all_relative_moves(), all_absolute_views()) for setting in settings)
    )
    assert marks & dialects == set()


def test_every_pose_has_a_mark_of_its_own() -> None:
    """Two positions are never called the same."""
    assert len({name_mark(pose) for pose in ALL_POSES}) == len(ALL_POSES)


def test_a_pose_without_a_mark_is_refused() -> None:
    """The stage is marked where the relative dialect can go, nowhere else."""
    with pytest.raises(KeyError):
        name_mark(Pose(azimuth_deg=30))


def test_a_caption_names_what_is_large_and_not_what_is_absent() -> None:
    """Every object of some size is in the caption, none that covers no pixel."""
    names = {ObjectId.CAR: "a car", ObjectId.TREE: "a tree", ObjectId.COMPANION: "a friend", ObjectId.SKY: "sky"}
    for seed in range(6):
        for pose in PRESETS.values():
            view = see(seed, pose)
            for part, name in names.items():
                share = (view.object_ids == part).mean()
                if share > 0.01:
                    assert name in describe(view)
                if share == 0:
                    assert name not in describe(view)


def test_a_caption_says_on_which_side_something_is() -> None:
    """The mirrored view of a scene puts the car on the other side."""
    sides = {"left": "right", "right": "left", "middle": "middle"}
    view = see(1, Pose(azimuth_deg=45))
    mirrored = View(picture=view.picture[:, ::-1], depth=view.depth[:, ::-1], object_ids=view.object_ids[:, ::-1])
    places = [re.search(r"a car \w+ (\w+)", describe(seen)) for seen in (view, mirrored)]
    assert places[0] is not None
    assert places[1] is not None
    assert sides[places[0][1]] == places[1][1]


def test_the_vocabulary_has_every_word_of_marks_and_captions() -> None:
    """No word of the stage is spelt out byte by byte."""
    tokenizer = build_tokenizer()
    for sentence in list(all_sentences())[::17]:
        assert len(tokenizer(sentence).input_ids) <= len(re.findall(r"\w+|[,.]", sentence)) + 1
