"""Reproducing: the angles of a version rendered again from what its manifest keeps, and compared with what it shows."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from models.framing import undo_framing
from models.renderer import AngleJob, Machine, Rendered
from models.specs import RECIPE_VERSION, AngleSpec
from models.weights import digest_weights
from storage.objects import Store
from storage.opening import open_store
from storage.records import AngleRecord, Manifest
from storage.versions import version_name
from tasks.coverage import spec_of
from tasks.errors import InvalidRequestError
from tasks.ingest import decode_png, encode_png
from tasks.render import read_reference
from tasks.renderers import Place, RendererSpec, renderer_for

Outcome = Literal["identical", "other_file", "other_size", "other_pixels"]


class Reproduced(BaseModel):
    """How an angle that was rendered again compares with the one that is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    angle: str
    outcome: Outcome
    """`other_file` has the same pixels in another file."""
    max_difference: int | None = None
    """Of 255, over all pixels and channels; None of pictures of other sizes."""
    mean_difference: float | None = None


def choose_angles(manifest: Manifest, names: Sequence[str]) -> tuple[AngleRecord, ...]:
    """Return the angles of a version with these names, or all.

    Raises:
        InvalidRequestError: One is not in it.
    """
    known = {record.name: record for record in manifest.angles}
    unknown = [name for name in names if name not in known]
    if unknown:
        msg = (
            f"{version_name(manifest.number)} of {manifest.scene} shows no {', '.join(unknown)}: "
            f"choose from {', '.join(known)}."
        )
        raise InvalidRequestError(msg)
    return tuple(known[name] for name in dict.fromkeys(names)) if names else manifest.angles


def check_recipes(records: Sequence[AngleRecord], weights: Path) -> None:
    """Refuse angles that this code, or these weights, would make otherwise.

    Raises:
        InvalidRequestError: The recipe or the weights are others.
        ProfileError: Weights are missing or not safe to open.
        CorruptObjectError: A recipe cannot be read.
    """
    digests: dict[str, str] = {}
    for record in records:
        spec = spec_of(record)
        if spec.recipe_version != RECIPE_VERSION:
            msg = (
                f"{record.name} was rendered by recipe {spec.recipe_version} and this code has {RECIPE_VERSION}: "
                "reproduce it with the code of that time, which the lineage of its version names."
            )
            raise InvalidRequestError(msg)
        profile = spec.profile.model_dump_json()
        digests[profile] = digests.get(profile) or digest_weights(spec.profile, weights)
        if digests[profile] != spec.weights_sha256:
            msg = (
                f"{record.name} was rendered with weights {spec.weights_sha256[:12]} and those in {weights} are "
                f"{digests[profile][:12]}: put the weights of that time there, or point MASTERSHOT_WEIGHTS at them."
            )
            raise InvalidRequestError(msg)


def reproduce(
    manifest: Manifest, records: Sequence[AngleRecord], weights: Path, machine: Machine, store_url: str
) -> Iterator[Reproduced]:
    """Render angles again, keep nothing, and yield how each compares; the order is that of `records`.

    Raises:
        InvalidRequestError: `check_recipes` refuses one.
        ModelError: The model cannot be loaded, or cannot render.
        StorageError: Master or picture cannot be read back.
    """
    check_recipes(records, weights)
    render = partial(_reproduce, manifest, weights, machine, store_url)
    with ThreadPoolExecutor(machine.num_lanes) as pool:
        yield from pool.map(render, records)


def compare_pictures(name: str, kept: bytes, made: bytes) -> Reproduced:
    """Compare two PNG files, as files and by their pixels."""
    if kept == made:
        return Reproduced(angle=name, outcome="identical", max_difference=0, mean_difference=0.0)
    one, two = (np.asarray(decode_png(data).convert("RGB"), np.int16) for data in (kept, made))
    if one.shape != two.shape:
        return Reproduced(angle=name, outcome="other_size")
    difference = np.abs(one - two)
    largest = int(difference.max())
    return Reproduced(
        angle=name,
        outcome="other_pixels" if largest else "other_file",
        max_difference=largest,
        mean_difference=float(difference.mean()),
    )


def _reproduce(manifest: Manifest, weights: Path, machine: Machine, store_url: str, record: AngleRecord) -> Reproduced:
    store: Store = open_store(store_url)
    spec = spec_of(record)
    kept = store.get_blob(record.picture)
    picture = undo_framing(Image.fromarray(_render(spec, manifest, weights, machine, store_url).picture), spec.framing)
    return compare_pictures(record.name, kept, encode_png(picture))


def _render(spec: AngleSpec, manifest: Manifest, weights: Path, machine: Machine, store_url: str) -> Rendered:
    renderer = renderer_for(RendererSpec.of(spec, Place(weights=weights, machine=machine)))
    master = manifest.master.picture
    job = AngleJob(prompt=spec.instruction.prompt, seed=spec.seed)
    with closing(renderer.render(master.sha256, partial(read_reference, spec, master, store_url), job)) as events:
        (rendered,) = (event for event in events if isinstance(event, Rendered))
    return rendered
