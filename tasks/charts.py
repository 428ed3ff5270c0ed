"""Bar charts as SVG: bars with intervals and level lines, nothing else, so that no plotting library is needed."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

INKS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#555555")
"""Told apart by people who see colours otherwise. Source: Okabe and Ito 2008."""

_LEFT, _TOP, _PLOT, _LABELS, _MARGIN = 48, 30, 150, 40, 70
_BAR, _GAP, _MIN_GROUP = 22, 14, 74
_LINE_PX, _HEADING_PX, _LETTER = 16, 30, 7
_NUM_TICKS = 5
_HEADROOM = 0.08


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One value, or none; `series` chooses its colour."""

    series: int
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One axis with groups of bars by their names, and levels drawn across all of them."""

    title: str
    groups: tuple[tuple[str, tuple[Bar, ...]], ...]
    levels: tuple[tuple[str, float], ...] = ()

    @property
    def width(self) -> int:
        """In pixels, with the names of the axis and the levels."""
        return _LEFT + _MARGIN + sum(_group_width(name, bars) for name, bars in self.groups)

    @property
    def extent(self) -> tuple[float, float]:
        """The least and the greatest value that has to be shown, 0 among them, and room for a number above."""
        bars = [bar for _, group in self.groups for bar in group]
        shown = [value for bar in bars for value in (bar.value, bar.low, bar.high) if value is not None]
        shown += [0.0, *(level for _, level in self.levels)]
        return min(shown), max(*shown, min(shown) + 1e-6) + _HEADROOM * (max(shown) - min(shown))


def draw_chart(title: str, notes: Sequence[str], series: Sequence[str], panels: Sequence[Panel], columns: int) -> str:
    """Return a chart as SVG: title, legend, panels in rows of so many columns, and lines of notes below."""
    cell_width, cell_height = max(panel.width for panel in panels), _TOP + _PLOT + _LABELS
    num_rows = -(-len(panels) // columns)
    legend_y, panels_y = _HEADING_PX, _HEADING_PX + _LINE_PX
    notes_y = panels_y + num_rows * cell_height + _LINE_PX
    width = max(cell_width * min(columns, len(panels)), 760)
    height = notes_y + len(notes) * _LINE_PX
    size = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11" fill="#222">',
        f'<rect {size} fill="#fff"/>',
        _text(8, 20, title, 'font-size="15" font-weight="bold"'),
    ]
    x = 8
    for number, name in enumerate(series):
        parts.append(f'<rect x="{x}" y="{legend_y}" width="10" height="10" fill="{INKS[number % len(INKS)]}"/>')
        parts.append(_text(x + 14, legend_y + 9, name))
        x += 34 + _LETTER * len(name)
    for number, panel in enumerate(panels):
        across, down = number % columns * cell_width, panels_y + number // columns * cell_height
        parts += [f'<g transform="translate({across},{down})">', *_draw_panel(panel), "</g>"]
    parts += [_text(8, notes_y + number * _LINE_PX, note) for number, note in enumerate(notes)]
    return "\n".join([*parts, "</svg>\n"])


def _draw_panel(panel: Panel) -> Iterator[str]:
    low, high = panel.extent
    right = panel.width - _MARGIN

    def y(value: float) -> float:
        return _TOP + _PLOT * (high - value) / (high - low)

    yield _text(_LEFT, 20, panel.title, 'font-weight="bold"')
    for tick in _ticks(low, high):
        yield _line(_LEFT, y(tick), right, y(tick), "#ddd")
        yield _text(_LEFT - 5, y(tick) + 4, f"{tick:g}", 'text-anchor="end"')
    x = _LEFT
    for name, bars in panel.groups:
        width = _group_width(name, bars)
        yield _text(x + width / 2, _TOP + _PLOT + 16, name, 'text-anchor="middle"')
        start = x + (width - _BAR * len(bars)) / 2
        for number, bar in enumerate(bars):
            yield from _draw_bar(bar, start + number * _BAR, y)
        x += width
    yield _line(_LEFT, y(0), right, y(0))
    for name, level in panel.levels:
        yield _line(_LEFT, y(level), right, y(level), "#b00", 'stroke-dasharray="5 3"')
        yield _text(right + 4, y(level) + 4, name, 'fill="#b00"')


def _draw_bar(bar: Bar, x: float, y: Callable[[float], float]) -> Iterator[str]:
    if bar.value is None:
        yield _text(x + _BAR / 2, y(0) - 4, "none", 'text-anchor="middle" font-size="8" fill="#888"')
        return
    upper, height, ink = min(y(bar.value), y(0)), abs(y(bar.value) - y(0)), INKS[bar.series % len(INKS)]
    shape = f'x="{x + 2:.1f}" y="{upper:.1f}" width="{_BAR - 4}" height="{height:.1f}"'
    yield f'<rect {shape} fill="{ink}"><title>{bar.value:.4f}</title></rect>'
    if bar.low is not None and bar.high is not None:
        upper = min(upper, y(bar.high))
        yield _line(x + _BAR / 2, y(bar.low), x + _BAR / 2, y(bar.high))
    words = f"{bar.value:.0f}" if abs(bar.value) >= 10 else f"{bar.value:.2f}"  # noqa: PLR2004 - digits that fit
    yield _text(x + 2, upper - 3, words, 'font-size="9"')


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two values."""
    rough = (high - low) / _NUM_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _group_width(name: str, bars: Sequence[Bar]) -> int:
    return max(_MIN_GROUP, _BAR * len(bars) + _GAP, _LETTER * len(name) + _GAP)


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, ink: str = "#222", more: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{ink}" {more}/>'
