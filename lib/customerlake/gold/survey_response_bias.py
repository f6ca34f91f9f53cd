"""gold.survey_response_bias: how those who answer surveys differ from those who do not."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.gold.intervals import variance
from customerlake.gold.rfm import purchases_until
from customerlake.gold.satisfaction import invitations_until

NOTABLE = 0.1  # standardised difference from which groups are taken to differ (Austin 2009)
SURVEY_RESPONSE_BIAS = Table(
    name="gold.survey_response_bias",
    grain="one row per survey, trait known before the invitation, and as_of",
    key=("survey", "trait", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("survey", T.StringType(), "nps, csat or ces"),
        Field(
            "trait",
            T.StringType(),
            "of the invited customer before the invitation: spend_before [currency], orders_before, tickets_before "
            "[counts], had_ticket_before [0 or 1], days_since_order [days; of those who had one]",
        ),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("count_answered", T.LongType(), "invitations answered by as_of whose customer's trait is known"),
        Field("count_not_answered", T.LongType(), "those not answered"),
        Field("mean_answered", T.DoubleType(), "mean of the trait of those who answered", unit="as the trait"),
        Field("mean_not_answered", T.DoubleType(), "mean of the trait of the others", unit="as the trait"),
        Field(
            "standardised_difference",
            T.DoubleType(),
            "mean_answered - mean_not_answered, in standard deviations; null where the trait does not vary",
            unit="standard deviations",
        ),
        Field("is_notable", T.BooleanType(), "it is 0.1 or more, either way: the answers are not of all the invited"),
    ),
)


def survey_response_bias(
    survey_answers: DataFrame, orders: DataFrame | None, tickets: DataFrame | None = None, *, as_of: date
) -> DataFrame:
    """Hold what was known of answerers before their invitation against the same of non-answerers.

    Takes:   survey_answers, orders and tickets with customer_id as resolved. Without orders, or without tickets, their
             traits are left out. Invitations to nobody known are left out.
    One customer counts once per invitation. A difference says that the score is of a group unlike all the invited, not
    which way it is off.
    Raises:  ValueError without orders and without tickets.
    Source:  Austin (2009), "Balance diagnostics for comparing the distribution of baseline covariates between treatment
             groups in propensity-score matched samples", Statistics in Medicine 28(25): the difference of means by the
             root of the mean of the two (sample) variances.
    """
    known = survey_answers.transform(invitations_until(as_of)).where(F.col("customer_id").isNotNull())
    happened = [_invitations(known)]
    traits = []
    if orders is not None:
        happened.append(_purchases(orders, as_of))
        traits += ["spend_before", "orders_before", "days_since_order"]
    if tickets is not None:
        happened.append(_tickets(tickets, as_of))
        traits += ["tickets_before", "had_ticket_before"]
    if not traits:
        raise ValueError(
            "gold.survey_response_bias compares what orders or tickets say of customers; give one of them."
        )
    history = happened[0]
    for more in happened[1:]:
        history = history.unionByName(more)
    return (
        history.transform(traits_before)
        .transform(by_trait(traits))
        .transform(compare_groups)
        .withColumn("as_of", F.lit(as_of))
        .transform(SURVEY_RESPONSE_BIAS.conform)
    )


def traits_before(history: DataFrame) -> DataFrame:
    """One row per invitation, with what the customer had done strictly before it.

    One sorted pass over each customer's history, so that many invitations and orders of one customer do not multiply.
    """
    # 0 invitation, 1 the rest: what happens at the very instant of the invitation is not before it
    before = (
        Window.partitionBy("customer_id")
        .orderBy("happened_at", "place", "record_id")
        .rowsBetween(Window.unboundedPreceding, -1)
    )
    days = F.datediff(F.col("happened_at").cast("date"), F.max("ordered_at").over(before).cast("date"))
    return (
        history.withColumns(
            {
                "spend_before": F.coalesce(F.sum("amount").over(before), F.lit(0).cast(MONEY)),
                "orders_before": F.count("ordered_at").over(before),
                "tickets_before": F.count("opened_at").over(before),
                "days_since_order": days,
            }
        )
        .withColumn("had_ticket_before", (F.col("tickets_before") > 0).cast("int"))
        .where("place = 0")
    )


def by_trait(traits: list[str]) -> Callable[[DataFrame], DataFrame]:
    """One row per survey and trait, with counts and exact sums of either group. Adds: trait."""
    named = [F.struct(F.lit(name).alias("trait"), F.col(name).cast(MONEY).alias("measure")) for name in traits]
    sides = {"answered": F.col("is_answered"), "not_answered": ~F.col("is_answered")}

    def summed(invitations: DataFrame) -> DataFrame:
        measured = invitations.select("survey", "is_answered", F.inline(F.array(*named)))
        measure = F.col("measure")
        return measured.groupBy("survey", "trait").agg(
            *[F.count(F.when(side, measure)).alias(f"count_{name}") for name, side in sides.items()],
            *[F.sum(F.when(side, measure)).alias(f"total_{name}") for name, side in sides.items()],
            *[F.sum(F.when(side, measure * measure)).alias(f"squares_{name}") for name, side in sides.items()],
        )

    return summed


def compare_groups(summed: DataFrame) -> DataFrame:
    """Add the two means and their standardised difference."""
    sides = ("answered", "not_answered")
    means = {
        f"mean_{side}": F.col(f"total_{side}").cast("double")
        / F.nullif(F.col(f"count_{side}").cast("double"), F.lit(0.0))
        for side in sides
    }
    of_answered, of_others = (variance(f"count_{side}", f"total_{side}", f"squares_{side}") for side in sides)
    spread = F.nullif(F.sqrt((of_answered + of_others) / 2), F.lit(0.0))
    return (
        summed.withColumns(means)
        .withColumn("standardised_difference", (F.col("mean_answered") - F.col("mean_not_answered")) / spread)
        .withColumn("is_notable", F.abs("standardised_difference") >= NOTABLE)
    )


def _invitations(known: DataFrame) -> DataFrame:
    none = F.lit(None)
    return known.select(
        "customer_id",
        F.col("invitation_id").alias("record_id"),
        F.col("invited_at").alias("happened_at"),
        F.lit(0).alias("place"),
        "survey",
        F.col("answer").isNotNull().alias("is_answered"),
        none.cast("timestamp").alias("ordered_at"),
        none.cast("timestamp").alias("opened_at"),
        none.cast(MONEY).alias("amount"),
    )


def _purchases(orders: DataFrame, as_of: date) -> DataFrame:
    none = F.lit(None)
    return orders.transform(purchases_until(as_of)).select(
        "customer_id",
        F.col("order_id").alias("record_id"),
        F.col("ordered_at").alias("happened_at"),
        F.lit(1).alias("place"),
        none.cast("string").alias("survey"),
        none.cast("boolean").alias("is_answered"),
        "ordered_at",
        none.cast("timestamp").alias("opened_at"),
        F.col("amount").cast(MONEY).alias("amount"),
    )


def _tickets(tickets: DataFrame, as_of: date) -> DataFrame:
    none = F.lit(None)
    is_kept = ~F.coalesce("is_deleted", F.lit(False)) & F.col("customer_id").isNotNull()
    return tickets.where(is_kept & (F.col("opened_at").cast("date") <= F.lit(as_of))).select(
        "customer_id",
        F.col("ticket_id").alias("record_id"),
        F.col("opened_at").alias("happened_at"),
        F.lit(1).alias("place"),
        none.cast("string").alias("survey"),
        none.cast("boolean").alias("is_answered"),
        none.cast("timestamp").alias("ordered_at"),
        "opened_at",
        none.cast(MONEY).alias("amount"),
    )
