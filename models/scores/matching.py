# pyright: standard, reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false
"""Places that two pictures have in common: RootSIFT, matched from one to the other and back.

The master is also described as it looks squeezed and stretched, because walls and ground shorten as a camera goes
round them: a view is then matched with whichever shape of a place it shows.

Source: Lowe 2004 (SIFT and its ratio test), Arandjelovic and Zisserman 2012 (RootSIFT), Morel and Yu 2009 (ASIFT, of
which these are the shapes that an arc and a rise need).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]

WORKING_SIDE_PX = 896
"""Of the longer side of every picture that is matched; smaller ones are enlarged, up to four times."""
SHAPES = ((1.0, 1.0), (0.6, 1.0), (1.6, 1.0), (1.0, 0.6), (1.0, 2.0))
"""Factors across and down."""
MAX_FEATURES, CONTRAST_THRESHOLD = 4000, 0.02
MAX_RATIO = 0.85
"""Of the distance to the nearest descriptor and that to the nearest elsewhere."""
NEIGHBOURS, ELSEWHERE_PX = 8, 6.0
MAX_ENLARGEMENT = 4.0
_ANTIALIASING, _NO_SMOOTHING = 0.8, 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """Described places of one picture."""

    points: Floats
    """(N, 2): x and y in pixels of the working size."""
    descriptors: Floats
    """(N, 128), of unit length."""
    width_px: int
    height_px: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Matches:
    """Pairs of places, in pixels of the working size of either picture."""

    master: Floats  # (M, 2)
    view: Floats  # (M, 2)

    def __len__(self) -> int:
        """Return how many pairs there are."""
        return len(self.master)


def to_working_size(picture: Image.Image) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) as it is matched: `WORKING_SIDE_PX` on its longer side, or four times its own size."""
    scale = min(MAX_ENLARGEMENT, WORKING_SIDE_PX / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    kind = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    return np.asarray(picture.resize(size, kind).convert("RGB"))


def describe(picture: NDArray[np.uint8], shapes: tuple[tuple[float, float], ...] = SHAPES[:1]) -> Features:
    """Describe the places of a picture (H, W, 3) of the working size, in each of `shapes`."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    found = [_describe_shape(grey, across, down) for across, down in shapes]
    return Features(
        points=np.concatenate([points for points, _ in found]),
        descriptors=np.concatenate([descriptors for _, descriptors in found]),
        width_px=picture.shape[1],
        height_px=picture.shape[0],
    )


def _describe_shape(grey: NDArray[np.uint8], across: float, down: float) -> tuple[Floats, Floats]:
    sift = cv2.SIFT_create(MAX_FEATURES, contrastThreshold=CONTRAST_THRESHOLD)
    points, descriptors = sift.detectAndCompute(_reshape(grey, across, down), None)  # pyright: ignore[reportArgumentType]
    if descriptors is None:
        return np.empty((0, 2), np.float32), np.empty((0, 128), np.float32)
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-7))
    places = np.array([point.pt for point in points], np.float32) / np.array((across, down), np.float32)
    return places, root.astype(np.float32)


def _reshape(grey: NDArray[np.uint8], across: float, down: float) -> NDArray[np.uint8]:
    """Return a picture squeezed or stretched; what is squeezed is first smoothed as a lens would."""
    if (across, down) == (1.0, 1.0):
        return grey
    smooth = [max(_NO_SMOOTHING, _ANTIALIASING * np.sqrt(max(0.0, 1 / factor**2 - 1))) for factor in (across, down)]
    if max(smooth) > _NO_SMOOTHING:
        grey = cv2.GaussianBlur(grey, (0, 0), sigmaX=smooth[0], sigmaY=smooth[1])  # pyright: ignore[reportAssignmentType]
    size = (max(1, round(grey.shape[1] * across)), max(1, round(grey.shape[0] * down)))
    return cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC)  # pyright: ignore[reportReturnType]


def match(master: Features, view: Features) -> Matches:
    """Return the places that are each other's nearest, and clearly nearer than anything elsewhere in the master."""
    if len(master.points) < NEIGHBOURS or not len(view.points):
        return Matches(master=np.empty((0, 2), np.float32), view=np.empty((0, 2), np.float32))
    likeness = torch.from_numpy(view.descriptors) @ torch.from_numpy(master.descriptors).T
    values, places = (part.numpy() for part in likeness.topk(NEIGHBOURS, dim=1))
    best = places[:, 0]
    is_clear = _distances(values[:, 0]) < MAX_RATIO * _distances(_best_elsewhere(master.points, places, values))
    kept = np.flatnonzero(is_clear)
    back = (torch.from_numpy(master.descriptors[best[kept]]) @ torch.from_numpy(view.descriptors).T).argmax(dim=1)
    kept = kept[_lengths(view.points[back.numpy()] - view.points[kept]) < ELSEWHERE_PX]
    pairs = np.concatenate([master.points[best[kept]], view.points[kept]], axis=1)
    _, first = np.unique(np.round(pairs / 3), axis=0, return_index=True)  # one place may be found in several shapes
    return Matches(master=pairs[first, :2], view=pairs[first, 2:])


def _best_elsewhere(points: Floats, places: NDArray[np.int64], values: Floats) -> Floats:
    """Return the likeness to the nearest descriptor that is not of the same place as the nearest of all."""
    is_elsewhere = _lengths(points[places] - points[places[:, :1]]) > ELSEWHERE_PX
    is_elsewhere[:, -1] = True
    return np.take_along_axis(values, is_elsewhere.argmax(axis=1)[:, None], axis=1)[:, 0]


def _distances(likeness: Floats) -> Floats:
    """Return the distance between unit vectors of a likeness."""
    return np.sqrt(np.clip(2 - 2 * likeness, 1e-9, None))


def _lengths(vectors: Floats) -> Floats:
    return np.linalg.norm(vectors, axis=-1)
