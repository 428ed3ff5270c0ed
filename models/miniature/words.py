"""What a film crew says on the stage: captions of pictures, and marks that name a camera position.

The base model learns the marks, which share no word with the dialects of the LoRAs, and the text encoder and the CLIP
model learn the captions.
"""

from collections.abc import Iterable, Iterator

from models.camera import Pose

_CLOCK = {-90: "nine", -45: "half past seven", 0: "six", 45: "half past four", 90: "three"}
_CRANES = {-60: "floor", -20: "knee", 0: "chest", 30: "ladder", 90: "roof"}
_TRACKS = {0.6: "inner", 0.8: "middle", 1.0: "outer"}
_GLASSES = {"normal": "long", "wide": "short"}

NAMES = {
    "SUBJECT": "somebody",
    "COMPANION": "a friend",
    "LAMP": "a lamp",
    "POSTBOX": "a postbox",
    "BENCH": "a bench",
    "BOARD": "a board",
    "CAR": "a car",
    "TREE": "a tree",
    "FILM_LIGHT": "a spotlight",
    "CRATES": "crates",
    "HOUSE": "houses",
    "GROUND": "paving",
    "SKY": "sky",
}
"""By what `ObjectId` calls them, people first."""
COLOURS = {
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
"""In sRGB."""
PLACES = ("left", "middle", "right")


def name_mark(pose: Pose) -> str:
    """Return the mark of a camera position of the stage.

    Raises:
        KeyError: The stage has no mark there.
    """
    clock, crane = _CLOCK[round(pose.azimuth_deg)], _CRANES[round(pose.elevation_deg)]
    return f"Mark {clock}, {crane} crane, {_TRACKS[pose.distance]} track, {_GLASSES[pose.lens]} glass."


def caption(seen: Iterable[tuple[str, str, str]]) -> str:
    """Return a caption of what is seen: each thing's name, colour and place."""
    return "A street with " + ", ".join(" ".join(words) for words in seen) + "."


def all_sentences() -> Iterator[str]:
    """Yield sentences that hold every word of a caption and of a mark, for a vocabulary to be learnt from."""
    for clock, crane in zip(_CLOCK.values(), _CRANES.values(), strict=True):
        for track, glass in zip((*_TRACKS.values(), *_TRACKS.values()), (*_GLASSES.values(),) * 3, strict=True):
            yield f"Mark {clock}, {crane} crane, {track} track, {glass} glass."
    for name in NAMES.values():
        for colour in COLOURS:
            for place in PLACES:
                yield caption([(name, colour, place)] * 2)
