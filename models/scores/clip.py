# pyright: standard
"""Image embeddings by an open_clip model that lies in a folder of the weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from PIL import Image
from torch import Tensor, nn

from models.weights import check_clip, refuse_damage


@dataclass(frozen=True, kw_only=True)
class ClipEncoder:
    """An open_clip model and the transform that its pictures need."""

    model: nn.Module
    transform: Any


def load_clip(folder: Path) -> ClipEncoder:
    """Load `open_clip_config.json` and `open_clip_model.safetensors` from `folder`.

    Raises:
        MissingWeightsError: The folder or one of the two files is not there.
        PickledWeightsError: The weights are stored as a pickle, which can run code.
        WrongWeightsError: The files are damaged or do not belong together.
    """
    check_clip(folder)
    with refuse_damage(folder):
        model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder.resolve()}")
    return ClipEncoder(model=model.eval(), transform=transform)


def embed_picture(encoder: ClipEncoder, picture: Image.Image) -> Tensor:
    """Return the embedding (C,) of a picture, of unit length."""
    return embed_with_mirror(encoder, picture)[0]


@torch.inference_mode()
def embed_with_mirror(encoder: ClipEncoder, picture: Image.Image) -> Tensor:
    """Return the embeddings (2, C) of a picture and of its mirror image, of unit length."""
    prepared = encoder.transform(picture)
    both = torch.stack([prepared, prepared.flip(-1)])
    return encoder.model.encode_image(both, normalize=True)  # pyright: ignore[reportCallIssue]
