"""Pictures for surfaces, from a random generator: noise at several scales, stones, boards, letters; none repeats.

Colours are sRGB in [0, 1]; a painter of `meshes.py` is made here by giving colours.
"""

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont
from scipy.spatial import KDTree

from tests.known_cameras.meshes import Array, Bitmap, Painter

_INKS = (
    *("c23b2e", "e0b43a", "2f5d8a", "efe6cf", "3f7d5a", "1f2430", "d97a3a"),
    *("7a3b52", "8fb3c4", "b99a6b", "5a4a7a", "f4efe4", "96a13c", "5b3a2a"),
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_SCALES_PX = (2.0, 4.5, 11.0, 30.0, 90.0)


def rgb(colour: str) -> Array:
    """Return the colour `d9a441` in [0, 1]."""
    return np.frombuffer(bytes.fromhex(colour), np.uint8) / 255.0


def grain(height: int, width: int, rng: np.random.Generator, stretch: float = 1.0) -> Array:
    """Return noise (height, width) at five scales, of mean 0, deviation 1; bumps are `stretch` times as high."""
    total = np.zeros((height, width))
    for scale in _SCALES_PX:
        shape = (int(height / scale / stretch) + 2, int(width / scale) + 2)
        bumps = Image.fromarray(rng.standard_normal(shape).astype(np.float32))
        total += np.asarray(bumps.resize((width, height), Image.Resampling.BICUBIC))
    return total / max(total.std(), 1e-6)


def shaded(colour: ArrayLike, noise: Array, strength: float) -> Array:
    """Return a colour (3,) or a picture of colours, darkened and lightened by `noise`."""
    return np.asarray(colour, float) * (1 + strength * noise)[..., None]


def as_bitmap(picture: Array) -> Bitmap:
    """Return a picture in [0, 1] as 8-bit pixels."""
    return (np.clip(picture, 0.015, 0.97) * 255).round().astype(np.uint8)


def plaster(colour: str, under: str = "8a5a44", decay: float = 1.0) -> Painter:
    """Old plaster: stains, cracks, and flakes where the wall below shows."""

    def paint(height: int, width: int, rng: np.random.Generator) -> Bitmap:
        picture = shaded(rgb(colour), grain(height, width, rng), 0.09)
        picture = picture * (1 + 0.10 * np.stack([grain(height, width, rng, 3.0)] * 3, axis=-1) * (1, 0.9, 0.7))
        bare = stones("76685c", under, "a8765a", size_px=15, flat=1.8)(height, width, rng) / 255.0
        is_bare = grain(height, width, rng) > 1.75 / decay
        picture[is_bare] = bare[is_bare]
        return marked(as_bitmap(picture), rng, num_cracks=height * width // 9000)

    return paint


def stones(*colours: str, size_px: float = 30, flat: float = 1.0, joint: str = "4a443d") -> Painter:
    """Irregular stones in several colours, `flat` times as wide as high, with a joint between them."""

    def paint(height: int, width: int, rng: np.random.Generator) -> Bitmap:
        rows, columns = int(height / size_px) + 3, int(width / size_px / flat) + 3
        seeds = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1).reshape(-1, 2) - 1.0
        seeds += rng.uniform(-0.42, 0.42, seeds.shape)
        pixels = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1).reshape(-1, 2)
        places = pixels / (size_px, size_px * flat)
        distance, nearest = (np.asarray(found) for found in KDTree(seeds).query(places, k=2, workers=1))
        edge = (distance[:, 1] - distance[:, 0]).reshape(height, width)
        choice = np.stack([rgb(colour) for colour in colours])[rng.integers(0, len(colours), len(seeds))]
        choice *= rng.uniform(0.62, 1.28, (len(seeds), 1))
        picture = shaded(choice[nearest[:, 0].reshape(height, width)], grain(height, width, rng), 0.12)
        shine = np.clip(edge / 0.5, 0, 1)[..., None] * 0.35 + 0.75
        is_joint = edge < 0.09
        picture = picture * shine
        picture[is_joint] = shaded(rgb(joint), grain(height, width, rng), 0.15)[is_joint]
        return as_bitmap(picture)

    return paint


def boards(*colours: str, width_px: float = 18, upright: bool = True) -> Painter:
    """Boards of uneven widths with grain, knots, nails and wear."""

    def paint(height: int, width: int, rng: np.random.Generator) -> Bitmap:
        if not upright:
            return np.rot90(boards(*colours, width_px=width_px)(width, height, rng)).copy()
        cuts = np.cumsum(rng.uniform(0.5, 1.6, int(2 * width / width_px) + 4) * width_px)
        board = np.searchsorted(cuts, np.arange(width) + 0.5)
        choice = np.stack([rgb(colour) for colour in colours])[rng.integers(0, len(colours), len(cuts) + 1)]
        choice *= rng.uniform(0.65, 1.25, (len(choice), 1))
        picture = shaded(np.broadcast_to(choice[board], (height, width, 3)), grain(height, width, rng, 6.0), 0.14)
        picture *= (1 + 0.08 * grain(height, width, rng))[..., None]
        picture[:, np.flatnonzero(np.diff(board, prepend=board[0]))] *= 0.35
        return marked(as_bitmap(picture), rng, num_dots=height * width // 700, num_cracks=height * width // 8000)

    return paint


def patched(colours: tuple[str, ...], size_px: float, strength: float = 0.1) -> Painter:
    """Soft patches of several colours: leaves, water, rust, sand."""

    def paint(height: int, width: int, rng: np.random.Generator) -> Bitmap:
        cells = stones(*colours, size_px=size_px, joint=colours[0])(height, width, rng) / 255.0
        return as_bitmap(cells * (1 + strength * grain(height, width, rng))[..., None])

    return paint


def lettered(ground: Painter, ink: str, num_lines: int = 1) -> Painter:
    """A painter with stencilled letters, worn by noise, over another one."""

    def paint(height: int, width: int, rng: np.random.Generator) -> Bitmap:
        below = ground(height, width, rng)
        mask = Image.new("L", (width, height), 0)
        draw = ImageDraw.Draw(mask)
        for line in range(num_lines):
            size = min(height / num_lines * rng.uniform(0.5, 0.8), width / 3)
            top = (line + 0.12) * height / num_lines
            draw.text((width * rng.uniform(0.04, 0.2), top), word(rng, 3, 9), fill=255, font=_font(size))
        worn = np.asarray(mask) / 255.0 * np.clip(0.9 + 0.35 * grain(height, width, rng), 0, 1)
        return as_bitmap(below / 255.0 * (1 - worn[..., None]) + rgb(ink) * worn[..., None])

    return paint


def poster(height: int, width: int, rng: np.random.Generator) -> Bitmap:
    """A printed poster: a ground, a few shapes, a title and lines of small type."""
    paper, *inks = ("#" + ink for ink in rng.permutation(_INKS)[:5])
    image = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(image)
    for ink in inks[:3]:
        x, y = sorted(rng.uniform(0, width, 2)), sorted(rng.uniform(0, height * 0.8, 2))
        shape = rng.integers(0, 3)
        if shape == 0:
            draw.ellipse((x[0], y[0], x[1], y[1]), fill=ink)
        elif shape == 1:
            draw.rectangle((x[0], y[0], x[1], y[1]), fill=ink)
        else:
            draw.polygon([(x[0], y[1]), (x[1], y[1]), (sum(x) / 2, y[0])], fill=ink)
    title_px = max(width / rng.uniform(2.5, 4.5), 7)
    draw.text((width * 0.06, height * rng.uniform(0.02, 0.5)), word(rng, 3, 7), fill=inks[3], font=_font(title_px))
    for line in np.arange(height * 0.8, height, max(height * 0.06, 5)):
        draw.text((width * 0.06, line), word(rng, 8, 20), fill=inks[3], font=_font(max(height * 0.05, 5)))
    return as_bitmap(np.asarray(image) / 255.0 * (1 + 0.05 * grain(height, width, rng))[..., None])


def pasted(ground: Bitmap, patch: Bitmap, top: int, left: int) -> None:
    """Put a picture onto another one in place, cut at its edges."""
    height, width = min(len(patch), len(ground) - top), min(patch.shape[1], ground.shape[1] - left)
    if height > 0 and width > 0 and top >= 0 and left >= 0:
        ground[top : top + height, left : left + width] = patch[:height, :width]


def marked(picture: Bitmap, rng: np.random.Generator, num_cracks: int = 0, num_dots: int = 0) -> Bitmap:
    """Return a picture with cracks (random walks) and dots of other colours drawn onto it."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    height, width = picture.shape[:2]
    for _ in range(num_cracks):
        walk = np.cumsum(rng.normal(0, 1, (14, 2)) + rng.normal(0, 0.8, 2), axis=0) * rng.uniform(1.5, 4.5)
        start = rng.uniform(0, 1, 2) * (width, height)
        draw.line([(float(x), float(y)) for x, y in walk + start], fill=_dull(rng), width=1)
    for _ in range(num_dots):
        x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.6, 2.2)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_dull(rng))
    return np.array(image)


def word(rng: np.random.Generator, shortest: int, longest: int) -> str:
    """Return random capitals and digits."""
    return "".join(rng.choice(list(_LETTERS), rng.integers(shortest, longest)))


def _font(size_px: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=max(size_px, 5.0))


def _dull(rng: np.random.Generator) -> tuple[int, int, int]:
    """Return a random 8-bit dark, middle or light grey with a tint."""
    red, green, blue = np.clip(rng.choice((45, 75, 125)) + rng.integers(-18, 19, 3), 0, 255)
    return int(red), int(green), int(blue)
