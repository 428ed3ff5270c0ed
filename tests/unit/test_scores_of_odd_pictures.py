# pyright: standard
"""What is said of pictures that fit no master: other sizes, one colour, no place in common, one angle alone."""

import math
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from models.camera import Pose
from models.profiles import MINIATURE
from models.scores.findings import PictureFinding, ScoreCard
from models.scores.matching import NEIGHBOURS, Features, describe, match, to_working_size
from models.scores.scoring import PreparedMaster, Scorer, load_scorer
from models.scores.validity import check_picture, compare_sharpness, measure_structure
from models.thresholds import STAGE_VIEWS
from storage.queries import rank_profiles
from storage.reports import read_report, write_report
from tasks.rows import list_rows, sum_up
from tests.coverages import cover, make_card, make_record

Pixels = NDArray[np.uint8]

PROJECT = Path(__file__).parents[2]
SIZE = (120, 80)
LEFT = Pose(azimuth_deg=-45)


def photograph(size: tuple[int, int] = SIZE) -> Image.Image:
    """Return a photograph of a cup of coffee."""
    return Image.fromarray(data.coffee()).resize(size)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """The scorer of the miniature with all of its encoders."""
    return load_scorer(MINIATURE, PROJECT / "weights")


@pytest.fixture(scope="module")
def master(scorer: Scorer) -> PreparedMaster:
    """The photograph as a master."""
    return scorer.prepare(photograph())


def check_card(card: ScoreCard) -> None:
    """No figure of a card is a number that is none, and the card reads back as it was written."""
    figures = [value for value in card.columns().values() if isinstance(value, float)]
    assert all(map(math.isfinite, figures))
    assert ScoreCard.model_validate_json(card.model_dump_json()) == card


@pytest.mark.parametrize("size", [(1, 1), (300, 1), (1, 300), (256, 64), (16, 16)], ids=str)
def test_view_of_any_size_has_a_whole_card(scorer: Scorer, master: PreparedMaster, size: tuple[int, int]) -> None:
    """A view of any size and shape is brought to the master's, said to have been, and does not pass."""
    card = scorer.score(master, photograph(size), LEFT)
    check_card(card)
    assert card.was_resized
    assert card.verdict != "pass"
    assert card.place.heat_map
    assert {len(row) for row in card.place.heat_map} == {28}
    if size == (256, 64):  # squeezed, it still shows what the master does
        assert (card.camera.motion, card.camera.error_deg) == ("static", pytest.approx(45))


@pytest.mark.parametrize("size", [(8, 8), (160, 40), (40, 160)], ids=str)
def test_master_of_any_shape_knows_itself_again(scorer: Scorer, size: tuple[int, int]) -> None:
    """A tiny master and one that is four times as long as high are as like themselves as any."""
    prepared = scorer.prepare(photograph(size))
    card = scorer.score(prepared, photograph(size), LEFT)
    check_card(card)
    assert not card.was_resized
    assert (card.grade.colour_distance, card.people.subject_distance, card.place.unmatched_share) == (0, 0, 0)
    assert card.picture.sharpness_ratio == pytest.approx(1)
    assert scorer.measure_baselines(prepared).null_edit.semantic == pytest.approx(1)


def test_without_a_place_in_common_the_camera_is_not_known(scorer: Scorer, master: PreparedMaster) -> None:
    """Of another photograph no camera is told, how few places there were is said, and nothing of it passes as ours."""
    card = scorer.score(master, Image.fromarray(data.chelsea()).resize(SIZE), LEFT)
    check_card(card)
    assert (card.camera.status, card.camera.motion) == ("review", "unverifiable")
    assert re.search(r"only \d+ (places were found in both|agree on a camera)", card.camera.reason)
    assert (card.camera.azimuth_deg, card.camera.error_deg, card.grade.shift) == (None, None, None)
    assert card.place.status in {"review", "fail"}
    assert card.verdict == "fail"


def test_two_pictures_of_one_colour_have_nothing_in_common(scorer: Scorer) -> None:
    """Of one colour beside another nothing can be measured but the colours, which are what fails."""
    black = scorer.prepare(Image.new("RGB", SIZE))
    same, other = (scorer.score(black, Image.new("RGB", SIZE, colour), LEFT) for colour in ("black", "#c08040"))
    for card in (same, other):
        check_card(card)
        assert (card.picture.reason, card.picture.sharpness_ratio) == ("the picture is one colour", None)
        assert (card.camera.motion, card.camera.num_matches) == ("unverifiable", 0)
    assert (same.grade.status, same.people.status) == ("pass", "pass")
    assert (other.grade.status, other.people.status) == ("fail", "fail")
    assert "brighter" in other.grade.reason


@pytest.mark.parametrize("num", [0, 1, NEIGHBOURS - 1])
def test_too_few_places_are_matched_with_nothing(num: int) -> None:
    """One colour has no places at all, and a master with next to none, or a view without any, has no matches."""
    some = describe(to_working_size(photograph()))
    few = Features(points=some.points[:num], descriptors=some.descriptors[:num], width_px=480, height_px=320)
    none = describe(np.zeros((320, 480, 3), np.uint8))
    assert len(none.points) == 0
    assert len(match(few, some)) == len(match(some, none)) == len(match(none, none)) == 0
    assert len(match(some, some)) > 50


def judge(view: Pixels, master: Pixels | None = None) -> PictureFinding:
    """Judge a view beside the photograph, or beside another master."""
    return check_picture(np.asarray(photograph((300, 200))) if master is None else master, view, STAGE_VIEWS)


@pytest.mark.parametrize(
    ("share", "status", "words"),
    [(0.0, "pass", ""), (0.22, "review", "nearly noise"), (1.0, "fail", "nothing to do with each other")],
)
def test_noise_is_found_by_its_share(share: float, status: str, words: str) -> None:
    """The more of the pixels are noise, the less neighbours have to do with each other."""
    picture, random = np.asarray(photograph((300, 200))).copy(), np.random.default_rng(0)
    is_noise = random.random(picture.shape[:2]) < share
    picture[is_noise] = random.integers(0, 256, (int(is_noise.sum()), 3))
    finding = judge(picture)
    assert finding.status == status
    assert words in finding.reason


@pytest.mark.parametrize(
    ("sigma", "status", "words"), [(0.0, "pass", ""), (0.75, "review", "is soft"), (3.0, "fail", "is blurred")]
)
def test_blur_is_found_by_the_detail_that_is_left(sigma: float, status: str, words: str) -> None:
    """A softer picture is for review and a blurred one fails, with the share of the master's detail."""
    picture = np.asarray(photograph((300, 200)))
    finding = judge(cv2.GaussianBlur(picture, (0, 0), sigma).astype(np.uint8) if sigma else picture)
    assert finding.status == status
    assert words in finding.reason
    assert finding.sharpness_ratio is not None
    assert (f"{finding.sharpness_ratio:.0%}" in finding.reason) == bool(sigma)


def test_structure_and_detail_by_hand() -> None:
    """A ramp is all structure, a board of single pixels the opposite, one colour neither; nothing has no detail."""
    ramp = np.tile(np.arange(64, dtype=np.float32), (64, 1)) + np.arange(64, dtype=np.float32)[:, None]
    board = (np.indices((64, 64)).sum(axis=0) % 2).astype(np.float32) * 255
    assert measure_structure(ramp) == pytest.approx(1)
    assert measure_structure(board) == pytest.approx(-1)
    assert measure_structure(np.full((64, 64), 7, np.float32)) == 0
    assert compare_sharpness(np.zeros((64, 64), np.float32), board) is None
    paler = (np.square(ramp) / 3).astype(np.float32)
    assert compare_sharpness(np.square(ramp), paler) == pytest.approx(1, rel=1e-4)


def test_one_angle_alone_is_a_coverage() -> None:
    """The report of one angle has one row, which is the worst and the mean of all, and no interval."""
    card = make_card("review", "unsure")
    coverage = cover({"left_45": make_record("left_45", LEFT)}, {"left_45": card})
    (row,), totals = list_rows(coverage), sum_up(coverage)
    assert (row["attempt"], row["is_chosen"], row["order_score"]) == (1, True, card.order_score)
    assert (totals["num_angles"], totals["num_review"], totals["worst_angle"]) == (1, 1, "left_45")
    assert totals["mean_order_score"] == card.order_score
    (ranked,) = rank_profiles(read_report(write_report([row])).lazy()).collect().to_dicts()
    assert (ranked["num_angles"], ranked["share_passed"], ranked["order_score_low"]) == (1, 0, None)


def test_the_worst_check_is_the_verdict() -> None:
    """What was not measured does not count, a failure comes before a doubt, and every doubt costs in the order."""
    good, doubtful = make_card(), make_card("review", "unsure")
    failed = doubtful.model_copy(
        update={"grade": doubtful.grade.model_copy(update={"status": "fail", "reason": "dim"})}
    )
    blind = good.model_copy(update={"place": good.place.model_copy(update={"status": "not_measured", "reason": "n"})})
    assert [card.verdict for card in (good, blind, doubtful, failed)] == ["pass", "pass", "review", "fail"]
    assert [card.reasons for card in (blind, doubtful, failed)] == [(), ("unsure",), ("dim", "unsure")]
    assert doubtful.order_score == pytest.approx(good.order_score - 1)
    assert failed.order_score == pytest.approx(good.order_score - 11)
