"""The ray caster: a scene and a camera give a picture, its depth and what each pixel shows.

Each solid is met only by the rays inside its rectangle on the picture, and shades only the points inside its rectangle
as seen from the sun; everything else is whole-array arithmetic, components first.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.miniature.cameras import Camera
from models.miniature.light import expose, fogged, lit, sky
from models.miniature.meeting import corners, distances, normals
from models.miniature.patterns import Floats
from models.miniature.solids import Shape, Solid
from models.miniature.stage import ObjectId, Scene

_NEAR_M = 0.05
_SKY, _GROUND, _FIRST_SOLID = 0, 1, 2


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """What a camera sees; depth and ids are those of each pixel's middle ray."""

    picture: NDArray[np.uint8]  # (height, width, 3) sRGB
    depth: Floats  # (height, width) metres along the camera's axis, infinity for the sky
    object_ids: NDArray[np.uint8]  # (height, width) of ObjectId


@dataclass(frozen=True, kw_only=True, eq=False)
class _Rays:
    """A grid of rays `forward + x right + y up`, whose length is therefore depth."""

    camera: Camera
    x: Floats  # (columns,)
    y: Floats  # (rows,)

    def rectangle(self, x: Floats, y: Floats) -> tuple[slice, slice]:
        """Return the rows and columns whose rays lie within the limits of `x` and `y`."""
        left, right = np.searchsorted(self.x, (x.min(), x.max()))
        top, bottom = np.searchsorted(-self.y, (-y.max(), -y.min()))
        return slice(top, bottom), slice(left, right)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Surface:
    """Where N rays end, grouped by what they meet."""

    point: Floats  # (3, N)
    normal: Floats  # (3, N)
    albedo: Floats  # (3, N)
    glow: Floats  # (3, N)


def render_view(scene: Scene, camera: Camera, width: int, height: int, samples_per_axis: int = 3) -> View:
    """Draw the scene, each pixel the mean of a square of rays in linear light."""
    rays = _make_rays(camera, width * samples_per_axis, height * samples_per_axis)
    depth, met = _first_hits(scene, rays)
    light = _light(scene, rays, depth, met)
    light = light.reshape(3, height, samples_per_axis, width, samples_per_axis).mean((2, 4))
    middle = slice(samples_per_axis // 2, None, samples_per_axis)
    ids = np.array((ObjectId.SKY, ObjectId.GROUND, *(part.object_id for part in scene.solids)), np.uint8)
    return View(
        picture=np.ascontiguousarray(expose(light).transpose(1, 2, 0)),
        depth=depth[middle, middle].copy(),
        object_ids=ids[met[middle, middle]],
    )


def points_shown(camera: Camera, depth: Floats) -> Floats:
    """Return the world points (3, H * W), in metres, that the pixels of a view show at `depth` (H, W)."""
    height, width = depth.shape
    rays = _make_rays(camera, width, height)
    right, up = (part.ravel() for part in np.broadcast_arrays(rays.x[None, :], rays.y[:, None]))
    return camera.position[:, None] + camera.axes.T @ np.stack((right, up, np.ones_like(right))) * depth.ravel()


def _make_rays(camera: Camera, columns: int, rows: int) -> _Rays:
    x = (np.arange(columns, dtype=np.float32) * 2 + 1 - columns) * np.float32(camera.tan_half_height / rows)
    y = (rows - 1 - np.arange(rows, dtype=np.float32) * 2) * np.float32(camera.tan_half_height / rows)
    return _Rays(camera=camera, x=x, y=y)


def _first_hits(scene: Scene, rays: _Rays) -> tuple[Floats, NDArray[np.uint16]]:
    """Return the depth of the first thing that each ray meets, and which it is: sky, ground, or solid k - 2."""
    camera = rays.camera
    fall = camera.axes[2, 1] + camera.axes[1, 1] * rays.y
    ground = np.where(fall < 0, -camera.position[1] / np.minimum(fall, -1e-6), np.inf).astype(np.float32)
    depth = np.repeat(ground[:, None], len(rays.x), axis=1)
    met = np.where(np.isfinite(depth), _GROUND, _SKY).astype(np.uint16)
    seen = (corners(scene.solids) - camera.position) @ camera.axes.T
    for number, (part, box) in enumerate(zip(scene.solids, seen, strict=True), _FIRST_SOLID):
        window = _window(rays, box)
        found = _meet(part, rays, window)
        is_first = (found > _NEAR_M) & (found < depth[window])
        depth[window][is_first] = found[is_first]
        met[window][is_first] = number
    return depth, met


def _window(rays: _Rays, box: Floats) -> tuple[slice, slice]:
    """Return the rectangle of rays that can meet a box of corners (8, 3), given in the camera's axes."""
    right, up, ahead = box.T
    beyond = (right - rays.x[-1] * ahead, rays.x[0] * ahead - right, up - rays.y[0] * ahead, rays.y[-1] * ahead - up)
    if ahead.max() < _NEAR_M or np.min(beyond, axis=1).max() > 0:
        return slice(0), slice(0)
    if ahead.min() < _NEAR_M:
        return slice(None), slice(None)
    return rays.rectangle(right / ahead, up / ahead)


def _meet(part: Solid, rays: _Rays, window: tuple[slice, slice]) -> Floats:
    """Return the depths at which the rays of a window meet a solid."""
    right, up, ahead = (part.axes @ rays.camera.axes.T).T[:, :, None, None]
    ray = ahead + up * rays.y[window[0], None] + right * rays.x[window[1]]
    origin = part.axes @ (rays.camera.position - part.centre)
    return distances(part, origin[:, None, None], ray)


def _light(scene: Scene, rays: _Rays, depth: Floats, met: NDArray[np.uint16]) -> Floats:
    """Return the light (3, rows * columns) that each ray brings back."""
    order = np.argsort(met, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(met.ravel(), minlength=len(scene.solids) + _FIRST_SOLID))
    row, column = np.divmod(order.astype(np.int32), len(rays.x))
    right, up, ahead = rays.camera.axes[:, :, None]
    ray = ahead + right * rays.x[column] + up * rays.y[row]
    num_sky, solid_depth = ends[0], depth.ravel()[order[ends[0] :]]
    found = np.empty_like(ray)
    above = ray[:, :num_sky]
    found[:, :num_sky] = sky(scene.mood, above / np.sqrt((above * above).sum(axis=0)))
    point = rays.camera.position[:, None] + ray[:, num_sky:] * solid_depth
    found[:, num_sky:] = _surface_light(scene, _surface(scene, point, ray[:, num_sky:], ends - num_sky), solid_depth)
    light = np.empty_like(found)
    light[:, order] = found
    return light


def _surface(scene: Scene, point: Floats, ray: Floats, ends: NDArray[np.intp]) -> _Surface:
    """Paint the points, which come grouped: the ground's up to `ends[1]`, then each solid's."""
    normal, albedo, glow = np.empty_like(point), np.empty_like(point), np.zeros_like(point)
    paving = slice(0, ends[_GROUND])
    normal[:, paving] = np.array((0, 1, 0), np.float32)[:, None]
    albedo[:, paving] = scene.ground.colour(point[0, paving], point[2, paving])
    for part, start, end in zip(scene.solids, ends[_GROUND:-1], ends[_FIRST_SOLID:], strict=True):
        if start < end:
            local = part.axes @ (point[:, start:end] - part.centre[:, None])
            outward = normals(part, local)
            albedo[:, start:end], glow[:, start:end] = part.paint(local, outward, part.half)
            outward = part.axes.T @ outward
            if part.shape is Shape.DOME:
                outward *= -np.sign((outward * ray[:, start:end]).sum(axis=0))
            normal[:, start:end] = outward
    return _Surface(point=point, normal=normal, albedo=albedo, glow=glow)


def _surface_light(scene: Scene, surface: _Surface, depth: Floats) -> Floats:
    is_sunny = _is_sunny(scene, surface.point, surface.normal)
    light = lit(scene.mood, surface.albedo, surface.normal, is_sunny, _openness(scene, surface.point))
    return fogged(scene.mood, light + surface.glow, depth)


def _openness(scene: Scene, point: Floats) -> Floats:
    """Return how open (N,) each point is to the sky: less near the ground, least beneath what stands on it."""
    openness = np.float32(0.7) + np.float32(0.3) * np.clip(point[1], 0, 1)
    paved = np.flatnonzero(point[1] < np.float32(0.001))
    openness[paved] = 1
    x, z = point[0, paved], point[2, paved]
    for middle_x, middle_z, size in scene.contacts:
        reach = size * np.float32(1.6) + np.float32(0.12)
        near = np.flatnonzero(np.maximum(np.abs(x - middle_x), np.abs(z - middle_z)) < reach)
        away = ((x[near] - middle_x) ** 2 + (z[near] - middle_z) ** 2) / reach**2
        openness[paved[near]] *= 1 - np.float32(0.5) * np.maximum(1 - away, 0) ** 2
    return openness


def _is_sunny(scene: Scene, point: Floats, normal: Floats) -> NDArray[np.bool_]:
    """Tell which points (N,) the sun reaches, by a ray to the sun from each that faces it.

    The points are sorted along one axis of the plane that faces the sun, so that each solid tests a short run.
    """
    sun = scene.mood.sun_direction
    is_sunny = sun @ normal > 0
    facing = np.flatnonzero(is_sunny)
    axes, lifted = _facing_axes(sun), point[:, facing] + normal[:, facing] * np.float32(0.01)
    order = np.argsort((np.clip(axes[0] @ lifted, -60, 60) * 500).astype(np.int16), kind="stable")
    lifted = lifted[:, order]
    across, up = axes @ lifted
    boxes = corners(scene.solids) @ axes.T
    for part, low, high in zip(scene.solids, boxes.min(axis=1), boxes.max(axis=1), strict=True):
        start, end = np.searchsorted(across, (low[0] - 0.005, high[0] + 0.005))
        inside = start + np.flatnonzero((up[start:end] > low[1]) & (up[start:end] < high[1]))
        local = part.axes @ (lifted[:, inside] - part.centre[:, None])
        met = distances(part, local, (part.axes @ sun)[:, None])
        is_sunny[facing[order[inside[(met > 0) & (met < np.inf)]]]] = False
    return is_sunny


def _facing_axes(direction: Floats) -> Floats:
    """Return two axes (2, 3) square to a direction that is not vertical."""
    level = float(np.hypot(direction[0], direction[2]))
    across = np.array((direction[2] / level, 0, -direction[0] / level), np.float32)
    return np.stack((across, np.cross(direction, across)))
