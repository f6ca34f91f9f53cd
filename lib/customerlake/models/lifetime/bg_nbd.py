"""BG/NBD: whether a customer still buys and how often they will buy again, fitted on counted purchase histories.

A customer buys at random at a rate of their own, which is gamma distributed over customers with shape r and rate alpha
[days], and stops for good after any repeat purchase with a probability of their own, beta distributed with a and b. So
a customer without a repeat purchase counts as alive, however long ago the first one was; it is their rate that falls.

Source: Fader, Hardie & Lee (2005), "Counting your customers the easy way: an alternative to the Pareto/NBD model",
        Marketing Science 24(2), 275-284. Column names are theirs; `theta` is r, alpha, a, b, each a number, or an array
        that broadcasts against the customers.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from scipy.special import digamma, expit, gammaln, hyp2f1

from customerlake.errors import ModelError
from customerlake.models.lifetime.likelihood import Estimates, maximised, problems_found

PARAMETERS = ("r", "alpha", "a", "b")
MOST_HISTORIES = 200_000
ROUNDED_TO_DAYS = (1, 7, 28)
"""Where whole days make too many distinct histories, recency and T are rounded to whole weeks, then to four weeks.

Errors of rounding are even around zero, so what they do to the estimates is of second order in the period over the
typical time between purchases. On the CDNOW sample weeks move every estimate by 2 % at most and four weeks by 10 %,
where the standard errors are 5 % to 29 %.
"""

NEAR_SINGULAR = 1e-4
LARGEST_EXPONENT = 300.0  # of e: well below where doubles overflow


@dataclass(frozen=True)
class Histories:
    """Distinct purchase histories, and how many customers have each."""

    frequency: np.ndarray
    recency: np.ndarray
    T: np.ndarray
    customers: np.ndarray
    rounded_to_days: int


def counted_histories(rfm: DataFrame, *, most: int = MOST_HISTORIES) -> Histories:
    """Count the customers of each (frequency, recency, T) of one as_of, in whole days if there are at most `most`.

    One pass over the customers, another for each coarser unit of ROUNDED_TO_DAYS that is needed; at most `most` + 1
    rows leave Spark, whatever the number of customers.
    Raises: ModelError when there is no customer, nobody repeats, or a history cannot be: something is missing or below
            zero, recency is above T, or frequency and recency do not tell of the same purchases.
    """
    for days in ROUNDED_TO_DAYS:
        counted = (
            rfm.select(_problem().alias("problem"), *[_rounded(name, days) for name in ("frequency", "recency", "T")])
            .groupBy("problem", "frequency", "recency", "T")
            .agg(F.count("*").alias("customers"))
            .limit(most + 1)
            .toPandas()
        )
        _refuse(counted)
        if len(counted) <= most:
            kept = counted.sort_values(["frequency", "recency", "T"])
            x, recency, age, customers = (
                kept[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T", "customers")
            )
            return Histories(x, recency, age, customers, rounded_to_days=days)
    raise ModelError(
        f"BG/NBD: the customers have more than {most:,} distinct histories even in units of {ROUNDED_TO_DAYS[-1]} "
        "days. Allow more of them: the driver holds them, about 100 bytes each."
    )


def fit_bg_nbd(histories: Histories) -> Estimates:
    """The parameters under which the histories are likeliest. Raises: ModelError when no search comes to its end."""
    repeats = float(histories.customers @ histories.frequency)
    rate = repeats / float(histories.customers @ np.maximum(histories.T, 1.0))
    starts = [np.array([r, r / rate, a, b]) for r, (a, b) in product((0.3, 1.0), ((0.5, 2.0), (0.1, 0.5), (1.0, 5.0)))]
    return maximised(
        lambda theta: log_likelihood(theta, histories),
        starts,
        model="BG/NBD",
        names=PARAMETERS,
        bounds=(0.0,) * 4,
        customers=int(histories.customers.sum()),
        rounded_to=float(histories.rounded_to_days if histories.rounded_to_days > 1 else 0),
    )


def log_likelihood(theta: np.ndarray, histories: Histories) -> tuple[float, np.ndarray]:
    """The log likelihood of all customers and its gradient. Source: the paper, equation 6."""
    r, alpha, a, b = theta
    x, n = histories.frequency, histories.customers
    levels, level = np.unique(x, return_inverse=True)  # of frequency: gamma functions are needed once for each
    bought = levels > 0
    later = np.maximum(b + levels - 1, np.finfo(float).tiny)
    of_level = gammaln(r + levels) - gammaln(r) + r * np.log(alpha)
    of_level += gammaln(a + b) + gammaln(b + levels) - gammaln(b) - gammaln(a + b + levels)
    alive = -(r + x) * np.log(alpha + histories.T)
    stopped = np.where(bought, np.log(a) - np.log(later), -np.inf)[level] - (r + x) * np.log(alpha + histories.recency)
    either = np.logaddexp(alive, stopped)
    if_alive, if_stopped = np.exp(alive - either), np.exp(stopped - either)
    waited = if_alive * np.log(alpha + histories.T) + if_stopped * np.log(alpha + histories.recency)
    per_day = if_alive / (alpha + histories.T) + if_stopped / (alpha + histories.recency)
    together = digamma(a + b) - digamma(a + b + levels)
    by_b = together + digamma(b + levels) - digamma(b)
    gradient = np.array(
        [
            n @ ((digamma(r + levels) - digamma(r) + np.log(alpha))[level] - waited),
            n @ (r / alpha - (r + x) * per_day),
            n @ (together[level] + if_stopped / a),
            n @ (by_b[level] - if_stopped / later[level]),
        ]
    )
    return float(n @ (of_level[level] + either)), gradient


def p_alive(estimates: Estimates) -> Column:
    """The probability that the customer of a row still buys: of frequency, recency, T. Built-in expressions only."""
    r, alpha, a, b = (F.lit(value) for value in estimates.values)
    x, recency, age = (F.col(name).cast("double") for name in ("frequency", "recency", "T"))
    log_odds = (
        F.log(F.greatest(b + x - 1, F.lit(1e-300))) - F.log(a) - (r + x) * (F.log(alpha + age) - F.log(alpha + recency))
    )
    return F.when(x > 0, 1 / (1 + F.exp(-log_odds))).otherwise(1.0)


def expected_purchases(estimates: Estimates, days: float) -> Column:
    """Purchase days expected of the customer of a row in the `days` after as_of: of frequency, recency, T."""
    theta = estimates.theta

    def of_batch(frequency: pd.Series, recency: pd.Series, age: pd.Series) -> pd.Series:
        alive = alive_probability(theta, frequency.to_numpy(), recency.to_numpy(), age.to_numpy())
        return pd.Series(alive * purchases_if_alive(theta, frequency.to_numpy(), age.to_numpy(), days))

    columns = [F.col(name).cast("double") for name in ("frequency", "recency", "T")]
    return pandas_udf(of_batch, "double")(*columns)  # type: ignore[call-overload, no-any-return]  # stubs count columns


def alive_probability(theta: np.ndarray, frequency: np.ndarray, recency: np.ndarray, age: np.ndarray) -> np.ndarray:
    """P(alive | frequency, recency, T)."""
    r, alpha, a, b = theta
    later = np.maximum(b + frequency - 1, np.finfo(float).tiny)
    log_odds = np.log(later) - np.log(a) - (r + frequency) * (np.log(alpha + age) - np.log(alpha + recency))
    alive: np.ndarray = np.where(frequency > 0, expit(log_odds), 1.0)
    return alive


def purchases_if_alive(
    theta: np.ndarray, frequency: np.ndarray, age: np.ndarray, days: float | np.ndarray
) -> np.ndarray:
    """Purchase days expected in the next `days` of a customer who is alive at T; times P(alive) it is the paper's
    equation 10. Of frequency 0 and T 0 it is what is expected of a new customer, equation 9.

    By Euler's transformation of the hypergeometric function, whose parameters then do not grow with frequency: the
    printed form overflows for customers with hundreds of purchases. It does so itself where a is in the hundreds; there
    the printed form is taken. Where it divides zero by zero (a = 1, a + b + frequency = 1) the mean of both sides is.
    """
    r, alpha, a, b = theta
    is_singular = (np.abs(a - 1) < NEAR_SINGULAR) | (np.abs(a + b + frequency - 1) < NEAR_SINGULAR)
    z = days / (alpha + age + days)

    def of(a: np.ndarray) -> np.ndarray:
        times = (a + b + frequency - 1) / (a - 1)
        with np.errstate(over="ignore", invalid="ignore"):
            still_there = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(a + b - 1 - r, a - 1, a + b + frequency - 1, z)
        overflows = (a - 1) * -np.log1p(-z) > LARGEST_EXPONENT
        if overflows.any():
            still_there = np.where(overflows, _still_there_as_printed(r, a, b, frequency, z), still_there)
        expected: np.ndarray = times * (1 - still_there)
        return expected

    aside = np.where(is_singular, 2.5 * NEAR_SINGULAR, 0.0)
    return of(a) if not is_singular.any() else (of(a - aside) + of(a + aside)) / 2


def _still_there_as_printed(
    r: np.ndarray, a: np.ndarray, b: np.ndarray, frequency: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """As the paper has it; where that overflows, with a and frequency in the hundreds and a long time, it is near 0."""
    x = frequency
    with np.errstate(over="ignore", invalid="ignore"):
        printed = np.exp((r + x) * np.log1p(-z)) * hyp2f1(r + x, b + x, a + b + x - 1, z)
    still_there: np.ndarray = np.where(np.isfinite(printed), printed, 0.0)
    return still_there


def expected_cumulative_purchases(estimates: Estimates, customers_by_age: pd.Series, days: np.ndarray) -> np.ndarray:
    """Repeat purchase days expected of a cohort from its first purchases up to so many days after as_of (or before).

    `customers_by_age` holds the number of customers for each T [days] at as_of.
    """
    ages = customers_by_age.index.to_numpy(dtype=float)
    since_first = np.maximum(ages[:, None] + np.asarray(days, dtype=float)[None, :], 0.0)
    of_customer = purchases_if_alive(estimates.theta, np.zeros(1), np.zeros(1), since_first)
    expected: np.ndarray = customers_by_age.to_numpy(dtype=float) @ of_customer
    return expected


def p_alive_matrix(estimates: Estimates, *, age_days: int, most_purchases: int, steps: int = 40) -> pd.DataFrame:
    """P(alive) of every frequency up to `most_purchases` and of `steps` recencies, for customers with T of `age_days`.

    Columns: frequency, recency [days], p_alive. A frequency that the days up to recency cannot hold is left out.
    """
    recency = np.unique(np.round(np.linspace(0, age_days, steps + 1)))
    grid = pd.DataFrame(product(range(most_purchases + 1), recency), columns=["frequency", "recency"])
    grid = grid[(grid["frequency"] <= grid["recency"]) & ((grid["frequency"] > 0) | (grid["recency"] == 0))]
    x, last = grid["frequency"].to_numpy(dtype=float), grid["recency"].to_numpy(dtype=float)
    return grid.assign(p_alive=alive_probability(estimates.theta, x, last, np.full(len(grid), float(age_days))))


def _problem() -> Column:
    """What is wrong with a history, in words; null for one that can be."""
    names = ("frequency", "recency", "T")
    missing = F.coalesce(*[F.when(F.col(name).isNull(), F.lit(f"{name} is missing")) for name in names])
    negative = F.coalesce(*[F.when(F.col(name) < 0, F.lit(f"{name} is negative")) for name in names])
    return F.coalesce(
        missing,
        negative,
        F.when(F.col("recency") > F.col("T"), F.lit("recency is above T")),
        F.when((F.col("frequency") > 0) != (F.col("recency") > 0), F.lit("one of frequency and recency is 0 alone")),
    )


def _rounded(name: str, days: int) -> Column:
    value = F.col(name).cast("double")
    return (
        value if days == 1 or name == "frequency" else (F.floor(value / days + 0.5) * days).cast("double").alias(name)
    )


def _refuse(counted: pd.DataFrame) -> None:
    if found := problems_found(counted):
        raise ModelError(
            f"BG/NBD: histories in the frame of frequency, recency and T cannot be: {found}. "
            "Build gold.rfm again, or correct what made the frame."
        )
    if counted.empty:
        raise ModelError("BG/NBD: there is no customer to learn from. Land sales, or use a later --as-of.")
    if not (counted["frequency"] > 0).any():
        raise ModelError(
            f"BG/NBD: none of {int(counted['customers'].sum()):,} customers has bought on a second day, so nothing "
            "tells how often people come back. Use a later --as-of."
        )
