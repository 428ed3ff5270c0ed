# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The multi-angle LoRA: the words of the relative dialect, brought to a transformer that knows the stage's marks.

Run `python -m models.miniature.training.angles`. Rank, targets and key format are those of the real file.
"""

import torch
from torch import Tensor

from models.camera import Pose, phrase
from models.miniature.formats import ANGLES_RANK, ANGLES_TARGETS, write_angles
from models.miniature.training.lora import open_student, train_lora
from models.miniature.training.options import read_options
from models.miniature.training.transformer import flow_loss, open_batches

LEARNING_RATE = 2e-3
COARSE_SHARE = 0.7


def say_in_dialect(pose: Pose) -> str:
    """Return the prompt of a pose in the relative dialect."""
    return phrase(pose, "relative").prompt


def main() -> None:
    """Train with the settings of the command line."""
    options = read_options(__doc__, part="angles", num_steps=3000)
    batches = open_batches(options, say_in_dialect, COARSE_SHARE)
    student = open_student(options, (ANGLES_TARGETS, ANGLES_RANK, ANGLES_RANK))

    def loss_of(number: int, generator: torch.Generator) -> Tensor:
        return flow_loss(student, batches(number), generator)

    pairs = train_lora(options, student, loss_of, LEARNING_RATE)
    write_angles(pairs, options.weights / "miniature/loras/multi-angle.safetensors")


if __name__ == "__main__":
    main()
