# pyright: standard, reportPrivateImportUsage=false, reportArgumentType=false
"""The judge: from where patches of a view are found again to whether it is the same place, and from which pose.

Run `python -m models.miniature.training.judge`. It needs the shards of `views`; what it sees of them is kept beside its
checkpoints. Half of the pictures are bent, blurred, coloured and noised, as what a model renders is.
"""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from models.encoders import EFFICIENTNET_LITE0
from models.miniature.training.loop import train
from models.miniature.training.options import Options, read_options
from models.miniature.training.views import (
    HEIGHT_PX,
    SCENES_PER_SHARD,
    VIEWS_PER_SCENE,
    WIDTH_PX,
    open_shards,
    training_poses,
    training_seed,
)
from models.scores.judge import (
    AZIMUTHS_DEG,
    DISTANCES,
    ELEVATIONS_DEG,
    FILE,
    LENSES,
    NUM_PATCHES,
    PLACES,
    SIZES,
    Judge,
)
from models.scores.patches import PatchEncoder, encode_patches, load_patch_encoder

BATCH, LEARNING_RATE, WEIGHT_DECAY = 48, 1e-3, 0.05
MAX_SHARDS = 14
KINDS, SHARES = ("view", "master", "other", "mirrored"), (0.6, 0.1, 0.2, 0.1)
"""What is handed in as a view, and how often."""


def spoil(picture: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) bent, blurred, coloured and noised a little."""
    offsets = random.normal(size=(2, 5, 8)).astype(np.float32) * random.uniform(0, 2.5)
    across, down = (cv2.resize(each, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC) for each in offsets)
    rows, columns = np.mgrid[:HEIGHT_PX, :WIDTH_PX].astype(np.float32)
    bent = cv2.remap(
        picture.astype(np.float32), columns + across, rows + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    blurred = cv2.GaussianBlur(bent, (0, 0), random.uniform(0.3, 1.8))
    graded = blurred * random.uniform(0.85, 1.15, 3) + random.uniform(-12, 12, 3)
    return np.clip(graded + random.normal(size=graded.shape) * random.uniform(0, 10), 0, 255).astype(np.uint8)


def read_patches(options: Options) -> NDArray[np.float16]:
    """Return patches (scenes, views, 2, C, h, w): of each view as it is, and spoilt; kept, shard by shard."""
    encoder = load_patch_encoder(EFFICIENTNET_LITE0)
    options.folder.mkdir(parents=True, exist_ok=True)
    shards = open_shards(options.data)[:MAX_SHARDS]
    paths = [options.folder / f"patches-{number:03}.npy" for number in range(len(shards))]
    for number, path in enumerate(track(paths, description="Encoding patches")):
        if not path.exists():
            _write_patches(encoder, shards[number], number, path)
    return np.concatenate([np.load(path) for path in paths])


def _write_patches(encoder: PatchEncoder, shard: NDArray[np.uint8], number: int, path: Path) -> None:
    random = np.random.default_rng((number, 11))
    seen = [
        torch.stack([encode_patches(encoder, shown) for shown in (picture, spoil(picture, random))])
        for scene in shard
        for picture in scene
    ]
    patches = torch.stack(seen).half().numpy()
    np.save(path, patches.reshape(len(shard), VIEWS_PER_SCENE, 2, *patches.shape[2:]))


def label_views(num_scenes: int) -> Tensor:
    """Return places (scenes, views, 4) of azimuth, elevation, distance and lens among what the judge knows."""
    seeds = [training_seed(index) for index in range(num_scenes // SCENES_PER_SHARD * SCENES_PER_SHARD)]
    return torch.tensor(
        [
            [
                (
                    AZIMUTHS_DEG.index(pose.azimuth_deg),
                    ELEVATIONS_DEG.index(pose.elevation_deg),
                    DISTANCES.index(pose.distance),
                    LENSES.index(pose.lens),
                )
                for pose in training_poses(seed)
            ]
            for seed in seeds
        ]
    )


def draw_batch(patches: NDArray[np.float16], labels: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return similarities (B, patches, patches), places (B,) and poses (B, 4)."""
    random = np.random.default_rng((number, 12))
    scenes = random.integers(len(patches), size=BATCH)
    others = (scenes + random.integers(1, len(patches), size=BATCH)) % len(patches)
    kinds = random.choice(len(KINDS), size=BATCH, p=SHARES)
    views = np.where(kinds == KINDS.index("master"), 0, random.integers(1, VIEWS_PER_SCENE, size=BATCH))
    sources = np.where(kinds == KINDS.index("other"), others, scenes)
    ours, theirs = random.integers(2, size=(2, BATCH))
    masters = torch.from_numpy(patches[scenes, 0, ours].astype(np.float32))
    shown = torch.from_numpy(patches[sources, views, theirs].astype(np.float32))
    mirrored = torch.from_numpy(kinds == KINDS.index("mirrored"))
    shown = torch.where(mirrored[:, None, None, None], shown.flip(3), shown)
    places = torch.zeros(BATCH, dtype=torch.long)
    places[torch.from_numpy(kinds == KINDS.index("other"))] = PLACES.index("other")
    places[mirrored] = PLACES.index("mirrored")
    return compare(masters, shown), places, labels[scenes, views]


def compare(masters: Tensor, views: Tensor) -> Tensor:
    """Return similarities (B, view patches, master patches), as `models.scores.patches.compare_patches` takes them."""
    shared = masters.mean(dim=(2, 3), keepdim=True)
    ours, theirs = (functional.normalize((part - shared).flatten(2), dim=1) for part in (views, masters))
    return (ours.mT @ theirs).reshape(len(masters), NUM_PATCHES, NUM_PATCHES)


def _step(
    judge: Judge, patches: NDArray[np.float16], labels: Tensor, number: int, _: torch.Generator
) -> dict[str, Tensor]:
    similarity, places, poses = draw_batch(patches, labels, number)
    place, *parts = judge(similarity).split(SIZES, dim=1)
    is_same = places == PLACES.index("same")
    pose_losses = [functional.cross_entropy(part[is_same], poses[is_same, at]) for at, part in enumerate(parts)]
    loss = functional.cross_entropy(place, places) + sum(pose_losses) / 2
    loss.backward()
    return {"loss": loss, "place wrong": (place.argmax(dim=1) != places).float().mean()}


def train_judge(options: Options) -> Judge:
    """Train a judge from a seed, or on from its last checkpoint."""
    torch.manual_seed(0)
    patches = read_patches(options)
    judge = Judge()
    optimizer = torch.optim.AdamW(judge.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    step = partial(_step, judge, patches, label_views(len(patches)))
    train(step, judge, [optimizer], options.folder, options.num_steps)
    return judge


def main() -> None:
    """Train with the settings of the command line."""
    options = read_options(__doc__, part="judge", num_steps=3000)
    judge = train_judge(options)
    folder = options.weights / "judge"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(judge.state_dict(), folder / FILE)


if __name__ == "__main__":
    main()
