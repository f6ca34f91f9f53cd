"""Gamma-Gamma: what a customer's purchases are worth on average, fitted on counted frequencies and monetary values.

A customer's purchase days vary around a mean of their own with gamma shape p, and the means vary over customers, so
that the mean spend of a customer with few purchases is drawn to that of all. How much one spends is taken to have
nothing to do with how often one buys; `independence` checks it.

Source: Fader & Hardie (2013), "The Gamma-Gamma model of monetary value", brucehardie.com/notes/025; Fader, Hardie & Lee
        (2005), "RFM and CLV: using iso-value curves for customer base analysis", Journal of Marketing Research 42(4).
        `theta` is p, q, gamma, each a number, or an array that broadcasts against the customers.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy.special import digamma, gammaln
from scipy.stats import norm

from customerlake.errors import ModelError
from customerlake.models.classifiers.inputs import Numbers
from customerlake.models.lifetime.bg_nbd import MOST_HISTORIES
from customerlake.models.lifetime.likelihood import Estimates, maximised, problems_found

PARAMETERS = ("p", "q", "gamma")
BOUNDS = (0.0, 1.0, 0.0)
"""Below a q of 1 the mean spend over all customers would be infinite."""

ROUNDED_TO_SHARE = (0.0, 0.005, 0.02, 0.05)
"""Where values make too many distinct pairs with frequency, they are rounded to steps of such a share of themselves.

On the CDNOW sample steps of 0.5 % move every estimate by 0.1 % at most, steps of 5 % by 2 %; the standard errors are
8 % to 27 %.
"""

MOST_CORRELATED = 0.3


@dataclass(frozen=True)
class MeanSpends:
    """Distinct pairs of frequency and mean spend of customers who have repeated, and how many customers have each."""

    frequency: np.ndarray
    monetary_value: np.ndarray
    customers: np.ndarray
    rounded_to_share: float


class Independence(Numbers):
    """Pearson's correlation of frequency and monetary_value over customers who have repeated, with its interval."""

    correlation: float
    low: float
    high: float
    customers: int

    @property
    def warning(self) -> str | None:
        """What to think of it where it is beyond MOST_CORRELATED; None otherwise."""
        if abs(self.correlation) <= MOST_CORRELATED:
            return None
        more = "more" if self.correlation > 0 else "less"
        return (
            f"Customers who buy often spend {more} each time: the correlation of frequency and monetary_value is "
            f"{self.correlation:.2f} ({self.low:.2f} to {self.high:.2f} at 95 %, {self.customers:,} customers), beyond "
            f"{MOST_CORRELATED}. Gamma-Gamma takes them as unrelated, so values of frequent customers are biased: fit "
            "groups of customers apart, such as wholesale and retail."
        )


def counted_values(rfm: DataFrame, *, most: int = MOST_HISTORIES) -> MeanSpends:
    """Count the customers of each (frequency, monetary_value) among those who have repeated, as they are if possible.

    One pass over the customers, another for each coarser step of ROUNDED_TO_SHARE that is needed; at most `most` + 1
    rows leave Spark. The likelihood has no sufficient statistics of fixed size, so values are rounded, not summed.
    Raises: ModelError when nobody repeats, or the value of one who does is missing or not above zero.
    """
    value = F.col("monetary_value").cast("double")
    problem = F.when(value.isNull(), F.lit("is missing")).when(value <= 0, F.lit("is not above zero"))
    repeaters = rfm.where("frequency > 0")
    for share in ROUNDED_TO_SHARE:
        counted = (
            repeaters.select(problem.alias("problem"), "frequency", _step(value, share).alias("value"))
            .groupBy("problem", "frequency", "value")
            .agg(F.count("*").alias("customers"))
            .limit(most + 1)
            .toPandas()
        )
        _refuse(counted)
        if len(counted) <= most:
            kept = counted.sort_values(["frequency", "value"])
            values = kept["value"].to_numpy(dtype=float)
            return MeanSpends(
                frequency=kept["frequency"].to_numpy(dtype=float),
                monetary_value=np.exp(values * np.log1p(share)) if share else values,
                customers=kept["customers"].to_numpy(dtype=float),
                rounded_to_share=share,
            )
    raise ModelError(
        f"Gamma-Gamma: the customers have more than {most:,} distinct pairs of frequency and monetary_value even in "
        f"steps of {ROUNDED_TO_SHARE[-1]:.0%}. Allow more of them: the driver holds them, about 100 bytes each."
    )


def fit_gamma_gamma(values: MeanSpends) -> Estimates:
    """The parameters under which the mean spends are likeliest. Raises: ModelError when no search comes to its end."""
    mean = float(np.average(values.monetary_value, weights=values.customers))
    starts = [np.array([p, q, mean * (q - 1) / p]) for p, q in product((1.0, 6.0), (1.5, 4.0))]
    return maximised(
        lambda theta: log_likelihood(theta, values),
        starts,
        model="Gamma-Gamma",
        names=PARAMETERS,
        bounds=BOUNDS,
        customers=int(values.customers.sum()),
        rounded_to=values.rounded_to_share,
    )


def log_likelihood(theta: np.ndarray, values: MeanSpends) -> tuple[float, np.ndarray]:
    """The log likelihood of all mean spends and its gradient. Source: Fader & Hardie (2013), equation 1a."""
    p, q, gamma = theta
    x, mean, n = values.frequency, values.monetary_value, values.customers
    levels, level = np.unique(x, return_inverse=True)  # of frequency: gamma functions are needed once for each
    of_level = (
        gammaln(p * levels + q) - gammaln(p * levels) - gammaln(q) + q * np.log(gamma) + p * levels * np.log(levels)
    )
    spent = np.log(gamma + mean * x)
    total = of_level[level] + (p * x - 1) * np.log(mean) - (p * x + q) * spent
    by_shape = digamma(p * levels + q)
    gradient = np.array(
        [
            n @ (x * ((by_shape - digamma(p * levels) + np.log(levels))[level] + np.log(mean) - spent)),
            n @ ((by_shape - digamma(q))[level] + np.log(gamma) - spent),
            n @ (q / gamma - (p * x + q) / (gamma + mean * x)),
        ]
    )
    return float(n @ total), gradient


def expected_value(estimates: Estimates) -> Column:
    """Mean spend expected of a purchase day of the customer of a row: of frequency, monetary_value. Built-in only."""
    p, q, gamma = (F.lit(value) for value in estimates.values)
    x, mean = F.col("frequency").cast("double"), F.col("monetary_value").cast("double")
    return p * (gamma + x * mean) / (p * x + q - 1)


def expected_values(theta: np.ndarray, frequency: np.ndarray, monetary_value: np.ndarray) -> np.ndarray:
    """E(M | frequency, monetary_value), equation 5: a mean of the customer's own spend and that of all customers."""
    p, q, gamma = theta
    expected: np.ndarray = p * (gamma + frequency * monetary_value) / (p * frequency + q - 1)
    return expected


def independence(values: MeanSpends, level: float = 0.95) -> Independence:
    """Whether spend goes with frequency, against the model's assumption; the interval is by Fisher's transformation.

    Over fewer than four customers, or where one of the two never varies, nothing is known: 0 within -1 to 1.
    """
    customers = int(values.customers.sum())
    varies = np.ptp(values.frequency) > 0 and np.ptp(values.monetary_value) > 0
    if customers < 4 or not varies:
        return Independence(correlation=0.0, low=-1.0, high=1.0, customers=customers)
    covariance = np.cov(values.frequency, values.monetary_value, fweights=values.customers.astype(int))
    correlation = float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
    half = norm.ppf(0.5 + level / 2) / np.sqrt(customers - 3)
    centre = np.arctanh(np.clip(correlation, -1 + 1e-12, 1 - 1e-12))
    low, high = float(np.tanh(centre - half)), float(np.tanh(centre + half))
    return Independence(correlation=correlation, low=low, high=high, customers=customers)


def _step(value: Column, share: float) -> Column:
    """The value, or the number of the step of `share` that it is nearest to."""
    above_zero = F.when(value > 0, value)
    return F.floor(F.log(above_zero) / float(np.log1p(share)) + 0.5).cast("double") if share else above_zero


def _refuse(counted: pd.DataFrame) -> None:
    if found := problems_found(counted):
        raise ModelError(
            f"Gamma-Gamma: monetary_value of customers who have repeated {found}. Build gold.rfm again, or "
            "correct what made the frame."
        )
    if counted.empty:
        raise ModelError(
            "Gamma-Gamma: no customer has bought on a second day, so nothing tells what a repeat purchase is worth. "
            "Use a later --as-of."
        )
