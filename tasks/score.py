"""Scoring: the fan-in, every finished angle of a coverage against its master."""

from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.profiles import Profile
from models.scores.paper import PaperScores, score_view
from storage.objects import BlobRef, open_store
from storage.records import AngleRecord
from tasks.ingest import decode_png
from tasks.policies import RETRIES, RETRY_DELAYS_S, RETRY_JITTER, is_transient


@task(
    name="score-scene",
    task_run_name="score scene",
    cache_policy=NO_CACHE,
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAYS_S,
    retry_jitter_factor=RETRY_JITTER,
    retry_condition_fn=is_transient,
)
def score_scene(
    master: BlobRef, records: Sequence[AngleRecord], profile: Profile, weights: Path, store_url: str
) -> dict[str, PaperScores]:
    """Return the paper's figures of every angle, by name.

    Raises:
        ProfileError: The CLIP encoder of the profile cannot be loaded.
        StorageError: A picture cannot be read back.
    """
    from models.scores.clip import clip_cosines, load_clip  # noqa: PLC0415 - torch is slow to import

    store = open_store(store_url)
    reference = decode_png(store.get_blob(master))
    views = [decode_png(store.get_blob(record.picture)) for record in records]
    cosines = clip_cosines(load_clip(weights / profile.clip), reference, views)
    return {
        record.name: score_view(reference, view, cosine)
        for record, view, cosine in zip(records, views, cosines, strict=True)
    }
