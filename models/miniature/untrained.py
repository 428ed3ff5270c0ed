# pyright: standard, reportPrivateImportUsage=false
"""Weights of the miniature made from a seed, written in the file formats of the real model.

Run `python -m models.miniature.untrained --weights FOLDER`. The pictures are noise with structure: they prove the
path, the formats and the speed, not the quality, and every report says UNTRAINED.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from diffusers import QwenImageTransformer2DModel
from torch import Tensor, nn
from transformers import Qwen2VLImageProcessor, Qwen2VLProcessor, Qwen2VLVideoProcessor

from models.miniature.architecture import build_clip, build_text_encoder, build_transformer, build_vae
from models.miniature.formats import (
    ANGLES_RANK,
    ANGLES_TARGETS,
    LIGHTNING_RANK,
    LIGHTNING_TARGETS,
    write_angles,
    write_clip,
    write_lightning,
)
from models.miniature.tokenizer import build_tokenizer
from models.profiles import MINIATURE
from models.weights import UNTRAINED_MARK


def write_weights(weights: Path, seed: int = 0) -> Path:
    """Write the untrained miniature below the folder `weights`, the same bytes for the same seed; return its folder."""
    folder = weights / MINIATURE.base.repo
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        processor = build_processor()
        transformer = build_transformer()
        text_encoder = build_text_encoder(processor.tokenizer)
        parts = {"transformer": transformer, "vae": build_vae(), "text_encoder": text_encoder}
        for name, part in parts.items():
            nn.Module.to(part, torch.bfloat16)
            part.save_pretrained(folder / name)
        angles = {name: _pair(linear, ANGLES_RANK) for name, linear in _targets(transformer, ANGLES_TARGETS)}
        write_angles(angles, folder / "loras/multi-angle.safetensors")
        lightning = {name: _pair(linear, LIGHTNING_RANK) for name, linear in _targets(transformer, LIGHTNING_TARGETS)}
        write_lightning(lightning, folder / "loras/lightning-8steps.safetensors")
        write_clip(build_clip(), folder / "clip")
        processor.save_pretrained(folder / "processor")
        (folder / UNTRAINED_MARK).write_text("These weights are random numbers.\n")
    return folder


def build_processor() -> Qwen2VLProcessor:
    """Return the processor of the miniature, with its tokenizer."""
    return Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(), tokenizer=build_tokenizer(), video_processor=Qwen2VLVideoProcessor()
    )


def _targets(transformer: QwenImageTransformer2DModel, suffixes: tuple[str, ...]) -> Iterator[tuple[str, nn.Linear]]:
    for name, module in transformer.named_modules():
        if isinstance(module, nn.Linear) and name.endswith(suffixes):
            yield name, module


def _pair(linear: nn.Linear, rank: int) -> tuple[Tensor, Tensor]:
    down = torch.randn(rank, linear.in_features) / linear.in_features**0.5
    up = torch.randn(linear.out_features, rank) * 0.02
    return down, up


def main() -> None:
    """Read the folder and the seed from the command line and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_weights(arguments.weights, arguments.seed)


if __name__ == "__main__":
    main()
