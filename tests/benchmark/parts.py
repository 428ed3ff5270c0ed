# pyright: standard, reportPrivateImportUsage=false
"""What two exact savings bring on the miniature: modulation from tables, and the autoencoder as 2-D convolutions.

Run `make bench-parts`. Each is timed beside what it replaces, in turns, on one core, and compared bit for bit. The last
line of the output is JSON.
"""

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from torch import Tensor, nn

from models.loading import load_part
from models.modulation import precompute_modulation
from models.profiles import MINIATURE
from models.schedule import schedule, timesteps
from models.vae import decode_still, encode_still, reduce_to_stills
from models.velocity import Tokens, predict

WEIGHTS = Path("weights")
GRID = 8, 14
"""Rows and columns of tokens of a picture of 224x128 pixels."""


def draw_tokens(timestep: Tensor) -> Tokens:
    """Return what the transformer is given at one step of one angle."""
    picture = torch.randn(1, GRID[0] * GRID[1], 64)
    return Tokens(
        latents=picture, still=picture, grid=GRID, timestep=timestep, states=torch.randn(1, 160, 256), mask=None
    )


@torch.inference_mode()
def compare(plain: Callable[[], Tensor], ours: Callable[[], Tensor], num_rounds: int) -> dict[str, Any]:
    """Return the seconds of both in turns, the ratio within each round, and how far apart their results are."""
    seconds: dict[str, list[float]] = {"plain_s": [], "ours_s": []}
    for _ in range(num_rounds + 2):
        for name, act in (("plain_s", plain), ("ours_s", ours)):
            start = time.perf_counter()
            act()
            seconds[name].append(time.perf_counter() - start)
    ratios = [one / other for one, other in zip(*(values[2:] for values in seconds.values()), strict=True)]
    return {name: statistics.median(values[2:]) for name, values in seconds.items()} | {
        "faster": statistics.median(ratios),
        "faster_min": min(ratios),
        "faster_max": max(ratios),
        "largest_difference": float((plain() - ours()).abs().max()),
    }


def measure(num_rounds: int) -> dict[str, dict[str, Any]]:
    """Compare each saving with what it replaces."""
    plain = load_part(QwenImageTransformer2DModel, MINIATURE, "transformer", WEIGHTS).eval()
    vae = load_part(AutoencoderKLQwenImage, MINIATURE, "vae", WEIGHTS).eval()
    levels = timesteps(schedule(MINIATURE)[:-1], torch.float32)
    tabled, still = precompute_modulation(copy.deepcopy(plain), levels), reduce_to_stills(copy.deepcopy(vae))
    torch.manual_seed(0)
    tokens = draw_tokens(levels[3:4])
    pixels, latents = torch.rand(1, 3, GRID[0] * 16, GRID[1] * 16) * 2 - 1, torch.randn(1, 16, GRID[0] * 2, GRID[1] * 2)
    rows = {
        "one step": compare(lambda: predict(plain, tokens), lambda: predict(tabled, tokens), num_rounds),
        "encode": compare(lambda: encode_still(vae, pixels), lambda: encode_still(still, pixels), num_rounds),
        "decode": compare(lambda: decode_still(vae, latents), lambda: decode_still(still, latents), num_rounds),
    }
    rows["one step"]["parameters_saved"] = count(plain) - count(tabled)
    return rows


def count(module: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def main() -> None:
    """Measure, print a table, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    torch.set_num_threads(1)
    rows = measure(parser.parse_args().rounds)
    for name, row in rows.items():
        sys.stdout.write(
            f"{name:>10}  {row['plain_s'] * 1e3:7.1f} ms  {row['ours_s'] * 1e3:7.1f} ms  {row['faster']:5.2f}x "
            f"({row['faster_min']:.2f} to {row['faster_max']:.2f})  difference {row['largest_difference']:.1e}\n"
        )
    sys.stdout.write(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main()
