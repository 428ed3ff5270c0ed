# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The multi-angle LoRA: the words of the relative dialect, brought to a transformer that knows the stage's marks.

Run `python -m models.miniature.training.angles`. Rank, targets and key format are those of the real file.
"""

import argparse
from pathlib import Path

import torch
from diffusers import QwenImageTransformer2DModel
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor

from models.camera import Pose, phrase
from models.loading import load_module
from models.miniature.training.loop import train
from models.miniature.training.pairs import PairBatches
from models.miniature.training.transformer import compile_blocks, flow_loss, open_batches
from models.miniature.untrained import ANGLES_RANK, ANGLES_TARGETS

LEARNING_RATE = 2e-3


def say_in_dialect(pose: Pose) -> str:
    """Return the prompt of a pose in the relative dialect."""
    return phrase(pose, "relative").prompt


def attach_new_lora(transformer: QwenImageTransformer2DModel, targets: tuple[str, ...], rank: int, alpha: int) -> None:
    """Freeze a transformer and give it a LoRA to be trained, which starts as no change."""
    transformer.requires_grad_(requires_grad=False)
    names = [name for name, _ in transformer.named_modules() if name.endswith(targets)]
    transformer.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, target_modules=names))


def read_pairs(transformer: QwenImageTransformer2DModel) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the trained matrices of every target: down (rank, inputs) and up (outputs, rank)."""
    state = {name: value.detach().cpu() for name, value in get_peft_model_state_dict(transformer).items()}
    targets = [name.removesuffix(".lora_A.weight") for name in state if name.endswith(".lora_A.weight")]
    return {name: (state[f"{name}.lora_A.weight"], state[f"{name}.lora_B.weight"]) for name in targets}


def train_angles(
    transformer: QwenImageTransformer2DModel, batches: PairBatches, folder: Path, num_steps: int, *, compiled: bool
) -> dict[str, tuple[Tensor, Tensor]]:
    """Train the LoRA from a seed, or on from its checkpoint in `folder`."""
    torch.manual_seed(0)
    attach_new_lora(transformer, ANGLES_TARGETS, ANGLES_RANK, ANGLES_RANK)
    if compiled:
        compile_blocks(transformer)
    trained = [value for value in transformer.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(trained, LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.0)

    def step(number: int, generator: torch.Generator) -> dict[str, Tensor]:
        loss = flow_loss(transformer, batches(number), generator)
        loss.backward()
        return {"velocity": loss}

    train(step, transformer, optimizer, folder, num_steps)
    return read_pairs(transformer)


def write_angles(pairs: dict[str, tuple[Tensor, Tensor]], path: Path) -> None:
    """Write a LoRA in the key format of dx8152/Qwen-Edit-2509-Multiple-angles: no alpha, so its scale is 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {}
    for name, (down, up) in pairs.items():
        state[f"{name}.lora_A.default.weight"] = down.to(torch.bfloat16).contiguous()
        state[f"{name}.lora_B.weight"] = up.to(torch.bfloat16).contiguous()
    save_file(state, path)


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
    pairs = train_angles(transformer.to(device), batches, arguments.folder, arguments.steps, compiled=arguments.compile)
    write_angles(pairs, arguments.weights / "miniature/loras/multi-angle.safetensors")


if __name__ == "__main__":
    main()
