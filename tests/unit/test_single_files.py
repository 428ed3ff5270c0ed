"""ComfyUI's single files, written here key for key, load to identical tensors; what is wrong with one is said."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from safetensors.torch import save_file
from transformers import Qwen2_5_VLForConditionalGeneration

from models.errors import MissingWeightsError, PickledWeightsError, WrongWeightsError
from models.miniature.architecture import build_text_encoder
from models.miniature.untrained import build_processor
from models.single_files import assemble, name_text_encoder, name_vae, read_single_file
from tests.comfy import FORMATS, FP8, State, as_scaled_2024, in_first_names, in_wan_names, is_matrix, quantise, unscale

SMALL: dict[str, Any] = {"num_layers": 2, "attention_head_dim": 32, "num_attention_heads": 2, "joint_attention_dim": 48}
AXES = (8, 12, 12)


def build_transformer() -> QwenImageTransformer2DModel:
    """A transformer with every kind of tensor that the real one has."""
    return QwenImageTransformer2DModel(**SMALL, axes_dims_rope=AXES)


@pytest.fixture(scope="module")
def transformer() -> State:
    """The tensors of a transformer in bfloat16, the matrices of its blocks being exact in 8 bits and a scale."""
    torch.manual_seed(0)
    state = {name: tensor.bfloat16() for name, tensor in build_transformer().state_dict().items()}
    return {name: unscale(*quantise(tensor)) if is_matrix(name) else tensor for name, tensor in state.items()}


@pytest.mark.parametrize("write", FORMATS)
def test_a_transformer_is_the_same_in_every_format(
    transformer: State, tmp_path: Path, write: Callable[[State], tuple[State, dict[str, str]]]
) -> None:
    """Tensor for tensor and bit for bit."""
    written, header = write(transformer)
    path = tmp_path / "transformer.safetensors"
    save_file(written, path, metadata=header)
    file = read_single_file(path, torch.bfloat16)
    loaded = assemble(build_transformer, file.state, path).state_dict()
    assert loaded.keys() == transformer.keys()
    assert all(torch.equal(loaded[name], transformer[name]) for name in transformer)
    assert file.written_in == ("scaled fp8" if "scaled" in write.__name__ else "whole")
    assert not file.has_zero_cond


def test_plain_8_bits_are_what_they_say_and_are_told_apart(transformer: State, tmp_path: Path) -> None:
    """A cast and nothing beside it; who fuses a LoRA onto it can be warned."""
    path = tmp_path / "transformer.safetensors"
    written = {name: tensor.to(FP8) for name, tensor in transformer.items()}
    save_file(written | {"__index_timestep_zero__": torch.empty(0)}, path)
    file = read_single_file(path, torch.bfloat16)
    assert file.written_in == "plain fp8"
    assert file.has_zero_cond
    loaded = assemble(build_transformer, file.state, path).state_dict()
    assert all(torch.equal(loaded[name], written[name].bfloat16()) for name in transformer)


def test_an_autoencoder_in_the_names_of_wan_loads_the_same(tmp_path: Path) -> None:
    """All of its tensors are renamed, and none is lost."""
    torch.manual_seed(0)
    state = AutoencoderKLQwenImage(base_dim=8).state_dict()
    written = {in_wan_names(name): tensor for name, tensor in state.items()}
    assert {"conv1.weight", "encoder.middle.1.to_qkv.weight", "decoder.upsamples.4.shortcut.weight"} <= written.keys()
    path = tmp_path / "vae.safetensors"
    save_file(written, path)
    named = name_vae(read_single_file(path, torch.float32))
    loaded = assemble(lambda: AutoencoderKLQwenImage(base_dim=8), named, path).state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


@pytest.mark.parametrize("has_head", [True, False])
def test_a_text_encoder_in_the_names_of_its_first_release_loads_the_same(tmp_path: Path, *, has_head: bool) -> None:
    """`visual` and `model.layers` find their places; the head is tied, whether the file has one or not."""

    def build() -> Qwen2_5_VLForConditionalGeneration:
        return build_text_encoder(build_processor().tokenizer)

    torch.manual_seed(0)
    state = build().state_dict()
    written = {
        in_first_names(name): tensor.clone() for name, tensor in state.items() if has_head or name != "lm_head.weight"
    }
    assert {"visual.patch_embed.proj.weight", "model.embed_tokens.weight"} <= written.keys()
    path = tmp_path / "text_encoder.safetensors"
    save_file(written, path)
    named = name_text_encoder(read_single_file(path, torch.float32))
    loaded = assemble(build, named, path)
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.state_dict().items())
    assert loaded.lm_head.weight.data_ptr() == loaded.model.language_model.embed_tokens.weight.data_ptr()


def forget_a_scale(state: State) -> None:
    """Take one scale away."""
    del state["transformer_blocks.0.attn.to_q.scale_weight"]


def forget_a_weight(state: State) -> None:
    """Leave a scale without its weight."""
    del state["transformer_blocks.0.attn.to_q.weight"]


def scale_by_zero(state: State) -> None:
    """Make a scale zero."""
    state["transformer_blocks.0.attn.to_q.scale_weight"] = torch.tensor(0.0)


def scale_by_infinity(state: State) -> None:
    """Make a scale infinite."""
    state["transformer_blocks.0.attn.to_q.scale_weight"] = torch.tensor(torch.inf)


def scale_by_columns(state: State) -> None:
    """Give a scale that fits no row."""
    state["transformer_blocks.0.attn.to_q.scale_weight"] = torch.ones(3)


def write_integers(state: State) -> None:
    """Write a weight in integers."""
    state["transformer_blocks.0.attn.to_q.weight"] = torch.zeros(64, 64, dtype=torch.int8)


def say_another_format(state: State) -> None:
    """Say that a weight is written in four bits."""
    said = b'{"format": "nvfp4"}'
    state["transformer_blocks.0.attn.to_q.comfy_quant"] = torch.tensor(list(said), dtype=torch.uint8)


def lose_a_tensor(state: State) -> None:
    """Take a tensor away."""
    del state["img_in.weight"]


def add_a_tensor(state: State) -> None:
    """Add a tensor that no class knows."""
    state["img_in.weight_scale_2"] = torch.tensor(1.0)


def turn_a_tensor(state: State) -> None:
    """Give a tensor another shape."""
    state["txt_in.weight"] = state["txt_in.weight"].T.contiguous()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (forget_a_scale, "holds no scale for transformer_blocks.0.attn.to_q.weight"),
        (forget_a_weight, "holds a scale for transformer_blocks.0.attn.to_q.weight, which it does not hold"),
        (scale_by_zero, "scales transformer_blocks.0.attn.to_q.weight by [0.0]"),
        (scale_by_infinity, "scales transformer_blocks.0.attn.to_q.weight by [inf]"),
        (scale_by_columns, "of shape (64, 64) by (3,) numbers"),
        (write_integers, "holds transformer_blocks.0.attn.to_q.weight as torch.int8"),
        (say_another_format, "writes transformer_blocks.0.attn.to_q as nvfp4"),
        (lose_a_tensor, "1 missing such as img_in.weight"),
        (add_a_tensor, "1 unexpected such as img_in.weight_scale_2"),
        (turn_a_tensor, "1 of another shape such as txt_in.weight"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    transformer: State, tmp_path: Path, damage: Callable[[State], None], said: str
) -> None:
    """A file that is damaged in one place is refused in one sentence that names the place."""
    written, _ = as_scaled_2024(transformer)
    damage(written)
    path = tmp_path / "transformer.safetensors"
    save_file(written, path)
    with pytest.raises(WrongWeightsError, match=re.escape(said)):
        assemble(build_transformer, read_single_file(path, torch.bfloat16).state, path)


def test_a_file_that_ends_early_is_refused(transformer: State, tmp_path: Path) -> None:
    """Half of a download is no model."""
    path = tmp_path / "transformer.safetensors"
    save_file(transformer, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WrongWeightsError, match=r"could not be read"):
        read_single_file(path, torch.bfloat16)


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    """Nor is anything made of a file that is not there."""
    torch.save({}, tmp_path / "transformer.pt")
    with pytest.raises(PickledWeightsError):
        read_single_file(tmp_path / "transformer.pt", torch.bfloat16)
    with pytest.raises(MissingWeightsError):
        read_single_file(tmp_path / "transformer.safetensors", torch.bfloat16)
