# pyright: standard
"""The metric of metrics: which score tells right views from wrong ones, where cameras are exactly known.

Run `python -m models.scores.evaluation`: true views and controls of the film stage (held-out scenes on which no
threshold was set), of path-traced scenes, and of a pair of stereo photographs; then what the miniature really makes.
It writes `table.md` and `rows.parquet`.
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from models.camera import Pose
from models.miniature.evaluation import held_out_seeds
from models.profiles import MINIATURE, QWEN_EDIT_2511, Profile
from models.scores.camera_check import expected_motion, rotation_of
from models.scores.findings import MultiViewFinding, ScoreCard
from models.scores.known import KnownScene, KnownView, rendered_scenes, stage_scene, stereo_scene
from models.scores.known_coverages import see_together
from models.scores.on_miniature import judge_miniature
from models.scores.scoring import Scorer, load_scorer
from models.scores.two_view import angle_deg
from models.thresholds import STAGE_VIEWS

SEEN_AS = {
    "left out": "left out, failed on its own",
    "missing": "not found in the place",
    "strange": "in part of somewhere else",
    "placed": "shows the place",
}
GEOMETRY = ("two_view", "multi_view")
NUM_SET = 12
"""On the first held-out scenes thresholds were set; the ones behind them are judged."""

SCORES: dict[str, Callable[[ScoreCard], float | None]] = {
    "score card": lambda card: card.order_score,
    "paper composite": lambda card: card.paper.composite,
    "paper CLIP": lambda card: card.paper.clip,
    "paper Style": lambda card: card.paper.style,
    "paper Cam Move": lambda card: card.paper.cam_move,
    "paper Semantic": lambda card: card.paper.semantic,
    "appearance": lambda card: card.place.appearance,
    "- colour distance": lambda card: -card.grade.colour_distance,
    "camera inliers": lambda card: card.camera.num_inliers,
}
"""Each so that more is better."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """One view with its card."""

    scene: KnownScene
    view: KnownView
    card: ScoreCard
    together: MultiViewFinding
    """On the coverage of right views that this one was put into."""

    @property
    def seen_as(self) -> str:
        """What the multi-view check made of it."""
        kinds = {"left out": self.together.left_out, "missing": self.together.missing, "strange": self.together.strange}
        return next((kind for kind, names in kinds.items() if self.view.name in names), "placed")

    @property
    def is_right(self) -> bool:
        """Whether the camera check calls class and direction of a true view right."""
        camera, asked = self.card.camera, self.view.asked
        if self.view.motion:
            return camera.motion == self.view.motion
        if camera.motion != expected_motion(asked):
            return False
        measured = [(camera.azimuth_deg, asked.azimuth_deg), (camera.elevation_deg, asked.elevation_deg)]
        return all(not wanted or (found or 0.0) * wanted > 0 for found, wanted in measured)


def score_scene(scorer: Scorer, scene: KnownScene) -> list[Scored]:
    """Return all views of a scene with their cards."""
    master = scorer.prepare(Image.fromarray(scene.master))
    cards = [scorer.score(master, Image.fromarray(view.picture), view.asked) for view in scene.views]
    together = see_together(scene, cards, scorer.limits)
    return [
        Scored(scene=scene, view=view, card=card, together=finding)
        for view, (card, finding) in zip(scene.views, together, strict=True)
    ]


def rank(scored: Sequence[Scored], score: Callable[[ScoreCard], float | None]) -> dict[str, tuple[float, float]]:
    """Return for each control, and for "all", the ranking accuracy within scenes and the AUC over all scenes."""
    controls = list(dict.fromkeys(each.view.control for each in scored if each.view.control))
    return {name: _rank(scored, score, {name}) for name in controls} | {"all": _rank(scored, score, set(controls))}


def _rank(
    scored: Sequence[Scored], score: Callable[[ScoreCard], float | None], controls: set[str]
) -> tuple[float, float]:
    def values(kinds: set[str], scene: str | None = None) -> np.ndarray:
        chosen = (each for each in scored if each.view.control in kinds and scene in {None, each.scene.name})
        return np.array([score(each.card) for each in chosen], float)

    scenes = dict.fromkeys(each.scene.name for each in scored)
    within = [_compare(values({""}, scene), values(controls, scene)) for scene in scenes]
    wins = np.concatenate([pairs.ravel() for pairs in within])
    return float(wins.mean()), float(_compare(values({""}), values(controls)).mean())


def _compare(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Return 1 where a right value is the greater, and a half where both are equal."""
    return (right[:, None] > wrong) + 0.5 * (right[:, None] == wrong)


def describe_cameras(scored: Sequence[Scored]) -> str:
    """Return a table of what the camera check says of true views, by pose, and of controls."""
    lines = [
        "| true view | class and direction right | by geometry | median error ° | largest |",
        "|---|---|---|---|---|",
    ]
    true = [each for each in scored if not each.view.control]
    names = dict.fromkeys(each.view.name for each in true)
    groups = {name: [each for each in true if each.view.name == name] for name in names} | {"all": true}
    for name, group in groups.items():
        errors = [error for each in group if (error := rotation_error(each)) is not None]
        geometry = sum(each.card.camera.evidence in GEOMETRY for each in group)
        found = f"{np.median(errors):.1f} | {max(errors):.1f}" if errors else "- | -"
        right = sum(each.is_right for each in group)
        lines.append(f"| {name} | {right} of {len(group)} | {geometry} | {found} |")
    fooled = [
        each
        for each in scored
        if each.view.control and each.card.camera.motion == "orbited" and each.card.verdict == "pass"
    ]
    lines.append("")
    lines.append(f"Controls called orbited without a written reason: {len(fooled)} ({_count(fooled)}).")
    return "\n".join(lines)


def rotation_error(scored: Scored) -> float | None:
    """Return the angle between the rotation that geometry measured and the true one, in degrees."""
    camera = scored.card.camera
    if camera.evidence not in GEOMETRY or scored.view.rotation is None or camera.motion not in {"orbited", "dollied"}:
        return None
    if camera.azimuth_deg is None or camera.elevation_deg is None or camera.roll_deg is None:
        return None
    measured = rotation_of_angles(camera.azimuth_deg, camera.elevation_deg, camera.roll_deg)
    return angle_deg(measured @ scored.view.rotation.T)


def rotation_of_angles(azimuth_deg: float, elevation_deg: float, roll_deg: float) -> np.ndarray:
    """Return the rotation (3, 3) that `read_angles` reads these angles from."""
    roll = np.deg2rad(roll_deg)
    turn = np.array([[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return turn @ rotation_of(Pose(azimuth_deg=azimuth_deg, elevation_deg=elevation_deg))


def _count(scored: Iterable[Scored]) -> str:
    names = [each.view.control for each in scored]
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names)) or "none"


def describe_ranking(scored: Sequence[Scored]) -> str:
    """Return a table of every score that was measured against every control: ranking accuracy / AUC over scenes."""
    ranked = {
        name: rank(scored, score)
        for name, score in SCORES.items()
        if all(score(each.card) is not None for each in scored)
    }
    controls = list(ranked["score card"])
    lines = ["| control | " + " | ".join(ranked) + " |", "|---|" + "---|" * len(ranked)]
    for control in controls:
        cells = (f"{accuracy:.3f} / {auc:.3f}" for accuracy, auc in (table[control] for table in ranked.values()))
        lines.append(f"| {control} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def describe_together(scored: Sequence[Scored]) -> str:
    """Return a table of what the multi-view check says of views and controls among the right views of their scenes."""
    lines = ["| put into the coverage | " + " | ".join(SEEN_AS.values()) + " |", "|---|" + "---|" * len(SEEN_AS)]
    for control in dict.fromkeys(each.view.control for each in scored):
        group = [each for each in scored if each.view.control == control]
        cells = [Counter(each.seen_as for each in group)[how] for how in SEEN_AS]
        lines.append(f"| {control or 'true view'} | " + " | ".join(f"{cell} of {len(group)}" for cell in cells) + " |")
    return "\n".join(lines)


def list_rows(scored: Iterable[Scored]) -> pl.DataFrame:
    """Return one row per view, with the columns of the report."""
    return pl.DataFrame(
        [
            {
                "source": each.scene.source,
                "scene": each.scene.name,
                "view": each.view.name,
                "control": each.view.control,
                **each.card.columns(),
                **each.card.paper.columns(),
                "rotation_error_deg": rotation_error(each),
                "is_right": each.is_right,
            }
            for each in scored
        ],
        infer_schema_length=None,
    )


def _stage(num: int, folder: Path) -> Iterator[Callable[[], KnownScene]]:
    for number, seed in enumerate(held_out_seeds(NUM_SET + num)[NUM_SET:]):
        yield lambda seed=seed, number=number: stage_scene(seed, number, folder)


def score_scenes(
    profile: Profile, weights: Path, scenes: Iterable[Callable[[], KnownScene]], num_threads: int
) -> list[Scored]:
    """Return all views of scenes with their cards; scenes are drawn and scored side by side."""
    scorer = load_scorer(profile, weights)
    with ThreadPoolExecutor(num_threads) as pool:
        return [each for part in pool.map(lambda scene: score_scene(scorer, scene()), scenes) for each in part]


def main() -> None:
    """Evaluate with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--known", type=Path, default=Path("tests/known_cameras"))
    parser.add_argument("--out", type=Path, default=Path(".mastershot/eval-metrics"))
    parser.add_argument("--scenes", type=int, default=12, help="of the film stage")
    parser.add_argument("--miniature", type=int, default=24, help="scenes that the miniature renders")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    threads = len(os.sched_getaffinity(0))
    on_stage = MINIATURE.model_copy(update={"thresholds": STAGE_VIEWS})
    stage = score_scenes(on_stage, arguments.weights, _stage(arguments.scenes, arguments.out / "stage"), threads)
    known = [*rendered_scenes(arguments.known), stereo_scene()]
    elsewhere = score_scenes(QWEN_EDIT_2511, arguments.weights, [lambda scene=scene: scene for scene in known], threads)
    parts = [f"# Which score tells right views from wrong ones\n\nThresholds {STAGE_VIEWS.name}: {STAGE_VIEWS.origin}."]
    for title, scored in (
        ("Film stage, scenes on which no threshold was set", stage),
        ("Path-traced scenes and stereo photographs, no judge", elsewhere),
    ):
        parts += [f"## {title}", "Ranking accuracy within scenes / AUC over scenes.", describe_ranking(scored)]
        parts += ["### The camera check", describe_cameras(scored)]
        parts += ["### The multi-view check, among nine right views", describe_together(scored)]
    if arguments.miniature:
        parts += ["## What the miniature makes", judge_miniature(arguments.weights, arguments.miniature, threads)]
    (arguments.out / "table.md").write_text("\n\n".join(parts) + "\n")
    list_rows([*stage, *elsewhere]).write_parquet(arguments.out / "rows.parquet")


if __name__ == "__main__":
    main()
