"""What customers did in the days after a date beside what was foretold: how far off, in which order, by which past.

Rows are of customers known on the date, with purchases_after and spend_after, 0 where there is none. What leaves Spark
is of bounded size, whatever the number of customers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy.stats import norm

from customerlake.errors import ModelError
from customerlake.gold.rfm import purchase_days, purchases_until
from customerlake.models.classifiers.evaluation import Difference
from customerlake.models.lifetime.bg_nbd import expected_cumulative_purchases
from customerlake.models.lifetime.likelihood import Estimates

STEP = 0.01  # of amounts, relative: customers within it count as equal in rank
LEAST = 1e-6  # of currency: what is smaller counts as nothing
MOST_PAST = 7  # repeat purchases that customers are told apart by; more are taken together
TOP_SHARE = 0.1


@dataclass(frozen=True)
class Foretold:
    """Columns of scored rows: what a model foretells of each."""

    spend: str
    purchases: str | None = None


def observed_after(orders: DataFrame, *, as_of: date, days: int) -> DataFrame:
    """One row per customer who bought in the `days` after as_of: purchases_after [days], spend_after [currency]."""
    return (
        orders.transform(purchases_until(as_of + timedelta(days=days)))
        .where(F.col("ordered_on") > F.lit(as_of))
        .transform(purchase_days)
        .groupBy("customer_id")
        .agg(F.count("*").alias("purchases_after"), F.sum("spend").alias("spend_after"))
    )


def with_observed(rows: DataFrame, observed: DataFrame) -> DataFrame:
    """Rows of one date with what `observed_after` has of each customer, 0 where it has nothing."""
    nothing = {name: F.coalesce(name, F.lit(0)) for name in ("purchases_after", "spend_after")}
    return rows.join(observed, on="customer_id", how="left").withColumns(nothing)


def accuracy(rows: DataFrame, models: Mapping[str, Foretold]) -> dict[str, dict[str, float]]:
    """For each model its rows, and of spend, and of purchases where it foretells them: mean absolute error, root mean
    squared error, and the predicted total over the real one, which is left out where nothing was bought.

    Raises: ModelError when there is no row.
    """
    measures = [F.count("*").cast("double").alias("rows")]
    for name, foretold in models.items():
        for what, column in (("spend", foretold.spend), ("purchases", foretold.purchases)):
            if column is not None:
                measures += [one.alias(f"{name} {what}_{measure}") for measure, one in _measures(column, what).items()]
    found = rows.agg(*measures).first()
    if found is None or not found["rows"]:
        raise ModelError("Lifetime value: there is no scored customer to judge by. Use another --as-of or horizon.")
    told = {name: value for name, value in found.asDict().items() if value is not None}
    return {
        name: {"rows": found["rows"]}
        | {key.removeprefix(f"{name} "): float(value) for key, value in told.items() if key.startswith(f"{name} ")}
        for name in models
    }


def _measures(column: str, what: str) -> dict[str, Column]:
    foretold, real = F.col(column), F.col(f"{what}_after").cast("double")
    return {
        "mae": F.mean(F.abs(foretold - real)),
        "rmse": F.sqrt(F.mean((foretold - real) * (foretold - real))),
        "ratio": F.sum(foretold) / F.nullif(F.sum(real), F.lit(0.0)),
    }


def spend_differences(rows: DataFrame, model: Foretold, others: Mapping[str, Foretold]) -> dict[str, Difference]:
    """By how much the mean absolute error of spend is above that of each other model, with its 95 % interval: of the
    mean of differences of single customers, which is normal in so many."""
    real = F.col("spend_after").cast("double")

    def error(foretold: Foretold) -> Column:
        return F.abs(F.col(foretold.spend) - real)

    found = rows.agg(
        F.sqrt(F.count("*").cast("double")).alias("root"),
        *[F.mean(error(model) - error(other)).alias(f"{name} mean") for name, other in others.items()],
        *[F.stddev_samp(error(model) - error(other)).alias(f"{name} deviation") for name, other in others.items()],
    ).collect()[0]
    differences = {}
    for name in others:
        mean, deviation = found[f"{name} mean"], found[f"{name} deviation"] or 0.0
        half = float(norm.ppf(0.975)) * deviation / found["root"]
        differences[name] = Difference(mean, mean - half, mean + half)
    return differences


def conditional_expectations(rows: DataFrame, models: Mapping[str, Foretold]) -> pd.DataFrame:
    """Purchases and spend after the date by the number of repeat purchases before it, MOST_PAST and more together.

    Columns: past_purchases, customers, purchases and spend (means, as observed), purchases of each model that foretells
    them and spend of each, as `purchases, NAME` and `spend, NAME`.
    Source:  Fader, Hardie & Lee (2005), "Counting your customers the easy way", Marketing Science 24(2), figure 3.
    """
    means = [F.mean(F.col(f"{what}_after").cast("double")).alias(what) for what in ("purchases", "spend")]
    for name, foretold in models.items():
        if foretold.purchases is not None:
            means.append(F.mean(foretold.purchases).alias(f"purchases, {name}"))
        means.append(F.mean(foretold.spend).alias(f"spend, {name}"))
    past = F.least("frequency", F.lit(MOST_PAST)).cast("int")
    found = rows.groupBy(past.alias("past_purchases")).agg(F.count("*").alias("customers"), *means)
    return found.orderBy("past_purchases").toPandas()


def cells(rows: DataFrame, models: Mapping[str, Foretold]) -> pd.DataFrame:
    """Customers counted by what each model foretells of their spend and by what they spent, both in steps of STEP.

    Columns: model, foretold, spent (steps, in order), customers, sum_spent.
    """
    each = F.array(
        *[
            F.struct(F.lit(name).alias("model"), _step(F.col(one.spend)).alias("foretold"))
            for name, one in models.items()
        ]
    )
    spent = F.col("spend_after").cast("double")
    return (
        rows.select(F.inline(each), _step(spent).alias("spent"), spent.alias("amount"))
        .groupBy("model", "foretold", "spent")
        .agg(F.count("*").alias("customers"), F.sum("amount").alias("sum_spent"))
        .orderBy("model", "foretold", "spent")
        .toPandas()
    )


def order_measures(of_model: pd.DataFrame) -> dict[str, float]:
    """Of the cells of one model: Spearman's rank correlation of foretold and real spend (left out where one of the two
    never varies), and the share of all spend that the tenth of customers foretold to spend most has spent."""
    customers = of_model["customers"].to_numpy(dtype=float)
    ranks = [_middle_ranks(of_model[name].to_numpy(), customers) for name in ("foretold", "spent")]
    covariance = np.cov(np.stack(ranks), fweights=of_model["customers"].to_numpy(dtype=int), ddof=0)
    found = {}
    if covariance[0, 0] > 0 and covariance[1, 1] > 0:
        found["spend_rank_correlation"] = float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
    curve = gain(of_model, by="foretold")
    if curve["spend"].iloc[-1] > 0:
        found["spend_share_top_tenth"] = float(np.interp(TOP_SHARE, curve["customers"], curve["spend"]))
    return found


def gain(of_model: pd.DataFrame, *, by: str) -> pd.DataFrame:
    """The share of spend that each share of customers has spent, the highest `by` (foretold, or spent) first.

    Columns: customers, spend, both from 0 to 1; spend stays 0 where nothing was spent.
    """
    steps = of_model.groupby(by)[["customers", "sum_spent"]].sum().sort_index(ascending=False).astype(float)
    total = steps.sum()
    shares = steps.cumsum() / total.where(total > 0, 1.0)
    first = pd.DataFrame({"customers": [0.0], "sum_spent": [0.0]})
    return pd.concat([first, shares], ignore_index=True).rename(columns={"sum_spent": "spend"})


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


def _step(amount: Column) -> Column:
    """The number of the step that an amount is in."""
    return F.floor(F.log(F.greatest(amount.cast("double"), F.lit(LEAST))) / STEP + 0.5).cast("int")


def _middle_ranks(steps: np.ndarray, customers: np.ndarray) -> np.ndarray:
    """The rank of each cell's step among all customers; equal ones share the middle of theirs."""
    found, at = np.unique(steps, return_inverse=True)
    counts = np.bincount(at, weights=customers, minlength=len(found))
    middles: np.ndarray = (np.cumsum(counts) - counts / 2)[at]
    return middles
