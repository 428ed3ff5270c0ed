# pyright: standard, reportPrivateImportUsage=false
"""The views of all shards as the trained autoencoder sees them, at full size and at half.

Run `python -m models.miniature.training.latents`; shards that are encoded already are not encoded again.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLQwenImage
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from models.loading import load_module
from models.miniature.training.views import open_shards, save_shard
from models.vae import encode_still, reduce_to_stills

BATCH = 16


def coarse(folder: Path) -> Path:
    """Return where the latents of views at half size lie, beside those at full size."""
    return folder.with_name(f"{folder.name}_coarse")


def latents_path(folder: Path, number: int) -> Path:
    """Return where the latents of a shard lie: (scenes, views, 16, H/8, W/8) in half precision, normalised."""
    return folder / f"latents-{number:05}.npy"


def to_pixels(pictures: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Return pictures (B, H, W, 3) of sRGB as pixels (B, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.inference_mode()
def encode_views(vae: AutoencoderKLQwenImage, pictures: NDArray[np.uint8], shrink: int = 1) -> Tensor:
    """Return the normalised latents (B, 16, H/8, W/8) of pictures (B, H, W, 3), sides divided by `shrink`."""
    return encode_still(vae, functional.avg_pool2d(to_pixels(pictures, vae.device), shrink))


def encode_shards(vae: AutoencoderKLQwenImage, data: Path, folder: Path, shrink: int) -> None:
    """Encode every shard of `data` that has no latents in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = open_shards(data)
    for number, shard in enumerate(track(shards, description="Encoding shards")):
        path = latents_path(folder, number)
        if path.exists():
            continue
        flat = shard.reshape(-1, *shard.shape[2:])
        parts = [
            encode_views(vae, flat[start : start + BATCH], shrink).half().cpu() for start in range(0, len(flat), BATCH)
        ]
        latents = torch.cat(parts).numpy()
        save_shard(path, latents.reshape(*shard.shape[:2], *latents.shape[1:]))


def open_latents(folder: Path) -> list[NDArray[np.float16]]:
    """Return the latents of all shards from the first to the first that is absent, mapped into memory."""
    shards: list[NDArray[np.float16]] = []
    while (path := latents_path(folder, len(shards))).exists():
        shards.append(np.load(path, mmap_mode="r"))
    return shards


def main() -> None:
    """Encode with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".mastershot/training/views"))
    parser.add_argument("--folder", type=Path, default=Path(".mastershot/training/latents"))
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    vae = load_module(AutoencoderKLQwenImage, arguments.weights / "miniature/vae", torch.float32)
    reduce_to_stills(vae).requires_grad_(requires_grad=False).to(arguments.device)
    encode_shards(vae, arguments.data, coarse(arguments.folder), shrink=2)
    encode_shards(vae, arguments.data, arguments.folder, shrink=1)


if __name__ == "__main__":
    main()
