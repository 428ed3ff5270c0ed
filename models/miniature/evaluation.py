# pyright: standard, reportPrivateImportUsage=false
"""How good the miniature is, on scenes that nothing was trained on, against the truth that the film stage knows.

Run `python -m models.miniature.evaluation --out FOLDER`. A picture counts as right if, of all true views of its scene
and the master, the one that it is nearest to (mean squared error of RGB) is the one asked for.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.progress import track

from models.camera import PRESETS, Pose, Preset, phrase
from models.loading import Pipeline, load_pipeline
from models.miniature.cameras import camera_for
from models.miniature.raycast import render_view
from models.miniature.stage import is_held_out, make_scene
from models.miniature.training.views import draw
from models.miniature.visibility import fill_from_master
from models.profiles import MINIATURE, Arithmetic, Profile
from models.stages import decode, draw_noise, encode_instructions, encode_reference, sample

Pictures = NDArray[np.uint8]
"""(P, H, W, 3), one picture a preset."""

HEADING_PX = 24
AS_SHIPPED = f"as shipped, {MINIATURE.num_steps} steps with Lightning"


@dataclass(frozen=True, kw_only=True)
class Take:
    """One held-out scene as it is, and as somebody shows it."""

    master: NDArray[np.uint8]
    truth: Pictures
    shown: Pictures


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One row of the table; all but `accuracy` in decibels or as a ratio of the truth's."""

    name: str
    accuracy: dict[str, float]
    psnr_db: float
    sharpness: float

    @property
    def mean_accuracy(self) -> float:
        """Share of all pictures that are nearest to the view asked for."""
        return float(np.mean(list(self.accuracy.values())))


def held_out_seeds(num: int) -> list[int]:
    """Return the first `num` seeds that nothing may be trained on."""
    return [seed for seed in range(num * 10) if is_held_out(seed)][:num]


def draw_truth(seed: int) -> tuple[NDArray[np.uint8], Pictures]:
    """Return the master (H, W, 3) and the true view of every preset of a scene."""
    scene = make_scene(seed)
    return draw(scene, Pose()), np.stack([draw(scene, pose) for pose in PRESETS.values()])


def render(pipeline: Pipeline, master: NDArray[np.uint8], presets: Iterable[Preset] = PRESETS) -> Pictures:
    """Return presets of a master, all in one batch and from the same noise."""
    reference = encode_reference(pipeline, Image.fromarray(master))
    prompts = [phrase(PRESETS[preset], "relative").prompt for preset in presets]
    conditioning = encode_instructions(pipeline, reference, prompts)
    latents = draw_noise([0] * len(prompts), reference.grid)
    for denoised in sample(pipeline, reference, conditioning, latents):
        latents = denoised
    return decode(pipeline, latents, reference.grid)


def judge(name: str, takes: Sequence[Take]) -> Figures:
    """Return the figures of what somebody shows."""
    right = np.array([[is_nearest(take, place) for place in range(len(PRESETS))] for take in takes])
    return Figures(
        name=name,
        accuracy=dict(zip(map(str, PRESETS), right.mean(axis=0).tolist(), strict=True)),
        psnr_db=float(np.mean([_psnr(a, b) for take in takes for a, b in zip(take.shown, take.truth, strict=True)])),
        sharpness=sum(map(gradient_energy, (take.shown for take in takes)))
        / sum(map(gradient_energy, (take.truth for take in takes))),
    )


def is_nearest(take: Take, place: int) -> bool:
    """Tell whether a picture is nearest to the true view that was asked for."""
    return _nearest(take, place) == place


def _nearest(take: Take, place: int) -> int:
    """Return the place of the view that a picture is nearest to; the master comes behind all views."""
    candidates = np.concatenate([take.truth, take.master[None]]).astype(np.float32)
    return int(np.square(candidates - take.shown[place].astype(np.float32)).mean(axis=(1, 2, 3)).argmin())


def _psnr(shown: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    error = np.square(shown.astype(np.float64) - truth.astype(np.float64)).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def gradient_energy(pictures: Pictures) -> float:
    """Return the mean squared difference of neighbours, across and down."""
    values = pictures.astype(np.float64)
    return float(np.square(np.diff(values, axis=-2)).mean() + np.square(np.diff(values, axis=-3)).mean())


def baselines(truths: Iterable[tuple[NDArray[np.uint8], Pictures]]) -> dict[str, list[Take]]:
    """Return what needs no model: the master given back, and any other view of the scene."""
    random = np.random.default_rng(0)
    takes: dict[str, list[Take]] = {"no-op (the master)": [], "a random view": []}
    for master, truth in truths:
        order = (np.arange(len(truth)) + random.integers(1, len(truth), size=len(truth))) % len(truth)
        takes["no-op (the master)"].append(Take(master=master, truth=truth, shown=np.stack([master] * len(truth))))
        takes["a random view"].append(Take(master=master, truth=truth, shown=truth[order]))
    return takes


def oracle(seeds: Sequence[int], truths: Sequence[tuple[NDArray[np.uint8], Pictures]]) -> list[Take]:
    """Return what could be shown of scenes by one who knows all that their masters show, and of the rest its colour."""
    takes: list[Take] = []
    for seed, (master, truth) in zip(seeds, truths, strict=True):
        scene = make_scene(seed)
        seen = render_view(scene, camera_for(Pose()), master.shape[1], master.shape[0])
        filled = [
            fill_from_master(scene, seen, pose, view)[0] for pose, view in zip(PRESETS.values(), truth, strict=True)
        ]
        takes.append(Take(master=master, truth=truth, shown=np.stack(filled)))
    return takes


def variants(profile: Profile) -> dict[str, Profile]:
    """Return the profile as shipped, without its angle LoRA, in quicker arithmetic, and at other numbers of steps."""
    angles = tuple(lora for lora in profile.loras if lora.name == "angles")
    lightning = tuple(lora for lora in profile.loras if lora.name == "lightning")
    rows = {AS_SHIPPED: profile, "without the angle LoRA": profile.model_copy(update={"loras": lightning})}
    for name, arithmetic in (
        ("linears in fp8", Arithmetic(linears="fp8")),
        ("reference reused", Arithmetic(reuses_reference=True)),
    ):
        rows[name] = profile.model_copy(update={"arithmetic": arithmetic})
    for num_steps in (1, 2, 4, 8, 40):
        at = {"num_steps": num_steps}
        if num_steps != profile.num_steps:
            rows[f"{num_steps} steps with Lightning"] = profile.model_copy(update=at)
        rows[f"{num_steps} steps without Lightning"] = profile.model_copy(update=at | {"loras": angles})
    return rows


def write_table(rows: Sequence[Figures]) -> str:
    """Return the figures as a markdown table."""
    lines = ["| pictures by | accuracy | worst preset | PSNR dB | gradient energy |", "|---|---|---|---|---|"]
    for row in rows:
        worst = min(row.accuracy, key=lambda name: row.accuracy[name])
        lines.append(
            f"| {row.name} | {row.mean_accuracy:.3f} | {row.accuracy[worst]:.3f} ({worst}) "
            f"| {row.psnr_db:.2f} | {row.sharpness:.2f} |"
        )
    return "\n".join(lines) + "\n"


def draw_grid(takes: Sequence[Take]) -> Image.Image:
    """Return one row a scene below the names of the views asked for: the master, then ours above the truth."""
    rows: list[NDArray[np.uint8]] = []
    for take in takes:
        rows.append(np.concatenate([take.master, *take.shown], axis=1))
        rows.append(np.concatenate([np.full_like(take.master, 255), *take.truth], axis=1))
    pictures = Image.fromarray(np.concatenate(rows))
    grid = Image.new("RGB", (pictures.width, pictures.height + HEADING_PX), "white")
    grid.paste(pictures, (0, HEADING_PX))
    draw, font = ImageDraw.Draw(grid), ImageFont.load_default(HEADING_PX * 3 // 4)
    height, width = takes[0].master.shape[:2]
    for column, name in enumerate(("master", *PRESETS)):
        draw.text((column * width + 4, 2), name.replace("_", " "), "black", font)
    for row in range(len(takes)):
        draw.text((4, HEADING_PX + (2 * row + 1) * height + 2), "above: ours\nbeside: the truth", "black", font)
    return grid


def time_seven(weights: Path) -> float:
    """Return the seconds that a fresh process takes from its start to its end for seven angles, imports and all."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", __spec__.name, "--weights", weights, "--seven"], check=True)  # noqa: S603
    return time.monotonic() - started


def main() -> None:
    """Evaluate with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seven", action="store_true", help="only make seven pictures, and nothing of them")
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--out", type=Path, default=Path(".mastershot/evaluation"))
    parser.add_argument("--scenes", type=int, default=64)
    parser.add_argument("--rows", nargs="*", help="only these rows of the table")
    arguments = parser.parse_args()
    if arguments.seven:
        render(load_pipeline(MINIATURE, arguments.weights), draw(make_scene(7), Pose()), presets=list(PRESETS)[:7])
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    seeds = held_out_seeds(arguments.scenes)
    truths = [draw_truth(seed) for seed in track(seeds, description="Drawing the truth")]
    rows = baselines(truths) | {"an oracle of what the master shows": oracle(seeds, truths)}
    figures = [judge(name, takes) for name, takes in rows.items()]
    for name, profile in variants(MINIATURE).items():
        if arguments.rows and name not in arguments.rows:
            continue
        pipeline, started = load_pipeline(profile, arguments.weights), time.monotonic()
        takes = [
            Take(master=master, truth=truth, shown=render(pipeline, master))
            for master, truth in track(truths, description=name)
        ]
        figures.append(judge(name, takes))
        seconds = (time.monotonic() - started) / len(takes)
        (arguments.out / f"{name.replace(' ', '_')}.json").write_text(json.dumps(figures[-1].accuracy | {"s": seconds}))
        if name == AS_SHIPPED:
            draw_grid(takes[:8]).save(arguments.out / "grid.png")
    seconds = time_seven(arguments.weights)
    table = (
        write_table(figures) + f"\nSeven angles from a fresh process, imports and loading included: {seconds:.1f} s.\n"
    )
    (arguments.out / "table.md").write_text(table)


if __name__ == "__main__":
    main()
