"""The main path: one master in, its coverage out."""

from datetime import UTC, datetime
from functools import partial
from typing import cast

from prefect import flow
from prefect.runtime import flow_run

from flows.settings import read_settings
from models.profiles import find_profile
from storage.records import Manifest
from tasks.fan_in import gather
from tasks.finished import digest_coverage, find_finished, find_missing, find_unchanged
from tasks.ingest import ingest_master
from tasks.planning import plan_coverage
from tasks.publish import publish_version
from tasks.render import encode_reference, render_angle
from tasks.renderers import RendererSpec
from tasks.reports import Coverage
from tasks.requests import SceneRequest, parse_request
from tasks.score import score_scene
from tasks.showing import show_coverage


def name_run() -> str:
    """Name a run after its scene, whatever it was that came in as a request."""
    request: object = flow_run.parameters.get("request")
    scene = (
        cast("dict[str, object]", request).get("scene") if isinstance(request, dict) else getattr(request, "scene", "?")
    )
    return f"coverage-of-{scene}"


@flow(name="render-scene", flow_run_name=name_run, validate_parameters=False)
def render_scene(request: SceneRequest) -> Manifest:
    """Render the coverage that `request` asks for, score it, and publish it as a version.

    What is finished already is not rendered again; a version that would show nothing new is not published.

    Raises:
        TaskError, ModelError, StorageError: With one sentence on what failed and what to do; every finished angle is
            kept, and running again renders just the missing ones.
    """
    settings = read_settings()
    store = settings.store
    request = parse_request(request)
    profile = find_profile(request.profile)
    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%dT%H%M%S}Z-{flow_run.id[-12:]}"

    master = ingest_master(request.master, settings.master_folders, store)
    specs = plan_coverage(request, master, settings.weights)
    renderer = RendererSpec.of(specs[0], settings.weights, settings.device, settings.lanes)
    finished = find_finished(request, master, specs, store)
    missing = find_missing(request, specs, finished)
    if missing:
        encode_reference(missing[0], master.picture, renderer, store)
    render = partial(  # one argument is left: the spec
        render_angle.submit,  # pyright: ignore[reportUnknownMemberType]
        master=master.picture,
        renderer=renderer,
        store_url=store,
        run_id=run_id,
    )
    records = finished | gather({spec.name: render(spec) for spec in missing})

    angles = tuple(records[spec.name] for spec in specs if spec.name in records)
    if unchanged := find_unchanged(request.scene, digest_coverage(master, angles), store):
        return unchanged
    scores = score_scene(master.picture, angles, profile, settings.weights, store)
    coverage = Coverage(
        scene=request.scene,
        run_id=run_id,
        created_at=now,
        profile=profile,
        master=master.picture,
        angles=angles,
        scores=scores,
    )
    manifest = publish_version(request, master, coverage, store)
    show_coverage(coverage, store)
    return manifest
