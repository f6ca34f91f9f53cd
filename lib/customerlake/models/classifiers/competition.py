"""A competition of classifiers: what is foretold, who competes on which rows, and what came of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.features.feature import Feature
from customerlake.models.classifiers.candidates import CANDIDATES, Candidate, Settings
from customerlake.models.classifiers.classification import Classification
from customerlake.models.classifiers.evaluation import ScoreCounts
from customerlake.models.classifiers.numbers import Classifier
from customerlake.models.classifiers.profit import ProfitCurve
from customerlake.models.splits import TimeSplit
from customerlake.runtime.config import ClassifierConfig

DECIDED_BY = "roc_auc"
"""The mean over the held-out dates by which the best candidate is chosen; on the newest a challenger must beat the
champion by the margin of the config."""


@dataclass(frozen=True)
class Task:
    """A yes or no that is foretold."""

    model: str  # as it is registered
    title: str
    purpose: str  # in plain words, for the model card
    limits: str
    label: str
    probability: str
    features: Sequence[Feature]
    baselines: Mapping[str, Candidate]  # the first is the one that the candidates are shown beside
    stake: Callable[[], Column] | None = None  # what is at stake with a row, in currency

    def contender(
        self, name: str, *, seed: int, settings: Settings | None = None, known: Mapping[str, Candidate] | None = None
    ) -> Classification:
        """A candidate or baseline by its name, of all there are or of those `known`."""
        return Classification(
            features=self.features, label=self.label, probability=self.probability, candidate=name, settings=settings,
            known={**CANDIDATES, **self.baselines} if known is None else known, seed=seed,
        )  # fmt: skip


@dataclass(frozen=True)
class Split:
    """Rows that are learnt from and others that are judged by, each with the label."""

    name: str
    training: DataFrame
    holdout: DataFrame


def split_rows(labelled: DataFrame, splits: Sequence[TimeSplit]) -> list[Split]:
    """Labelled rows of several dates, by the dates of each split."""
    return [
        Split(
            name=str(split.holdout),
            training=labelled.where(F.col("as_of").isin(list(split.training))),
            holdout=labelled.where(F.col("as_of") == F.lit(split.holdout)),
        )
        for split in splits
    ]


@dataclass
class Competitor:
    """A candidate or baseline, and how it did: the newest split first."""

    name: str
    settings: Settings
    fitted: Classifier
    counts: list[ScoreCounts]
    trials: pd.DataFrame
    seconds: float = 0.0
    metrics: list[dict[str, float]] = field(default_factory=list)

    @property
    def mean(self) -> float:
        return float(np.mean([metrics[DECIDED_BY] for metrics in self.metrics]))


@dataclass(frozen=True)
class Report:
    """Everything that a reviewer is shown of a competition."""

    task: Task
    config: ClassifierConfig
    as_of: date
    splits: Sequence[str]  # the newest first
    competitors: Sequence[Competitor]
    best: Competitor
    baseline: Competitor
    threshold: float
    curve: ProfitCurve | None  # on the older splits, by which the threshold was chosen
    intervals: Mapping[str, tuple[float, float]]  # of the best, on the newest split
    learning: pd.DataFrame  # share of customers, roc_auc
    sample: np.ndarray  # rows of the matrix that were learnt from
    fairness: pd.DataFrame | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reviewer must look at before the model is used."""
        area, most = self.best.metrics[0]["roc_auc"], self.config.suspicious_roc_auc
        low, high = self.intervals.get(DECIDED_BY, (area, area))
        told = []
        if area > most:
            told.append(
                f"ROC AUC {area:.3f} is above {most}: better than such data mostly allow. Look in the importance "
                "figure for a feature that was not known on the date."
            )
        if self.best.mean <= self.baseline.mean:
            told.append(f"{self.best.name} is no better than {self.baseline.name}: use the simpler one, or no model.")
        elif low <= self.baseline.metrics[0][DECIDED_BY]:
            told.append(
                f"The 95 % interval of {self.best.name}, {low:.3f} to {high:.3f}, holds the ROC AUC of "
                f"{self.baseline.name}, {self.baseline.metrics[0][DECIDED_BY]:.3f}: the difference may be chance."
            )
        return tuple(told)
