# pyright: standard
"""One place in all pictures of a coverage: cameras and points that agree, found by pycolmap in a process of its own.

Two pictures that lie 90 degrees apart share too little, and a chain of pictures does not. pycolmap brings copies of
libraries that Pillow has too, and either breaks the other within one process.

Source: Schönberger and Frahm 2016 (COLMAP).
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict

from models.camera import Pose
from models.errors import ModelError
from models.scores.camera_check import lens_of
from models.scores.strange import count_cells, find_strange, read_cells

Pixels = NDArray[np.uint8]
MASTER = "master"
MULTI_VIEW_VERSION = 1
"""Raised by every change of the code that changes what is found."""
TIMEOUT_S = 1800
_ROOT = Path(__file__).parents[2]


class MultiViewError(ModelError):
    """The multi-view check could not be made."""


class Region(BaseModel):
    """A part of a picture, in shares of its sides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    left: float
    top: float
    right: float
    bottom: float

    @property
    def words(self) -> str:
        """Where it is, as one says it."""
        down, across = (self.top + self.bottom) / 2, (self.left + self.right) / 2
        rows, columns = ("upper", "", "lower"), ("left", "middle", "right")
        return " ".join(filter(None, (rows[min(2, int(3 * down))], columns[min(2, int(3 * across))])))


class SeenByOthers(BaseModel):
    """What the other pictures say of one view."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotation: tuple[tuple[float, float, float], ...] | None = None
    """(3, 3), from the master's frame to the view's, x right, y down, z ahead; None where it was not placed."""
    moved: float = 0.0
    """Between the master's camera and this one, as a share of the distance to what the master sees."""
    num_points: int = 0
    """Places in space that it shares with others."""
    foreign: float | None = None
    """Evidence that part of it is of somewhere else: a log-likelihood ratio; see `models.scores.foreign`."""
    region: Region | None = None
    """Where."""
    strange: float | None = None
    """Share of colours that no other picture has, in the region where it is largest."""
    strange_region: Region | None = None


class MultiView(BaseModel):
    """What all pictures of a coverage say together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    views: dict[str, SeenByOthers]
    """By name; the master is not among them."""
    reprojection_px: float | None = None
    """Mean distance, at the working size, between a place and where its point in space is seen."""

    @property
    def registered_share(self) -> float:
        """The share of the views that were placed around the same master."""
        return sum(view.rotation is not None for view in self.views.values()) / len(self.views)


def is_installed() -> bool:
    """Whether pycolmap is there."""
    return find_spec("pycolmap") is not None


def look_together(pictures: Mapping[str, tuple[Pixels, Pose]], coverages: Sequence[Sequence[str]]) -> list[MultiView]:
    """Return what the pictures of each coverage say together, by geometry and by colour; see `reconstruct`."""
    cells = {name: read_cells(picture) for name, (picture, _) in pictures.items()}
    counts = {name: count_cells(each) for name, each in cells.items()}
    looked = []
    for coverage, seen in zip(coverages, reconstruct(pictures, coverages), strict=True):
        views = {}
        for name, view in seen.views.items():
            share, region = find_strange(cells[name], [counts[other] for other in coverage if other != name])
            where = Region(left=region[0], top=region[1], right=region[2], bottom=region[3])
            views[name] = view.model_copy(update={"strange": share, "strange_region": where})
        looked.append(seen.model_copy(update={"views": views}))
    return looked


def reconstruct(
    pictures: Mapping[str, tuple[Pixels, Pose]], coverages: Sequence[Sequence[str]], timeout_s: float = TIMEOUT_S
) -> list[MultiView]:
    """Place the pictures of each coverage around its master.

    Args:
        pictures: By name: (H, W, 3) at the working size, and the pose that it was asked for, whose lens counts.
        coverages: Names of the pictures of each; the first is its master. Pictures are described once for all.
        timeout_s: For all of them.

    Raises:
        MultiViewError: pycolmap is not installed, or its process died or took too long.
    """
    if not is_installed():
        msg = "pycolmap is not installed: install Mastershot with the extra `multi-view`."
        raise MultiViewError(msg)
    names = list(pictures)
    with tempfile.TemporaryDirectory(prefix="mastershot-views-") as folder:
        for number, name in enumerate(names):
            Image.fromarray(pictures[name][0]).save(Path(folder, f"{number}.png"), compress_level=1)
        request = {
            "lenses": [_read_lens(picture, pose) for picture, pose in pictures.values()],
            "coverages": [[names.index(name) for name in coverage] for coverage in coverages],
        }
        Path(folder, "request.json").write_text(json.dumps(request))
        command = [sys.executable, "-m", "models.scores.reconstruct", folder]
        try:
            subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, timeout=timeout_s)  # noqa: S603
        except (subprocess.SubprocessError, OSError) as exc:
            msg = f"The multi-view check ended without a result ({exc}): run it again."
            raise MultiViewError(msg) from exc
        found = json.loads(Path(folder, "result.json").read_text())
    return [
        MultiView(
            views={
                name: SeenByOthers.model_validate(view) for name, view in zip(coverage[1:], part["views"], strict=True)
            },
            reprojection_px=part["reprojection_px"],
        )
        for coverage, part in zip(coverages, found, strict=True)
    ]


def _read_lens(picture: Pixels, pose: Pose) -> tuple[float, float, float]:
    """Return the focal length and the middle across and down, in pixels."""
    height, width = picture.shape[:2]
    return float(lens_of(pose.lens, width, height).matrix[0, 0]), width / 2, height / 2
