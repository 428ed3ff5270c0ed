"""The ground of the stage: irregular paving, a road with marks, and painted patches that no two scenes share."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from models.miniature.patterns import Floats, chance, linear, mix, noise

_PAVINGS = ("b9ab94", "a8a9a4", "b59a86", "9aa3a8", "c2b8a0", "a79b8b")
_PATCHES = ("d8573f", "e3b23c", "3f8f8a", "4a6fa5", "6d9b4e", "a65d8c", "efe3cf", "35424f")


@dataclass(frozen=True, kw_only=True, eq=False)
class Patch:
    """One painted figure on the ground: a disc, a ring or a box."""

    centre: tuple[float, float]  # x, z
    turn: float  # radians
    reach: tuple[float, float]  # half-sizes
    hole: float  # share left free inside; 0 for a full figure
    is_round: bool
    colour: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground:
    """Everything painted on the plane y = 0."""

    seed: int
    stone: Floats
    turn: float  # radians, of the paving
    road_turn: float  # radians
    road_m: float  # from the origin to the middle of the road, behind the subject
    patches: tuple[Patch, ...]

    def colour(self, x: Floats, z: Floats) -> Floats:
        """Return the reflected colour (3, N) at ground points."""
        stains = np.float32(0.72) + np.float32(0.5) * noise(x * np.float32(0.55), z * np.float32(0.55), self.seed)
        colour = self._road(x, z, self._paving(x, z))
        for patch in self.patches:
            colour = _painted(patch, x, z, colour)
        return colour * stains

    def _paving(self, x: Floats, z: Floats) -> Floats:
        """Return rows of slabs of uneven length, each in its own tone, between darker joints."""
        across, along = _turned(x, z, self.turn)
        row = np.floor(across / np.float32(0.85))
        shifted = along / np.float32(1.1) + chance(self.seed, row) * 7
        slab = np.floor(shifted)
        here = shifted - slab - np.float32(0.5) * chance(self.seed + 1, row, slab)
        slab = np.where(here < 0, slab - 1, slab)
        tone = np.float32(0.68) + np.float32(0.55) * chance(self.seed + 2, row, slab)
        is_joint = (np.abs(here) < np.float32(0.025)) | (across - row * np.float32(0.85) < np.float32(0.045))
        warm = mix(self.stone, self.stone[[0, 2, 1]], np.float32(0.35) * chance(self.seed + 3, slab, row))
        return warm * np.where(is_joint, np.float32(0.4), tone)

    def _road(self, x: Floats, z: Floats, colour: Floats) -> Floats:
        """Lay the road: asphalt, kerbs, a dashed line of uneven dashes, one crossing."""
        along, across = _turned(x, z, self.road_turn)
        away = np.abs(across + self.road_m)
        dash = chance(self.seed, np.floor(along * np.float32(0.8)), 5) < np.float32(0.55)
        is_line = (away < np.float32(0.09)) & dash
        crossing_m = (self.seed % 7) - 3.0
        is_crossing = (np.abs(along - crossing_m) < np.float32(1.1)) & (np.floor(across * np.float32(2.2)) % 2 > 0)
        colour = mix(colour, linear("e4ddcc"), (away < np.float32(1.75)))
        road = mix(linear("4b4d55"), linear("f1e6c8"), is_line | (is_crossing & (away < np.float32(1.4))))
        return np.where(away < np.float32(1.58), road, colour)


def make_ground(random: Generator, seed: int) -> Ground:
    """Draw the ground of a scene."""
    patches = [_draw_patch(random, slot) for slot in range(9)]
    return Ground(
        seed=seed,
        stone=linear(str(random.choice(_PAVINGS))),
        turn=random.uniform(-0.6, 0.6),
        road_turn=random.uniform(-0.2, 0.2),
        road_m=random.uniform(5.2, 6.2),
        patches=(*patches, *_mark(linear("f4d35e"), random.uniform(-0.4, 0.4))),
    )


def _draw_patch(random: Generator, slot: int) -> Patch:
    angle, away = slot * 0.698 + random.uniform(-0.25, 0.25), random.uniform(1.3, 4.2)
    return Patch(
        centre=(away * np.sin(angle), away * np.cos(angle)),
        turn=random.uniform(0, np.pi),
        reach=(random.uniform(0.35, 0.8), random.uniform(0.2, 0.7)),
        hole=float(random.choice((0.0, 0.0, 0.65))),
        is_round=bool(random.random() < 0.5),
        colour=linear(str(random.choice(_PATCHES))),
    )


def _mark(colour: Floats, turn: float) -> tuple[Patch, Patch]:
    """Return the taped mark that tells the actor where to stand: a bar in front, its stem to the right."""
    bar = Patch(centre=(0.0, 0.34), turn=turn, reach=(0.42, 0.05), hole=0, is_round=False, colour=colour)
    stem = Patch(centre=(0.3, 0.62), turn=turn, reach=(0.05, 0.24), hole=0, is_round=False, colour=colour)
    return bar, stem


def _painted(patch: Patch, x: Floats, z: Floats, colour: Floats) -> Floats:
    east, south = x - np.float32(patch.centre[0]), z - np.float32(patch.centre[1])
    inside = np.flatnonzero(np.maximum(np.abs(east), np.abs(south)) < np.float32(1.1))
    across, along = _turned(east[inside], south[inside], patch.turn)
    across, along = np.abs(across) / np.float32(patch.reach[0]), np.abs(along) / np.float32(patch.reach[1])
    reach = np.hypot(across, along) if patch.is_round else np.maximum(across, along)
    covered = inside[(reach < 1) & (reach >= patch.hole)]
    colour[:, covered] = patch.colour[:, None]
    return colour


def _turned(x: Floats, z: Floats, angle: float) -> tuple[Floats, Floats]:
    """Return the points in axes turned about the vertical."""
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * x + sin * z, cos * z - sin * x
