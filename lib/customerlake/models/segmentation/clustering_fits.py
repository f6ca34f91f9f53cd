"""MLlib fits groupings of a matrix of standardised features; what it learns leaves it as plain numbers."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from pyspark.ml.clustering import BisectingKMeans, GaussianMixture, KMeans
from pyspark.ml.feature import PCA
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customerlake.models.segmentation.choice import dispersion, within
from customerlake.models.segmentation.clusterings import Bisected, Centres, Clustering, Mixture, Split, Vector

NOISE = 0.1
"""Standard deviations of the noise that is added to each value before a mixture is fitted.

Customers with one order lie on a line in logarithms of orders, spend and spend per order. On it a component's density
would grow without end, and MLlib knows no least variance; the noise is one, of 0.01.
"""

AWAY = 10.0
"""How far rows are moved off the origin for bisecting k-means. MLlib parts a group's centre into two that lie less than
a ten-thousandth of its length apart: at the origin, where standardised rows have theirs, it finds no second group."""

TOLERANCE = 0.01  # standard deviations that a centre still moves by when k-means stops
STARTS = 2  # of a mixture, whose first means MLlib draws close to each other: one start in four ends in other groups
GAIN = 1e-3  # of the mean log likelihood, below which a mixture stops
SMALLEST_VARIANCE = 1e-9  # within groups; where every row lies on its centre

Fit = Callable[[SparkSession, np.ndarray, Sequence[int], int], dict[int, Clustering]]
"""Session, matrix, numbers of groups, seed -> a grouping for each number that the rows could be put into."""


def vectors(spark: SparkSession, matrix: np.ndarray) -> DataFrame:
    """Columns: features (vector). In one partition and in the matrix's order, on which first centres depend."""
    rows = spark.createDataFrame(pd.DataFrame({"values": list(matrix)}))
    return rows.select(array_to_vector(F.col("values")).alias("features")).coalesce(1)


def fit_centres(spark: SparkSession, matrix: np.ndarray, numbers: Sequence[int], seed: int) -> dict[int, Clustering]:
    frame = vectors(spark, matrix)
    found: dict[int, Clustering] = {}
    for k in numbers:
        centres = KMeans(k=k, seed=seed, maxIter=30, tol=TOLERANCE).fit(frame).clusterCenters()
        grouping = Centres(centres=tuple(map(_vector, centres)), variance=1.0)
        found[k] = grouping.model_copy(update={"variance": _variance(matrix, grouping.groups(list(matrix.T)))})
    return found


def fit_bisected(spark: SparkSession, matrix: np.ndarray, numbers: Sequence[int], seed: int) -> dict[int, Clustering]:
    """Each step splits the group with the greatest sum of squares by MLlib's bisecting k-means into two.

    So a grouping of k + 1 is that of k with one group split, and the tree is known, which MLlib keeps to itself.
    Source: Steinbach, Karypis & Kumar (2000), "A comparison of document clustering techniques", section 3.
    """
    groups = np.zeros(len(matrix), dtype=int)
    splits: list[Split] = []
    found: dict[int, Clustering] = {}
    for k in range(2, max(numbers) + 1):
        widest = max(range(k - 1), key=lambda group: dispersion(matrix[groups == group]))
        members = vectors(spark, matrix[groups == widest] + AWAY)
        halves = BisectingKMeans(k=2, seed=seed, maxIter=10).fit(members).clusterCenters()
        if len(halves) < 2:  # its rows are all alike
            break
        splits.append(Split(group=widest, centres=(_vector(halves[0] - AWAY), _vector(halves[1] - AWAY))))
        grouping = Bisected(splits=tuple(splits), variance=1.0)
        groups = grouping.groups(list(matrix.T))
        found[k] = grouping.model_copy(update={"variance": _variance(matrix, groups)})
    return {k: found[k] for k in numbers if k in found}


def fit_mixture(spark: SparkSession, matrix: np.ndarray, numbers: Sequence[int], seed: int) -> dict[int, Clustering]:
    noise = np.random.default_rng(seed).normal(0, NOISE, matrix.shape)
    frame = vectors(spark, matrix + noise)
    found: dict[int, Clustering] = {}
    for k in numbers:
        starts = [
            GaussianMixture(k=k, seed=seed + start, maxIter=40, tol=GAIN * len(matrix)).fit(frame)
            for start in range(STARTS)
        ]
        fitted = max(starts, key=lambda start: start.summary.logLikelihood)
        gaussians = fitted.gaussiansDF.collect()
        covariances = np.array([one["cov"].toArray() for one in gaussians])
        if min(fitted.weights) > 0 and np.linalg.eigvalsh(covariances).min() > 0:  # else a component has died out
            found[k] = Mixture(
                weights=_vector(fitted.weights),
                centres=tuple(_vector(one["mean"].toArray()) for one in gaussians),
                covariances=tuple(tuple(map(_vector, rows)) for rows in covariances),
            )
    return found


METHODS: Mapping[str, Fit] = {
    "k-means": fit_centres,
    "bisecting k-means": fit_bisected,
    "Gaussian mixture": fit_mixture,
}


def principal_components(spark: SparkSession, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All components, a column each, and the share of the variance along each. The heaviest loading is positive."""
    fitted = PCA(k=matrix.shape[1], inputCol="features", outputCol="turned").fit(vectors(spark, matrix))
    components = fitted.pc.toArray()
    heaviest = components[np.abs(components).argmax(axis=0), np.arange(components.shape[1])]
    return components * np.where(heaviest < 0, -1.0, 1.0), fitted.explainedVariance.toArray()


def _variance(matrix: np.ndarray, groups: np.ndarray) -> float:
    return max(within(matrix, groups) / matrix.size, SMALLEST_VARIANCE)


def _vector(values: Sequence[float] | np.ndarray) -> Vector:
    return tuple(map(float, values))
