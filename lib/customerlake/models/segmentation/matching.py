"""Segments of a new fit take the numbers of the segments before that hold the same customers."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

SAME = 0.5
"""Two segments are one where they have at least this share of their mean number of customers in common."""


def matched_ids(table: np.ndarray, before: Sequence[int], *, unused_from: int) -> list[int]:
    """The number of each new segment.

    `table` counts the customers by new segment (rows) and segment before (columns), whose numbers are `before`. Pairs
    are made so that the most customers keep their number. A segment that has no partner, or shares too few customers
    with it, is new: it takes the next number from `unused_from` on.
    Source: Kuhn (1955), "The Hungarian method for the assignment problem", Naval Research Logistics Quarterly 2.
    """
    partner = {
        int(row): int(column)
        for row, column in zip(*linear_sum_assignment(table, maximize=True), strict=True)
        if table[row, column] >= SAME * (table[row].sum() + table[:, column].sum()) / 2
    }
    unused = iter(range(unused_from, unused_from + len(table)))
    return [before[partner[row]] if row in partner else next(unused) for row in range(len(table))]
