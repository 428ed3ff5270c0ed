# pyright: standard
"""Do verdicts agree with the truth on what the miniature really makes of scenes that its stage knows.

A picture is right if, of all true views of its scene and the master, the one that is nearest to it is the one asked for
(see `models.miniature.evaluation`). Wrong ones are pictures handed in for another angle, of another scene, mirrored,
the master given back, and what the model makes without its angle LoRA.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.camera import PRESETS, Pose
from models.loading import load_pipeline
from models.miniature.evaluation import AS_SHIPPED, Take, draw_truth, held_out_seeds, is_nearest, render, variants
from models.profiles import MINIATURE
from models.scores.findings import ScoreCard
from models.scores.scoring import Scorer, load_scorer

NUM_SET = 8
"""On the first held-out scenes the thresholds of the miniature were set; the ones behind them are judged."""
VERDICTS = ("pass", "review", "fail")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One picture, what it is, and what its card says."""

    kind: str
    is_right: bool
    card: ScoreCard


def judge_miniature(weights: Path, num_scenes: int, num_threads: int) -> str:
    """Return a table of verdicts by what is true, and how well they are told apart."""
    verdicts = list_verdicts(weights, num_scenes, num_threads)
    kinds = dict.fromkeys(verdict.kind for verdict in verdicts)
    lines = [
        "| pictures | right | pass | review | fail | AUC of right ones against these |",
        "|---|---|---|---|---|---|",
    ]
    right = [verdict for verdict in verdicts if verdict.is_right]
    for kind in kinds:
        group = [verdict for verdict in verdicts if verdict.kind == kind]
        counts = " | ".join(str(sum(each.card.verdict == verdict for each in group)) for verdict in VERDICTS)
        wrong = [verdict for verdict in group if not verdict.is_right]
        worth = f"{measure_auc(right, wrong):.3f}" if wrong else "-"
        lines.append(f"| {kind} | {sum(each.is_right for each in group)} of {len(group)} | {counts} | {worth} |")
    wrong = [verdict for verdict in verdicts if not verdict.is_right]
    of_verdict, of_order = measure_auc(right, wrong, rank_verdict), measure_auc(right, wrong)
    against = f"{len(right)} right against {len(wrong)} wrong pictures"
    lines += ["", f"{against}: AUC of the verdict {of_verdict:.3f}, of the order {of_order:.3f}."]
    return "\n".join(lines)


def rank_order(card: ScoreCard) -> float:
    """Return the place of a card in the order of all."""
    return card.order_score


def rank_verdict(card: ScoreCard) -> float:
    """Return the place of a card by nothing but its verdict; those of one verdict are equal."""
    return -VERDICTS.index(card.verdict)


def measure_auc(
    right: Sequence[Verdict], wrong: Sequence[Verdict], rank: Callable[[ScoreCard], float] = rank_order
) -> float:
    """Return how often a right picture stands above a wrong one, equal ones counted as halves."""
    good, bad = (np.array([rank(verdict.card) for verdict in part]) for part in (right, wrong))
    return float(((good[:, None] > bad) + 0.5 * (good[:, None] == bad)).mean())


def list_verdicts(weights: Path, num_scenes: int, num_threads: int) -> list[Verdict]:
    """Render the scenes as shipped and without the angle LoRA, and score every picture as what it may be handed in."""
    seeds = held_out_seeds(NUM_SET + num_scenes)[NUM_SET:]
    truths = [draw_truth(seed) for seed in seeds]
    profiles = variants(MINIATURE)
    shown: dict[str, list[NDArray[np.uint8]]] = {}
    for name in (AS_SHIPPED, "without the angle LoRA"):
        pipeline = load_pipeline(profiles[name], weights)
        shown[name] = [render(pipeline, master) for master, _ in truths]
    scorer = load_scorer(MINIATURE, weights)
    takes = [
        [Take(master=master, truth=truth, shown=pictures[number]) for pictures in shown.values()]
        for number, (master, truth) in enumerate(truths)
    ]
    work = zip(takes, [*takes[1:], takes[0]], strict=True)
    with ThreadPoolExecutor(num_threads) as pool:
        return [each for part in pool.map(lambda pair: list(_judge(scorer, *pair)), work) for each in part]


def _judge(scorer: Scorer, own: Sequence[Take], other: Sequence[Take]) -> Iterator[Verdict]:
    shipped, without = own
    master = scorer.prepare(Image.fromarray(shipped.master))

    def hand_in(kind: str, picture: NDArray[np.uint8], asked: Pose, *, is_right: bool = False) -> Verdict:
        return Verdict(kind=kind, is_right=is_right, card=scorer.score(master, Image.fromarray(picture), asked))

    for place, asked in enumerate(PRESETS.values()):
        another = (place + 1 + place % 7) % len(PRESETS)
        yield hand_in("as shipped", shipped.shown[place], asked, is_right=is_nearest(shipped, place))
        yield hand_in("of another angle", shipped.shown[another], asked)
        yield hand_in("of another scene", other[0].shown[place], asked)
        yield hand_in("mirrored", np.ascontiguousarray(shipped.shown[place][:, ::-1]), asked)
        yield hand_in("the master given back", shipped.master, asked)
        yield hand_in("without the angle LoRA", without.shown[place], asked, is_right=is_nearest(without, place))
