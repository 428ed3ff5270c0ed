# pyright: standard, reportPrivateImportUsage=false
"""Which part of a pipeline is on the device when, under a memory plan.

Weights never change, so a part that gives its place up is not copied back: its parameters point to the copy that stays
on the host, and the device's memory is free.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

import torch
from diffusers.hooks import apply_group_offloading
from torch import nn

from models.loading import Pipeline
from models.renderer import Machine

ALIGNMENT = 16

Part = Literal["transformer", "text_encoder"]


class Seats:
    """The places on the device; whoever computes with the transformer or the text encoder holds its seat as long."""

    def __init__(self, pipeline: Pipeline, machine: Machine) -> None:
        """Place `pipeline`, which lies on the host, by the plan of the machine."""
        parts = {"transformer": pipeline.transformer, "text_encoder": pipeline.text_encoder}
        self._device = torch.device(machine.device)
        self._waiting: dict[str, Waiting] = {}
        if machine.plan == "encoder_freed":
            self._waiting = {name: Waiting(part, self._device) for name, part in parts.items()}
        elif machine.plan == "offload":
            _fetch_piecewise(pipeline.transformer, self._device, "block_level")
            _fetch_piecewise(pipeline.text_encoder.model.visual, self._device, "leaf_level")
            _fetch_piecewise(pipeline.text_encoder.model.language_model, self._device, "leaf_level")
        else:
            for part in parts.values():
                nn.Module.to(part, self._device)
        nn.Module.to(pipeline.vae, self._device)
        is_alone = machine.plan != "resident" or self._device.type == "cuda"
        self.free = threading.Semaphore(1 if is_alone else machine.num_lanes)
        self._seated: str | None = None

    @property
    def are_shared(self) -> bool:
        """Whether the text encoder has to give its place up to the transformer."""
        return bool(self._waiting)

    @contextmanager
    def hold(self, name: Part) -> Generator[None]:
        """Have a part on the device while the block lasts."""
        with self.free, self.seat(name):
            yield

    @contextmanager
    def seat(self, name: Part) -> Generator[None]:
        """Have a part on the device while the block lasts, for who has waited for `free` already."""
        if self._waiting and name != self._seated:
            self._seated = None  # until all is in its place: memory may run out on the way
            for waiting in self._waiting.values():
                waiting.leave()
            self._waiting[name].enter()
            self._seated = name
        yield
        if self._device.type == "cuda":  # what was asked for is done before the next one has the seat
            torch.cuda.current_stream(self._device).synchronize()


class Waiting:
    """A part that is on the device by turns."""

    def __init__(self, part: nn.Module, device: torch.device) -> None:
        """Keep the weights of `part` on the host for good, in one block that a GPU copies from without waiting."""
        self._device = device
        tensors = [*part.parameters(), *part.buffers()]
        block = torch.empty(sum(map(padded_bytes, tensors)), dtype=torch.uint8, pin_memory=device.type == "cuda")
        self._tensors: list[tuple[torch.Tensor, torch.Tensor]] = []
        start = 0
        for tensor in tensors:
            num_bytes = tensor.numel() * tensor.element_size()
            kept = block[start : start + num_bytes].view(tensor.dtype).view(tensor.shape)
            tensor.data = kept.copy_(tensor.data)
            self._tensors.append((tensor, kept))
            start += padded_bytes(tensor)

    def enter(self) -> None:
        """Copy the weights to the device."""
        for tensor, kept in self._tensors:
            tensor.data = kept.to(self._device, non_blocking=True)

    def leave(self) -> None:
        """Free what the weights take on the device."""
        for tensor, kept in self._tensors:
            tensor.data = kept


def _fetch_piecewise(part: nn.Module, device: torch.device, piece: Literal["block_level", "leaf_level"]) -> None:
    """Let every piece of `part` come to the device when it is computed, the next one on the way meanwhile."""
    apply_group_offloading(
        part,
        onload_device=device,
        offload_device=torch.device("cpu"),
        offload_type=piece,
        num_blocks_per_group=1 if piece == "block_level" else None,
        use_stream=device.type == "cuda",
        low_cpu_mem_usage=True,  # or every block would be on the host twice
    )


def padded_bytes(tensor: torch.Tensor) -> int:
    """Return the bytes of a tensor up to the next place where one of any dtype may begin."""
    return -(-tensor.numel() * tensor.element_size() // ALIGNMENT) * ALIGNMENT
