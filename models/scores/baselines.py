# pyright: standard
"""What the paper's figures say where nothing was done right: chance level and null edit of one master.

A figure means something by how far it stands from these, and from the same view mirrored, and by nothing else. The
unrelated photographs are six that scikit-image carries in its wheel, so that a chance level is the same everywhere and
waits for no network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps
from skimage import data
from torch import Tensor

from models.scores.clip import ClipEncoder, embed_picture
from models.scores.paper import PaperBaselines, PaperScores, score_view, semantic_score, shrink_for_scores

UNRELATED = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "rocket", "stereo_motorcycle")
"""Functions of `skimage.data`; of the stereo pair the left picture counts."""

SAME_PICTURE = 0.99
"""A photograph at least this alike, by the cosine at 32x32, is the master itself and is left out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PaperReference:
    """A master as other pictures are compared with it."""

    picture: Image.Image
    """At most 512 px on the longer side."""
    embedding: Tensor | None
    """(C,), of the full size; None where no encoder is installed."""


def prepare_reference(master: Image.Image, encoder: ClipEncoder | None) -> PaperReference:
    """Return what other pictures are compared with, of a master at its full size."""
    return PaperReference(
        picture=shrink_for_scores(master), embedding=embed_picture(encoder, master) if encoder else None
    )


def measure_baselines(reference: PaperReference, encoder: ClipEncoder | None) -> PaperBaselines:
    """Return chance level and null edit of a master; the photographs are cut to its shape first.

    Args:
        reference: The master.
        encoder: That which prepared it, or None: both levels of CLIP are None then.
    """
    master = reference.picture
    others = [ImageOps.fit(picture, master.size) for picture in load_unrelated()]
    others = [other for other in others if semantic_score(master, other) < SAME_PICTURE]
    chance = [score_view(master, other, _cosine(reference, other, encoder)) for other in others]
    same = None if reference.embedding is None else float(reference.embedding @ reference.embedding)
    return PaperBaselines(chance=_average(chance), null_edit=score_view(master, master, same))


def load_unrelated() -> tuple[Image.Image, ...]:
    """Return the photographs that no master has anything to do with, at most 512 px on the longer side."""
    loaded = (getattr(data, name)() for name in UNRELATED)
    pictures = (pictures[0] if isinstance(pictures, tuple) else pictures for pictures in loaded)
    return tuple(shrink_for_scores(Image.fromarray(np.asarray(picture)).convert("RGB")) for picture in pictures)


def _cosine(reference: PaperReference, other: Image.Image, encoder: ClipEncoder | None) -> float | None:
    if encoder is None or reference.embedding is None:
        return None
    return float(embed_picture(encoder, other) @ reference.embedding)


def _average(scores: Sequence[PaperScores]) -> PaperScores:
    def mean(name: str) -> float | None:
        values = [getattr(each, name) for each in scores]
        return None if None in values else float(np.mean(values))

    return PaperScores.model_validate({name: mean(name) for name in PaperScores.model_fields})
