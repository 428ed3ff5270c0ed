"""What stands around the people: a ring of houses with signs, and props that tell left from right."""

import numpy as np
from numpy.random import Generator

from models.miniature.patterns import Floats, linear
from models.miniature.solids import Paint, Shape, Solid, limb, placed, solid, turn
from models.miniature.textures import Banded, Facade, Foliage, Plain, Sign, Stripes

NUM_HOUSES = 13
HOUSE_FRONT_M = 9.6
_WALLS = ("cba374", "9fb39a", "c78b6b", "86a0bd", "d8c8a2", "b98a8a", "7d9a92", "c4ab5e", "a5705f", "7f8cab")
_TRIMS = ("efe8da", "50636e", "7b4638", "3f5b4c", "e2d2a8", "5a4a66")
_ROOFS = ("7d3f33", "4c5361", "5d4a40", "6b5a4b", "3f5a5c")
_BRIGHTS = ("d63b32", "efb02e", "2a7fc4", "1f9481", "e36d2f", "b14a94", "63a843")
_WORDS = ("CAFE", "FILM", "BOOKS", "BREAD", "DISCO", "RADIO", "BAR", "SPORT", "CAKES", "FLORIST", "DELI", "BANK")
_IRON = Plain(linear("2e3238"))
_WOOD = Plain(linear("8a5a36"))


def make_houses(random: Generator, object_id: int, lit_share: float) -> list[Solid]:
    """Draw the ring: houses that face the middle, every second one with a sign."""
    words = random.permutation(_WORDS)
    solids: list[Solid] = []
    offset = random.uniform(0, 360)
    for slot in range(NUM_HOUSES):
        bearing = offset + slot * 360 / NUM_HOUSES
        house = _house(random, str(words[slot // 2 % len(words)]) if slot % 2 == 0 else "", lit_share)
        away = HOUSE_FRONT_M + house[0].half[2] + random.uniform(0, 0.8)
        at = (float(away * np.sin(np.deg2rad(bearing))), float(away * np.cos(np.deg2rad(bearing))))
        solids += placed(house, at, bearing + 180, object_id)
    return solids


def _house(random: Generator, word: str, lit_share: float) -> list[Solid]:
    """Return one house around the origin, its front towards +z: body, roof, awning or sign."""
    half = np.array((random.uniform(2.0, 2.5), random.uniform(1.9, 3.1), 1.6), np.float32)
    wall, trim, roof = (linear(str(random.choice(names))) for names in (_WALLS, _TRIMS, _ROOFS))
    body = solid(Shape.BOX, (0, half[1], 0), half, Facade(wall, trim, int(random.integers(1 << 30)), lit_share))
    parts = [body, _roof(int(random.integers(3)), half, roof)]
    bright = _bright(random)
    if word:
        sign = Sign(word, bright * np.float32(0.5), linear("fff4d6"), 0.6 * lit_share)
        size = (min(float(half[0]) - 0.1, 0.42 * len(word)), 0.55, 0.08)
        return [*parts, solid(Shape.BOX, (0, 3.0, half[2] + 0.1), size, sign)]
    awning = Stripes(bright, linear("f3ead8"), 9)
    return [*parts, solid(Shape.BOX, (0, 2.55, half[2] + 0.4), (half[0] * 0.8, 0.05, 0.5), awning, turn(0, 20))]


def _roof(kind: int, half: Floats, colour: Floats) -> Solid:
    """Return a gable (a box on its edge, sunk into the house), a cornice or a dome."""
    top, paint = 2 * half[1], Plain(colour)
    if kind == 0:
        edge = half[0] * np.float32(0.64)
        return solid(Shape.BOX, (0, top - half[0] * 0.28, 0), (edge, edge, half[2] * 0.98), paint, turn(2, 45))
    if kind == 1:
        return solid(Shape.BOX, (0, top, 0), (half[0] + 0.12, 0.2, half[2] + 0.15), paint)
    return solid(Shape.DOME, (0, top, 0), (half[0] * 0.7, half[0] * 0.6, half[2] * 0.95), paint)


def make_props(random: Generator, side: float, first_id: int, glow: float) -> list[Solid]:
    """Draw the props, each in a slot between the eight compass cameras, so that none hides the subject.

    The slot behind the subject on one `side` (1 is +x) is left to a companion.
    """
    near = random.permutation(((-112.5, 3.1), (67.5, 3.3), (-67.5, 3.4), (150.0, 2.7)))
    behind, ahead = random.choice((-1.0, 1.0), 2)
    far = ((behind * 158, 5.7), (behind * -157, 5.4), (ahead * 22.5, 5.4), (ahead * -22.5, 5.0))
    builders = (_lamp, _postbox, _bench, _board, _car, _tree, _film_light, _crates)
    solids: list[Solid] = []
    for number, (build, (bearing_deg, away_m)) in enumerate(zip(builders, (*near, *far), strict=True)):
        bearing = np.deg2rad(side * bearing_deg + random.uniform(-5, 5))
        away = away_m + random.uniform(-0.15, 0.3)
        at = (float(away * np.sin(bearing)), float(away * np.cos(bearing)))
        solids += placed(build(random, glow), at, random.uniform(-20, 20), first_id + number)
    return solids


def _bright(random: Generator) -> Floats:
    return linear(str(random.choice(_BRIGHTS)))


def _lamp(random: Generator, glow: float) -> list[Solid]:
    """Return a lamp post whose arm and lamp hang on its left."""
    reach = float(random.choice((-0.55, 0.55)))
    lamp = Plain(_bright(random), 0.5 + 1.5 * glow)
    return [
        limb((0, 0.1, 0), (0, 2.7, 0), 0.055, _IRON),
        solid(Shape.CAPSULE, (0, 0.2, 0), (0.13, 0.25, 0.13), _IRON),
        limb((0, 2.7, 0), (reach, 2.78, 0), 0.04, _IRON),
        solid(Shape.ELLIPSOID, (reach, 2.56, 0), (0.2, 0.2, 0.2), lamp),
        solid(Shape.DOME, (reach, 2.64, 0), (0.26, 0.14, 0.26), _IRON),
    ]


def _car(random: Generator, glow: float) -> list[Solid]:
    """Return a small car that drives towards -x."""
    body, glass = Plain(_bright(random)), Plain(linear("2b3d4d"))
    parts = [
        solid(Shape.BOX, (0, 0.5, 0), (1.25, 0.27, 0.6), body),
        solid(Shape.BOX, (0.2, 0.92, 0), (0.68, 0.2, 0.52), glass),
        solid(Shape.BOX, (0.2, 1.13, 0), (0.6, 0.05, 0.5), body),
    ]
    parts += [
        solid(Shape.ELLIPSOID, (x, 0.25, z), (0.26, 0.26, 0.1), _IRON) for x in (-0.75, 0.75) for z in (-0.6, 0.6)
    ]
    lamp = Plain(linear("fff0c0"), 0.4 + glow)
    return [*parts, *(solid(Shape.ELLIPSOID, (-1.25, 0.55, z), (0.05, 0.1, 0.1), lamp) for z in (-0.4, 0.4))]


def _tree(random: Generator, glow: float) -> list[Solid]:
    del glow
    colour = linear(str(random.choice(("4f7f38", "7a8f35", "c2762c", "2f6b4f", "d69ab0"))))
    leaves = Foliage(colour, int(random.integers(1 << 30)))
    crown = [((0, 2.7, 0), 0.85), ((0.55, 2.3, 0.2), 0.6), ((-0.5, 2.45, -0.25), 0.62), ((0.1, 2.25, 0.5), 0.5)]
    return [
        limb((0, 0, 0), (0.08, 2.1, 0), 0.13, _WOOD),
        *(solid(Shape.ELLIPSOID, at, (size, size * 0.9, size), leaves) for at, size in crown),
    ]


def _postbox(random: Generator, glow: float) -> list[Solid]:
    del glow
    red = Banded(_bright(random), linear("f3ead8"), 0.2, 0.34)
    return [
        solid(Shape.BOX, (0, 0.55, 0), (0.24, 0.55, 0.2), red),
        solid(Shape.CAPSULE, (0, 1.1, 0), (0.24, 0.25, 0.2), red),
        solid(Shape.BOX, (0, 0.95, 0.2), (0.15, 0.025, 0.02), _IRON),
    ]


def _bench(random: Generator, glow: float) -> list[Solid]:
    del glow
    slats = Plain(_bright(random))
    return [
        solid(Shape.BOX, (0, 0.45, 0), (0.8, 0.04, 0.24), slats),
        solid(Shape.BOX, (0, 0.78, -0.26), (0.8, 0.16, 0.03), slats, turn(0, -12)),
        *(solid(Shape.BOX, (x, 0.22, 0), (0.04, 0.22, 0.2), _IRON) for x in (-0.65, 0.65)),
    ]


def _board(random: Generator, glow: float) -> list[Solid]:
    """Return a board on the pavement, with a word to read."""
    sign: Paint = Sign(str(random.choice(("TEA", "BAR", "ICE", "PIE", "SET"))), _bright(random), linear("fff4d6"), glow)
    return [
        solid(Shape.BOX, (0, 0.62, 0), (0.5, 0.36, 0.04), sign, turn(0, -8)),
        *(solid(Shape.BOX, (x, 0.15, 0), (0.03, 0.15, 0.12), _IRON) for x in (-0.42, 0.42)),
    ]


def _film_light(random: Generator, glow: float) -> list[Solid]:
    """Return a film light on a tripod."""
    feet = [(0.35, 0, 0.2), (-0.35, 0, 0.2), (0, 0, -0.4)]
    lens = Plain(_bright(random), 0.6 + glow)
    return [
        *(limb(foot, (0, 0.9, 0), 0.03, _IRON) for foot in feet),
        limb((0, 0.9, 0), (0, 1.6, 0), 0.035, _IRON),
        solid(Shape.BOX, (0, 1.75, 0), (0.28, 0.22, 0.16), _IRON),
        solid(Shape.ELLIPSOID, (0, 1.75, -0.16), (0.2, 0.17, 0.06), lens),
    ]


def _crates(random: Generator, glow: float) -> list[Solid]:
    del glow
    return [
        solid(Shape.BOX, (0, 0.3, 0), (0.34, 0.3, 0.3), Stripes(linear("a9794a"), linear("6e4a2c"), 5)),
        solid(Shape.BOX, (0.08, 0.78, 0), (0.22, 0.18, 0.22), Plain(_bright(random)), turn(1, 25)),
        solid(Shape.ELLIPSOID, (0.62, 0.22, 0.1), (0.22, 0.22, 0.22), Plain(_bright(random))),
    ]
