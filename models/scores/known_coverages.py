# pyright: standard
"""The multi-view check on scenes of known cameras: each view, right or wrong, among the right views of its scene."""

from collections.abc import Mapping, Sequence

from PIL import Image

from models.camera import Pose
from models.scores.findings import MultiViewFinding, ScoreCard
from models.scores.known import KnownScene
from models.scores.matching import to_working_size
from models.scores.multi_view import MASTER, MultiView, Pixels, look_together
from models.scores.together import Together, weigh_together
from models.thresholds import Thresholds

COVERAGE = ("close", "low", "high", "top", "wide", "azimuth_-90", "azimuth_-45", "azimuth_+45", "azimuth_+90")
"""The views of the coverage that every other view is put into, in place of the one of its name."""


def see_together(
    scene: KnownScene, cards: Sequence[ScoreCard], limits: Thresholds
) -> list[tuple[ScoreCard, MultiViewFinding]]:
    """Return the card of every view as it is among the right views of its scene, and the finding on that coverage."""
    number_of = {view.name: number for number, view in enumerate(scene.views) if not view.control}
    coverages = [_among(number_of, view.name, number) for number, view in enumerate(scene.views)]
    shown = [[number for number in coverage if cards[number].verdict != "fail"] for coverage in coverages]
    used = sorted({number for coverage in shown for number in coverage})
    pictures: dict[str, tuple[Pixels, Pose]] = {MASTER: (_shrink(scene.master), Pose())}
    pictures |= {str(number): (_shrink(scene.views[number].picture), scene.views[number].asked) for number in used}
    different = list(dict.fromkeys(tuple(coverage) for coverage in shown))
    found = look_together(pictures, [[MASTER, *map(str, coverage)] for coverage in different])
    seen = [found[different.index(tuple(coverage))] for coverage in shown]
    together = [_weigh(scene, cards, each, coverage, limits) for each, coverage in zip(seen, coverages, strict=True)]
    return [(each.cards[view.name], each.finding) for view, each in zip(scene.views, together, strict=True)]


def _among(number_of: Mapping[str, int], name: str, number: int) -> list[int]:
    """Return the numbers of the right views of a coverage, with `number` in place of the one called `name`."""
    right = {each: number_of[each] for each in COVERAGE if each in number_of}
    return list((right | {name: number}).values())


def _weigh(
    scene: KnownScene, cards: Sequence[ScoreCard], seen: MultiView, coverage: Sequence[int], limits: Thresholds
) -> Together:
    names = {number: scene.views[number].name for number in coverage}
    named = seen.model_copy(update={"views": {names[int(number)]: view for number, view in seen.views.items()}})
    mine = {name: cards[number] for number, name in names.items()}
    return weigh_together(named, mine, {name: scene.views[number].asked for number, name in names.items()}, limits)


def _shrink(picture: Pixels) -> Pixels:
    return to_working_size(Image.fromarray(picture))
