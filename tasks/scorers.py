"""The loaded encoders of this process: loading them takes seconds, and every scene asks for the same."""

import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from models.profiles import Profile

if TYPE_CHECKING:
    from models.scores.scoring import Scorer

_loading = threading.Lock()


def scorer_for(profile: Profile, weights: Path, stamp: str) -> "Scorer":
    """Return the warm scorer of this process, loading it at first use; raises what loading raises.

    Args:
        profile: Whose encoders.
        weights: The folder of all weights.
        stamp: What the files in it are: others are another scorer.
    """
    with _loading:
        return _load(profile, weights, stamp)  # pyright: ignore[reportArgumentType] - pydantic makes frozen models hashable


@lru_cache(maxsize=1)
def _load(profile: Profile, weights: Path, _stamp: str) -> "Scorer":
    from models.scores.scoring import load_scorer  # noqa: PLC0415 - torch is slow to import

    return load_scorer(profile, weights)
