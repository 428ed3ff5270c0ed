"""The people of the stage: stylised figures of capsules and ellipsoids whose front, back, left and right all differ.

Each part is a group around the origin, facing +z; the figure's left hand is at +x.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from models.miniature.patterns import Floats, linear
from models.miniature.solids import Shape, Solid, limb, solid, turn
from models.miniature.textures import Banded, Jacket, Plain, Stripes

_SKINS = ("f2c9a5", "dba173", "a86b45", "6f4329", "f0bd94")
_HAIRS = ("2a1d18", "5b3420", "b5651d", "e0b04c", "8c8c8f", "7d2a2a", "39304f")
_CLOTHS = ("d62f2f", "f2a81d", "1f7fd1", "12897b", "e8642c", "b23a8f", "f0e7d8", "2fae57", "6a3fc0")
_TROUSERS = ("27364f", "3b3b42", "6b4a35", "505f3f", "7c7f86", "41214a")
_SHOES = ("e9e4da", "3a241b", "c0392b", "22252b")
_INK = Plain(linear("17120f"))


@dataclass(frozen=True, eq=False)
class Wardrobe:
    """The colours of one figure, linear."""

    skin: Floats
    hair: Floats
    cloth: Floats
    shirt: Floats
    accent: Floats
    trousers: Floats
    shoes: Floats


def make_figures(random: Generator) -> tuple[list[Solid], list[Solid]]:
    """Draw the subject and a companion, dressed in colours that they do not share."""
    colours = [linear(str(name)) for name in random.permutation(_CLOTHS)]
    return _figure(random, colours[:3]), _figure(random, colours[3:6])


def _figure(random: Generator, colours: list[Floats]) -> list[Solid]:
    skin, hair, trousers, shoes = (linear(str(random.choice(names))) for names in (_SKINS, _HAIRS, _TROUSERS, _SHOES))
    cloth, shirt, accent = colours
    wardrobe = Wardrobe(skin, hair, cloth, shirt, accent, trousers, shoes)
    side = float(random.choice((-1.0, 1.0)))
    kind = int(random.integers(4))
    return [
        *_legs(wardrobe, random.uniform(0.0, 0.1)),
        *_trunk(wardrobe),
        *_arms(wardrobe, side, is_high=kind in {1, 3}),
        *_head(wardrobe),
        *_hair(wardrobe, int(random.integers(4)), side),
        *_hat(wardrobe, int(random.integers(6))),
        *_carried(wardrobe, side, kind),
    ]


def _legs(wardrobe: Wardrobe, step: float) -> list[Solid]:
    cloth, shoe = Banded(wardrobe.trousers, wardrobe.trousers * 2, -0.82, -0.7), Plain(wardrobe.shoes)
    parts: list[Solid] = []
    for side in (-1, 1):
        foot = (0.15 * side, 0, 0.06 + step * side)
        parts.append(solid(Shape.DOME, foot, (0.11, 0.15, 0.19), shoe))
        parts.append(limb((0.14 * side, 0.16, step * side), (0.11 * side, 0.72, 0), 0.11, cloth))
    return [*parts, solid(Shape.CAPSULE, (0, 0.74, 0), (0.22, 0.18, 0.17), Plain(wardrobe.trousers))]


def _trunk(wardrobe: Wardrobe) -> list[Solid]:
    jacket = Jacket(wardrobe.cloth, wardrobe.shirt, wardrobe.accent)
    return [
        solid(Shape.CAPSULE, (0, 1.04, 0), (0.27, 0.38, 0.19), jacket),
        limb((0, 1.3, 0), (0, 1.45, 0), 0.08, Plain(wardrobe.skin)),
        solid(Shape.ELLIPSOID, (0, 1.37, 0.01), (0.17, 0.06, 0.15), Plain(wardrobe.accent)),
    ]


def _arms(wardrobe: Wardrobe, side: float, *, is_high: bool) -> list[Solid]:
    """Return the carrying arm on one side, lifted for what is held high, and a hanging one with a band."""
    sleeve, skin = Plain(wardrobe.cloth * np.float32(0.85)), Plain(wardrobe.skin)
    banded = Banded(wardrobe.cloth * np.float32(0.85), wardrobe.accent, -0.35, 0.25)
    shoulder, other = (0.29 * side, 1.27, 0), (-0.29 * side, 1.27, 0)
    elbow = (0.42 * side, 1.0, 0.06) if is_high else (0.39 * side, 1.0, 0.0)
    hand = (0.46 * side, 1.2, 0.28) if is_high else (0.41 * side, 0.74, 0.06)
    free_elbow, free_hand = (-0.4 * side, 1.01, -0.02), (-0.37 * side, 0.76, 0.1)
    return [
        *(limb(shoulder, elbow, 0.085, sleeve), limb(elbow, hand, 0.075, sleeve)),
        *(limb(other, free_elbow, 0.085, banded), limb(free_elbow, free_hand, 0.075, sleeve)),
        *(solid(Shape.ELLIPSOID, at, (0.075, 0.085, 0.075), skin) for at in (hand, free_hand)),
    ]


def _head(wardrobe: Wardrobe) -> list[Solid]:
    skin, blush = Plain(wardrobe.skin), Plain(wardrobe.skin * np.array((1, 0.7, 0.62), np.float32))
    parts = [solid(Shape.ELLIPSOID, (0, 1.62, 0), (0.2, 0.225, 0.21), skin)]
    parts += [solid(Shape.ELLIPSOID, (0, 1.58, 0.21), (0.036, 0.045, 0.04), blush)]
    parts += [solid(Shape.DOME, (0, 1.518, 0.158), (0.065, 0.042, 0.036), Plain(linear("8e2f2f")), turn(2, 180))]
    for side in (-0.085, 0.085):
        parts += [
            solid(Shape.ELLIPSOID, (side, 1.63, 0.18), (0.05, 0.05, 0.025), Plain(linear("f7f3ea"))),
            solid(Shape.ELLIPSOID, (side * 0.95, 1.627, 0.197), (0.028, 0.034, 0.02), _INK),
            solid(Shape.BOX, (side, 1.705, 0.185), (0.052, 0.012, 0.02), Plain(wardrobe.hair)),
            solid(Shape.ELLIPSOID, (side * 2.35, 1.6, 0.0), (0.04, 0.06, 0.045), blush),
        ]
    return parts


def _hair(wardrobe: Wardrobe, style: int, side: float) -> list[Solid]:
    """Return a cap of hair tilted off the face, and what hangs from it: long hair, a bun, a side tail, or nothing."""
    hair = Plain(wardrobe.hair)
    cap = solid(Shape.DOME, (0, 1.645, -0.01), (0.222, 0.235, 0.235), hair, turn(0, -28))
    if style == 0:
        return [cap, solid(Shape.CAPSULE, (0, 1.45, -0.12), (0.19, 0.26, 0.1), hair)]
    if style == 1:
        return [cap, solid(Shape.ELLIPSOID, (0, 1.64, -0.25), (0.12, 0.12, 0.11), hair)]
    if style == 2:
        return [cap, limb((0.2 * side, 1.72, -0.1), (0.3 * side, 1.4, -0.12), 0.075, hair)]
    return [cap]


def _hat(wardrobe: Wardrobe, style: int) -> list[Solid]:
    """Return a brimmed hat, a peaked cap, a bobble hat, or nothing."""
    crown = solid(Shape.DOME, (0, 1.7, -0.02), (0.235, 0.2, 0.245), Banded(wardrobe.accent, wardrobe.cloth, 0, 0.3))
    if style == 0:
        return [crown, solid(Shape.ELLIPSOID, (0, 1.715, -0.02), (0.38, 0.03, 0.38), Plain(wardrobe.accent))]
    if style == 1:
        return [crown, solid(Shape.ELLIPSOID, (0, 1.73, 0.24), (0.17, 0.025, 0.17), Plain(wardrobe.shirt))]
    if style == 2:
        return [crown, solid(Shape.ELLIPSOID, (0, 1.93, -0.02), (0.075, 0.075, 0.075), Plain(wardrobe.shirt))]
    return []


def _carried(wardrobe: Wardrobe, side: float, kind: int) -> list[Solid]:
    """Return what is carried on one side: a shoulder bag, an umbrella, a suitcase or a balloon."""
    bright, ink = Plain(wardrobe.accent), Plain(linear("2b2320"))
    if kind == 0:
        strap = limb((0.5 * side, 0.76, 0.02), (0.33 * side, 1.3, 0.0), 0.025, ink)
        bag = Banded(wardrobe.accent, wardrobe.accent * np.float32(0.35), 0.1, 0.3)
        return [strap, solid(Shape.BOX, (0.5 * side, 0.62, 0.02), (0.08, 0.16, 0.2), bag)]
    if kind == 1:
        canopy = Stripes(wardrobe.accent, wardrobe.shirt, 7)
        pole = limb((0.46 * side, 1.05, 0.28), (0.57 * side, 2.28, 0.22), 0.016, ink)
        return [pole, solid(Shape.DOME, (0.57 * side, 2.02, 0.22), (0.48, 0.27, 0.48), canopy)]
    if kind == 2:
        case = Banded(wardrobe.accent, wardrobe.accent * np.float32(0.3), -0.15, 0.15)
        handle = limb((0.47 * side, 0.62, 0.06), (0.47 * side, 0.7, 0.06), 0.05, ink)
        return [handle, solid(Shape.BOX, (0.5 * side, 0.34, 0.06), (0.1, 0.28, 0.3), case)]
    string = limb((0.46 * side, 1.2, 0.28), (0.56 * side, 1.75, 0.22), 0.01, _INK)
    return [string, solid(Shape.ELLIPSOID, (0.56 * side, 2.02, 0.22), (0.23, 0.28, 0.23), bright)]
