# pyright: standard
"""Image embeddings by an open_clip model that lies in a folder of the weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
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


@torch.inference_mode()
def clip_cosines(encoder: ClipEncoder, pictures: Sequence[Tensor]) -> list[float]:
    """Return the cosine of the embedding of the first picture with that of each other, in [-1, 1].

    Args:
        encoder: The model.
        pictures: What its transform makes of the reference and then of each view.
    """
    embeddings = encoder.model.encode_image(torch.stack(list(pictures)), normalize=True)  # pyright: ignore[reportCallIssue]
    return (embeddings[1:] @ embeddings[0]).tolist()
