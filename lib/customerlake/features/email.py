"""Features of e-mail: how much is sent, and whether it is opened, clicked or left."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.features.dates import days_since, in_last, known_by
from customerlake.features.feature import Feature
from customerlake.gold.email_engagement import customer_of_message
from customerlake.silver.email_events import EMAIL_EVENTS

_feature = partial(Feature, source=EMAIL_EVENTS.name)

FEATURES = (
    _feature(
        "emails_last_90_days",
        "messages sent in the 90 days up to as_of",
        "{value} e-mails in 90 days (typical {typical})",
        is_count=True,
    ),
    _feature(
        "email_open_share",
        "messages opened, or clicked, which says so too, of those delivered; null without one",
        "{value} of e-mails opened (typical {typical})",
        "share",
    ),
    _feature(
        "email_click_share",
        "messages clicked, of those delivered; null without one",
        "{value} of e-mails clicked (typical {typical})",
        "share",
    ),
    _feature(
        "days_since_last_email_open",
        "day on which a message was last opened for the first time to as_of; null without one",
        "last opened an e-mail {value} days ago (typical {typical})",
        "days",
        is_skewed=True,
    ),
    _feature(
        "has_unsubscribed",
        "1 after a click on unsubscribe in any message",
        "has unsubscribed from e-mails ({value}; typical {typical})",
        is_count=True,
    ),
)

SAYS = {
    "sent": ("sent", "delivered", "opened", "clicked", "bounced", "unsubscribed", "complained"),
    "delivered": ("delivered", "opened", "clicked"),
    "opened": ("opened", "clicked"),
    "clicked": ("clicked",),
    "unsubscribed": ("unsubscribed",),
}
"""What each kind of event says of its message: who opens a message has got it."""


def email_features(dates: Sequence[date]) -> Callable[[DataFrame], DataFrame]:
    """Events under their customers -> one row per customer and date with a message by then. Days are of UTC.

    A message counts from its first event that names a customer, and is that one's, whoever else its events name.
    """
    return lambda email_events: (
        email_events.withColumn("happened_on", F.to_date("happened_at"))
        .where(F.col("happened_on") <= F.lit(max(dates)))
        .transform(first_days)
        .transform(message_days)
        .transform(known_by(dates, "day"))
        .groupBy("customer_id", "as_of")
        .agg(
            in_last(90, "sent", "day").alias("emails_last_90_days"),
            *[F.sum(what).alias(what) for what in ("delivered", "opened", "clicked")],
            F.min(F.when(F.col("opened") > 0, days_since(F.col("day")))).alias("days_since_last_email_open"),
            F.max((F.col("unsubscribed") > 0).cast("int")).alias("has_unsubscribed"),
        )
        .withColumns(
            {
                "email_open_share": F.col("opened") / F.nullif("delivered", F.lit(0)),
                "email_click_share": F.col("clicked") / F.nullif("delivered", F.lit(0)),
            }
        )
    )


def first_days(dated: DataFrame) -> DataFrame:
    """One row per message to an address that names a customer: the first day of each thing that happened to it."""
    named_on = F.min(F.when(F.col("customer_id").isNotNull(), F.col("happened_on")))
    first = {
        what: F.min(F.when(F.col("event_type").isin(*kinds), F.col("happened_on"))) for what, kinds in SAYS.items()
    }
    return (
        dated.groupBy("message_id", F.lower(F.trim("email")))
        .agg(
            customer_of_message().alias("customer_id"),
            named_on.alias("named_on"),
            *[day.alias(what) for what, day in first.items()],
        )
        .where(F.col("customer_id").isNotNull())
    )


def message_days(messages: DataFrame) -> DataFrame:
    """One row per customer and day: how many messages were first sent, delivered, opened and so on."""
    things = F.array(*[
        F.struct(F.lit(what).alias("what"), F.greatest(what, "named_on").alias("day"), F.col(what).alias("has_day"))
        for what in SAYS
    ])  # fmt: skip
    return (
        messages.select("customer_id", F.inline(things))
        .where(F.col("has_day").isNotNull())
        .groupBy("customer_id", "day")
        .agg(*[F.count_if(F.col("what") == what).alias(what) for what in SAYS])
    )
