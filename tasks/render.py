"""Rendering: the reference is encoded once, then every angle is a task run of its own, to be tried again on its own."""

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image
from prefect import task
from prefect.client.schemas.objects import State
from prefect.states import Cancelled
from pydantic import BaseModel, ConfigDict

from models.framing import fit_to_raster, undo_framing
from models.renderer import AngleJob, Rendered
from models.specs import AngleSpec
from storage.errors import StorageError
from storage.objects import BlobRef
from storage.opening import open_store
from storage.records import AngleRecord
from storage.versions import keep_angle
from tasks.aside import Limits, call_aside, listen
from tasks.errors import StoppedError
from tasks.ingest import decode_png, encode_png
from tasks.policies import WHILE_TRANSIENT
from tasks.progress import follow
from tasks.renderers import RendererSpec, renderer_for
from tasks.spool import bring_in, set_aside
from tasks.stopping import check_not_stopped


class Keeping(BaseModel):
    """Where the pictures of a run are kept, and as whose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store_url: str
    spool: Path
    """They wait there while the store does not take them."""
    run_id: str


@task(name="encode-reference", task_run_name="encode reference", **WHILE_TRANSIENT)
def encode_reference(
    specs: Sequence[AngleSpec], master: BlobRef, renderer: RendererSpec, limits: Limits, store_url: str
) -> None:
    """Have the model loaded and the master encoded before its angles, `specs`, ask for both at once.

    Raises:
        ProfileError: The model cannot be loaded.
        AngleTimeoutError: That takes longer than an angle may.
        StorageError: The master cannot be read back.
    """
    prompts = [spec.instruction.prompt for spec in specs]
    read = partial(read_reference, specs[0], master, store_url)
    call_aside("reference", lambda: renderer_for(renderer).show(master.sha256, read, prompts), limits)


@task(name="render-angle", task_run_name="{spec.name}", **WHILE_TRANSIENT)
def render_angle(
    spec: AngleSpec, master: BlobRef, renderer: RendererSpec, limits: Limits, keeping: Keeping
) -> AngleRecord | State[Any]:
    """Encode the instruction, sample, decode and keep one angle, or keep what a try before has set aside in the spool.

    Returns the record; Prefect takes a state that is returned for the state of the task run, `Cancelled` if it stopped.

    Raises:
        ModelError: The model cannot be loaded, or cannot render this angle.
        HungStepError, AngleTimeoutError: It takes too long.
        StorageError: The master cannot be read back, or the picture cannot be kept.
    """
    try:
        check_not_stopped()
        if record := bring_in(keeping.spool, spec, open_store(keeping.store_url)):
            return record
        job = AngleJob(prompt=spec.instruction.prompt, seed=spec.seed)
        read = partial(read_reference, spec, master, keeping.store_url)
        with closing(
            listen(spec.name, lambda: renderer_for(renderer).render(master.sha256, read, job), limits)
        ) as events:
            rendered = follow(spec.name, events)
    except StoppedError as exc:
        return Cancelled(message=str(exc))
    return keep_picture(spec, rendered, keeping)


def keep_picture(spec: AngleSpec, rendered: Rendered, keeping: Keeping) -> AngleRecord:
    """Bring a rendered picture back to the master's size, keep it, and make it findable as finished.

    Raises:
        StorageError: The store does not take it; it is set aside in the spool.
    """
    start = time.perf_counter()
    store = open_store(keeping.store_url)
    picture = encode_png(undo_framing(Image.fromarray(rendered.picture), spec.framing))
    record = AngleRecord(
        name=spec.name,
        fingerprint=spec.fingerprint,
        spec=spec.model_dump(mode="json"),
        picture=BlobRef.of(picture, "image/png"),
        stage_times_s=rendered.stage_times_s,
        run_id=keeping.run_id,
        rendered_at=datetime.now(UTC).isoformat(),
    )
    try:
        store.put_blob(picture, record.picture.media_type)
        return keep_angle(store, _with_time(record, start))
    except StorageError:
        set_aside(keeping.spool, picture, _with_time(record, start))
        raise


def _with_time(record: AngleRecord, start: float) -> AngleRecord:
    return record.model_copy(update={"stage_times_s": record.stage_times_s | {"store": time.perf_counter() - start}})


def read_reference(spec: AngleSpec, master: BlobRef, store_url: str) -> Image.Image:
    """Return the master, fitted to the model's raster.

    Raises:
        StorageError: The master cannot be read back.
    """
    return fit_to_raster(decode_png(open_store(store_url).get_blob(master)), spec.framing)
