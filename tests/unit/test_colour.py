# pyright: standard
"""Grades and palettes beside what libraries and plain arithmetic say of the same pixels."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance
from skimage import data
from skimage.color import deltaE_ciede2000, rgb2lab

from models.scores.colour import (
    MIN_PLACES,
    Colours,
    check_grade,
    colour_distance,
    colour_shift,
    palette_distance,
    read_colours,
)
from models.scores.findings import GradeFinding
from models.scores.matching import Matches
from models.thresholds import STAGE_VIEWS

Pixels = NDArray[np.uint8]

RED, GREEN, GREY, WHITE = (180, 30, 40), (40, 160, 60), (119, 119, 119), (255, 255, 255)
WARM, COLD, DARK, BRIGHT = (1.15, 1.0, 0.5), (0.95, 0.98, 1.6), (0.72, 0.72, 0.72), (1.3, 1.3, 1.3)


@pytest.fixture(scope="module")
def photograph() -> Pixels:
    """A photograph without burnt-out parts, so that a grade can move all of it."""
    return (data.coffee()[:200, :300] * 0.8).astype(np.uint8)


def grade(picture: Pixels, factors: tuple[float, float, float]) -> Pixels:
    """Return a picture with its channels multiplied."""
    return np.clip(picture * np.array(factors), 0, 255).astype(np.uint8)


def paint(*stripes: tuple[tuple[int, int, int], int]) -> Pixels:
    """Return a picture of stripes of these colours and widths."""
    return np.concatenate([np.full((20, width, 3), colour, np.uint8) for colour, width in stripes], axis=1)


def everywhere(picture: Pixels, step: int = 10) -> Matches:
    """Return pairs of the same places all over a picture."""
    rows, columns = np.mgrid[0 : picture.shape[0] : step, 0 : picture.shape[1] : step].reshape(2, -1)
    places = np.stack((columns, rows), axis=1).astype(np.float32)
    return Matches(master=places, view=places)


def judge(master: Pixels, view: Pixels, places: Matches | None = None) -> GradeFinding:
    """Judge the grade of a view, by the same places where they are given."""
    shift = colour_shift(master, view, places) if places else None
    return check_grade(read_colours(master), read_colours(view), shift, STAGE_VIEWS)


def test_identical_picture_is_at_no_distance(photograph: Pixels) -> None:
    """A picture has the grade of itself, by all measures and without a word."""
    finding = judge(photograph, photograph.copy(), everywhere(photograph))
    assert (finding.colour_distance, finding.palette_distance, finding.shift) == (0, 0, (0, 0, 0))
    assert (finding.status, finding.reason) == ("pass", "")


@pytest.mark.parametrize(
    ("factors", "word", "axis", "sign"),
    [(WARM, "warmer", 2, 1), (COLD, "colder", 2, -1), (DARK, "darker", 0, -1), (BRIGHT, "brighter", 0, 1)],
    ids=["warm", "cold", "dark", "bright"],
)
@pytest.mark.parametrize("has_places", [True, False], ids=["places", "whole"])
def test_grade_is_found_with_its_sign(
    photograph: Pixels, factors: tuple[float, float, float], word: str, axis: int, sign: int, *, has_places: bool
) -> None:
    """A grade is named by its largest part, of the same places and of whole pictures alike."""
    finding = judge(photograph, grade(photograph, factors), everywhere(photograph) if has_places else None)
    assert finding.status in {"review", "fail"}
    where = "the same places are" if has_places else "the picture as a whole is"
    assert finding.reason.startswith(f"{where} {word}")
    assert (finding.shift is not None) == has_places
    if finding.shift:
        assert int(np.argmax(np.abs(finding.shift))) == axis
        assert finding.shift[axis] * sign > 4


def test_distance_is_that_of_many_transports(photograph: Pixels) -> None:
    """The distance of all pixels is the mean of scipy's along other directions all over the sphere."""
    other = grade(data.chelsea()[:200, :300], WARM)
    directions = np.random.default_rng(5).normal(size=(400, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    pixels = [rgb2lab(picture).reshape(-1, 3)[::7] for picture in (photograph, other)]
    along = [wasserstein_distance(*(part @ direction for part in pixels)) for direction in directions]
    colours = read_colours(photograph), read_colours(other)
    assert colour_distance(*colours) == pytest.approx(np.mean(along), rel=0.06)
    assert colour_distance(*colours) == colour_distance(*reversed(colours))


def test_distance_of_two_colours_is_half_of_that_in_lab() -> None:
    """Of one colour and another the mean over all directions is half their distance in Lab."""
    one, other = (read_colours(paint((colour, 30))) for colour in (RED, GREY))
    apart = np.linalg.norm(rgb2lab(np.array(RED) / 255) - rgb2lab(np.array(GREY) / 255))
    assert colour_distance(one, other) == pytest.approx(apart / 2, rel=0.1)


def test_palette_is_compared_in_ciede2000() -> None:
    """Each colour of the master's palette counts by its share, and by the nearest one of the view."""
    master, view = read_colours(paint((RED, 30), (GREEN, 10))), read_colours(paint((GREY, 25), (GREEN, 15)))
    red, green, grey = (rgb2lab(np.array(colour) / 255) for colour in (RED, GREEN, GREY))
    nearest = min(deltaE_ciede2000(red, grey), deltaE_ciede2000(red, green))
    assert palette_distance(master, view) == pytest.approx(0.75 * nearest, rel=1e-3)
    back = min(deltaE_ciede2000(grey, red), deltaE_ciede2000(grey, green))
    assert palette_distance(view, master) == pytest.approx(0.625 * back, rel=1e-3)
    assert nearest != pytest.approx(np.linalg.norm(red - grey), rel=0.1)


def test_palette_has_the_colours_of_the_picture() -> None:
    """Few colours are all in the palette with their shares; of many there are eight, which add up."""
    few = read_colours(paint((RED, 10), (GREEN, 30)))
    order = np.argsort(few.shares)
    np.testing.assert_allclose(few.shares[order], (0.25, 0.75), atol=1e-6)
    np.testing.assert_allclose(few.palette[order], rgb2lab(np.array([RED, GREEN]) / 255), atol=1e-3)
    many = read_colours(data.coffee())
    assert many.palette.shape == (8, 3)
    assert many.shares.sum() == pytest.approx(1)


def test_a_cluster_without_pixels_is_left_out() -> None:
    """Thirteen colours lie so that one of eight clusters loses all its own: seven are kept, without a warning."""
    random = np.random.default_rng(2299)
    colours = read_colours(random.integers(0, 256, (1, random.integers(9, 14), 3)).astype(np.uint8))
    assert len(colours.palette) < 8
    assert colours.shares.min() > 0
    assert colours.shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (20, 30)])
def test_one_colour_has_a_palette_of_one(size: tuple[int, int]) -> None:
    """A picture of one colour, of any shape, has that colour and no other, and is at no distance from itself."""
    colours = read_colours(np.full((*size, 3), RED, np.uint8))
    np.testing.assert_allclose(colours.palette, rgb2lab(np.array(RED) / 255)[None], atol=1e-3)
    assert colours.shares.tolist() == [1]
    assert colour_distance(colours, colours) == palette_distance(colours, colours) == 0


def test_one_colour_beside_a_picture_fails(photograph: Pixels) -> None:
    """A white picture is brighter than any, and said to be."""
    finding = judge(photograph, np.full_like(photograph, WHITE))
    assert finding.status == "fail"
    assert "brighter" in finding.reason
    assert np.isfinite([finding.colour_distance, finding.palette_distance]).all()


def test_larger_picture_has_the_same_colours(photograph: Pixels) -> None:
    """How many pixels a picture has, or which way it is turned, does not matter."""
    large = photograph.repeat(3, axis=0).repeat(3, axis=1)
    for other in (large, photograph[:, ::-1], photograph.transpose(1, 0, 2)):
        finding = judge(photograph, np.ascontiguousarray(other))
        assert finding.colour_distance < 0.5
        assert finding.palette_distance < 1
        assert finding.status == "pass"


def test_same_places_are_compared_where_they_are(photograph: Pixels) -> None:
    """Of a view that shows things elsewhere, and others besides, only the places that are the same count."""
    moved = np.full((300, 450, 3), WHITE, np.uint8)
    moved[100:, 150:] = photograph
    places = everywhere(photograph[20:-20, 20:-20])
    pairs = Matches(master=places.master + 20, view=places.master + 20 + np.array((150, 100), np.float32))
    finding = judge(photograph, moved, pairs)
    assert finding.shift == pytest.approx((0, 0, 0), abs=0.1)
    assert (finding.status, finding.colour_distance > 12) == ("pass", True)


def test_few_places_say_nothing(photograph: Pixels) -> None:
    """Below the floor the shift of places is not known; places at or over the edge are taken at the edge."""
    view = grade(photograph, DARK)
    places = everywhere(photograph)
    few = Matches(master=places.master[: MIN_PLACES - 1], view=places.view[: MIN_PLACES - 1])
    assert colour_shift(photograph, view, few) is None
    corner = np.full((MIN_PLACES, 2), 10_000, np.float32)
    shift = colour_shift(photograph, view, Matches(master=corner, view=-corner))
    expected = rgb2lab(view[:3, :3]).mean(axis=(0, 1)) - rgb2lab(photograph[-3:, -3:]).mean(axis=(0, 1))
    assert shift == pytest.approx(expected, abs=3)


def test_a_minority_of_wrong_places_changes_no_shift(photograph: Pixels) -> None:
    """The shift is a median: a third of places that are something else does not carry it away."""
    view = photograph.copy()
    view[:60] = WHITE
    shift = colour_shift(photograph, view, everywhere(photograph))
    assert shift == pytest.approx((0, 0, 0), abs=0.1)


@pytest.mark.parametrize(("amount", "status"), [(3.9, "pass"), (4.1, "review"), (7.9, "review"), (8.1, "fail")])
@pytest.mark.parametrize("axis", range(3))
def test_status_follows_the_shift(photograph: Pixels, amount: float, status: str, axis: int) -> None:
    """Where places are known, their shift decides in any direction, and not the colours of the whole picture."""
    colours: Colours = read_colours(photograph)
    shift = np.zeros(3, np.float32)
    shift[axis] = -amount
    finding = check_grade(colours, read_colours(np.full_like(photograph, WHITE)), shift, STAGE_VIEWS)
    assert finding.status == status
    words = ("darker", "greener", "colder")
    assert finding.reason == (
        "" if status == "pass" else f"the same places are {words[axis]} than in the master (by {amount:.0f} in Lab)"
    )
