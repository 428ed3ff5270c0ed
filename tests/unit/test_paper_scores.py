"""The paper's figures against straight calls of the libraries, and what they cannot tell apart."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from skimage import data
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

from models.errors import MissingWeightsError, ModelError, PickledWeightsError, WrongWeightsError
from models.scores.clip import embed_picture, embed_with_mirror, load_clip
from models.scores.paper import PaperScores, cam_move_score, score_view, semantic_score, style_score

FOUR_DIGITS = 5e-5
SIDE_PX = 128
TINY_CLIP: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 32, "layers": 1, "head_width": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 1, "layers": 1},
}


def photograph(name: str) -> Image.Image:
    """Return one of scikit-image's photographs at 128x128."""
    picture = Image.fromarray(getattr(data, name)()).convert("RGB")
    return picture.resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)


def plain(colour: str, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Return a picture of one colour."""
    return Image.new("RGB", size, colour)


def figures(scores: PaperScores) -> tuple[float, float, float, float]:
    """Return style, cam move, semantic and composite."""
    return scores.style, scores.cam_move, scores.semantic, scores.composite


def straight_style(reference: Image.Image, view: Image.Image) -> float:
    """Correlate 50x60 histograms of hue and saturation by the definition."""
    counts = []
    for picture in (reference, view):
        hue, saturation, _ = np.asarray(picture.convert("HSV"), float).reshape(-1, 3).T
        count = np.zeros((50, 60))
        np.add.at(count, ((hue * 50 / 256).astype(int), (saturation * 60 / 256).astype(int)), 1)
        counts.append(count - count.mean())
    one, other = counts
    return max(0.0, (one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))


def straight_semantic(reference: Image.Image, view: Image.Image) -> float:
    """Return the cosine at 32x32 by the definition."""
    one, other = (
        np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR), float) for picture in (reference, view)
    )
    return (one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum())


@pytest.mark.parametrize(
    ("reference", "view", "expected"),
    [
        ("astronaut", "chelsea", (0.0237, 0.9267, 0.8314, 59.3924)),
        ("chelsea", "astronaut", (0.0237, 0.9267, 0.8314, 59.3924)),
    ],
)
def test_figures_are_those_of_straight_calls(reference: str, view: str, expected: tuple[float, ...]) -> None:
    """Each figure is what scikit-image and numpy give when called by hand, and what it was before, to four digits."""
    one, other = photograph(reference), photograph(view)
    scores = score_view(one, other, clip=0.25)
    similarity: Any = structural_similarity(rgb2gray(np.asarray(one)), rgb2gray(np.asarray(other)), data_range=1.0)
    straight = (straight_style(one, other), 1 - similarity, straight_semantic(one, other))
    assert scores.clip == 0.25
    assert figures(scores)[:3] == pytest.approx(straight, abs=1e-9)
    assert figures(scores) == pytest.approx(expected, abs=FOUR_DIGITS)
    assert scores.composite == pytest.approx(100 * sum(straight) / 3)


@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
def test_reference_against_itself(name: str) -> None:
    """A view that is the reference has moved by nothing and gets two thirds."""
    scores = score_view(photograph(name), photograph(name), clip=1.0)
    assert figures(scores) == pytest.approx((1.0, 0.0, 1.0, 200 / 3), abs=1e-12)


@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
def test_composite_admires_shuffled_pixels(name: str) -> None:
    """The reference with its pixels shuffled scores above 90, which is why the composite decides nothing."""
    reference = photograph(name)
    pixels = np.asarray(reference).reshape(-1, 3)
    shuffled = Image.fromarray(np.random.default_rng(0).permutation(pixels).reshape(SIDE_PX, SIDE_PX, 3))
    scores = score_view(reference, shuffled, clip=0.0)
    assert scores.composite > 90
    assert scores.composite > score_view(reference, reference, clip=1.0).composite


@pytest.mark.parametrize(
    ("reference", "view", "expected"),
    [
        ("black", "black", (1.0, 0.0, 0.0, 33.3333)),
        ("red", "red", (1.0, 0.0, 1.0, 66.6667)),
        ("red", "blue", (0.0, 0.3907, 0.0, 13.0230)),
        ("white", "black", (1.0, 0.9999, 0.0, 66.6633)),
        ("black", "white", (1.0, 0.9999, 0.0, 66.6633)),
    ],
)
def test_one_colour_has_figures(reference: str, view: str, expected: tuple[float, ...]) -> None:
    """Pictures of one colour are scored without a warning; black has no direction, so its Semantic is 0."""
    scores = score_view(plain(reference), plain(view), clip=0.0)
    assert figures(scores) == pytest.approx(expected, abs=FOUR_DIGITS)


def test_black_view_of_a_photograph_has_figures() -> None:
    """A black view of a real still gives finite figures, and no likeness of the 32x32 pictures."""
    scores = score_view(photograph("astronaut"), plain("black"), clip=0.0)
    assert figures(scores) == pytest.approx((0.8518, 0.9444, 0.0, 59.8718), abs=FOUR_DIGITS)
    scores = score_view(plain("black"), photograph("astronaut"), clip=0.0)
    assert figures(scores) == pytest.approx((0.7949, 0.9989, 0.0, 59.7928), abs=FOUR_DIGITS)


def test_even_histogram_has_no_style() -> None:
    """A histogram that is the same everywhere correlates with nothing: Style is 0, without a warning."""
    hue = np.repeat((np.arange(50) + 0.5) * 256 / 50, 60).astype(np.uint8)
    saturation = np.tile((np.arange(60) + 0.5) * 256 / 60, 50).astype(np.uint8)
    bands = (hue, saturation, np.full(3000, 200, np.uint8))
    even = Image.merge("HSV", [Image.fromarray(band.reshape(50, 60)) for band in bands])
    assert style_score(even, even) == 0.0


@pytest.mark.parametrize(
    ("reference_px", "view_px"), [((128, 128), (64, 64)), ((64, 64), (300, 200)), ((1600, 400), (400, 1600))]
)
def test_sizes_may_differ(reference_px: tuple[int, int], view_px: tuple[int, int]) -> None:
    """The view is brought to the size of the reference, at most 512 px, before anything is compared."""
    reference, view = photograph("astronaut").resize(reference_px), photograph("chelsea").resize(view_px)
    scale = min(1.0, 512 / max(reference_px))
    common = (round(reference_px[0] * scale), round(reference_px[1] * scale))
    one, other = (
        picture if picture.size == common else picture.resize(common, Image.Resampling.LANCZOS)
        for picture in (reference, view)
    )
    scores = score_view(reference, view, clip=0.0)
    straight = (style_score(one, other), cam_move_score(one, other), semantic_score(one, other))
    assert figures(scores)[:3] == straight


def test_smallest_master_can_be_scored() -> None:
    """The shortest side of a master, 16 px at four to one, is enough for the default window of SSIM."""
    assert score_view(plain("red", (64, 16)), plain("red", (64, 16)), clip=1.0).cam_move == 0.0


def write_clip(folder: Path) -> Path:
    """Write a CLIP model of a few kilobytes in open_clip's layout and return its folder."""
    folder.mkdir()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(open_clip.CLIP(**TINY_CLIP).state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": TINY_CLIP}))
    return folder


@pytest.fixture
def clip_folder(tmp_path: Path) -> Path:
    """Write a tiny CLIP model into a new folder."""
    return write_clip(tmp_path / "clip")


def test_cosines_are_those_of_the_model(clip_folder: Path) -> None:
    """A picture has the cosine 1 with itself, and every other view that of the embeddings computed by hand."""
    encoder = load_clip(clip_folder)
    reference, views = photograph("astronaut"), [photograph("astronaut"), photograph("chelsea"), plain("red")]
    cosines = [float(embed_picture(encoder, view) @ embed_picture(encoder, reference)) for view in views]
    model: Any
    transform: Any
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{clip_folder}")
    model.eval()
    with torch.inference_mode():
        one, *others = (model.encode_image(transform(picture)[None])[0] for picture in (reference, *views))
        straight = [float(torch.nn.functional.cosine_similarity(one, other, dim=0)) for other in others]
    assert cosines == pytest.approx(straight, abs=1e-5)
    assert cosines[0] == pytest.approx(1.0, abs=1e-6)
    assert cosines[1] < 0.999
    assert not encoder.model.training


def test_a_picture_is_embedded_with_its_mirror_image(clip_folder: Path) -> None:
    """The second embedding is that of the picture flipped: left and right change places before the model sees it."""
    encoder, picture = load_clip(clip_folder), photograph("astronaut")
    flipped = embed_picture(encoder, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert torch.allclose(embed_with_mirror(encoder, picture)[1], flipped, atol=1e-5)


def remove_folder(folder: Path) -> None:
    """Remove both files and the folder."""
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def remove_weights(folder: Path) -> None:
    """Remove the safetensors file."""
    (folder / "open_clip_model.safetensors").unlink()


def cut_weights(folder: Path) -> None:
    """Leave the first thousand bytes of the safetensors file."""
    path = folder / "open_clip_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def empty_weights(folder: Path) -> None:
    """Leave a safetensors file of no bytes."""
    (folder / "open_clip_model.safetensors").write_bytes(b"")


def drop_tensor(folder: Path) -> None:
    """Leave one tensor out."""
    path = folder / "open_clip_model.safetensors"
    save_file({name: tensor for name, tensor in load_file(path).items() if name != "visual.proj"}, path)


def rewrite_config(text: str) -> Callable[[Path], None]:
    """Return a damage that replaces the settings of the model."""

    def rewrite(folder: Path) -> None:
        (folder / "open_clip_config.json").write_text(text)

    return rewrite


def remove_config(folder: Path) -> None:
    """Remove the settings of the model."""
    (folder / "open_clip_config.json").unlink()


def pickle_weights(folder: Path) -> None:
    """Keep the weights as a pickle only."""
    torch.save(load_file(folder / "open_clip_model.safetensors"), folder / "open_clip_pytorch_model.bin")
    remove_weights(folder)


def hide_pickle(folder: Path) -> None:
    """Keep the weights as a pickle under a name that open_clip prefers, beside some other safetensors file."""
    pickle_weights(folder)
    save_file({"nothing": torch.zeros(1)}, folder / "other.safetensors")


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (remove_folder, MissingWeightsError),
        (remove_weights, MissingWeightsError),
        (remove_config, (MissingWeightsError, WrongWeightsError)),
        (cut_weights, WrongWeightsError),
        (empty_weights, WrongWeightsError),
        (drop_tensor, WrongWeightsError),
        (rewrite_config("{"), WrongWeightsError),
        (rewrite_config("[]"), WrongWeightsError),
        (rewrite_config("{}"), WrongWeightsError),
        (rewrite_config(json.dumps({"model_cfg": TINY_CLIP | {"embed_dim": 8}})), WrongWeightsError),
        (rewrite_config(json.dumps({"model_cfg": TINY_CLIP | {"wings": 2}})), WrongWeightsError),
        (pickle_weights, PickledWeightsError),
        (hide_pickle, (PickledWeightsError, MissingWeightsError)),
    ],
)
def test_unusable_clip_is_refused(
    clip_folder: Path, damage: Callable[[Path], None], error: type[ModelError] | tuple[type[ModelError], ...]
) -> None:
    """Files that are missing, damaged, of another model or pickled are refused in one line that says what to do."""
    damage(clip_folder)
    with pytest.raises(error) as caught:
        load_clip(clip_folder)
    sentence = str(caught.value)
    assert str(clip_folder) in sentence
    assert "first." in sentence or "again." in sentence
    assert "\n" not in sentence
