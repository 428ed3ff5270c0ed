"""What is done to a service in the midst of a coverage."""

import os
import time
from collections.abc import Callable

import psutil

from tests.faults.service import Patient

CUT_S, FULL_S = 30.0, 15.0
FILLER = "filler"


def kill_replica(patient: Patient, _run_id: str) -> None:
    """Kill the process that holds the model."""
    psutil.Process(int(str(patient.renderer.status()["pid"]))).kill()


def kill_flow(patient: Patient, run_id: str) -> None:
    """Kill the process of the flow run."""
    patient.kill(psutil.Process(int(patient.service.run(run_id)["infrastructure_pid"])))


def kill_worker(patient: Patient, _run_id: str) -> None:
    """Kill the worker that started the flow run, and start another one."""
    patient.restart(patient.find("worker", "mastershot-on-this-machine"))


def kill_server(patient: Patient, _run_id: str) -> None:
    """Kill the Prefect server, and start it again."""
    patient.restart(patient.find("server", "start"))


def kill_database(patient: Patient, _run_id: str) -> None:
    """Kill PostgreSQL, and start it again."""
    postmaster = next(each for each in patient.service.processes() if each.name() == "postgres")
    patient.restart(postmaster)


def kill_store(patient: Patient, _run_id: str) -> None:
    """Kill the object store, and start it again."""
    patient.seaweed.kill()
    time.sleep(2.0)
    patient.seaweed.start()


def cut_network(patient: Patient, _run_id: str) -> None:
    """Cut whoever speaks with the store off from it."""
    patient.proxy.choose = lambda _method, _path: "unreachable"
    time.sleep(CUT_S)
    patient.proxy.choose = lambda _method, _path: "none"


def fill_disk(patient: Patient, _run_id: str) -> None:
    """Fill the disk of the store, and make room again."""
    filler = patient.disk / FILLER
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(os.urandom(1 << 20))
        except OSError:
            pass
    time.sleep(FULL_S)
    filler.unlink()


KINDS: dict[str, Callable[[Patient, str], None]] = {
    "replica": kill_replica,
    "flow": kill_flow,
    "worker": kill_worker,
    "server": kill_server,
    "database": kill_database,
    "store": kill_store,
    "network": cut_network,
    "disk": fill_disk,
}
