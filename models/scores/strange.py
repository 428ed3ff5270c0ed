# pyright: standard, reportArgumentType=false
"""A region of a view whose colours are in no other picture of its coverage.

What comes into view for the first time is seen by some other angle too, if there are enough of them; what was pasted
in, and who wears something else, is seen by none. Colours are cells of Lab, and a cell counts as known when a picture
has it, or one next to it, in a few pixels at least, so that a slight grade makes nothing strange.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

WIDTH_PX = 256
"""Of the pictures that are counted."""
LIGHTNESS_STEP, COLOUR_STEP = 6.0, 4.0
"""Sides of a cell of Lab."""
MIN_PIXELS = 2
REGIONS = ((0.3, 0.24), (0.2, 0.16))
"""Height and width as shares of the picture's."""
_SHAPE = (round(100 / LIGHTNESS_STEP) + 3, *(round(220 / COLOUR_STEP) + 3,) * 2)
_LOWEST = (0.0, -110.0, -110.0)

Cells = NDArray[np.intp]
Counts = NDArray[np.float32]


def read_cells(picture: NDArray[np.uint8]) -> Cells:
    """Return the cell of Lab (H, W, 3) of every pixel of a picture (H, W, 3), made `WIDTH_PX` wide."""
    size = (WIDTH_PX, max(1, round(picture.shape[0] * WIDTH_PX / picture.shape[1])))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    return np.floor((lab - _LOWEST) / (LIGHTNESS_STEP, COLOUR_STEP, COLOUR_STEP)).astype(np.intp)


def count_cells(cells: Cells) -> Counts:
    """Return how many pixels a picture has of each cell."""
    counts = np.zeros(_SHAPE, np.float32)
    np.add.at(counts, tuple(cells.reshape(-1, 3).T), 1)
    return counts


def find_strange(view: Cells, others: Sequence[Counts]) -> tuple[float, tuple[float, float, float, float]]:
    """Return the share of strange colours where it is largest, and left, top, right and bottom of that region.

    Args:
        view: Of the picture that is looked at.
        others: Of all other pictures, the master's among them.
    """
    known = ndimage.maximum_filter(np.maximum.reduce(others), 3) >= MIN_PIXELS
    is_strange = (~known[tuple(view.reshape(-1, 3).T)]).reshape(view.shape[:2]).astype(np.float32)
    height, width = view.shape[:2]
    best, region = 0.0, (0.0, 0.0, 1.0, 1.0)
    for rows, columns in ((round(down * height), round(across * width)) for down, across in REGIONS):
        shares = ndimage.uniform_filter(is_strange, (rows, columns), mode="constant")
        row, column = np.unravel_index(int(shares.argmax()), shares.shape)
        if shares[row, column] > best:
            best = float(shares[row, column])
            left, top = column - columns / 2, row - rows / 2
            region = (left / width, top / height, (left + columns) / width, (top + rows) / height)
    return best, region
