# pyright: standard
"""Captions of the views of a shard, made from what the camera truly sees.

Run `python -m models.miniature.training.captions --data FOLDER --shards 16`.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from skimage.color import rgb2lab

from models.camera import Pose
from models.miniature.cameras import camera_for
from models.miniature.raycast import View, render_view
from models.miniature.stage import ObjectId, Scene, make_scene
from models.miniature.training.views import (
    HEIGHT_PX,
    SCENES_PER_SHARD,
    WIDTH_PX,
    open_shards,
    training_poses,
    training_seed,
)
from models.miniature.words import COLOURS, NAMES, PLACES, caption

SMALLEST_SHARE = 0.002
"""Of the picture; what is smaller is not worth a word."""

_LAB = rgb2lab(np.array([list(COLOURS.values())], np.uint8))[0]


def describe(view: View) -> str:
    """Return a caption: what is seen, in which colour and where, people first."""
    masks = {name: view.object_ids == ObjectId[part] for part, name in NAMES.items()}
    return caption(
        (name, name_colour(view.picture[mask]), name_place(mask))
        for name, mask in masks.items()
        if mask.mean() >= SMALLEST_SHARE
    )


def name_place(mask: NDArray[np.bool_]) -> str:
    """Return which third of the picture the middle of something is in."""
    return PLACES[int(np.nonzero(mask)[1].mean() * len(PLACES) / mask.shape[1])]


def name_colour(pixels: NDArray[np.uint8]) -> str:
    """Return the colour with most votes; a pixel's vote grows with its chroma, so that a jacket beats its shadow."""
    lab = rgb2lab(pixels[:: len(pixels) // 200 + 1, None])
    nearest = np.linalg.norm(lab - _LAB, axis=-1).argmin(axis=-1)
    votes = np.bincount(nearest, weights=5 + np.hypot(lab[:, 0, 1], lab[:, 0, 2]), minlength=len(COLOURS))
    return list(COLOURS)[int(votes.argmax())]


def caption_pose(scene: Scene, pose: Pose) -> str:
    """Return the caption of a view; one ray a pixel is enough for words."""
    return describe(render_view(scene, camera_for(pose), WIDTH_PX, HEIGHT_PX, samples_per_axis=1))


def caption_path(folder: Path, number: int) -> Path:
    """Return where the captions of a shard lie: a JSON list of scenes, each a list of its views' captions."""
    return folder / f"captions-{number:05}.json"


def write_captions(folder: Path, number: int) -> None:
    """Caption one shard, unless it is done."""
    path = caption_path(folder, number)
    if path.exists():
        return
    lines: list[list[str]] = []
    for place in range(SCENES_PER_SHARD):
        seed = training_seed(number * SCENES_PER_SHARD + place)
        scene = make_scene(seed)
        lines.append([caption_pose(scene, pose) for pose in training_poses(seed)])
    path.write_text(json.dumps(lines))


def read_captions(folder: Path) -> list[list[list[str]]]:
    """Return the captions of all shards from the first to the first that has none."""
    shards: list[list[list[str]]] = []
    while (path := caption_path(folder, len(shards))).exists():
        shards.append(json.loads(path.read_text()))
    return shards


class CaptionedViews:
    """The views of all shards that have captions."""

    def __init__(self, data: Path) -> None:
        """Open the shards of `data` and read their captions."""
        self._captions = read_captions(data)
        self._shards = open_shards(data)[: len(self._captions)]

    def draw(self, random: np.random.Generator) -> tuple[NDArray[np.uint8], str]:
        """Return a view (H, W, 3) and its caption."""
        shard = int(random.integers(len(self._shards)))
        scene, view = (int(random.integers(size)) for size in self._shards[shard].shape[:2])
        return self._shards[shard][scene, view], self._captions[shard][scene][view]


def main() -> None:
    """Caption as many shards as the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".mastershot/training/views"))
    parser.add_argument("--shards", type=int, default=16)
    arguments = parser.parse_args()
    for number in track(range(arguments.shards), description="Captioning shards"):
        write_captions(arguments.data, number)


if __name__ == "__main__":
    main()
