"""gold.email_engagement: what became of the e-mails to each customer."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

EMAIL_ENGAGEMENT = Table(
    name="gold.email_engagement",
    grain="one row per customer_id with an event of a message by as_of, and as_of",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("count_emails_sent", T.LongType(), "messages, each counted once here and in all that follows"),
        Field("count_emails_delivered", T.LongType(), "of these, delivered, or opened, which says so too"),
        Field("count_emails_opened", T.LongType(), "of these, opened, or clicked, which says so too"),
        Field("count_emails_clicked", T.LongType(), "of these, clicked"),
        Field("count_emails_bounced", T.LongType(), "messages that bounced"),
        Field("count_emails_complained_of", T.LongType(), "messages that were reported as spam"),
        Field("count_emails_unsubscribed_from", T.LongType(), "messages with a click on unsubscribe"),
        Field("email_open_share", T.DoubleType(), "opened of delivered; null without a delivered one", unit="share"),
        Field("email_click_share", T.DoubleType(), "clicked of delivered; null without a delivered one", unit="share"),
        Field("count_emails_sent_last_90_days", T.LongType(), "messages sent in the 90 days that end with as_of"),
        Field("count_emails_opened_last_90_days", T.LongType(), "of these, opened by as_of"),
        Field("count_emails_clicked_last_90_days", T.LongType(), "of these, clicked by as_of"),
        Field("last_email_sent_on", T.DateType(), "day on which the last message was sent"),
        Field("last_email_opened_on", T.DateType(), "last day of an opening; null without one"),
        Field("last_email_clicked_on", T.DateType(), "last day of a click; null without one"),
        Field("last_email_unsubscribed_on", T.DateType(), "last day of a click on unsubscribe; null without one"),
    ),
)


def email_engagement(email_events: DataFrame, *, as_of: date) -> DataFrame:
    """Count the messages to each known customer by what became of them up to and including `as_of`, in UTC days.

    A message is to one customer, the one of its first event that names any, also where its address is shared and events
    name several. It is sent on the day of its first event. Openings are what the feed calls so: some mail programs load
    every picture by themselves and others none, so that clicks say more of interest. Whether the customer may be
    written to is said by gold.consent_state, not here: consent may be given again after unsubscribing.
    """
    is_recent = F.datediff(F.lit(as_of), "sent_on") < 90
    return (
        email_events.withColumn("happened_on", F.to_date("happened_at"))
        .where(F.col("happened_on") <= F.lit(as_of))
        .transform(messages)
        .where(F.col("customer_id").isNotNull())
        .groupBy("customer_id")
        .agg(
            F.count("*").alias("count_emails_sent"),
            F.count_if("is_delivered").alias("count_emails_delivered"),
            F.count_if("is_opened").alias("count_emails_opened"),
            F.count("clicked_on").alias("count_emails_clicked"),
            F.count("bounced_on").alias("count_emails_bounced"),
            F.count("complained_on").alias("count_emails_complained_of"),
            F.count("unsubscribed_on").alias("count_emails_unsubscribed_from"),
            F.count_if(is_recent).alias("count_emails_sent_last_90_days"),
            F.count_if(is_recent & F.col("is_opened")).alias("count_emails_opened_last_90_days"),
            F.count_if(is_recent & F.col("clicked_on").isNotNull()).alias("count_emails_clicked_last_90_days"),
            F.max("sent_on").alias("last_email_sent_on"),
            *[F.max(f"{what}_on").alias(f"last_email_{what}_on") for what in ("opened", "clicked", "unsubscribed")],
        )
        .withColumns(
            {
                "as_of": F.lit(as_of),
                "email_open_share": of_delivered("count_emails_opened"),
                "email_click_share": of_delivered("count_emails_clicked"),
            }
        )
        .transform(EMAIL_ENGAGEMENT.conform)
    )


def messages(dated: DataFrame) -> DataFrame:
    """One row per message to an address: when it was sent, and the last day of each thing that happened to it."""
    event_type = F.col("event_type")

    def last(kind: str) -> Column:
        return F.max(F.when(event_type == kind, F.col("happened_on"))).alias(f"{kind}_on")

    kinds = ("opened", "clicked", "bounced", "complained", "unsubscribed")
    return (
        dated.groupBy("message_id", F.lower(F.trim("email")))
        .agg(
            customer_of_message().alias("customer_id"),
            F.min("happened_on").alias("sent_on"),
            *map(last, ("delivered", *kinds)),
        )
        .withColumns(
            {
                "is_opened": F.col("opened_on").isNotNull() | F.col("clicked_on").isNotNull(),
                "is_delivered": F.coalesce("delivered_on", "opened_on", "clicked_on").isNotNull(),
            }
        )
    )


def customer_of_message() -> Column:
    """Over the events of a message: the customer of the first that names one, the least of several at one instant."""
    named = F.when(F.col("customer_id").isNotNull(), F.struct("happened_at", "customer_id"))
    return F.min(named)["customer_id"]


def of_delivered(count: str) -> Column:
    return F.col(count) / F.nullif("count_emails_delivered", F.lit(0))
