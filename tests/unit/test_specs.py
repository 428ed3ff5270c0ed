"""The fingerprint of an angle: it changes with all that changes a pixel, and with nothing else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from models.camera import Instruction, Pose
from models.dialects import RelativeMove
from models.framing import Framing
from models.profiles import DISTILLED_SCHEDULER, JUDGES, Lora, Profile, Source
from models.specs import AngleSpec

PROFILE = Profile(
    name="test",
    base=Source(repo="test/base", revision="1"),
    vae=Source(repo="test/comfy", path="vae.safetensors", revision="1", sha256="99" * 32),
    licence="Apache-2.0",
    training="untrained",
    dialect="relative",
    loras=(Lora(name="angles", source=Source(repo="test/angles", path="a.safetensors", revision="1"), strength=0.9),),
    scheduler=DISTILLED_SCHEDULER,
    num_steps=8,
    reference_area_px=224 * 128,
    condition_area_px=112 * 112,
    dtype="float32",
    clip=Source(repo="test/clip", revision="1"),
)
SPEC = AngleSpec(
    name="left_45",
    asked=Pose(azimuth_deg=-40),
    instruction=Instruction(
        dialect="relative",
        settings=RelativeMove(rotate=-45),
        prompt="将镜头向左旋转45度 Rotate the camera 45 degrees to the left.",
        given=Pose(azimuth_deg=-45),
        is_extrapolated=False,
    ),
    seed=7,
    profile=PROFILE,
    weights_sha256="11" * 32,
    reference_sha256="22" * 32,
    framing=Framing(
        source_width_px=390,
        source_height_px=200,
        raster_width_px=224,
        raster_height_px=128,
        left_px=2,
        top_px=7,
        content_width_px=220,
        content_height_px=113,
    ),
    recipe_version=1,
)
GOLDEN_FINGERPRINT = "d00cb3ee20e8ad758da4866efe3d3668cfbfb2310327f291141b19363a10b9bb"

OTHER_VALUES: dict[str, object] = {
    "instruction.dialect": "absolute",
    "instruction.settings.move_horizontal": "left",
    "instruction.settings.move_vertical": "up",
    "instruction.settings.move_forward": "yes",
    "instruction.settings.rotate": 45,
    "instruction.settings.view_top_down": True,
    "instruction.settings.view_wide_angle": True,
    "instruction.settings.view_close_up": True,
    "instruction.settings.view_bottom_up": True,
    "instruction.prompt": "Hold the camera still.",
    "instruction.given.azimuth_deg": 45.0,
    "instruction.given.elevation_deg": 30.0,
    "instruction.given.distance": 0.8,
    "instruction.given.lens": "wide",
    "instruction.is_extrapolated": True,
    "seed": 8,
    "profile.name": "other",
    "profile.base.repo": "other/base",
    "profile.base.path": "inner",
    "profile.base.revision": "2",
    "profile.base.sha256": "55" * 32,
    "profile.transformer": {"repo": "test/comfy", "path": "dit.safetensors", "revision": "1", "sha256": None},
    "profile.vae.repo": "other/comfy",
    "profile.vae.path": "other.safetensors",
    "profile.vae.revision": "2",
    "profile.vae.sha256": "55" * 32,
    "profile.text_encoder": {"repo": "test/comfy", "path": "words.safetensors", "revision": "1", "sha256": None},
    "profile.licence": "MIT",
    "profile.training": "trained",
    "profile.dialect": "absolute",
    "profile.loras.0.name": "other",
    "profile.loras.0.source.repo": "other/angles",
    "profile.loras.0.source.path": "b.safetensors",
    "profile.loras.0.source.revision": "2",
    "profile.loras.0.source.sha256": "55" * 32,
    "profile.loras.0.strength": 1.0,
    "profile.scheduler.base_image_seq_len": 1,
    "profile.scheduler.max_image_seq_len": 4096,
    "profile.scheduler.base_shift": 0.5,
    "profile.scheduler.max_shift": 0.5,
    "profile.scheduler.num_train_timesteps": 500,
    "profile.scheduler.shift": 3.0,
    "profile.scheduler.shift_terminal": 0.02,
    "profile.scheduler.time_shift_type": "linear",
    "profile.scheduler.use_dynamic_shifting": False,
    "profile.num_steps": 4,
    "profile.reference_area_px": 256 * 256,
    "profile.condition_area_px": 224 * 224,
    "profile.dtype": "bfloat16",
    "profile.clip.repo": "other/clip",
    "profile.clip.path": "inner",
    "profile.clip.revision": "2",
    "profile.clip.sha256": "55" * 32,
    "profile.arithmetic.linears": "fp8",
    "profile.arithmetic.reuses_reference": True,
    "weights_sha256": "33" * 32,
    "reference_sha256": "44" * 32,
    "framing.source_width_px": 389,
    "framing.source_height_px": 199,
    "framing.raster_width_px": 288,
    "framing.raster_height_px": 160,
    "framing.left_px": 1,
    "framing.top_px": 1,
    "framing.content_width_px": 219,
    "framing.content_height_px": 112,
    "recipe_version": 2,
}

EQUAL = ("profile.scheduler.base_shift", "profile.scheduler.max_shift")


def leaves(value: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield the dotted path of every leaf of JSON."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for name, inner in pairs:
            yield from leaves(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path


def changed(path: str, value: object) -> AngleSpec:
    """Return the spec with another value at one dotted path, and at the one that has to be equal to it, if any."""
    content = SPEC.model_dump(mode="json")
    for place in EQUAL if path in EQUAL else (path,):
        *parents, last = [int(part) if part.isdigit() else part for part in place.split(".")]
        inner: Any = content
        for part in parents:
            inner = inner[part]
        assert inner[last] != value
        inner[last] = value
    return AngleSpec.model_validate(content)


def test_every_field_is_accounted_for() -> None:
    """Each leaf of a spec either changes the fingerprint below, or is the name, the pose asked for, or of a judge."""
    found = set(leaves(SPEC.model_dump(mode="json", exclude={"name": True, "asked": True, "profile": set(JUDGES)})))
    assert found == set(OTHER_VALUES), "a field was added or removed: say here whether it changes a pixel"


@pytest.mark.parametrize("path", OTHER_VALUES)
def test_fingerprint_changes_with(path: str) -> None:
    """Another value of a field that may change a pixel is another fingerprint."""
    assert changed(path, OTHER_VALUES[path]).fingerprint != SPEC.fingerprint


def test_another_lora_is_another_fingerprint() -> None:
    """A LoRA more, or the same two in another order, is another recipe."""
    more = Lora(name="lightning", source=Source(repo="test/lightning", revision="1"))
    orders = [(*PROFILE.loras, more), (more, *PROFILE.loras), PROFILE.loras, ()]
    specs = [SPEC.model_copy(update={"profile": PROFILE.model_copy(update={"loras": order})}) for order in orders]
    assert len({spec.fingerprint for spec in specs}) == len(orders)


@pytest.mark.parametrize(
    ("path", "value"), [("name", "close_up"), ("asked.azimuth_deg", -45.0), ("asked.lens", "wide")]
)
def test_fingerprint_does_not_change_with(path: str, value: object) -> None:
    """What an angle is called, and what was asked for before it was settled, change no pixel."""
    assert changed(path, value).fingerprint == SPEC.fingerprint


def test_fingerprint_is_the_one_it_always_was() -> None:
    """The fingerprint of one fixed spec is a constant: another value here makes every finished angle unfindable."""
    assert SPEC.fingerprint == GOLDEN_FINGERPRINT


def test_fingerprint_survives_json() -> None:
    """A spec that was kept as JSON is found again under the same fingerprint, whatever the order of its keys."""
    restored = AngleSpec.model_validate_json(SPEC.model_dump_json())
    shuffled = AngleSpec.model_validate(dict(reversed(json.loads(SPEC.model_dump_json()).items())))
    assert restored == shuffled == SPEC
    assert restored.fingerprint == shuffled.fingerprint == SPEC.fingerprint


def test_whole_numbers_need_no_point() -> None:
    """1 and 1.0 are the same strength and the same degrees, wherever they were written."""
    assert changed("instruction.given.azimuth_deg", 45) == changed("instruction.given.azimuth_deg", 45.0)
    one = changed("profile.loras.0.strength", 1)
    assert one.fingerprint == changed("profile.loras.0.strength", 1.0).fingerprint
