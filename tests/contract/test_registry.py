"""What prefect.yaml promises: deployments that their flows accept, queues and pools that are there, and no secrets."""

import importlib
import json
import re
from pathlib import Path
from typing import Any, get_type_hints
from uuid import uuid4

import pytest
import yaml
from prefect.cli.deploy._models import PrefectYamlModel
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger
from prefect.settings import PREFECT_API_AUTH_STRING, temporary_settings
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools import validate
from prefect.utilities.schema_tools.hydration import HydrationContext, hydrate
from prefect.workers.base import BaseJobConfiguration
from pydantic import BaseModel

from deployments.pools import CONTROL, QUEUES, RENDERS
from deployments.serve import POOLS
from tasks.recovery import COVERAGE, OURS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load(TEXT)["deployments"]
EXPECTED = {
    "render-scene", "rerender-angle", "render-timeline", "compare-tools", "nightly-coverage", "housekeeping", "recover",
}  # fmt: skip


def _flow(deployment: dict[str, Any]) -> Any:  # noqa: ANN401 - a flow of any parameters
    module, _, name = deployment["entrypoint"].rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_prefect_reads_the_registry() -> None:
    """Its own model of the file takes it, and every deployment is there once, under the name of its flow."""
    read = PrefectYamlModel.model_validate(yaml.safe_load(TEXT))
    assert [each.name for each in read.deployments] == [_flow(each).name for each in DEPLOYMENTS]
    assert {each["name"] for each in DEPLOYMENTS} == EXPECTED
    assert len(DEPLOYMENTS) == len(EXPECTED)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["name"])
def test_the_flow_accepts_what_its_deployment_carries(deployment: dict[str, Any]) -> None:
    """Default parameters satisfy the schema that the server checks, and the model that the flow checks."""
    flow, parameters = _flow(deployment), deployment.get("parameters", {})
    schema = parameter_schema(flow.fn).model_dump_for_openapi()
    assert validate(parameters, schema, raise_on_error=False, preprocess=True) == []
    hints = get_type_hints(flow.fn)
    assert parameters.keys() == hints.keys() - {"return"}
    for name, value in parameters.items():
        kind: type[BaseModel] = hints[name]
        assert kind.model_validate(value)
        assert kind.model_config.get("extra") == "forbid"


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["name"])
def test_a_deployment_goes_where_somebody_takes_it(deployment: dict[str, Any]) -> None:
    """Its pool has a worker, its queue a priority, what renders is in the pool of renders, and it is tagged."""
    pool = deployment["work_pool"]
    assert pool["name"] in POOLS
    assert POOLS == (RENDERS, CONTROL)
    assert ("work_queue_name" in pool) == (pool["name"] == RENDERS)
    assert pool.get("work_queue_name", "normal") in QUEUES
    assert set(deployment["tags"]) <= {OURS, COVERAGE}
    assert OURS in deployment["tags"]


def test_schedules_wait_for_a_decision() -> None:
    """Each has a slug, a time zone and a time that can be understood, and is inactive until somebody switches it on."""
    schedules = [each for deployment in DEPLOYMENTS for each in deployment.get("schedules", [])]
    assert {"cron", "interval"} <= {key for each in schedules for key in each}
    for each in schedules:
        assert each["active"] is False
        assert each["slug"]
        kind = CronSchedule if "cron" in each else IntervalSchedule
        assert kind.model_validate({name: each[name] for name in ("cron", "interval", "timezone") if name in each})


def test_limits_say_what_happens_to_one_too_many() -> None:
    """A concurrency limit has its strategy beside it."""
    limits = [deployment["concurrency_limit"] for deployment in DEPLOYMENTS if "concurrency_limit" in deployment]
    assert {limit["collision_strategy"] for limit in limits} == {"ENQUEUE", "CANCEL_NEW"}


def test_triggers_are_understood() -> None:
    """Prefect reads each trigger, and what an event carries becomes a parameter as it is."""
    triggers = [trigger for deployment in DEPLOYMENTS for trigger in deployment.get("triggers", [])]
    assert [DeploymentEventTrigger.model_validate(trigger).name for trigger in triggers]
    (wanted,) = [trigger for trigger in triggers if trigger["expect"] == ["mastershot.coverage.wanted"]]
    event = {"payload": {"request": {"scene": "s"}}}
    context = HydrationContext(jinja_context={"event": event}, render_jinja=True, render_workspace_variables=False)
    assert hydrate(wanted["parameters"], context) == {"request": {"scene": "s"}}


def test_the_registry_has_no_secrets() -> None:
    """Neither the registry nor a template of a pool holds something like a password or a key."""
    for name in ("prefect.yaml", "deployments/docker-pool.json", "deployments/kubernetes-pool.json"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert re.findall(r"(?i)(?:password|secret_key|access_key|token|api_key)\W+[\w+/-]{8,}", text) == [], name
        assert re.findall(r"\w+://[^/\s\"]+:[^/\s\"]+@", text) == [], name


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_templates_of_pools_are_whole(kind: str) -> None:
    """Each placeholder of a template is a variable of it, and an image and a store are given."""
    template = json.loads((ROOT / f"deployments/{kind}-pool.json").read_text())
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"])))
    variables = template["variables"]["properties"]
    assert used == variables.keys()
    assert variables["image"]["default"] == "mastershot:latest"
    assert variables["env"]["default"]["MASTERSHOT_STORE"].startswith("s3://")


def test_pods_get_passwords_from_their_secret() -> None:
    """The password that the worker has is kept out of what Kubernetes shows of a pod."""
    template = json.loads((ROOT / "deployments/kubernetes-pool.json").read_text())
    configuration = BaseJobConfiguration(env=template["variables"]["properties"]["env"]["default"])
    with temporary_settings({PREFECT_API_AUTH_STRING: "mastershot:of-the-worker"}):
        configuration.prepare_for_flow_run(FlowRun(flow_id=uuid4()))
    assert "of-the-worker" not in str(configuration.env)
    assert configuration.env["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"
    (container,) = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "mastershot"}}]
