"""The main path: one master in, its coverage out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from prefect import flow
from prefect.runtime import flow_run

from flows.settings import Settings, read_settings
from models.scores.findings import MultiViewFinding
from models.specs import AngleSpec
from storage.objects import BlobRef
from storage.records import AngleRecord, Manifest
from tasks.announcing import announce_failed_checks
from tasks.coverage import Coverage
from tasks.fan_in import gather
from tasks.finished import digest_coverage, find_finished, find_parent
from tasks.ingest import ingest_master
from tasks.multi_view import check_multi_view
from tasks.planning import plan_coverage
from tasks.publish import publish_version
from tasks.render import Keeping, encode_reference, render_angle
from tasks.renderers import RendererSpec
from tasks.requests import SceneRequest, parse_request
from tasks.score import score_scene
from tasks.showing import lay_out_views, show_coverage
from tasks.stopping import stoppable
from tasks.store_check import check_store
from tasks.takes import Scored, Takes, add_takes, plan_retakes
from tasks.work import at_work


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
    settings, request = read_settings(), parse_request(request)
    # Both parts stay the same over all retries of a flow run, so that a retry knows what the tries before it did.
    run_id = f"{flow_run.scheduled_start_time.astimezone(UTC):%Y%m%dT%H%M%S}Z-{flow_run.id[-12:]}"
    with at_work(run_id, check_store(settings.store)):
        return cover(request, settings, run_id)


def cover(request: SceneRequest, settings: Settings, run_id: str) -> Manifest:
    """Do, in order, what a run does while no sweep is under way."""
    store = settings.store
    master = ingest_master(request.master, settings.master_folders, store)
    specs = plan_coverage(request, master, settings.place)
    renderer = RendererSpec.of(specs[0], settings.place)
    parent = find_parent(request.scene, run_id, store, is_retry=flow_run.run_count > 1)
    takes: Takes = {}
    rounds: list[Scored] = []
    multi_view = MultiViewFinding(status="not_measured")
    wanted = specs
    while wanted and len(rounds) < request.max_attempts:
        finished = find_finished(request, master, wanted, None if rounds else parent, run_id, store)
        records = shoot(wanted, finished, master.picture, renderer, settings, run_id)
        rounds.append(score_scene(master.picture, list(records.values()), renderer.profile, settings.weights, store))
        takes = add_takes(takes, records, rounds[-1].cards)
        takes, multi_view = check_multi_view(master.picture, takes, renderer.profile, store)
        wanted = plan_retakes(specs, takes, request.only_angles)

    coverage = Coverage(
        request=request,
        number=parent.number + 1 if parent else 1,
        run_id=run_id,
        created_at=datetime.now(UTC),
        profile=renderer.profile,
        master=master.picture,
        takes=takes,
        rounds=tuple(rounds),
        multi_view=multi_view,
    )
    if parent and parent.coverage_sha256 == digest_coverage(master, coverage.angles, coverage.others):
        manifest = parent
    else:
        manifest = publish_version(master, coverage, store)
    lay_out_views(manifest, store)
    show_coverage(manifest, store)
    announce_failed_checks(manifest, run_id)
    return manifest


def shoot(
    specs: Sequence[AngleSpec],
    finished: dict[str, AngleRecord],
    master: BlobRef,
    renderer: RendererSpec,
    settings: Settings,
    run_id: str,
) -> dict[str, AngleRecord]:
    """Render what of `specs` is not finished, a task run for each recipe, and return the records of all by name."""
    missing = [spec for spec in specs if spec.name not in finished]
    if missing:
        encode_reference(missing, master, renderer, settings.limits, settings.store)
    recipes = {spec.fingerprint: spec for spec in missing}  # two names may ask for the same picture
    keeping = Keeping(store_url=settings.store, spool=settings.spool, run_id=run_id)
    with stoppable() as submitted:
        for spec in recipes.values():
            submitted.append(render_angle.submit(spec, master, renderer, settings.limits, keeping))  # pyright: ignore[reportUnknownMemberType]
        records = finished | gather(missing, dict(zip(recipes, submitted, strict=True)))
    return {spec.name: records[spec.name] for spec in specs}
