"""People: a painted head with hair, a torso, bent arms, legs and shoes, and what they wear.

A figure stands at the origin on y = 0 and faces +z; +x is its left side. It is about 1.6 m tall.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tests.known_cameras.meshes import Bitmap, Part, box, ellipsoid, tube
from tests.known_cameras.textures import as_bitmap, grain, poster, rgb, shaded, stones, word

_HEAD_Y = 1.475


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a figure looks like; colours are sRGB in hexadecimal."""

    seed: int
    skin: str
    hair: str
    style: Literal["short", "long", "bun", "hat"]
    top: tuple[str, str, str]
    pattern: Literal["stripes", "patches", "print"]
    legs: str
    shoes: str
    skirt: str | None = None


def figure(look: Look) -> list[Part]:
    """Return the parts of a person; the build is the same for every look."""
    rng = np.random.default_rng(look.seed)
    return [*_head(look, rng), *_torso(look, rng), *_arms(look, rng), *_lower_body(look, rng)]


def _head(look: Look, rng: np.random.Generator) -> list[Part]:
    skin, hair = _skin(look, rng, 64, 64), _hair(look, rng, 160, 220)
    parts = [
        ellipsoid((0, _HEAD_Y, 0), (0.088, 0.13, 0.105), _face(look, rng), taper=0.22),
        ellipsoid((0, _HEAD_Y - 0.015, 0.106), (0.014, 0.026, 0.019), skin),
        tube([(0, y, -0.01) for y in (1.29, 1.34, 1.4)], [(0.062, 0.06), (0.05, 0.05), (0.05, 0.055)], skin),
    ]
    parts += [ellipsoid((side * 0.088, _HEAD_Y - 0.005, -0.005), (0.012, 0.032, 0.02), skin) for side in (-1, 1)]
    if look.style == "hat":
        brim = [(0, _HEAD_Y + 0.055 + rise, 0.0) for rise in (0, 0.004, 0.012, 0.016)]
        parts.append(tube(brim, [(0.08, 0.09), (0.175, 0.185), (0.175, 0.185), (0.09, 0.1)], hair))
        parts.append(ellipsoid((0, _HEAD_Y + 0.075, 0), (0.1, 0.1, 0.115), hair))
        return parts
    parts.append(ellipsoid((0, _HEAD_Y + 0.045, -0.022), (0.1, 0.102, 0.112), hair))
    if look.style == "long":
        rings = [(0, y, z) for y, z in ((1.2, -0.1), (1.24, -0.095), (1.34, -0.075), (1.44, -0.05), (1.52, -0.035))]
        parts.append(tube(rings, [(0.03, 0.02), (0.1, 0.045), (0.115, 0.065), (0.112, 0.08), (0.08, 0.06)], hair))
    if look.style == "bun":
        parts.append(ellipsoid((0, _HEAD_Y + 0.14, -0.075), (0.055, 0.05, 0.055), hair))
    return parts


def _torso(look: Look, rng: np.random.Generator) -> list[Part]:
    rises = (0.76, 0.77, 0.84, 0.95, 1.05, 1.15, 1.23, 1.285, 1.32, 1.335)
    wide = (0.0, 0.158, 0.166, 0.142, 0.152, 0.17, 0.19, 0.165, 0.09, 0.06)
    deep = (0.0, 0.112, 0.118, 0.103, 0.112, 0.125, 0.116, 0.1, 0.075, 0.06)
    cloth = _cloth(look, rng, 220, 400)
    belt = slice(len(cloth) - 34, len(cloth) - 24)
    cloth[belt] = np.clip(cloth[belt] * 0.25, 5, 255).astype(np.uint8)
    parts = [tube([(0, y, 0) for y in rises], np.stack((wide, deep), axis=1), cloth)]
    parts.append(
        ellipsoid((0, 0.925, 0.104), (0.022, 0.018, 0.01), as_bitmap(shaded(rgb("c9a24a"), grain(32, 32, rng), 0.2)))
    )
    return parts


def _arms(look: Look, rng: np.random.Generator) -> list[Part]:
    """One arm hangs, the other carries a parcel before the body."""
    parts: list[Part] = []
    hanging = (
        (-0.185, 1.265, 0),
        (-0.225, 1.15, -0.01),
        (-0.25, 1.01, -0.015),
        (-0.262, 0.9, 0.02),
        (-0.268, 0.79, 0.06),
    )
    bent = ((0.185, 1.265, 0), (0.232, 1.15, -0.015), (0.252, 1.03, -0.01), (0.225, 1.035, 0.12), (0.165, 1.06, 0.235))
    for path in (hanging, bent):
        knots = np.array(path)
        fine = np.stack([np.interp(np.linspace(0, 4, 17), range(5), knots[:, axis]) for axis in range(3)], axis=1)
        widths = np.interp(np.linspace(0, 4, 17), (0, 0.3, 2, 4), (0.058, 0.062, 0.05, 0.036))
        widths[0] = 0.02
        parts.append(tube(fine, np.stack((widths, widths), axis=1), _cloth(look, rng, 200, 150), side=(1, 0, 0.3)))
        parts.append(ellipsoid(knots[0], (0.056, 0.05, 0.056), _cloth(look, rng, 60, 100)))
        parts.append(ellipsoid(knots[4] + (0, -0.035, 0.015), (0.032, 0.055, 0.034), _skin(look, rng, 48, 48)))
    return parts + box((0.1, 1.0, 0.27), (0.2, 0.14, 0.09), poster, rng, 260)


def _lower_body(look: Look, rng: np.random.Generator) -> list[Part]:
    parts: list[Part] = []
    leather = as_bitmap(shaded(rgb(look.shoes), grain(60, 120, rng), 0.25))
    for side in (-1, 1):
        path = [
            (side * x, y, z)
            for x, y, z in ((0.105, 0.07, 0), (0.1, 0.25, -0.01), (0.095, 0.45, 0.012), (0.09, 0.82, 0))
        ]
        radii = [(0.052, 0.056), (0.06, 0.065), (0.066, 0.07), (0.086, 0.1)]
        parts.append(tube(path, radii, _trousers(look, rng)))
        parts.append(ellipsoid((side * 0.112, 0.045, 0.055), (0.05, 0.045, 0.135), leather))
    if look.skirt:
        rises = (
            (0.4, 0.25, 0.225),
            (0.42, 0.25, 0.225),
            (0.6, 0.215, 0.185),
            (0.8, 0.178, 0.135),
            (0.93, 0.146, 0.108),
        )
        fabric = stones(look.skirt, look.top[1], look.skirt, look.legs, size_px=17, joint=look.skirt)(180, 420, rng)
        parts.append(tube([(0, y, 0) for y, _, _ in rises], [ring[1:] for ring in rises], fabric))
    return parts


def _face(look: Look, rng: np.random.Generator) -> Bitmap:
    """Paint a head unrolled: the face in the middle, hair on the rest."""
    height, width = 320, 640
    image = Image.fromarray(_skin(look, rng, height, width))
    draw = ImageDraw.Draw(image)
    dark, lips = "#" + look.hair, "#a8483f"
    draw.ellipse((225, 168, 275, 215), fill=_warmer(look.skin))
    draw.ellipse((365, 168, 415, 215), fill=_warmer(look.skin))
    for side in (-1, 1):
        x = 320 + side * 42
        draw.ellipse((x - 20, 134, x + 20, 156), fill="#f3efe6", outline="#3a2a22", width=2)
        draw.ellipse((x - 9, 135, x + 9, 155), fill="#2c211c")
        draw.line((x - side * 20, 122, x + side * 24, 118), fill=dark, width=8)
    draw.arc((296, 165, 344, 194), 20, 160, fill="#6e4436", width=4)
    draw.ellipse((280, 208, 360, 230), fill=lips)
    draw.line((281, 218, 359, 218), fill="#5c2420", width=3)
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(1.2))).copy()
    row, column = np.mgrid[:height, :width]
    hairline = 92 - 16 * np.cos((column - 320) / 60) + 0.9 * np.maximum(np.abs(column - 320) - 105, 0) ** 1.25
    is_hair = (row < hairline) & (row < 250)
    soft[is_hair] = _hair(look, rng, height, width)[is_hair]
    return soft


def _skin(look: Look, rng: np.random.Generator, height: int, width: int) -> Bitmap:
    return as_bitmap(shaded(rgb(look.skin), grain(height, width, rng), 0.045))


def _hair(look: Look, rng: np.random.Generator, height: int, width: int) -> Bitmap:
    locks = grain(height, width, rng, 7.0)
    base = stones(look.hair, look.hair, size_px=40, joint=look.hair)(height, width, rng) / 255.0
    return as_bitmap(base * (1 + 0.3 * locks)[..., None] + 0.02)


def _trousers(look: Look, rng: np.random.Generator) -> Bitmap:
    picture = shaded(rgb(look.legs), grain(300, 160, rng, 2.0), 0.2)
    for _ in range(7):
        top, left = rng.integers(0, 280), rng.integers(0, 140)
        picture[top : top + rng.integers(8, 30), left : left + rng.integers(8, 34)] *= rng.uniform(0.55, 1.6)
    return as_bitmap(picture)


def _cloth(look: Look, rng: np.random.Generator, height: int, width: int) -> Bitmap:
    """Paint the fabric of the top: its pattern, folds, letters and pockets."""
    first, second, third = (rgb(colour) for colour in look.top)
    if look.pattern == "patches":
        picture = stones(*look.top, size_px=22, joint=look.top[0])(height, width, rng) / 255.0
    else:
        picture = np.broadcast_to(first, (height, width, 3)).copy()
    if look.pattern == "stripes":
        edges = np.cumsum(rng.uniform(4, 17, height // 4))
        band = np.searchsorted(edges, np.arange(height) + 2.5)
        picture[band % 2 == 1], picture[band % 6 == 3] = second, third
    image = Image.fromarray(as_bitmap(picture))
    draw = ImageDraw.Draw(image)
    for _ in range(height * width // 1500 if look.pattern == "print" else 6):
        x, y, size = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(4, 11)
        ink = "#" + look.top[int(rng.integers(1, 3))]
        if rng.random() < 0.3:
            draw.text((x, y), word(rng, 1, 3), fill=ink, font_size=size * 2.2)
        else:
            draw.ellipse((x - size, y - size * rng.uniform(0.4, 1), x + size, y + size), fill=ink)
    if width >= 300:
        draw.text((width * 0.42, height * 0.36), word(rng, 2, 4), fill="#" + look.top[2], font_size=38)
        draw.line((width / 2, 0, width / 2, height), fill="#" + look.top[2], width=3)
    folds = grain(height, width, rng, 2.5)
    return as_bitmap(np.asarray(image) / 255.0 * (1 + 0.1 * folds)[..., None])


def _warmer(colour: str) -> tuple[int, int, int]:
    red, green, blue = (rgb(colour) * 255 * (1.04, 0.86, 0.82)).clip(0, 255).astype(int)
    return int(red), int(green), int(blue)
