"""The paper preset on fixed photographs, figure by figure against straight calls, and the three baselines beside it.

The straight calls know nothing of our code: numpy, Pillow, scikit-image and open_clip, by the definitions.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import skimage
import torch
from PIL import Image, ImageFilter, ImageOps
from skimage import data
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity

from models.scores.baselines import UNRELATED, load_unrelated, measure_baselines, prepare_reference
from models.scores.clip import ClipEncoder, embed_picture, load_clip
from models.scores.paper import ASSUMPTIONS, CANNOT_TELL, WEIGHTS, PaperBaselines, PaperScores, score_view

FOUR_DIGITS = 5e-5
CLIP_FOLDER = Path(__file__).resolve().parents[2] / "weights/miniature/clip"
EXAMPLE = CLIP_FOLDER.parents[2] / "docs/pictures/example_master.png"
Figures = tuple[float | None, float, float, float, float]


@pytest.fixture(scope="module")
def encoder() -> ClipEncoder:
    """The miniature's CLIP, as our code loads it."""
    return load_clip(CLIP_FOLDER)


@pytest.fixture(scope="module")
def straight_clip() -> Callable[[Image.Image, Image.Image], float]:
    """The cosine of two pictures by open_clip alone."""
    loaded: Any = open_clip.create_model_and_transforms(f"local-dir:{CLIP_FOLDER}")
    model, _, transform = loaded
    model.eval()

    def cosine(one: Image.Image, other: Image.Image) -> float:
        with torch.inference_mode():
            first, second = (model.encode_image(transform(picture)[None])[0] for picture in (one, other))
            return float(torch.nn.functional.cosine_similarity(first, second, dim=0))

    return cosine


def photograph(name: str) -> Image.Image:
    """Return one of scikit-image's photographs at its full size."""
    if name.startswith("motorcycle"):
        return Image.fromarray(data.stereo_motorcycle()[int(name == "motorcycle_right")])
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def view_of(name: str) -> tuple[Image.Image, Image.Image]:
    """Return a master and a view of one of the cases below."""
    astronaut = photograph("astronaut")
    made: dict[str, Callable[[], tuple[Image.Image, Image.Image]]] = {
        "itself": lambda: (astronaut, astronaut),
        "mirrored": lambda: (astronaut, astronaut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        "cropped": lambda: (astronaut, astronaut.crop((128, 0, 448, 320))),
        "blurred": lambda: (astronaut, astronaut.filter(ImageFilter.GaussianBlur(6))),
        "another photograph": lambda: (astronaut, photograph("coffee")),
        "a real stereo pair": lambda: (photograph("motorcycle_left"), photograph("motorcycle_right")),
    }
    return made[name]()


def straight_figures(master: Image.Image, view: Image.Image) -> tuple[float, float, float]:
    """Return Style, Cam Move and Semantic by the definitions."""
    longest = max(master.size)
    if longest > 512:
        master = master.resize(
            (round(master.width * 512 / longest), round(master.height * 512 / longest)), Image.Resampling.LANCZOS
        )
    if view.size != master.size:
        view = view.resize(master.size, Image.Resampling.LANCZOS)
    histograms, greys, thumbnails = [], [], []
    for picture in (master, view):
        hue, saturation, _ = np.asarray(picture.convert("HSV"), float).reshape(-1, 3).T
        counts = np.zeros((50, 60))
        np.add.at(counts, ((hue * 50 / 256).astype(int), (saturation * 60 / 256).astype(int)), 1)
        histograms.append(counts.ravel())
        greys.append(rgb2gray(np.asarray(picture)))
        thumbnails.append(np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR), float).ravel())
    style = float(np.corrcoef(*histograms)[0, 1])
    similarity: Any = structural_similarity(*greys, win_size=7, data_range=1.0)
    one, other = thumbnails
    return max(0.0, style), 1 - float(similarity), float(one @ other / np.sqrt((one @ one) * (other @ other)))


def figures(scores: PaperScores) -> Figures:
    """Return all five figures."""
    return scores.clip, scores.style, scores.cam_move, scores.semantic, scores.composite


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("itself", (1.0000, 1.0000, 0.0000, 1.0000, 66.6667)),
        ("mirrored", (0.7802, 1.0000, 0.8563, 0.7513, 86.9211)),
        ("cropped", (0.6381, 0.7886, 0.7944, 0.7693, 78.4119)),
        ("blurred", (0.9185, 0.9094, 0.4364, 0.9988, 78.1554)),
        ("another photograph", (0.5919, 0.0854, 0.8396, 0.7843, 56.9760)),
        ("a real stereo pair", (0.8997, 0.9565, 0.7493, 0.9644, 89.0090)),
    ],
)
def test_figures_are_the_stored_and_the_straight_ones(
    case: str, expected: Figures, encoder: ClipEncoder, straight_clip: Callable[[Image.Image, Image.Image], float]
) -> None:
    """Five figures of fixed pictures: what they were when this was written, and what the libraries say, to 4 digits."""
    master, view = view_of(case)
    scores = score_view(master, view, float(embed_picture(encoder, view) @ embed_picture(encoder, master)))
    straight = straight_figures(master, view)
    by_hand = (straight_clip(master, view), *straight, 100 * sum(straight) / 3)
    assert figures(scores) == pytest.approx(by_hand, abs=FOUR_DIGITS)
    assert figures(scores) == pytest.approx(expected, abs=FOUR_DIGITS)


def baselines_of(master: Image.Image, encoder: ClipEncoder | None = None) -> PaperBaselines:
    """Return the baselines of a master."""
    return measure_baselines(prepare_reference(master, encoder), encoder)


@pytest.fixture(scope="module")
def baselines(encoder: ClipEncoder) -> PaperBaselines:
    """Those of the example master."""
    return baselines_of(Image.open(EXAMPLE).convert("RGB"), encoder)


def test_chance_is_the_mean_over_unrelated_photographs(
    baselines: PaperBaselines, straight_clip: Callable[[Image.Image, Image.Image], float]
) -> None:
    """Chance level is the mean of straight figures over six photographs cut to the master's shape."""
    master = Image.open(EXAMPLE).convert("RGB")
    names = ("astronaut", "chelsea", "coffee", "hubble_deep_field", "rocket", "motorcycle_left")
    rows: list[tuple[float, ...]] = []
    for name in names:
        other = photograph(name)
        scale = min(1.0, 512 / max(other.size))
        if scale < 1:
            size = (round(other.width * scale), round(other.height * scale))
            other = other.resize(size, Image.Resampling.LANCZOS)
        other = ImageOps.fit(other, (512, round(512 * master.height / master.width)))
        rows.append((straight_clip(master, other), *straight_figures(master, other)))
    mean = np.mean(rows, axis=0)
    assert figures(baselines.chance) == pytest.approx((*mean, 100 * mean[1:].mean()), abs=FOUR_DIGITS)
    assert figures(baselines.chance) == pytest.approx((-0.2589, 0.0568, 0.8246, 0.8555, 57.8959), abs=FOUR_DIGITS)


def test_null_edit_is_the_master_given_back(baselines: PaperBaselines) -> None:
    """A master given back gets two thirds of the composite, more than chance, though nothing was done."""
    assert figures(baselines.null_edit) == pytest.approx((1.0, 1.0, 0.0, 1.0, 200 / 3), abs=1e-6)
    assert baselines.null_edit.composite > baselines.chance.composite


def test_without_an_encoder_there_is_no_clip() -> None:
    """Where no encoder is installed CLIP is not measured at either level, and everything else is."""
    found = baselines_of(Image.open(EXAMPLE).convert("RGB"))
    assert (found.chance.clip, found.null_edit.clip) == (None, None)
    assert figures(found.chance)[1:] == pytest.approx((0.0568, 0.8246, 0.8555, 57.8959), abs=FOUR_DIGITS)


def test_the_published_cam_move_is_at_chance_level() -> None:
    """Photographs with nothing in common have the Cam Move that the paper reports of its views, 0.8267."""
    chances = [baselines_of(photograph(name)).chance.cam_move for name in ("astronaut", "coffee", "chelsea")]
    assert min(chances) < 0.8267 < max(chances)


def test_a_master_that_is_one_of_the_photographs_is_not_its_own_chance() -> None:
    """The photograph that the master is does not count as unrelated to it, at whatever size it comes."""
    small = photograph("astronaut").resize((300, 300), Image.Resampling.LANCZOS)
    chance = baselines_of(small).chance
    assert chance.semantic < 0.85
    assert chance.style < 0.3


def test_mirror_check_shows_what_knows_no_side() -> None:
    """Mirrored, a view keeps its Style exactly: it cannot tell left from right; a mirrored master 'moves' by most."""
    master, mirrored = view_of("mirrored")
    null, mirror = score_view(master, master, None), score_view(master, mirrored, None)
    assert mirror.style == null.style
    assert mirror.composite > null.composite
    assert mirror.cam_move > baselines_of(master).chance.cam_move


def test_unrelated_photographs_come_with_the_package() -> None:
    """The photographs are read from scikit-image's own folder, so no chance level waits for a network."""
    folder = Path(skimage.__file__).parent / "data"
    files = {path.stem for path in folder.iterdir()} | {"stereo_motorcycle"}
    assert set(UNRELATED) <= files
    assert {"motorcycle_left", "motorcycle_right"} <= files
    pictures = load_unrelated()
    assert len(pictures) == len(UNRELATED) == 6
    assert all(picture.mode == "RGB" and max(picture.size) <= 512 for picture in pictures)


def test_the_preset_says_what_it_assumes() -> None:
    """Every figure has a sentence that says how it is taken and one that says what it cannot tell."""
    named = {"clip": "CLIP", "style": "Style", "cam_move": "Cam Move", "semantic": "Semantic", "composite": "Composite"}
    for name, word in named.items():
        assert any(sentence.startswith(word) for sentence in ASSUMPTIONS)
        assert CANNOT_TELL[name]
    assert set(CANNOT_TELL) == set(named)
    assert dict(WEIGHTS) == {"style": 1, "cam_move": 1, "semantic": 1}
    assert all(sentence.endswith(".") for sentence in ASSUMPTIONS)
