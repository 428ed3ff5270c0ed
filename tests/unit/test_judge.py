# pyright: standard
"""Patches found again, what a judge reads from where they are, and what is said of place and camera then."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from models.camera import Pose
from models.encoders import EFFICIENTNET_LITE0
from models.errors import MissingWeightsError, WrongWeightsError
from models.scores.findings import CameraFinding, Evidence
from models.scores.judge import FILE, GRID, Judge, Opinion, ask_judge, load_judge
from models.scores.patches import (
    UNLIKE,
    PatchEncoder,
    compare_patches,
    draw_heat_map,
    encode_patches,
    load_patch_encoder,
    measure_appearance,
    measure_unmatched,
)
from models.scores.place import check_place, weigh_judge
from models.thresholds import STAGE_VIEWS

PROJECT = Path(__file__).parents[2]
PLACE = PROJECT / "tests/known_cameras/workshop"
SIZE = (448, 256)
ASKED = Pose(azimuth_deg=45)
UNVERIFIED = CameraFinding(status="review", reason="unsure", motion="unverifiable", evidence="none")
State = dict[str, Tensor]


def read(name: str) -> NDArray[np.uint8]:
    """Return a picture of the workshop in the size that the judge knows."""
    return np.asarray(Image.open(PLACE / name).convert("RGB").resize(SIZE))


@pytest.fixture(scope="module")
def encoder() -> PatchEncoder:
    """The encoder of patches."""
    return load_patch_encoder(EFFICIENTNET_LITE0)


@pytest.fixture(scope="module")
def master(encoder: PatchEncoder) -> Tensor:
    """The patches of the master of the workshop."""
    return encode_patches(encoder, read("master.jpg"))


@pytest.fixture(scope="module")
def judge() -> Judge:
    """The judge that comes with the project."""
    return load_judge(PROJECT / "weights/judge")


def find_again(encoder: PatchEncoder, master: Tensor, picture: NDArray[np.uint8]) -> Tensor:
    """Return the similarity of the patches of a picture with those of the master."""
    return compare_patches(master, encode_patches(encoder, picture))


def think(same: float, mirrored: float = 0.0, sure: float = 1.0) -> Opinion:
    """Return the opinion that a view was taken from 45 degrees to the right, and how sure it is of that."""
    return Opinion(
        places={"same": same, "other": 1 - same - mirrored, "mirrored": mirrored},
        azimuths={-90: 0, -45: (1 - sure) / 2, 0: (1 - sure) / 2, 45: sure, 90: 0},
        elevations={-60: 0, -20: 0, 0: 1, 30: 0, 90: 0},
        distances={0.6: 0, 0.8: 0, 1.0: 1},
        lenses={"normal": 1, "wide": 0},
    )


def test_identical_picture_is_found_whole(encoder: PatchEncoder, master: Tensor) -> None:
    """Of a picture given back every patch is found where it was, and none is unmatched."""
    similarity = find_again(encoder, master, read("master.jpg"))
    assert similarity.shape == (*GRID, *GRID)
    best = similarity.flatten(2).argmax(dim=2)
    assert torch.equal(best, torch.arange(best.numel()).reshape(GRID))
    assert measure_unmatched(similarity) == 0
    assert measure_appearance(similarity) == pytest.approx(1, abs=1e-5)


def test_similarity_is_the_cosine_of_what_is_not_shared() -> None:
    """What all patches of the master share counts for nothing, in the view too, nor does a patch's strength."""
    random = torch.Generator().manual_seed(0)
    master, view = (torch.randn(6, *grid, generator=random) for grid in ((2, 3), (4, 5)))
    shared = torch.randn(6, 1, 1, generator=random) * 10
    similarity = compare_patches(master + shared, view + shared)
    ours, theirs = view[:, 3, 1] - master.mean(dim=(1, 2)), master[:, 1, 2] - master.mean(dim=(1, 2))
    expected = ours @ theirs / ours.norm() / theirs.norm()
    assert similarity.shape == (4, 5, 2, 3)
    assert similarity[3, 1, 1, 2].item() == pytest.approx(expected.item(), abs=1e-5)


def test_heat_map_shows_where_patches_come_from_elsewhere(encoder: PatchEncoder, master: Tensor) -> None:
    """The heat map has the rows and columns of the view in [0, 1], and is cold where something was pasted."""
    pasted = read("master.jpg").copy()
    pasted[:128, :224] = np.random.default_rng(0).integers(0, 256, (128, 224, 3))
    similarity = find_again(encoder, master, pasted)
    heat = np.array(draw_heat_map(similarity))
    assert heat.shape == GRID
    assert heat.min() >= 0
    assert heat.max() <= 1
    assert heat[:7, :13].mean() < UNLIKE < 0.9 < heat[9:, 15:].mean()
    assert measure_unmatched(similarity) == pytest.approx((heat < UNLIKE).mean(), abs=0.01)  # rounded
    assert 0.15 < measure_unmatched(similarity) < 0.3


def test_heat_map_is_the_best_of_each_patch() -> None:
    """Each patch of the view shows its most similar one of the master, from 0 to 1 and in thousandths."""
    similarity = torch.tensor([[0.12345, -0.5], [-0.7, -0.2], [1.0000007, 0.3]]).reshape(3, 1, 1, 2)
    assert draw_heat_map(similarity) == ((0.123,), (0.0,), (1.0,))
    assert measure_unmatched(similarity) == pytest.approx(2 / 3)
    assert measure_appearance(similarity) == pytest.approx((0.12345 - 0.2 + 1) / 3, abs=1e-6)


def test_heat_map_of_a_view_of_another_shape(encoder: PatchEncoder, master: Tensor) -> None:
    """A view of another shape has a heat map of its own shape, down to a single pixel."""
    for size, grid in (((256, 448), (28, 16)), ((4000, 40), (1, 28)), ((1, 1), (28, 28))):
        picture = np.asarray(Image.fromarray(read("high.jpg")).resize(size))
        heat = np.array(draw_heat_map(find_again(encoder, master, picture)))
        assert heat.shape == grid
        assert np.isfinite(heat).all()


def test_nothing_of_noise_or_one_colour_is_found(encoder: PatchEncoder, master: Tensor) -> None:
    """Noise, and a picture of one colour on either side, are nothing like the master, and no measure breaks."""
    noise = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    flat = np.full_like(noise, 90)
    strange = [find_again(encoder, master, picture) for picture in (noise, flat)]
    strange.append(find_again(encoder, encode_patches(encoder, flat), read("master.jpg")))
    for similarity in strange:
        assert measure_appearance(similarity) < STAGE_VIEWS.min_appearance
        assert measure_unmatched(similarity) > 0.8


@pytest.mark.parametrize("grid", [(28, 16), (16, 27), (1, 1)])
def test_of_another_grid_there_is_no_opinion(judge: Judge, grid: tuple[int, int]) -> None:
    """A judge says nothing of a grid that it was not trained on, be it the view's or the master's."""
    assert ask_judge(judge, torch.zeros(*GRID, *grid)) is None
    assert ask_judge(judge, torch.zeros(*grid, *GRID)) is None


def test_probabilities_add_up(judge: Judge) -> None:
    """Whatever it sees, each of the five questions has answers that add up to 1."""
    random = torch.Generator().manual_seed(0)
    for similarity in (torch.zeros(*GRID, *GRID), torch.rand(*GRID, *GRID, generator=random) * 2 - 1):
        opinion = ask_judge(judge, similarity)
        assert opinion
        for answers in (opinion.places, opinion.azimuths, opinion.elevations, opinion.distances, opinion.lenses):
            assert sum(answers.values()) == pytest.approx(1, abs=1e-5)
            assert min(answers.values()) >= 0


def test_judge_knows_the_place_and_its_mirror_image(encoder: PatchEncoder, master: Tensor, judge: Judge) -> None:
    """It has learnt on the stage to know the same picture, its mirror image and what is no part of it."""
    picture = read("master.jpg")
    noise = np.random.default_rng(0).integers(0, 256, picture.shape, np.uint8)
    views = {"same": picture, "mirrored": np.ascontiguousarray(picture[:, ::-1]), "other": noise}
    for place, view in views.items():
        opinion = ask_judge(judge, find_again(encoder, master, view))
        assert opinion
        assert opinion.places[place] > 0.9
    same = ask_judge(judge, find_again(encoder, master, picture))
    assert same
    assert (same.azimuth_deg, same.elevation_deg) == (0, 0)
    assert same.probability_of(Pose()) > 0.5 > same.probability_of(ASKED)


def test_probability_of_a_pose_is_that_of_the_nearest_known() -> None:
    """All four parts of a pose count, each at the nearest setting that was trained."""
    opinion = think(1, sure=0.8)
    assert opinion.probability_of(Pose(azimuth_deg=40, elevation_deg=8)) == pytest.approx(0.8)
    assert opinion.probability_of(Pose(azimuth_deg=-50)) == pytest.approx(0.1)
    for other in (Pose(azimuth_deg=45, elevation_deg=30), Pose(azimuth_deg=45, distance=0.7)):
        assert opinion.probability_of(other) == 0
    assert opinion.probability_of(Pose(azimuth_deg=45, lens="wide")) == 0


def _write(path: Path, change: Callable[[State], State]) -> None:
    save_file(change(Judge().state_dict()), path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: (_write(path, lambda state: state), path.write_bytes(path.read_bytes()[:-100])),
    "of another model": lambda path: _write(path, lambda _: {"weight": torch.zeros(3)}),
    "of another size": lambda path: _write(path, lambda state: state | {"out.bias": torch.zeros(3)}),
    "not finite": lambda path: _write(path, lambda state: state | {"out.bias": state["out.bias"] * torch.nan}),
    "lacking a part": lambda path: _write(path, lambda state: {"sharpness": state["sharpness"]}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_judge_is_refused(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """A file that is no whole judge is named in one sentence."""
    damage(tmp_path / FILE)
    with pytest.raises(WrongWeightsError, match=FILE) as caught:
        load_judge(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_missing_judge_says_what_to_do(tmp_path: Path) -> None:
    """Without its file there is no judge, and the words say where to take one from."""
    with pytest.raises(MissingWeightsError, match="make train"):
        load_judge(tmp_path)


def test_judge_is_read_as_it_was_written(tmp_path: Path, judge: Judge) -> None:
    """A judge that is written and read back answers the same, and never by chance."""
    save_file(judge.state_dict(), tmp_path / FILE)
    again, similarity = load_judge(tmp_path), torch.eye(GRID[0] * GRID[1]).reshape(*GRID, *GRID)
    assert ask_judge(again, similarity) == ask_judge(judge, similarity) == ask_judge(again, similarity)
    assert not again.training


@pytest.mark.parametrize(
    ("evidence", "appearance", "opinion", "status", "words"),
    [
        ("two_view", 0.1, None, "pass", "42 places of the master"),
        ("none", 0.36, think(1), "fail", "nothing of the master"),
        ("none", 0.38, None, "review", "too little of the master"),
        ("none", 0.38, think(0.71), "pass", "the same place (probability 71%"),
        ("none", 0.38, think(0.31, 0.4), "pass", "the same place (probability 71%"),
        ("none", 0.38, think(0.69), "review", "another place (probability 31%"),
        ("none", 0.38, think(0.29), "fail", "another place (probability 71%"),
    ],
)
def test_place_is_judged_by_the_strongest_evidence(
    evidence: Evidence, appearance: float, opinion: Opinion | None, status: str, words: str
) -> None:
    """Places found again come first, then the appearance, then the judge; a mirrored place is the same place."""
    camera = UNVERIFIED.model_copy(update={"evidence": evidence, "num_inliers": 42})
    finding = check_place(camera, appearance, opinion, STAGE_VIEWS)
    assert (finding.status, finding.appearance) == (status, appearance)
    assert words in finding.reason


@pytest.mark.parametrize(
    ("opinion", "asked", "status", "motion", "words"),
    [
        (think(0.1, 0.8), ASKED, "fail", "mirrored", "mirrored"),
        (think(0.9, sure=0.8), ASKED, "pass", "orbited", ""),
        (think(0.9, sure=0.8), Pose(azimuth_deg=-45), "fail", "orbited", "azimuth +45, elevation +0"),
    ],
)
def test_judge_speaks_where_it_is_sure(opinion: Opinion, asked: Pose, status: str, motion: str, words: str) -> None:
    """A sure judge is believed about mirror image and pose, and its word is marked as its own."""
    finding = weigh_judge(UNVERIFIED, opinion, asked, STAGE_VIEWS)
    assert (finding.status, finding.motion, finding.evidence) == (status, motion, "patches")
    assert words in finding.reason
    assert (finding.azimuth_deg == 45) == (motion == "orbited")


@pytest.mark.parametrize("opinion", [think(0.5), think(0.9, sure=0.5)], ids=["place", "pose"])
def test_unsure_judge_says_nothing(opinion: Opinion) -> None:
    """Where it is not sure of the place or of the pose, all stays as it was."""
    assert weigh_judge(UNVERIFIED, opinion, ASKED, STAGE_VIEWS) == UNVERIFIED
