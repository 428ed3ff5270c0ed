# pyright: standard
"""Viewpoint Error, the formula of SpatialEdit-Bench, on scenes of the film stage whose cameras are known exactly.

Known, from arXiv 2604.04911 and its published evaluation (github.com/EasonXiao-888/SpatialEdit, `dense_vggt.py` and
`VE_metric_ddp.py` in `SpatialEdit-Bench/camera_level_eval`): the error of a picture is the mean of the distance between
its camera and the true one, divided by the distance between the true one and the source's (the baseline), and of the
geodesic angle between both rotations, divided by 90 degrees. Nothing is clipped, so a term may exceed 1. VGGT estimates
the cameras of source, truth and picture together; a picture that is absent or breaks the estimator leaves the mean.

So a source given back is at distance 1 by definition and has turned by nothing: (1 + 45 / 90) / 2 = 0.75 where 45
degrees were asked for, and 1.0 at 90. Figures near these say that an editor does nothing.

Assumed, because two pictures and matched places replace VGGT here: a translation has a direction and no length, so it
gets the length of the true baseline, and its term is at most 2; a zoom, a crop and a turn on the spot leave the camera
where it was. The truth is the stage's own and no estimate. A picture whose camera cannot be found counts as the source
given back: nobody gains by being unreadable; the mean over those found, which is the published way, stands beside.

Run `python -m models.scores.spatial_edit --out FILE.md`.
"""

import argparse
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from models.camera import PRESETS, Pose, Preset
from models.loading import load_pipeline
from models.miniature.cameras import Camera, camera_for
from models.miniature.evaluation import held_out_seeds, render
from models.miniature.raycast import render_view
from models.miniature.stage import make_scene
from models.miniature.training.views import HEIGHT_PX, WIDTH_PX
from models.profiles import MINIATURE
from models.scores.epipolar import Doubles
from models.scores.matching import SHAPES, describe, match, to_working_size
from models.scores.two_view import Lens, TwoViews, angle_deg, relate

Picture = NDArray[np.uint8]
"""(H, W, 3)."""

RIGHT_ANGLE_DEG = 90.0
FULL_PX, MINIATURE_PX = (768, 432), (WIDTH_PX, HEIGHT_PX)
POSES = {
    **{f"{azimuth:+d}°": Pose(azimuth_deg=azimuth) for azimuth in (-15, 15, -30, 30, -45, 45)},
    "low": PRESETS[Preset.LOW_ANGLE],
    "high": PRESETS[Preset.HIGH_ANGLE],
}
MINIATURE_POSES = {"-45°": Preset.LEFT_45, "+45°": Preset.RIGHT_45, "low": Preset.LOW_ANGLE, "high": Preset.HIGH_ANGLE}
"""What of `POSES` the miniature can be asked for."""
PUBLISHED = {
    "Kling-V2.5": 1.051,
    "ViduQ2-Turbo": 1.022,
    "Edit-R1": 0.959,
    "QwenImageEdit": 0.922,
    "SpatialEdit-PT": 0.890,
    "Nano-Banana": 0.845,
    "Seedream4": 0.839,
    "LongCatImage-Edit": 0.802,
    "SpatialEdit": 0.243,
}
_OPENCV = np.diag([1.0, -1.0, 1.0])


@dataclass(frozen=True, kw_only=True, eq=False)
class RelativePose:
    """Where a camera stands in the frame of the source's camera: x right, y down, z ahead."""

    rotation: Doubles
    """(3, 3), from the source's frame to the camera's."""
    position: Doubles
    """(3,), in the unit of the truth."""


STAYED = RelativePose(rotation=np.eye(3), position=np.zeros(3))
"""The camera of a source given back."""


@dataclass(frozen=True, kw_only=True)
class ViewpointError:
    """Both terms of one picture, lower is better."""

    position: float
    rotation: float
    is_found: bool

    @property
    def mean(self) -> float:
        """The figure that is published."""
        return (self.position + self.rotation) / 2


Table = dict[str, dict[str, list[ViewpointError]]]
"""By who made the pictures, by pose, one a scene."""


def viewpoint_error(estimate: RelativePose | None, truth: RelativePose) -> ViewpointError:
    """Return the error of an estimated camera; none at all counts as the source given back.

    Raises:
        ValueError: The true camera stands where the source's does, so that there is no baseline to divide by.
    """
    baseline = float(np.linalg.norm(truth.position))
    if not baseline:
        msg = "The true camera did not leave the source's place: Viewpoint Error is not defined for it."
        raise ValueError(msg)
    pose = estimate or STAYED
    return ViewpointError(
        position=float(np.linalg.norm(pose.position - truth.position)) / baseline,
        rotation=angle_deg(pose.rotation.T @ truth.rotation) / RIGHT_ANGLE_DEG,
        is_found=estimate is not None,
    )


def true_pose(source: Camera, view: Camera) -> RelativePose:
    """Return where one camera of the film stage stands in the frame of another, in metres."""
    before, after = (_OPENCV @ camera.axes.astype(np.float64) for camera in (source, view))
    return RelativePose(rotation=after @ before.T, position=before @ (view.position - source.position))


def read_motion(found: TwoViews, baseline: float) -> RelativePose | None:
    """Return the camera that two pictures tell of, as far from the source as the true one, or None."""
    if found.motion in {"static", "zoom", "crop"}:
        return STAYED
    if found.motion == "unverifiable" or found.rotation is None:
        return None
    if found.motion == "pan" or found.translation is None:
        return RelativePose(rotation=found.rotation, position=np.zeros(3))
    return RelativePose(rotation=found.rotation, position=-baseline * found.rotation.T @ found.translation)


def judge_views(source: Picture, views: Mapping[str, Picture]) -> dict[str, ViewpointError]:
    """Return the error of a view of each of the poses named, by its places in common with the source."""
    working = to_working_size(Image.fromarray(source))
    features, camera = describe(working, SHAPES), camera_for(Pose())
    lens = Lens(tan_half_height=camera.tan_half_height, width_px=working.shape[1], height_px=working.shape[0])
    errors: dict[str, ViewpointError] = {}
    seen: dict[bytes, TwoViews] = {}  # one picture may stand for many poses
    for name, view in views.items():
        key = view.tobytes()
        if key not in seen:
            seen[key] = relate(match(features, describe(to_working_size(Image.fromarray(view)))), lens, lens)
        truth = true_pose(camera, camera_for(POSES[name]))
        errors[name] = viewpoint_error(read_motion(seen[key], float(np.linalg.norm(truth.position))), truth)
    return errors


def draw(seed: int, pose: Pose, size_px: tuple[int, int]) -> Picture:
    """Return the true picture of a pose of a scene, four rays a pixel."""
    return render_view(make_scene(seed), camera_for(pose), *size_px, samples_per_axis=2).picture


def measure_scene(
    seed: int, generated: Mapping[str, Picture], poses: Sequence[str] = tuple(POSES), size_px: tuple[int, int] = FULL_PX
) -> dict[str, dict[str, ViewpointError]]:
    """Return every row of the table for one scene; `generated` are the miniature's pictures of it, by pose."""
    master = draw(seed, Pose(), size_px)
    truth = {name: draw(seed, POSES[name], size_px) for name in poses}
    noise = np.random.default_rng(seed).integers(0, 256, master.shape, np.uint8)
    rows = {
        "oracle (the true view)": judge_views(master, truth),
        "no-op (the master)": judge_views(master, dict.fromkeys(poses, master)),
        "the true view mirrored": judge_views(master, {name: view[:, ::-1].copy() for name, view in truth.items()}),
        "noise": judge_views(master, dict.fromkeys(poses, noise)),
    }
    if generated:
        small = draw(seed, Pose(), MINIATURE_PX)
        small_truth = {name: draw(seed, POSES[name], MINIATURE_PX) for name in generated}
        rows["oracle (224x128)"] = judge_views(small, small_truth)
        rows["no-op (224x128)"] = judge_views(small, dict.fromkeys(generated, small))
        rows["the miniature (224x128)"] = judge_views(small, generated)
    return rows


def render_miniature(seeds: Sequence[int], weights: Path) -> list[dict[str, Picture]]:
    """Return what the miniature makes of the masters of scenes, by pose."""
    pipeline = load_pipeline(MINIATURE, weights)
    presets = tuple(MINIATURE_POSES.values())
    return [
        dict(zip(MINIATURE_POSES, render(pipeline, draw(seed, Pose(), MINIATURE_PX), presets), strict=True))
        for seed in seeds
    ]


def merge(scenes: Sequence[Mapping[str, Mapping[str, ViewpointError]]]) -> Table:
    """Return the errors of all scenes in one table."""
    return {row: {pose: [scene[row][pose] for scene in scenes] for pose in poses} for row, poses in scenes[0].items()}


def write_tables(table: Table) -> str:
    """Return three tables in markdown: the error of each row, of each pose, and apart from both what is published."""
    lines = [
        "| pictures by | Viewpoint Error | position | rotation | camera found | Viewpoint Error of those found |",
        "|---|---|---|---|---|---|",
    ]
    for row, poses in table.items():
        errors = [error for scenes in poses.values() for error in scenes]
        found = [error.mean for error in errors if error.is_found]
        cells = [_mean(errors, lambda error: error.mean), _mean(errors, lambda error: error.position)]
        cells += [_mean(errors, lambda error: error.rotation), f"{len(found)} of {len(errors)}"]
        lines.append(f"| {row} | {' | '.join(cells)} | {f'{np.mean(found):.3f}' if found else 'none found'} |")
    lines += ["", f"| Viewpoint Error by pose (cameras found) | {' | '.join(POSES)} |", "|---" * (1 + len(POSES)) + "|"]
    for row, poses in table.items():
        cells = [
            _mean(poses[pose], lambda error: error.mean) + _found(poses[pose]) if pose in poses else ""
            for pose in POSES
        ]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    lines += [
        "",
        "**Different images, quoted from arXiv 2604.04911:**",
        "",
        "| editor | Viewpoint Error |",
        "|---|---|",
    ]
    lines += [f"| {editor} | {error:.3f} |" for editor, error in PUBLISHED.items()]
    return "\n".join(lines) + "\n"


def _mean(errors: Sequence[ViewpointError], figure: Callable[[ViewpointError], float]) -> str:
    return f"{np.mean([figure(error) for error in errors]):.3f}"


def _found(errors: Sequence[ViewpointError]) -> str:
    num = sum(error.is_found for error in errors)
    return "" if num == len(errors) else f" ({num} of {len(errors)})"


def _use_one_thread() -> None:
    """Keep a worker to its core."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def main() -> None:
    """Measure as many scenes as the command line asks for, a worker a core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--out", type=Path, default=Path(".mastershot/evaluation/spatial_edit.md"))
    arguments = parser.parse_args()
    seeds = held_out_seeds(arguments.scenes)
    generated = render_miniature(seeds, arguments.weights)
    workers, spawn = len(os.sched_getaffinity(0)), multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_use_one_thread) as pool:
        scenes = list(pool.map(measure_scene, seeds, generated))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(write_tables(merge(scenes)), encoding="utf-8")


if __name__ == "__main__":
    main()
