"""The contact sheet: where everything stands, measured on the drawing itself."""

import colorsys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.sheet import SURROUND, SheetCell, draw_sheet

Box = tuple[int, int, int, int]
Pixels = NDArray[np.uint8]

CELL_PX, GAP_PX, HEADER_PX = 420, 20, 84
SIZES = {"16:9": (160, 90), "1:1": (100, 100), "4:1": (160, 40), "1:4": (40, 160)}
LINES = ("azimuth -45°, elevation +0°, distance 1", "CLIP 0.912   Style 0.871   Cam Move 0.764", "Semantic 0.951")
LONG_LINES = (
    "azimuth -45°, elevation -20°, distance 0.6, wide lens (asked: azimuth -44.1235°, elevation -21.43°, distance 1.1)",
    "CLIP 0.912   Style 0.871   Cam Move 0.764",
    "Semantic 0.951   Composite 88.8",
)
LONGEST_NAME = "wide_master_from_the_mezzanine_over_mummy"  # 41 characters, as many as a name may have


def colour(index: int) -> tuple[int, int, int]:
    """Return a saturated colour that no other index has and that no text is drawn in."""
    red, green, blue = colorsys.hsv_to_rgb((index * 0.618034) % 1.0, 1.0, 0.5 + index / 256)
    return round(red * 255), round(green * 255), round(blue * 255)


def make_cells(num_angles: int, aspect: str, lines: tuple[str, ...] = LINES) -> list[SheetCell]:
    """Return the master and the angles, each of one colour of its own."""
    pictures = [Image.new("RGB", SIZES[aspect], colour(index)) for index in range(num_angles + 1)]
    master = SheetCell(picture=pictures[0], title="master", lines=("160 x 90 px",))
    angles = [SheetCell(picture=picture, title=f"angle_{n}", lines=lines) for n, picture in enumerate(pictures[1:])]
    return [master, *angles]


def silenced(cells: list[SheetCell]) -> list[SheetCell]:
    """Return the cells with as many lines, all empty."""
    return [replace(cell, title="", lines=("",) * len(cell.lines)) for cell in cells]


def draw(cells: list[SheetCell], title: str = "street", warning: str = "") -> Pixels:
    """Return the pixels of a sheet."""
    return np.asarray(draw_sheet(title, warning, cells[0], cells[1:]))


def bounds(mask: NDArray[np.bool_]) -> Box:
    """Return left, top, right, bottom of what a mask holds, the last two exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def find_pictures(sheet: Pixels, cells: list[SheetCell]) -> list[Box]:
    """Return where each cell's picture stands, having checked that all of it is there."""
    code = sheet.astype(np.uint32) @ np.array((1, 256, 65536), np.uint32)
    red, green, blue = np.array([colour(index) for index in range(len(cells))], np.uint32).T
    boxes = []
    for mine in red + 256 * green + 65536 * blue:
        mask = code == mine
        left, top, right, bottom = box = bounds(mask)
        assert mask[top:bottom, left:right].all()
        boxes.append(box)
    return boxes


def text_rooms(cells: list[SheetCell], pictures: list[Box]) -> list[Box]:
    """Return the room below each picture that its title and its lines may fill: 24 px a line, 12 px of air."""
    widths = [2 * CELL_PX + GAP_PX] + [CELL_PX] * (len(cells) - 1)
    return [
        (left, bottom, left + width, bottom + 24 * (1 + len(cell.lines)) + 12)
        for cell, (left, _, _, bottom), width in zip(cells, pictures, widths, strict=True)
    ]


def overlaps(boxes: list[Box]) -> list[tuple[Box, Box]]:
    """Return the pairs of boxes that share a pixel."""
    return [
        (one, other)
        for one, other in combinations(boxes, 2)
        if one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
    ]


def stray_ink(cells: list[SheetCell], sheet: Pixels, rooms: list[Box]) -> list[Box]:
    """Return where text is drawn outside of all rooms: nowhere, or one box around it."""
    ink = (sheet != draw(silenced(cells))).any(axis=2)
    for left, top, right, bottom in rooms:
        assert ink[top:bottom, left:right].any()
        ink[top:bottom, left:right] = False
    return [bounds(ink)] if ink.any() else []


@pytest.mark.parametrize(
    ("num_angles", "aspect"),
    [
        (1, "16:9"),
        (4, "16:9"),
        (7, "16:9"),
        (12, "16:9"),
        (64, "16:9"),
        (7, "1:1"),
        (1, "4:1"),
        (7, "4:1"),
        (64, "4:1"),
        (1, "1:4"),
        (7, "1:4"),
    ],
)
def test_nothing_overlaps(num_angles: int, aspect: str) -> None:
    """Every picture is whole and has its aspect; no picture and no text touches another or leaves the sheet."""
    cells = make_cells(num_angles, aspect)
    sheet = draw(cells)
    pictures = find_pictures(sheet, cells)
    rooms = text_rooms(cells, pictures)
    assert overlaps(pictures + rooms) == []
    assert stray_ink(cells, sheet, rooms) == []
    for left, top, right, bottom in pictures + rooms:
        assert GAP_PX <= left < right <= sheet.shape[1] - GAP_PX
        assert HEADER_PX <= top < bottom <= sheet.shape[0] - GAP_PX
    width, height = SIZES[aspect]
    for left, top, right, bottom in pictures:
        assert bottom - top == pytest.approx((right - left) * height / width, abs=1)


@pytest.mark.parametrize("aspect", SIZES)
def test_master_is_first_and_larger(aspect: str) -> None:
    """The master stands at the top left, larger than any angle; the angles follow in reading order."""
    cells = make_cells(7, aspect)
    sheet = draw(cells)
    master, *angles = find_pictures(sheet, cells)
    assert master[:2] == (GAP_PX, HEADER_PX)
    assert {right - left for left, _, right, _ in angles} == {CELL_PX}
    assert master[2] - master[0] > 1.9 * CELL_PX
    assert angles == sorted(angles, key=lambda box: (box[1], box[0]))
    assert len({top for _, top, _, _ in angles}) == 3
    assert sheet.shape[1] == 4 * (CELL_PX + GAP_PX) + GAP_PX


def test_sheet_grows_by_a_row_of_four() -> None:
    """Four angles stand beside the master; every four more take one more row."""
    heights = [draw(make_cells(num_angles, "4:1")).shape[0] for num_angles in (1, 4, 5, 8, 9)]
    row_px = heights[2] - heights[1]
    assert row_px > 0
    assert heights == [heights[0] + row_px * num_rows for num_rows in (0, 0, 1, 1, 2)]


def test_warning_is_drawn() -> None:
    """A warning is a line of its own in the header, in a colour that nothing else has."""
    cells = make_cells(1, "4:1")
    warned = draw(cells, warning="UNTRAINED: the weights of miniature are random numbers.")
    left, top, right, bottom = bounds((warned != draw(cells)).any(axis=2))
    assert 46 <= top < bottom <= HEADER_PX
    assert GAP_PX <= left < right
    assert right > 400
    red, _, blue = warned[top:bottom, left:right].astype(int).reshape(-1, 3).T
    assert (red > blue + 100).any()


def test_sheet_is_the_same_every_time() -> None:
    """The same cells give the same pixels, and without any text there is nothing but the pictures on the surround."""
    cells = make_cells(4, "4:1")
    assert np.array_equal(draw(cells), draw(cells))
    blank = draw(silenced(cells), title="")
    colours = {SURROUND, *(colour(index) for index in range(5))}
    assert {tuple(pixel) for pixel in np.unique(blank.reshape(-1, 3), axis=0).tolist()} == colours


def test_long_captions_stay_in_their_cell() -> None:
    """The longest name that an angle may have and the longest caption that it may get end where their cell ends."""
    cells = [replace(cell, title=LONGEST_NAME) for cell in make_cells(7, "4:1", LONG_LINES)]
    sheet = draw(cells)
    assert stray_ink(cells, sheet, text_rooms(cells, find_pictures(sheet, cells))) == []


def test_long_title_stays_on_the_sheet() -> None:
    """A scene with the longest name that it may have leaves the margin of the header free."""
    sheet = draw(make_cells(1, "4:1"), title=f"{'m' * 63}  20260101T000000Z-0123456789ab  miniature")
    assert bounds((sheet[:HEADER_PX] != SURROUND).any(axis=2))[2] <= sheet.shape[1] - GAP_PX
