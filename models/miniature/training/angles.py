# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The multi-angle LoRA: the words of the relative dialect, brought to a transformer that knows the stage's marks.

Run `python -m models.miniature.training.angles`. Rank, targets and key format are those of the real file.
"""

import argparse
from pathlib import Path

import torch
from diffusers import QwenImageTransformer2DModel

from models.camera import Pose, phrase
from models.loading import load_module
from models.miniature.formats import ANGLES_RANK, ANGLES_TARGETS, write_angles
from models.miniature.training.lora import attach_new_lora, train_lora
from models.miniature.training.transformer import compile_blocks, flow_loss, open_batches

LEARNING_RATE = 2e-3


def say_in_dialect(pose: Pose) -> str:
    """Return the prompt of a pose in the relative dialect."""
    return phrase(pose, "relative").prompt


def main() -> None:
    """Train with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".mastershot/training/views"))
    parser.add_argument("--latents", type=Path, default=Path(".mastershot/training/latents"))
    parser.add_argument("--folder", type=Path, default=Path(".mastershot/training/angles"))
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="needs a C++ compiler; 1.4 times as fast")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    batches = open_batches(arguments.data, arguments.latents, arguments.weights, device, say_in_dialect)
    transformer = load_module(QwenImageTransformer2DModel, arguments.weights / "miniature/transformer", torch.float32)
    torch.manual_seed(0)
    attach_new_lora(transformer.to(device), ANGLES_TARGETS, ANGLES_RANK, ANGLES_RANK)
    if arguments.compile:
        compile_blocks(transformer)
    pairs = train_lora(
        transformer,
        lambda number, generator: flow_loss(transformer, batches(number), generator),
        LEARNING_RATE,
        arguments.folder,
        arguments.steps,
    )
    write_angles(pairs, arguments.weights / "miniature/loras/multi-angle.safetensors")


if __name__ == "__main__":
    main()
