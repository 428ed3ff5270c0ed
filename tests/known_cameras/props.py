"""What stands about in a scene: houses, crates, barrels, trees, shelves, boats; every side painted anew."""

import numpy as np
from numpy.typing import ArrayLike

from tests.known_cameras.meshes import (
    Array,
    Bitmap,
    Painter,
    Part,
    box,
    cylinder,
    ellipsoid,
    moved,
    painted,
    sheet,
    tube,
)
from tests.known_cameras.textures import (
    as_bitmap,
    boards,
    grain,
    lettered,
    pasted,
    patched,
    poster,
    rgb,
    shaded,
    stones,
)

_NEAR_PX_PER_M, _HOUSE_PX_PER_M = 150.0, 75.0
_LEAVES = ("3c5a2a", "56762f", "2c4424", "7f8f3a", "48662c")


def facade(wall: Painter, frame: str, px_per_m: float = _HOUSE_PX_PER_M) -> Painter:
    """A wall with windows of uneven sizes, a door, and posters."""

    def paint(height: int, width: int, rng: np.random.Generator) -> Bitmap:
        picture = wall(height, width, rng)
        step = 1.9 * px_per_m
        for top in np.arange(height - 2.5 * px_per_m, -0.3 * px_per_m, -2.3 * px_per_m):
            for left in np.arange(0.5 * px_per_m, width - 1.1 * px_per_m, step):
                tall, wide = (np.array((1.35, 0.95)) * rng.uniform(0.75, 1.15, 2) * px_per_m).astype(int)
                corner = np.array((top, left)) + rng.uniform(0, 0.3, 2) * px_per_m
                if rng.random() < 0.85:
                    pasted(picture, _window(tall, wide, rng, frame), int(corner[0]), int(corner[1]))
        for _ in range(int(width / px_per_m / 2.2) + 1):
            tall, wide = (np.array((0.8, 0.55)) * rng.uniform(0.6, 1.5) * px_per_m).astype(int)
            top, left = height - (rng.uniform(0.9, 1.3) * px_per_m) - tall, rng.uniform(0, max(width - wide, 1))
            pasted(picture, poster(int(tall), int(wide), rng), int(top), int(left))
        tall, wide = int(2.1 * px_per_m), int(1.05 * px_per_m)
        door = boards(frame, "5b3a26", width_px=12)(tall, wide, rng)
        pasted(picture, door, height - tall, int(rng.uniform(0.1, 0.8) * max(width - wide, 1)))
        return picture

    return paint


def _window(height: int, width: int, rng: np.random.Generator, frame: str) -> Bitmap:
    """Paint a window: panes that mirror something, curtains, a frame and a shaded lintel."""
    sky = np.linspace(1.25, 0.65, height)[:, None]
    glass = shaded(rgb("4a5a68"), grain(height, width, rng), 0.3) * sky[..., None]
    hang = int(width * rng.uniform(0.1, 0.42))
    curtain = shaded(rng.uniform(0.4, 0.75) + rng.uniform(-0.12, 0.12, 3), grain(height, hang, rng, 8.0), 0.2)
    if rng.random() < 0.5:
        glass[:, :hang] = curtain
    else:
        glass[:, width - hang :] = curtain
    bar = max(width // 16, 2)
    wood = shaded(rgb(frame) * rng.uniform(0.75, 1.3), grain(height, width, rng), 0.12)
    is_bar = np.zeros((height, width), bool)
    middle, third = int(width * rng.uniform(0.4, 0.6)), int(height * rng.uniform(0.25, 0.7))
    is_bar[:bar] = is_bar[-bar:] = is_bar[:, :bar] = is_bar[:, -bar:] = True
    is_bar[:, middle : middle + bar] = is_bar[third : third + bar] = True
    glass[is_bar] = wood[is_bar]
    glass[bar : 2 * bar] *= 0.5
    return as_bitmap(glass)


def house(base: ArrayLike, size: ArrayLike, wall: Painter, roof: Painter, rng: np.random.Generator) -> list[Part]:
    """A house with painted windows, sills and beams that stand out, a ridged roof and a chimney."""
    x, y, z = np.asarray(base, float)
    wide, tall, deep = np.asarray(size, float)
    frame = str(rng.choice(("e6dfd0", "3f5a4e", "6d3a2c", "34485e", "c8b07a")))
    parts = box(base, size, facade(wall, frame), rng, _HOUSE_PX_PER_M)
    rise = 0.35 * min(wide, deep)
    edge, over = (wide + 0.6, 0, 0), deep / 2 + 0.35
    for side in (1, -1):
        corner, up = (x - side * edge[0] / 2, y + tall - 0.15, z + side * over), (0, rise, -side * over)
        across = (side * edge[0], 0, 0)
        parts.append(sheet(corner, across, up, painted(across, up, roof, rng, 60)))
    bricks = stones("9a5640", "7d4636", size_px=9, flat=2)
    parts += box((x + rng.uniform(-0.3, 0.3) * wide, y + tall, z), (0.6, rise + 0.9, 0.6), bricks, rng, 60)
    for _ in range(int(wide / 1.5)):
        place = (x + rng.uniform(-0.45, 0.45) * wide, y + rng.uniform(0.8, tall - 0.4), z + deep / 2)
        parts += box(place, (rng.uniform(0.4, 1.1), 0.12, 0.3), boards(frame, "77685a", width_px=9), rng, 90)
    for end in (-1, 1):
        parts += box((x + end * wide / 2, y, z + deep / 2), (0.3, tall, 0.3), stones("b0a692", "8f8675"), rng, 80)
    return parts


def crate(base: ArrayLike, size: ArrayLike, rng: np.random.Generator, yaw_deg: float = 0.0) -> list[Part]:
    """A wooden crate with stencilled sides and battens."""
    wood = str(rng.choice(("a8814f", "8d6b45", "b59a6a", "6f7a58", "86604a")))
    sides = lettered(boards(wood, "9a7a50", width_px=16, upright=False), "2a2420", 2)
    wide, tall, deep = np.asarray(size, float)
    parts = box((0, 0, 0), size, sides, rng, _NEAR_PX_PER_M)
    for x in (-wide / 2, wide / 2):
        for z in (-deep / 2, deep / 2):
            parts += box((x, 0, z), (0.07, tall + 0.01, 0.07), boards(wood, width_px=9), rng, _NEAR_PX_PER_M)
    return moved(parts, yaw_deg, base)


def barrel(base: ArrayLike, rng: np.random.Generator, *, is_drum: bool = False) -> list[Part]:
    """A bulging barrel of staves, or a painted and rusty oil drum, with hoops."""
    radius, tall = rng.uniform(0.26, 0.31), rng.uniform(0.75, 0.92)
    paint = str(rng.choice(("35607a", "a33d2c", "c7982f", "4d6b46")))
    if is_drum:
        skin = lettered(patched((paint, paint, "7a4a32", paint), 26), "e9e2d0", 2)
    else:
        skin = boards("7c5636", "94693f", "65452e", width_px=22)
    parts = [cylinder(base, radius, tall, skin(160, 420, rng), bulge=0.0 if is_drum else 0.16)]
    for rise in (0.14, 0.5, 0.83):
        girth = radius * (1 + (0.0 if is_drum else 0.16) * np.sin(np.pi * rise)) + 0.012
        hoop = np.asarray(base, float) + np.array((0, rise * tall, 0))
        parts.append(cylinder(hoop, girth, 0.045, patched(("4a4542", "6b4a38", "585350"), 9)(16, 400, rng)))
    return parts


def bush(base: ArrayLike, radius: float, rng: np.random.Generator, *, has_pot: bool = True) -> list[Part]:
    """A round plant of many leafy lumps with blossoms, in a pot of clay."""
    lift = 0.42 if has_pot else 0.0
    foot = np.asarray(base, float)
    parts: list[Part] = []
    if has_pot:
        parts.append(cylinder(foot, 0.24, 0.42, patched(("a65f3d", "8f4e33", "b8754c"), 30)(70, 260, rng), bulge=0.2))
    for _ in range(26):
        away = rng.normal(0, 0.45, 3) * radius
        blossom = str(rng.choice(("c8433c", "d9b23c", "b65a8f", "e8e2d8", "6d83b8")))
        leaves = patched((*_LEAVES, *_LEAVES, blossom), 11, 0.22)(120, 240, rng)
        centre = foot + (0, lift + radius, 0) + away * (1, 0.8, 1)
        parts.append(ellipsoid(centre, radius * rng.uniform(0.22, 0.45, 3), leaves))
    return parts


def tree(base: ArrayLike, height: float, rng: np.random.Generator) -> list[Part]:
    """A leaning trunk with branches and a crown of leafy lumps."""
    foot = np.asarray(base, float)
    lean = np.linspace(0, 1, 7)[:, None] * (rng.normal(0, 0.3), height * 0.6, rng.normal(0, 0.3))
    girth = np.linspace(0.19, 0.09, 7)[:, None] * (1, 1)
    parts = [tube(foot + lean, girth, boards("6b5644", "4f4034", "857260", width_px=20)(420, 200, rng))]
    for _ in range(70):
        away = rng.normal(0, 1, 3) * (0.6, 0.38, 0.6)
        leaves = patched((*_LEAVES, "a8a04a"), 12, 0.25)(110, 220, rng)
        parts.append(ellipsoid(foot + lean[-1] + (0, 0.6, 0) + away, rng.uniform(0.2, 0.42, 3), leaves))
    return parts


def bench(base: ArrayLike, yaw_deg: float, rng: np.random.Generator) -> list[Part]:
    """A bench of planks with a back, and something left on it."""
    wood = boards("7d8a5a", "93694a", width_px=14, upright=False)
    parts: list[Part] = []
    for rise, depth in ((0.42, 0.0), (0.42, 0.17), (0.62, -0.13), (0.8, -0.15)):
        tall = 0.05 if rise < 0.5 else 0.13
        parts += box((0, rise, depth), (1.5, tall, 0.15 if rise < 0.5 else 0.05), wood, rng, _NEAR_PX_PER_M)
    for x in (-0.65, 0.65):
        parts += box((x, 0, 0.05), (0.08, 0.42, 0.36), boards("4a4440", width_px=9), rng, _NEAR_PX_PER_M)
    parts += box((0.3, 0.47, 0.08), (0.3, 0.2, 0.2), poster, rng, _NEAR_PX_PER_M)
    return moved(parts, yaw_deg, base)


def shelf(base: ArrayLike, yaw_deg: float, size: tuple[float, float], rng: np.random.Generator) -> list[Part]:
    """A rack of boards full of boxes, tins and jars in all colours."""
    wide, tall = size
    wood = boards("8a6a48", "75573a", width_px=12, upright=False)
    parts = box((0, 0, -0.2), (wide, tall, 0.04), boards("6f6a60", "857d70"), rng, 80)
    for rise in np.arange(0.1, tall - 0.2, 0.48):
        parts += box((0, rise, 0), (wide, 0.04, 0.42), wood, rng, 100)
        x = -wide / 2 + 0.1
        while x < wide / 2 - 0.2:
            broad, high = rng.uniform(0.12, 0.34), rng.uniform(0.14, 0.4)
            place = (x + broad / 2, rise + 0.04, rng.uniform(-0.05, 0.08))
            if rng.random() < 0.3:
                tin = lettered(patched((_hex(rng), _hex(rng)), 25), "f0ead8")(70, 200, rng)
                parts.append(cylinder(place, broad / 2, high, tin))
            else:
                parts += box(place, (broad, high, 0.26), poster, rng, _NEAR_PX_PER_M)
            x += broad + rng.uniform(0.01, 0.09)
    for x in (-wide / 2, wide / 2):
        parts += box((x, 0, 0), (0.06, tall, 0.42), boards("5d4632", width_px=8), rng, 100)
    return moved(parts, yaw_deg, base)


def board_stand(base: ArrayLike, yaw_deg: float, rng: np.random.Generator) -> list[Part]:
    """A poster on a stand, leaning back, readable from both sides."""
    parts = [
        sheet((-0.35, 0, 0.25), (0.7, 0, 0), (0, 1.05, -0.25), painted((0.7, 0, 0), (0, 1.08, 0), poster, rng, 200)),
        sheet((0.35, 0, -0.25), (-0.7, 0, 0), (0, 1.05, 0.25), painted((0.7, 0, 0), (0, 1.08, 0), poster, rng, 200)),
    ]
    return moved(parts, yaw_deg, base)


def line_of_cloths(start: ArrayLike, end: ArrayLike, rng: np.random.Generator) -> list[Part]:
    """Washing or flags on a line, each piece with a print of its own."""
    first, last = np.asarray(start, float), np.asarray(end, float)
    shares = np.linspace(0, 1, 12)
    sag = first + shares[:, None] * (last - first) - np.sin(np.pi * shares)[:, None] * (0, 0.25, 0)
    rope = tube(sag, np.full((12, 2), 0.012), patched(("d8cfb8", "a89c80"), 8)(200, 30, rng), side=(0, 0, 1))
    parts = [rope]
    for index in range(10):
        width, drop = (sag[index + 1] - sag[index]) * rng.uniform(0.55, 0.9), rng.uniform(0.35, 0.8)
        corner = sag[index] + (0, -drop, rng.uniform(-0.06, 0.06))
        parts.append(sheet(corner, width, (0, drop, 0), painted(width, (0, drop, 0), poster, rng, 120)))
    return parts


def container(base: ArrayLike, size: ArrayLike, colour: str, rng: np.random.Generator) -> list[Part]:
    """A shipping container: ribbed, rusty, lettered."""
    ribs = lettered(boards(colour, colour, "8a5038", width_px=14), "ece6d8", 2)
    return box(base, size, ribs, rng, 80)


def boat(base: ArrayLike, yaw_deg: float, colour: str, rng: np.random.Generator) -> list[Part]:
    """A fishing boat: a hull, a wheelhouse, a mast."""
    length = np.linspace(-1, 1, 15)
    beam = 0.85 * np.sqrt(np.clip(1 - np.abs(length) ** 3, 0.0, 1))
    path = np.stack((2.4 * length, 0.25 + 0.3 * length**2, 0 * length), axis=1)
    hull = boards(colour, colour, "e4dccb", width_px=26)(640, 300, rng)
    parts: list[Part] = [tube(path, np.stack((beam, beam * 0.7), axis=1), hull, side=(0, 0, 1))]
    parts += box((-0.7, 0.6, 0), (1.0, 1.1, 0.9), facade(boards("d8d2c0", "b8c0b8"), colour, 100), rng, 100)
    parts += box((-0.7, 1.7, 0), (1.2, 0.1, 1.1), boards(colour, width_px=12), rng, 100)
    parts.append(cylinder((0.5, 0.6, 0), 0.05, 2.6, boards("9a7a50", "d9d0bc", width_px=9)(500, 60, rng)))
    return moved(parts, yaw_deg, base)


def coil(base: ArrayLike, radius: float, rng: np.random.Generator) -> list[Part]:
    """A coil of rope, or a stack of tyres: rings one above the other."""
    turn = np.linspace(0, 2 * np.pi, 33)
    ring: Array = np.stack((np.cos(turn), 0 * turn, np.sin(turn)), axis=1) * radius
    parts: list[Part] = []
    for level in range(4):
        rope = patched(("b89a68", "8d734a", "d0b98a"), 9, 0.2)(600, 60, rng)
        slip: Array = np.array((rng.normal(0, 0.02), 0.06 + 0.1 * level, rng.normal(0, 0.02)))
        centre = np.asarray(base, float) + slip
        parts.append(tube(centre + ring, np.full((33, 2), 0.06), rope, side=(0, 1, 0)))
    return parts


def _hex(rng: np.random.Generator) -> str:
    return "".join(f"{value:02x}" for value in rng.integers(30, 220, 3))
