# pyright: standard, reportPrivateImportUsage=false
"""Patches of pictures as an encoder sees them, and where in the master the patches of a view are found again.

Source: Tan and Le 2019 (EfficientNet), in the Lite0 variant, which has no squeeze-and-excitation; its fifth stage sees
one patch every 16 pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.encoders import Encoder, find_files

LONGER_SIDE_PX, PATCH_PX = 448, 16
UNLIKE = 0.35
"""Similarity below which a patch is like nothing in the master; noise reaches it."""
NUM_BLOCKS = 11
"""Of the network, up to the end of its fifth stage."""
_MEAN, _SPREAD = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchEncoder:
    """The first stages of a network, without gradients."""

    stem: nn.Module
    blocks: nn.ModuleList


def load_patch_encoder(encoder: Encoder) -> PatchEncoder:
    """Load the pinned weights; the file is a pickle, of which torch reads tensors and nothing else.

    Raises:
        MissingWeightsError: Its package is not installed.
        WrongWeightsError: The file is not the pinned one.
    """
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(find_files(encoder)[0], map_location="cpu", weights_only=True))
    network.eval().requires_grad_(requires_grad=False)
    stem = nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6())  # noqa: SLF001 - the library has no other way in
    return PatchEncoder(stem=stem, blocks=network._blocks[:NUM_BLOCKS])  # noqa: SLF001


@torch.inference_mode()
def encode_patches(encoder: PatchEncoder, picture: NDArray[np.uint8]) -> Tensor:
    """Return the patches (C, h, w) of a picture (H, W, 3), whose longer side has `LONGER_SIDE_PX` / `PATCH_PX`."""
    scale = LONGER_SIDE_PX / max(picture.shape[:2])
    height, width = (max(1, round(side * scale / PATCH_PX)) * PATCH_PX for side in picture.shape[:2])
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    values = torch.from_numpy(cv2.resize(picture, (width, height), interpolation=kind)).float() / 255
    hidden = encoder.stem(((values - _MEAN) / _SPREAD).permute(2, 0, 1)[None])
    for block in encoder.blocks:
        hidden = block(hidden)
    return hidden[0]


def compare_patches(master: Tensor, view: Tensor) -> Tensor:
    """Return the similarity (h, w, H, W) of every patch of a view with every one of the master, in [-1, 1].

    What all patches of the master share is taken away first: it is what says "a street", not which.
    """
    shared = master.mean(dim=(1, 2), keepdim=True)
    ours, theirs = (functional.normalize((patches - shared).flatten(1), dim=0) for patches in (view, master))
    return (ours.T @ theirs).reshape(*view.shape[1:], *master.shape[1:])


def draw_heat_map(similarity: Tensor) -> tuple[tuple[float, ...], ...]:
    """Return for each patch of a view the similarity to the most similar patch of the master, in [0, 1]."""
    best = similarity.flatten(2).amax(dim=2).clamp(0, 1)
    return tuple(tuple(round(value, 3) for value in row) for row in best.tolist())


def measure_appearance(similarity: Tensor) -> float:
    """Return the mean over the view's patches of the similarity to the most similar patch of the master."""
    return float(similarity.flatten(2).amax(dim=2).mean())


def measure_unmatched(similarity: Tensor) -> float:
    """Return the share of a view's patches that are like nothing in the master."""
    return float((similarity.flatten(2).amax(dim=2) < UNLIKE).float().mean())
