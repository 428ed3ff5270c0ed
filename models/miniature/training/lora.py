# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""What both LoRAs share: a frozen transformer with new matrices beside its own, and their training."""

from collections.abc import Callable

import torch
from diffusers import QwenImageTransformer2DModel
from peft import LoraConfig, get_peft_model_state_dict
from torch import Tensor

from models.miniature.formats import LoraPairs
from models.miniature.training.loop import train
from models.miniature.training.options import Options
from models.miniature.training.transformer import open_frozen
from models.profiles import Lora

Loss = Callable[[int, torch.Generator], Tensor]
"""Takes the number of the step and its noise."""


def attach_new_lora(transformer: QwenImageTransformer2DModel, targets: tuple[str, ...], rank: int, alpha: int) -> None:
    """Freeze a transformer and give it a LoRA to be trained, which starts as no change."""
    transformer.requires_grad_(requires_grad=False)
    names = [name for name, _ in transformer.named_modules() if name.endswith(targets)]
    transformer.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, target_modules=names))


def read_pairs(transformer: QwenImageTransformer2DModel) -> LoraPairs:
    """Return the trained matrices of every target: down (rank, inputs) and up (outputs, rank)."""
    state = {name: value.detach().cpu() for name, value in get_peft_model_state_dict(transformer).items()}
    targets = [name.removesuffix(".lora_A.weight") for name in state if name.endswith(".lora_A.weight")]
    return {name: (state[f"{name}.lora_A.weight"], state[f"{name}.lora_B.weight"]) for name in targets}


def open_student(
    options: Options, shape: tuple[tuple[str, ...], int, int], loras: tuple[Lora, ...] = ()
) -> QwenImageTransformer2DModel:
    """Return the trained transformer with `loras` fused, and a new LoRA of `shape` (targets, rank, alpha) beside it."""
    transformer = open_frozen(options, loras)
    torch.manual_seed(0)
    attach_new_lora(transformer, *shape)
    return transformer


def train_lora(
    options: Options, student: QwenImageTransformer2DModel, loss_of: Loss, learning_rate: float
) -> LoraPairs:
    """Train the LoRA of a student, or on from its last checkpoint."""
    trained = [value for value in student.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(trained, learning_rate, betas=(0.9, 0.98), weight_decay=0.0)

    def step(number: int, generator: torch.Generator) -> dict[str, Tensor]:
        loss = loss_of(number, generator)
        loss.backward()
        return {"velocity": loss}

    train(step, student, [optimizer], options.folder, options.num_steps)
    return read_pairs(student)
