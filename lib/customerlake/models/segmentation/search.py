"""Every method with every number of groups: fitted by MLlib, and measured by what segments are chosen by.

Bootstrap samples and reference sets are grouped by scikit-learn's methods of the same objectives: these are hundreds of
fits, and one of MLlib is some hundred small jobs. So what is found again is found by other code as well.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
from pyspark.sql import SparkSession
from pyspark.util import inheritable_thread_target

from customerlake.models.segmentation.choice import (
    Gap,
    Tried,
    adjusted_rand_index,
    contingency,
    dispersion,
    gap_statistics,
    jaccards,
    reference_sets,
    silhouette,
    within,
)
from customerlake.models.segmentation.clustering_fits import METHODS, NOISE
from customerlake.models.segmentation.clusterings import Clustering
from customerlake.runtime.config import SegmentsConfig

MOST_RESAMPLED = 10_000  # rows of a bootstrap sample and of a reference set

Labels = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Rows to learn from, rows to group -> the groups of these."""


@dataclass(frozen=True)
class Searched:
    """The groupings in which no group is empty, and how good each is."""

    groupings: Mapping[tuple[str, int], Clustering]
    tried: Sequence[Tried]
    gaps: Sequence[Gap]


def searched(
    spark: SparkSession,
    matrix: np.ndarray,
    directions: np.ndarray,
    config: SegmentsConfig,
    on_progress: Callable[[str], None],
) -> Searched:
    """Fit and measure. `matrix` holds standardised features in an order of chance, `directions` its components."""
    numbers = range(config.min_segments, config.max_segments + 1)
    on_progress(f"segments: fitting {', '.join(METHODS)}")
    fit = inheritable_thread_target(spark)(lambda method: METHODS[method](spark, matrix, numbers, config.seed))
    with ThreadPool(len(METHODS)) as pool:
        fits = dict(zip(METHODS, pool.map(fit, METHODS), strict=True))
    values, groupings, tried = list(matrix.T), {}, []
    for method, by_number in fits.items():
        on_progress(f"segments: is what {method} finds found again?")
        for k, grouping in by_number.items():
            groups = grouping.groups(values)
            if len(np.unique(groups)) == k:
                groupings[method, k] = grouping
                tried.append(_measured(method, k, matrix, groups, config))
    on_progress("segments: gap statistic")
    return Searched(groupings, tried, _gaps(matrix[:MOST_RESAMPLED], directions, config))


def _measured(method: str, k: int, matrix: np.ndarray, groups: np.ndarray, config: SegmentsConfig) -> Tried:
    rows, own = matrix[:MOST_RESAMPLED], groups[:MOST_RESAMPLED]
    drawn = np.random.default_rng(config.seed).integers(0, len(rows), (config.resamples, len(rows)))
    again = [_labels(method, k, config.seed)(rows[sample], rows) for sample in drawn]
    tables = [contingency(own, other, groups=k, others=k) for other in again]
    return Tried(
        method=method,
        k=k,
        smallest_share=float(np.bincount(groups).min() / len(groups)),
        silhouette=silhouette(matrix, groups),
        stability=float(np.mean([adjusted_rand_index(table) for table in tables])),
        found_again=tuple(np.mean([jaccards(table) for table in tables], axis=0).tolist()),
    )


def _gaps(rows: np.ndarray, directions: np.ndarray, config: SegmentsConfig) -> list[Gap]:
    """Of one group, of each number of the config, and of one more, which the last is held against."""

    def dispersions(of: np.ndarray) -> dict[int, float]:
        numbers = range(config.min_segments, config.max_segments + 2)
        return {1: dispersion(of)} | {k: within(of, _labels("k-means", k, config.seed)(of, of)) for k in numbers}

    even = reference_sets(rows, directions, sets=config.references, seed=config.seed)
    own, references = dispersions(rows), [dispersions(one) for one in even]
    return gap_statistics(own, {k: [of[k] for of in references] for k in own})


def _labels(method: str, k: int, seed: int) -> Labels:
    """Grouping by scikit-learn, always the same under one seed, whatever the number of cores."""
    from sklearn.cluster import BisectingKMeans, KMeans  # takes a second, and scoring does without it
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    methods: Mapping[str, Callable[[], Any]] = {
        "k-means": partial(KMeans, k, n_init=3, random_state=seed),
        "bisecting k-means": partial(BisectingKMeans, k, bisecting_strategy="biggest_inertia", random_state=seed),
        "Gaussian mixture": partial(GaussianMixture, k, reg_covar=NOISE**2, random_state=seed),
    }

    def grouped(learnt: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if len(np.unique(learnt, axis=0)) < k:
            return np.zeros(len(rows), dtype=int)
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fits that stop before they settle: they count as they are
            return np.asarray(methods[method]().fit(learnt).predict(rows))

    return grouped
