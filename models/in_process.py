# pyright: standard, reportPrivateImportUsage=false
"""The embedded renderer: the model in the process that asks for pictures."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import torch
from PIL import Image

from models.attention import compile_blocks, use_quickest_backend
from models.errors import OutOfMemoryError
from models.loading import Pipeline, load_pipeline
from models.memory import check_memory
from models.placement import Part, Seats
from models.profiles import Profile
from models.renderer import AngleJob, Event, Machine, MemoryPlan, Queued, Rendered, StepDone
from models.stages import Conditioning, Reference, decode, draw_noise, encode_instructions, encode_reference, sample
from models.turns import Turns

logger = logging.getLogger(__name__)

NUM_REFERENCES_KEPT = 4

_SMALLER: dict[MemoryPlan, str] = {
    "resident": "set MASTERSHOT_MEMORY_PLAN=encoder_freed",
    "encoder_freed": "set MASTERSHOT_MEMORY_PLAN=offload",
    "offload": "take a device with more memory",
}

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A master that was encoded, and the instructions that were encoded for it beforehand."""

    reference: Reference
    instructions: dict[str, Conditioning] = field(default_factory=dict[str, Conditioning])


class InProcessRenderer:
    """The model in this process; every angle is alone in its batch.

    On a CPU an angle has one thread. That is slower than one batch of all, and the pixels depend neither on the number
    of cores nor on which other angles happen to be rendered at the same time. On a GPU one angle is sampled at a time,
    while the one before is decoded and kept.
    """

    def __init__(self, pipeline: Pipeline, machine: Machine) -> None:
        """Serve `pipeline`, whose parts lie on the host, to threads."""
        self._pipeline, self._machine = pipeline, machine
        self._lanes = threading.Semaphore(machine.num_lanes)
        self._seats = Seats(pipeline, machine)
        self._shown: OrderedDict[str, Shown] = OrderedDict()
        self._encoding = threading.Semaphore()
        self._turns = Turns()

    @classmethod
    def load(cls, profile: Profile, weights: Path, machine: Machine) -> "InProcessRenderer":
        """Load `profile` onto a machine.

        Raises:
            ProfileError: What `load_pipeline` raises; TooLittleMemoryError before anything is loaded.
            OutOfMemoryError: It should have fitted, and did not.
        """
        logger.info("Loading %s. %s.", profile.name, check_memory(profile, weights, machine))
        with _memory_guard("loading the model", machine):
            pipeline = load_pipeline(profile, weights, machine.device)
            if machine.is_compiled:
                compile_blocks(pipeline.transformer)
            backend = use_quickest_backend(pipeline.transformer, machine.device)
            logger.info("Attention of %s: %s.", profile.name, backend)
            return cls(pipeline, machine)

    def show(self, key: str, read_master: Callable[[], Image.Image], prompts: Sequence[str] = ()) -> None:
        """Encode the master `key` unless it is held already.

        Raises:
            OutOfMemoryError: The device has too little memory.
        """
        shown = _finish(self._show(key, read_master))
        if self._seats.are_shared:  # or the text encoder would come back for every angle
            for prompt in (prompt for prompt in prompts if prompt not in shown.instructions):
                shown.instructions[prompt] = _finish(self._instruct(shown, prompt))

    def render(self, key: str, read_master: Callable[[], Image.Image], job: AngleJob) -> Generator[Event]:
        """Yield one `StepDone` per diffusion step, then the picture, and `Queued` while others are ahead and move on.

        Raises:
            NotFiniteError: The sampled latents hold NaN or infinity.
            OutOfMemoryError: The device has too little memory.
        """
        shown = yield from self._show(key, read_master)
        asked = time.perf_counter()
        with ExitStack() as lane, _memory_guard("rendering an angle", self._machine):
            yield from self._turns.wait(self._lanes, lane)
            marks = [asked, time.perf_counter()]
            conditioning = yield from self._instruct(shown, job.prompt)
            marks.append(time.perf_counter())
            latents = draw_noise([job.seed], shown.reference.grid)
            with ExitStack() as held:
                yield from self._sit("transformer", held)
                marks.append(time.perf_counter())
                denoising = sample(self._pipeline, shown.reference, conditioning, latents)
                for step, denoised in enumerate(denoising, start=1):
                    latents = denoised
                    self._turns.move_on()
                    yield StepDone(step=step, num_steps=self._pipeline.profile.num_steps)
            marks.append(time.perf_counter())
            picture = decode(self._pipeline, latents, shown.reference.grid)[0]
            self._turns.move_on()
            marks.append(time.perf_counter())
        lane_s, encode, seat, sampling, decoding = (end - start for start, end in pairwise(marks))
        times = {"queue": lane_s + seat, "encode": encode, "sample": sampling, "decode": decoding}
        yield Rendered(picture=picture, stage_times_s=times)

    def _sit(self, part: Part, held: ExitStack) -> Generator[Queued]:
        """Have a part on the device until `held` closes."""
        yield from self._turns.wait(self._seats.free, held)
        held.enter_context(self._seats.seat(part))

    def _show(self, key: str, read_master: Callable[[], Image.Image]) -> Generator[Queued, None, Shown]:
        _use_one_thread()
        with ExitStack() as turn:
            yield from self._turns.wait(self._encoding, turn)
            if key not in self._shown:
                with ExitStack() as held, _memory_guard("encoding the master", self._machine):
                    yield from self._sit("text_encoder", held)
                    self._shown[key] = Shown(reference=encode_reference(self._pipeline, read_master()))
                self._turns.move_on()
            self._shown.move_to_end(key)
            if len(self._shown) > NUM_REFERENCES_KEPT:
                self._shown.popitem(last=False)
            return self._shown[key]

    def _instruct(self, shown: Shown, prompt: str) -> Generator[Queued, None, Conditioning]:
        if prompt in shown.instructions:
            return shown.instructions[prompt]
        with ExitStack() as held:
            yield from self._sit("text_encoder", held)
            return encode_instructions(self._pipeline, shown.reference, [prompt])


def _finish(waiting: Generator[Queued, None, T]) -> T:
    """Wait as long as it takes, and return what was waited for."""
    while True:
        try:
            next(waiting)
        except StopIteration as end:
            return end.value


def _use_one_thread() -> None:
    torch.set_num_threads(1)  # binds the calling thread; threads that computed before keep their own number


@contextmanager
def _memory_guard(doing: str, machine: Machine) -> Generator[None]:
    try:
        yield
    except torch.OutOfMemoryError as exc:
        fewer = f"lower MASTERSHOT_NUM_LANES from {machine.num_lanes}, or " if machine.num_lanes > 1 else ""
        msg = (
            f"The device ran out of memory while {doing} under the memory plan {machine.plan}: {fewer}"
            f"{_SMALLER[machine.plan]} (`python -m models.memory --profile NAME` says what each plan needs)."
        )
        raise OutOfMemoryError(msg) from exc
