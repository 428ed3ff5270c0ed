# pyright: standard
"""Is the grade that of the master: all colours, the palette, and the colours of places that were matched.

Colours of the same place are compared where places were matched, because a camera that moves sees other things; only
without matches the colours of the whole pictures decide, and then with more patience.

Source: Rabin et al. 2011 (sliced Wasserstein), Sharma et al. 2005 (CIEDE2000, by scikit-image).
"""

import warnings
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from skimage.color import deltaE_ciede2000, rgb2lab

from models.scores.findings import GradeFinding
from models.scores.matching import Floats, Matches
from models.thresholds import Thresholds

MIN_PLACES = 20
NUM_SLICES, NUM_QUANTILES, NUM_COLOURS = 64, 201, 8
COLOURS_SIDE_PX = 224
SMOOTHING_PX = 2.0
_AXES = (("darker", "brighter"), ("greener", "more magenta"), ("colder", "warmer"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Colours:
    """The colours of one picture, in Lab."""

    small: Floats
    """(h, w, 3): of the whole picture, made small."""
    palette: Floats  # (k, 3)
    shares: Floats  # (k,) of the picture, adding up to 1
    slices: Floats
    """(quantiles, directions): how the colours are spread along directions of Lab."""


def read_colours(picture: NDArray[np.uint8]) -> Colours:
    """Return the colours of a picture (H, W, 3)."""
    scale = min(1.0, COLOURS_SIDE_PX / max(picture.shape[:2]))
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = _lab(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    pixels = small.reshape(-1, 3)
    distinct = np.unique(np.round(pixels), axis=0)
    num = min(NUM_COLOURS, len(distinct))
    start = distinct[np.linspace(0, len(distinct) - 1, num).astype(int)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One of the clusters is empty")  # it is left out below
        palette, nearest = kmeans2(pixels.astype(np.float64), start.astype(np.float64), minit="matrix", missing="warn")
    shares = np.bincount(nearest, minlength=num) / len(pixels)
    kept = shares > 0
    return Colours(
        small=small,
        palette=palette[kept].astype(np.float32),
        shares=shares[kept].astype(np.float32),
        slices=_slice(pixels),
    )


def check_grade(master: Colours, view: Colours, shift: Floats | None, limits: Thresholds) -> GradeFinding:
    """Judge the grade of a view; `shift` (3,) is by how much the same places changed, where that is known."""
    distance, amount = colour_distance(master, view), float(np.linalg.norm(shift)) if shift is not None else None
    doubtful, most = limits.colour_distance if amount is None else limits.colour_shift
    measured = distance if amount is None else amount
    words = _describe(view.small.mean(axis=(0, 1)) - master.small.mean(axis=(0, 1)) if shift is None else shift)
    where = "the picture as a whole is" if shift is None else "the same places are"
    return GradeFinding(
        status="fail" if measured > most else "review" if measured > doubtful else "pass",
        reason=f"{where} {words} than in the master (by {measured:.0f} in Lab)" if measured > doubtful else "",
        colour_distance=distance,
        palette_distance=palette_distance(master, view),
        shift=None if shift is None else (float(shift[0]), float(shift[1]), float(shift[2])),
    )


def colour_distance(one: Colours, other: Colours) -> float:
    """Return the sliced Wasserstein distance of all pixels, in Lab."""
    return float(np.abs(one.slices - other.slices).mean())


def _slice(pixels: Floats) -> Floats:
    directions = np.random.default_rng(0).normal(size=(3, NUM_SLICES))
    along = np.sort(pixels @ (directions / np.linalg.norm(directions, axis=0)).astype(np.float32), axis=0)
    return along[np.linspace(0, len(along) - 1, NUM_QUANTILES).round().astype(int)]


def palette_distance(master: Colours, view: Colours) -> float:
    """Return how far the master's colours are from the nearest of the view's in CIEDE2000, each by its share."""
    distances: Any = deltaE_ciede2000(master.palette[:, None], view.palette[None])
    return float((distances.min(axis=1) * master.shares).sum())


def colour_shift(master: NDArray[np.uint8], view: NDArray[np.uint8], places: Matches) -> Floats | None:
    """Return by how much (L, a, b) the same places changed, or None where too few are known."""
    if len(places) < MIN_PLACES:
        return None
    before, after = _at(master, places.master), _at(view, places.view)
    return np.median(after - before, axis=0)


def _at(picture: NDArray[np.uint8], points: Floats) -> Floats:
    smooth = cv2.GaussianBlur(picture, (0, 0), SMOOTHING_PX)
    limit = np.array(picture.shape[1::-1]) - 1
    columns, rows = np.clip(np.rint(points).astype(int), 0, limit).T
    return _lab(smooth[rows, columns][None])[0]


def _describe(shift: Floats) -> str:
    """Say the one or two largest parts of a shift in words."""
    order = np.argsort(-np.abs(shift))
    parts = [
        _AXES[axis][int(shift[axis] > 0)] for axis in order if abs(shift[axis]) >= max(1.0, abs(shift[order[0]]) / 2)
    ]
    return " and ".join(parts[:2]) or "of other colours"


def _lab(picture: NDArray[Any]) -> Floats:
    return rgb2lab(picture).astype(np.float32)
