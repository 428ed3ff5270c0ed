"""The loaded encoders of this process: loading them takes seconds, and every scene asks for the same."""

import json
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from models.digests import digest_file
from models.errors import MissingWeightsError
from models.profiles import Profile, Source
from models.scores.findings import SCORES_VERSION
from models.sources import locate

if TYPE_CHECKING:
    from models.scores.scoring import Scorer

_loading = threading.Lock()


def scorer_for(profile: Profile, weights: Path) -> "Scorer":
    """Return the warm scorer of this process, loaded at first use and when its files are others.

    Raises:
        WrongWeightsError, PickledWeightsError: An encoder of the profile is damaged or not safe to open.
    """
    stamp = json.dumps(digest_judges(profile, weights))
    with _loading:
        return _load(profile, weights, stamp)  # pyright: ignore[reportArgumentType] - pydantic makes frozen models hashable


@lru_cache(maxsize=1)
def _load(profile: Profile, weights: Path, _stamp: str) -> "Scorer":
    from models.scores.scoring import load_scorer  # noqa: PLC0415 - torch is slow to import

    return load_scorer(profile, weights)


def digest_judges(profile: Profile, weights: Path) -> dict[str, object]:
    """Return all that changes a score and is not a picture."""
    return {
        "version": SCORES_VERSION,
        "thresholds": profile.thresholds.model_dump(mode="json"),
        "raster_area_px": profile.reference_area_px,
        "clip": profile.clip.model_dump(mode="json"),
        "appearance": profile.appearance and (profile.appearance.digest, profile.appearance.is_installed),
        "faces": profile.faces and (profile.faces.digest, profile.faces.is_installed),
        "clip_sha256": _digest_weights(profile.clip, "open_clip_model.safetensors", weights),
        "judge_sha256": _digest_weights(profile.judge, "judge.safetensors", weights),
    }


def _digest_weights(source: Source | None, file: str, weights: Path) -> str | None:
    """Return the SHA-256 of the weights of an encoder, or None where they are not there."""
    with suppress(MissingWeightsError):
        path = locate(source, weights) / file if source else None
        return digest_file(path, weights) if path and path.is_file() else None
    return None
