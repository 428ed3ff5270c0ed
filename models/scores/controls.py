# pyright: standard, reportArgumentType=false, reportCallIssue=false, reportReturnType=false
"""Pictures that are wrong in one way each, made from right ones: what a score must not be fooled by."""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

CROPPED_SHARE = 0.15
"""Cut off on every side."""
BLUR = 0.008
"""Standard deviation, as a share of the width."""
WARM, DARK = (1.12, 1.0, 0.8), (0.72, 0.72, 0.72)
PATCH = (0.35, 0.28)
"""Height and width of what is pasted over, as shares of the picture's."""


def spoil(master: Pixels, view: Pixels, unrelated: Pixels, seed: int) -> dict[str, Pixels]:
    """Return the controls of a view (H, W, 3) that need nothing but pictures.

    Args:
        master: The picture that the view belongs to.
        view: A right view.
        unrelated: A picture of another place, of the same size.
        seed: Of what is drawn by chance.
    """
    random = np.random.default_rng(seed)
    shuffled = random.permutation(master.reshape(-1, 3)).reshape(master.shape)
    return {
        "shuffled": shuffled,
        "noise": random.integers(0, 256, master.shape, np.uint8),
        "mirrored view": np.ascontiguousarray(view[:, ::-1]),
        "mirrored master": np.ascontiguousarray(master[:, ::-1]),
        "crop": _enlarge(master),
        "blur": cv2.GaussianBlur(view, (0, 0), view.shape[1] * BLUR),
        "warm grade": _grade(view, WARM),
        "dark grade": _grade(view, DARK),
        "master returned": master,
        "patched": _paste(view, unrelated, random),
    }  # pyright: ignore[reportReturnType] - OpenCV says nothing of dtypes


def _enlarge(master: Pixels) -> Pixels:
    height, width = master.shape[:2]
    top, left = round(height * CROPPED_SHARE), round(width * CROPPED_SHARE)
    part = master[top : height - top, left : width - left]
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)  # pyright: ignore[reportReturnType]


def _grade(view: Pixels, factors: tuple[float, float, float]) -> Pixels:
    return np.clip(view * np.array(factors), 0, 255).astype(np.uint8)


def _paste(view: Pixels, unrelated: Pixels, random: np.random.Generator) -> Pixels:
    height, width = (round(share * side) for share, side in zip(PATCH, view.shape[:2], strict=True))
    top, left = (int(random.integers(0, side - part)) for side, part in zip(view.shape, (height, width), strict=False))
    patched = view.copy()
    patched[top : top + height, left : left + width] = unrelated[top : top + height, left : left + width]
    return patched
