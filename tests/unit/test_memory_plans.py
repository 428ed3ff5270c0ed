"""How much memory a profile needs: counted without a weight, and true."""

import shutil
from pathlib import Path

import pytest
import torch

from models.errors import MissingWeightsError, TooLittleMemoryError
from models.loading import load_pipeline
from models.memory import PLANS, Memory, Parts, check_memory, count_bytes, count_parts, fit, measure_peak, predict_need
from models.profiles import MINIATURE, Arithmetic
from models.renderer import Machine
from models.sources import locate
from models.vae import decode_still

GIB = 2**30
REAL = Parts(
    loaded=38 * GIB,
    transformer=26 * GIB,
    block=GIB // 2,
    text_encoder=16 * GIB,
    vae=GIB // 4,
    sample=GIB,
    decode=GIB,
    encode=GIB,
)
"""About what the real model has."""


@pytest.mark.parametrize("linears", ["whole", "fp8"])
def test_parts_are_counted_to_the_byte(weights: Path, linears: str) -> None:
    """What is counted from the settings is what the loaded parts take, modulation dropped and linears rounded."""
    profile = MINIATURE.model_copy(update={"arithmetic": Arithmetic.model_validate({"linears": linears})})
    parts, pipeline = count_parts(profile, weights), load_pipeline(profile, weights)
    assert parts.transformer == count_bytes(pipeline.transformer)
    assert parts.text_encoder == count_bytes(pipeline.text_encoder)
    assert parts.vae == count_bytes(pipeline.vae)
    assert parts.transformer < parts.loaded


def test_weights_are_not_needed_to_count(weights: Path, tmp_path: Path) -> None:
    """Settings are enough; without them there is one sentence."""
    shutil.copytree(weights, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors"))
    assert count_parts(MINIATURE, tmp_path) == count_parts(MINIATURE, weights)
    (locate(MINIATURE.base, tmp_path) / "vae/config.json").unlink()
    with pytest.raises(MissingWeightsError, match=r"vae.config\.json is missing"):
        count_parts(MINIATURE, tmp_path)


def test_a_peak_is_what_lives_at_one_time() -> None:
    """Two tensors of a megabyte that live together count, one that is gone does not, a view takes nothing."""
    side = 512

    def act() -> None:
        gone = torch.zeros(side, side)
        del gone
        one = torch.zeros(side, side)
        two = one + 1
        two.t()[0].sum()

    assert measure_peak(act) == pytest.approx(2 * side * side * 4, abs=64)


@torch.inference_mode()
def test_what_is_counted_without_contents_is_what_a_decode_takes(weights: Path) -> None:
    """The peak of the autoencoder on tensors without contents is that of a real decode of the same size."""
    pipeline = load_pipeline(MINIATURE, weights)
    side = int(MINIATURE.reference_area_px**0.5) // 16 * 2
    real = measure_peak(lambda: decode_still(pipeline.vae, torch.zeros(1, 16, side, side)))
    assert count_parts(MINIATURE, weights).decode == pytest.approx(real, rel=0.02)


def test_plans_need_less_and_less(weights: Path) -> None:
    """Each plan needs less of the device than the one before, and what leaves the device stays on the host."""
    parts = count_parts(MINIATURE, weights)
    needs = [predict_need(parts, plan) for plan in PLANS]
    assert [need.device_bytes for need in needs] == sorted((need.device_bytes for need in needs), reverse=True)
    assert all(need.host_bytes >= parts.transformer for need in needs)


def test_a_plan_that_cannot_fit_is_refused() -> None:
    """One sentence names plan, need, what is free, and what would fit."""
    memory = Memory(device_bytes=24 * GIB, host_bytes=64 * GIB)
    with pytest.raises(TooLittleMemoryError) as caught:
        fit(REAL, Machine(device="cuda", plan="resident"), memory)
    assert str(caught.value) == (
        "The plan 'resident' needs 49.3 GiB on cuda, where 24.0 are free, and 46.2 of the machine's 64.0: "
        "choose the plan 'offload'."
    )
    assert "4.2 GiB on cuda" in fit(REAL, Machine(device="cuda", plan="offload"), memory)


def test_a_cpu_is_its_own_host() -> None:
    """On a CPU all parts are together whatever the plan, and too little is refused."""
    machine = Machine(device="cpu", plan="offload")
    assert "on cpu" in fit(REAL, machine, Memory(device_bytes=80 * GIB, host_bytes=80 * GIB))
    with pytest.raises(TooLittleMemoryError, match=r"on cpu, .*: choose linears in fp8"):
        fit(REAL, machine, Memory(device_bytes=48 * GIB, host_bytes=48 * GIB))


def test_a_profile_that_fits_says_so(weights: Path) -> None:
    """The miniature fits wherever the tests run, and says what it needs."""
    assert "GiB on cpu" in check_memory(MINIATURE, weights, Machine(device="cpu"))
