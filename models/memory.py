# pyright: standard, reportPrivateImportUsage=false
"""How much memory a profile needs under each plan, known before a weight is loaded.

Parts are built from their settings without contents and prepared as they will be, so their bytes are exact. What a
stage needs for its intermediate tensors is counted in a run of one block, or of the autoencoder, on tensors without
contents.
"""

import argparse
import sys
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from transformers import Qwen2_5_VLForConditionalGeneration

from models.errors import TooLittleMemoryError
from models.fp8 import quantise_linears
from models.loading import check_device
from models.preparation import prepare_transformer
from models.profiles import Arithmetic, Profile, find_profile
from models.renderer import Machine, MemoryPlan
from models.single_files import build_part
from models.sources import locate
from models.vae import decode_still, encode_still, reduce_to_stills
from models.velocity import Tokens, predict

PLANS: tuple[MemoryPlan, ...] = ("resident", "encoder_freed", "offload")
BLOCKS_ON_DEVICE = 2
"""One is computed while the next one arrives."""
NUM_WORDS = 512
"""Of the longest text: words before the reference, the reference as the text encoder sees it, and the instruction."""
SPARE = 1.1
"""For what an allocator loses between tensors, and for the workspaces of kernels."""
CONTEXT_BYTES = 600 * 2**20
"""What a GPU's driver takes for a process before the first tensor."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """Bytes that a profile needs under a plan, at the worst moment."""

    device_bytes: int
    host_bytes: int
    """Of the weights while they are loaded and, but for `resident`, afterwards."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Bytes of a profile's parts as they will be placed, and of the intermediate tensors of its stages."""

    loaded: int
    """The transformer as it is read, before anything is dropped or rounded."""
    transformer: int
    block: int
    """The largest of the transformer's."""
    text_encoder: int
    vae: int
    sample: int
    decode: int
    encode: int


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Free bytes."""

    device_bytes: int
    host_bytes: int


def count_parts(profile: Profile, weights: Path) -> Parts:
    """Count the bytes of a profile from its settings alone.

    Raises:
        ProfileError: The settings are absent or damaged.
    """
    base, dtype = locate(profile.base, weights), getattr(torch, profile.dtype)
    with init_empty_weights():
        text_encoder = build_part(Qwen2_5_VLForConditionalGeneration, base / "text_encoder")
        transformer = build_part(QwenImageTransformer2DModel, base / "transformer")
    nn.Module.to(text_encoder, dtype)
    text_encoder.tie_weights()
    whole = count_bytes(nn.Module.to(transformer, dtype))
    prepare_transformer(transformer, profile)
    rows = columns = int(profile.reference_area_px**0.5) // 16
    with default_dtype(dtype), FakeTensorMode(), torch.inference_mode():
        vae = reduce_to_stills(build_part(AutoencoderKLQwenImage, base / "vae"))
        pixels, latents = torch.empty(1, 3, rows * 16, columns * 16), torch.empty(1, 16, rows * 2, columns * 2)
        return Parts(
            loaded=whole,
            transformer=count_bytes(transformer),
            block=max(map(count_bytes, transformer.transformer_blocks)),
            text_encoder=count_bytes(text_encoder),
            vae=count_bytes(vae),
            sample=_measure_block(base / "transformer", (rows, columns), profile.arithmetic),
            decode=measure_peak(lambda: decode_still(vae, latents)),
            encode=measure_peak(lambda: encode_still(vae, pixels)),
        )


def _measure_block(settings: Path, grid: tuple[int, int], arithmetic: Arithmetic) -> int:
    """Return the most that the intermediate tensors of a step take: those of one block, and what all blocks keep."""
    config: Any = QwenImageTransformer2DModel.load_config(settings, local_files_only=True)
    transformer: Any = QwenImageTransformer2DModel.from_config(config, num_layers=1)
    if arithmetic.linears == "fp8":
        quantise_linears(transformer.transformer_blocks)
    picture = torch.empty(1, grid[0] * grid[1], config["in_channels"])
    tokens = Tokens(
        latents=picture,
        still=picture,
        grid=grid,
        timestep=torch.empty(1),
        states=torch.empty(1, NUM_WORDS, config["joint_attention_dim"]),
        mask=None,
    )
    width = config["num_attention_heads"] * config["attention_head_dim"]
    kept = 2 * config["num_layers"] * picture.shape[1] * width * picture.element_size()
    return measure_peak(lambda: predict(transformer, tokens)) + (kept if arithmetic.reuses_reference else 0)


def predict_need(parts: Parts, plan: MemoryPlan, num_lanes: int = 2) -> Need:
    """Return what a plan needs on a GPU: one angle is sampled, those of all other lanes are decoded."""
    busy = parts.sample + parts.decode * max(num_lanes - 1, 1)
    both = parts.transformer + parts.text_encoder
    if plan == "resident":
        placed, host = both + max(busy, parts.encode), 0
    elif plan == "encoder_freed":
        placed = max(parts.transformer + busy, parts.text_encoder + parts.encode)
        host = _pinned(parts.transformer) + _pinned(parts.text_encoder)
    else:
        placed, host = BLOCKS_ON_DEVICE * parts.block + busy, both
    device_bytes = int((placed + parts.vae) * SPARE) + CONTEXT_BYTES
    return Need(device_bytes=device_bytes, host_bytes=int(max(host, parts.loaded, both) * SPARE))


def _pinned(num_bytes: int) -> int:
    """Return what torch takes of the host for a block that a GPU copies from: the next power of two."""
    return 1 << (num_bytes - 1).bit_length()


def find_memory(device: str) -> Memory:
    """Return the free memory of a device and of the machine; on a CPU they are one.

    Raises:
        MissingDeviceError: There is no such device, or its driver does not work.
    """
    check_device(device)
    host = psutil.virtual_memory().available
    free = torch.cuda.mem_get_info(device)[0] if torch.device(device).type == "cuda" else host
    return Memory(device_bytes=free, host_bytes=host)


def check_memory(profile: Profile, weights: Path, machine: Machine) -> str:
    """Return a sentence on what a profile will need of a machine, before anything is loaded.

    Raises:
        ProfileError: The device or settings of the profile are absent; TooLittleMemoryError if it cannot fit.
    """
    memory = find_memory(machine.device)
    return fit(count_parts(profile, weights), machine, memory)


def fit(parts: Parts, machine: Machine, memory: Memory) -> str:
    """Return a sentence on what `parts` need of a machine with so much free `memory`.

    Raises:
        TooLittleMemoryError: They cannot fit; the sentence names what would.
    """
    is_cpu = torch.device(machine.device).type == "cpu"
    lanes = machine.num_lanes
    need = _need_on_cpu(parts, lanes) if is_cpu else predict_need(parts, machine.plan, lanes)
    if _fits(need, memory):
        return _say(machine, need, memory)
    others = [f"the plan {plan!r}" for plan in PLANS if not is_cpu and _fits(predict_need(parts, plan, lanes), memory)]
    msg = f"{_say(machine, need, memory)}: choose {[*others, 'linears in fp8, or a machine with more memory'][0]}."
    raise TooLittleMemoryError(msg)


def _say(machine: Machine, need: Need, memory: Memory) -> str:
    return (
        f"The plan {machine.plan!r} needs {_gib(need.device_bytes)} GiB on {machine.device}, where "
        f"{_gib(memory.device_bytes)} are free, and {_gib(need.host_bytes)} of the machine's {_gib(memory.host_bytes)}"
    )


def _need_on_cpu(parts: Parts, num_lanes: int) -> Need:
    """Return what is needed where host and device are one, and every lane samples or decodes."""
    busy = num_lanes * max(parts.sample, parts.decode)
    everything = int((parts.loaded + parts.text_encoder + parts.vae + busy) * SPARE)
    return Need(device_bytes=everything, host_bytes=everything)


def _gib(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.1f}"


def _fits(need: Need, memory: Memory) -> bool:
    return need.device_bytes <= memory.device_bytes and need.host_bytes <= memory.host_bytes


def count_bytes(module: nn.Module) -> int:
    """Return the bytes of all parameters and buffers, those that are shared once."""
    tensors = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


@contextmanager
def default_dtype(dtype: torch.dtype) -> Generator[None]:
    """Let new tensors be of `dtype`, in all threads, while the block lasts."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def measure_peak(act: Callable[[], object]) -> int:
    """Return the most bytes that tensors made in `act` take at one time."""
    with _PeakOfNewTensors() as peak:
        act()
    return peak.most


class _PeakOfNewTensors(TorchDispatchMode):
    """Adds up storages as they come, and takes away those that are gone."""

    def __init__(self) -> None:
        super().__init__()
        self.most, self._now = 0, 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        made = func(*args, **(kwargs or {}))
        tree_map_only(Tensor, self._see, made)
        return made

    def _see(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._known:  # noqa: SLF001 - its only identity
            self._known.add(storage._cdata)  # noqa: SLF001
            self._now += storage.nbytes()
            self.most = max(self.most, self._now)
            weakref.finalize(storage, self._forget, storage._cdata, storage.nbytes())  # noqa: SLF001
        return tensor

    def _forget(self, identity: int, num_bytes: int) -> None:
        self._known.discard(identity)
        self._now -= num_bytes


def main() -> None:
    """Write what a profile of the command line needs under each plan, with linears whole and in 8 bits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    arguments = parser.parse_args()
    profile = find_profile(arguments.profile)
    sys.stdout.write(f"{'plan':>16} {'linears':>8} {'GPU GiB':>8} {'host GiB':>9}\n")
    for linears in ("whole", "fp8"):
        parts = count_parts(profile.model_copy(update={"arithmetic": Arithmetic(linears=linears)}), arguments.weights)
        for plan in PLANS:
            need = predict_need(parts, plan)
            sys.stdout.write(f"{plan:>16} {linears:>8} {_gib(need.device_bytes):>8} {_gib(need.host_bytes):>9}\n")


if __name__ == "__main__":
    main()
