"""The consents feed: what customers allow on joining, withdraw, give again, and withdraw by a click in an e-mail."""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance
from customerlake.demo.times import DAY, HOUR, end, later, start

AT_JOINING = {  # (purpose, channel): the share that allows it, before the wish for privacy
    ("marketing", "email"): 0.92,
    ("marketing", "post"): 0.6,
    ("marketing", "sms"): 0.35,
    ("profiling", "any"): 0.8,
    ("service", "any"): 0.99,
    ("research", "email"): 0.6,
}
COLUMNS = ("customer_id", "purpose", "channel", "is_granted", "source", "changed_at")


def with_mail_consent(customers: DataFrame, *, chance: Chance) -> DataFrame:
    """Whether and when each customer allowed marketing by e-mail, apart from what a click in an e-mail withdraws.

    Adds: allows_mail (at joining), mail_withdrawn_at, mail_regranted_at; null where it never happens.
    """
    begun = F.greatest(F.col("joined_at"), start())
    days = (F.unix_timestamp(end()) - F.unix_timestamp(begun)) / DAY - 3
    withdrawn = later(begun, DAY + chance.uniform("day of withdrawal", "customer_id") * days * DAY)
    again = later("mail_withdrawn_at", (F.lit(20) + 100 * chance.uniform("regrant", "customer_id")) * DAY)
    withdraws = (days > 5) & chance.happens(F.lit(0.02) + F.lit(0.14) * F.col("privacy"), "withdraws", "customer_id")
    return (
        customers.withColumn("allows_mail", _allows(chance, "marketing", "email"))
        .withColumn("mail_withdrawn_at", F.when(F.col("allows_mail") & withdraws, withdrawn))
        .withColumn("mail_regranted_at", F.when(chance.happens(0.25, "gives again", "customer_id"), again))
        .withColumn("mail_regranted_at", F.when(F.col("mail_regranted_at") < end(), F.col("mail_regranted_at")))
    )


def may_be_mailed(day: Column) -> Column:
    """Whether marketing by e-mail is allowed on the whole of a day, by what the customer decided before it."""
    granted = F.col("allows_mail") & (F.to_date("joined_at") < day)
    withdrawn = F.coalesce(F.to_date("mail_withdrawn_at") <= day, F.lit(False))
    regranted = F.coalesce(F.to_date("mail_regranted_at") < day, F.lit(False))
    return granted & (~withdrawn | regranted)


def consents(customers: DataFrame, messages: DataFrame, *, chance: Chance) -> DataFrame:
    """The feed: one row per decision. A customer who joins gives all decisions at once."""
    joined = reduce(
        DataFrame.unionByName,
        [
            customers.select(
                "customer_id",
                F.lit(purpose).alias("purpose"),
                F.lit(channel).alias("channel"),
                _allows(chance, purpose, channel).alias("is_granted"),
                chance.weighted({"web": 0.6, "store": 0.3, "phone": 0.1}, "where joined", "customer_id").alias(
                    "source"
                ),
                F.col("joined_at").alias("changed_at"),
            )
            for purpose, channel in AT_JOINING
        ],
    )
    profiling_at = later("joined_at", (F.lit(30) + 300 * chance.uniform("profiling", "customer_id")) * DAY + 3 * HOUR)
    asks = chance.happens(F.lit(0.1) * F.col("privacy"), "withdraws profiling", "customer_id")
    later_decisions = [
        _decision(customers, F.col("mail_withdrawn_at"), "email", False, "preference centre"),
        _decision(customers, F.col("mail_regranted_at"), "email", True, "web"),
        _decision(customers, F.when(asks & (profiling_at < end()), profiling_at), "any", False, "letter", "profiling"),
        _decision(messages, F.col("unsubscribed_at"), "email", False, "unsubscribe link"),
    ]
    return reduce(DataFrame.unionByName, [joined, *later_decisions])


def _decision(
    df: DataFrame, at: Column, channel: str, is_granted: bool, source: str, purpose: str = "marketing"
) -> DataFrame:
    return (
        df.withColumn("changed_at", at)
        .where(F.col("changed_at").isNotNull())
        .select(
            "customer_id",
            F.lit(purpose).alias("purpose"),
            F.lit(channel).alias("channel"),
            F.lit(is_granted).alias("is_granted"),
            F.lit(source).alias("source"),
            "changed_at",
        )
    )


def _allows(chance: Chance, purpose: str, channel: str) -> Column:
    share = F.lit(AT_JOINING[purpose, channel])
    if purpose != "service":
        share = share * (F.lit(1.0) - F.lit(0.4) * F.col("privacy"))
    return chance.happens(share, f"allows {purpose} by {channel}", "customer_id")
