"""gold.kpis: the figures of each day, week and month."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, MONEY, Field, Table
from customerlake.gold.satisfaction import invitations_until
from customerlake.gold.service_levels import tickets_until
from customerlake.silver.orders import is_purchase

KPIS = Table(
    name="gold.kpis",
    grain="one row per day, week and month with an order, a return, an answer to a survey or an event of a ticket, and "
    "as_of; the last week and month may be cut by as_of",
    key=("period", "starts_on", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("period", T.StringType(), "day, week (ISO: Monday to Sunday) or month"),
        Field("starts_on", T.DateType(), "first day of the period"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("is_whole_period", T.BooleanType(), "as_of is not before the period's last day"),
        Field("count_orders", T.LongType(), "orders, returns left out, of known and anonymous customers"),
        Field("revenue", MONEY, "their amount, before returns", unit="currency"),
        Field("returned_amount", MONEY, "money given back in the period, zero or above", unit="currency"),
        Field("net_revenue", MONEY, "revenue - returned_amount", unit="currency"),
        Field("average_order_value", MEAN_MONEY, "revenue per order", unit="currency"),
        Field("anonymous_revenue_share", T.DoubleType(), "revenue without a known customer", unit="share"),
        Field("anonymous_orders_share", T.DoubleType(), "orders without a known customer", unit="share"),
        Field("active_customers", T.LongType(), "known customers with an order"),
        Field("new_customers", T.LongType(), "of these, with their first order"),
        Field("returning_customers", T.LongType(), "of these, with an order in an earlier period"),
        Field("retained_customers", T.LongType(), "of these, with an order in the period before; null for days"),
        Field(
            "retention_share",
            T.DoubleType(),
            "retained_customers per active customer of the period before; null in the first and for days",
            unit="share",
        ),
        Field("churn_share", T.DoubleType(), "1 - retention_share: who of the period before stayed away", unit="share"),
        Field(
            "repeat_share",
            T.DoubleType(),
            "of active_customers, with more than one order ever by the end of the period",
            unit="share",
        ),
        Field("revenue_per_customer", MEAN_MONEY, "revenue of known customers per active customer", unit="currency"),
        Field(
            "revenue_growth",
            T.DoubleType(),
            "revenue against the period before, -1 upwards; null in the first",
            unit="share",
        ),
        Field(
            "revenue_growth_year_on_year",
            T.DoubleType(),
            "revenue against the same period a year before: 12 months, 52 weeks or 365 days; null without one",
            unit="share",
        ),
        Field("survey_answers", T.LongType(), "answers given to surveys; null without the feed, as all below"),
        Field(
            "nps",
            T.DoubleType(),
            "net promoter score: answers of 9 and 10 less those of 0 to 6 per 100, -100 to 100",
            unit="points",
        ),
        Field("csat_share", T.DoubleType(), "of csat answers, 4 or 5 of 5", unit="share"),
        Field("ces", T.DoubleType(), "mean customer effort score, 1 to 7", unit="points"),
        Field("tickets_opened", T.LongType(), "tickets opened in the period; null without the feed, as all below"),
        Field("tickets_solved", T.LongType(), "tickets solved in the period, each when it was last solved"),
        Field(
            "median_first_response_hours",
            T.DoubleType(),
            "opening to first answer, of the tickets opened in the period and answered",
            unit="hours",
        ),
        Field(
            "median_resolution_hours",
            T.DoubleType(),
            "opening to last solution, of the tickets solved in the period",
            unit="hours",
        ),
    ),
)

PERIODS_A_YEAR = {"day": 365, "week": 52, "month": 12}
"""Each kind of period, and how many of it lie between a period and the same one a year before."""

KEY = ("period", "starts_on")
COUNTS = (
    *("count_orders", "known_orders", "active_customers", "new_customers", "retained_customers", "repeat_customers"),
    *("survey_answers", "nps_answers", "nps_balance", "csat_answers", "csat_satisfied", "ces_answers", "ces_sum"),
    *("tickets_opened", "tickets_solved"),
)
AMOUNTS = ("revenue", "known_revenue", "returned_amount")
HOURS = ("median_first_response_hours", "median_resolution_hours")
SUMMED: dict[str, T.DataType] = {
    **dict.fromkeys(COUNTS, T.LongType()),
    **dict.fromkeys(AMOUNTS, MONEY),
    **dict.fromkeys(HOURS, T.DoubleType()),  # the medians of a period are in one row alone
}
"""What is summed over the rows of a period, and its type."""


def kpis(
    orders: DataFrame,
    survey_answers: DataFrame | None = None,
    tickets: DataFrame | None = None,
    *,
    as_of: date,
) -> DataFrame:
    """Sum orders, answers to surveys and tickets by day, week and month up to and including `as_of`.

    An answer counts in the period in which it was given (in gold.satisfaction, in that of its invitation), a ticket in
    those of its opening and of its solution, in UTC days. Without `survey_answers` or `tickets` their columns are null.
    Source:  Reichheld (2003), "The One Number You Need to Grow", Harvard Business Review 81(12), for nps; Dixon,
             Freeman & Toman (2010), "Stop Trying to Delight Your Customers", ibid. 88(7/8), for ces.
    """
    dated = orders.where(F.col("ordered_on") <= F.lit(as_of))
    parts = [dated.transform(sales_by_day).transform(in_periods("ordered_on")), dated.transform(customers_by_period)]
    if survey_answers is not None:
        parts.append(survey_answers.transform(answers_by_day(as_of)).transform(in_periods("answered_on")))
    if tickets is not None:
        parts.append(tickets.transform(tickets_by_period(as_of)))
    return (
        summed_by_period(parts)
        .transform(with_means)
        .transform(with_growth)
        .withColumns({"as_of": F.lit(as_of), "is_whole_period": last_day() <= F.lit(as_of)})
        .transform(KPIS.conform)
    )


def starts_of(day: str) -> dict[str, Column]:
    """The first day of the period of each kind that the day lies in."""
    return {"day": F.col(day), "week": F.trunc(day, "week"), "month": F.trunc(day, "month")}


def in_periods(day: str) -> Callable[[DataFrame], DataFrame]:
    """Each row three times, under the day, the week and the month that it lies in."""
    periods = [
        F.struct(F.lit(kind).alias("period"), start.alias("starts_on")) for kind, start in starts_of(day).items()
    ]
    return lambda days: (
        days.withColumn("_period", F.explode(F.array(*periods))).select("_period.*", *days.columns).drop(day)
    )


def sales_by_day(dated: DataFrame) -> DataFrame:
    """One row per day with an order or a return: counts and amounts."""
    bought = F.when(is_purchase(), F.col("amount")).otherwise(0)
    is_known = F.col("customer_id").isNotNull()
    return (
        dated.groupBy("ordered_on")
        .agg(
            F.sum(is_purchase().cast("int")).alias("count_orders"),
            F.sum(bought).cast(MONEY).alias("revenue"),
            F.sum(F.when(F.col("is_return"), -F.col("amount")).otherwise(0)).cast(MONEY).alias("returned_amount"),
            F.sum(F.when(is_known, bought).otherwise(0)).cast(MONEY).alias("known_revenue"),
            F.sum((is_purchase() & is_known).cast("int")).alias("known_orders"),
        )
        .where((F.col("count_orders") > 0) | (F.col("returned_amount") > 0))
    )


def customers_by_period(dated: DataFrame) -> DataFrame:
    """Rows to be summed by period: how many known customers bought, and how many of them had bought before.

    A customer counts for a period on the first of its purchase days there, for repeat_customers on the last. So one
    pass over purchase days counts customers by day, week and month, and none has to be told apart again.
    """
    in_time = Window.partitionBy("customer_id").orderBy("ordered_on")
    so_far = in_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    days = (
        dated.where(is_purchase() & F.col("customer_id").isNotNull())
        .groupBy("customer_id", "ordered_on")
        .agg(F.count("*").alias("count_orders"))
        .withColumns(
            {
                "previous_on": F.lag("ordered_on").over(in_time),
                "next_on": F.lead("ordered_on").over(in_time),
                "is_repeat": F.sum("count_orders").over(so_far) > 1,
            }
        )
    )
    counted = {kind: _counts_of(kind) for kind in PERIODS_A_YEAR}
    sums = [F.count_if(is_so).alias(f"{name}_{kind}") for kind, of in counted.items() for name, is_so in of.items()]
    figures = [
        F.struct(
            F.lit(kind).alias("period"),
            start.alias("starts_on"),
            *[F.col(f"{name}_{kind}").alias(name) for name in counted[kind]],
        )
        for kind, start in starts_of("ordered_on").items()
    ]
    return days.groupBy("ordered_on").agg(*sums).select(F.inline(F.array(*figures)))


def _counts_of(kind: str) -> dict[str, Column]:
    """Of a customer's purchase day: whether the customer counts on it for the period of this kind, and as what."""
    start, previous, following = (starts_of(day)[kind] for day in ("ordered_on", "previous_on", "next_on"))
    before = {"day": F.lit(None).cast("date"), "week": F.date_sub(start, 7), "month": F.add_months(start, -1)}[kind]
    is_first = F.col("previous_on").isNull() | (previous < start)
    is_last = F.col("next_on").isNull() | (following > start)
    return {
        "active_customers": is_first,
        "new_customers": F.col("previous_on").isNull(),
        "retained_customers": previous == before,
        "repeat_customers": is_last & F.col("is_repeat"),
    }


def answers_by_day(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per day with an answer: counts and sums of scores."""
    survey, answer = F.col("survey"), F.col("answer")

    def of(name: str, value: Column) -> Column:
        return F.sum(F.when(survey == name, value).otherwise(0))

    promotes = (answer >= 9).cast("int") - (answer <= 6).cast("int")
    return lambda survey_answers: (
        survey_answers.transform(invitations_until(as_of))
        .where(answer.isNotNull())
        .groupBy("answered_on")
        .agg(
            F.count("*").alias("survey_answers"),
            of("nps", F.lit(1)).alias("nps_answers"),
            of("nps", promotes).alias("nps_balance"),
            of("csat", F.lit(1)).alias("csat_answers"),
            of("csat", (answer >= 4).cast("int")).alias("csat_satisfied"),
            of("ces", F.lit(1)).alias("ces_answers"),
            of("ces", answer).alias("ces_sum"),
        )
    )


def tickets_by_period(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per period in which a ticket was opened or solved: counts and median hours."""
    is_opening, hours = F.col("is_opening"), F.col("hours")
    opening, solution = (
        F.struct(on.alias("happened_on"), F.lit(is_first).alias("is_opening"), F.col(took).alias("hours"))
        for on, is_first, took in (
            (F.col("opened_on"), True, "response_hours"),
            (F.to_date("ended_at"), False, "resolution_hours"),
        )
    )
    return lambda tickets: (
        tickets.transform(tickets_until(as_of))
        .select(F.inline(F.array(opening, solution)))
        .where(F.col("happened_on").isNotNull())
        .transform(in_periods("happened_on"))
        .groupBy(*KEY)
        .agg(
            F.count_if(is_opening).alias("tickets_opened"),
            F.count_if(~is_opening).alias("tickets_solved"),
            F.median(F.when(is_opening, hours)).alias("median_first_response_hours"),
            F.median(F.when(~is_opening, hours)).alias("median_resolution_hours"),
        )
    )


def summed_by_period(parts: Sequence[DataFrame]) -> DataFrame:
    """One row per period: all sums, zero where a feed tells of nothing, null where there is no such feed."""
    brought = {name for part in parts for name in part.columns}

    def total(name: str) -> Column:
        is_counted = name in brought and name not in HOURS
        return (F.coalesce(F.sum(name), F.lit(0)) if is_counted else F.sum(name)).alias(name)

    return reduce(DataFrame.union, map(_with_all_sums, parts)).groupBy(*KEY).agg(*map(total, SUMMED))


def _with_all_sums(part: DataFrame) -> DataFrame:
    sums = {name: F.col(name) if name in part.columns else F.lit(None) for name in SUMMED}
    return part.select(*KEY, *[sums[name].cast(kind).alias(name) for name, kind in SUMMED.items()])


def with_means(sums: DataFrame) -> DataFrame:
    """Add what is said per order, customer, answer and of each other, within one period."""

    def per(amount: str, count: str) -> Column:
        return F.col(amount) / F.nullif(count, F.lit(0))

    revenue = F.nullif(F.col("revenue").cast("double"), F.lit(0.0))
    return sums.withColumns(
        {
            "net_revenue": F.col("revenue") - F.col("returned_amount"),
            "average_order_value": per("revenue", "count_orders"),
            "anonymous_revenue_share": 1 - F.col("known_revenue").cast("double") / revenue,
            "anonymous_orders_share": 1 - per("known_orders", "count_orders"),
            "returning_customers": F.col("active_customers") - F.col("new_customers"),
            "retained_customers": F.when(F.col("period") != "day", F.col("retained_customers")),
            "repeat_share": per("repeat_customers", "active_customers"),
            "revenue_per_customer": per("known_revenue", "active_customers"),
            "nps": 100 * per("nps_balance", "nps_answers"),
            "csat_share": per("csat_satisfied", "csat_answers"),
            "ces": per("ces_sum", "ces_answers"),
        }
    )


def with_growth(figures: DataFrame) -> DataFrame:
    """Add how a period compares with the one just before and with the same one a year before, where they have a row."""
    kind, number = F.col("period"), F.col("number")
    a_year = F.when(kind == "day", PERIODS_A_YEAR["day"]).when(kind == "week", PERIODS_A_YEAR["week"])
    in_time = Window.partitionBy("period").orderBy("number")  # a row per period: a single small partition
    in_years = Window.partitionBy("period", "time_of_year").orderBy("number")
    numbered = figures.withColumns(
        {"number": period_number(), "a_year": a_year.otherwise(PERIODS_A_YEAR["month"])}
    ).withColumn("time_of_year", F.pmod("number", "a_year"))
    follows = F.lag("number").over(in_time) == number - 1
    has_year_before = F.lag("number").over(in_years) == number - F.col("a_year")
    retained = F.col("retained_customers") / F.nullif(F.lag("active_customers").over(in_time), F.lit(0))
    return numbered.withColumns(
        {
            "retention_share": F.when(follows, retained),
            "revenue_growth": F.when(follows, growth_from(F.lag("revenue").over(in_time))),
            "revenue_growth_year_on_year": F.when(has_year_before, growth_from(F.lag("revenue").over(in_years))),
        }
    ).withColumn("churn_share", 1 - F.col("retention_share"))


def period_number() -> Column:
    """Days, weeks or months on a count without gaps, so that the period before is one less."""
    day, month = F.col("starts_on"), F.year("starts_on") * 12 + F.month("starts_on")
    weeks = F.floor(F.datediff(day, F.lit(date(1970, 1, 5))) / 7).cast("int")
    days = F.datediff(day, F.lit(date(1970, 1, 1))).cast("int")
    return F.when(F.col("period") == "day", days).when(F.col("period") == "week", weeks).otherwise(month)


def growth_from(before: Column) -> Column:
    return F.col("revenue").cast("double") / F.nullif(before.cast("double"), F.lit(0.0)) - 1


def last_day() -> Column:
    """The last day of the row's period."""
    start = F.col("starts_on")
    return (
        F.when(F.col("period") == "day", start)
        .when(F.col("period") == "week", F.date_add(start, 6))
        .otherwise(F.last_day(start))
    )
