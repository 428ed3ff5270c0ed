# pyright: standard, reportOptionalMemberAccess=false
"""The process in which pycolmap runs: pictures and a request in a folder in, `result.json` out.

Run `python -m models.scores.reconstruct FOLDER`; `models.scores.multi_view` does. Nothing here may import Pillow.
"""

import itertools
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial import KDTree

from models.scores.foreign import find_foreign

MIN_AGREEING = 20
"""Matches of two pictures that fit one pair of cameras: with fewer a place does not count as found."""
MAX_APART_DEG = 40.0
"""Between two lines of sight to a point: a place looks another from farther round."""
MIN_OTHERS = 2
"""Pictures that must see a point for it to be expected in a third."""
HIDDEN_WITHIN, IN_FRONT = 0.03, 0.85
"""A point may be hidden by one that lies so near, as a share of the width, and at less than this share of its depth."""
NUM_THREADS = len(os.sched_getaffinity(0))

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Described:
    """The pictures of a folder, described and matched."""

    folder: Path
    ids: list[int]
    """Of the database, in the order of the files."""
    places: dict[int, Doubles]
    """(N, 2) in shares of width and height, by id."""
    agreeing: dict[tuple[int, int], NDArray[np.uint32]]
    """(M, 2) indices of places, by pair of ids: matches that fit one pair of cameras."""


def describe(folder: Path, lenses: Sequence[Sequence[float]], coverages: Sequence[Sequence[int]]) -> Described:
    """Describe all pictures, and match those that some coverage has in common.

    Args:
        folder: Where the pictures lie.
        lenses: Of each picture: the focal length, and the middle across and down, in pixels.
        coverages: The numbers of the pictures of each.
    """
    database = folder / "pictures.db"
    for number, lens in enumerate(lenses):
        _extract(database, folder, number, lens)
    pairs = {tuple(sorted(pair)) for coverage in coverages for pair in itertools.combinations(coverage, 2)}
    listed = folder / "pairs.txt"
    listed.write_text("".join(f"{one}.png {other}.png\n" for one, other in sorted(pairs)))
    matching = pycolmap.FeatureMatchingOptions(num_threads=NUM_THREADS, use_gpu=False, guided_matching=True)
    pycolmap.match_image_pairs(
        database, matching_options=matching, pairing_options=pycolmap.ImportedPairingOptions(match_list_path=listed)
    )
    with pycolmap.Database.open(database) as opened:
        by_name = {image.name: image.image_id for image in opened.read_all_images()}
        ids = [by_name[f"{number}.png"] for number in range(len(lenses))]
        sizes = {camera.camera_id: (camera.width, camera.height) for camera in opened.read_all_cameras()}
        camera_of = {image.image_id: image.camera_id for image in opened.read_all_images()}
        places = {each: np.array(opened.read_keypoints(each))[:, :2] / sizes[camera_of[each]] for each in ids}
        agreeing = {
            pycolmap.pair_id_to_image_pair(pair): np.array(geometry.inlier_matches)
            for pair, geometry in zip(*opened.read_two_view_geometries(), strict=True)
        }
    return Described(folder=folder, ids=ids, places=places, agreeing=agreeing)


def _extract(database: Path, folder: Path, number: int, lens: Sequence[float]) -> None:
    reader = pycolmap.ImageReaderOptions(
        mask_path="", camera_model="SIMPLE_PINHOLE", camera_params=",".join(map(str, lens))
    )
    extraction = pycolmap.FeatureExtractionOptions(num_threads=NUM_THREADS, use_gpu=False)
    extraction.sift.max_num_features = 4000
    pycolmap.extract_features(
        database,
        folder,
        image_names=[f"{number}.png"],
        camera_mode=pycolmap.CameraMode.PER_IMAGE,
        reader_options=reader,
        extraction_options=extraction,
    )


def place(described: Described, coverage: Sequence[int]) -> dict[str, object]:
    """Return what the pictures of a coverage say together; the first is its master."""
    ids = [described.ids[number] for number in coverage]
    options = pycolmap.IncrementalPipelineOptions(
        image_names=[f"{number}.png" for number in coverage],
        ba_refine_focal_length=False,
        ba_refine_extra_params=False,
        extract_colors=False,
        min_model_size=3,
        num_threads=NUM_THREADS,
        random_seed=0,
    )
    models = pycolmap.incremental_mapping(
        described.folder / "pictures.db", described.folder, described.folder, options=options
    )
    with_master = [model for model in models.values() if ids[0] in model.images and model.images[ids[0]].has_pose]
    if not with_master:
        return {"reprojection_px": None, "views": [{} for _ in ids[1:]]}
    model = max(with_master, key=lambda each: each.num_reg_images())
    return {
        "reprojection_px": model.compute_mean_reprojection_error(),
        "views": [_look(described, model, ids, view) for view in ids[1:]],
    }


def _look(described: Described, model: pycolmap.Reconstruction, ids: Sequence[int], view: int) -> dict[str, object]:
    if view not in model.images or not model.images[view].has_pose:
        return {}
    before, after = (model.images[each].cam_from_world() for each in (ids[0], view))
    centres = {
        each: _centre(model.images[each]) for each in ids if each in model.images and model.images[each].has_pose
    }
    depths = [(before * point.xyz)[2] for point in _points_of(model, ids[0])]
    points, is_seen = _expect(model, view, centres)
    foreign = find_foreign(described.places[view], _found(described, ids, view), points, is_seen)
    region = dict(zip(("left", "top", "right", "bottom"), foreign[1], strict=True)) if foreign else None
    return {
        "rotation": (after.rotation.matrix() @ before.rotation.matrix().T).tolist(),
        "moved": float(np.linalg.norm(centres[view] - centres[ids[0]]) / np.median(depths)),
        "num_points": len(_points_of(model, view)),
        "foreign": foreign[0] if foreign else None,
        "region": region,
    }


def _centre(image: pycolmap.Image) -> Doubles:
    pose = image.cam_from_world()
    return -pose.rotation.matrix().T @ pose.translation


def _points_of(model: pycolmap.Reconstruction, image: int) -> list[pycolmap.Point3D]:
    return [model.points3D[each.point3D_id] for each in model.images[image].points2D if each.has_point3D()]


def _found(described: Described, ids: Sequence[int], view: int) -> NDArray[np.bool_]:
    """Return which places of a view another picture shows too."""
    found = np.zeros(len(described.places[view]), bool)
    for (one, other), matches in described.agreeing.items():
        if view in {one, other} and {one, other} <= set(ids) and len(matches) >= MIN_AGREEING:
            found[matches[:, 0 if one == view else 1]] = True
    return found


def _expect(
    model: pycolmap.Reconstruction, view: int, centres: dict[int, Doubles]
) -> tuple[Doubles, NDArray[np.bool_]]:
    """Return where the points that others see lie in a view (M, 2), in shares of its sides, and which it shows (M,)."""
    pose, camera = model.images[view].cam_from_world(), model.images[view].camera
    size = np.array((camera.width, camera.height))
    points, depths, is_seen, is_expected = [], [], [], []
    for point in model.points3D.values():
        seen = pose * point.xyz
        pixel = camera.img_from_cam(seen) if seen[2] > 0 else None
        if pixel is None or not np.all((pixel >= 0) & (pixel < size)):
            continue
        seen_by = {each.image_id for each in point.track.elements}
        lines = [centres[other] - point.xyz for other in seen_by - {view}]
        points.append(pixel)
        depths.append(seen[2])
        is_seen.append(view in seen_by)
        is_expected.append(len(lines) >= MIN_OTHERS and _apart_deg(centres[view] - point.xyz, lines) <= MAX_APART_DEG)
    places, shown = np.array(points, float).reshape(-1, 2), np.array(is_seen, bool)
    may_be_hidden = _find_hidden(places / camera.width, np.array(depths)) & ~shown
    expected = np.array(is_expected, bool) & ~may_be_hidden
    return places[expected] / size, shown[expected]


def _find_hidden(places: Doubles, depths: Doubles) -> NDArray[np.bool_]:
    """Return which points (N, 2), in shares of the width, lie close behind others that are nearer."""
    if not len(places):
        return np.zeros(0, bool)
    around = KDTree(places).query_ball_point(places, HIDDEN_WITHIN)
    nearest = np.array([depths[near].min() for near in around])
    return nearest < IN_FRONT * depths


def _apart_deg(line: Doubles, others: Sequence[Doubles]) -> float:
    """Return the angle between a line of sight and the closest of others."""
    cosines = [line @ other / (np.linalg.norm(line) * np.linalg.norm(other)) for other in others]
    return float(np.degrees(np.arccos(np.clip(max(cosines), -1, 1))))


def main() -> None:
    """Answer the request in a folder."""
    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text())
    described = describe(folder, request["lenses"], request["coverages"])
    (folder / "result.json").write_text(json.dumps([place(described, each) for each in request["coverages"]]))


if __name__ == "__main__":
    main()
