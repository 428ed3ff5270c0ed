"""The profiles: what each asks of its model, where its files are looked for, and files in all the real formats."""

import logging
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.camera import Pose, phrase
from models.errors import MissingWeightsError, UnspeakablePoseError, WrongWeightsError
from models.loading import load_pipeline
from models.profiles import MINIATURE, PROFILES, QWEN_EDIT_2509_PAPER, Profile, Source
from models.schedule import schedule
from models.sources import locate
from models.weights import digest_weights
from tests.comfy import FP8, as_scaled_2024, in_first_names

SIGMAS = [1, 0.9545, 0.9, 0.8333, 0.75, 0.6429, 0.5, 0.3, 0]
COMMIT = "5" * 40


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_every_profile_samples_the_distilled_levels(profile: Profile) -> None:
    """Eight steps at the levels that the Lightning LoRAs were distilled on, to four digits."""
    assert [round(float(sigma), 4) for sigma in schedule(profile)] == SIGMAS


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_comfyui_reaches_the_same_levels(profile: Profile) -> None:
    """Every 125th of a thousand levels that were shifted before, instead of eight levels shifted afterwards."""
    places = torch.arange(1, 1001, dtype=torch.float64) / 1000
    shifted = 3 * places / (1 + 2 * places)
    simple = [float(shifted[-(1 + int(step * 1000 / profile.num_steps))]) for step in range(profile.num_steps)]
    torch.testing.assert_close(
        schedule(profile)[:-1].double(), torch.tensor(simple), rtol=0, atol=1e-6, check_dtype=False
    )


@pytest.mark.parametrize(
    ("name", "pose"),
    [
        ("qwen-edit-2509", Pose(azimuth_deg=180)),
        ("qwen-edit-2509", Pose(distance=1.8)),
        ("qwen-edit-2509-paper", Pose(azimuth_deg=135)),
        ("qwen-edit-2511", Pose(elevation_deg=90)),
        ("qwen-edit-2511", Pose(elevation_deg=-60)),
        ("miniature", Pose(azimuth_deg=180)),
    ],
)
def test_a_pose_that_a_profile_cannot_say_is_refused(name: str, pose: Pose) -> None:
    """A dialect is never stretched to the nearest thing that it can say."""
    with pytest.raises(UnspeakablePoseError, match="dialect cannot"):
        phrase(pose, PROFILES[name].dialect)


def test_the_papers_files() -> None:
    """Table 4: fp8 base, 7B text encoder and VAE as single files, multi-angle and text-to-image Lightning LoRAs."""
    profile = QWEN_EDIT_2509_PAPER
    sources = [profile.transformer, profile.text_encoder, profile.vae, *(lora.source for lora in profile.loras)]
    assert [source.path.rpartition("/")[2] for source in sources if source] == [
        "qwen_image_edit_2509_fp8_e4m3fn.safetensors",
        "qwen_2.5_vl_7b.safetensors",
        "qwen_image_vae.safetensors",
        "Qwen-Image-Lightning-8steps-V2.0-bf16.safetensors",
        "镜头转换.safetensors",
    ]


def test_names_are_told_apart() -> None:
    """Every profile has its own name and says its licence."""
    assert all(name == profile.name and profile.licence for name, profile in PROFILES.items())


def put_into_cache(cache: Path, source: Source, content: bytes, commit: str = COMMIT) -> Path:
    """Keep a file as the hub's cache keeps it, and return its place."""
    folder = cache / f"models--{source.repo.replace('/', '--')}"
    place = folder / "snapshots" / commit / source.path
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(commit)
    return place


def test_a_file_is_found_below_the_weights_or_in_the_hubs_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A branch is what it was at the last fetch; a folder below the weights goes first; a machine may have neither."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    source, weights = Source(repo="owner/name", path="a/b.safetensors", revision="main"), tmp_path / "weights"
    with pytest.raises(MissingWeightsError, match=r"owner/name at main is neither in .* run `make fetch"):
        locate(source, weights)
    place = put_into_cache(tmp_path / "cache", source, b"from the hub")
    assert locate(source, weights) == place
    pinned = source.model_copy(update={"revision": COMMIT})
    assert locate(pinned, weights) == place
    with pytest.raises(MissingWeightsError, match="at 666666666666"):
        locate(source.model_copy(update={"revision": "6" * 40}), weights)
    (weights / "owner/name").mkdir(parents=True)
    assert locate(source, weights) == weights / "owner/name/a/b.safetensors"


@pytest.fixture
def singles(weights: Path, tmp_path: Path) -> Path:
    """The miniature, and its transformer and text encoder as ComfyUI's single files beside it."""
    shutil.copytree(weights, tmp_path, dirs_exist_ok=True)
    base = locate(MINIATURE.base, tmp_path)
    transformer = load_file(base / "transformer/diffusion_pytorch_model.safetensors")
    text_encoder = load_file(base / "text_encoder/model.safetensors")
    folder = tmp_path / "owner/comfy"
    folder.mkdir(parents=True)
    written, header = as_scaled_2024(transformer)
    save_file(written, folder / "scaled.safetensors", metadata=header)
    save_file({name: tensor.to(FP8) for name, tensor in transformer.items()}, folder / "plain.safetensors")
    save_file(transformer, folder / "whole.safetensors")
    save_file({in_first_names(name): tensor for name, tensor in text_encoder.items()}, folder / "words.safetensors")
    return tmp_path


def profile_of(transformer: str, sha256: str | None = None) -> Profile:
    """The miniature with parts from single files."""
    comfy = Source(repo="owner/comfy", revision=COMMIT)
    return MINIATURE.model_copy(
        update={
            "transformer": comfy.model_copy(update={"path": transformer, "sha256": sha256}),
            "text_encoder": comfy.model_copy(update={"path": "words.safetensors"}),
        }
    )


def test_a_profile_of_single_files_is_the_same_pipeline(singles: Path) -> None:
    """Tensor for tensor what the base in diffusers' layout gives, LoRAs fused and modulation precomputed."""
    expected, found = load_pipeline(MINIATURE, singles), load_pipeline(profile_of("whole.safetensors"), singles)
    for part in ("transformer", "text_encoder", "vae"):
        ours, theirs = getattr(found, part).state_dict(), getattr(expected, part).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_plain_8_bits_below_a_lora_are_warned_of(singles: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever fuses LoRAs of 16 bits onto a plain 8-bit base hears of the grid; scales make the warning needless."""
    with caplog.at_level(logging.WARNING, logger="models"):
        load_pipeline(profile_of("scaled.safetensors"), singles)
        assert caplog.messages == []
        load_pipeline(profile_of("plain.safetensors").model_copy(update={"loras": ()}), singles)
        assert caplog.messages == []
        load_pipeline(profile_of("plain.safetensors"), singles)
    assert "is in plain 8 bits: LoRAs of 16 bits leave a grid" in caplog.text


def test_a_digest_that_is_known_is_checked(singles: Path) -> None:
    """Other bytes under the right name are refused before anything is loaded."""
    assert digest_weights(profile_of("whole.safetensors"), singles) != digest_weights(MINIATURE, singles)
    with pytest.raises(WrongWeightsError, match=r"whole\.safetensors has the SHA-256 .* in place of 0000"):
        digest_weights(profile_of("whole.safetensors", sha256="0" * 64), singles)


def test_a_single_file_of_another_part_is_refused(singles: Path) -> None:
    """The text encoder's file in the transformer's place is named."""
    with pytest.raises(WrongWeightsError, match=r"words\.safetensors does not fit QwenImageTransformer2DModel"):
        load_pipeline(profile_of("words.safetensors"), singles)
