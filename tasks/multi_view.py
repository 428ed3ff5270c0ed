"""The second fan-in: the chosen pictures of a coverage, looked at together."""

import hashlib
import json
import logging
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from prefect import task

from models.camera import Pose
from models.profiles import Profile
from models.scores.findings import MultiViewFinding
from storage.cards import find_card, keep_card
from storage.objects import BlobRef, Store
from storage.opening import open_store
from tasks.coverage import spec_of
from tasks.ingest import decode_png
from tasks.policies import WHILE_TRANSIENT
from tasks.takes import Take, Takes, replace_cards

if TYPE_CHECKING:
    from models.scores.multi_view import MultiView

MIN_VIEWS, MAX_VIEWS = 2, 32
"""Beside the master; the work grows with the square."""

_LOG = logging.getLogger(__name__)


@task(name="check-multi-view", task_run_name="look at all views together", **WHILE_TRANSIENT)
def check_multi_view(master: BlobRef, takes: Takes, profile: Profile, store_url: str) -> tuple[Takes, MultiViewFinding]:
    """Return the attempts, the cards of the chosen ones with what the other pictures add, and the finding on all.

    Pictures that failed on their own are no evidence and are left out.

    Raises:
        StorageError: A picture cannot be read back.
    """
    chosen = {name: next(take for take in each if take.is_chosen) for name, each in takes.items()}
    sound = {name: take for name, take in chosen.items() if take.card_alone.verdict != "fail"}
    if reason := _why_not(profile, len(sound)):
        return takes, MultiViewFinding(status="not_measured", reason=reason)
    from models.scores.multi_view import MultiViewError  # noqa: PLC0415 - torch is slow to import
    from models.scores.together import weigh_together  # noqa: PLC0415

    try:
        seen = _look(master, sound, open_store(store_url))
    except MultiViewError as exc:
        _LOG.warning("%s", exc)
        return takes, MultiViewFinding(status="not_measured", reason=str(exc))
    cards = {name: take.card_alone for name, take in chosen.items()}
    together = weigh_together(seen, cards, {name: _given(take) for name, take in chosen.items()}, profile.thresholds)
    return replace_cards(takes, together.cards), together.finding


def _why_not(profile: Profile, num_views: int) -> str:
    """Return why the check is not made, or an empty string."""
    if not profile.multi_view:
        return f"the pictures of the profile {profile.name} are too coarse for it"
    if num_views < MIN_VIEWS:
        return f"it takes {MIN_VIEWS} angles that did not fail, and there are {num_views}"
    if num_views > MAX_VIEWS:
        return f"it takes at most {MAX_VIEWS} angles, and there are {num_views}"
    if find_spec("pycolmap") is None:
        return "pycolmap is not installed: install Mastershot with the extra `multi-view`"
    return ""


def _look(master: BlobRef, takes: Mapping[str, Take], store: Store) -> "MultiView":
    """Place the pictures around their master, or read what was found the last time."""
    from models.scores.matching import to_working_size  # noqa: PLC0415
    from models.scores.multi_view import MASTER, MULTI_VIEW_VERSION, MultiView, look_together  # noqa: PLC0415

    shown = {name: (take.record.picture.sha256, _given(take).lens) for name, take in takes.items()}
    content = {"multi_view": MULTI_VIEW_VERSION, "master": master.sha256, "views": shown}
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    if known := find_card(store, master.sha256, digest, MultiView):
        return known
    pictures = {MASTER: (to_working_size(decode_png(store.get_blob(master))), Pose())}
    for name, take in takes.items():
        pictures[name] = (to_working_size(decode_png(store.get_blob(take.record.picture))), _given(take))
    return keep_card(store, master.sha256, digest, look_together(pictures, [list(pictures)])[0])


def _given(take: Take) -> Pose:
    return spec_of(take.record).instruction.given
