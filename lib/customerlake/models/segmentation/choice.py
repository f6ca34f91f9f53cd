"""How good a grouping is, and which of many is taken: silhouette, gap statistic, and stability under resampling.

Matrices hold standardised features, one row per customer; groups are numbers from 0.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from customerlake.models.classifiers.inputs import Numbers

RULE = (
    "Of the groupings whose smallest segment holds {min_segment_share:.1%} of the customers or more, those that fits "
    "on bootstrap samples find again (mean adjusted Rand index of {min_stability:g} or more); of those the ones whose "
    "number of segments the gap statistic supports (one more gains no more over evenly spread customers than one "
    "standard error); of those the highest silhouette. A condition that none meets is left out, and where none is "
    "found again, the one that is most of all is taken."
)

SMALLEST = 1e-12  # dispersion: where every row lies on its centre, its logarithm is that of this


class Tried(Numbers):
    """One method with one number of groups, and how good it is."""

    method: str
    k: int
    smallest_share: float  # of the customers, that the smallest group holds
    silhouette: float  # mean over customers, squared Euclidean: -1 to 1
    stability: float  # mean adjusted Rand index with scikit-learn's fits on bootstrap samples
    found_again: tuple[float, ...]  # for each group the mean Jaccard similarity to its likest in those fits

    @property
    def name(self) -> str:
        return f"{self.method}, k = {self.k}"


class Gap(Numbers):
    """How much closer customers lie to each other in k groups of k-means than evenly spread ones would.

    It is of k-means, and tells the number of groups for every method.
    """

    k: int
    gap: float  # log dispersion within the groups: mean of the references, less ours
    error: float  # standard error, with that of the simulation
    is_supported: bool  # gap(k) >= gap(k + 1) - error(k + 1); false where k + 1 was not tried


def chosen(tried: Sequence[Tried], gaps: Sequence[Gap], *, min_share: float, min_stability: float) -> Tried:
    """The grouping that RULE takes; of equals the one with fewer groups, then the first."""
    large = [one for one in tried if one.smallest_share >= min_share] or tried
    stable = [one for one in large if one.stability >= min_stability]
    if not stable:
        return max(large, key=lambda one: (one.stability, -one.k))
    supported = {gap.k for gap in gaps if gap.is_supported}
    return max([one for one in stable if one.k in supported] or stable, key=lambda one: (one.silhouette, -one.k))


def silhouette(matrix: np.ndarray, groups: np.ndarray) -> float:
    """Mean over rows of (b - a) / max(a, b); a is the mean squared distance to the others of the row's group, b that
    to the nearest other group; 0 for a row alone in its group, and where all rows are one group.

    From the sums of each group, so that no pair of rows is looked at, as MLlib does it.
    Source: Rousseeuw (1987), "Silhouettes: a graphical aid", Journal of Computational and Applied Mathematics 20.
    """
    numbers, own = np.unique(groups, return_inverse=True)
    if len(numbers) < 2:
        return 0.0
    members = np.eye(len(numbers))[own]
    counts = members.sum(axis=0)
    squares = (matrix**2).sum(axis=1)
    to_group = squares[:, None] + (squares @ members) / counts - 2 * matrix @ ((matrix.T @ members) / counts)
    to_group = np.maximum(to_group, 0.0)
    rows, others = np.arange(len(matrix)), counts[own] - 1
    inside = to_group[rows, own] * counts[own] / np.maximum(others, 1)
    to_group[rows, own] = np.inf
    outside = to_group.min(axis=1)
    widest = np.maximum(inside, outside)
    of_row = np.divide(outside - inside, widest, out=np.zeros(len(matrix)), where=(widest > 0) & (others > 0))
    return float(of_row.mean())


def dispersion(rows: np.ndarray) -> float:
    """The sum of squared distances to the mean."""
    return float(((rows - rows.mean(axis=0)) ** 2).sum()) if len(rows) else 0.0


def within(rows: np.ndarray, groups: np.ndarray) -> float:
    """The dispersion of each group, summed."""
    return sum(dispersion(rows[groups == group]) for group in np.unique(groups))


def reference_sets(matrix: np.ndarray, directions: np.ndarray, *, sets: int, seed: int) -> Iterator[np.ndarray]:
    """Matrices of the same size without any groups: even over the box of the rows along the principal components.

    `directions` has a component in each column.
    Source: Tibshirani, Walther & Hastie (2001), "Estimating the number of clusters in a data set via the gap
            statistic", Journal of the Royal Statistical Society B 63(2), section 3, choice (b).
    """
    turned = matrix @ directions
    low, high = turned.min(axis=0), turned.max(axis=0)
    for number in range(sets):
        random = np.random.default_rng([seed, number])
        yield random.uniform(low, high, matrix.shape) @ directions.T


def gap_statistics(ours: Mapping[int, float], references: Mapping[int, Sequence[float]]) -> list[Gap]:
    """From dispersions within k groups, of our rows and of each reference set; by k.

    Source: Tibshirani, Walther & Hastie (2001), section 3, steps 2 and 3.
    """
    found: dict[int, Gap] = {}
    for k in sorted(ours, reverse=True):
        logs = np.log(np.maximum(references[k], SMALLEST))
        gap = float(logs.mean() - np.log(max(ours[k], SMALLEST)))
        error = float(logs.std() * np.sqrt(1 + 1 / len(logs)))
        more = found.get(k + 1)
        found[k] = Gap(k=k, gap=gap, error=error, is_supported=more is not None and gap >= more.gap - more.error)
    return [found[k] for k in sorted(found)]


def contingency(one: np.ndarray, other: np.ndarray, *, groups: int, others: int) -> np.ndarray:
    """How many rows are in each group of the one grouping and of the other."""
    return np.bincount(one * others + other, minlength=groups * others).reshape(groups, others)


def adjusted_rand_index(table: np.ndarray) -> float:
    """Agreement of two groupings from their contingency table: 1 equal, 0 as by chance.

    Source: Hubert & Arabie (1985), "Comparing partitions", Journal of Classification 2, equation 5.
    """
    together, in_rows, in_columns = (_pairs(of) for of in (table, table.sum(axis=1), table.sum(axis=0)))
    by_chance = in_rows * in_columns / _pairs(table.sum())
    most = (in_rows + in_columns) / 2
    return 1.0 if most == by_chance else (together - by_chance) / (most - by_chance)


def jaccards(table: np.ndarray) -> np.ndarray:
    """For each group of the rows its Jaccard similarity to the likest group of the columns.

    Source: Hennig (2007), "Cluster-wise assessment of cluster stability", Computational Statistics & Data Analysis 52.
    """
    either = table.sum(axis=1)[:, None] + table.sum(axis=0)[None, :] - table
    return np.asarray((table / np.maximum(either, 1)).max(axis=1))


def _pairs(counts: np.ndarray) -> float:
    return float((counts * (counts - 1.0)).sum() / 2)
