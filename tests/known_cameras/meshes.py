"""Meshes with their own picture each: lofted tubes, ellipsoids, sheets and boxes, and how they are written as PLY."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Bitmap = NDArray[np.uint8]
Painter = Callable[[int, int, np.random.Generator], Bitmap]
"""Paints a picture of so many rows and columns; row 0 is the top."""

_NUM_AROUND, _MAX_SIDE_PX = 40, 2600
_VERTEX = [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz", "u", "v")]
_FACE = [("count", "u1"), ("corners", "<i4", (3,))]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A surface and its picture."""

    vertices: Array  # (N, 3)
    normals: Array  # (N, 3)
    uv: Array  # (N, 2), v upwards
    faces: NDArray[np.int32]  # (M, 3)
    picture: Bitmap  # (height, width, 3)


def tube(centres: ArrayLike, radii: ArrayLike, picture: Bitmap, side: ArrayLike = (1, 0, 0)) -> Part:
    """Loft ellipses along a path: `centres` (K, 3), `radii` (K, 2) along `side` and across it.

    The picture goes once around; upwards from the first ring to the last. On a tube that rises, its middle column is
    at +z and its right half at +x.
    """
    path, half = np.asarray(centres, float), np.asarray(radii, float)
    ahead = _unit(np.gradient(path, axis=0))
    right = _unit(np.asarray(side, float) - (ahead @ np.asarray(side, float))[:, None] * ahead)
    front = np.cross(right, ahead)
    around = np.linspace(0, 1, _NUM_AROUND + 1)
    sin, cos = np.sin(2 * np.pi * (around - 0.5)), np.cos(2 * np.pi * (around - 0.5))
    spokes = sin[:, None] * (half[:, :1] * right)[:, None] + cos[:, None] * (half[:, 1:] * front)[:, None]
    grid = path[:, None] + spokes
    steps = np.linalg.norm(np.diff(grid, axis=0), axis=2).max(axis=1)
    along = np.concatenate(([0], np.cumsum(steps))) / max(steps.sum(), 1e-9)
    uv = np.stack(np.meshgrid(around, along), axis=-1)
    return Part(
        vertices=grid.reshape(-1, 3),
        normals=_tube_normals(grid, ahead).reshape(-1, 3),
        uv=uv.reshape(-1, 2),
        faces=_grid_faces(len(path), _NUM_AROUND + 1),
        picture=picture,
    )


def ellipsoid(centre: ArrayLike, radii: ArrayLike, picture: Bitmap, taper: float = 0.0) -> Part:
    """Return an ellipsoid; `taper` narrows its lower half, as a chin does."""
    (x, y, z), (half_x, half_y, half_z) = np.asarray(centre, float), np.asarray(radii, float)
    latitude = np.linspace(-np.pi / 2, np.pi / 2, 21)
    width = np.cos(latitude) * (1 - taper * np.clip(-np.sin(latitude), 0, 1))
    centres = np.stack((np.full(21, x), y + half_y * np.sin(latitude), np.full(21, z)), axis=1)
    return tube(centres, np.stack((half_x * width, half_z * width), axis=1), picture)


def cylinder(base: ArrayLike, radius: float, height: float, picture: Bitmap, bulge: float = 0.0) -> Part:
    """Return an upright cylinder with a lid; `bulge` widens its middle, as a barrel's."""
    edge = min(0.02, height / 10)
    rises = np.concatenate(([0, edge], np.linspace(0.15, 0.85, 6) * height, [height - edge, height, height + 0.002]))
    widths = radius * (1 + bulge * np.sin(np.pi * rises / height))
    widths[-1] = 0
    centres = np.asarray(base, float) + np.stack((0 * rises, rises, 0 * rises), axis=1)
    return tube(centres, np.stack((widths, widths), axis=1), picture)


def sheet(corner: ArrayLike, across: ArrayLike, up: ArrayLike, picture: Bitmap) -> Part:
    """Return a parallelogram; the picture's lower left is at `corner`."""
    start, right, rise = (np.asarray(vector, float) for vector in (corner, across, up))
    uv = np.array(((0, 0), (1, 0), (1, 1), (0, 1)), float)
    return Part(
        vertices=start + uv[:, :1] * right + uv[:, 1:] * rise,
        normals=np.tile(_unit(np.cross(right, rise)[None]), (4, 1)),
        uv=uv,
        faces=np.array(((0, 1, 2), (0, 2, 3)), np.int32),
        picture=picture,
    )


def box(base: ArrayLike, size: ArrayLike, painter: Painter, rng: np.random.Generator, px_per_m: float) -> list[Part]:
    """Return five sides of a box, each with a picture of its own; `base` is the middle of its underside."""
    (x, y, z), (wide, tall, deep) = np.asarray(base, float), np.asarray(size, float)
    left, right, back, front = x - wide / 2, x + wide / 2, z - deep / 2, z + deep / 2
    sides = (
        ((left, y, front), (wide, 0, 0), (0, tall, 0)),
        ((right, y, back), (-wide, 0, 0), (0, tall, 0)),
        ((right, y, front), (0, 0, -deep), (0, tall, 0)),
        ((left, y, back), (0, 0, deep), (0, tall, 0)),
        ((left, y + tall, front), (wide, 0, 0), (0, 0, -deep)),
    )
    return [sheet(corner, across, up, painted(across, up, painter, rng, px_per_m)) for corner, across, up in sides]


def painted(across: ArrayLike, up: ArrayLike, painter: Painter, rng: np.random.Generator, px_per_m: float) -> Bitmap:
    """Paint a picture for a parallelogram of these two edges, in metres."""
    height, width = (
        int(np.clip(round(float(np.linalg.norm(edge)) * px_per_m), 16, _MAX_SIDE_PX)) for edge in (up, across)
    )
    return painter(height, width, rng)


def moved(parts: list[Part], yaw_deg: float, position: ArrayLike) -> list[Part]:
    """Turn parts about the vertical axis (what faced +z then faces towards +x), and carry them to `position`."""
    sin, cos = np.sin(np.deg2rad(yaw_deg)), np.cos(np.deg2rad(yaw_deg))
    turn = np.array(((cos, 0, sin), (0, 1, 0), (-sin, 0, cos)))
    return [
        replace(part, vertices=part.vertices @ turn.T + np.asarray(position, float), normals=part.normals @ turn.T)
        for part in parts
    ]


def write_ply(part: Part, path: Path) -> None:
    """Write the surface of a part, without its picture."""
    downwards = part.uv * (1, -1) + (0, 1)  # mitsuba's v = 0 is the top row of a picture
    vertices = np.concatenate((part.vertices, part.normals, downwards), axis=1).astype("<f4")
    faces = np.empty(len(part.faces), _FACE)
    faces["count"], faces["corners"] = 3, part.faces
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property float {name}" for name, _ in _VERTEX]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    path.write_bytes("\n".join(header).encode() + vertices.tobytes() + faces.tobytes())


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _tube_normals(grid: Array, ahead: Array) -> Array:
    """Return outward normals (K, A, 3); the closed ends get the direction of the path."""
    inner = np.concatenate((grid[:, -2:-1], grid, grid[:, 1:2]), axis=1)
    normals = _unit(np.cross(inner[:, 2:] - inner[:, :-2], np.gradient(grid, axis=0)))
    is_point = np.linalg.norm(np.ptp(grid, axis=1), axis=1) < 1e-9
    signs = np.where(np.arange(len(grid)) < len(grid) / 2, -1.0, 1.0)
    normals[is_point] = (signs[:, None] * ahead)[is_point][:, None]
    return normals


def _grid_faces(rows: int, columns: int) -> NDArray[np.int32]:
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1, 1)
    lower, upper = np.array((0, 1, columns + 1)), np.array((0, columns + 1, columns))
    return np.concatenate((first + lower, first + upper)).astype(np.int32)
