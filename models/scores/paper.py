# pyright: standard
"""The paper's four figures and their composite, as a preset with every assumption in the open.

The paper names the figures and does not give the formulas. What is assumed here is the most common reading of each
name; none of it can decide whether a view is right (see docs/decisions), so it is reported and never gates.

* CLIP: cosine of the image embeddings of reference and view; by which encoder is recorded beside it.
* Style: correlation of 50x60 hue-saturation histograms, clipped to [0, 1].
* Cam Move: 1 - SSIM of the grey pictures with scikit-image's default window.
* Semantic: uncentred cosine of both pictures at 32x32 RGB.
* Composite: 100 times the mean of Style, Cam Move and Semantic.

Every picture is first brought to the size of the reference, and both to at most 512 px on the longer side.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

_MAX_SIDE_PX = 512
_STYLE_BINS = (50, 60)
_SEMANTIC_SIDE_PX = 32


class PaperScores(BaseModel):
    """The paper's figures for one view: Style and Semantic in [0, 1], Cam Move in [0, 2], CLIP in [-1, 1]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clip: float
    style: float
    cam_move: float
    semantic: float

    @property
    def composite(self) -> float:
        """100 times the mean of Style, Cam Move and Semantic; CLIP stands apart."""
        return 100 * (self.style + self.cam_move + self.semantic) / 3


def score_view(reference: Image.Image, view: Image.Image, clip: float) -> PaperScores:
    """Score `view` against `reference`; `clip` is the cosine of their embeddings, in [-1, 1]."""
    reference, view = _same_size(reference, view)
    return PaperScores(
        clip=clip,
        style=style_score(reference, view),
        cam_move=cam_move_score(reference, view),
        semantic=semantic_score(reference, view),
    )


def shrink_for_scores(picture: Image.Image) -> Image.Image:
    """Return a picture at the size at which references are scored; scores of a shrunk pair are those of the pair."""
    scale = min(1.0, _MAX_SIDE_PX / max(picture.size))
    return _resized(picture, (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))


def style_score(reference: Image.Image, view: Image.Image) -> float:
    """Return the correlation of the hue-saturation histograms, clipped to [0, 1]; a constant histogram gives 0."""
    one, other = _hue_saturation(reference), _hue_saturation(view)
    if not (one.std() and other.std()):
        return 0.0
    return float(np.clip(np.corrcoef(one, other)[0, 1], 0.0, 1.0))


def cam_move_score(reference: Image.Image, view: Image.Image) -> float:
    """Return 1 - SSIM of two pictures of one size, in grey."""
    grey, other_grey = rgb2gray(np.asarray(reference)), rgb2gray(np.asarray(view))
    similarity: Any = structural_similarity(grey, other_grey, data_range=1.0)
    return 1.0 - float(similarity)


def semantic_score(reference: Image.Image, view: Image.Image) -> float:
    """Return the uncentred cosine of both pictures at 32x32; a black picture has no direction and gives 0."""
    one, other = _thumbnail(reference), _thumbnail(view)
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other / length) if length else 0.0


def _same_size(reference: Image.Image, view: Image.Image) -> tuple[Image.Image, Image.Image]:
    reference = shrink_for_scores(reference)
    return reference, _resized(view, reference.size)


def _resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)


def _hue_saturation(picture: Image.Image) -> NDArray[np.float64]:
    hue, saturation, _ = np.asarray(picture.convert("HSV")).reshape(-1, 3).T
    counts, _, _ = np.histogram2d(hue, saturation, bins=_STYLE_BINS, range=((0, 256), (0, 256)))
    return counts.ravel()


def _thumbnail(picture: Image.Image) -> NDArray[np.float64]:
    side = (_SEMANTIC_SIDE_PX, _SEMANTIC_SIDE_PX)
    return np.asarray(picture.resize(side, Image.Resampling.BILINEAR), dtype=np.float64).ravel()
