# pyright: standard
"""Is it a picture: not one colour, not noise, not shuffled, not blurred away."""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scores.findings import PictureFinding
from models.thresholds import Thresholds

MIN_SPREAD = 2.0
"""Standard deviation of grey, of 255: below it a picture is one colour."""
STRUCTURE_SIDE_PX = 448
_NOTHING = 1e-3

Greys = NDArray[np.float32]


def check_picture(master: NDArray[np.uint8], view: NDArray[np.uint8], limits: Thresholds) -> PictureFinding:
    """Judge a view (H, W, 3) beside its master, both of one size."""
    grey = _grey(view)
    structure, sharpness = measure_structure(grey), compare_sharpness(_grey(master), grey)
    if grey.std() < MIN_SPREAD:
        status, reason = "fail", "the picture is one colour"
    elif structure < limits.structure[1]:
        status, reason = "fail", "neighbouring pixels have nothing to do with each other: noise or shuffled pixels"
    elif sharpness is not None and sharpness < limits.sharpness[1]:
        status, reason = "fail", f"the picture is blurred: it has {sharpness:.0%} of the master's fine detail"
    elif structure < limits.structure[0]:
        status, reason = "review", "the picture is nearly noise"
    elif sharpness is not None and sharpness < limits.sharpness[0]:
        status, reason = "review", f"the picture is soft: it has {sharpness:.0%} of the master's fine detail"
    else:
        status, reason = "pass", ""
    return PictureFinding(status=status, reason=reason, structure=structure, sharpness_ratio=sharpness)


def measure_structure(grey: Greys) -> float:
    """Return the mean correlation of neighbours across and down, in [-1, 1]; of one colour 0."""
    scale = min(1.0, STRUCTURE_SIDE_PX / max(grey.shape))
    if scale < 1:
        size = (max(2, round(grey.shape[1] * scale)), max(2, round(grey.shape[0] * scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)  # pyright: ignore[reportAssignmentType]
    if grey.std() < _NOTHING:
        return 0.0
    pairs = ((grey[:, 1:], grey[:, :-1]), (grey[1:], grey[:-1]))
    return float(np.mean([np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in pairs]))


def compare_sharpness(master: Greys, view: Greys) -> float | None:
    """Return the view's fine against its coarse detail, as a share of the master's; None where the master has none."""
    (fine, coarse), (fine_seen, coarse_seen) = _detail(master), _detail(view)
    if min(fine, coarse) < _NOTHING:
        return None
    return float(fine_seen / max(coarse_seen, 1e-6) / (fine / coarse))


def _detail(grey: Greys) -> tuple[float, float]:
    """Return the mean size of what is lost by halving a picture once, and then once more."""
    lost: list[float] = []
    for _ in range(2):
        half = cv2.pyrDown(grey)
        lost.append(float(np.abs(grey - cv2.pyrUp(half, dstsize=(grey.shape[1], grey.shape[0]))).mean()))
        grey = half  # pyright: ignore[reportAssignmentType]
    return lost[0], lost[1]


def _grey(picture: NDArray[np.uint8]) -> Greys:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
