"""The command line of every recipe that trains."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch

ROOT = Path(".mastershot/training")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Where a recipe reads and writes, and how long it trains."""

    data: Path
    """Folder of the shards of views and their captions."""
    latents: Path
    folder: Path
    """Where its checkpoint and losses lie."""
    weights: Path
    num_steps: int
    device: torch.device
    compiled: bool


def read_options(description: str | None, part: str, num_steps: int) -> Options:
    """Return what the command line of the recipe for `part` says, `num_steps` where it says nothing."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=ROOT / "views", help="shards of views and their captions")
    parser.add_argument("--latents", type=Path, default=ROOT / "latents", help="shards as the autoencoder sees them")
    parser.add_argument("--folder", type=Path, default=ROOT / part, help="for checkpoint and losses")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="where parts are read and written")
    parser.add_argument("--steps", type=int, default=num_steps)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--compile", action="store_true", help="1.4 to 2 times as fast; needs a C++ compiler")
    said = parser.parse_args()
    return Options(
        data=said.data,
        latents=said.latents,
        folder=said.folder,
        weights=said.weights,
        num_steps=said.steps,
        device=said.device,
        compiled=said.compile,
    )
