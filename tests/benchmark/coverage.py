"""Seven angles of one scene: the stock pipeline called seven times, our stages, and the whole flow, side by side.

Run `make bench`. Every round runs all contenders one after the other on the same cores with the same weights; medians
and spreads are over the rounds. The last line of the output is JSON.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from diffusers import QwenImageEditPlusPipeline
from PIL import Image
from prefect.testing.utilities import prefect_test_harness

from flows.__main__ import run_embedded
from models.camera import PRESETS, phrase
from models.framing import fit_to_raster, plan_framing
from models.in_process import InProcessRenderer
from models.loading import Pipeline, load_pipeline
from models.profiles import MINIATURE
from models.renderer import AngleJob, Machine, Rendered
from models.scores.findings import MultiViewFinding
from models.specs import AngleSpec
from models.stages import decode, draw_noise, encode_instructions, encode_reference, sample
from storage.records import AngleRecord, Manifest
from tasks.coverage import Coverage
from tasks.finished import find_finished
from tasks.ingest import ingest_master
from tasks.planning import plan_coverage
from tasks.publish import publish_version
from tasks.render import Keeping, keep_picture
from tasks.renderers import Place
from tasks.requests import DEFAULT_COVERAGE, SceneRequest
from tasks.score import score_scene
from tasks.showing import lay_out_views
from tasks.takes import add_takes
from tests.stock import stock_picture, stock_pipeline

MASTER = Path("docs/pictures/example_master.png")
WEIGHTS = Path("weights")
SPOOL = Path(".mastershot/spool")
PROMPTS = [phrase(PRESETS[preset], MINIATURE.dialect).prompt for preset in DEFAULT_COVERAGE]
NUM_CORES = len(os.sched_getaffinity(0))


def call_stock(stock: QwenImageEditPlusPipeline, picture: Image.Image, seed: int) -> None:
    """Call the stock pipeline once per angle, on all cores."""
    torch.set_num_threads(NUM_CORES)
    for prompt in PROMPTS:
        stock_picture(stock, picture, prompt, seed)


def sample_batch(pipeline: Pipeline, picture: Image.Image, seed: int) -> None:
    """Encode the reference once and sample all angles in one batch, on all cores."""
    torch.set_num_threads(NUM_CORES)
    reference = encode_reference(pipeline, picture)
    conditioning = encode_instructions(pipeline, reference, PROMPTS)
    *_, latents = sample(pipeline, reference, conditioning, draw_noise([seed] * len(PROMPTS), reference.grid))
    decode(pipeline, latents, reference.grid)


def render_lanes(pipeline: Pipeline, picture: Image.Image, seed: int) -> None:
    """Encode the reference once and render one angle per core at a time, as the flow does."""
    renderer = InProcessRenderer(pipeline, Machine(device="cpu", num_lanes=NUM_CORES))
    with ThreadPoolExecutor(NUM_CORES) as threads:
        jobs = [AngleJob(prompt=prompt, seed=seed) for prompt in PROMPTS]
        list(threads.map(lambda job: list(renderer.render("master", lambda: picture, job)), jobs))


def run_flow(seed: int) -> Manifest:
    """Run the whole flow as the command line does: ingest, seven angles, scores, Parquet, sheet, page, manifest."""
    return run_embedded(SceneRequest(scene="bench", master=str(MASTER), seed=seed))


def run_bare(renderer: InProcessRenderer, store: str, seed: int) -> None:
    """Do all that the flow does, with the same functions, without Prefect."""
    request = SceneRequest(scene="bare", master=str(MASTER), seed=seed)
    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%dT%H%M%S}Z-{seed}"
    master = ingest_master.fn(request.master, (Path(),), store)
    specs = plan_coverage.fn(request, master, Place(weights=WEIGHTS, machine=Machine(device="cpu")))
    find_finished.fn(request, master, specs, None, run_id, store)
    picture = fit_to_raster(Image.open(MASTER).convert("RGB"), specs[0].framing)

    def render(spec: AngleSpec) -> AngleRecord:
        job = AngleJob(prompt=spec.instruction.prompt, seed=spec.seed)
        # A new name: the master is encoded anew in every round.
        *_, rendered = renderer.render(f"{master.picture.sha256}-{seed}", lambda: picture, job)
        assert isinstance(rendered, Rendered)
        return keep_picture(spec, rendered, Keeping(store_url=store, spool=SPOOL, run_id=run_id))

    with ThreadPoolExecutor(len(specs)) as threads:
        records = tuple(threads.map(render, specs))
    named = {record.name: record for record in records}
    scored = score_scene.fn(master.picture, records, MINIATURE, WEIGHTS, store)
    coverage = Coverage(
        request=request,
        number=seed + 1,
        run_id=run_id,
        created_at=now,
        profile=MINIATURE,
        master=master.picture,
        takes=add_takes({}, named, scored.cards),
        rounds=(scored,),
        multi_view=MultiViewFinding(status="not_measured", reason="not part of what is timed"),
    )
    lay_out_views.fn(publish_version.fn(master, coverage, store), store)


@contextmanager
def _installation() -> Generator[str]:
    with tempfile.TemporaryDirectory() as folder, prefect_test_harness(server_startup_timeout=120):
        os.environ |= {"MASTERSHOT_STORE": f"{folder}/store", "MASTERSHOT_WEIGHTS": str(WEIGHTS.resolve())}
        yield f"{folder}/bare"


def _timed(contender: Callable[[], object]) -> float:
    start = time.perf_counter()
    contender()
    return time.perf_counter() - start


def measure(num_rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every contender in every round, after one round of warm-up."""
    pipeline = load_pipeline(MINIATURE, WEIGHTS)
    master = Image.open(MASTER).convert("RGB")
    picture = fit_to_raster(master, plan_framing(*master.size, MINIATURE.reference_area_px))
    renderer = InProcessRenderer(pipeline, Machine(device="cpu", num_lanes=NUM_CORES))
    with stock_pipeline(pipeline, WEIGHTS) as stock, _installation() as bare_store:
        stock.fuse_lora()  # as its users would: adapters that are not fused cost it a sixth more
        stock.unload_lora_weights()
        contenders: dict[str, Callable[[int], object]] = {
            "stock pipeline, 7 calls": lambda seed: call_stock(stock, picture, seed),
            "our stages, batch of 7": lambda seed: sample_batch(pipeline, picture, seed),
            "our renderer, 1 angle a core": lambda seed: render_lanes(pipeline, picture, seed),
            "whole work without Prefect": lambda seed: run_bare(renderer, bare_store, seed),
            "whole flow": run_flow,
            "whole flow again, nothing to do": run_flow,
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for seed in range(num_rounds + 1):
            for name, contender in contenders.items():
                seconds[name].append(_timed(lambda contender=contender, seed=seed: contender(seed)))
                sys.stderr.write(f"round {seed}: {name}: {seconds[name][-1]:.2f} s\n")
    return {name: values[1:] for name, values in seconds.items()}


def summarise(seconds: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return medians, spreads and the ratios that are claimed, each ratio taken within its round."""
    stock, batch, lanes, bare, flow, again = seconds.values()

    def ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
        rounds = [one / other for one, other in zip(slow, fast, strict=True)]
        return {"median": statistics.median(rounds), "min": min(rounds), "max": max(rounds)}

    return {
        "seconds": {
            name: {"median": statistics.median(values), "min": min(values), "max": max(values)}
            for name, values in seconds.items()
        },
        "speedup_batch": ratio(stock, batch),
        "speedup_lanes": ratio(stock, lanes),
        "speedup_flow": ratio(stock, flow),
        "share_of_prefect": 1 - 1 / ratio(flow, bare)["median"],
        "flow_over_again": ratio(flow, again),
        "rounds": len(stock),
        "cores": NUM_CORES,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "diffusers", "transformers", "prefect")},
        "profile": MINIATURE.model_dump(mode="json"),
    }


def write_table(summary: dict[str, Any]) -> None:
    """Write the seconds of every contender and the ratios that are claimed, for people."""
    sys.stdout.write(f"\nSeven angles of one scene, {summary['cores']} cores, {summary['rounds']} rounds, seconds:\n")
    for name, spread in summary["seconds"].items():
        sys.stdout.write(f"{name:>34}  {spread['median']:6.2f}  ({spread['min']:.2f} to {spread['max']:.2f})\n")
    claims = {
        "batch of 7 faster than stock": "speedup_batch",
        "renderer faster than stock": "speedup_lanes",
        "whole flow faster than stock": "speedup_flow",
        "flow over flow with nothing to do": "flow_over_again",
    }
    for words, key in claims.items():
        spread = summary[key]
        sys.stdout.write(f"{words:>34}  {spread['median']:5.2f}x  ({spread['min']:.2f} to {spread['max']:.2f})\n")
    sys.stdout.write(f"{'share of Prefect in the flow':>34}  {summary['share_of_prefect']:6.0%}\n\n")


def main() -> None:
    """Measure, print a table, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    summary = summarise(measure(parser.parse_args().rounds))
    write_table(summary)
    sys.stdout.write(json.dumps(summary) + "\n")


if __name__ == "__main__":
    main()
