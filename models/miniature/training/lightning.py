# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The Lightning LoRA: eight steps that end where many steps of a guided teacher end.

Run `python -m models.miniature.training.lightning`. From a noise level of the 8-step schedule the teacher takes small
Euler steps down to the next level; the LoRA learns to make that way in one. The teacher is the transformer, told by the
marks that it knows where to go, and guided away from itself at half its training, whose pictures are softer. The
student is the transformer with the angle LoRA, told in the words of the dialect, as the product runs it.

Source: Salimans and Ho 2022, "Progressive Distillation for Fast Sampling of Diffusion Models", with the teacher's small
steps taken at once instead of in rounds; Karras et al. 2024, "Guiding a Diffusion Model with a Bad Version of Itself".
"""

from dataclasses import dataclass

import torch
from diffusers import QwenImageTransformer2DModel
from torch import Tensor
from torch.nn import functional

from models.miniature.formats import LIGHTNING_ALPHA, LIGHTNING_RANK, LIGHTNING_TARGETS, write_lightning
from models.miniature.training.angles import say_in_dialect
from models.miniature.training.loop import HALFWAY
from models.miniature.training.lora import open_student, train_lora
from models.miniature.training.options import Options, read_options
from models.miniature.training.pairs import Pairs
from models.miniature.training.transformer import open_batches, open_frozen, predict_velocity, walk
from models.miniature.words import name_mark
from models.profiles import MINIATURE
from models.schedule import schedule

LEARNING_RATE = 3e-3
COARSE_SHARE = 0.4
TEACHER_STEPS = 3
"""Of the teacher for one of the student's."""
GUIDANCE = 1.0
"""How far the teacher goes beyond itself, in differences between itself and itself at half its training."""


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """The trained transformer, and the averaged weights that it had halfway."""

    whole: QwenImageTransformer2DModel
    halfway: QwenImageTransformer2DModel

    def velocity(self, noisy: Tensor, sigmas: Tensor, pairs: Pairs) -> Tensor:
        """Return the guided velocity (B, N, 64)."""
        whole, halfway = (predict_velocity(model, noisy, sigmas, pairs) for model in (self.whole, self.halfway))
        return whole + GUIDANCE * (whole - halfway)


def open_teacher(options: Options) -> Teacher:
    """Return the transformer as it was trained and as its recipe left it halfway, both frozen."""
    whole, halfway = open_frozen(options), open_frozen(options)
    weights = torch.load(options.folder.with_name("transformer") / HALFWAY, map_location="cpu", weights_only=True)
    halfway.load_state_dict(weights)
    return Teacher(whole=whole, halfway=halfway)


def distillation_loss(
    student: QwenImageTransformer2DModel, teacher: Teacher, told: Pairs, marked: Pairs, generator: torch.Generator
) -> Tensor:
    """Return the squared error of one step of the student against the teacher's way; both see the same views."""
    device = told.views.device
    levels = schedule(MINIATURE).to(device)
    place = torch.randint(MINIATURE.num_steps, (len(told.views),), generator=generator)
    start, end = levels[place], levels[place + 1]
    noise = torch.randn(told.views.shape, generator=generator).to(device)
    noisy = torch.lerp(told.views, noise, start.view(-1, 1, 1))
    way = [torch.lerp(start, end, step / TEACHER_STEPS) for step in range(TEACHER_STEPS + 1)]
    ended = walk(lambda latents, sigmas: teacher.velocity(latents, sigmas, marked), noisy, way)
    target = (ended - noisy) / (end - start).view(-1, 1, 1)
    return functional.mse_loss(predict_velocity(student, noisy, start, told), target)


def main() -> None:
    """Train with the settings of the command line."""
    options = read_options(__doc__, part="lightning", num_steps=1500)
    batches = open_batches(options, COARSE_SHARE, say_in_dialect, name_mark)
    angles = tuple(lora for lora in MINIATURE.loras if lora.name == "angles")
    student = open_student(options, (LIGHTNING_TARGETS, LIGHTNING_RANK, LIGHTNING_ALPHA), angles)
    teacher = open_teacher(options)

    def loss_of(number: int, generator: torch.Generator) -> Tensor:
        told, marked = batches(number)
        return distillation_loss(student, teacher, told, marked, generator)

    pairs = train_lora(options, student, loss_of, LEARNING_RATE)
    write_lightning(pairs, options.weights / "miniature/loras/lightning-8steps.safetensors")


if __name__ == "__main__":
    main()
