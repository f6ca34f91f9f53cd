"""gold.before_after: how the key figures changed around named dates, and how much of that the date explains."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.errors import ConfigError
from customerlake.silver.orders import is_purchase

AVERAGE_ORDER_VALUE = "average_order_value"
PER_DAY = {
    "orders": ("count_orders", "revenue", "returned_amount", "net_revenue", "active_customers", "new_customers"),
    "survey_answers": ("survey_answers",),
    "tickets": ("tickets_opened", "tickets_solved"),
}
"""The columns of gold.kpis that are compared by their mean per day, by the feed that they are made of; a day without a
row counts as zero."""

YEAR_DAYS = 364  # a year before on the same weekday
NORMAL_975 = 1.959963984540054

BEFORE_AFTER = Table(
    name="gold.before_after",
    grain="one row per named date whose window after is over by as_of, metric that gold.kpis holds, and as_of",
    key=("name", "metric", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("name", T.StringType(), "what happened on the date"),
        Field("metric", T.StringType(), "column of gold.kpis: its mean per day; average_order_value: per order"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("happened_on", T.DateType(), "the date: first day of the window after"),
        Field("window_days", T.IntegerType(), "days before the date and from it on that are compared", unit="days"),
        Field("before", T.DoubleType(), "the metric before; null where its feed began after the window's first day"),
        Field("after", T.DoubleType(), "the metric after"),
        Field("difference", T.DoubleType(), "after - before"),
        Field("relative_difference", T.DoubleType(), "of before, -1 upwards", unit="share"),
        Field("before_year_ago", T.DoubleType(), "before, 364 days earlier; null where its feed began later"),
        Field("after_year_ago", T.DoubleType(), "after, 364 days earlier"),
        Field("seasonal_difference", T.DoubleType(), "after_year_ago - before_year_ago"),
        Field("adjusted_difference", T.DoubleType(), "difference - seasonal_difference"),
        Field(
            "adjusted_relative_difference",
            T.DoubleType(),
            "after against what before would have become at the rate of the year before, -1 upwards",
            unit="share",
        ),
        Field("treated_customers", T.LongType(), "customers of the treated group; null without groups, as all below"),
        Field("control_customers", T.LongType(), "customers of the control group"),
        Field("treated_difference", T.DoubleType(), "mean change of the treated, per customer and day"),
        Field("control_difference", T.DoubleType(), "mean change of the control group, per customer and day"),
        Field("difference_in_differences", T.DoubleType(), "treated_difference - control_difference"),
        Field("standard_error", T.DoubleType(), "its standard error over customers; null with one in a group"),
        Field("ci_low", T.DoubleType(), "lower end of its 95% confidence interval"),
        Field("ci_high", T.DoubleType(), "upper end"),
    ),
)

NamedDate = tuple[str, date, int]
"""What happened, on which day, and how many days before and from then on are compared."""


def before_after(
    kpis: DataFrame,
    dates: Sequence[NamedDate],
    orders: DataFrame | None = None,
    groups: DataFrame | None = None,
    *,
    first_days: Mapping[str, date | None] | None = None,
    as_of: date,
) -> DataFrame:
    """Compare the days of gold.kpis of `as_of` before each named date with those from it on.

    A metric whose feed the lake lacks is absent; so is a date whose window after is not over by `as_of`. `first_days`
    says when each feed of PER_DAY began (None: it brought nothing yet): the zeros of gold.kpis before that day say
    nothing, so a window that begins earlier is unknown. A feed that it does not name began on the first day of
    gold.kpis.

    Where `orders` and `groups` (name of the date, customer_id, group: treated or control; one row per customer) are
    given, revenue and count_orders are compared between the groups: per customer, what it bought in the window after
    less what it bought before; its mean of the treated less that of the control group, with
    SE = sqrt(var_t / n_t + var_c / n_c) and the normal 95% interval. That is the effect of what happened as far as
    both groups would have changed alike without it; choose them by lot. Customers without an order count as zero.

    Raises:  ConfigError when two dates have one name, or a window has no day.
    Source:  Angrist & Pischke (2009), Mostly Harmless Econometrics, chapter 5 (differences-in-differences).
    """
    check(dates)
    events = named_dates([one for one in dates if _last_day(one) <= as_of])
    compared = (
        kpis.where((F.col("period") == "day") & (F.col("as_of") == F.lit(as_of)))
        .transform(daily_metrics(first_days or {}))
        .transform(around_dates(events))
        .transform(with_differences)
    )
    if orders is None or groups is None:
        effects = {c.name: F.lit(None) for c in BEFORE_AFTER.columns if c.name not in compared.columns}
        return compared.withColumns({**effects, "as_of": F.lit(as_of)}).transform(BEFORE_AFTER.conform)
    effects_by_metric = orders.transform(changes_by_customer(groups, events)).transform(differences_in_differences)
    return (
        compared.join(effects_by_metric, on=["name", "metric"], how="left")
        .withColumn("as_of", F.lit(as_of))
        .transform(BEFORE_AFTER.conform)
    )


def control_groups(campaign_members: DataFrame, *, as_of: date) -> DataFrame:
    """Members of campaigns (customer_id as resolved) by `as_of` as `groups`, under the campaign's number as name.

    Who came into both groups, by two numbers of one person, is in neither.
    """
    return (
        campaign_members.where(~F.coalesce("is_deleted", F.lit(False)) & F.col("customer_id").isNotNull())
        .where(F.to_date("assigned_at") <= F.lit(as_of))
        .groupBy(F.col("campaign_id").alias("name"), "customer_id")
        .agg(F.min("test_group").alias("group"), F.max("test_group").alias("other"))
        .where(F.col("group") == F.col("other"))
        .select("name", "customer_id", "group")
    )


def check(dates: Sequence[NamedDate]) -> None:
    names = [name for name, _, _ in dates]
    repeated = sorted({name for name in names if names.count(name) > 1})
    empty = [name for name, _, window_days in dates if window_days < 1]
    if repeated or empty:
        raise ConfigError(
            f"The dates to compare cannot be used: names given twice {repeated}, windows without a day {empty}. "
            "Give each date a name of its own and a window of at least one day."
        )


def _last_day(named: NamedDate) -> date:
    _, on, window_days = named
    return date.fromordinal(on.toordinal() + window_days - 1)


def named_dates(dates: Sequence[NamedDate]) -> Column:
    """The dates as an array of structs; of no date, an empty one."""
    structs = [
        F.struct(
            F.lit(name).alias("name"),
            F.lit(on).alias("happened_on"),
            F.lit(window_days).alias("window_days"),
        )
        for name, on, window_days in dates
    ]
    return F.array(*structs).cast("array<struct<name: string, happened_on: date, window_days: int>>")


def daily_metrics(first_days: Mapping[str, date | None]) -> Callable[[DataFrame], DataFrame]:
    """One row per day and metric that it has: metric, day, amount; per, by how many it is divided, null for days.

    Adds: began_on, the day that the metric's feed began; null where that is not known to be later than the first row.
    """
    exact = T.DecimalType(28, 4)
    metrics = [(feed, name, F.col(name), F.lit(None)) for feed, names in PER_DAY.items() for name in names]
    metrics.append(("orders", AVERAGE_ORDER_VALUE, F.col("revenue"), F.col("count_orders")))
    structs = [
        F.struct(
            F.lit(name).alias("metric"),
            F.col("starts_on").alias("day"),
            amount.cast(exact).alias("amount"),
            per.cast("long").alias("per"),
            F.lit(_began_on(feed, first_days)).cast("date").alias("began_on"),
        )
        for feed, name, amount, per in metrics
    ]
    return lambda days: days.select(F.inline(F.array(*structs))).where(F.col("amount").isNotNull())


def _began_on(feed: str, first_days: Mapping[str, date | None]) -> date | None:
    """Of a feed that brought nothing yet, a day after all windows."""
    return (first_days[feed] or date.max) if feed in first_days else None


def around_dates(events: Column) -> Callable[[DataFrame], DataFrame]:
    """One row per date and metric: the metric in its window before, after and in both 364 days earlier."""
    on, window_days = F.col("happened_on"), F.col("window_days")
    starts = {
        "before": F.date_sub(on, window_days),
        "after": on,
        "before_year_ago": F.date_sub(on, window_days + YEAR_DAYS),
        "after_year_ago": F.date_sub(on, YEAR_DAYS),
    }

    def in_window(name: str, start: Column) -> Column:
        is_inside = (F.col("day") >= start) & (F.col("day") < F.date_add(start, window_days))
        total = F.coalesce(F.sum(F.when(is_inside, F.col("amount"))), F.lit(0)).cast("double")
        count = F.coalesce(F.sum(F.when(is_inside, F.col("per"))), F.lit(0))
        is_ratio = F.col("metric") == AVERAGE_ORDER_VALUE
        divisor = F.when(is_ratio, count).otherwise(window_days)
        is_known = F.greatest(F.min("day"), F.min("began_on")) <= start  # a null is passed over
        return F.when(is_known, total / F.nullif(divisor, F.lit(0))).alias(name)

    return lambda metrics: (
        metrics.withColumn("event", F.explode(events))
        .select("*", "event.*")
        .groupBy("name", "happened_on", "window_days", "metric")
        .agg(*[in_window(name, start) for name, start in starts.items()])
    )


def with_differences(compared: DataFrame) -> DataFrame:
    before, after, before_year_ago, after_year_ago = (
        F.col(name) for name in ("before", "after", "before_year_ago", "after_year_ago")
    )
    expected = before * after_year_ago / F.nullif(before_year_ago, F.lit(0.0))
    return compared.withColumns(
        {
            "difference": after - before,
            "relative_difference": (after - before) / F.nullif(before, F.lit(0.0)),
            "seasonal_difference": after_year_ago - before_year_ago,
            "adjusted_difference": (after - before) - (after_year_ago - before_year_ago),
            "adjusted_relative_difference": after / F.nullif(expected, F.lit(0.0)) - 1,
        }
    )


def changes_by_customer(groups: DataFrame, events: Column) -> Callable[[DataFrame], DataFrame]:
    """One row per named date, metric and customer of its groups: change, of the window after less that before."""
    on, window_days = F.col("happened_on"), F.col("window_days")
    members = (
        groups.where(F.col("group").isin("treated", "control"))
        .withColumn("event", F.explode(events))
        .where(F.col("name") == F.col("event.name"))
        .select("customer_id", "group", "event.*")
    )
    sign = F.when(F.col("ordered_on") >= on, 1).when(F.col("ordered_on") < on, -1).otherwise(0)
    changes = [
        F.struct(F.lit("revenue").alias("metric"), F.col("spend").alias("change")),
        F.struct(F.lit("count_orders").alias("metric"), F.col("times").cast("decimal(18,4)").alias("change")),
    ]

    def changed(orders: DataFrame) -> DataFrame:
        purchases = orders.where(is_purchase()).select(
            F.col("customer_id").alias("buyer_id"), "ordered_on", F.col("amount").alias("spent")
        )
        is_in_a_window = (F.col("ordered_on") >= F.date_sub(on, window_days)) & (
            F.col("ordered_on") < F.date_add(on, window_days)
        )
        return (
            members.join(purchases, on=(F.col("customer_id") == F.col("buyer_id")) & is_in_a_window, how="left")
            .groupBy("name", "window_days", "group", "customer_id")
            .agg(
                F.coalesce(F.sum(sign * F.col("spent")), F.lit(0)).cast("decimal(18,4)").alias("spend"),
                F.sum(sign).alias("times"),
            )
            .select("name", "window_days", "group", F.inline(F.array(*changes)))
        )

    return changed


def differences_in_differences(changes: DataFrame) -> DataFrame:
    """One row per named date and metric: the mean change of both groups, and their difference with its error."""
    days = F.col("window_days")

    def of(group: str, value: Column) -> Column:
        return F.when(F.col("group") == group, value)

    def mean(group: str) -> Column:
        total = F.sum(of(group, F.col("change"))).cast("double")
        return total / F.nullif(F.count(of(group, F.lit(1))), F.lit(0)) / days

    def variance_of_mean(group: str) -> Column:
        """By exact sums, so that the order of the customers does not show."""
        change, count = F.col("change"), F.count(of(group, F.lit(1)))
        total, squares = (F.sum(of(group, value)).cast("double") for value in (change, change * change))
        spread = F.greatest(squares - total * total / F.nullif(count, F.lit(0)), F.lit(0.0))
        return F.when(count > 1, spread / F.nullif(count - 1, F.lit(0)) / count) / (days * days)

    effect = F.col("treated_difference") - F.col("control_difference")
    margin = F.col("standard_error") * NORMAL_975
    return (
        changes.groupBy("name", "metric", "window_days")
        .agg(
            F.count(of("treated", F.lit(1))).alias("treated_customers"),
            F.count(of("control", F.lit(1))).alias("control_customers"),
            mean("treated").alias("treated_difference"),
            mean("control").alias("control_difference"),
            F.sqrt(variance_of_mean("treated") + variance_of_mean("control")).alias("standard_error"),
        )
        .withColumn("difference_in_differences", effect)
        .withColumns({"ci_low": effect - margin, "ci_high": effect + margin})
        .drop("window_days")
    )
