"""What a task and a resident renderer add to an angle that takes no time: `python -m tests.benchmark.overhead`.

A real Prefect server on PostgreSQL, a real Ray Serve; angles of eight steps that compute nothing, one after another and
many at once, as task runs of one flow. The last line of the output is JSON.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psutil
from PIL import Image
from prefect import flow, task
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from models.renderer import AngleJob
from tasks.aside import Limits, listen
from tasks.policies import WHILE_TRANSIENT
from tasks.progress import follow
from tests.e2e.service import running_service
from tests.resident import RemoteRenderer, run_resident

NUM_ANGLES, NUM_WARM = 50, 5
MASTER = Image.new("RGB", (224, 128))
LIMITS = Limits(step_s=60, angle_s=60)


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with run_resident(Path("weights").absolute(), folder) as resident, running_service({}) as service:
            url, auth = service.variables["PREFECT_API_URL"], service.variables["PREFECT_API_AUTH_STRING"]
            with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: auth}):
                answer = measure(resident.ask())
    load = os.getloadavg()
    sys.stdout.write(
        json.dumps({"angles": NUM_ANGLES, "load_1_5_15": load, "cores": psutil.cpu_count(), **answer}) + "\n"
    )


def measure(renderer: RemoteRenderer) -> dict[str, object]:
    """Return milliseconds an angle: median, and the least and the greatest."""

    @task(name="no-op", **WHILE_TRANSIENT)
    def render(seed: int) -> float:
        start = time.perf_counter()
        job = AngleJob(prompt="sleep 0", seed=seed)
        with closing(listen("no-op", lambda: renderer.render("master", lambda: MASTER, job), LIMITS)) as events:
            follow("no-op", events)
        return 1000 * (time.perf_counter() - start)

    @flow(name="no-op-angles")
    def render_all() -> dict[str, object]:
        whole, inside = list[float](), list[float]()
        for seed in range(NUM_WARM + NUM_ANGLES):
            start = time.perf_counter()
            inside.append(render.submit(seed).result())
            whole.append(1000 * (time.perf_counter() - start))
        return {"task_ms": _describe(whole[NUM_WARM:]), "renderer_ms": _describe(inside[NUM_WARM:])}

    return render_all()


def _describe(values: list[float]) -> list[float]:
    return [round(each, 1) for each in (statistics.median(values), min(values), max(values))]


if __name__ == "__main__":
    main()
