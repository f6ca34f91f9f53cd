"""gold.lifecycle: where each customer stood at the end of each month, by the customer's own purchase rhythm."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.gold.rfm import purchase_days, purchases_until

LIFECYCLE = Table(
    name="gold.lifecycle",
    grain="one row per customer_id, month and as_of, from the month of the customer's first appearance to as_of's",
    key=("customer_id", "month", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("month", T.DateType(), "first day of the month"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("stage", T.StringType(), "at the end of the month, in the last month on as_of: one of STAGES"),
        Field("previous_stage", T.StringType(), "stage of the month before; null in the first month"),
        Field("count_orders", T.LongType(), "orders so far, returns left out"),
        Field("count_purchase_days", T.LongType(), "days with an order so far", unit="days"),
        Field("days_since_last_order", T.IntegerType(), "last purchase day to that day; null without one", unit="days"),
        Field("usual_days", T.DoubleType(), "usual time between purchase days; null without one", unit="days"),
        Field("at_risk_after_days", T.IntegerType(), "silent for longer: at risk; null without purchase", unit="days"),
        Field("lapsed_after_days", T.IntegerType(), "silent for longer: lapsed; null without purchase", unit="days"),
    ),
)

TYPICAL_RHYTHM = Table(
    name="gold.typical_rhythm",
    grain="one row per as_of",
    key=("as_of",),
    partitioned_by=("as_of",),
    columns=(
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("usual_days", T.DoubleType(), "usual time between purchase days", unit="days"),
        Field("variation", T.DoubleType(), "its standard deviation per mean; 1 when customers buy at random"),
        Field("observed_from", T.DateType(), "the day the lake's sales begin"),
    ),
)

DECIMAL = T.DecimalType(28, 8)
STAGES = ("prospect", "new", "active", "loyal", "won back", "at risk", "lapsed")


@dataclass(frozen=True)
class Rhythm:
    """How the shop's typical customer buys. The defaults stand where nobody has bought often enough to tell."""

    usual_days: float = 90.0  # days between purchase days
    variation: float = 1.0  # their standard deviation per mean; 1 when customers buy at random


@dataclass(frozen=True)
class StageRule:
    """What makes a stage: see `lifecycle`."""

    typical_weight: int = 2  # the typical rhythm counts as that many of the customer's own times between purchases
    at_risk_sds: float = 1.0
    lapsed_sds: float = 2.0
    loyal_purchase_days: int = 5


def lifecycle(
    orders: DataFrame,
    first_seen: DataFrame | None = None,
    *,
    rhythm: Rhythm,
    as_of: date,
    observed_from: date | None = None,
    rule: StageRule = StageRule(),
) -> DataFrame:
    """Say at which stage each customer was at the end of each month, from what was known by then.

    usual_days is the mean of the customer's own times between purchase days and of `typical_weight` times of the
    typical rhythm, which alone speaks for a customer of one purchase. The standard deviation is drawn towards the
    typical one, variation x usual_days, in the same way. Silence for more than usual_days and `at_risk_sds` standard
    deviations makes a customer at risk, for more than `lapsed_sds` lapsed. A customer who buys at random still comes
    after the first in 14 of 100 cases and after the second in 5 (exp(-2), exp(-3)); whatever the distribution, at
    most in 50 and 20 of 100 (Cantelli's inequality). A regular customer is missed earlier, an irregular one later.

    prospect   known, never bought; only with `first_seen` (first_seen_on by customer_id)
    lapsed     silent for more than lapsed_after_days
    at risk    silent for more than at_risk_after_days
    won back   the last purchase ended a silence of more than what was then lapsed_after_days: until the next purchase,
               or until at risk. Silence counts by the day, so a customer can lapse and be won back in one month
    new        bought on one day only
    loyal      bought on `loyal_purchase_days` days or more
    active     any other
    The first of these that holds is the stage. A customer who only returned has never bought.

    Months before `observed_from`, the day the lake's sales begin, have no rows: who bought then is not known.
    The rhythm is the one known at as_of, in all months.
    Source:  Allenby, Leone & Jen (1999), "A dynamic model of purchase timing with application to direct marketing",
             Journal of the American Statistical Association 94(446): own times between purchases, drawn towards those
             of all, and the customer whose silence is out of the own pattern.
    """
    return (
        orders.transform(purchases_until(as_of))
        .transform(purchase_days)
        .transform(appearances(first_seen, as_of=as_of, observed_from=observed_from))
        .transform(running_history)
        .transform(with_limits(rhythm, rule))
        .transform(month_ends(as_of))
        .withColumn("stage", stage(rule, F.col("days_since_last_order")))
        .withColumn("previous_stage", F.lag("stage").over(Window.partitionBy("customer_id").orderBy("month")))
        .transform(LIFECYCLE.conform)
    )


def typical_rhythm(purchase_behaviour: DataFrame, *, as_of: date, observed_from: date | None = None) -> DataFrame:
    """One row, the fields of Rhythm, of gold.purchase_behaviour.

    usual_days is the median over customers of their mean, to whole days, variation over those with three times or
    more, to tenths. Medians, as a few very frequent customers are not the typical one, and they do not depend on the
    order of the rows; rounded, as no more is known of a habit, and so that all limits do not move with every order.
    """
    variation = F.col("sd_days_between") / F.nullif(F.col("mean_days_between"), F.lit(0.0))
    return (
        purchase_behaviour.where(F.col("as_of") == F.lit(as_of))
        .agg(
            F.round(F.median("mean_days_between").cast(DECIMAL)).alias("usual_days"),
            F.round(F.median(F.when(F.col("count_purchase_days") > 3, variation)).cast(DECIMAL), 1).alias("variation"),
        )
        .select(
            F.lit(as_of).alias("as_of"),
            F.coalesce("usual_days", F.lit(Rhythm.usual_days)).alias("usual_days"),
            F.coalesce("variation", F.lit(Rhythm.variation)).alias("variation"),
            F.lit(observed_from).cast("date").alias("observed_from"),
        )
        .transform(TYPICAL_RHYTHM.conform)
    )


def carried_stages(lifecycle: DataFrame, *, since: date, as_of: date, rule: StageRule = StageRule()) -> DataFrame:
    """Rows of `since` as they are at `as_of`, of customers of whom nothing was heard since: their silence grew.

    By the same rhythm and rule: with others the rows have to be made anew.
    """
    month = since.replace(day=1)
    months = 12 * as_of.year + as_of.month - 12 * since.year - since.month
    before_on = F.last_day(F.add_months("month", -1))
    silent = F.datediff(F.least(F.last_day("month"), F.lit(as_of)), "last_ordered_on")
    is_won_back = F.col("stage") == "won back"  # whoever is at risk or has lapsed stays so, or lapses
    of_since = lifecycle.where(F.col("as_of") == F.lit(since))
    still_open = (
        of_since.where(F.col("month") == F.lit(month))
        .withColumns(
            {
                "last_ordered_on": F.date_sub(F.lit(since), F.col("days_since_last_order")),
                "is_won_back": is_won_back,
                "month": F.explode(F.array(*[F.lit(_months_after(month, later)) for later in range(months + 1)])),
            }
        )
        .withColumns(
            {
                "days_since_last_order": silent,
                "stage": stage(rule, silent),
                "previous_stage": F.when(F.col("month") == F.lit(month), F.col("previous_stage")).otherwise(
                    stage(rule, F.datediff(before_on, "last_ordered_on"))
                ),
            }
        )
        .select(*lifecycle.columns)
    )
    return (
        of_since.where(F.col("month") < F.lit(month))
        .unionByName(still_open)
        .withColumn("as_of", F.lit(as_of))
        .transform(LIFECYCLE.conform)
    )


def _months_after(month: date, later: int) -> date:
    years, of_year = divmod(month.month - 1 + later, 12)
    return date(month.year + years, of_year + 1, 1)


def first_days_seen(customer_records: DataFrame, identities: DataFrame) -> DataFrame:
    """One row per customer: first_seen_on, the first day that any source knew them. Of silver's tables of the names."""
    return (
        customer_records.where(~F.col("is_deleted") & F.col("first_seen_on").isNotNull())
        .select("source", "source_record_id", "first_seen_on")
        .join(
            identities.select("source", "source_record_id", "customer_id"),
            on=["source", "source_record_id"],
            how="inner",
        )
        .groupBy("customer_id")
        .agg(F.min("first_seen_on").alias("first_seen_on"))
    )


def appearances(
    first_seen: DataFrame | None, *, as_of: date, observed_from: date | None
) -> Callable[[DataFrame], DataFrame]:
    """Purchase days, and before the first of each customer the day on which the customer was first seen.

    Adds: is_bought, false on the latter.
    """

    def appeared(days: DataFrame) -> DataFrame:
        bought = days.select("customer_id", "ordered_on", "count_orders", F.lit(True).alias("is_bought"))
        if first_seen is None:
            return bought
        seen_on = F.greatest("first_seen_on", F.lit(observed_from).cast("date"))  # a null is passed over
        seen = first_seen.where(F.col("first_seen_on").isNotNull() & F.col("customer_id").isNotNull()).select(
            "customer_id", seen_on.alias("ordered_on"), F.lit(0).alias("count_orders"), F.lit(False).alias("is_bought")
        )
        first_bought_on = F.min(F.when(F.col("is_bought"), F.col("ordered_on"))).over(Window.partitionBy("customer_id"))
        is_before = F.col("first_bought_on").isNull() | (F.col("ordered_on") < F.col("first_bought_on"))
        return (
            bought.unionByName(seen.where(F.col("ordered_on") <= F.lit(as_of)))
            .withColumn("first_bought_on", first_bought_on)
            .where(F.col("is_bought") | is_before)
        )

    return appeared


def running_history(appeared: DataFrame) -> DataFrame:
    """What was known on each day, that day included: counts, and the sums of the times between purchase days.

    Sums of whole days, so that they are exact.
    """
    in_time = Window.partitionBy("customer_id").orderBy("ordered_on")
    so_far = in_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    bought_before = F.lag(F.when(F.col("is_bought"), F.col("ordered_on"))).over(in_time)
    return appeared.withColumn("silent_days", F.datediff("ordered_on", bought_before).cast("long")).withColumns(
        {
            "count_orders": F.sum("count_orders").over(so_far),
            "count_purchase_days": F.sum(F.col("is_bought").cast("int")).over(so_far),
            "count_silences": F.count("silent_days").over(so_far),
            "sum_silences": F.coalesce(F.sum("silent_days").over(so_far), F.lit(0)),
            "sum_squares": F.coalesce(F.sum(F.col("silent_days") * F.col("silent_days")).over(so_far), F.lit(0)),
        }
    )


def with_limits(rhythm: Rhythm, rule: StageRule) -> Callable[[DataFrame], DataFrame]:
    """Adds: usual_days, at_risk_after_days, lapsed_after_days, and is_won_back: the day ends a silence as lapsed."""
    weight, n, usual = F.lit(float(rule.typical_weight)), F.col("count_silences"), F.col("usual_days")
    own_squares = F.col("sum_squares") - 2 * usual * F.col("sum_silences") + n * usual * usual
    typical_sd = F.lit(rhythm.variation) * usual
    sd = F.sqrt(F.greatest((weight * typical_sd * typical_sd + own_squares) / (weight + n), F.lit(0.0)))
    in_time = Window.partitionBy("customer_id").orderBy("ordered_on")

    def after(sds: float) -> Column:
        return F.floor(usual + F.lit(sds) * F.col("sd_days") + 0.5).cast("int")

    return lambda history: (
        history.withColumn(
            "usual_days",
            F.when(F.col("is_bought"), (weight * F.lit(rhythm.usual_days) + F.col("sum_silences")) / (weight + n)),
        )
        .withColumn("sd_days", sd)
        .withColumns({"at_risk_after_days": after(rule.at_risk_sds), "lapsed_after_days": after(rule.lapsed_sds)})
        .withColumn(
            "is_won_back",
            F.coalesce(F.col("silent_days") > F.lag("lapsed_after_days").over(in_time), F.lit(False)),
        )
    )


def month_ends(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per customer and month: the last appearance by its end, carried through the months without one.

    Adds: month, as_of, days_since_last_order.
    """
    in_time = Window.partitionBy("customer_id").orderBy("ordered_on")
    month = F.trunc("ordered_on", "month")
    next_month = F.lead("month", 1).over(in_time)
    after_last = F.lit(12 * as_of.year + as_of.month + 1)
    months = F.coalesce(month_number("next_month"), after_last) - month_number("month")
    last_day = F.least(F.last_day("month"), F.lit(as_of))
    return lambda history: (
        history.withColumn("month", month)
        .withColumn("next_month", next_month)
        .withColumn("count_months", months)
        .where("count_months > 0")
        .withColumn("later", F.explode(F.sequence(F.lit(0), F.col("count_months") - 1)))
        .withColumn("month", F.add_months("month", F.col("later")))
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "days_since_last_order": F.when(F.col("is_bought"), F.datediff(last_day, "ordered_on")),
            }
        )
    )


def month_number(name: str) -> Column:
    """Months since the year 0, so that they can be counted."""
    return 12 * F.year(name) + F.month(name)


def stage(rule: StageRule, silent: Column) -> Column:
    """The first stage that holds after so many days without a purchase. As `lifecycle` says."""
    days = F.col("count_purchase_days")
    return (
        F.when(days == 0, "prospect")
        .when(silent > F.col("lapsed_after_days"), "lapsed")
        .when(silent > F.col("at_risk_after_days"), "at risk")
        .when(F.col("is_won_back"), "won back")
        .when(days == 1, "new")
        .when(days >= rule.loyal_purchase_days, "loyal")
        .otherwise("active")
    )
