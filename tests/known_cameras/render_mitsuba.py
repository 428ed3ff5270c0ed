"""Renders the pictures of this folder: three places from cameras that are known exactly, and controls.

Run by hand, with mitsuba 3.9.1 in an environment of its own (README.md):
`python -m tests.known_cameras.render_mitsuba --out tests/known_cameras`. With `--check` it renders no place: it
compares where small spheres come to lie in a picture with where the camera projects them.
"""

import argparse
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import drjit as dr  # pyright: ignore[reportMissingImports]
import mitsuba as mi  # pyright: ignore[reportMissingImports]
import numpy as np
from PIL import Image

from models.camera import Pose
from models.miniature.cameras import Camera, camera_for
from tests.known_cameras.meshes import Array, Part, write_ply
from tests.known_cameras.scenes import PLACES, Place, people
from tests.known_cameras.textures import grain

WIDTH, HEIGHT = 512, 288
_POSES = {
    "master": Pose(),
    "close": Pose(distance=0.6),
    "low": Pose(elevation_deg=-20),
    "high": Pose(elevation_deg=30),
    "top": Pose(elevation_deg=90),
    "wide": Pose(lens="wide"),
    **{f"azimuth_{degrees:+d}": Pose(azimuth_deg=degrees) for degrees in (-90, -45, -30, -15, 15, 30, 45, 90)},
}
_TURNED_DEG = 120.0
_POSES_OF_CONTROL: dict[str | None, dict[str, Pose]] = {
    None: _POSES,
    "subject_turned": {"turned": Pose()},
    "wrong_person": {f"wrong_person_{name}": _POSES[name] for name in ("azimuth_+30", "azimuth_-30", "high")},
}
_MOST_PNG_BYTES, _JPEG_QUALITY = 250_000, 92
_EXPOSURE = 1.35
_MARKERS = np.array(((1.2, 0.7, 0.4), (-0.9, 1.6, -1.1), (0.3, 0.2, -0.8))).T


def main() -> None:
    """Render what the command line asks for."""
    parser = argparse.ArgumentParser(description="Render known cameras.")
    parser.add_argument("--out", type=Path, default=Path("tests/known_cameras"))
    parser.add_argument("--places", nargs="+", choices=PLACES, default=list(PLACES))
    parser.add_argument("--names", nargs="+", help="only these pictures; cameras.json is then left alone")
    parser.add_argument("--resume", action="store_true", help="keep the pictures that are there")
    parser.add_argument("--samples", type=int, default=48, help="a pixel, at least")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--check", action="store_true", help="measure the cameras, render no place")
    options = parser.parse_args()
    mi.set_variant("scalar_rgb")
    dr.set_thread_count(options.threads)
    if options.check:
        sys.stdout.write(f"largest distance from the projection: {largest_distance_px():.3f} px\n")
        return
    for name in options.places:
        if not options.resume:
            for picture in (options.out / name).glob("*.??g"):
                if not options.names or picture.stem in options.names:
                    picture.unlink()
        render_place(PLACES[name], options.out / name, options.samples, options.names)


def render_place(place: Place, folder: Path, samples: int, names: list[str] | None) -> None:
    """Render the pictures of a place, and write down their cameras."""
    folder.mkdir(parents=True, exist_ok=True)
    surroundings = place.surroundings(np.random.default_rng(place.seed))
    for control, poses in _POSES_OF_CONTROL.items():
        wanted = [name for name in poses if (not names or name in names) and not find(folder, name)]
        turned_deg = _TURNED_DEG if control == "subject_turned" else 0.0
        cast = people(place, turned_deg, is_stranger=control == "wrong_person")
        scene = load(surroundings + cast) if wanted else None
        for name in wanted:
            light = render(scene, camera_for(poses[name]), samples, seed=list(poses).index(name))
            file = save(light, folder / name)
            sys.stdout.write(f"{file.parent.name}/{file.name} {file.stat().st_size}\n")
            sys.stdout.flush()
    if not names:
        records = {
            name: record(find(folder, name), pose, control)
            for control, poses in _POSES_OF_CONTROL.items()
            for name, pose in poses.items()
        }
        (folder / "cameras.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def find(folder: Path, name: str) -> Path | None:
    """Return the picture of this name, if it is there."""
    return next((path for path in (folder / f"{name}.png", folder / f"{name}.jpg") if path.exists()), None)


def record(file: Path | None, pose: Pose, control: str | None) -> dict[str, Any]:
    """Return what is known of a picture: its pose, its camera, and which control it is, if it is one."""
    camera = camera_for(pose)
    known = {
        "file": file.name if file else None,
        "pose": pose.model_dump(),
        "position": np.round(camera.position.astype(float), 6).tolist(),
        "axes": np.round(camera.axes.astype(float), 6).tolist(),
        "tan_half_height": round(camera.tan_half_height, 6),
        "control": control,
    }
    return known | ({"subject_yaw_deg": _TURNED_DEG} if control == "subject_turned" else {})


def load(parts: list[Part]) -> Any:  # noqa: ANN401 - mitsuba ships no types
    """Return the mitsuba scene of these parts under a cloudy sky and a low sun behind the master's camera."""
    described: dict[str, Any] = {"type": "scene", "integrator": {"type": "path", "max_depth": 4}}
    described["sky"] = {"type": "envmap", "bitmap": mi.Bitmap(_sky()), "scale": 1.0}
    described["sun"] = {
        "type": "sphere",
        "center": [28.0, 40.0, 26.0],
        "radius": 6.0,
        "emitter": {"type": "area", "radiance": {"type": "rgb", "value": [46.0, 42.0, 36.0]}},
    }
    with tempfile.TemporaryDirectory() as folder:
        for index, part in enumerate(parts):
            path = Path(folder) / f"{index}.ply"
            write_ply(part, path)
            picture = {"type": "bitmap", "bitmap": mi.Bitmap(np.ascontiguousarray(part.picture)), "wrap_mode": "clamp"}
            surface = {"type": "twosided", "nested": {"type": "diffuse", "reflectance": picture}}
            described[f"part_{index}"] = {"type": "ply", "filename": str(path), "bsdf": surface}
        return mi.load_dict(described)


def render(scene: Any, camera: Camera, samples: int, seed: int) -> Array:  # noqa: ANN401 - mitsuba ships no types
    """Return linear light (HEIGHT, WIDTH, 3) as the camera sees it."""
    position, forward, up = (np.asarray(row, float) for row in (camera.position, camera.axes[2], camera.axes[1]))
    sensor = mi.load_dict(
        {
            "type": "perspective",
            "fov_axis": "y",
            "fov": float(np.rad2deg(2 * np.arctan(camera.tan_half_height))),
            "near_clip": 0.02,
            "to_world": mi.ScalarTransform4f().look_at(
                origin=position.tolist(), target=(position + forward).tolist(), up=up.tolist()
            ),
            "film": {"type": "hdrfilm", "width": WIDTH, "height": HEIGHT, "rfilter": {"type": "gaussian"}},
            "sampler": {"type": "multijitter", "sample_count": samples},
        }
    )
    return np.array(mi.render(scene, sensor=sensor, seed=seed))[..., :3].astype(float)


def save(light: Array, stem: Path) -> Path:
    """Write linear light as a picture: PNG, or JPEG where PNG would be large."""
    bright = 1 - np.exp(-1.6 * _EXPOSURE * light)
    encoded = np.where(bright <= 0.0031308, 12.92 * bright, 1.055 * np.maximum(bright, 1e-9) ** (1 / 2.4) - 0.055)
    image = Image.fromarray((np.clip(encoded, 0, 1) * 255).round().astype(np.uint8))
    packed = io.BytesIO()
    image.save(packed, "PNG", optimize=True)
    if packed.tell() <= _MOST_PNG_BYTES:
        path = stem.with_name(stem.name + ".png")
        path.write_bytes(packed.getvalue())
    else:
        path = stem.with_name(stem.name + ".jpg")
        image.save(path, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True)
    return path


def largest_distance_px() -> float:
    """Return how far, at most, a sphere's centre in a picture is from where its camera projects it."""
    described: dict[str, Any] = {"type": "scene", "integrator": {"type": "path", "max_depth": 2}}
    for index, (centre, colour) in enumerate(zip(_MARKERS.T, np.eye(3), strict=True)):
        glow = {"type": "area", "radiance": {"type": "rgb", "value": colour.tolist()}}
        described[f"m{index}"] = {"type": "sphere", "center": centre.tolist(), "radius": 0.04, "emitter": glow}
    scene, worst = mi.load_dict(described), 0.0
    for name, pose in _POSES.items():
        camera = camera_for(pose)
        light = render(scene, camera, samples=64, seed=1)
        x, y, _ = camera.project(_MARKERS)
        expected = np.stack(((x * HEIGHT + WIDTH) / 2, (1 - y) * HEIGHT / 2))
        for index in range(3):
            found = _centroid_px(light[..., index])
            distance = float(np.linalg.norm(found - expected[:, index])) if found is not None else float("nan")
            sys.stdout.write(f"{name} marker {index}: {distance:.3f} px\n")
            worst = max(worst, distance) if found is not None else worst
    return worst


def _centroid_px(light: Array) -> Array | None:
    """Return the pixel position (x, y from the upper left) of the light; None if it is not wholly in the picture."""
    edge = light[0].sum() + light[-1].sum() + light[:, 0].sum() + light[:, -1].sum()
    if light.sum() < 1 or edge > 0:
        return None
    rows, columns = np.mgrid[: light.shape[0], : light.shape[1]] + 0.5
    return np.array(((light * columns).sum(), (light * rows).sum())) / light.sum()


def _sky() -> Any:  # noqa: ANN401 - mitsuba's arrays are float32
    """Return a bright sky with soft clouds, unrolled, in linear light."""
    rng = np.random.default_rng(5)
    height = np.linspace(1, -1, 256)[:, None, None]
    noise, fade = grain(256, 640, rng, 0.5), np.linspace(0, 1, 128)
    noise[:, :128] = noise[:, :128] * fade + noise[:, 512:] * (1 - fade)  # the left edge goes on from the right one
    clouds = np.clip(0.5 + 0.4 * noise[:, :512], 0, 1)[..., None]
    blue = np.array((0.42, 0.56, 0.78)) * (1 - 0.25 * np.clip(height, 0, 1))
    sky = blue * (1 - clouds) + np.array((1.0, 0.98, 0.95)) * clouds
    return (0.75 * np.where(height > -0.1, sky, 0.25)).astype(np.float32)


if __name__ == "__main__":
    main()
