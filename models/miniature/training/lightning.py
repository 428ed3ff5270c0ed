# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The Lightning LoRA: eight steps that end where the transformer's forty end.

Run `python -m models.miniature.training.lightning`. From a noise level of the 8-step schedule the frozen
transformer takes small Euler steps down to the next level; the LoRA learns to make that way in one.

Source: Salimans and Ho 2022, "Progressive Distillation for Fast Sampling of Diffusion Models", with the teacher's small
steps taken at once instead of in rounds.
"""

import torch
from diffusers import QwenImageTransformer2DModel
from torch import Tensor
from torch.nn import functional

from models.miniature.formats import LIGHTNING_ALPHA, LIGHTNING_RANK, LIGHTNING_TARGETS, write_lightning
from models.miniature.training.lora import train_lora
from models.miniature.training.options import read_options
from models.miniature.training.pairs import Pairs
from models.miniature.training.transformer import open_batches, predict_velocity
from models.miniature.words import name_mark
from models.profiles import MINIATURE
from models.stages import schedule

LEARNING_RATE = 3e-3
COARSE_SHARE = 0.4
TEACHER_STEPS = 5
"""Of the teacher for one of the student's: forty in all."""


@torch.no_grad()
def walk(transformer: QwenImageTransformer2DModel, noisy: Tensor, start: Tensor, end: Tensor, pairs: Pairs) -> Tensor:
    """Return where the teacher comes to, in Euler steps of equal size, from noise levels `start` (B,) to `end` (B,)."""
    for step in range(TEACHER_STEPS):
        here = torch.lerp(start, end, step / TEACHER_STEPS)
        velocity = predict_velocity(transformer, noisy, here, pairs)
        noisy = noisy + ((end - start) / TEACHER_STEPS).view(-1, 1, 1) * velocity
    return noisy


def distillation_loss(transformer: QwenImageTransformer2DModel, pairs: Pairs, generator: torch.Generator) -> Tensor:
    """Return the squared error of one step of the student against the teacher's way."""
    device = pairs.views.device
    levels = schedule(MINIATURE).to(device)
    place = torch.randint(MINIATURE.num_steps, (len(pairs.views),), generator=generator)
    start, end = levels[place], levels[place + 1]
    noise = torch.randn(pairs.views.shape, generator=generator).to(device)
    noisy = torch.lerp(pairs.views, noise, start.view(-1, 1, 1))
    transformer.disable_adapters()
    target = (walk(transformer, noisy, start, end, pairs) - noisy) / (end - start).view(-1, 1, 1)
    transformer.enable_adapters()
    return functional.mse_loss(predict_velocity(transformer, noisy, start, pairs), target)


def main() -> None:
    """Train with the settings of the command line."""
    options = read_options(__doc__, part="lightning", num_steps=1500)
    batches = open_batches(options, name_mark, COARSE_SHARE)
    shape = (LIGHTNING_TARGETS, LIGHTNING_RANK, LIGHTNING_ALPHA)
    pairs = train_lora(options, shape, batches, distillation_loss, LEARNING_RATE)
    write_lightning(pairs, options.weights / "miniature/loras/lightning-8steps.safetensors")


if __name__ == "__main__":
    main()
