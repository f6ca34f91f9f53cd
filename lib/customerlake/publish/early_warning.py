"""publish.early_warning: who is about to leave, what is at stake, why, since when, and what to do."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.models.churn import CHURN
from customerlake.publish.customers import CUSTOMERS

FROM_CUSTOMERS = ("country", "segment_name", "rfm_segment", "days_since_last_order", "expected_next_on",
                  "count_orders", "total_spend", "average_order_value")  # fmt: skip
ASKED_OF_CUSTOMERS = ("count_open_tickets", "last_nps_answer", "is_returner", "is_discount_seeker",
                      "count_abandoned_carts_last_30_days", "top_category", "is_email_marketing_allowed",
                      "is_phone_marketing_allowed", "is_post_marketing_allowed")  # fmt: skip
FROM_CHURN = ("churn_probability", "risk_band", "expected_loss", "expected_profit", "top_reasons", "horizon_days")

DETRACTOR = 6  # of 10: up to here an answer is a detractor's (Reichheld 2003)

EARLY_WARNING = Table(
    name="publish.early_warning",
    grain="one row per customer_id and as_of, over the customers with an early warning",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("rank", T.IntegerType(), "1: most to lose"),
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "date of the warning"),
        *[column for name in FROM_CHURN for column in CHURN.columns if column.name == name],
        Field("warned_since", T.DateType(), "first date of the warnings that stand one after the other up to as_of"),
        Field("suggested_action", T.StringType(), "what to do, by the first rule of `suggested_action` that holds"),
        *[column for name in FROM_CUSTOMERS for column in CUSTOMERS.columns if column.name == name],
    ),
)


def early_warning(customers: DataFrame, churn: DataFrame, *, as_of: date) -> DataFrame:
    """The warned customers of `as_of`, the highest expected loss first.

    Takes:   `churn` of all dates, by which it is told since when a customer is warned about.
    """
    of_day = F.col("as_of") == F.lit(as_of)
    asked = customers.where(of_day).select("customer_id", *FROM_CUSTOMERS, *ASKED_OF_CUSTOMERS)
    most_first = Window.orderBy(F.desc("expected_loss"), F.asc("customer_id"))  # a list that people read: small
    return (
        churn.where(of_day & F.col("is_early_warning"))
        .select("customer_id", "as_of", *FROM_CHURN)
        .join(asked, on="customer_id", how="inner")
        .join(churn.transform(warned_since(as_of)), on="customer_id", how="left")
        .withColumns({"rank": F.row_number().over(most_first), "suggested_action": suggested_action()})
        .transform(EARLY_WARNING.conform)
    )


def warned_since(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per customer warned about on `as_of`: the first of the dates scored since the last without a warning."""
    calm_on = F.max(F.when(~F.col("is_early_warning"), F.col("as_of")))
    warned_on = F.collect_set(F.when(F.col("is_early_warning"), F.col("as_of")))
    return lambda churn: (
        churn.where(F.col("as_of") <= F.lit(as_of))
        .groupBy("customer_id")
        .agg(calm_on.alias("calm_on"), warned_on.alias("warned_on"))
        .select(
            "customer_id",
            F.array_min(F.filter("warned_on", lambda day: F.col("calm_on").isNull() | (day > F.col("calm_on")))).alias(
                "warned_since"
            ),
        )
    )


def suggested_action() -> Column:
    """What hinders the customer comes first, then what interests them; by a channel that they have not refused."""
    way = (
        F.when(F.coalesce("is_phone_marketing_allowed", F.lit(False)) & (F.col("risk_band") == "high"), "Call")
        .when(F.coalesce("is_email_marketing_allowed", F.lit(False)), "Write an e-mail")
        .when(F.coalesce("is_post_marketing_allowed", F.lit(False)), "Write a letter")
        .otherwise("At the next contact")
    )
    offer = F.when(F.col("top_category").isNotNull(), F.concat(F.lit("offer what is new in "), "top_category"))
    return (
        F.when(F.col("count_open_tickets") > 0, "Solve the open ticket first, then ask how it was")
        .when(F.col("last_nps_answer") <= DETRACTOR, F.concat(way, F.lit(": ask what disappointed, and mend it")))
        .when(F.col("is_returner"), F.concat(way, F.lit(": ask what did not fit, help to choose")))
        .when(F.col("count_abandoned_carts_last_30_days") > 0, F.concat(way, F.lit(": help to finish the order")))
        .when(F.col("is_discount_seeker"), F.concat(way, F.lit(": a voucher with an end date")))
        .otherwise(F.concat(way, F.lit(": "), F.coalesce(offer, F.lit("remind of the last order"))))
    )
