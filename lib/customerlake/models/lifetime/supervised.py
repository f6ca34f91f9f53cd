"""The spend of the days after a date from all features of it, by boosted trees: what lifetime value is compared with.

It knows every channel, and how things went after one earlier date; but it foretells those days alone, and no others.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from pyspark.ml.functions import array_to_vector
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.table import MONEY
from customerlake.errors import ModelError
from customerlake.features.feature import Feature
from customerlake.models.batches import of_inputs
from customerlake.models.classifiers.candidates import xgboost_trees
from customerlake.models.classifiers.inputs import Inputs, Numbers, learnt_inputs
from customerlake.models.classifiers.numbers import Trees
from customerlake.models.lifetime.holdout import Foretold, accuracy, cells, order_measures
from customerlake.runtime.config import LifetimeValueConfig

SPEND = "supervised_spend"
SETTINGS: Mapping[str, Any] = {
    "objective": "reg:tweedie", "tweedie_variance_power": 1.2, "n_estimators": 100, "max_depth": 3,
    "learning_rate": 0.06, "min_child_weight": 10.0, "subsample": 0.8, "colsample_bytree": 0.6, "reg_lambda": 5.0,
}  # fmt: skip
"""Spend is nothing for many and very much for a few: Tweedie's deviance takes both, where squares see the few alone."""


class SpendTrees(Numbers):
    """What was learnt: trees whose sum is the log of the spend expected of a customer."""

    inputs: Inputs
    trees: Trees

    def spend(self, rows: pd.DataFrame) -> np.ndarray:
        """Of each row, whose columns are the inputs' features."""
        expected: np.ndarray = np.exp(self.trees.margin(self.inputs.matrix(rows)))
        return expected


class SupervisedSpend:
    """XGBoost on Spark over rows of features.snapshot of one date; what is learnt from or judged has spend_after."""

    def __init__(self, features: Sequence[Feature], *, seed: int = 20) -> None:
        self.features, self.seed = list(features), seed

    def fit(self, rows: DataFrame) -> SpendTrees:
        """Raises: ModelError when nobody bought after the date, or no feature varies."""
        from xgboost.spark import SparkXGBRegressor  # takes a second, and scoring does without it

        logging.getLogger("XGBoost-PySpark").setLevel(logging.WARNING)
        # of decimals, so that the order of rows never shows
        mean = rows.agg(F.mean(F.col("spend_after").cast(MONEY)).cast("double")).collect()[0][0]
        if not mean:
            raise ModelError(
                "Lifetime value, supervised: none of the customers to learn from has bought after the date, so nothing "
                "tells what they spend. Use a later --as-of, or more holdout_days."
            )
        inputs = learnt_inputs(rows, self.features)
        vectors = (
            # fits depend on the order of rows: the same rows in another order would end in another model
            rows.repartition(2, "customer_id")
            .sortWithinPartitions("customer_id")
            .select(
                of_inputs(inputs.matrix, "array<double>", inputs).alias("values"),
                F.col("spend_after").cast("double").alias("label"),
            )
            .select(array_to_vector(F.col("values")).alias("inputs"), "label")
        )
        fitted = SparkXGBRegressor(
            features_col="inputs", label_col="label", random_state=self.seed, num_workers=1, tree_method="hist",
            missing=np.nan, verbosity=0, verbose=False, base_score=mean, **SETTINGS,
        ).fit(vectors)  # fmt: skip
        trees = xgboost_trees(fitted.get_booster().save_raw("json"))
        return SpendTrees(inputs=inputs, trees=trees.model_copy(update={"start": float(np.log(mean))}))

    def score(self, rows: DataFrame, fitted: SpendTrees) -> DataFrame:
        """Adds: supervised_spend, of as many days as those that were learnt from. Runs on every engine."""
        return rows.withColumn(SPEND, of_inputs(fitted.spend, "double", fitted.inputs))

    def evaluate(self, scored: DataFrame) -> dict[str, float]:
        """As that of lifetime value, of spend alone."""
        models = {"model": Foretold(spend=SPEND)}
        return accuracy(scored, models)["model"] | order_measures(cells(scored, models))


def dates_learnt_from(config: LifetimeValueConfig, *, first_ordered_on: date, as_of: date) -> tuple[date, ...]:
    """Dates of features.snapshot, with labels of holdout_days: one to learn from and, at its labels' end, the one to
    judge by, whose labels end with as_of. None without as many days of sales before the first."""
    held_out_on = as_of - timedelta(days=config.holdout_days)
    learnt_on = held_out_on - timedelta(days=config.holdout_days)
    return (learnt_on, held_out_on) if (learnt_on - first_ordered_on).days >= config.holdout_days else ()
