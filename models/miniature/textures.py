"""What the solids are painted with: cloth, facades, signs, leaves. Each paint is a rule over a surface, no bitmaps.

A paint takes surface points and normals in the solid's own frame, both (3, N), and the solid's half-sizes (3,).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.miniature.patterns import Floats, chance, linear, mix, noise

_BLACK = np.zeros((3, 1), np.float32)

# Five by seven letters, a row of bits each; a bit is a block, the highest one on the left.
_LETTERS = {
    "A": (14, 17, 17, 31, 17, 17, 17),
    "B": (30, 17, 17, 30, 17, 17, 30),
    "C": (14, 17, 16, 16, 16, 17, 14),
    "D": (30, 17, 17, 17, 17, 17, 30),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "F": (31, 16, 16, 30, 16, 16, 16),
    "I": (14, 4, 4, 4, 4, 4, 14),
    "K": (17, 18, 20, 24, 20, 18, 17),
    "L": (16, 16, 16, 16, 16, 16, 31),
    "M": (17, 27, 21, 21, 17, 17, 17),
    "N": (17, 25, 21, 19, 17, 17, 17),
    "O": (14, 17, 17, 17, 17, 17, 14),
    "P": (30, 17, 17, 30, 16, 16, 16),
    "R": (30, 17, 17, 30, 20, 18, 17),
    "S": (15, 16, 16, 14, 1, 1, 30),
    "T": (31, 4, 4, 4, 4, 4, 4),
}


@dataclass(frozen=True)
class Plain:
    """One colour, that may glow."""

    colour: Floats
    glow: float = 0.0

    def __call__(self, local: Floats, normal: Floats, half: Floats) -> tuple[Floats, Floats]:
        """Return the same colour everywhere."""
        del local, normal, half
        return self.colour[:, None], self.colour[:, None] * np.float32(self.glow)


@dataclass(frozen=True)
class Banded:
    """A colour with one band across, at a share of the height: a cuff, a sock, a hat's ribbon."""

    colour: Floats
    band: Floats
    low: float
    high: float

    def __call__(self, local: Floats, normal: Floats, half: Floats) -> tuple[Floats, Floats]:
        """Return the band's colour between its limits, in [-1, 1] of the half height."""
        del normal
        height = local[1] / half[1]
        return mix(self.colour, self.band, (height > self.low) & (height < self.high)), _BLACK


@dataclass(frozen=True)
class Stripes:
    """Stripes along the surface's x: an awning, a jersey, a bench's slats."""

    colour: Floats
    other: Floats
    num: int

    def __call__(self, local: Floats, normal: Floats, half: Floats) -> tuple[Floats, Floats]:
        """Return every second stripe in the other colour."""
        del normal
        return mix(self.colour, self.other, np.floor((local[0] / half[0] + 1) * self.num / 2) % 2 > 0), _BLACK


@dataclass(frozen=True)
class Jacket:
    """A jacket: open collar and badge in front, one broad band on the back, a dark hem."""

    cloth: Floats
    shirt: Floats
    band: Floats

    def __call__(self, local: Floats, normal: Floats, half: Floats) -> tuple[Floats, Floats]:
        """Return the cut, seen from the front where the normal has z > 0."""
        is_front = normal[2] > 0
        x, y = local[0] / half[0], local[1] / half[1]
        opening = (y + np.float32(0.05)) * np.float32(0.5)
        colour = mix(self.cloth, self.cloth * np.float32(0.45), is_front & (np.abs(x) < opening + np.float32(0.2)))
        colour = mix(colour, self.shirt, is_front & (np.abs(x) < np.maximum(opening, np.float32(0.07))))
        badge = is_front & (np.abs(x - np.float32(0.55)) < np.float32(0.2)) & (np.abs(y - 0.2) < np.float32(0.11))
        back = ~is_front & (np.abs(y - np.float32(0.2)) < np.float32(0.2))
        colour = mix(colour, self.band, badge | back)
        return mix(colour, self.cloth * np.float32(0.4), y < np.float32(-0.72)), _BLACK


@dataclass(frozen=True)
class Foliage:
    """Leaves: light and dark clumps."""

    colour: Floats
    seed: int

    def __call__(self, local: Floats, normal: Floats, half: Floats) -> tuple[Floats, Floats]:
        """Return clumps a hand wide."""
        del normal, half
        clumps = noise(local[0] * 4 + local[2] * 3, local[1] * 5 - local[2] * 2, self.seed)
        return self.colour[:, None] * (np.float32(0.45) + np.float32(1.1) * clumps), _BLACK


@dataclass(frozen=True)
class Facade:
    """A house front: a shop on the ground, hashed lit and dark windows above, plain tiles on top."""

    wall: Floats
    trim: Floats
    seed: int
    lit_share: float

    def __call__(self, local: Floats, normal: Floats, half: Floats) -> tuple[Floats, Floats]:
        """Return wall, frames and panes; lit panes glow."""
        height: Floats = local[1] + half[1]
        column, floor, across, up = self._grid(local, height, np.abs(normal[0]) > np.float32(0.5))
        reach = np.maximum(np.abs(across) / np.float32(0.3), np.abs(up) / np.float32(0.34))
        is_bare = (normal[1] > np.float32(0.5)) | (floor < -1) | (floor * np.float32(1.55) + 4.5 > 2 * half[1])
        is_pane, is_frame = (reach < 1) & ~is_bare, (reach < np.float32(1.22)) & ~is_bare
        is_band = (height > np.float32(2.5)) & (height < np.float32(2.85))
        dice = chance(self.seed, column, floor)
        pane = mix(linear("22384f"), linear("7fa3bd"), np.modf(dice * 53)[0] * np.clip(up + np.float32(0.5), 0, 1))
        colour = mix(mix(self.wall, self.trim, is_frame | is_band), pane, is_pane)
        return colour, self._light(dice, up) * is_pane

    def _grid(self, local: Floats, height: Floats, is_side: NDArray[np.bool_]) -> tuple[Floats, ...]:
        """Return column, floor, and the place in that cell from its middle; the shop is floor -1 and has wide panes."""
        front: Floats = local[0] * np.float32(0.8)
        side: Floats = (local[2] + 40) * np.float32(0.8)
        is_shop = height < np.float32(2.5)
        along = (np.where(is_side, side, front) + np.float32(0.5)) * np.where(is_shop, np.float32(0.5), np.float32(1))
        storey = np.where(is_shop, height / np.float32(2.5) - np.float32(1.05), (height - 2.9) / np.float32(1.55))
        column, floor = np.floor(along), np.where(is_shop, np.float32(-1), np.floor(storey))
        across = (along - column - np.float32(0.5)) * np.where(is_shop, np.float32(0.8), np.float32(1))
        return column, floor, across, storey - floor - np.float32(0.5)

    def _light(self, dice: Floats, up: Floats) -> Floats:
        """Return the glow (3, N) of the panes: warm, some cool, curtains dimmer."""
        warmth = mix(linear("ffb95e"), linear("ffe9b8"), np.modf(dice * 37)[0])
        dimming = np.where((np.modf(dice * 91)[0] < np.float32(0.4)) & (up > 0), np.float32(0.45), np.float32(0.95))
        return warmth * (dimming * (dice < self.lit_share))


@dataclass(frozen=True)
class Sign:
    """A board with a word, to be read from either side."""

    word: str
    board: Floats
    ink: Floats
    glow: float

    def __call__(self, local: Floats, normal: Floats, half: Floats) -> tuple[Floats, Floats]:
        """Return blocky letters that fill the board but for a rim."""
        blocks = _word_blocks(self.word)
        rows, columns = blocks.shape
        across = np.floor((local[0] * np.sign(normal[2]) / half[0] + 1) / 2 * columns).astype(np.int32)
        down = np.floor((1 - local[1] / half[1]) / 2 * rows).astype(np.int32)
        is_ink = blocks[np.clip(down, 0, rows - 1), np.clip(across, 0, columns - 1)] & (
            np.abs(normal[2]) > np.float32(0.5)
        )
        return mix(self.board, self.ink, is_ink), self.ink[:, None] * (is_ink * np.float32(self.glow))


def _word_blocks(word: str) -> NDArray[np.bool_]:
    """Return the word as blocks (9, 6 n + 1), true where there is ink."""
    rows = np.array([_LETTERS[letter] for letter in word], np.int32)
    ink = rows[:, :, None] >> np.arange(5, -1, -1) & 1
    letters = ink.transpose(1, 0, 2).reshape(7, -1)
    return np.pad(letters, ((1, 1), (0, 1))).astype(np.bool_)
