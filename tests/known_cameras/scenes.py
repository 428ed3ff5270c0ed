"""Three places round the origin, each with two people: a courtyard, a workshop yard and a quay.

A ring of 5 m round the origin stays clear in front and at the sides: the cameras stand there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.known_cameras.figures import Look, figure
from tests.known_cameras.meshes import Painter, Part, box, cylinder, moved, painted, sheet
from tests.known_cameras.props import (
    barrel,
    bench,
    board_stand,
    boat,
    bush,
    coil,
    container,
    crate,
    house,
    line_of_cloths,
    shelf,
    tree,
)
from tests.known_cameras.textures import boards, lettered, patched, plaster, stones

_TILES = stones("9a4f38", "84432f", "b0664a", "6f3b2c", size_px=13, flat=1.2, joint="4a2a20")
_SLATES = stones("5a6068", "474d55", "6f747a", size_px=12, flat=1.5, joint="2c3036")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A scene: how its surroundings are built, who stands there, and who may stand there instead."""

    seed: int
    surroundings: Callable[[np.random.Generator], list[Part]]
    subject: Look
    companion: Look
    companion_at: tuple[float, float, float]
    companion_yaw_deg: float
    stranger: Look


def people(place: Place, subject_yaw_deg: float = 0.0, *, is_stranger: bool = False) -> list[Part]:
    """Return the two people of a place; only the subject depends on the two controls."""
    subject = figure(place.stranger if is_stranger else place.subject)
    companion = moved(figure(place.companion), place.companion_yaw_deg, place.companion_at)
    return [*moved(subject, subject_yaw_deg, (0, 0, 0)), *companion]


def _ground(painter: Painter, rng: np.random.Generator) -> list[Part]:
    """Return the ground: fine where the cameras are near, coarser in a wide rim below it."""
    rim = sheet((-30, -0.01, 30), (60, 0, 0), (0, 0, -60), painted((60, 0, 0), (0, 0, 60), painter, rng, 30))
    fine = sheet((-9, 0, 9), (18, 0, 0), (0, 0, -18), painted((18, 0, 0), (0, 0, 18), painter, rng, 120))
    return [rim, fine]


def _courtyard(rng: np.random.Generator) -> list[Part]:
    cobbles = stones("8d8273", "a39784", "736a60", "b3a48a", "86705c", size_px=21, flat=1.15)
    parts = _ground(cobbles, rng)
    parts += house((-1.5, 0, -8.2), (7.5, 5.2, 4), plaster("d8b98a"), _TILES, rng)
    parts += house((6.3, 0, -9.2), (6.5, 6.6, 5), plaster("c9806a", decay=1.2), _SLATES, rng)
    parts += house((-9.5, 0, -9), (6, 7.5, 5), stones("a89880", "93836c", "bdae94", size_px=20, flat=1.6), _TILES, rng)
    for x, z, yaw, colour in ((-9.3, -1.5, 90, "b8c0a0"), (-9.8, 7.5, 90, "d9cba8")):
        parts += moved(house((0, 0, 0), (7.5, 5.5, 5), plaster(colour), _TILES, rng), yaw, (x, 0, z))
    for x, z, yaw, colour in ((9.4, -1.0, -90, "c7b6d0"), (10, 7.5, -90, "cf9a6a")):
        parts += moved(house((0, 0, 0), (7.5, 6, 5), plaster(colour), _SLATES, rng), yaw, (x, 0, z))
    parts.append(cylinder((-2.3, 0, -3.0), 0.75, 0.8, stones("a79d8c", "8c8374", size_px=26)(110, 640, rng)))
    for x in (-2.95, -1.65):
        parts += box((x, 0.8, -3.0), (0.12, 1.5, 0.12), boards("6b4c34", width_px=8), rng, 120)
    parts += box((-2.3, 2.3, -3.0), (1.9, 0.12, 1.1), boards("7d5a3c", "946c48", width_px=14), rng, 120)
    parts += tree((2.9, 0, -4.0), 4.4, rng)
    parts += bench((1.9, 0, -2.1), -20, rng) + board_stand((-1.35, 0, -1.2), 25, rng)
    for x, z in ((-3.3, -1.2), (3.5, -2.3), (-4.3, 2.4), (4.6, -0.6), (-4.4, -4.3), (0.4, -5.4), (-5.2, 0.4)):
        parts += bush((x, 0, z), 0.36, rng)
    for x, z in ((3.6, -1.2), (-3.9, -2.2), (1.2, -5.2), (-1.6, -5.4), (4.9, 1.6)):
        parts += barrel((x, 0, z), rng)
    parts += crate((-2.6, 0, -0.4), (0.6, 0.5, 0.5), rng, 20) + crate((-2.65, 0.5, -0.45), (0.45, 0.36, 0.4), rng, -15)
    parts += crate((2.4, 0, -0.9), (0.55, 0.45, 0.55), rng, 35) + crate((-5.2, 0, 3.4), (0.9, 0.8, 0.8), rng, 10)
    parts += line_of_cloths((-5.6, 3.3, -4.6), (4.6, 3.5, -6.2), rng)
    return parts + line_of_cloths((-6.4, 2.9, 3.6), (-6.6, 3.2, -3.5), rng)


def _workshop(rng: np.random.Generator) -> list[Part]:
    paving = stones("8f8c86", "7b7974", "a19c92", "6d675f", "93816a", size_px=38, flat=1.3, joint="3f3b36")
    parts = _ground(paving, rng)
    tin = lettered(boards("7d8b90", "6b7c84", "8a5a40", width_px=13), "d9d2c0")
    parts += house((0, 0, -8.4), (9, 4.4, 4), boards("8a5a3c", "9c6b48", "734a32", width_px=15), _SLATES, rng)
    parts += house((8.6, 0, -9.5), (6, 7, 5), stones("96503c", "a9644c", "7d4234", size_px=11, flat=2.1), _SLATES, rng)
    parts += house((-8.6, 0, -9.5), (6, 6, 5), plaster("9fb0b4"), _TILES, rng)
    for x, z, yaw, wall in (
        (-9, -1.5, 90, tin),
        (-10, 7.5, 90, plaster("c0a878")),
        (9, -1.5, -90, boards("5f7a62", "7a8f70")),
    ):
        parts += moved(house((0, 0, 0), (7.5, 4.6, 4.5), wall, _TILES, rng), yaw, (x, 0, z))
    parts += moved(house((0, 0, 0), (7.5, 5, 4.5), plaster("b5604a"), _SLATES, rng), -90, (10, 0, 7.5))
    for x, z, yaw in (
        (-2.6, -4.4, 8),
        (2.8, -4.8, -10),
        (-5.8, -1.2, 80),
        (5.9, -0.8, -82),
        (-6.0, 3.2, 95),
        (0.2, -6.1, 0),
    ):
        parts += shelf((x, 0, z), yaw, (rng.uniform(2.2, 2.9), rng.uniform(1.7, 2.6)), rng)
    parts += box((-1.9, 0, -1.6), (1.6, 0.82, 0.7), boards("a37d50", "87643e", "bd9866", width_px=13), rng, 150)
    for x in (-2.5, -2.1, -1.7, -1.3):
        parts += box((x, 0.82, rng.uniform(-1.8, -1.4)), rng.uniform(0.12, 0.32, 3), tin, rng, 150)
    for x, z in ((2.2, -1.6), (2.8, -1.2), (2.6, -2.1), (-3.9, 0.8), (4.8, -2.6), (-4.4, -3.2), (0.9, -3.8)):
        parts += barrel((x, 0, z), rng, is_drum=True)
    for x, z in ((-3.4, -2.7), (1.5, -2.7), (4.4, 0.6), (-4.9, 2.0)):
        parts += coil((x, 0, z), 0.33, rng)
    for x, y, z, yaw in (
        (3.4, 0, -3.1, 20),
        (3.45, 0.6, -3.1, 5),
        (-0.9, 0, -3.4, 12),
        (-5.1, 0, 0.6, 30),
        (5.2, 0, 2.2, 15),
    ):
        parts += crate((x, y, z), (0.75, 0.6, 0.65), rng, yaw)
    parts += board_stand((1.75, 0, -0.75), -22, rng) + tree((-4.8, 0, -6.3), 5, rng)
    return parts + line_of_cloths((-5, 3.1, -5.2), (5.4, 3.0, -5.4), rng)


def _quay(rng: np.random.Generator) -> list[Part]:
    parts = _ground(boards("8d7f6c", "9b8d78", "7a6d5c", "a89880", width_px=26), rng)
    water = patched(("35606a", "2a4f5c", "4d7f84", "6fa09c", "274650"), 14, 0.15)
    parts.append(sheet((-26, 0.02, -4.9), (52, 0, 0), (0, 0, -9.0), painted((52, 0, 0), (0, 0, 9), water, rng, 48)))
    parts += box((0, 0, -4.85), (16, 0.16, 0.35), stones("9d9688", "837c70", size_px=24, flat=1.5), rng, 110)
    for x, yaw, colour in ((-3.4, 8, "a83c30"), (2.6, -14, "2f5f86"), (8.6, 5, "3f7a54"), (-10, -6, "c08a34")):
        parts += boat((x, 0, -6.9 + 0.1 * x), yaw, colour, rng)
    for x, tall, colour in (
        (-14, 7, "c98f6a"),
        (-7, 5.6, "d9c79a"),
        (-0.5, 6.8, "b4655a"),
        (6.5, 5.2, "9fb3a4"),
        (14, 7.5, "c7a0a8"),
    ):
        parts += house((x, 0, -17), (6.4, tall, 5), plaster(colour), _TILES if tall > 6 else _SLATES, rng)
    for x, y, z, yaw, colour in (
        (-7.6, 0, 0.8, 90, "a4452f"),
        (-7.8, 2.3, 1.2, 90, "3d6f8c"),
        (-7.8, 0, 7.4, 90, "5d7d4e"),
        (7.4, 0, -0.6, -90, "c49a3a"),
        (7.7, 2.3, -0.4, -90, "6a5a86"),
        (7.8, 0, 6.2, -90, "a04058"),
        (-8.2, 2.3, 7.6, 90, "8a8f92"),
    ):
        parts += moved(container((0, 0, 0), (5.6, 2.3, 2.3), colour, rng), yaw + rng.uniform(-3, 3), (x, y, z))
    for x in (-11.8, 11.8):
        wall = stones("96503c", "a9644c", "7d4234", size_px=11, flat=2.1)
        parts += moved(house((0, 0, 0), (16, 7, 5), wall, _SLATES, rng), -np.sign(x) * 90, (x + np.sign(x), 0, 4))
    return parts + _quay_goods(rng) + line_of_cloths((-6.2, 3.0, -4.5), (6.0, 3.3, -4.7), rng)


def _quay_goods(rng: np.random.Generator) -> list[Part]:
    """Return what lies about on the quay: bollards, ropes, barrels, crates."""
    parts: list[Part] = []
    for x, z in ((-2.1, -4.1), (1.2, -4.2), (4.4, -4.0), (-5, -4.2)):
        parts.append(
            cylinder((x, 0, z), 0.17, 0.5, patched(("3a3d40", "6b4a38", "4f5355"), 12)(90, 220, rng), bulge=-0.25)
        )
    for x, z in ((-2.9, -1.5), (2.9, -2.5), (-4.2, 2.4), (4.5, 0.9), (0.3, -3.4), (-1.4, -2.6)):
        parts += coil((x, 0, z), rng.uniform(0.26, 0.4), rng)
    for x, z in ((2.2, -1.2), (2.75, -0.9), (-3.7, -2.9), (4.6, -1.9), (-5.0, 0.6)):
        parts += barrel((x, 0, z), rng, is_drum=bool(rng.random() < 0.5))
    for x, y, z, yaw in (
        (-2.2, 0, -0.9, 15),
        (-2.25, 0.5, -0.95, -10),
        (-2.9, 0, -0.5, 40),
        (1.6, 0, -2.6, 22),
        (3.7, 0, -2.9, 8),
        (3.75, 0.5, -2.9, -18),
        (-4.8, 0, 1.6, 30),
        (5.0, 0, 2.4, 12),
        (-0.6, 0, -4.1, 5),
    ):
        parts += crate((x, y, z), (0.65, 0.5, 0.55), rng, yaw)
    return parts + board_stand((-1.3, 0, -1.6), 18, rng) + bench((2.2, 0, -3.8), 4, rng)


PLACES = {
    "courtyard": Place(
        seed=11,
        surroundings=_courtyard,
        subject=Look(
            seed=101,
            skin="d9a583",
            hair="3a2318",
            style="long",
            top=("b3322c", "f0e2c4", "26334f"),
            pattern="stripes",
            legs="31456b",
            shoes="5a3524",
        ),
        companion=Look(
            seed=102,
            skin="8f5f43",
            hair="1d1614",
            style="short",
            top=("4f7a4a", "e0c452", "efe9da"),
            pattern="patches",
            legs="8a7a5c",
            shoes="2b2b2e",
        ),
        companion_at=(1.05, 0, -0.55),
        companion_yaw_deg=-22,
        stranger=Look(
            seed=103,
            skin="e0b497",
            hair="c79a4c",
            style="bun",
            top=("2f7f86", "efe6d4", "d8792f"),
            pattern="print",
            legs="5a4636",
            shoes="8a2f34",
        ),
    ),
    "workshop": Place(
        seed=22,
        surroundings=_workshop,
        subject=Look(
            seed=201,
            skin="c68e6a",
            hair="b8b2a6",
            style="short",
            top=("d39a2e", "27466b", "f2ead6"),
            pattern="print",
            legs="4b5a3a",
            shoes="3a2a20",
        ),
        companion=Look(
            seed=202,
            skin="e2b598",
            hair="8a3f22",
            style="bun",
            top=("5c4a86", "c9bfe0", "e6a13c"),
            pattern="stripes",
            legs="2e2c34",
            shoes="6b4a30",
            skirt="7a2f3c",
        ),
        companion_at=(-1.0, 0, -0.6),
        companion_yaw_deg=25,
        stranger=Look(
            seed=203,
            skin="7a4f38",
            hair="15110f",
            style="hat",
            top=("3f6f9a", "e8e0d0", "a63a2e"),
            pattern="patches",
            legs="7d6a52",
            shoes="1f1f22",
        ),
    ),
    "quay": Place(
        seed=33,
        surroundings=_quay,
        subject=Look(
            seed=301,
            skin="a8714f",
            hair="241812",
            style="hat",
            top=("e4dcc8", "23406a", "b5382e"),
            pattern="stripes",
            legs="6a4a3a",
            shoes="2a2f3a",
        ),
        companion=Look(
            seed=302,
            skin="e0b090",
            hair="c9a25a",
            style="long",
            top=("c7583a", "f0d89a", "3a5a4a"),
            pattern="print",
            legs="3a3f4a",
            shoes="4a3020",
            skirt="2f5a78",
        ),
        companion_at=(0.95, 0, -0.75),
        companion_yaw_deg=-30,
        stranger=Look(
            seed=303,
            skin="dcae90",
            hair="6b3a20",
            style="long",
            top=("3a7a4a", "e8c84a", "f2efe6"),
            pattern="patches",
            legs="23262e",
            shoes="7a5a3a",
        ),
    ),
}
