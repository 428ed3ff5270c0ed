# pyright: standard, reportPrivateImportUsage=false
"""The embedded renderer: the model in the process that asks for pictures."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image

from models.errors import OutOfMemoryError
from models.loading import Pipeline, load_pipeline
from models.profiles import Profile
from models.renderer import AngleJob, Rendered, StepDone
from models.stages import Reference, decode, draw_noise, encode_instructions, encode_reference, sample

NUM_REFERENCES_KEPT = 4


class InProcessRenderer:
    """The model in this process: `num_lanes` angles at a time, each alone in its batch.

    On a CPU an angle has one thread. That is slower than one batch of all, and the pixels depend neither on the number
    of cores nor on which other angles happen to be rendered at the same time.
    """

    def __init__(self, pipeline: Pipeline, num_lanes: int = 1) -> None:
        """Serve `pipeline` to at most `num_lanes` threads at a time."""
        self._pipeline = pipeline
        self._lanes = threading.Semaphore(num_lanes)
        self._references: OrderedDict[str, Reference] = OrderedDict()
        self._encoding = threading.Lock()

    @classmethod
    def load(cls, profile: Profile, weights: Path, device: str, num_lanes: int) -> "InProcessRenderer":
        """Load `profile` onto `device`.

        Raises:
            ProfileError: What `load_pipeline` raises.
            OutOfMemoryError: The device has too little memory for the model.
        """
        with _memory_guard("loading the model"):
            return cls(load_pipeline(profile, weights, device), num_lanes)

    def show(self, key: str, read_master: Callable[[], Image.Image]) -> None:
        """Encode the master `key` unless it is held already.

        Raises:
            OutOfMemoryError: The device has too little memory.
        """
        self._reference(key, read_master)

    def render(self, key: str, read_master: Callable[[], Image.Image], job: AngleJob) -> Generator[StepDone | Rendered]:
        """Yield one `StepDone` per diffusion step, then the picture.

        Raises:
            NotFiniteError: The sampled latents hold NaN or infinity.
            OutOfMemoryError: The device has too little memory.
        """
        reference = self._reference(key, read_master)
        asked = time.perf_counter()
        with self._lanes, _memory_guard("rendering an angle"):
            marks = [asked, time.perf_counter()]
            conditioning = encode_instructions(self._pipeline, reference, [job.prompt])
            marks.append(time.perf_counter())
            latents = draw_noise([job.seed], reference.grid)
            num_steps = self._pipeline.profile.num_steps
            for step, denoised in enumerate(sample(self._pipeline, reference, conditioning, latents), start=1):
                latents = denoised
                yield StepDone(step=step, num_steps=num_steps)
            marks.append(time.perf_counter())
            picture = decode(self._pipeline, latents, reference.grid)[0]
            marks.append(time.perf_counter())
        stages = ("queue", "encode", "sample", "decode")
        times = {stage: end - start for stage, start, end in zip(stages, marks[:-1], marks[1:], strict=True)}
        yield Rendered(picture=picture, stage_times_s=times)

    def _reference(self, key: str, read_master: Callable[[], Image.Image]) -> Reference:
        _use_one_thread()
        with self._encoding:
            if key not in self._references:
                with _memory_guard("encoding the master"):
                    self._references[key] = encode_reference(self._pipeline, read_master())
            self._references.move_to_end(key)
            if len(self._references) > NUM_REFERENCES_KEPT:
                self._references.popitem(last=False)
            return self._references[key]


def _use_one_thread() -> None:
    torch.set_num_threads(1)  # binds the calling thread; threads that computed before keep their own number


@contextmanager
def _memory_guard(doing: str) -> Generator[None]:
    try:
        yield
    except torch.OutOfMemoryError as exc:
        msg = f"The device ran out of memory while {doing}: choose fewer lanes, or a device with more memory."
        raise OutOfMemoryError(msg) from exc
