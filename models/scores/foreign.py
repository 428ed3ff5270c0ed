"""A region of a view that shows what no other picture of the coverage shows where it should.

Two things must come together. Places that were described in the region are found in no other picture; and points in
space that others see, and that lie in the region, are not found in the view. Either alone is natural: what comes into
view for the first time is found nowhere else, and what is hidden behind somebody is missed. For either the evidence is
the log-likelihood ratio of two rates of success, that of chance against that of the rest of the picture; what counts
is their geometric mean, in the region where it is largest.
"""

import numpy as np
from numpy.typing import NDArray

GRID = 20
"""Cells along either side of a picture."""
REGIONS = ((4, 3), (6, 5))
"""Cells down and across."""
FOUND_BY_CHANCE, MISSED_BY_CHANCE = 0.03, 0.05
"""Rates of success in a region that does not belong."""
MIN_PLACES, MIN_POINTS = 100, 30
"""In the whole view; below nothing is said."""
_FEW = 5

Counts = NDArray[np.float64]


def find_foreign(
    places: NDArray[np.floating], is_found: NDArray[np.bool_], points: NDArray[np.floating], is_seen: NDArray[np.bool_]
) -> tuple[float, tuple[float, float, float, float]] | None:
    """Return the evidence of the most foreign region and its left, top, right and bottom; None: too little is known.

    Args:
        places: (N, 2), what was described in the view, in shares of its width and height.
        is_found: (N,), whether another picture shows it.
        points: (M, 2), where points in space that others see lie in the view, in the same shares.
        is_seen: (M,), whether the view shows them there.
    """
    if len(places) < MIN_PLACES or len(points) < MIN_POINTS:
        return None
    best, region = 0.0, (0.0, 0.0, 1.0, 1.0)
    tables = [_table(places), _table(places[is_found]), _table(points), _table(points[is_seen])]
    for rows, columns in REGIONS:
        all_places, found, all_points, seen = (_sum_regions(table, rows, columns) for table in tables)
        evidence = np.sqrt(
            _weigh(all_places, found, len(places), int(is_found.sum()), FOUND_BY_CHANCE)
            * _weigh(all_points, seen, len(points), int(is_seen.sum()), MISSED_BY_CHANCE)
        )
        top, left = np.unravel_index(int(evidence.argmax()), evidence.shape)
        if evidence[top, left] > best:
            best = float(evidence[top, left])
            region = (float(left), float(top), float(left + columns), float(top + rows))
    left, top, right, bottom = (cells / GRID for cells in region)
    return best, (left, top, right, bottom)


def _table(points: NDArray[np.floating]) -> Counts:
    """Return (GRID + 1, GRID + 1): how many points lie above and to the left of each corner of the grid."""
    counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], bins=GRID, range=((0, 1), (0, 1)))
    return np.pad(counts.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _sum_regions(table: Counts, rows: int, columns: int) -> Counts:
    """Return how many points lie in every region of so many cells."""
    lower, upper = table[rows:], table[:-rows]
    return lower[:, columns:] - lower[:, :-columns] - upper[:, columns:] + upper[:, :-columns]


def _weigh(num: Counts, hits: Counts, num_all: int, hits_of_all: int, by_chance: float) -> Counts:
    """Return the log-likelihood ratio of `by_chance` against the rate elsewhere, for every region; at least 0."""
    elsewhere = (hits_of_all - hits + 1) / (num_all - num + 2)
    evidence = hits * np.log(by_chance / elsewhere) + (num - hits) * np.log((1 - by_chance) / (1 - elsewhere))
    return np.where((num < _FEW) | (elsewhere <= by_chance), 0.0, np.maximum(evidence, 0.0))
