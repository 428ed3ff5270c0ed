"""Scoring: the fan-in, every finished angle of a coverage beside its master; no picture is scored twice."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import task
from pydantic import BaseModel, ConfigDict

from models.profiles import Profile
from models.scores.findings import ScoreCard
from models.scores.paper import PaperBaselines
from storage.cards import find_card, keep_card
from storage.objects import BlobRef, Store
from storage.opening import open_store
from storage.records import AngleRecord
from tasks.coverage import spec_of
from tasks.ingest import decode_png
from tasks.policies import WHILE_TRANSIENT
from tasks.scorers import digest_judges, scorer_for
from tasks.takes import Scored

if TYPE_CHECKING:
    from models.scores.scoring import PreparedMaster, Scorer


class MasterCard(BaseModel):
    """What was found out about a master, and with what it could not be looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    baselines: PaperBaselines
    missing: dict[str, str]


@task(name="score-scene", task_run_name="score scene", **WHILE_TRANSIENT)
def score_scene(
    master: BlobRef, records: Sequence[AngleRecord], profile: Profile, weights: Path, store_url: str
) -> Scored:
    """Return the score card of every angle, by name.

    Raises:
        WrongWeightsError, PickledWeightsError: An encoder of the profile is damaged or not safe to open.
        StorageError: A picture cannot be read back.
    """
    start, store = time.perf_counter(), open_store(store_url)
    judges = digest_judges(profile, weights)
    keys = {record.name: _digest(judges, master, record) for record in records}
    pictures = {record.name: record.picture.sha256 for record in records}
    known = {name: find_card(store, pictures[name], key, ScoreCard) for name, key in keys.items()}
    cards = {name: card for name, card in known.items() if card}
    read = find_card(store, master.sha256, _digest(judges, master), MasterCard)
    fresh = [record for record in records if record.name not in cards]
    if fresh or not read:
        scorer = scorer_for(profile, weights)
        prepared = scorer.prepare(decode_png(store.get_blob(master)))
        if not read:
            measured = MasterCard(baselines=scorer.measure_baselines(prepared), missing=scorer.missing)
            read = keep_card(store, master.sha256, _digest(judges, master), measured)
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            scored = pool.map(partial(_score, scorer, prepared, keys, store), fresh)
            cards |= dict(zip((record.name for record in fresh), scored, strict=True))
    return Scored(
        cards={record.name: cards[record.name] for record in records},
        baselines=read.baselines,
        missing=read.missing,
        seconds=time.perf_counter() - start,
    )


def _score(
    scorer: "Scorer", master: "PreparedMaster", keys: dict[str, str], store: Store, record: AngleRecord
) -> ScoreCard:
    view = decode_png(store.get_blob(record.picture))
    card = scorer.score(master, view, spec_of(record).instruction.given)
    return keep_card(store, record.picture.sha256, keys[record.name], card)


def _digest(judges: dict[str, object], master: BlobRef, record: AngleRecord | None = None) -> str:
    content = judges | {"master": master.sha256}
    if record:
        given = spec_of(record).instruction.given
        content |= {"view": record.picture.sha256, "given": given.model_dump(mode="json")}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
