"""The lift of a campaign: what the treated did beyond the control group, how sure that is, what the test could show.

Source:  Newcombe (1998), Statistics in Medicine 17(8), method 10, for the difference of shares; Welch (1947), "The
         generalization of Student's problem when several different population variances are involved", Biometrika 34,
         for the variances of the difference of means, with the normal quantile; Fleiss, Levin & Paik (2003), chapter 4,
         for the power. The power is of a lift fixed beforehand, not of the one observed, which would say no more than
         the interval: Hoenig & Heisey (2001), "The abuse of power", The American Statistician 55(1).
"""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field
from customerlake.gold.intervals import (
    Z_95,
    detectable_difference,
    newcombe_interval,
    power_of_two_shares,
    variance,
    wilson_interval,
)

SHARE = T.DoubleType()
COLUMNS = (
    Field("conversion_lift", SHARE, "conversion_share less the control group's; of treated rows only", unit="share"),
    Field("conversion_lift_low", SHARE, "lower end of its 95% confidence interval (Newcombe)", unit="share"),
    Field("conversion_lift_high", SHARE, "upper end of its 95% confidence interval", unit="share"),
    Field("relative_lift", T.DoubleType(), "conversion_lift per conversion_share of control", unit="share"),
    Field("is_lift_shown", T.BooleanType(), "the interval of conversion_lift leaves out 0: it is more than chance"),
    Field("visit_lift", SHARE, "visit_share less the control group's; of treated rows only", unit="share"),
    Field("visit_lift_low", SHARE, "lower end of its 95% confidence interval (Newcombe)", unit="share"),
    Field("visit_lift_high", SHARE, "upper end of its 95% confidence interval", unit="share"),
    Field("revenue_lift", MONEY, "revenue per member less the control group's; of treated rows only", unit="currency"),
    Field("revenue_lift_low", MONEY, "lower end of its 95% confidence interval (Welch)", unit="currency"),
    Field("revenue_lift_high", MONEY, "upper end of its 95% confidence interval", unit="currency"),
    Field("incremental_conversions", T.DoubleType(), "conversion_lift over the treated members"),
    Field("incremental_revenue", MONEY, "revenue_lift over the treated members", unit="currency"),
    Field("incremental_revenue_low", MONEY, "lower end of its 95% confidence interval", unit="currency"),
    Field("incremental_revenue_high", MONEY, "upper end of its 95% confidence interval", unit="currency"),
    Field("incremental_roi", T.DoubleType(), "(incremental_revenue - cost) / cost", unit="share"),
    Field(
        "tested_lift", T.DoubleType(), "relative lift of the conversion share that power is stated for", unit="share"
    ),
    Field(
        "power",
        SHARE,
        "chance that a test of these sizes (two shares, two-sided at 5%) shows tested_lift over control's share",
        unit="share",
    ),
    Field(
        "detectable_difference",
        SHARE,
        "difference from control's conversion share that such a test would show in four cases of five",
        unit="share",
    ),
)
FEWEST_MEMBERS = 30  # below it in a group, a test is said to be too small
FEWEST_CONVERSIONS = 5  # below it in a group, the normal approximation of revenue is poor
OF_CONTROL = (
    "count_members",
    "count_sent",
    "count_conversions",
    "conversion_share",
    "conversion_low",
    "conversion_high",
    "visit_share",
    "visit_low",
    "visit_high",
    "_mean",
    "_mean_variance",
)


def against_control(tested_lift: float) -> Callable[[DataFrame], DataFrame]:
    """Add COLUMNS to the rows of the treated, null in others and without a control group.

    Takes:   one row per campaign_id, dimension, value and test_group, with count_members, count_sent,
             count_conversions, conversion_share, count_visitors, visit_share, revenue, squares (sum of the squared
             spend of members) and cost.
    """

    def compared(groups: DataFrame) -> DataFrame:
        n = F.nullif(F.col("count_members").cast("double"), F.lit(0.0))
        own = {
            **interval_of("conversion", "count_conversions"),
            **interval_of("visit", "count_visitors"),
            "_mean": F.col("revenue").cast("double") / n,
            "_mean_variance": variance("count_members", "revenue", "squares") / n,
        }
        return (
            groups.withColumns(own)
            .withColumns({f"control_{name}": of_control(name) for name in OF_CONTROL})
            .withColumns({**lift_of("conversion"), **lift_of("visit"), **lift_of_revenue()})
            .withColumns(incremental())
            .transform(sensitivity(tested_lift))
        )

    return compared


def of_control(name: str) -> Column:
    """The control group's value on the row of the treated, where the control group has members."""
    is_control = (F.col("test_group") == "control") & (F.col("count_members") > 0)
    beside = Window.partitionBy("campaign_id", "dimension", "value")
    return F.when(F.col("test_group") == "treated", F.max(F.when(is_control, F.col(name))).over(beside))


def interval_of(deed: str, count: str) -> dict[str, Column]:
    low, high = wilson_interval(count, "count_members")
    return {f"{deed}_low": low, f"{deed}_high": high}


def lift_of(deed: str) -> dict[str, Column]:
    """The difference of the shares of members who did it, and Newcombe's interval."""
    ours = (f"{deed}_share", f"{deed}_low", f"{deed}_high")
    low, high = newcombe_interval(*ours, *[f"control_{name}" for name in ours])
    difference = F.col(f"{deed}_share") - F.col(f"control_{deed}_share")
    return {f"{deed}_lift": difference, f"{deed}_lift_low": low, f"{deed}_lift_high": high}


def lift_of_revenue() -> dict[str, Column]:
    difference = F.col("_mean") - F.col("control__mean")
    half = Z_95 * F.sqrt(F.col("_mean_variance") + F.col("control__mean_variance"))
    return {
        "_revenue_lift": difference,
        "_revenue_half": half,
        "revenue_lift": _money(difference),
        "revenue_lift_low": _money(difference - half),
        "revenue_lift_high": _money(difference + half),
    }


def sensitivity(tested_lift: float) -> Callable[[DataFrame], DataFrame]:
    """Add what the test could have shown, whatever it did show: tested_lift, power, detectable_difference."""
    control, n, m = "control_conversion_share", "count_members", "control_count_members"
    return lambda groups: groups.withColumns(
        {
            "tested_lift": F.when(F.col(control).isNotNull(), F.lit(tested_lift)),
            "lifted_share": F.least(F.lit(1.0), F.col(control) * (1 + tested_lift)),
            "detectable_difference": detectable_difference(control, n, m),
        }
    ).transform(power_of_two_shares("lifted_share", n, control, m))


def incremental() -> dict[str, Column]:
    """The lifts over all treated members, and what is read off the intervals."""
    n, cost = F.col("count_members"), F.col("cost").cast("double")
    revenue, half = F.col("_revenue_lift") * n, F.col("_revenue_half") * n
    return {
        "relative_lift": F.col("conversion_lift") / F.nullif("control_conversion_share", F.lit(0.0)),
        "is_lift_shown": (F.col("conversion_lift_low") > 0) | (F.col("conversion_lift_high") < 0),
        "incremental_conversions": F.col("conversion_lift") * n,
        "incremental_revenue": _money(revenue),
        "incremental_revenue_low": _money(revenue - half),
        "incremental_revenue_high": _money(revenue + half),
        "incremental_roi": (revenue - cost) / F.nullif(cost, F.lit(0.0)),
    }


def warnings() -> list[Column]:
    """What to mind about the comparison, each in words, or null."""
    n, m = F.col("count_members"), F.col("control_count_members")
    # least passes over nulls, so without a control group it is held back by hand
    fewest = F.least("count_conversions", "control_count_conversions")
    return [
        F.when(m.isNull(), F.lit("no control group: what would have been bought anyway is not known")),
        F.when(
            m.isNotNull() & (F.least(n, m) < FEWEST_MEMBERS),
            F.lit(f"fewer than {FEWEST_MEMBERS} members in a group: too few to tell an effect"),
        ).when(
            m.isNotNull() & (fewest < FEWEST_CONVERSIONS),
            F.lit(f"fewer than {FEWEST_CONVERSIONS} conversions in a group: the interval of revenue is rough"),
        ),
        F.when(
            F.col("control_count_sent") > 0, F.lit("members of the control group were mailed: the lift may be too low")
        ),
    ]


def _money(amount: Column) -> Column:
    """By way of more digits than MONEY has, as engines round a double in the middle of two to either side."""
    return amount.cast("decimal(28,12)").cast(MONEY)
