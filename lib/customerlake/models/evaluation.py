"""How good predicted probabilities are: every metric and curve from one pass over the scored rows."""

from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame
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


def score_counts(scored: DataFrame, *, probability: str, label: str) -> ScoreCounts:
    """Count the rows and positives of each probability. Raises: ModelError when only one class is there."""
    counted = (
        scored.groupBy(F.floor(F.col(probability) * BINS + 1e-6).cast("int").alias("bin"))
        .agg(
            F.count("*").alias("rows"),
            F.count_if(F.col(label)).alias("positives"),
            F.mean(probability).alias("probability"),
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
    )
    if not 0 < counts.positives.sum() < counts.rows.sum():
        raise ModelError(
            f"Of {int(counts.rows.sum())} customers in the held-out period {int(counts.positives.sum())} churned; "
            "a model can only be judged where both happen. Use another --as-of or horizon."
        )
    return counts


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
