"""A model of a yes or no: features in, a calibrated probability and the reasons for it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pyspark.ml.functions import array_to_vector
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from customerlake.errors import ModelError
from customerlake.features.feature import Feature
from customerlake.features.labels import LABELS
from customerlake.models.batches import of_columns, of_inputs
from customerlake.models.classifiers.candidates import CANDIDATES, Candidate, Settings, candidate_named
from customerlake.models.classifiers.evaluation import classification_metrics, score_counts
from customerlake.models.classifiers.inputs import Inputs, learnt_inputs
from customerlake.models.classifiers.numbers import Calibration, Classifier, Gone, Linear, Trees
from customerlake.models.classifiers.reasons import reasons_in_words

KEY = ("customer_id", "as_of")
FOLDS = 3
LEAKING_ROC_AUC = 0.97  # of one column alone, either way: nothing known in time tells the outcome so well
SAMPLE = 20_000  # rows, by which leaks are looked for
BACKGROUND = 40  # rows that reasons compare with
ROWS_OF_A_TASK = 250_000
ROWS_OF_ONE_TASK = 50_000  # so few are fitted by one in half of the time of two: each of many small jobs waits for all
OF_THE_FUTURE = tuple(column.name for column in LABELS.columns if column.name not in {*KEY, "horizon_days", "gap_days"})


@dataclass(frozen=True)
class Prepared:
    """Rows to learn from as vectors, and what else a fit needs. `release` gives their memory back."""

    inputs: Inputs
    vectors: DataFrame  # KEY, raw features, values (array), inputs (vector), label, fold
    sample: np.ndarray  # some rows of the matrix
    can_be_judged: bool  # both classes are in the first fold and in the others

    def release(self) -> None:
        self.vectors.unpersist()


class Classification:
    """One candidate for one yes or no. Rows that are fitted or evaluated carry `label`; null where it is not known."""

    def __init__(
        self, *, features: Sequence[Feature], label: str, probability: str, candidate: str,
        settings: Settings | None = None, known: Mapping[str, Candidate] = CANDIDATES, threshold: float = 0.5,
        seed: int = 20,
    ) -> None:  # fmt: skip
        self.candidate = candidate
        self.how = candidate_named(candidate, known)
        self.settings = self.how.usual() if settings is None else settings
        self.features = chosen(features, self.how)
        self.label, self.probability, self.threshold, self.seed = label, probability, threshold, seed

    def fit(self, rows: DataFrame) -> Classifier:
        """Learn from rows whose label is known, and calibrate on a third of the customers, not learnt from for that.

        Raises: ModelError when only one class is there, when a feature tells of the time after the date, or when a
                feature alone tells the label so well that it cannot have been known.
        """
        prepared = self.prepared(rows)
        try:
            return self.fit_prepared(prepared)
        finally:
            prepared.release()

    def prepared(self, rows: DataFrame) -> Prepared:
        """The rows as vectors, cached. Candidates of the same features may share them."""
        if future := sorted({feature.name for feature in self.features} & {*OF_THE_FUTURE, self.label}):
            raise ModelError(
                f"The features {', '.join(future)} tell what happened after the date: a model that learns from them is "
                "of no use on the day. Leave them out."
            )
        known = rows.where(F.col(self.label).isNotNull())
        _refuse_one_class(known, self.label)
        inputs = learnt_inputs(known, self.features, keeps_constant=self.how.features is not None)
        return _prepared(known, inputs, self.label)

    def fit_prepared(
        self, prepared: Prepared, settings: Settings | None = None, calibration: Calibration | None = None
    ) -> Classifier:
        """`fit` over rows that are vectors already; with the calibration of an earlier fit, where there is one."""
        used = self.settings if settings is None else settings
        vectors = prepared.vectors
        if calibration is None and not prepared.can_be_judged:
            calibration = Calibration()
        if calibration is None:
            tried = self.how.fit(vectors.where(F.col("fold") != 0), used, seed=self.seed)
            calibration = calibrated(margins(vectors.where(F.col("fold") == 0), tried))
        return Classifier(
            candidate=self.candidate,
            inputs=prepared.inputs,
            decides=self.how.fit(vectors, used, seed=self.seed),
            calibration=calibration,
            background=tuple(map(tuple, prepared.sample[:BACKGROUND].tolist())),
        )

    def score(self, rows: DataFrame, fitted: Classifier) -> DataFrame:
        """Adds: the probability. Runs on every engine."""
        return rows.withColumn(self.probability, of_inputs(fitted.probability, "double", fitted.inputs))

    def evaluate(self, scored: DataFrame) -> dict[str, float]:
        """Metrics over scored rows that carry the label, at the threshold."""
        known = scored.where(F.col(self.label).isNotNull())
        counts = score_counts(known, probability=self.probability, label=self.label)
        return classification_metrics(counts, threshold=self.threshold)

    def reasons(self, fitted: Classifier, *, most: int = 3) -> Column:
        """The features that raise the probability most, in words: array of text. Runs on every engine."""
        told = {feature.name: feature for feature in self.features}
        typical = {number.name: number.typical for number in fitted.inputs.numbers}

        def explained(rows: pd.DataFrame) -> list[list[str]]:
            return reasons_in_words(rows, fitted, told, typical, most)

        return of_inputs(explained, "array<string>", fitted.inputs)

    def with_reasons(self, scored: DataFrame, fitted: Classifier, *, of: str) -> DataFrame:
        """Adds: top_reasons of the rows of which `of` is true, the only ones explained; the others have none."""
        told = scored.where(of).select(*KEY, self.reasons(fitted).alias("top_reasons"))
        return scored.join(told, on=list(KEY), how="left").withColumn(
            "top_reasons", F.coalesce("top_reasons", F.array().cast("array<string>"))
        )


def chosen(features: Sequence[Feature], how: Candidate) -> list[Feature]:
    """The features that a candidate looks at; those that it names itself in its own order and as they are."""
    if how.features is None:
        return list(features)
    by_name = {feature.name: feature for feature in features}
    if lacking := [name for name in how.features if name not in by_name]:
        raise ModelError(f"{how.what} needs the features {', '.join(lacking)}. Add them to the model's features.")
    return [replace(by_name[name], is_skewed=False) for name in how.features]


def calibrated(held_out: pd.DataFrame) -> Calibration:
    """Platt's slope and shift by margins that were not learnt from: columns margin, label, rows.

    Without both classes among them, or with margins that order them the wrong way, nothing is put right.
    Source: Platt (1999), "Probabilistic outputs for support vector machines", with weights for counts.
    """
    if held_out["label"].nunique() < 2:
        return Calibration()
    fitted = LogisticRegression(C=1e6, max_iter=1000).fit(
        held_out[["margin"]].to_numpy(), held_out["label"].to_numpy(), sample_weight=held_out["rows"].to_numpy()
    )
    slope, shift = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return Calibration(slope=slope, shift=shift) if slope > 0 else Calibration(slope=1e-3, shift=_log_odds(held_out))


def margins(vectors: DataFrame, decides: Linear | Trees | Gone) -> pd.DataFrame:
    """Rows by margin, to two digits, and label: columns margin, label, rows."""

    def margin(rows: pd.DataFrame) -> pd.Series:
        return pd.Series(decides.margin(_stacked(rows["values"])))

    told = of_columns(margin, "double", {"values": F.col("values")})
    return (
        vectors.select(F.round(told, 2).alias("margin"), "label")
        .groupBy("margin", "label")
        .agg(F.count("*").alias("rows"))
        .orderBy("margin", "label")
        .toPandas()
    )


def _refuse_one_class(rows: DataFrame, label: str) -> None:
    found = [row[0] for row in rows.select(label).distinct().limit(2).collect()]
    if len(found) < 2:
        said = f"{label} is {str(found[0]).lower()} for all rows" if found else "there is no row whose outcome is known"
        raise ModelError(
            f"There is nothing to tell apart: {said}. Use another --as-of, or another horizon in the lake file."
        )


def _prepared(rows: DataFrame, inputs: Inputs, label: str) -> Prepared:
    count = rows.count()
    tasks = 1 if count <= ROWS_OF_ONE_TASK else max(2, -(-count // ROWS_OF_A_TASK))
    values = of_inputs(inputs.matrix, "array<double>", inputs)
    raw = [name for name in inputs.features if name not in KEY]
    vectors = (
        # fits depend on the order of rows: the same rows in another order would end in another model
        rows.repartition(tasks, "customer_id")
        .sortWithinPartitions(*[name for name in KEY if name in rows.columns])
        .select(*[name for name in KEY if name in rows.columns], *raw, F.col(label).cast("double").alias("label"),
                values.alias("values"))
        .withColumns(
            {
                "inputs": array_to_vector(F.col("values")),
                "fold": (F.crc32("customer_id") % FOLDS).cast("int"),
            }
        )
        .cache()
    )  # fmt: skip
    share = F.crc32(F.concat(F.col("customer_id"), F.lit("sample"))) % max(1, count // SAMPLE) == 0
    sample = vectors.where(share).select("values", "label").limit(2 * SAMPLE).toPandas()
    matrix, labels = _stacked(sample["values"], len(inputs.columns)), sample["label"].to_numpy()
    refuse_leaks(matrix, labels, inputs, label)
    parts = vectors.select(F.col("fold") == 0, "label").distinct().count()
    return Prepared(inputs, vectors, matrix, can_be_judged=parts == 4)


def refuse_leaks(matrix: np.ndarray, labels: np.ndarray, inputs: Inputs, label: str) -> None:
    """Raises: ModelError that names the features of which one column alone tells the label nearly always."""
    if found := telling_alone(matrix, labels, inputs):
        raise ModelError(
            f"The training was stopped: {'; '.join(found.values())} tells {label} so well that it must come from after "
            "the date, or be the outcome in other words. Leave it out, or correct where it comes from."
        )


def telling_alone(matrix: np.ndarray, labels: np.ndarray, inputs: Inputs) -> dict[str, str]:
    """Features of which one column alone tells the label nearly always, each with that column in words."""
    if len(np.unique(labels)) < 2:
        return {}
    found = {}
    for position, (feature, meaning) in enumerate(inputs.columns):
        area = roc_auc_score(labels, matrix[:, position])
        if not 1 - LEAKING_ROC_AUC < area < LEAKING_ROC_AUC:
            found[feature] = f"{meaning} (ROC AUC {max(area, 1 - area):.3f} alone)"
    return found


def _stacked(values: pd.Series, columns: int = 0) -> np.ndarray:
    return np.stack(values.to_list()).astype(float) if len(values) else np.empty((0, columns))


def _log_odds(held_out: pd.DataFrame) -> float:
    share = np.average(held_out["label"], weights=held_out["rows"])
    return float(np.log(share / (1 - share)))
