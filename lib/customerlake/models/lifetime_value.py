"""Lifetime value: what each customer's purchases up to a date ahead are worth today, and how sure that is.

How often and how long one buys is BG/NBD's, what a purchase is worth is Gamma-Gamma's. The value is the sum over
periods of the purchases expected in the period, times the expected spend, times the margin, discounted from its end.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, Field, Table
from customerlake.errors import ModelError
from customerlake.models.batches import of_columns
from customerlake.models.lifetime.bg_nbd import counted_histories, fit_bg_nbd
from customerlake.models.lifetime.gamma_gamma import counted_values, fit_gamma_gamma, independence
from customerlake.models.lifetime.holdout import Foretold, accuracy, cells, order_measures
from customerlake.models.lifetime.numbers import (
    AT_ESTIMATE,
    INPUTS,
    SCORED,
    Drawn,
    LifetimeFormula,
    interval,
    scored,
    totals,
)
from customerlake.runtime.config import LifetimeValueConfig

MODEL = "lifetime_value"
TENTHS = 10  # steps of a distribution, of each power of ten
LEAST = 0.01  # of currency: what is worth less counts as that

LIFETIME_VALUE = Table(
    name="scores.lifetime_value",
    grain="one row per customer_id and as_of, over the customers with a purchase by then",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "last day that is known; the value is of the days after it, in money of this day"),
        Field(
            "p_alive",
            T.DoubleType(),
            "that the customer still buys; 1 without a repeat purchase, as the model lets nobody stop before one",
            unit="share",
            personal="analyse",
        ),
        Field("expected_purchases_90_days", T.DoubleType(), "purchase days expected in 90 days", personal="analyse"),
        Field("expected_purchases_365_days", T.DoubleType(), "purchase days expected in 365 days", personal="analyse"),
        Field("expected_purchases", T.DoubleType(), "purchase days expected in horizon_days", personal="analyse"),
        Field("expected_value", MEAN_MONEY, "spend expected of a purchase day", unit="currency", personal="analyse"),
        Field(
            "lifetime_value",
            MEAN_MONEY,
            "margin of the purchases expected in horizon_days, discounted",
            unit="currency",
            personal="analyse",
        ),
        Field(
            "lifetime_value_low",
            MEAN_MONEY,
            "lower end of the 95 % interval of lifetime_value: how sure the model is of this expectation; what the "
            "customer will really spend varies far more",
            unit="currency",
            personal="analyse",
        ),
        Field("lifetime_value_high", MEAN_MONEY, "its upper end", unit="currency", personal="analyse"),
        Field("horizon_days", T.IntegerType(), "days after as_of that the value is of", unit="days"),
        Field("_model_version", T.StringType(), "registered version of the model"),
    ),
)


@dataclass(frozen=True)
class Total:
    """The lifetime value of all customers together, with its interval."""

    customers: int
    lifetime_value: float
    low: float
    high: float


class LifetimeValue:
    """BG/NBD and Gamma-Gamma together. Frames are rows of gold.rfm of one as_of. Runs on every engine."""

    scores = LIFETIME_VALUE

    def __init__(self, config: LifetimeValueConfig) -> None:
        self.config = config

    def fit(self, rows: DataFrame) -> LifetimeFormula:
        """Learn from all customers of one as_of. Raises: ModelError where one of the two models cannot be fitted."""
        dates = [row["as_of"] for row in rows.select("as_of").distinct().limit(2).collect()]
        if len(dates) > 1:
            raise ModelError(
                f"Lifetime value: the rows of gold.rfm are of several dates, among them {dates[0]} and {dates[1]}, so "
                "that customers would count more than once. Pass the rows of one as_of."
            )
        purchases = fit_bg_nbd(counted_histories(rows, most=self.config.most_histories))
        values = counted_values(rows, most=self.config.most_histories)
        return LifetimeFormula(purchases=purchases, values=fit_gamma_gamma(values), independence=independence(values))

    def score(self, rows: DataFrame, fitted: LifetimeFormula) -> DataFrame:
        """Adds: the columns of scores.lifetime_value but the version, expected_spend, and the baseline_* that
        `evaluate` reads; null where the history is not known."""
        config, drawn = self.config, Drawn.by(fitted, self.config)

        def of_batch(batch: pd.DataFrame) -> pd.DataFrame:
            return scored(batch, fitted, drawn, config)

        told = ", ".join(f"{name} double" for name in SCORED)
        own_rate = F.col("frequency") / F.greatest(F.col("T").cast("double"), F.lit(1.0))
        return (
            rows.withColumn("scored", of_columns(of_batch, told, {name: F.col(name).cast("double") for name in INPUTS}))
            .select(*rows.columns, "scored.*")
            .withColumns(
                {
                    "horizon_days": F.lit(config.horizon_days),
                    "expected_spend": F.col("expected_purchases") * F.col("expected_value"),
                    "baseline_purchases": own_rate * config.horizon_days,
                    "baseline_spend": own_rate
                    * config.horizon_days
                    * F.coalesce(F.col("monetary_value").cast("double"), F.lit(0.0)),
                }
            )
        )

    def evaluate(self, scored: DataFrame) -> dict[str, float]:
        """How well scored rows foretold the horizon: they carry purchases_after and spend_after, 0 where there is none.

        Of purchases and of spend, not discounted and before margin: mean absolute error, root mean squared error, and
        the predicted total over the real one. Of spend also whether it puts customers in their order: Spearman's rank
        correlation, and the share of all spend that the tenth foretold to spend most has spent. Each stands beside
        baseline_*: that everyone goes on at their own past rate.
        """
        judged = scored.where(F.col("expected_spend").isNotNull())
        found, ordered = accuracy(judged, OF_MODELS), cells(judged, OF_MODELS)
        of_rows = {"rows": found["model"]["rows"]}
        for name, prefix in (("model", ""), ("baseline", "baseline_")):
            measures = found[name] | order_measures(ordered[ordered["model"] == name])
            of_rows |= {f"{prefix}{measure}": value for measure, value in measures.items() if measure != "rows"}
        return of_rows

    def total(self, rfm: DataFrame, formula: LifetimeFormula) -> Total:
        """The value of all customers. Given frequency the expected spend is linear in monetary_value, so that the sums
        over each distinct history tell all; each draw of the parameters gives one total."""
        once, drawn = Drawn.at_estimate(formula, self.config), Drawn.by(formula, self.config)

        def of_batches(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            for rows in batches:
                yield totals(rows, once, drawn)

        value = F.col("monetary_value").cast("decimal(38,4)")
        found = (
            rfm.groupBy("frequency", "recency", "T")
            .agg(F.count("*").cast("double").alias("customers"), F.sum(value).cast("double").alias("sum_of_values"))
            .withColumns({name: F.col(name).cast("double") for name in ("frequency", "recency", "T")})
            .mapInPandas(of_batches, "draw int, customers double, value double")
            .groupBy("draw")
            .agg(F.sum("customers").alias("customers"), F.sum("value").alias("value"))
            .toPandas()
            .set_index("draw")
        )
        if found.empty:
            raise ModelError("Lifetime value: there is no customer to value. Land sales, or use a later --as-of.")
        value_of_all = float(found["value"][AT_ESTIMATE])
        low, high = interval(found["value"].drop(AT_ESTIMATE).to_numpy()[:, None], np.array([value_of_all]))
        return Total(int(found["customers"][AT_ESTIMATE]), value_of_all, float(low[0]), float(high[0]))


def value_distribution(scored: DataFrame) -> pd.DataFrame:
    """Customers by lifetime value, in tenths of powers of ten: columns value_from, value_to, customers, value."""
    least = F.greatest(F.col("lifetime_value"), F.lit(LEAST))
    found = (
        scored.where(F.col("lifetime_value").isNotNull())
        .groupBy(F.floor(F.log10(least) * TENTHS).cast("int").alias("step"))
        .agg(F.count("*").alias("customers"), F.sum("lifetime_value").alias("value"))
        .orderBy("step")
        .toPandas()
    )
    edges = {"value_from": 10 ** (found["step"] / TENTHS), "value_to": 10 ** ((found["step"] + 1) / TENTHS)}
    return found.assign(**edges)[["value_from", "value_to", "customers", "value"]]


OF_MODELS = {
    "model": Foretold(spend="expected_spend", purchases="expected_purchases"),
    "baseline": Foretold(spend="baseline_spend", purchases="baseline_purchases"),
}
"""What a scored row holds of the model, and of the baseline."""


def lifetime_value_scores(
    fitted: LifetimeFormula, rfm: DataFrame, config: LifetimeValueConfig, *, model_version: str
) -> DataFrame:
    """scores.lifetime_value for one as_of."""
    scored = LifetimeValue(config).score(rfm, fitted).withColumn("_model_version", F.lit(model_version))
    return scored.transform(LIFETIME_VALUE.conform)
