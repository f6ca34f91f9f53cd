"""gold.consent_state: what each customer allows."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

CHANNELS = ("email", "phone", "sms", "post")
OF_CONTACT = ("marketing", "service", "research")
"""The purposes that are pursued by a channel; profiling is not."""

CONSENT_STATE = Table(
    name="gold.consent_state",
    grain="one row per customer_id with a decision by as_of, and as_of",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        *[
            Field(
                f"is_{channel}_{purpose}_allowed",
                T.BooleanType(),
                f"the newest decision on {purpose} by {channel} or any channel; null: none, so do not",
            )
            for purpose in OF_CONTACT
            for channel in CHANNELS
        ],
        Field("is_profiling_allowed", T.BooleanType(), "the newest decision on profiling; null: none, so do not"),
        Field("first_consent_decided_on", T.DateType(), "day of the first decision of any kind"),
        Field("last_consent_decided_on", T.DateType(), "day of the newest decision of any kind"),
    ),
)


def consent_state(consents: DataFrame, *, as_of: date) -> DataFrame:
    """State what each customer allows after its decisions up to and including `as_of`, in UTC days.

    A decision for any channel stands for each until a newer one for that channel, and the other way round. Of two at
    one instant the refusal holds. Null is not consent: select by the column itself, never by its negation.
    """
    channel = F.col("channel")
    decided_on = F.to_date("changed_at")
    return (
        consents.where(F.col("customer_id").isNotNull() & (decided_on <= F.lit(as_of)))
        .groupBy("customer_id")
        .agg(
            *[
                newest_decision(purpose, channel.isin(name, "any")).alias(f"is_{name}_{purpose}_allowed")
                for purpose in OF_CONTACT
                for name in CHANNELS
            ],
            newest_decision("profiling", F.lit(True)).alias("is_profiling_allowed"),
            F.min(decided_on).alias("first_consent_decided_on"),
            F.max(decided_on).alias("last_consent_decided_on"),
        )
        .withColumn("as_of", F.lit(as_of))
        .transform(CONSENT_STATE.conform)
    )


def newest_decision(purpose: str, concerns: Column) -> Column:
    """Granted or not in the newest of the decisions on the purpose that the condition holds for; null without one."""
    refusal_last = F.struct("changed_at", (~F.col("is_granted")).alias("is_refused"))
    newest = F.max(F.when((F.col("purpose") == purpose) & concerns, refusal_last))
    return ~newest["is_refused"]
