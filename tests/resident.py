"""A resident renderer for tests, in processes of its own: the miniature, and jobs that only pretend to be angles."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from deployments.store import is_free
from models.errors import OutOfMemoryError
from models.profiles import Profile
from models.remote import HeldModel, RemoteRenderer, find_held_model
from models.renderer import AngleJob, Event, Machine, Rendered, Renderer, StepDone

PROJECT = Path(__file__).resolve().parent.parent
TOKEN = "a-token-of-the-tests"  # noqa: S105
NUM_STEPS = 8
MAX_QUEUED = 2
STARTUP_S = 240.0


class Pretender:
    """A renderer in front of another: `sleep 0.2` takes so long a step, `no memory` fails, all else is rendered."""

    def __init__(self, renderer: Renderer) -> None:
        """Pretend in front of a renderer."""
        self._renderer = renderer

    @classmethod
    def load(cls, profile: Profile, weights: Path, machine: Machine) -> "Pretender":
        """Load the model as a replica does."""
        from models.in_process import InProcessRenderer  # noqa: PLC0415 - torch is slow to import

        return cls(InProcessRenderer.load(profile, weights, machine))

    def show(self, key: str, read_master: Callable[[], Image.Image], prompts: Sequence[str] = ()) -> None:
        """Show it to the renderer behind."""
        self._renderer.show(key, read_master, prompts)

    def render(self, key: str, read_master: Callable[[], Image.Image], job: AngleJob) -> Generator[Event]:
        """Pretend, or render."""
        word, _, argument = job.prompt.partition(" ")
        if word == "sleep":
            for step in range(1, NUM_STEPS + 1):
                time.sleep(float(argument))
                yield StepDone(step=step, num_steps=NUM_STEPS)
            yield Rendered(picture=np.full((8, 16, 3), job.seed, np.uint8), stage_times_s={"sample": 0.0})
        elif job.prompt == "no memory":
            msg = "The device ran out of memory."
            raise OutOfMemoryError(msg)
        else:
            yield from self._renderer.render(key, read_master, job)


@dataclass(frozen=True, kw_only=True)
class ResidentRenderer:
    """Where it is, and what it holds."""

    address: str
    held: HeldModel

    def ask(self, token: str = TOKEN, **changes: object) -> RemoteRenderer:
        """Open a client of it, for what it holds with changes."""
        held = {"profile": self.held.profile, "weights_sha256": self.held.weights_sha256} | changes
        return RemoteRenderer(self.address, token=token, **held)  # pyright: ignore[reportArgumentType]

    def status(self) -> dict[str, object]:
        """Return what the only replica says of itself."""
        (row,) = self.read()["replicas"]
        return row

    def read(self) -> dict[str, Any]:
        """Return the whole status."""
        answer = httpx.get(f"{self.address}/status", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
        return answer.raise_for_status().json()

    def num_finished(self) -> int:
        """Count the pictures that all replicas together have finished."""
        return int(str(self.read()["num_finished"]))


@pytest.fixture(scope="session")
def resident(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[ResidentRenderer]:
    """One replica of the untrained miniature, for the session."""
    pytest.importorskip("ray", reason="the resident renderer needs Ray")
    with run_resident(weights, tmp_path_factory.mktemp("resident")) as renderer:
        yield renderer


@contextmanager
def run_resident(weights: Path, folder: Path) -> Generator[ResidentRenderer]:
    """Start a renderer on free ports, and end it."""
    port = next(
        first for first in random.sample(range(23_000, 26_000), 200) if all(map(is_free, range(first, first + 4)))
    )
    variables = os.environ | {"MASTERSHOT_RENDERER_TOKEN": TOKEN}
    command = [sys.executable, "-m", "tests.resident", str(weights), str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=variables, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        yield _wait(f"http://127.0.0.1:{port}", process, folder / "log")
    finally:
        process.communicate(timeout=60)  # which closes its input


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> ResidentRenderer:
    deadline = time.monotonic() + STARTUP_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(Exception):
            return ResidentRenderer(address=address, held=find_held_model(address, TOKEN))
        time.sleep(0.5)
    pytest.fail(f"the renderer did not start: {log.read_text()[-3000:]}")


def main(weights: str, port: str) -> None:
    """Run until the input ends, as it does also when the process of the tests is killed."""
    from deployments.renderer import LOCALHOST, run_renderer  # noqa: PLC0415 - Ray is not for the process of the tests
    from deployments.resident_model import ResidentModel  # noqa: PLC0415
    from tests.resident import Pretender as Importable  # noqa: PLC0415 - by the name that a replica can import

    model = ResidentModel(
        profile="miniature", weights=Path(weights), machine=Machine(device="cpu"), max_queued=MAX_QUEUED
    )
    with run_renderer(model, LOCALHOST, int(port), load=Importable.load):
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
