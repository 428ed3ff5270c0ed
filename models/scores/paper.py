# pyright: standard
"""The paper's four figures and their composite, as a preset with every assumption in the open.

The paper names the figures and does not give the formulas. What is assumed here is the most common reading of each
name; none of it can decide whether a view is right, so it is reported beside its baselines and never gates.
`ASSUMPTIONS`, `WEIGHTS` and `CANNOT_TELL` are the words and numbers to print beside every score.
"""

from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

WEIGHTS = MappingProxyType({"style": 1, "cam_move": 1, "semantic": 1})
"""Parts of the composite. The paper states none; a Cam Move of less than about 0.16 of all contradicts its ranking."""

ASSUMPTIONS = (
    "The paper names these figures without their formulas: every formula here is assumed.",
    "CLIP is the cosine of the image embeddings of master and view, by the encoder that is named beside it.",
    "Style is the correlation of 50x60 histograms of hue and saturation, clipped to 0 and 1.",
    "Cam Move is 1 - SSIM of the grey pictures, in scikit-image's default window of 7x7.",
    "Semantic is the cosine of both pictures at 32x32 RGB, not centred.",
    "Composite is 100 times the mean of Style, Cam Move and Semantic in equal parts; CLIP stands apart.",
    "A view is brought to the size of the master, and both to at most 512 px on the longer side.",
)

CANNOT_TELL = MappingProxyType(
    {
        "clip": "a right view from any other of the same kind of scene: it knows what is shown, not from where",
        "style": "a view from the master mirrored, cut up or with its pixels shuffled: it knows no places",
        "cam_move": "a camera move from a mirror, noise or another photograph, all of which change more pixels",
        "semantic": "a view from another photograph of like brightness: means of 32x32 pixels are alike",
        "composite": "a right view from the master mirrored or shuffled, which it ranks as high or higher",
    }
)
"""What each figure takes for the same, or for better."""

_MAX_SIDE_PX = 512
_STYLE_BINS = (50, 60)
_SEMANTIC_SIDE_PX = 32


class PaperScores(BaseModel):
    """The paper's figures for one view: Style and Semantic in [0, 1], Cam Move in [0, 2], CLIP in [-1, 1]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clip: float | None
    """None where no encoder is installed."""
    style: float
    cam_move: float
    semantic: float

    @property
    def composite(self) -> float:
        """100 times the mean of Style, Cam Move and Semantic by `WEIGHTS`; CLIP stands apart."""
        return 100 * sum(parts * getattr(self, name) for name, parts in WEIGHTS.items()) / sum(WEIGHTS.values())

    def columns(self, ending: str = "") -> dict[str, object]:
        """Return the figures in the columns of a report, all of whose names end in `ending`."""
        figures = self.model_dump() | {"composite": self.composite}
        return {f"paper_{name}{ending}": value for name, value in figures.items()}


class PaperBaselines(BaseModel):
    """What the figures of one master's views are to be read beside; no view has to be made for them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chance: PaperScores
    """Mean figures of photographs that have nothing to do with the master."""
    null_edit: PaperScores
    """Figures of the master given back."""


def score_view(reference: Image.Image, view: Image.Image, clip: float | None) -> PaperScores:
    """Score `view` against `reference`; `clip` is the cosine of their embeddings, in [-1, 1], where it was measured."""
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
