"""Attempts at the same angle: which are rendered again, and which one is chosen."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from models.scores.findings import ScoreCard
from models.scores.paper import PaperBaselines
from models.specs import AngleSpec
from storage.records import AngleRecord

NUM_SEEDS = 2**32


class Take(BaseModel):
    """One attempt at an angle, and what was found out about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    """From 1."""
    record: AngleRecord
    card: ScoreCard
    card_alone: ScoreCard
    """Without what the other pictures of the coverage add."""
    is_chosen: bool = False


class Scored(BaseModel):
    """What scoring found out about pictures of one master."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cards: dict[str, ScoreCard]
    """By name of the angle."""
    baselines: PaperBaselines
    missing: dict[str, str]
    """Encoders that are not installed, and what is to be done about it."""
    seconds: float


Takes = dict[str, tuple[Take, ...]]
"""All attempts at each angle, by its name, the first one first."""


def add_takes(takes: Takes, records: Mapping[str, AngleRecord], cards: Mapping[str, ScoreCard]) -> Takes:
    """Return the attempts with one more at each angle of `records`.

    Of each angle the best one is chosen, and the earlier one of two that are as good.
    """
    added = dict(takes)
    for name, record in records.items():
        before = takes.get(name, ())
        added[name] = _choose(
            (*before, Take(number=len(before) + 1, record=record, card=cards[name], card_alone=cards[name]))
        )
    return added


def replace_cards(takes: Takes, cards: Mapping[str, ScoreCard]) -> Takes:
    """Return the attempts with other cards on the chosen ones; `cards` go by the names of the angles."""
    return {
        name: tuple(take.model_copy(update={"card": cards[name]}) if take.is_chosen else take for take in each)
        for name, each in takes.items()
    }


def _choose(takes: tuple[Take, ...]) -> tuple[Take, ...]:
    best = max(takes, key=lambda take: (take.card.order_score, -take.number))
    return tuple(take.model_copy(update={"is_chosen": take is best}) for take in takes)


def plan_retakes(specs: Sequence[AngleSpec], takes: Takes, only: Sequence[str]) -> tuple[AngleSpec, ...]:
    """Return the recipes to try next: of every angle whose attempts all failed, with the seed that follows.

    Args:
        specs: The recipes as asked for.
        takes: The attempts so far.
        only: Angles that may be rendered at all; none named means all.
    """
    failed = [
        spec
        for spec in specs
        if (not only or spec.name in only) and all(take.card.verdict == "fail" for take in takes[spec.name])
    ]
    return tuple(spec.model_copy(update={"seed": (spec.seed + len(takes[spec.name])) % NUM_SEEDS}) for spec in failed)
