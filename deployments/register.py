"""Tell a Prefect server what there is: pools, queues, automations, and the deployments of prefect.yaml.

`python -m deployments.register` speaks with the server at PREFECT_API_URL, and can be run as often as one likes.
Notifications go to the block that NOTIFY_BLOCK names as `<type>/<name>`. With `--recover`, as whoever starts a server
does, it also plans a recovery for when every run that still lives has given a sign of life.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Scheduled

from deployments.automations import register_automations
from deployments.pools import register_pools
from deployments.processes import ServeError
from tasks.recovery import LAG, SILENCE

PROJECT = Path(__file__).resolve().parent.parent


async def register(block: str) -> None:
    """Make what is not there yet on the server.

    Raises:
        ServeError: It does not answer, does not let us in, or refuses something.
    """
    try:
        async with get_client() as client:
            await register_pools(client)
            await register_automations(client, block)
    except (HTTPError, PrefectHTTPStatusError) as exc:
        msg = f"The Prefect server did not take its pools and automations: {exc}"
        raise ServeError(msg) from exc


async def plan_recovery() -> None:
    """Have what the server's end left behind looked after: its events forget what they waited for."""
    async with get_client() as client:
        deployment = await client.read_deployment_by_name("recover/recover")
        when = Scheduled(scheduled_time=datetime.now(UTC) + SILENCE + LAG)
        await client.create_flow_run_from_deployment(deployment.id, state=when, name="after-the-start")


def main() -> int:
    """Register everything; return 1 with one sentence if that failed."""
    parser = argparse.ArgumentParser(prog="python -m deployments.register", description=__doc__)
    parser.add_argument("--recover", action="store_true", help="plan a recovery, too")
    asked = parser.parse_args()
    try:
        asyncio.run(register(os.environ.get("NOTIFY_BLOCK", "")))
    except ServeError as exc:
        sys.stderr.write(f"Failed: {exc}\n")
        return 1
    deploy = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(deploy, cwd=PROJECT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # noqa: S603
    if done.returncode:
        sys.stderr.buffer.write(done.stdout)
    elif asked.recover:
        asyncio.run(plan_recovery())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
