# pyright: standard, reportPrivateImportUsage=false
"""Six angles of one master at the true size of Qwen-Image-Edit, random weights: the stock pipeline, then our renderer.

Run `make bench-full` on a machine with a GPU of 80 GB; `--size toy --device cpu` runs the same steps in a minute
anywhere, to see that they run. All contenders have the same weights in the same process, one after the other: the stock
pipeline, ours in 16 bits, ours with linears in 8 bits, and ours with the reference reused too. The last line of the
output is JSON.

Random weights take the same time and memory as trained ones, and show nothing. The tokenizer is the miniature's, so a
text has about as many tokens as with the real one, not exactly as many.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from PIL import Image
from torch import nn
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2VLProcessor

from models.attention import compile_blocks, use_quickest_backend, use_real_numbers
from models.camera import PRESETS, phrase
from models.fp8 import quantise_linears
from models.in_process import InProcessRenderer
from models.loading import Pipeline, load_processor
from models.memory import default_dtype
from models.miniature.architecture import build_text_encoder, build_transformer, build_vae, vision_tokens
from models.modulation import precompute_modulation
from models.profiles import MINIATURE, QWEN_EDIT_2509, Arithmetic, Profile
from models.renderer import AngleJob, Machine, Rendered
from models.schedule import schedule, timesteps
from models.vae import reduce_to_stills
from tasks.ingest import encode_png
from tests.stock import stock_of, stock_picture

PROMPTS = [phrase(pose, "relative").prompt for pose in list(PRESETS.values())[:6]]
FLOORS_S = {"whole": 1.35, "fp8": 0.89}
"""Of one angle's eight steps on an H100 SXM, by arithmetic: 1.34 PFLOP at its peak rate."""
TEXT_7B = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
}
VISION_7B = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584}


def build_full(processor: Qwen2VLProcessor) -> tuple[nn.Module, nn.Module, nn.Module]:
    """Return transformer, autoencoder and text encoder of the true sizes."""
    config = Qwen2_5_VLConfig(text_config=TEXT_7B, vision_config=VISION_7B, **vision_tokens(processor.tokenizer))
    return QwenImageTransformer2DModel(), AutoencoderKLQwenImage(), Qwen2_5_VLForConditionalGeneration(config)


def build_toy(processor: Qwen2VLProcessor) -> tuple[nn.Module, nn.Module, nn.Module]:
    """Return transformer, autoencoder and text encoder of the miniature's sizes."""
    return build_transformer(), build_vae(), build_text_encoder(processor.tokenizer)


@torch.no_grad()
def build_pipeline(
    profile: Profile, device: str, build: Callable[[Qwen2VLProcessor], tuple[nn.Module, ...]]
) -> Pipeline:
    """Return parts with random weights on `device`, not yet prepared."""
    processor = load_processor(Path("weights/miniature/processor"))
    torch.manual_seed(0)
    with default_dtype(getattr(torch, profile.dtype)), torch.device(device):
        transformer, vae, text_encoder = build(processor)
    for part in (transformer, vae, text_encoder):
        part.requires_grad_(requires_grad=False).eval()
    return Pipeline(
        profile=profile,
        device=torch.device(device),
        transformer=cast("QwenImageTransformer2DModel", transformer),
        vae=cast("AutoencoderKLQwenImage", vae),
        text_encoder=cast("Qwen2_5_VLForConditionalGeneration", text_encoder),
        processor=processor,
    )


def call_stock(pipeline: Pipeline, master: Image.Image, seed: int) -> dict[str, float]:
    """Call the stock pipeline once for each angle, as its users do, and keep its pictures as we do."""
    with stock_of(pipeline) as stock:
        for prompt in PROMPTS:
            encode_png(stock_picture(stock, master, prompt, seed))
    return {}


def call_ours(renderer: InProcessRenderer, master: Image.Image, seed: int) -> dict[str, float]:
    """Encode the master once and render all angles, two threads asking; return the median seconds of each stage."""
    key = f"{id(renderer)}-{seed}"
    renderer.show(key, lambda: master, PROMPTS)

    def render(prompt: str) -> dict[str, float]:
        *_, rendered = renderer.render(key, lambda: master, AngleJob(prompt=prompt, seed=seed))
        assert isinstance(rendered, Rendered)
        encode_png(Image.fromarray(rendered.picture))
        return rendered.stage_times_s

    with ThreadPoolExecutor(2) as threads:
        stages = list(threads.map(render, PROMPTS))
    return {name: statistics.median(times[name] for times in stages) for name in stages[0]}


def measure(name: str, act: Callable[[int], dict[str, float]], device: str, num_rounds: int) -> dict[str, Any]:
    """Return seconds an angle, amortised over six with all that a scene needs, after one round of warm-up."""
    is_cuda = torch.device(device).type == "cuda"
    if is_cuda:
        torch.cuda.reset_peak_memory_stats(device)
    seconds: list[float] = []
    stages: dict[str, float] = {}
    for seed in range(num_rounds + 1):
        start = time.perf_counter()
        stages = act(seed)
        if is_cuda:
            torch.cuda.synchronize(device)
        seconds.append((time.perf_counter() - start) / len(PROMPTS))
        sys.stderr.write(f"round {seed}: {name}: {seconds[-1]:.3f} s an angle\n")
    measured = seconds[1:]
    return {
        "name": name,
        "s_per_angle": {"median": statistics.median(measured), "min": min(measured), "max": max(measured)},
        "stages_s": stages,
        "peak_gib": torch.cuda.max_memory_allocated(device) / 2**30 if is_cuda else None,
    }


def count_flop(profile: Profile, transformer: QwenImageTransformer2DModel, num_words: int) -> float:
    """Return the floating-point operations of the transformer for one angle: products of linears and of attention."""
    config = transformer.config
    width = config["attention_head_dim"] * config["num_attention_heads"]
    num_pixels = 2 * profile.reference_area_px // 256
    tokens = num_pixels + num_words
    linear = 2 * tokens * 12 * width**2  # four of attention, eight of the feed-forward
    attention = 4 * tokens**2 * width
    return float(config["num_layers"] * (linear + attention) * profile.num_steps)


def contend(size: str, device: str, num_rounds: int, *, is_compiled: bool) -> list[dict[str, Any]]:
    """Measure the contenders one after the other on the same weights, each changing them a little further."""
    profile = QWEN_EDIT_2509 if size == "full" else MINIATURE
    pipeline = build_pipeline(profile, device, build_full if size == "full" else build_toy)
    transformer = pipeline.transformer
    side = int(profile.reference_area_px**0.5) // 32 * 32
    master = Image.effect_noise((side, side), 80).convert("RGB")
    flop = count_flop(profile, transformer, num_words=240)
    rows = [measure("stock pipeline", lambda seed: call_stock(pipeline, master, seed), device, num_rounds)]
    use_real_numbers(transformer)
    backend = use_quickest_backend(transformer, device)
    reduce_to_stills(pipeline.vae)
    levels = timesteps(schedule(profile)[:-1], getattr(torch, profile.dtype))
    whole, fp8 = Arithmetic(), Arithmetic(linears="fp8")
    contenders: dict[str, tuple[Arithmetic, Callable[[], object]]] = {
        "ours": (whole, lambda: precompute_modulation(transformer, levels)),
        "ours, linears in fp8": (fp8, lambda: quantise_linears(transformer.transformer_blocks)),
        "ours, fp8, reference reused": (
            fp8.model_copy(update={"reuses_reference": True}),
            lambda: None,
        ),
    }
    for name, (arithmetic, change) in contenders.items():
        change()
        torch.compiler.reset()
        if is_compiled:
            compile_blocks(transformer)
        ready = replace(pipeline, profile=profile.model_copy(update={"arithmetic": arithmetic}))
        renderer = InProcessRenderer(ready, Machine(device=device, num_lanes=2))
        row = measure(name, lambda seed, ours=renderer: call_ours(ours, master, seed), device, num_rounds)
        row["floor_h100_s"] = FLOORS_S[arithmetic.linears] if size == "full" else None
        if not arithmetic.reuses_reference:
            row["tflop_per_s"] = flop / row["stages_s"]["sample"] / 1e12
        rows.append(row)
    return [rows[0] | {"attention": "torch's own"}, *(row | {"attention": backend} for row in rows[1:])]


def write_table(rows: Sequence[dict[str, Any]]) -> None:
    """Write seconds, peaks and ratios for people."""
    stock = rows[0]["s_per_angle"]["median"]
    sys.stdout.write(
        f"\n{'':>30} {'s/angle':>8} {'spread':>15} {'faster':>7} {'peak GiB':>9} {'TFLOP/s':>8} {'floor s':>8}\n"
    )
    for row in rows:
        seconds = row["s_per_angle"]
        spread = f"{seconds['min']:.3f}-{seconds['max']:.3f}"
        cells = [row["peak_gib"], row.get("tflop_per_s"), row.get("floor_h100_s")]
        peak, speed, floor = ("" if cell is None else f"{cell:.2f}" for cell in cells)
        sys.stdout.write(
            f"{row['name']:>30} {seconds['median']:8.3f} {spread:>15} {stock / seconds['median']:6.2f}x "
            f"{peak:>9} {speed:>8} {floor:>8}\n"
        )
    sys.stdout.write("\n")


def main() -> None:
    """Measure, print a table, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=("full", "toy"), default="full")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--eager", action="store_true", help="do not compile")
    arguments = parser.parse_args()
    is_compiled = not arguments.eager
    rows = contend(arguments.size, arguments.device, arguments.rounds, is_compiled=is_compiled)
    write_table(rows)
    is_cuda = torch.device(arguments.device).type == "cuda"
    facts = {
        "size": arguments.size,
        "device": torch.cuda.get_device_name(arguments.device) if is_cuda else platform.processor() or "cpu",
        "is_compiled": is_compiled,
        "angles": len(PROMPTS),
        "rounds": arguments.rounds,
        "versions": {name: version(name) for name in ("torch", "diffusers", "transformers")},
        "weights": "random",
        "rows": rows,
    }
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
