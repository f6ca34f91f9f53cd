"""Features of service: how often a customer asks the service desk for help, and how that ends."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.features.dates import days_since, known_by, within
from customerlake.features.feature import Feature
from customerlake.gold.service_levels import MICROS_PER_HOUR
from customerlake.silver.tickets import TICKETS

_feature = partial(Feature, source=TICKETS.name)

FEATURES = (
    _feature(
        "tickets_last_90_days",
        "tickets opened in the 90 days up to as_of",
        "{value} service tickets in 90 days (typical {typical})",
        is_count=True,
    ),
    _feature(
        "tickets_last_365_days",
        "tickets opened in the 365 days up to as_of",
        "{value} service tickets in a year (typical {typical})",
        is_count=True,
    ),
    _feature(
        "open_tickets", "tickets not solved by as_of", "{value} open service tickets (typical {typical})", is_count=True
    ),
    _feature(
        "reopened_tickets",
        "tickets solved by as_of that had been opened again before",
        "{value} service tickets opened again (typical {typical})",
        is_count=True,
    ),
    _feature(
        "mean_resolution_hours",
        "opening to last solution of the tickets solved by as_of; null without one",
        "tickets took {value} hours to solve (typical {typical})",
        "hours",
        is_skewed=True,
    ),
    _feature(
        "days_since_last_ticket",
        "day on which the last ticket was opened to as_of; null without one",
        "last service ticket {value} days ago (typical {typical})",
        "days",
        is_skewed=True,
    ),
)


def service_features(dates: Sequence[date]) -> Callable[[DataFrame], DataFrame]:
    """Tickets under their customers -> one row per customer and date with a ticket by then. Days are of UTC.

    A ticket's last state tells how it stood on a date, as in gold.service_levels: it was open until its last solution,
    as one that was solved and opened again after the date is not told from one that had been open all the time.
    """
    is_over = F.col("status").isin("solved", "closed")
    changed_later = F.to_date("updated_at") > F.col("as_of")
    solved_at = F.when(is_over, F.coalesce("solved_at", "updated_at")).when(changed_later, F.col("solved_at"))
    micros = F.when(F.col("is_solved"), F.unix_micros("solved") - F.unix_micros("opened_at"))
    forwards = F.when(micros >= 0, micros)
    is_counted = F.col("customer_id").isNotNull() & ~F.coalesce("is_deleted", F.lit(False))
    return lambda tickets: (
        tickets.where(is_counted)
        .withColumn("opened_on", F.to_date("opened_at"))
        .transform(known_by(dates, "opened_on"))
        .withColumn("solved", solved_at)
        .withColumn("is_solved", F.coalesce(F.to_date("solved") <= F.col("as_of"), F.lit(False)))
        .groupBy("customer_id", "as_of")
        .agg(
            F.count_if(within(90, "opened_on")).alias("tickets_last_90_days"),
            F.count_if(within(365, "opened_on")).alias("tickets_last_365_days"),
            F.count_if(~F.col("is_solved")).alias("open_tickets"),
            F.count_if(F.col("is_solved") & is_over & (F.col("count_reopened") > 0)).alias("reopened_tickets"),
            # whole microseconds add up to the same in any order, hours would not
            (F.sum(forwards) / F.nullif(F.count(forwards), F.lit(0)) / MICROS_PER_HOUR).alias("mean_resolution_hours"),
            F.min(days_since(F.col("opened_on"))).alias("days_since_last_ticket"),
        )
    )
