# pyright: standard, reportArgumentType=false
"""Scenes of exactly known cameras, their true views and their controls: of the film stage, from files, in stereo."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from models.camera import Pose
from models.miniature.cameras import Camera, camera_for
from models.miniature.controls import other_scene, swap_place, swap_subject, turn_subject
from models.miniature.raycast import render_view
from models.miniature.stage import Scene, make_scene
from models.scores.controls import Pixels, spoil
from models.scores.epipolar import Doubles
from models.scores.findings import Motion

POSES: dict[str, Pose] = {
    "close": Pose(distance=0.6),
    "low": Pose(elevation_deg=-20),
    "high": Pose(elevation_deg=30),
    "top": Pose(elevation_deg=90),
    "wide": Pose(lens="wide"),
    **{f"azimuth_{angle:+d}": Pose(azimuth_deg=angle) for angle in (-90, -45, -30, -15, 15, 30, 45, 90)},
}
BASES = ("azimuth_+30", "azimuth_-45", "high", "low", "azimuth_-30", "azimuth_+45")
"""Controls of one scene are made from one view; the scenes take turns."""
WIDTH_PX, HEIGHT_PX, SAMPLES_PER_AXIS = 768, 432, 2
STEREO_BASELINE_POSE = Pose(azimuth_deg=5)


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownView:
    """One picture, the pose that it is scored as, and what is true of it."""

    name: str
    asked: Pose
    picture: Pixels
    control: str = ""
    """In which way it is wrong; empty for a true view."""
    rotation: Doubles | None = None
    """(3, 3), of a true view: from the master's frame to the view's, in OpenCV's axes."""
    motion: Motion | None = None
    """What the camera of a true view did, where it is not what its pose says."""


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownScene:
    """A master and its views, right and wrong."""

    name: str
    source: str
    master: Pixels
    views: tuple[KnownView, ...]


def stage_scene(seed: int, number: int, folder: Path) -> KnownScene:
    """Return a scene of the film stage; its pictures are kept in `folder`, because they take half a minute to draw."""
    base = BASES[number % len(BASES)]
    path = folder / f"stage-{seed}-{base}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, **_draw_stage(seed, base))
    pictures = dict(np.load(path))
    truths = {name: pictures[name] for name in POSES}
    wrong = {name: pictures[name] for name in ("subject turned", "wrong person", "other place", "unrelated")}
    wrong |= spoil(pictures["master"], truths[base], pictures["unrelated master"], seed)
    return _scene(f"stage {seed}", "film stage", pictures["master"], truths, {base: wrong})


def _draw_stage(seed: int, base: str) -> dict[str, NDArray[np.uint8]]:
    scene, other = make_scene(seed), other_scene(seed)
    drawn = {name: _draw(scene, pose) for name, pose in POSES.items()}
    return drawn | {
        "master": _draw(scene, Pose()),
        "subject turned": _draw(turn_subject(scene), Pose()),
        "wrong person": _draw(swap_subject(scene, other), POSES[base]),
        "other place": _draw(swap_place(scene, other), POSES[base]),
        "unrelated": _draw(other, POSES[base]),
        "unrelated master": _draw(other, Pose()),
    }


def _draw(scene: Scene, pose: Pose) -> Pixels:
    return render_view(scene, camera_for(pose), WIDTH_PX, HEIGHT_PX, SAMPLES_PER_AXIS).picture


def rendered_scenes(folder: Path) -> Iterator[KnownScene]:
    """Yield the scenes whose pictures and cameras lie in `folder`, each with controls of three of its views."""
    places = sorted(path.parent for path in folder.glob("*/cameras.json"))
    masters = {place.name: _read(place, _cameras(place)["master"]["file"]) for place in places}
    for place, stranger in zip(places, [*places[1:], *places[:1]], strict=False):
        cameras = _cameras(place)
        truths = {name: _read(place, cameras[name]["file"]) for name in POSES}
        elsewhere = _cameras(stranger)
        controls: dict[str, dict[str, Pixels]] = {}
        for number, base in enumerate(("azimuth_+30", "azimuth_-30", "high")):
            controls[base] = {
                "subject turned": _read(place, cameras["turned"]["file"]),
                "wrong person": _read(place, cameras[f"wrong_person_{base}"]["file"]),
                "unrelated": _read(stranger, elsewhere[base]["file"]),
                **spoil(masters[place.name], truths[base], masters[stranger.name], number),
            }
        yield _scene(place.name, "path-traced", masters[place.name], truths, controls)


def _cameras(place: Path) -> dict[str, dict[str, str]]:
    return json.loads((place / "cameras.json").read_text())


def _read(place: Path, file: str) -> Pixels:
    return np.asarray(Image.open(place / file).convert("RGB"))


def stereo_scene() -> KnownScene:
    """Return scikit-image's photographs of a motorcycle: two parallel cameras, so the rotation is none."""
    left, right, _ = data.stereo_motorcycle()
    unrelated = np.asarray(Image.fromarray(data.coffee()).resize((left.shape[1], left.shape[0])))
    true = KnownView(
        name="right camera", asked=STEREO_BASELINE_POSE, picture=right, rotation=np.eye(3), motion="dollied"
    )
    wrong = {"unrelated": unrelated, **spoil(left, right, unrelated, 0)}
    views = [
        KnownView(name="right camera", asked=STEREO_BASELINE_POSE, picture=picture, control=control)
        for control, picture in wrong.items()
    ]
    return KnownScene(name="motorcycle", source="stereo photographs", master=left, views=(true, *views))


def _scene(
    name: str, source: str, master: Pixels, truths: dict[str, Pixels], controls: dict[str, dict[str, Pixels]]
) -> KnownScene:
    before = camera_for(Pose())
    right = [
        KnownView(name=view, asked=POSES[view], picture=picture, rotation=_turn(before, camera_for(POSES[view])))
        for view, picture in truths.items()
    ]
    wrong = [
        KnownView(name=base, asked=POSES[base], picture=picture, control=control)
        for base, spoilt in controls.items()
        for control, picture in spoilt.items()
    ]
    return KnownScene(name=name, source=source, master=master, views=(*right, *wrong))


def _turn(before: Camera, after: Camera) -> Doubles:
    down = np.diag((1.0, -1.0, 1.0))
    return down @ after.axes @ before.axes.T @ down
