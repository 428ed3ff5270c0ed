"""The service that is hurt: PostgreSQL, Prefect, workers, a resident renderer, an S3 store, and what stands between."""

import os
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from PIL import Image

from models.camera import Pose
from models.miniature.cameras import camera_for
from models.miniature.raycast import render_view
from models.miniature.stage import make_scene
from storage.objects import Store
from storage.opening import open_store
from tests.chaos.servers import KillableSeaweed, run_killable_seaweed
from tests.e2e.service import Service, running_service
from tests.fault_proxy import FaultProxy, stand_before
from tests.resident import TOKEN, ResidentRenderer, run_resident

DISK_SIZE = "400m"
GIVE_UP_S = 420.0


@dataclass(frozen=True, kw_only=True)
class Patient:
    """All parts of a service."""

    folder: Path
    service: Service
    renderer: ResidentRenderer
    seaweed: KillableSeaweed
    proxy: FaultProxy
    """Before the store; whoever speaks with the store does it through this."""
    store: Store
    disk: Path
    """Where the store keeps its data."""

    @property
    def master(self) -> str:
        """The still that all coverages are of."""
        return str(self.folder / "master.png")

    def find(self, *words: str) -> psutil.Process:
        """Return the one process of the service whose command line has these words."""
        found = [each for each in self.service.processes() if set(words) <= set(_words_of(each))]
        (outermost,) = [each for each in found if each.parent() not in found]
        return outermost

    def kill(self, process: psutil.Process) -> None:
        """End a process and what it started, at once."""
        family = [process, *process.children(recursive=True)]
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(family, 20)

    def restart(self, process: psutil.Process, away_s: float = 2.0) -> None:
        """Kill a process alone, and after a while start its program again as it was."""
        command, variables, folder, account = process.cmdline(), process.environ(), process.cwd(), process.uids().real
        process.kill()
        psutil.wait_procs([process], 20)
        time.sleep(away_s)
        with (self.folder / "restarted.log").open("ab") as output:
            subprocess.Popen(  # the service ends it with itself: see `hurt_service`
                command, env=variables, cwd=folder, user=account, stdout=output, stderr=output, start_new_session=True
            )


@contextmanager
def hurt_service(folder: Path, weights: Path, step_s: float) -> Generator[Patient]:
    """Start everything, each step of the renderer taking `step_s` seconds more, and end it."""
    view = render_view(make_scene(7), camera_for(Pose()), 280, 160, samples_per_axis=1)
    Image.fromarray(view.picture).save(folder / "master.png")
    with (
        _small_disk(folder / "disk") as disk,
        run_killable_seaweed(disk) as (server, seaweed),
        stand_before(server.endpoint) as proxy,
        run_resident(weights, folder, step_s) as renderer,
    ):
        settings = {
            "STORE": f"s3://{proxy.endpoint}/faults?secure=0",
            "SPOOL": str(folder / "spool"),
            "WEIGHTS": str(weights),
            "MASTER_FOLDERS": f'["{folder}"]',
            "RENDERER": renderer.address,
            "RENDERER_TOKEN": TOKEN,
        }
        variables = {f"MASTERSHOT_{name}": value for name, value in settings.items()} | server.environment
        os.environ |= server.environment  # for the store that is looked into from here
        with running_service(variables) as service:
            yield Patient(
                folder=folder,
                service=service,
                renderer=renderer,
                seaweed=seaweed,
                proxy=proxy,
                store=open_store(server.url("faults")),
                disk=disk,
            )


@contextmanager
def _small_disk(folder: Path) -> Generator[Path]:
    folder.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", "--lazy", folder], check=True)


def _words_of(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []
