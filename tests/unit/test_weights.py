"""The files of a profile: what is absent, says nothing or is of the wrong kind is refused in one sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLQwenImage
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLForConditionalGeneration

from models.errors import MissingWeightsError, ProfileError, WrongWeightsError
from models.loading import load_module, load_processor
from models.profiles import MINIATURE
from models.scores.clip import load_clip
from models.weights import as_found, digest_weights

REQUIRED = (
    "transformer/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "processor/processor_config.json",
    "processor/tokenizer.json",
    "processor/tokenizer_config.json",
    "clip/open_clip_config.json",
)
"""Settings without which a library takes the defaults of another model, gigabytes of them for some."""


@pytest.fixture
def copy(weights: Path, tmp_path: Path) -> Path:
    """A copy of all weights that may be spoilt."""
    shutil.copytree(weights, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def base(copy: Path) -> Path:
    """Folder of the miniature in the copy."""
    return copy / MINIATURE.base.repo


def refusal(kind: type[ProfileError], act: Callable[[], object]) -> str:
    """Return the one sentence with which something is refused."""
    with pytest.raises(kind) as caught:
        act()
    sentence = str(caught.value)
    assert len(sentence.splitlines()) == 1
    assert sentence.endswith(("first.", "again."))
    return sentence


def split(model: Path) -> tuple[Path, Path]:
    """Turn one safetensors file into two shards and their index; return the index and the second shard."""
    state = load_file(model)
    half = len(state) // 2
    shards = [model.with_stem(f"{model.stem}-0000{number}-of-00002") for number in (1, 2)]
    places = {name: shards[int(number >= half)].name for number, name in enumerate(sorted(state))}
    for shard in shards:
        part = {name: state[name] for name, place in places.items() if place == shard.name}
        save_file(part, shard, metadata={"format": "pt"})
    model.unlink()
    index = model.with_name(f"{model.name}.index.json")
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index, shards[1]


@pytest.mark.parametrize("name", REQUIRED)
def test_missing_settings_are_named(copy: Path, base: Path, name: str) -> None:
    """Settings that are not there are refused by name before anything is loaded."""
    (base / name).unlink()
    named = name.replace("processor/processor_config", "processor/preprocessor_config")
    assert named in refusal(MissingWeightsError, lambda: digest_weights(MINIATURE, copy))


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", "\0", "[" * 100_000], ids=repr)
@pytest.mark.parametrize("name", REQUIRED)
def test_settings_that_say_nothing_are_named(copy: Path, base: Path, name: str, text: str) -> None:
    """Settings that are empty, or no JSON object, would leave a library to its defaults."""
    (base / name).write_text(text)
    assert name in refusal(WrongWeightsError, lambda: digest_weights(MINIATURE, copy))


def test_pictures_may_have_settings_of_their_own(copy: Path, base: Path) -> None:
    """The layout before transformers 5, with a file for the pictures alone, is taken too."""
    path = base / "processor/processor_config.json"
    settings = json.loads(path.read_text())
    path.unlink()
    for kind, name in (("image_processor", "preprocessor"), ("video_processor", "video_preprocessor")):
        (base / f"processor/{name}_config.json").write_text(json.dumps(settings[kind]))
    assert digest_weights(MINIATURE, copy)
    assert load_processor(base / "processor").image_processor.patch_size == settings["image_processor"]["patch_size"]


def test_missing_shard(base: Path) -> None:
    """A shard that the index names and the folder lacks is named; with all shards the model is the same."""
    whole = load_module(AutoencoderKLQwenImage, base / "vae", torch.float32).state_dict()
    index, shard = split(base / "vae/diffusion_pytorch_model.safetensors")
    parts = load_module(AutoencoderKLQwenImage, base / "vae", torch.float32).state_dict()
    assert all(torch.equal(tensor, parts[name]) for name, tensor in whole.items())
    shard.unlink()
    sentence = refusal(MissingWeightsError, lambda: load_module(AutoencoderKLQwenImage, base / "vae", torch.float32))
    assert f"{index} names {shard.name}" in sentence


@pytest.mark.parametrize("wrong", [{"metadata": {}}, {"weight_map": [1]}], ids=str)
def test_index_without_shards(copy: Path, base: Path, wrong: object) -> None:
    """An index that names no shards is damaged."""
    index, _ = split(base / "vae/diffusion_pytorch_model.safetensors")
    index.write_text(json.dumps(wrong))
    assert "names no shards" in refusal(WrongWeightsError, lambda: digest_weights(MINIATURE, copy))


def test_shards_lie_in_the_folder_of_their_index(copy: Path, base: Path) -> None:
    """An index cannot lead to a file elsewhere, which the digest would not cover."""
    index, _ = split(base / "vae/diffusion_pytorch_model.safetensors")
    index.write_text(json.dumps({"weight_map": {"x": "../transformer/diffusion_pytorch_model.safetensors"}}))
    assert "not in its folder" in refusal(MissingWeightsError, lambda: digest_weights(MINIATURE, copy))


def test_digest_covers_scores_and_indices(copy: Path, base: Path) -> None:
    """Another byte in the weights or the settings of CLIP, or in the index of a checkpoint, is another digest."""
    index, _ = split(base / "transformer/diffusion_pytorch_model.safetensors")
    digests = [digest_weights(MINIATURE, copy)]
    for path in (base / "clip/open_clip_model.safetensors", base / "clip/open_clip_config.json", index):
        with path.open("ab") as file:
            file.write(b" ")
        digests.append(digest_weights(MINIATURE, copy))
    assert len(set(digests)) == len(digests)


def test_unreadable_file(copy: Path, base: Path) -> None:
    """A file that breaks while it is read is named."""
    path = base / "vae/diffusion_pytorch_model.safetensors"
    path.unlink()
    path.symlink_to("/proc/self/mem")
    assert f"{path} could not be read" in refusal(WrongWeightsError, lambda: digest_weights(MINIATURE, copy))


@pytest.mark.parametrize(
    "wrong", [{"base_dim": "x"}, {"dim_mult": 7}, {"dim_mult": []}, {"num_res_blocks": None}], ids=str
)
def test_vae_settings_of_the_wrong_kind(base: Path, wrong: dict[str, object]) -> None:
    """Settings that no autoencoder can be built from name their folder."""
    path = base / "vae/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | wrong))
    assert "vae could not be read" in refusal(
        WrongWeightsError, lambda: load_module(AutoencoderKLQwenImage, base / "vae", torch.float32)
    )


@pytest.mark.parametrize(
    "wrong", [{"text_config": "x"}, {"vision_config": 3}, {"image_token_id": "x"}, {"dtype": "floatx"}], ids=str
)
def test_text_encoder_settings_of_the_wrong_kind(base: Path, wrong: dict[str, object]) -> None:
    """What the validation of transformers refuses is said in one sentence."""
    path = base / "text_encoder/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | wrong))
    assert "text_encoder could not be read" in refusal(
        WrongWeightsError,
        lambda: load_module(Qwen2_5_VLForConditionalGeneration, base / "text_encoder", torch.float32),
    )


def test_processor_settings_of_the_wrong_kind(base: Path) -> None:
    """Settings of the pictures that are no mapping are damaged."""
    (base / "processor/processor_config.json").write_text(json.dumps({"image_processor": [1]}))
    assert "processor could not be read" in refusal(WrongWeightsError, lambda: load_processor(base / "processor"))


def test_clip_settings_of_the_wrong_kind(base: Path) -> None:
    """Settings that no CLIP model can be built from name their folder."""
    path = base / "clip/open_clip_config.json"
    path.write_text(path.read_text().replace('"head_width": 64', '"head_width": 0'))
    assert "clip could not be read" in refusal(WrongWeightsError, lambda: load_clip(base / "clip"))


def test_untrained_weights_say_so(weights: Path, tmp_path: Path) -> None:
    """Random numbers carry a mark, and what carries none is what the profile says."""
    found = as_found(MINIATURE, weights)
    assert (found.training, found.base.revision) == ("untrained", "untrained")
    assert as_found(MINIATURE, tmp_path) == MINIATURE
