"""The shipped deployment on a real server with a real worker: what `make serve` brings up does its work."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from deployments.serve import serve
from storage.opening import open_store
from storage.versions import latest_version
from tests.e2e.installation import Installation

DEPLOYMENT = "render-scene/render-scene"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.timeout(600)
def test_a_deployment_run_renders_a_coverage(installation: Installation, tmp_path: Path) -> None:
    """`prefect deployment run` completes, and the API knows the request's schema, the schedule and a bad request."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    (tmp_path / "prefect").mkdir()
    with serve(_free_port(), environment) as api:
        deployment = httpx.get(f"{api}/deployments/name/{DEPLOYMENT}", timeout=30).json()
        (schedule,) = deployment["schedules"]
        assert (schedule["schedule"]["cron"], schedule["active"]) == ("0 2 * * *", False)
        schema = deployment["parameter_openapi_schema"]
        assert list(schema["properties"]) == ["request"]
        assert {"scene", "master", "angles", "seed"} <= schema["definitions"]["SceneRequest"]["properties"].keys()

        bad = {"parameters": {"request": {"scene": "s", "master": "m", "angles": ["clos_up"]}}}
        answer = httpx.post(f"{api}/deployments/{deployment['id']}/create_flow_run", json=bad, timeout=30)
        assert answer.status_code == 409

        request = installation.request(angles=["close_up"])
        command = [sys.executable, "-m", "prefect", "deployment", "run", DEPLOYMENT, "--watch"]
        command += ["--param", f"request={httpx.Request('POST', api, json=request).content.decode()}"]
        done = subprocess.run(command, env=environment | {"PREFECT_API_URL": api}, check=False, capture_output=True)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    version = latest_version(open_store(str(installation.folder / "store")), "scene_1")
    assert version
    assert [record.name for record in version.angles] == ["close_up"]
