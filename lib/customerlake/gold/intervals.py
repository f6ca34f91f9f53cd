"""Confidence intervals at 95% and the power of a test, as built-in expressions.

No engine brings the normal distribution, so `normal_cdf` approximates it; quantiles are constants.

Source:  Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22(158);
         Newcombe (1998), "Interval estimation for the difference between independent proportions: comparison of
         eleven methods", Statistics in Medicine 17(8), method 10; Abramowitz & Stegun (1964), Handbook of Mathematical
         Functions, 26.2.17 and 26.7.5; Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions,
         3rd ed., chapter 4.
"""

import math
from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

Z_95 = 1.959963984540054  # normal quantile of 0.975
Z_POWER_80 = 0.8416212335729143  # normal quantile of 0.8
Interval = tuple[Column, Column]


def wilson_interval(successes: str, trials: str) -> Interval:
    """Of a share: Wilson's score interval, within 0..1; null without trials."""
    n = F.nullif(F.col(trials).cast("double"), F.lit(0.0))
    share = F.col(successes).cast("double") / n
    shrink = 1 + Z_95**2 / n
    centre = (share + Z_95**2 / (2 * n)) / shrink
    half = Z_95 / shrink * F.sqrt(share * (1 - share) / n + Z_95**2 / (4 * n * n))
    low = F.when(n.isNotNull(), F.greatest(F.lit(0.0), centre - half))
    high = F.when(n.isNotNull(), F.least(F.lit(1.0), centre + half))
    # at the ends the bound is the end itself, which rounding would miss by a hair
    return F.when(share == 0, 0.0).otherwise(low), F.when(share == 1, 1.0).otherwise(high)


def newcombe_interval(share: str, low: str, high: str, other: str, other_low: str, other_high: str) -> Interval:
    """Of `share` - `other`: Newcombe's hybrid of the two Wilson intervals, given as columns."""
    difference = F.col(share) - F.col(other)
    down = F.sqrt(_squared(F.col(share) - F.col(low)) + _squared(F.col(other_high) - F.col(other)))
    up = F.sqrt(_squared(F.col(high) - F.col(share)) + _squared(F.col(other) - F.col(other_low)))
    return difference - down, difference + up


def variance(count: str, total: str, squares: str) -> Column:
    """Sample variance from a count, an exact sum and an exact sum of squares; null below two values."""
    n, mean_total = F.col(count).cast("double"), F.col(total).cast("double")
    spread = F.col(squares).cast("double") - mean_total * mean_total / F.nullif(n, F.lit(0.0))
    return F.when(n > 1, F.greatest(F.lit(0.0), spread) / F.nullif(n - 1, F.lit(0.0)))


def t_quantile_95(freedom: Column) -> Column:
    """Student's t of 0.975, by the normal quantile and four terms: 0.9% too small at 2 degrees, 0.03% at 4.

    Source:  Abramowitz & Stegun 26.7.5. Null below 2 degrees of freedom, where the terms do not suffice.
    """
    z, n = Z_95, F.when(freedom >= 2, freedom.cast("double"))
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    fourth = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + first / n + second / (n * n) + third / (n * n * n) + fourth / (n * n * n * n)


def normal_cdf(x: Column) -> Column:
    """The standard normal distribution function, within 7.5e-8 of the true value.

    Source:  Abramowitz & Stegun 26.2.17.
    """
    t = 1 / (1 + 0.2316419 * F.abs(x))
    polynomial = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = F.exp(-x * x / 2) / math.sqrt(2 * math.pi) * polynomial
    return F.when(x >= 0, 1 - tail).otherwise(tail)


def power_of_two_shares(share: str, trials: str, other: str, other_trials: str) -> Callable[[DataFrame], DataFrame]:
    """Add power: the chance that the two-sided test at 5% tells two true shares apart.

    Null where nothing varies or a group is empty. The difference is held against its standard error under the null
    hypothesis (pooled), at the chance it has under the two shares (unpooled), without a continuity correction.
    """
    p, q = F.col(share), F.col(other)
    n, m = (F.nullif(F.col(name).cast("double"), F.lit(0.0)) for name in (trials, other_trials))
    pooled = (p * n + q * m) / (n + m)
    reach, threshold = F.abs(p - q) / F.col("_under_shares"), Z_95 * F.col("_under_null") / F.col("_under_shares")

    # column by column: as one expression, each step would be written out several times in the next
    def powered(groups: DataFrame) -> DataFrame:
        return (
            groups.withColumn("_pooled", pooled)
            .withColumns(
                {
                    "_under_null": F.sqrt(F.col("_pooled") * (1 - F.col("_pooled")) * (1 / n + 1 / m)),
                    "_under_shares": F.nullif(F.sqrt(p * (1 - p) / n + q * (1 - q) / m), F.lit(0.0)),
                }
            )
            .withColumns({"_near": reach - threshold, "_far": -reach - threshold})
            .withColumn("power", normal_cdf(F.col("_near")) + normal_cdf(F.col("_far")))
            .drop("_pooled", "_under_null", "_under_shares", "_near", "_far")
        )

    return powered


def detectable_difference(share: str, trials: str, other_trials: str) -> Column:
    """Difference from a true `share` that the two-sided test at 5% would show in four of five tests of this size."""
    p = F.col(share)
    n, m = (F.nullif(F.col(name).cast("double"), F.lit(0.0)) for name in (trials, other_trials))
    return F.nullif((Z_95 + Z_POWER_80) * F.sqrt(p * (1 - p) * (1 / n + 1 / m)), F.lit(0.0))


def _squared(value: Column) -> Column:
    return value * value
