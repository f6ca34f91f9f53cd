"""How good predicted probabilities are: every metric and curve from one pass over the scored rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customerlake.errors import ModelError

BINS = 10_000
"""Probabilities are told apart to a ten-thousandth: so many bins fit the driver for any number of rows."""


@dataclass(frozen=True)
class ScoreCounts:
    """Rows and positives by probability, in descending order of probability."""

    probability: np.ndarray
    rows: np.ndarray
    positives: np.ndarray
    stake: np.ndarray | None = None  # what is at stake with the positives, summed


def score_counts(scored: DataFrame, *, probability: str, label: str, stake: str | None = None) -> ScoreCounts:
    """Count the rows and positives of each probability. Raises: ModelError when only one class is there."""
    counted = (
        scored.groupBy(F.floor(F.col(probability) * BINS + 1e-6).cast("int").alias("bin"))
        .agg(
            F.count("*").alias("rows"),
            F.count_if(F.col(label)).alias("positives"),
            F.mean(probability).alias("probability"),
            (F.sum(F.when(F.col(label), F.col(stake))) if stake else F.lit(None)).cast("double").alias("stake"),
        )
        .orderBy(F.desc("bin"))
        .collect()
    )
    mean = np.array([row["probability"] for row in counted], dtype=float)
    lower_border = np.array([row["bin"] for row in counted], dtype=float) / BINS
    counts = ScoreCounts(
        probability=np.maximum(mean, lower_border),  # a mean's rounding must not push rows below a threshold they reach
        rows=np.array([row["rows"] for row in counted], dtype=float),
        positives=np.array([row["positives"] for row in counted], dtype=float),
        stake=np.array([row["stake"] or 0.0 for row in counted], dtype=float) if stake else None,
    )
    if not 0 < counts.positives.sum() < counts.rows.sum():
        raise ModelError(
            f"Of {int(counts.rows.sum())} rows to judge by, {label} is true of {int(counts.positives.sum())}; "
            "a model can only be judged where both happen. Use another --as-of or horizon."
        )
    return counts


def together(parts: Sequence[ScoreCounts]) -> ScoreCounts:
    """The rows of several counting as one; equal probabilities are one step of every curve."""
    falling, step = np.unique(-np.concatenate([part.probability for part in parts]), return_inverse=True)

    def summed(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.bincount(step, weights=np.concatenate(values))

    stakes = [part.stake for part in parts if part.stake is not None]
    return ScoreCounts(
        -falling,
        summed([part.rows for part in parts]),
        summed([part.positives for part in parts]),
        summed(stakes) if len(stakes) == len(parts) else None,
    )


def classification_metrics(counts: ScoreCounts, *, threshold: float) -> dict[str, float]:
    """ROC AUC, PR AUC (average precision), log loss, Brier, lift; and accuracy, precision, recall, F1 at `threshold`.

    Probabilities within a bin are taken as their mean.
    """
    rows, positives, p = counts.rows, counts.positives, counts.probability
    total, all_positives = rows.sum(), positives.sum()
    true_rate, false_rate = roc_curve(counts)
    recall, precision = precision_recall_curve(counts)
    clipped = np.clip(p, 1e-15, 1 - 1e-15)
    flagged = p >= threshold
    hits, flags = positives[flagged].sum(), rows[flagged].sum()
    precision_at = hits / flags if flags else 0.0
    recall_at = hits / all_positives
    found = precision_at + recall_at
    return {
        "roc_auc": float(np.trapezoid(true_rate, false_rate)),
        "pr_auc": float(np.sum(np.diff(recall, prepend=0.0) * precision)),
        "log_loss": float(-(positives * np.log(clipped) + (rows - positives) * np.log(1 - clipped)).sum() / total),
        "brier": float((positives * (1 - p) ** 2 + (rows - positives) * p**2).sum() / total),
        "lift_top_tenth": float(_positives_in_top(counts, 0.1) / all_positives / 0.1),
        "accuracy": float((hits + (rows - positives)[~flagged].sum()) / total),
        "precision": float(precision_at),
        "recall": float(recall_at),
        "f1": float(2 * precision_at * recall_at / found) if found else 0.0,
        "positive_share": float(all_positives / total),
        "rows": float(total),
    }


def roc_curve(counts: ScoreCounts) -> tuple[np.ndarray, np.ndarray]:
    """(true positive rate, false positive rate) from no row flagged to all."""
    positives, negatives = counts.positives, counts.rows - counts.positives
    return _share_from_zero(positives), _share_from_zero(negatives)


def precision_recall_curve(counts: ScoreCounts) -> tuple[np.ndarray, np.ndarray]:
    """(recall, precision) as ever more rows are flagged."""
    hits, flagged = np.cumsum(counts.positives), np.cumsum(counts.rows)
    return hits / hits[-1], hits / flagged


def gain_curve(counts: ScoreCounts) -> tuple[np.ndarray, np.ndarray]:
    """(share of rows flagged, share of positives found)."""
    return _share_from_zero(counts.rows), _share_from_zero(counts.positives)


def calibration(counts: ScoreCounts, groups: int = 10) -> list[tuple[float, float, float]]:
    """(mean probability, observed share, rows) of `groups` groups of equal width."""
    group = np.minimum((counts.probability * groups).astype(int), groups - 1)
    result = []
    for g in range(groups):
        rows = counts.rows[group == g]
        if rows.sum():
            mean = float((counts.probability[group == g] * rows).sum() / rows.sum())
            result.append((mean, float(counts.positives[group == g].sum() / rows.sum()), float(rows.sum())))
    return result


def _share_from_zero(values: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(values) / values.sum()])


def _positives_in_top(counts: ScoreCounts, share: float) -> float:
    """Positives among the top rows; a bin that straddles the border counts in proportion."""
    flagged, found = gain_curve(counts)
    return float(np.interp(share, flagged, found) * counts.positives.sum())


RESAMPLES = 200
INTERVAL = (0.025, 0.975)  # quantiles of the resamples: the middle 95 %


def intervals(counts: ScoreCounts, *, threshold: float, seed: int) -> dict[str, tuple[float, float]]:
    """The 95 % bootstrap interval of each metric (Efron and Tibshirani 1993, chapter 13).

    Rows are resampled within each bin, in number as Poisson: the same as resampling rows, whatever their number.
    """
    random = np.random.default_rng(seed)
    negatives = counts.rows - counts.positives
    found: dict[str, list[float]] = {}
    for _ in range(RESAMPLES):
        positives = random.poisson(counts.positives).astype(float)
        resample = _present(ScoreCounts(counts.probability, positives + random.poisson(negatives), positives))
        if not 0 < resample.positives.sum() < resample.rows.sum():
            continue  # of very few rows
        for name, value in classification_metrics(resample, threshold=threshold).items():
            found.setdefault(name, []).append(value)
    return {
        name: (float(np.quantile(values, INTERVAL[0])), float(np.quantile(values, INTERVAL[1])))
        for name, values in found.items()
        if name != "rows"
    }


def _present(counts: ScoreCounts) -> ScoreCounts:
    there = counts.rows > 0
    return ScoreCounts(counts.probability[there], counts.rows[there], counts.positives[there])


def calibration_error(counts: ScoreCounts) -> float:
    """Mean distance of predicted and observed shares over tenths of the probability, weighted by their rows."""
    groups = calibration(counts)
    rows = sum(group[2] for group in groups)
    return float(sum(abs(mean - share) * count for mean, share, count in groups) / rows)


PAIRED_BINS = 300  # of each of two models: at most 90,000 pairs leave Spark


@dataclass(frozen=True)
class Difference:
    """By how much a metric of one model is above another's on the same rows, with its 95 % interval."""

    value: float
    low: float
    high: float


def paired_differences(
    scored: DataFrame, *, probability: str, other: str, label: str, seed: int
) -> dict[str, Difference]:
    """ROC AUC and PR AUC of `probability` less those of `other`, over rows that carry both; resampled as pairs."""

    def ranked(name: str) -> Column:
        border = F.floor(F.percent_rank().over(Window.orderBy(name)) * PAIRED_BINS)
        return F.least(border, F.lit(PAIRED_BINS - 1)).cast("int")

    cells = (
        scored.withColumns({"bin": ranked(probability), "other_bin": ranked(other)})
        .groupBy("bin", "other_bin")
        .agg(F.count("*").alias("rows"), F.count_if(F.col(label)).alias("positives"))
        .orderBy("bin", "other_bin")  # resamples are drawn in this order
        .toPandas()
    )
    random = np.random.default_rng(seed)
    rows, positives = (cells[name].to_numpy(dtype=float) for name in ("rows", "positives"))
    resamples = [_areas_apart(cells, positives, rows - positives)]
    for _ in range(RESAMPLES):
        resamples.append(_areas_apart(cells, random.poisson(positives), random.poisson(rows - positives)))
    found = {}
    for name in ("roc_auc", "pr_auc"):
        values = np.array([areas[name] for areas in resamples])
        low, high = np.quantile(values[1:], INTERVAL)
        found[name] = Difference(float(values[0]), float(low), float(high))
    return found


def _areas_apart(cells: pd.DataFrame, positives: np.ndarray, negatives: np.ndarray) -> dict[str, float]:
    areas = []
    for name in ("bin", "other_bin"):
        by_bin = (
            cells[[name]].assign(positives=positives, rows=positives + negatives).groupby(name).sum()
            .sort_index(ascending=False)
        )  # fmt: skip
        counts = _present(
            ScoreCounts(by_bin.index.to_numpy(), by_bin["rows"].to_numpy(), by_bin["positives"].to_numpy())
        )
        recall, precision = precision_recall_curve(counts)
        true_rate, false_rate = roc_curve(counts)
        areas.append(
            {
                "roc_auc": float(np.trapezoid(true_rate, false_rate)),
                "pr_auc": float(np.sum(np.diff(recall, prepend=0.0) * precision)),
            }
        )
    return {name: areas[0][name] - areas[1][name] for name in areas[0]}
