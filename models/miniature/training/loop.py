# pyright: standard, reportPrivateImportUsage=false
"""The loop of every recipe: resumable, on any device, with a progress bar, averaged weights and a loss plot."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

SAVE_EVERY_S = 120.0
WARMUP_STEPS = 200
LOWEST_LR = 0.02
AVERAGE_DECAY = 0.999
SMOOTHING = 0.98
HALFWAY = "halfway.pt"

Module = TypeVar("Module", bound=nn.Module)
Step = Callable[[int, torch.Generator], dict[str, Tensor]]
"""Takes the number of the step and its noise, leaves gradients behind, and returns the losses to be shown."""


def train(
    step: Step,
    trained: Module,
    optimizers: Sequence[torch.optim.Optimizer],
    folder: Path,
    num_steps: int,
    **others: nn.Module | torch.optim.Optimizer,
) -> Module:
    """Train until `num_steps`, from the last checkpoint in `folder` on; leave `trained` with its averaged weights.

    Those of half the way stay in `folder` too. `others` are modules and optimizers that `step` updates itself and that
    a checkpoint must hold too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"trained": trained, **{f"optimizer{place}": each for place, each in enumerate(optimizers)}, **others}
    average = {name: value.detach().clone() for name, value in trained.named_parameters() if value.requires_grad}
    first = _resume(folder, parts, average)
    log = _Log(folder, first)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task(folder.name, total=num_steps, completed=first)
        saved_at = time.monotonic()
        for number in range(first, num_steps):
            _set_lr(optimizers, number, num_steps)
            losses = step(number, torch.Generator().manual_seed(number))
            nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
            trained.zero_grad(set_to_none=True)
            _follow(average, trained, number)
            log.add(losses)
            if number + 1 == num_steps // 2:
                torch.save(average, folder / HALFWAY)
            progress.update(bar, completed=number + 1, description=f"{folder.name} {log}")
            if time.monotonic() - saved_at > SAVE_EVERY_S or number + 1 == num_steps:
                _save(folder, parts, average, number + 1)
                log.write(number + 1)
                saved_at = time.monotonic()
    trained.load_state_dict(average, strict=False)
    return trained


def choose_dtype(device: torch.device) -> torch.dtype:
    """Return what to compute in: bfloat16 where the hardware multiplies in it, else float32."""
    has_bfloat16 = device.type == "cuda" or torch.cpu._is_amx_tile_supported()  # noqa: SLF001 - no public name yet
    return torch.bfloat16 if has_bfloat16 else torch.float32


def _set_lr(optimizers: Sequence[torch.optim.Optimizer], number: int, num_steps: int) -> None:
    warm = min(1.0, (number + 1) / WARMUP_STEPS)
    cosine = 0.5 * (1 + torch.cos(torch.tensor(torch.pi * number / num_steps)).item())
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = optimizer.defaults["lr"] * warm * max(cosine, LOWEST_LR)


@torch.no_grad()
def _follow(average: Mapping[str, Tensor], trained: nn.Module, number: int) -> None:
    decay = min(AVERAGE_DECAY, (1 + number) / (10 + number))
    current = dict(trained.named_parameters())
    torch._foreach_lerp_(list(average.values()), [current[name] for name in average], 1 - decay)


def _resume(folder: Path, parts: Mapping[str, Any], average: dict[str, Tensor]) -> int:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    for name, value in state["average"].items():
        average[name].copy_(value)
    return int(state["num_done"])


def _save(folder: Path, parts: Mapping[str, Any], average: Mapping[str, Tensor], num_done: int) -> None:
    state = {name: part.state_dict() for name, part in parts.items()} | {"average": average, "num_done": num_done}
    unfinished = folder / "checkpoint.tmp"
    torch.save(state, unfinished)
    unfinished.replace(folder / "checkpoint.pt")


class _Log:
    """The losses so far, smoothed, as JSON lines and as a picture."""

    def __init__(self, folder: Path, first: int) -> None:
        self._lines, self._plot = folder / "losses.jsonl", folder / "losses.png"
        self._smooth: dict[str, float] = {}
        old = self._lines.read_text().splitlines() if self._lines.exists() else []
        self._history: list[dict[str, float]] = [line for line in map(json.loads, old) if line["step"] <= first]

    def add(self, losses: Mapping[str, Tensor]) -> None:
        for name, loss in losses.items():
            value = float(loss.detach())
            self._smooth[name] = SMOOTHING * self._smooth.get(name, value) + (1 - SMOOTHING) * value

    def write(self, number: int) -> None:
        self._history.append({"step": number, **self._smooth})
        self._lines.write_text("".join(json.dumps(line) + "\n" for line in self._history))
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.subplots()
        for name in self._smooth:
            points = [(line["step"], line[name]) for line in self._history if name in line]
            axes.plot(*zip(*points, strict=True), label=name)
        axes.set(xlabel="step", ylabel="loss", yscale="log")
        axes.legend()
        with mpl.rc_context({"svg.hashsalt": "losses"}):
            figure.savefig(self._plot)

    def __str__(self) -> str:
        return " ".join(f"{name} {value:.4f}" for name, value in self._smooth.items())
