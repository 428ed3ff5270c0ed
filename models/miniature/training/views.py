"""Pictures to learn from: views of the film stage, drawn once and kept as shards that are mapped into memory.

Run `python -m models.miniature.training.views --data FOLDER --scenes 8000`; what is there already is not drawn again.
A shard is one array (scenes, views, height, width, 3) of sRGB; which seed and which poses it shows follows from its
number, so there is no index that could be wrong.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from models.camera import PRESETS, Pose
from models.miniature.cameras import camera_for
from models.miniature.raycast import render_view
from models.miniature.stage import Scene, is_held_out, make_scene

WIDTH_PX, HEIGHT_PX = 224, 128
SCENES_PER_SHARD = 64
VIEWS_PER_SCENE = 6
PRESET_SHARE = 0.8
"""The other views are any that the relative dialect can say."""

MASTER = Pose()
ALL_POSES = tuple(
    Pose(azimuth_deg=azimuth, elevation_deg=elevation, distance=distance, lens=lens)
    for azimuth, elevation, distance, lens in product(
        (-90, -45, 0, 45, 90), (-60, -20, 0, 30, 90), (0.6, 0.8, 1.0), ("normal", "wide")
    )
)


def training_seed(index: int) -> int:
    """Return the seed of the `index`-th scene that may be trained on."""
    seed = index // 9 * 10 + (0, 1, 2, 3, 4, 5, 6, 8, 9)[index % 9]
    if is_held_out(seed):
        msg = f"Scene {seed} is held out for ever"
        raise ValueError(msg)
    return seed


def training_poses(seed: int) -> tuple[Pose, ...]:
    """Return the poses drawn of a scene: the master's first, then others, none twice."""
    random = np.random.default_rng((seed, 1))
    chosen = [MASTER]
    presets = tuple(PRESETS.values())
    while len(chosen) < VIEWS_PER_SCENE:
        poses = presets if random.random() < PRESET_SHARE else ALL_POSES
        pose = poses[random.integers(len(poses))]
        if pose not in chosen:
            chosen.append(pose)
    return tuple(chosen)


def draw(scene: Scene, pose: Pose, samples_per_axis: int = 3) -> NDArray[np.uint8]:
    """Return the true picture (height, width, 3) of a pose, at the raster of the miniature."""
    return render_view(scene, camera_for(pose), WIDTH_PX, HEIGHT_PX, samples_per_axis).picture


def shard_path(folder: Path, number: int) -> Path:
    """Return where a shard lies."""
    return folder / f"views-{number:05}.npy"


def draw_shard(folder: Path, number: int) -> None:
    """Draw one shard, unless it is there; four rays a pixel take half the time of nine and are 32 dB from them."""
    path = shard_path(folder, number)
    if path.exists():
        return
    seeds = [training_seed(number * SCENES_PER_SHARD + place) for place in range(SCENES_PER_SHARD)]
    pictures = np.empty((SCENES_PER_SHARD, VIEWS_PER_SCENE, HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    for place, seed in enumerate(seeds):
        scene = make_scene(seed)
        for view, pose in enumerate(training_poses(seed)):
            pictures[place, view] = draw(scene, pose, samples_per_axis=2)
    save_shard(path, pictures)


def save_shard(path: Path, values: NDArray[np.uint8] | NDArray[np.float16]) -> None:
    """Write a shard whole or not at all, whoever else is writing it too."""
    unfinished = path.with_suffix(f".{os.getpid()}.tmp.npy")
    np.save(unfinished, values)
    unfinished.replace(path)


def open_shards(folder: Path) -> list[NDArray[np.uint8]]:
    """Return all shards from the first to the first that is absent, mapped into memory."""
    shards: list[NDArray[np.uint8]] = []
    while (path := shard_path(folder, len(shards))).exists():
        shards.append(np.load(path, mmap_mode="r"))
    return shards


def main() -> None:
    """Draw as many scenes as the command line asks for, rounded up to whole shards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".mastershot/training/views"))
    parser.add_argument("--scenes", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    arguments.data.mkdir(parents=True, exist_ok=True)
    num_shards = -(-arguments.scenes // SCENES_PER_SHARD)
    with ProcessPoolExecutor(arguments.workers) as pool:
        drawn = pool.map(partial(draw_shard, arguments.data), range(num_shards))
        for _ in track(drawn, total=num_shards, description="Drawing shards"):
            pass


if __name__ == "__main__":
    main()
