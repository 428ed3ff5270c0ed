# pyright: standard, reportPrivateImportUsage=false
"""A small network that reads where the patches of a view are found again, for pictures too coarse for geometry.

It sees similarities of patches and no picture, so that it can learn moves of cameras and no places. It was trained on
the film stage, and its word counts where geometry has none; that it may be wrong elsewhere is why it belongs to a
profile.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from models.camera import Pose
from models.errors import MissingWeightsError, WrongWeightsError
from models.weights import refuse_damage

GRID = (16, 28)
"""Patches down and across that it was trained on; of other grids it has no opinion."""
AZIMUTHS_DEG, ELEVATIONS_DEG = (-90, -45, 0, 45, 90), (-60, -20, 0, 30, 90)
DISTANCES, LENSES = (0.6, 0.8, 1.0), ("normal", "wide")
PLACES = ("same", "other", "mirrored")
NUM_PATCHES = GRID[0] * GRID[1]
WIDTH = 64
NUM_BEST = 3
FILE = "judge.safetensors"


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """Probabilities: which place, and which pose."""

    places: dict[str, float]
    azimuths: dict[float, float]
    elevations: dict[float, float]
    distances: dict[float, float]
    lenses: dict[str, float]

    @property
    def azimuth_deg(self) -> float:
        """The most probable azimuth."""
        return max(self.azimuths, key=lambda angle: self.azimuths[angle])

    @property
    def elevation_deg(self) -> float:
        """The most probable elevation."""
        return max(self.elevations, key=lambda angle: self.elevations[angle])

    def probability_of(self, pose: Pose) -> float:
        """Return the probability of the trained pose that is nearest to `pose`."""
        azimuth = min(self.azimuths, key=lambda angle: abs(angle - pose.azimuth_deg))
        elevation = min(self.elevations, key=lambda angle: abs(angle - pose.elevation_deg))
        distance = min(self.distances, key=lambda factor: abs(factor - pose.distance))
        angles = self.azimuths[azimuth] * self.elevations[elevation]
        return angles * self.distances[distance] * self.lenses[pose.lens]


class Judge(nn.Module):
    """Similarities (B, view patches, master patches) to logits."""

    def __init__(self) -> None:
        """Build it with random weights."""
        super().__init__()
        self.where = nn.Linear(NUM_PATCHES, WIDTH)
        self.best = nn.Conv2d(NUM_BEST + 1, WIDTH, 1)
        self.around = nn.Sequential(*(_block(WIDTH, WIDTH) for _ in range(3)))
        self.whole = nn.Sequential(_block(WIDTH, 96, 2), _block(96, 128, 2), _block(128, 128, 2))
        self.hidden = nn.Linear(128 * 2 * 4, 128)
        self.dropout = nn.Dropout(0.2)
        self.out = nn.Linear(128, sum(SIZES))
        self.sharpness = nn.Parameter(torch.tensor(16.0))

    def forward(self, similarity: Tensor) -> Tensor:
        """Return the logits of place and pose (B, sum of `SIZES`)."""
        found = (similarity * self.sharpness).softmax(dim=-1) * 20
        best, back = similarity.topk(NUM_BEST, dim=-1).values.mT, similarity.amax(dim=1)[:, None]
        seen = self.where(found).mT.unflatten(2, GRID) + self.best(torch.cat([best, back], dim=1).unflatten(2, GRID))
        around = self.around(nn.functional.gelu(seen))
        hidden = self.hidden(self.dropout(self.whole(around).flatten(1)))
        return self.out(nn.functional.gelu(hidden))


SIZES = (len(PLACES), len(AZIMUTHS_DEG), len(ELEVATIONS_DEG), len(DISTANCES), len(LENSES))


def _block(width: int, out: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv2d(width, out, 3, stride, 1), nn.GroupNorm(8, out), nn.GELU())


def load_judge(folder: Path) -> Judge:
    """Load a judge.

    Raises:
        MissingWeightsError: Its file is not there.
        WrongWeightsError: The file is damaged or not of a judge.
    """
    path = folder / FILE
    if not path.is_file():
        msg = f"There is no {FILE} in {folder}: take it from the repository, or make it with `make train`."
        raise MissingWeightsError(msg)
    judge = Judge()
    with refuse_damage(path):
        judge.load_state_dict(load_file(path))
    if not all(torch.isfinite(weight).all() for weight in judge.parameters()):
        msg = f"{path} holds numbers that are not finite: take it from the repository again."
        raise WrongWeightsError(msg)
    return judge.eval().requires_grad_(requires_grad=False)


@torch.inference_mode()
def ask_judge(judge: Judge, similarity: Tensor) -> Opinion | None:
    """Return what a judge thinks of similarities (h, w, H, W), or None of a grid that it does not know."""
    if similarity.shape != (*GRID, *GRID):
        return None
    logits = judge(similarity.reshape(1, NUM_PATCHES, NUM_PATCHES))
    parts = [part.softmax(dim=0).tolist() for part in logits[0].split(SIZES)]
    return Opinion(
        places=dict(zip(PLACES, parts[0], strict=True)),
        azimuths=dict(zip(AZIMUTHS_DEG, parts[1], strict=True)),
        elevations=dict(zip(ELEVATIONS_DEG, parts[2], strict=True)),
        distances=dict(zip(DISTANCES, parts[3], strict=True)),
        lenses=dict(zip(LENSES, parts[4], strict=True)),
    )
