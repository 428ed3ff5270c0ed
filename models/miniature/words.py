# pyright: standard
"""What a film crew says on the stage: captions of pictures, and marks that name a camera position.

The base model learns the marks, which share no word with the dialects of the LoRAs, and the text encoder and the CLIP
model learn the captions.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2lab

from models.camera import Pose
from models.miniature.raycast import View
from models.miniature.stage import ObjectId

_CLOCK = {-90: "nine", -45: "half past seven", 0: "six", 45: "half past four", 90: "three"}
_CRANES = {-60: "floor", -20: "knee", 0: "chest", 30: "ladder", 90: "roof"}
_TRACKS = {0.6: "inner", 0.8: "middle", 1.0: "outer"}
_GLASSES = {"normal": "long", "wide": "short"}

_NAMES = {
    ObjectId.SUBJECT: "somebody",
    ObjectId.COMPANION: "a friend",
    ObjectId.LAMP: "a lamp",
    ObjectId.POSTBOX: "a postbox",
    ObjectId.BENCH: "a bench",
    ObjectId.BOARD: "a board",
    ObjectId.CAR: "a car",
    ObjectId.TREE: "a tree",
    ObjectId.FILM_LIGHT: "a spotlight",
    ObjectId.CRATES: "crates",
    ObjectId.HOUSE: "houses",
    ObjectId.GROUND: "paving",
    ObjectId.SKY: "sky",
}
_COLOURS = {
    "black": (25, 22, 25),
    "grey": (128, 128, 128),
    "white": (235, 230, 222),
    "red": (200, 45, 45),
    "orange": (230, 130, 45),
    "yellow": (235, 190, 50),
    "green": (60, 150, 70),
    "teal": (30, 135, 125),
    "blue": (45, 115, 200),
    "purple": (110, 70, 160),
    "pink": (205, 80, 155),
    "brown": (115, 75, 50),
    "beige": (200, 175, 140),
}
_LAB = rgb2lab(np.array([list(_COLOURS.values())], np.uint8))[0]
_PLACES = ("left", "middle", "right")
_SMALLEST_SHARE = 0.002
"""Of the picture; what is smaller is not worth a word."""


def name_mark(pose: Pose) -> str:
    """Return the mark of a camera position of the stage.

    Raises:
        KeyError: The stage has no mark there.
    """
    clock, crane = _CLOCK[round(pose.azimuth_deg)], _CRANES[round(pose.elevation_deg)]
    return f"Mark {clock}, {crane} crane, {_TRACKS[pose.distance]} track, {_GLASSES[pose.lens]} glass."


def describe(view: View) -> str:
    """Return a caption: what is seen, in which colour and where, people first."""
    seen = [_describe_part(view, part, name) for part, name in _NAMES.items()]
    return "A street with " + ", ".join(filter(None, seen)) + "."


def _describe_part(view: View, part: ObjectId, name: str) -> str:
    mask = view.object_ids == part
    if mask.mean() < _SMALLEST_SHARE:
        return ""
    column = int(np.nonzero(mask)[1].mean() * len(_PLACES) / mask.shape[1])
    return f"{name} {_name_colour(view.picture[mask])} {_PLACES[column]}"


def _name_colour(pixels: NDArray[np.uint8]) -> str:
    """Return the colour with most votes; a pixel's vote grows with its chroma, so that a jacket beats its shadow."""
    lab = rgb2lab(pixels[:: len(pixels) // 200 + 1, None])
    nearest = np.linalg.norm(lab - _LAB, axis=-1).argmin(axis=-1)
    votes = np.bincount(nearest, weights=5 + np.hypot(lab[:, 0, 1], lab[:, 0, 2]), minlength=len(_COLOURS))
    return list(_COLOURS)[int(votes.argmax())]


def all_sentences() -> Iterator[str]:
    """Yield sentences that hold every word of a caption and of a mark, for a vocabulary to be learnt from."""
    for clock, crane in zip(_CLOCK.values(), _CRANES.values(), strict=True):
        for track, glass in zip((*_TRACKS.values(), *_TRACKS.values()), (*_GLASSES.values(),) * 3, strict=True):
            yield f"Mark {clock}, {crane} crane, {track} track, {glass} glass."
    for name in _NAMES.values():
        for colour in _COLOURS:
            for place in _PLACES:
                yield f"A street with {name} {colour} {place}, {name} {colour} {place}."
