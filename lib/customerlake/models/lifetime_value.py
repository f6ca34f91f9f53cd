"""Lifetime value: what each customer's purchases up to a date ahead are worth today, and how sure that is.

How often and how long one buys is BG/NBD's, what a purchase is worth is Gamma-Gamma's. The value is the sum over
periods of the purchases expected in the period, times the expected spend, times the margin, discounted from its end.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, PositiveInt
from pydantic import Field as Limited
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import pandas_udf

from customerlake.contracts.table import MEAN_MONEY, Field, Table
from customerlake.errors import ModelError
from customerlake.gold.rfm import purchase_days, purchases_until
from customerlake.models.bg_nbd import (
    alive_probability,
    counted_histories,
    expected_cumulative_purchases,
    fit_bg_nbd,
    purchases_if_alive,
)
from customerlake.models.gamma_gamma import Independence, counted_values, expected_values, fit_gamma_gamma, independence
from customerlake.models.likelihood import Estimates
from customerlake.runtime.feeds import Values

YEAR = 365.0  # days
LEVEL = 0.95  # of intervals
ROWS_AT_ONCE = 4096  # an array of every draw of them is of some megabytes
MOST_REMEMBERED = 50_000  # of pairs, 80 MB at 200 draws

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


class LifetimeValueConfig(Values):
    """Over which time, and at which rates, a customer is worth what."""

    horizon_days: PositiveInt = 365  # purchases up to so many days after as_of count
    period_days: PositiveInt = 30  # a period's purchases are discounted from its end; the last may be shorter
    discount_rate: Annotated[float, Limited(gt=-1)] = 0.1  # a year
    margin_share: Annotated[float, Limited(gt=0, le=1)] = 1.0  # of spend; 1: the value is revenue
    draws: Annotated[int, Limited(ge=20)] = 200  # of the parameters, for intervals
    most_histories: PositiveInt = 200_000  # distinct ones, held by the driver in fitting
    retrain_after_days: PositiveInt = 30
    seed: int = 20


class LifetimeFormula(BaseModel):
    """What was learnt, as plain numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    purchases: Estimates  # r, alpha [days], a, b
    values: Estimates  # p, q, gamma


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
        self.independence: Independence | None = None  # set by `fit`

    def fit(self, rfm: DataFrame) -> LifetimeFormula:
        """Learn from all customers of one as_of. Raises: ModelError where one of the two models cannot be fitted."""
        dates = [row["as_of"] for row in rfm.select("as_of").distinct().limit(2).collect()]
        if len(dates) > 1:
            raise ModelError(
                f"Lifetime value: the rows of gold.rfm are of several dates, among them {dates[0]} and {dates[1]}, so "
                "that customers would count more than once. Pass the rows of one as_of."
            )
        purchases = fit_bg_nbd(counted_histories(rfm, most=self.config.most_histories))
        values = counted_values(rfm, most=self.config.most_histories)
        self.independence = independence(values)
        return LifetimeFormula(purchases=purchases, values=fit_gamma_gamma(values))

    def formula(self, fitted: LifetimeFormula) -> LifetimeFormula:
        """What `fit` has learnt, as plain numbers: it is that already."""
        return fitted

    def score(self, rfm: DataFrame, formula: LifetimeFormula) -> DataFrame:
        """Adds: the columns of scores.lifetime_value but the version, and the baseline_* that `evaluate` reads."""
        config, inputs = self.config, ("frequency", "recency", "T", "monetary_value")
        drawn = Drawn.by(formula, config)

        def of_batch(rows: pd.DataFrame) -> pd.DataFrame:
            return _scored(rows, formula, drawn, config)

        told = ", ".join(f"{name} double" for name in SCORED)
        own_rate = F.col("frequency") / F.greatest(F.col("T").cast("double"), F.lit(1.0))
        return (
            rfm.withColumn(
                "scored",
                pandas_udf(of_batch, told)(F.struct(*[F.col(name).cast("double").alias(name) for name in inputs])),  # type: ignore[call-overload]  # stubs count columns
            )
            .select(*rfm.columns, "scored.*")
            .withColumns(
                {
                    "horizon_days": F.lit(config.horizon_days),
                    "baseline_purchases": own_rate * config.horizon_days,
                    "baseline_spend": own_rate * config.horizon_days * F.col("monetary_value").cast("double"),
                }
            )
        )

    def total(self, rfm: DataFrame, formula: LifetimeFormula) -> Total:
        """The value of all customers. Given frequency the expected spend is linear in monetary_value, so that the sums
        over each distinct history tell all; each draw of the parameters gives one total."""
        once, drawn = Drawn.at_estimate(formula, self.config), Drawn.by(formula, self.config)

        def totals(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            for rows in batches:
                yield _totals(rows, once, drawn)

        value = F.col("monetary_value").cast("decimal(38,4)")
        found = (
            rfm.groupBy("frequency", "recency", "T")
            .agg(F.count("*").cast("double").alias("customers"), F.sum(value).cast("double").alias("sum_of_values"))
            .withColumns({name: F.col(name).cast("double") for name in ("frequency", "recency", "T")})
            .mapInPandas(totals, "draw int, customers double, value double")
            .groupBy("draw")
            .agg(F.sum("customers").alias("customers"), F.sum("value").alias("value"))
            .toPandas()
            .set_index("draw")
        )
        if found.empty:
            raise ModelError("Lifetime value: there is no customer to value. Land sales, or use a later --as-of.")
        value_of_all = float(found["value"][AT_ESTIMATE])
        low, high = _interval(found["value"].drop(AT_ESTIMATE).to_numpy()[:, None], np.array([value_of_all]))
        return Total(int(found["customers"][AT_ESTIMATE]), value_of_all, float(low[0]), float(high[0]))

    def evaluate(self, scored: DataFrame) -> dict[str, float]:
        """How well scored rows foretold the horizon: they carry purchases_after and spend_after, 0 where there is none.

        Of purchases and of spend, not discounted and before margin: mean absolute error, root mean squared error, and
        the predicted total over the real one; each beside baseline_*: that everyone goes on at their own past rate.
        """
        pairs = {
            "purchases": (F.col("expected_purchases"), F.col("purchases_after").cast("double")),
            "spend": (F.col("expected_purchases") * F.col("expected_value"), F.col("spend_after").cast("double")),
            "baseline_purchases": (F.col("baseline_purchases"), F.col("purchases_after").cast("double")),
            "baseline_spend": (F.col("baseline_spend"), F.col("spend_after").cast("double")),
        }
        measures = [F.count("*").cast("double").alias("rows")]
        for name, (foretold, real) in pairs.items():
            measures += [
                F.mean(F.abs(foretold - real)).alias(f"{name}_mae"),
                F.sqrt(F.mean((foretold - real) * (foretold - real))).alias(f"{name}_rmse"),
                (F.sum(foretold) / F.nullif(F.sum(real), F.lit(0.0))).alias(f"{name}_ratio"),
            ]
        found = scored.agg(*measures).first()
        if found is None or not found["rows"]:
            raise ModelError("Lifetime value: there is no scored customer to judge by. Use another --as-of or horizon.")
        return {name: float(value) for name, value in found.asDict().items() if value is not None}


def lifetime_value_scores(
    model: LifetimeValue, formula: LifetimeFormula, rfm: DataFrame, *, model_version: str
) -> DataFrame:
    """scores.lifetime_value for one as_of."""
    scored = model.score(rfm, formula).withColumn("_model_version", F.lit(model_version))
    return scored.transform(LIFETIME_VALUE.conform)


def observed_after(orders: DataFrame, *, as_of: date, days: int) -> DataFrame:
    """One row per customer who bought in the `days` after as_of: purchases_after [days], spend_after [currency]."""
    return (
        orders.transform(purchases_until(as_of + timedelta(days=days)))
        .where(F.col("ordered_on") > F.lit(as_of))
        .transform(purchase_days)
        .groupBy("customer_id")
        .agg(F.count("*").alias("purchases_after"), F.sum("spend").alias("spend_after"))
    )


def weekly_tracking(
    estimates: Estimates, rfm: DataFrame, orders: DataFrame, *, as_of: date, until: date
) -> pd.DataFrame:
    """Repeat purchase days of the cohort of `rfm` in each whole week before and after as_of, beside the model's.

    Columns: week_ends_on, observed, expected, is_holdout. Weeks end on as_of and every seven days from it, none later
    than `until`; what came before the first of them is in no week.
    """
    ages = rfm.groupBy("T").count().toPandas().set_index("T")["count"].sort_index()
    if ages.empty:
        raise ModelError(f"Lifetime value: no customer has bought by {as_of}. Land sales, or use a later --as-of.")
    first = F.date_sub(F.lit(as_of), F.col("T"))
    repeats = (
        orders.transform(purchases_until(until))
        .transform(purchase_days)
        .join(rfm.select("customer_id", first.alias("first_on")), on="customer_id", how="inner")
        .where(F.col("ordered_on") > F.col("first_on"))
        .groupBy(F.datediff("ordered_on", F.lit(as_of)).alias("day"))
        .count()
        .toPandas()
    )
    ends = np.arange(-(int(ages.index.max()) // 7), (until - as_of).days // 7 + 1) * 7
    cumulative = expected_cumulative_purchases(estimates, ages, ends)
    by_then = np.array([repeats.loc[repeats["day"] <= end, "count"].sum() for end in ends])
    return pd.DataFrame(
        {
            "week_ends_on": [as_of + timedelta(days=int(end)) for end in ends[1:]],
            "observed": np.diff(by_then),
            "expected": np.diff(cumulative),
            "is_holdout": ends[1:] > 0,
        }
    )


SCORED = (
    "p_alive", "expected_purchases_90_days", "expected_purchases_365_days", "expected_purchases", "expected_value",
    "lifetime_value", "lifetime_value_low", "lifetime_value_high",
)  # fmt: skip
AT_ESTIMATE = -1  # in place of a draw's number: the parameters as estimated


class Drawn:
    """Both models' parameters, drawn, and the values of customers under each draw.

    The purchases that are ahead of a customer who is alive depend on frequency and T alone, and are what takes the
    time: they are worked out once for each pair of them, as long as MOST_REMEMBERED pairs are not exceeded.
    """

    def __init__(self, of_purchases: np.ndarray, of_values: np.ndarray, config: LifetimeValueConfig) -> None:
        self.of_purchases, self.of_values, self.config = of_purchases, of_values, config
        self.ahead: dict[complex, np.ndarray] = {}

    @classmethod
    def by(cls, formula: LifetimeFormula, config: LifetimeValueConfig) -> "Drawn":
        """Drawn by the covariances, each model apart: they learn from different data that are taken as unrelated."""
        purchases = formula.purchases.draws(config.draws, config.seed)
        return cls(purchases, formula.values.draws(config.draws, config.seed + 1), config)

    @classmethod
    def at_estimate(cls, formula: LifetimeFormula, config: LifetimeValueConfig) -> "Drawn":
        """The estimates as the one draw."""
        return cls(formula.purchases.theta[:, None, None], formula.values.theta[:, None, None], config)

    def values(self, rows: pd.DataFrame) -> np.ndarray:
        """The lifetime value of each customer (column) under each draw (row)."""
        x, last, age, mean = (rows[name].to_numpy() for name in ("frequency", "recency", "T", "monetary_value"))
        alive = alive_probability(self.of_purchases, x, last, age)
        values: np.ndarray = alive * self._purchases_ahead(x, age) * expected_values(self.of_values, x, mean)
        return values * self.config.margin_share

    def _purchases_ahead(self, frequency: np.ndarray, age: np.ndarray) -> np.ndarray:
        pairs, pair = np.unique(frequency + 1j * age, return_inverse=True)
        known = {key: self.ahead[key] for key in pairs.tolist() if key in self.ahead}
        new = pairs[[key not in known for key in pairs.tolist()]]
        if new.size:
            columns = discounted_purchases(self.of_purchases, new.real, new.imag, self.config).T
            known |= dict(zip(new.tolist(), columns, strict=True))
            if len(self.ahead) + new.size > MOST_REMEMBERED:
                self.ahead = {}  # a new one, as other threads may be reading the old
            self.ahead |= known
        ahead: np.ndarray = np.stack([known[key] for key in pairs.tolist()], axis=1)[:, pair]
        return ahead


def discounted_purchases(
    theta: np.ndarray, frequency: np.ndarray, age: np.ndarray, config: LifetimeValueConfig
) -> np.ndarray:
    """Purchase days expected in the horizon of customers who are alive, each discounted from the end of its period."""
    ends = [*range(config.period_days, config.horizon_days, config.period_days), config.horizon_days]
    total, before = np.zeros(()), np.zeros(())
    for end in ends:
        by_then = purchases_if_alive(theta, frequency, age, float(end))
        total = total + (by_then - before) * (1 + config.discount_rate) ** (-end / YEAR)
        before = by_then
    return total


def _scored(rows: pd.DataFrame, formula: LifetimeFormula, drawn: Drawn, config: LifetimeValueConfig) -> pd.DataFrame:
    """The columns of SCORED for a batch of customers."""
    theta, of_values = formula.purchases.theta, formula.values.theta
    x, last, age, mean = (rows[name].to_numpy() for name in ("frequency", "recency", "T", "monetary_value"))
    alive, value = alive_probability(theta, x, last, age), expected_values(of_values, x, mean)
    lifetime = alive * value * config.margin_share * discounted_purchases(theta, x, age, config)
    bands = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        at_once = slice(start, start + ROWS_AT_ONCE)
        bands.append(_interval(drawn.values(rows.iloc[at_once]), lifetime[at_once]))
    low, high = np.concatenate(bands, axis=1) if bands else (lifetime, lifetime)
    ahead = [alive * purchases_if_alive(theta, x, age, days) for days in (90.0, YEAR, float(config.horizon_days))]
    return pd.DataFrame(dict(zip(SCORED, (alive, *ahead, value, lifetime, low, high), strict=True)))


def _interval(drawn: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """The ends of the middle LEVEL of each column's draws; never without the estimate between them."""
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=0)
    return np.stack([np.minimum(low, estimate), np.maximum(high, estimate)])


def _totals(rows: pd.DataFrame, once: Drawn, drawn: Drawn) -> pd.DataFrame:
    """The value of all customers of a batch of histories, as estimated and under each draw."""
    at_mean = rows.assign(monetary_value=rows["sum_of_values"] / rows["customers"])
    total = np.zeros(1 + drawn.config.draws)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = at_mean.iloc[start : start + ROWS_AT_ONCE]
        total += np.concatenate([one.values(part) @ part["customers"].to_numpy() for one in (once, drawn)])
    numbers = np.arange(AT_ESTIMATE, drawn.config.draws, dtype=np.int32)
    return pd.DataFrame({"draw": numbers, "customers": rows["customers"].sum(), "value": total})
