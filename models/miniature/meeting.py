"""Where a ray meets a solid, and how the solid is turned there.

Ellipsoids, domes and capsules are scaled to unit radius, so that one quadratic serves any size.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from models.miniature.patterns import Floats
from models.miniature.solids import Shape, Solid

_TINY = np.float32(1e-8)


def corners(solids: Iterable[Solid]) -> Floats:
    """Return the corners (K, 8, 3) of the boxes around the solids."""
    signs = np.array(np.meshgrid(*[(-1, 1)] * 3), np.float32).reshape(3, 8).T
    return np.stack([part.centre + (signs * part.half) @ part.axes for part in solids])


def distances(part: Solid, origin: Floats, ray: Floats) -> Floats:
    """Return how many `ray` lengths from `origin` the solid is met, infinity where it is missed.

    Both are in the solid's own frame, components first, and broadcast against each other.
    """
    scale = part.scale.reshape(3, *[1] * (ray.ndim - 1))
    origin, ray = origin / scale, ray / scale
    if part.shape is Shape.BOX:
        return _box(origin, ray, part.half.reshape(scale.shape))
    if part.shape is Shape.CAPSULE:
        return _capsule(origin, ray, part.half[1] / part.half[0] - 1)
    return _dome(origin, ray) if part.shape is Shape.DOME else _ellipsoid(origin, ray)


def normals(part: Solid, local: Floats) -> Floats:
    """Return the unit outward normals (3, N) at surface points, in the solid's own frame."""
    if part.shape is Shape.BOX:
        face = np.argmax(np.abs(local) / part.half[:, None], axis=0)
        return np.sign(local) * (face == np.arange(3)[:, None])
    scale = part.scale[:, None]
    unit = local / scale
    if part.shape is Shape.CAPSULE:
        straight = max(part.half[1] / part.half[0] - 1, 0)
        unit[1] -= np.clip(unit[1], -straight, straight)
    outward = unit / scale
    return outward / np.sqrt(_dot(outward, outward))


def _dot(a: Floats, b: Floats) -> Floats:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _roots(a: Floats, b: Floats, c: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Solve a t^2 + 2 b t + c = 0: the near root, the far root, and where they are real."""
    discriminant = b * b - a * c
    root, a = np.sqrt(np.maximum(discriminant, 0)), np.maximum(a, _TINY)
    return (-b - root) / a, (root - b) / a, discriminant > 0


def _ellipsoid(origin: Floats, ray: Floats) -> Floats:
    near, _, is_met = _roots(_dot(ray, ray), _dot(origin, ray), _dot(origin, origin) - 1)
    return np.where(is_met, near, np.float32(np.inf))


def _dome(origin: Floats, ray: Floats) -> Floats:
    near, far, is_met = _roots(_dot(ray, ray), _dot(origin, ray), _dot(origin, origin) - 1)
    shell = np.where((origin[1] + near * ray[1] >= 0) & (near > 0), near, far)
    return np.where(is_met & (origin[1] + shell * ray[1] >= 0), shell, np.float32(np.inf))


def _box(origin: Floats, ray: Floats, half: Floats) -> Floats:
    inverse = 1 / np.where(np.abs(ray) < _TINY, _TINY, ray)
    middle, reach = -origin * inverse, half * np.abs(inverse)
    near = np.max(middle - reach, axis=0)
    return np.where(near < np.min(middle + reach, axis=0), near, np.float32(np.inf))


def _capsule(origin: Floats, ray: Floats, straight: np.float32) -> Floats:
    flat = ray[0] * ray[0] + ray[2] * ray[2]
    near, _, is_met = _roots(
        flat, origin[0] * ray[0] + origin[2] * ray[2], origin[0] * origin[0] + origin[2] * origin[2] - 1
    )
    height = origin[1] + near * ray[1]
    past = origin[1] - np.clip(height, -straight, straight)
    along = flat + ray[1] * ray[1]
    cap, _, is_capped = _roots(
        along,
        origin[0] * ray[0] + past * ray[1] + origin[2] * ray[2],
        origin[0] * origin[0] + past * past + origin[2] * origin[2] - 1,
    )
    side = np.where(np.abs(height) <= straight, near, np.where(is_capped, cap, np.float32(np.inf)))
    return np.where(is_met, side, np.float32(np.inf))
