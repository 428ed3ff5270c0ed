# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The multi-angle LoRA: the words of the relative dialect, brought to a transformer that knows the stage's marks.

Run `python -m models.miniature.training.angles`. Told in the dialect, the student learns to do what the transformer
does when it is told the mark: a target without the chance that a single view holds. Rank, targets and key format are
those of the real file.
"""

import torch
from diffusers import QwenImageTransformer2DModel
from torch import Tensor
from torch.nn import functional

from models.camera import Pose, phrase
from models.miniature.formats import ANGLES_RANK, ANGLES_TARGETS, write_angles
from models.miniature.training.lora import open_student, train_lora
from models.miniature.training.options import read_options
from models.miniature.training.pairs import Pairs
from models.miniature.training.transformer import add_noise, open_batches, open_frozen, predict_velocity
from models.miniature.words import name_mark

LEARNING_RATE = 5e-3
COARSE_SHARE = 0.7


def say_in_dialect(pose: Pose) -> str:
    """Return the prompt of a pose in the relative dialect."""
    return phrase(pose, "relative").prompt


def imitation_loss(
    student: QwenImageTransformer2DModel,
    teacher: QwenImageTransformer2DModel,
    told: Pairs,
    marked: Pairs,
    generator: torch.Generator,
) -> Tensor:
    """Return the squared error of the student told in the dialect against the teacher told the mark."""
    noisy, sigmas, _ = add_noise(told.views, generator)
    with torch.no_grad():
        target = predict_velocity(teacher, noisy, sigmas, marked)
    return functional.mse_loss(predict_velocity(student, noisy, sigmas, told), target)


def main() -> None:
    """Train with the settings of the command line."""
    options = read_options(__doc__, part="angles", num_steps=4200)
    batches = open_batches(options, COARSE_SHARE, say_in_dialect, name_mark)
    teacher = open_frozen(options)
    student = open_student(options, (ANGLES_TARGETS, ANGLES_RANK, ANGLES_RANK))

    def loss_of(number: int, generator: torch.Generator) -> Tensor:
        told, marked = batches(number)
        return imitation_loss(student, teacher, told, marked, generator)

    pairs = train_lora(options, student, loss_of, LEARNING_RATE)
    write_angles(pairs, options.weights / "miniature/loras/multi-angle.safetensors")


if __name__ == "__main__":
    main()
