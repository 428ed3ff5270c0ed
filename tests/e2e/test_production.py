"""What `make serve` brings up, on a real PostgreSQL with real workers: one service for all tests of this file."""

import asyncio
import os
import signal
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from PIL import Image
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from deployments.postgres import is_installed
from deployments.register import register
from models.camera import Pose
from models.miniature.cameras import camera_for
from models.miniature.raycast import render_view
from models.miniature.stage import make_scene
from storage.opening import open_store
from storage.versions import latest_version
from tasks.recovery import SILENCE
from tests.e2e.service import Service, running_service

pytestmark = [
    pytest.mark.skipif(not is_installed(), reason="PostgreSQL is not installed: apt-get install postgresql"),
    pytest.mark.timeout(400),
]
HEARTBEAT = "prefect.flow-run.heartbeat"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the master and the store are."""
    folder = tmp_path_factory.mktemp("production")
    view = render_view(make_scene(7), camera_for(Pose()), 280, 160, samples_per_axis=1)
    Image.fromarray(view.picture).save(folder / "master.png")
    return folder


@pytest.fixture(scope="module")
def service(folder: Path, weights: Path) -> Generator[Service]:
    """The service, for as long as this file needs it."""
    variables = {"STORE": str(folder / "store"), "SPOOL": str(folder / "spool"), "WEIGHTS": str(weights)}
    variables |= {"MASTER_FOLDERS": f'["{folder}"]', "NIGHTLY": str(folder / "nightly")}
    with running_service({f"MASTERSHOT_{name}": value for name, value in variables.items()}) as service:
        yield service


@pytest.fixture(scope="module")
def timeline(service: Service, folder: Path) -> str:
    """A timeline of two scenes: the process of the first is killed in the midst of it, the second has no master."""
    scenes = [{"scene": "killed", "master": str(folder / "master.png"), "angles": ["close_up"]}]
    scenes += [{"scene": "lost", "master": str(folder / "nowhere.png")}]
    run_id = service.start("render-timeline/render-timeline", parameters={"request": {"scenes": scenes}})
    (child,) = service.wait(lambda: service.runs(name={"any_": ["coverage-of-killed"]}), 120)
    tasks = {"flow_runs": {"id": {"any_": [child["id"]]}}, "task_runs": {"name": {"any_": ["encode reference"]}}}
    service.wait(lambda: service.ask("POST", "/task_runs/filter", **tasks), 120)
    os.kill(int(service.run(child["id"])["infrastructure_pid"]), signal.SIGKILL)
    return run_id


def test_nobody_comes_in_without_the_password(service: Service) -> None:
    """The API wants the password, but for its health, and the page asks for it; nothing listens but on this machine."""
    url = service.variables["PREFECT_API_URL"]
    assert httpx.get(f"{url}/health").status_code == 200
    assert httpx.post(f"{url}/flow_runs/filter", json={}).status_code == 401
    assert httpx.get(f"{url}/admin/version", auth=httpx.BasicAuth("mastershot", "guess")).status_code == 401
    assert service.ask("GET", "/admin/version")
    assert httpx.get(f"{url.removesuffix('/api')}/ui-settings").json()["auth"] == "BASIC"
    listening = [
        connection.laddr.ip
        for process in service.processes()
        for connection in process.net_connections("inet")
        if connection.status == "LISTEN"
    ]
    assert set(listening) == {"127.0.0.1"}


def test_secrets_stay_in_their_files(service: Service) -> None:
    """No command line and no log has a password; the files that have them are for their owner alone."""
    files = [service.folder / "state/prefect-auth", service.folder / "state/postgres/password"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    logs = [service.log, service.folder / "state/postgres/server.log"]
    told = [line for process in service.processes() for line in process.cmdline()] + [log.read_text() for log in logs]
    for file in files:
        secret = file.read_text().rpartition(":")[2]
        assert len(secret) >= 40
        assert [text for text in told if secret in text] == []


def test_the_server_knows_what_the_registry_says(service: Service) -> None:
    """Pools, queues by priority, deployments, their schedules, and limits are there, and a bad request is refused."""
    queues = service.ask("POST", "/work_pools/mastershot/queues/filter", limit=10)
    assert {queue["name"]: queue["priority"] for queue in queues} == {
        "urgent": 1, "normal": 2, "nightly": 3, "default": 4,
    }  # fmt: skip
    assert service.ask("GET", "/work_pools/mastershot")["concurrency_limit"] == 1
    night = service.ask("GET", "/deployments/name/nightly-coverage/nightly-coverage")
    (schedule,) = night["schedules"]
    assert (schedule["schedule"]["cron"], schedule["active"]) == ("0 2 * * *", False)
    assert schedule["schedule"]["timezone"] == "Europe/Paris"
    scene = service.ask("GET", "/deployments/name/render-scene/render-scene")
    schema = scene["parameter_openapi_schema"]
    assert {"scene", "master", "angles", "seed"} <= schema["definitions"]["SceneRequest"]["properties"].keys()
    bad = {"parameters": {"request": {"scene": "s", "master": "m", "angles": ["clos_up"]}}}
    assert service.send("POST", f"/deployments/{scene['id']}/create_flow_run", bad).status_code == 409


def test_registering_again_changes_nothing_that_an_operator_did(service: Service) -> None:
    """Pools and automations are made once; a limit that was raised and an automation that was disabled stay so."""
    before = service.ask("POST", "/automations/filter", limit=50)
    silent = next(each for each in before if "no sign of life" in each["name"])
    told = next(each for each in before if "failed their checks" in each["name"])
    old = silent | {"name": "mastershot: of a version before", "id": None}
    service.ask("POST", "/automations/", **{name: old[name] for name in ("name", "trigger", "actions")})
    service.ask("PATCH", f"/automations/{told['id']}", enabled=False)
    service.ask("PATCH", "/work_pools/mastershot", concurrency_limit=3)
    url, auth = service.variables["PREFECT_API_URL"], service.variables["PREFECT_API_AUTH_STRING"]
    with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: auth}):
        asyncio.run(register(""))
    after = {each["id"]: each for each in service.ask("POST", "/automations/filter", limit=50)}
    assert after.keys() == {each["id"] for each in before}
    assert not after[told["id"]]["enabled"]
    assert after[silent["id"]]["trigger"]["id"] == silent["trigger"]["id"]  # what it waits for goes by this
    assert service.ask("GET", "/work_pools/mastershot")["concurrency_limit"] == 3
    service.ask("PATCH", "/work_pools/mastershot", concurrency_limit=1)


def test_urgent_runs_go_first(service: Service, timeline: str) -> None:
    """Of runs that wait, those of the queue with the smallest number start first, whichever came first."""
    assert timeline
    service.ask("PATCH", "/work_pools/mastershot", is_paused=True)
    flow = service.ask("POST", "/flows/", name="note-start")
    service.ask(
        "POST",
        "/deployments/",
        name="note-start",
        flow_id=flow["id"],
        entrypoint="tests.e2e.small_flows.note_start",
        pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": os.fspath(Path.cwd())}}],
        work_pool_name="mastershot",
    )
    queues = ("nightly", "normal", "urgent")
    ids = {queue: service.start("note-start/note-start", work_queue_name=queue) for queue in queues}
    service.ask("PATCH", "/work_pools/mastershot", is_paused=False)
    runs = [service.wait_for(ids[queue], "COMPLETED") for queue in ("urgent", "normal", "nightly")]
    starts = [run["start_time"] for run in runs]
    assert starts == sorted(starts)


def test_an_event_starts_a_coverage(service: Service) -> None:
    """Whoever may send events to the server can ask for a coverage with one."""
    request = {"scene": "by_event", "master": "elsewhere.png", "angles": ["close_up"]}
    _send(service, "mastershot.coverage.wanted", "mastershot.cut.12", {"request": request})
    wanted = {"name": {"any_": ["render-scene"]}}
    runs = service.wait(
        lambda: [
            run
            for run in service.ask("POST", "/flow_runs/filter", flows=wanted)
            if run["parameters"] == {"request": request}
        ],
        30,
    )
    service.ask("DELETE", f"/flow_runs/{runs[0]['id']}")


def test_a_run_without_a_sign_of_life_has_crashed(service: Service) -> None:
    """If the heartbeat of a run of ours stops, the server marks it, wherever its machine is."""
    flow = service.ask("POST", "/flows/", name="silent")
    state = {"type": "RUNNING", "name": "Running"}
    run = service.ask("POST", "/flow_runs/", flow_id=flow["id"], tags=["mastershot"], state=state)
    _send(service, HEARTBEAT, f"prefect.flow-run.{run['id']}", {}, datetime.now(UTC) - SILENCE + timedelta(seconds=3))
    assert service.wait_for(run["id"], "CRASHED")["state"]["message"].startswith("Its process gave no")


def test_what_was_killed_runs_again_and_one_bad_scene_stops_no_other(
    service: Service, timeline: str, folder: Path
) -> None:
    """A scene whose process was killed is rendered all the same; the timeline fails with the one that cannot be."""
    run = service.wait_for(timeline, "FAILED", "COMPLETED", "CRASHED")
    assert run["state"]["message"].startswith("1 of 2 scenes failed (lost: ")
    (child,) = service.runs(name={"any_": ["coverage-of-killed"]})
    assert (child["state_type"], child["run_count"]) == ("COMPLETED", 2)
    version = latest_version(open_store(str(folder / "store")), "killed")
    assert version
    assert [record.name for record in version.angles] == ["close_up"]
    tasks = service.ask("POST", "/task_runs/filter", flow_runs={"id": {"any_": [child["id"]]}})
    assert {task["state_type"] for task in tasks} == {"COMPLETED", "CRASHED"}


def _send(
    service: Service, event: str, resource: str, payload: dict[str, object], occurred: datetime | None = None
) -> None:
    """Send an event to the server as if it came from a run of ours."""
    told = {
        "id": str(uuid4()),
        "occurred": (occurred or datetime.now(UTC)).isoformat(),
        "event": event,
        "resource": {"prefect.resource.id": resource},
        "related": [{"prefect.resource.id": "prefect.tag.mastershot", "prefect.resource.role": "tag"}],
        "payload": payload,
    }
    assert service.send("POST", "/events", [told]).is_success
