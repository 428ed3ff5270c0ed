"""From files to a pipeline: the very tensors, or a clear refusal."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from safetensors.torch import load_file, save_file

from models.errors import MissingWeightsError, PickledWeightsError, WrongWeightsError
from models.loading import attach_lora, fuse_loras, load_module
from models.miniature.untrained import write_weights
from models.profiles import MINIATURE, Lora, Source
from models.sources import locate
from models.vae import StillConv, decode_still, encode_still, reduce_to_stills
from models.weights import digest_weights

LIGHTNING, ANGLES = MINIATURE.loras


def loose_lora(name: str, file: str) -> Lora:
    """A LoRA that lies in no repository."""
    return Lora(name=name, source=Source(repo=".", path=file, revision="none"))


@pytest.fixture(scope="module")
def base(weights: Path) -> Path:
    """Folder of the miniature."""
    return weights / MINIATURE.base.repo


def test_loaded_tensors_are_the_files(base: Path) -> None:
    """Every tensor of the file is in the model, widened to float32 and otherwise unchanged."""
    module = load_module(QwenImageTransformer2DModel, base / "transformer", torch.float32)
    stored = load_file(base / "transformer/diffusion_pytorch_model.safetensors")
    loaded = module.state_dict()
    assert stored.keys() == loaded.keys()
    assert all(torch.equal(tensor.float(), loaded[name]) for name, tensor in stored.items())


@pytest.mark.parametrize(("lora", "rank", "alpha"), [(LIGHTNING, 64, 8), (ANGLES, 16, None)])
def test_fused_lora_is_the_sum(base: Path, weights: Path, lora: Lora, rank: int, alpha: float | None) -> None:
    """Both key formats add strength * alpha / rank * up @ down to their weights; without alpha the scale is 1."""
    strong = lora.model_copy(update={"strength": 0.7})
    transformer = load_module(QwenImageTransformer2DModel, base / "transformer", torch.float32)
    before = transformer.get_parameter("transformer_blocks.3.attn.to_q.weight").clone()
    fuse_loras(transformer, (strong,), weights)
    state = load_file(locate(lora.source, weights))
    prefix = "transformer_blocks.3.attn.to_q"
    names = ("lora_down", "lora_up") if alpha else ("lora_A.default", "lora_B")
    down, up = (state[f"{prefix}.{name}.weight"].float() for name in names)
    assert down.shape[0] == rank
    expected = before + 0.7 * (alpha / rank if alpha else 1.0) * up @ down
    torch.testing.assert_close(transformer.get_parameter(f"{prefix}.weight"), expected, rtol=0, atol=1e-6)


def test_lora_files_have_the_real_formats(weights: Path) -> None:
    """The multi-angle file has 12 modules a block and no alpha; the Lightning file has 12, each with an alpha."""
    angles, lightning = (load_file(locate(lora.source, weights)) for lora in (ANGLES, LIGHTNING))
    assert len(angles) == 6 * 12 * 2
    assert {name.split(".", 2)[2].partition(".lora_")[2] for name in angles} == {"A.default.weight", "B.weight"}
    assert len(lightning) == 6 * 12 * 3
    assert sum(name.endswith(".alpha") for name in lightning) == 6 * 12


def test_still_autoencoder_is_the_video_autoencoder(base: Path) -> None:
    """As 2-D convolutions the autoencoder gives what the stock one gives for one frame."""
    stock = load_module(AutoencoderKLQwenImage, base / "vae", torch.float32).eval()
    still = reduce_to_stills(load_module(AutoencoderKLQwenImage, base / "vae", torch.float32)).eval()
    assert any(isinstance(module, StillConv) for module in still.modules())
    pixels = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        moments = stock.encode(pixels.unsqueeze(2), return_dict=False)[0].mode()
        decoded = stock.decode(moments, return_dict=False)[0][:, :, 0]
        mean, std = (torch.tensor(stock.config[f"latents_{name}"]).view(1, -1, 1, 1) for name in ("mean", "std"))
        latents = encode_still(still, pixels)
        torch.testing.assert_close(latents, (moments[:, :, 0] - mean) / std, rtol=0, atol=1e-5)
        torch.testing.assert_close(decode_still(still, latents), decoded, rtol=0, atol=1e-5)


def test_still_autoencoder_refuses_video(base: Path) -> None:
    """Two frames are no still."""
    still = reduce_to_stills(load_module(AutoencoderKLQwenImage, base / "vae", torch.float32))
    with pytest.raises(ValueError, match="one frame"):
        still.encoder(torch.zeros(1, 3, 2, 32, 32))


def test_missing_lora(base: Path, weights: Path) -> None:
    """A LoRA that is not there is named."""
    transformer = load_module(QwenImageTransformer2DModel, base / "transformer", torch.float32)
    with pytest.raises(MissingWeightsError, match=r"absent\.safetensors is missing"):
        attach_lora(transformer, loose_lora("absent", "absent.safetensors"), weights)


def test_pickled_lora(base: Path, weights: Path) -> None:
    """A LoRA in a pickle is not opened."""
    transformer = load_module(QwenImageTransformer2DModel, base / "transformer", torch.float32)
    with pytest.raises(PickledWeightsError, match=r"bad\.pt is a pickle"):
        attach_lora(transformer, loose_lora("bad", "bad.pt"), weights)


def test_lora_of_another_shape(base: Path, weights: Path, tmp_path: Path) -> None:
    """A LoRA that fits a wider model is refused."""
    state = {
        name: torch.cat([tensor, tensor], dim=-1) for name, tensor in load_file(locate(ANGLES.source, weights)).items()
    }
    save_file(state, tmp_path / "wide.safetensors")
    transformer = load_module(QwenImageTransformer2DModel, base / "transformer", torch.float32)
    with pytest.raises(WrongWeightsError, match=r"wide\.safetensors could not be read"):
        attach_lora(transformer, loose_lora("wide", "wide.safetensors"), tmp_path)


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (lambda _: False, "holds no tensor"),
        (lambda name: "lora_A" in name, "could not be read|pair of matrices"),
        (lambda name: name.startswith("other"), "changes other"),
    ],
    ids=["empty", "halves", "no LoRA"],
)
def test_lora_that_changes_nothing(
    base: Path, weights: Path, tmp_path: Path, keep: Callable[[str], bool], words: str
) -> None:
    """A file that would leave the transformer as it is, in part or in whole, is refused."""
    state = load_file(locate(ANGLES.source, weights)) | {"other.weight": torch.zeros(2, 2)}
    save_file({name: tensor for name, tensor in state.items() if keep(name)}, tmp_path / "idle.safetensors")
    transformer = load_module(QwenImageTransformer2DModel, base / "transformer", torch.float32)
    with pytest.raises(WrongWeightsError, match=rf"idle\.safetensors .*({words})"):
        attach_lora(transformer, loose_lora("idle", "idle.safetensors"), tmp_path)


def test_lora_in_the_words_of_peft(base: Path, weights: Path, tmp_path: Path) -> None:
    """A file whose keys are those of PEFT, without the name of the part, changes what it names."""
    state = load_file(locate(ANGLES.source, weights))
    plain = {name.replace(".default", ""): tensor for name, tensor in state.items()}
    save_file(plain, tmp_path / "plain.safetensors")
    first, second = (load_module(QwenImageTransformer2DModel, base / "transformer", torch.float32) for _ in range(2))
    fuse_loras(first, (ANGLES,), weights)
    fuse_loras(second, (loose_lora("plain", "plain.safetensors"),), tmp_path)
    name = "transformer_blocks.3.attn.to_q.weight"
    assert torch.equal(first.get_parameter(name), second.get_parameter(name))


def test_digest_names_the_bytes(weights: Path, tmp_path: Path) -> None:
    """The digest of a profile's files is stable, and changes with one byte of one file."""
    shutil.copytree(weights, tmp_path / "copy")
    assert digest_weights(MINIATURE, tmp_path / "copy") == digest_weights(MINIATURE, weights)
    path = locate(ANGLES.source, tmp_path / "copy")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert digest_weights(MINIATURE, tmp_path / "copy") != digest_weights(MINIATURE, weights)


def test_the_same_seed_makes_the_same_weights(weights: Path, tmp_path: Path) -> None:
    """The untrained miniature is the same bytes for the same seed."""
    write_weights(tmp_path)
    assert digest_weights(MINIATURE, tmp_path) == digest_weights(MINIATURE, weights)


def test_lora_alpha_in_the_header_counts(base: Path, weights: Path, tmp_path: Path) -> None:
    """Diffusers writes rank and alpha into the header of its own files; half of the alpha is half of the change."""
    state = load_file(locate(ANGLES.source, weights))
    named = {f"transformer.{name.replace('.default', '')}": tensor for name, tensor in state.items()}
    targets = sorted({name.partition(".lora_")[0] for name in state})
    config = {"transformer.r": 16, "transformer.lora_alpha": 8, "transformer.target_modules": targets}
    save_file(named, tmp_path / "halved.safetensors", metadata={"lora_adapter_metadata": json.dumps(config)})
    whole, half = (load_module(QwenImageTransformer2DModel, base / "transformer", torch.float32) for _ in range(2))
    name = "transformer_blocks.3.attn.to_q.weight"
    before = whole.get_parameter(name).clone()
    fuse_loras(whole, (ANGLES,), weights)
    fuse_loras(half, (loose_lora("halved", "halved.safetensors"),), tmp_path)
    change = whole.get_parameter(name) - before
    torch.testing.assert_close(half.get_parameter(name) - before, change / 2, rtol=0, atol=1e-6)


def test_lora_with_magnitudes_is_refused(base: Path, weights: Path, tmp_path: Path) -> None:
    """Diffusers leaves the magnitudes of a DoRA out with a warning; here that is an error."""
    state = load_file(locate(ANGLES.source, weights)) | {
        "transformer_blocks.0.attn.to_q.dora_scale": torch.ones(256, 1)
    }
    save_file(state, tmp_path / "dora.safetensors")
    transformer = load_module(QwenImageTransformer2DModel, base / "transformer", torch.float32)
    with pytest.raises(WrongWeightsError, match=r"dora\.safetensors holds .*dora_scale: a LoRA with magnitudes"):
        attach_lora(transformer, loose_lora("dora", "dora.safetensors"), tmp_path)
