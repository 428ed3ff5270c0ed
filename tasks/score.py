"""Scoring: the fan-in, every finished angle of a coverage against its master."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from prefect import task

from models.profiles import Profile
from models.scores.paper import PaperScores, score_view, shrink_for_scores
from models.sources import locate
from storage.objects import BlobRef
from storage.opening import open_store
from storage.records import AngleRecord
from tasks.ingest import decode_png
from tasks.policies import WHILE_TRANSIENT


@task(name="score-scene", task_run_name="score scene", **WHILE_TRANSIENT)
def score_scene(
    master: BlobRef, records: Sequence[AngleRecord], profile: Profile, weights: Path, store_url: str
) -> dict[str, PaperScores]:
    """Return the paper's figures of every angle, by name.

    Raises:
        ProfileError: The CLIP encoder of the profile cannot be loaded.
        StorageError: A picture cannot be read back.
    """
    from models.scores.clip import clip_cosines, load_clip  # noqa: PLC0415 - torch is slow to import

    store, encoder = open_store(store_url), load_clip(locate(profile.clip, weights))

    def read(picture: BlobRef) -> tuple[Any, Image.Image]:
        """Return what is scored of a picture: of the full size, only one is in memory at a time."""
        full = decode_png(store.get_blob(picture))
        return encoder.transform(full), shrink_for_scores(full)

    prepared, (reference, *views) = zip(
        *(read(picture) for picture in (master, *(record.picture for record in records))), strict=True
    )
    cosines = clip_cosines(encoder, prepared)
    return {
        record.name: score_view(reference, view, cosine)
        for record, view, cosine in zip(records, views, cosines, strict=True)
    }
