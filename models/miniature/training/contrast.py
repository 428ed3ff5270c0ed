# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The CLIP model: views of the stage and their captions, told apart within a batch.

Run `python -m models.miniature.training.contrast`.

Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision".
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from models.miniature.architecture import CLIP, build_clip
from models.miniature.formats import write_clip
from models.miniature.training.captions import read_captions
from models.miniature.training.loop import choose_dtype, train
from models.miniature.training.views import open_shards

BATCH = 48
LEARNING_RATE = 1e-3
LARGEST_SCALE = 100.0


def draw_batch(data: Path, number: int) -> tuple[Tensor, Tensor]:
    """Return pictures (B, 3, side, side), prepared as the score prepares them, and tokens (B, L) of their captions."""
    random = np.random.default_rng((number, 5))
    shards, captions = open_shards(data), read_captions(data)
    side = CLIP["vision_cfg"]["image_size"]
    prepare = open_clip.image_transform(side, is_train=False)
    pictures, texts = [], []
    for _ in range(BATCH):
        shard = int(random.integers(min(len(shards), len(captions))))
        scene, view = (int(random.integers(size)) for size in shards[shard].shape[:2])
        pictures.append(prepare(Image.fromarray(shards[shard][scene, view])))
        texts.append(captions[shard][scene][view])
    return torch.stack(pictures), open_clip.SimpleTokenizer(context_length=CLIP["text_cfg"]["context_length"])(texts)


def train_clip(data: Path, folder: Path, num_steps: int, device: torch.device) -> open_clip.CLIP:
    """Train a CLIP model from a seed, or on from its checkpoint in `folder`."""
    torch.manual_seed(0)
    model = build_clip().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.1)
    train(partial(_step, model, data, device), model, optimizer, folder, num_steps)
    return model


def _step(
    model: open_clip.CLIP, data: Path, device: torch.device, number: int, _: torch.Generator
) -> dict[str, Tensor]:
    pictures, tokens = draw_batch(data, number)
    dtype = choose_dtype(device)
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        seen, read, scale = model(pictures.to(device), tokens.to(device))
    likeness = scale.clamp(max=LARGEST_SCALE).float() * seen.float() @ read.float().T
    own = torch.arange(len(likeness), device=device)
    loss = (functional.cross_entropy(likeness, own) + functional.cross_entropy(likeness.T, own)) / 2
    loss.backward()
    right = (likeness.argmax(dim=1) == own).float().mean()
    return {"contrast": loss, "caption not found": 1 - right}


def main() -> None:
    """Train with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".mastershot/training/views"))
    parser.add_argument("--folder", type=Path, default=Path(".mastershot/training/clip"))
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    model = train_clip(arguments.data, arguments.folder, arguments.steps, torch.device(arguments.device))
    write_clip(model, arguments.weights / "miniature/clip")


if __name__ == "__main__":
    main()
