# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The CLIP model: views of the stage and their captions, told apart within a batch.

Run `python -m models.miniature.training.contrast`.

Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision".
"""

from functools import partial

import numpy as np
import open_clip
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from models.miniature.architecture import CLIP, build_clip
from models.miniature.formats import write_clip
from models.miniature.training.captions import CaptionedViews
from models.miniature.training.loop import choose_dtype, train
from models.miniature.training.options import Options, read_options

BATCH = 48
LEARNING_RATE = 1e-3
LARGEST_SCALE = 100.0


def draw_batch(views: CaptionedViews, number: int) -> tuple[Tensor, Tensor]:
    """Return pictures (B, 3, side, side), prepared as the score prepares them, and tokens (B, L) of their captions."""
    random = np.random.default_rng((number, 5))
    side = CLIP["vision_cfg"]["image_size"]
    prepare = open_clip.image_transform(side, is_train=False)
    pictures, texts = zip(*(views.draw(random) for _ in range(BATCH)), strict=True)
    tokens = open_clip.SimpleTokenizer(context_length=CLIP["text_cfg"]["context_length"])(list(texts))
    return torch.stack([prepare(Image.fromarray(picture)) for picture in pictures]), tokens


def train_clip(options: Options) -> open_clip.CLIP:
    """Train a CLIP model from a seed, or on from its last checkpoint."""
    torch.manual_seed(0)
    model = build_clip().to(options.device)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.1)
    step = partial(_step, model, CaptionedViews(options.data), options.device)
    train(step, model, [optimizer], options.folder, options.num_steps)
    return model


def _step(
    model: open_clip.CLIP, views: CaptionedViews, device: torch.device, number: int, _: torch.Generator
) -> dict[str, Tensor]:
    pictures, tokens = draw_batch(views, number)
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
    options = read_options(__doc__, part="clip", num_steps=1500)
    model = train_clip(options)
    write_clip(model, options.weights / "miniature/clip")


if __name__ == "__main__":
    main()
