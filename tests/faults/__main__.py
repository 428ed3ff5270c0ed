"""Hurt a service in mid-coverage, many times, and say what was lost: `python -m tests.faults flow --times 10`.

The last line of the output is JSON; the exit code is 1 if a coverage did not come about whole, or a picture was
computed twice. A run that failed for good is started again once, as a person would; that is counted.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from storage.versions import latest_version
from tests.faults.kinds import KINDS
from tests.faults.service import GIVE_UP_S, Patient, hurt_service

ANGLES = ["close_up", "left_45", "wide"]
STEP_S = 0.25
ENDS = ("COMPLETED", "FAILED", "CANCELLED")


@dataclass(kw_only=True)
class Outcome:
    """How one coverage went."""

    kind: str
    is_whole: bool
    num_rendered: int
    num_runs: int
    is_by_itself: bool
    """Nobody had to start it again."""
    seconds: float

    @property
    def is_well(self) -> bool:
        """Whether nothing was lost, and nothing computed twice."""
        return self.is_whole and self.num_rendered == len(ANGLES)


def main() -> int:
    """Run the faults that the command line names, all by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    asked = parser.parse_args()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with hurt_service(folder, asked.weights.absolute(), STEP_S) as patient:
            for kind in asked.kinds or KINDS:
                for number in range(asked.times):
                    outcomes.append(hurt(patient, kind, number))
                    sys.stdout.write(f"{json.dumps(asdict(outcomes[-1]))}\n")
                    sys.stdout.flush()
    answer = [summarize(kind, [each for each in outcomes if each.kind == kind]) for kind in asked.kinds or KINDS]
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0 if all(outcome.is_well for outcome in outcomes) else 1


def hurt(patient: Patient, kind: str, number: int) -> Outcome:
    """Begin a coverage, do something to the service in the midst of an angle, and see how it ends."""
    scene, before, start = f"{kind}_{number}", patient.renderer.num_finished(), time.monotonic()
    request = {"scene": scene, "master": patient.master, "angles": ANGLES, "seed": 1000 + number}
    start_run = {"parameters": {"request": request}}
    run_id = patient.service.start("render-scene/render-scene", **start_run)
    patient.service.wait(lambda: patient.renderer.read()["replicas"][0]["running"] or None, GIVE_UP_S)
    KINDS[kind](patient, run_id)
    run = wait_patiently(patient, run_id)
    is_by_itself = run["state_type"] == "COMPLETED"
    if not is_by_itself:
        run = wait_patiently(patient, patient.service.start("render-scene/render-scene", **start_run))
    version = latest_version(patient.store, scene)
    return Outcome(
        kind=kind,
        is_whole=version is not None
        and [record.name for record in version.angles] == ANGLES
        and all(patient.store.get_blob(record.picture) for record in version.angles),
        num_rendered=patient.renderer.num_finished() - before,
        num_runs=int(run["run_count"]),
        is_by_itself=is_by_itself,
        seconds=round(time.monotonic() - start, 1),
    )


def wait_patiently(patient: Patient, run_id: str) -> dict[str, Any]:
    """Wait for the end of a run, also while the server is away."""
    deadline = time.monotonic() + GIVE_UP_S
    while True:
        try:
            run = patient.service.run(run_id)
        except (AssertionError, httpx.HTTPError):  # the server is away, or its database is
            run = {"state_type": "UNKNOWN"}
        if run["state_type"] in ENDS:
            return run
        if time.monotonic() > deadline:
            msg = f"run {run_id} did not end within {GIVE_UP_S:g} s: {run}"
            raise TimeoutError(msg)
        time.sleep(0.5)


def summarize(kind: str, outcomes: list[Outcome]) -> dict[str, object]:
    """Return one line of figures for a kind."""
    seconds = [outcome.seconds for outcome in outcomes]
    return {
        "kind": kind,
        "times": len(outcomes),
        "whole": sum(outcome.is_whole for outcome in outcomes),
        "rendered_once": sum(outcome.num_rendered == len(ANGLES) for outcome in outcomes),
        "by_itself": sum(outcome.is_by_itself for outcome in outcomes),
        "seconds": [min(seconds), statistics.median(seconds), max(seconds)] if seconds else [],
    }


if __name__ == "__main__":
    sys.exit(main())
