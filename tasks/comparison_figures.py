# pyright: standard
"""The figures of a comparison, drawn from its report alone.

`figure_8` and `figure_9` show what Figures 8 and 9 of the paper show: CLIP and composite per angle per tool, and Style,
Cam Move and Semantic per tool. How the paper lays them out is not described anywhere that could be read from here, so
the layout is assumed. `intervals` is ours. What the paper reports stands in none of them: its pictures, encoder and
formulas are others.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from models.scores.paper import ASSUMPTIONS
from storage.comparison_report import FIGURES
from tasks.charts import Bar, Panel, draw_chart

TITLES = {
    "clip": "CLIP",
    "style": "Style",
    "cam_move": "Cam Move",
    "semantic": "Semantic",
    "composite": "Composite",
}
MIN_SCENES = 3
"""Of fewer no interval is stated."""
NUM_RESAMPLES = 2000
_ENDS = (2.5, 97.5)


def draw_figures(rows: pl.DataFrame) -> dict[str, str]:
    """Return the three figures as SVG, by name."""
    return {"figure_8": draw_angles(rows), "figure_9": draw_tools(rows), "intervals": draw_intervals(rows)}


def draw_angles(rows: pl.DataFrame) -> str:
    """Return composite and CLIP of each angle and tool, means over scenes."""
    tools, angles = _names(rows, "tool"), _names(rows, "angle")
    panels = [
        Panel(
            title=TITLES[figure],
            groups=tuple(
                (
                    angle.replace("_", " "),
                    tuple(
                        Bar(series=number, value=_mean(rows.filter(tool=tool, angle=angle)[f"paper_{figure}"]))
                        for number, tool in enumerate(tools)
                    ),
                )
                for angle in angles
            ),
            levels=_levels(rows, figure),
        )
        for figure in ("composite", "clip")
    ]
    return draw_chart("As in Figure 8: composite and CLIP by angle", _notes(rows), tools, panels, columns=1)


def draw_tools(rows: pl.DataFrame) -> str:
    """Return Style, Cam Move and Semantic of each tool, means over scenes of their means over angles."""
    tools = _names(rows, "tool")
    panels = [
        Panel(
            title=TITLES[figure],
            groups=(
                (
                    "",
                    tuple(
                        Bar(series=number, value=_mean(_scene_means(rows, tool, figure)))
                        for number, tool in enumerate(tools)
                    ),
                ),
            ),
            levels=_levels(rows, figure),
        )
        for figure in ("style", "cam_move", "semantic")
    ]
    return draw_chart("As in Figure 9: Style, Cam Move, Semantic by tool", _notes(rows), tools, panels, columns=3)


def draw_intervals(rows: pl.DataFrame) -> str:
    """Return every figure of every tool with its interval, beside chance level and null edit."""
    tools = _names(rows, "tool")
    panels = [
        Panel(
            title=title,
            groups=tuple(
                (tool, (_interval_bar(number, _scene_means(rows, tool, figure)),)) for number, tool in enumerate(tools)
            ),
            levels=_levels(rows, figure) if figure in FIGURES else (),
        )
        for figure, title in (TITLES | {"passed": "Share of angles that pass"}).items()
    ]
    few = [tool for tool in tools if len(_scene_means(rows, tool, "style")) < MIN_SCENES]
    words = f"Lines on bars: 95 % bootstrap intervals of the mean, {NUM_RESAMPLES} resamples of scenes."
    lines = [
        words,
        *([f"Not enough scenes for an interval (fewer than {MIN_SCENES}): {', '.join(few)}."] if few else []),
    ]
    return draw_chart("Every figure by tool", [*lines, *_notes(rows)], tools, panels, columns=2)


def bootstrap(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the ends of the 95 % interval of a mean, by resampling; None of fewer values than `MIN_SCENES`."""
    if len(values) < MIN_SCENES:
        return None
    chosen = np.random.default_rng(0).integers(0, len(values), (NUM_RESAMPLES, len(values)))
    low, high = np.percentile(np.asarray(values)[chosen].mean(axis=1), _ENDS)
    return float(low), float(high)


def _interval_bar(series: int, values: Sequence[float]) -> Bar:
    low, high = bootstrap(values) or (None, None)
    return Bar(series=series, value=_mean(values), low=low, high=high)


def _scene_means(rows: pl.DataFrame, tool: str, figure: str) -> list[float]:
    """Return a figure of a tool, one mean over the angles of each scene that has a scored one."""
    scored = rows.filter(tool=tool, status="scored")
    value = (pl.col("verdict") == "pass").cast(pl.Float64) if figure == "passed" else pl.col(f"paper_{figure}")
    means = scored.group_by("scene", maintain_order=True).agg(value.mean().alias("value"))["value"]
    return means.drop_nulls().to_list()


def _levels(rows: pl.DataFrame, figure: str) -> tuple[tuple[str, float], ...]:
    """Return chance level and null edit, means over the masters."""
    masters = rows.unique("scene", maintain_order=True)
    found = (
        (words, _mean(masters[f"paper_{figure}_{level}"]))
        for words, level in (("chance", "chance"), ("null edit", "null"))
    )
    return tuple((words, value) for words, value in found if value is not None)


def _names(rows: pl.DataFrame, column: str) -> list[str]:
    return rows[column].unique(maintain_order=True).to_list()


def _mean(values: pl.Series | Sequence[float]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _notes(rows: pl.DataFrame) -> list[str]:
    counts = [
        f"{tool}: {part.filter(status='scored').height} of {part.height}"
        for tool in _names(rows, "tool")
        for part in [rows.filter(tool=tool)]
    ]
    resized = int(rows["was_resized"].fill_null(value=False).sum())
    untrained = rows.filter(training="untrained")["tool"].unique(maintain_order=True).to_list()
    clip = rows["clip_encoder"].drop_nulls().unique().to_list()
    lines = [
        f"Pictures scored: {'; '.join(counts)}. {resized} were brought to the master's size.",
        f"Scenes: {rows['scene'].n_unique()}. CLIP: {', '.join(clip) or 'no encoder installed'}. Layout assumed.",
        "Dashed: chance level (unrelated photographs) and null edit (the master given back).",
        ASSUMPTIONS[0] + " None of them can tell a right view from a wrong one.",
    ]
    return [*lines, *([f"UNTRAINED weights, which prove no quality: {', '.join(untrained)}."] if untrained else [])]
