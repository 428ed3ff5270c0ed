"""The contact sheet: the master first and larger, then every angle with its name, scores and warnings."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_Colour = tuple[int, int, int]

SURROUND = (46, 46, 46)
_INK, _FAINT, _WARNING = (235, 235, 235), (160, 160, 160), (255, 178, 64)
_CELL_WIDTH_PX, _GAP_PX, _HEADER_PX, _LINE_PX = 420, 20, 84, 24
MASTER_WIDTH_PX = 2 * _CELL_WIDTH_PX + _GAP_PX
"""No picture on a sheet is wider."""
_NUM_COLUMNS = 4


@dataclass(frozen=True, kw_only=True)
class SheetCell:
    """One picture of the sheet and the lines of text below it."""

    picture: Image.Image
    title: str
    lines: tuple[str, ...] = ()


def draw_sheet(title: str, warning: str, master: SheetCell, angles: Sequence[SheetCell]) -> Image.Image:
    """Draw the sheet; the master takes four cells, the angles go around and below it.

    Args:
        title: Scene, version, profile: one line.
        warning: What a reader must know before trusting a picture, or an empty string.
        master: The still, at the top left.
        angles: The coverage, in reading order.
    """
    aspect = master.picture.height / master.picture.width
    text_px = _LINE_PX * (1 + max(len(cell.lines) for cell in (master, *angles)))
    cell_px = (_CELL_WIDTH_PX, round(_CELL_WIDTH_PX * aspect) + text_px + 12)
    places = _places(len(angles))
    num_rows = 1 + max(row for _, row in [*places, (0, 1)])
    width = _NUM_COLUMNS * (_CELL_WIDTH_PX + _GAP_PX) + _GAP_PX
    sheet = Image.new("RGB", (width, _HEADER_PX + num_rows * (cell_px[1] + _GAP_PX) + _GAP_PX), SURROUND)
    _draw_header(sheet, title, warning)
    large_px = (MASTER_WIDTH_PX, 2 * cell_px[1] + _GAP_PX)
    _draw_cell(sheet, master, (_GAP_PX, _HEADER_PX), large_px)
    for cell, (column, row) in zip(angles, places, strict=True):
        corner = (_GAP_PX + column * (_CELL_WIDTH_PX + _GAP_PX), _HEADER_PX + row * (cell_px[1] + _GAP_PX))
        _draw_cell(sheet, cell, corner, cell_px)
    return sheet


def draw_pairs(title: str, note: str, pairs: Sequence[tuple[SheetCell, SheetCell]]) -> Image.Image:
    """Draw one row per pair, the two pictures of it side by side at the width of a master.

    Args:
        title: What is compared: one line.
        note: What a reader must know, or an empty string.
        pairs: Left and right, in reading order; none makes a sheet of a heading alone.
    """
    cells = [cell for pair in pairs for cell in pair]
    text_px = _LINE_PX * (1 + max((len(cell.lines) for cell in cells), default=0))
    heights = [
        max(round(MASTER_WIDTH_PX * cell.picture.height / cell.picture.width) for cell in pair) + text_px + 12
        for pair in pairs
    ]
    width = 2 * (MASTER_WIDTH_PX + _GAP_PX) + _GAP_PX
    sheet = Image.new("RGB", (width, _HEADER_PX + sum(heights) + _GAP_PX * (len(pairs) + 1)), SURROUND)
    _draw_header(sheet, title, note)
    top = _HEADER_PX
    for pair, height in zip(pairs, heights, strict=True):
        for column, cell in enumerate(pair):
            _draw_cell(sheet, cell, (_GAP_PX + column * (MASTER_WIDTH_PX + _GAP_PX), top), (MASTER_WIDTH_PX, height))
        top += height + _GAP_PX
    return sheet


def _places(num_angles: int) -> list[tuple[int, int]]:
    """Return (column, row) of each angle: the master holds columns 0 and 1 of rows 0 and 1."""
    beside = [(column, row) for row in (0, 1) for column in (2, 3)]
    below = [(index % _NUM_COLUMNS, 2 + index // _NUM_COLUMNS) for index in range(num_angles)]
    return (beside + below)[:num_angles]


def _draw_header(sheet: Image.Image, title: str, warning: str) -> None:
    draw = ImageDraw.Draw(sheet)
    width_px = sheet.width - 2 * _GAP_PX
    _write(draw, (_GAP_PX, 16), title, _INK, 28, width_px)
    _write(draw, (_GAP_PX, 52), warning, _WARNING, 20, width_px)


def _draw_cell(sheet: Image.Image, cell: SheetCell, corner: tuple[int, int], size: tuple[int, int]) -> None:
    left, top = corner
    height = round(size[0] * cell.picture.height / cell.picture.width)
    room = size[1] - 12 - _LINE_PX * (1 + len(cell.lines))
    scale = min(1.0, room / height)
    shown = cell.picture.resize((round(size[0] * scale), round(height * scale)), Image.Resampling.LANCZOS)
    sheet.paste(shown, (left, top))
    draw = ImageDraw.Draw(sheet)
    top += shown.height + 8
    _write(draw, (left, top), cell.title, _INK, 20, size[0])
    for number, line in enumerate(cell.lines, start=1):
        _write(draw, (left, top + number * _LINE_PX), line, _FAINT, 16, size[0])


def _write(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, ink: _Colour, size_px: int, width_px: int
) -> None:
    """Write one line, cut with an ellipsis where it would leave its room."""
    font = ImageFont.load_default(size_px)
    while draw.textlength(text, font) > width_px:
        text = text.removesuffix("...")[:-1] + "..."
    draw.text(corner, text, ink, font)
