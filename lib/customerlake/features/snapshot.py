"""features.snapshot: what was known about each customer on a date. Training and scoring use these same rows."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.features import (
    consent,
    email,
    habits,
    loyalty,
    product_groups,
    products,
    purchases,
    rhythm,
    satisfaction,
    season,
    service,
    web,
)
from customerlake.features.dates import known_by
from customerlake.features.feature import Feature

__all__ = ["FEATURES", "SNAPSHOT", "Feature", "snapshot"]

PARTS = (
    rhythm, purchases, habits, season, products, product_groups, web, email, service, satisfaction, loyalty, consent,
)  # fmt: skip
FEATURES: tuple[Feature, ...] = tuple(feature for part in PARTS for feature in part.FEATURES)
"""Every feature there is, with its meaning. Models choose from it by name."""

SNAPSHOT = Table(
    name="features.snapshot",
    grain="one row per customer_id and as_of, over the customers with a purchase by then",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "the date; nothing after it is known here"),
        *[
            Field(
                feature.name,
                T.StringType() if feature.is_category else T.DoubleType(),
                feature.doc,
                feature.unit,
                feature.personal,
            )
            for feature in FEATURES
        ],
    ),
)

Step = Callable[[DataFrame], DataFrame]


def snapshot(
    orders: DataFrame,
    *,
    as_of: Sequence[date],
    order_lines: DataFrame | None = None,
    product_list: DataFrame | None = None,
    web_events: DataFrame | None = None,
    email_events: DataFrame | None = None,
    tickets: DataFrame | None = None,
    survey_answers: DataFrame | None = None,
    loyalty_events: DataFrame | None = None,
    consents: DataFrame | None = None,
    web_channels: Sequence[str] = ("web", "online"),
    time_zone: str = "UTC",
) -> DataFrame:
    """What was known of each customer on each date: events up to and including it, nothing else.

    Takes:   tables of silver, customer_id as resolved; of web_events that of the number which an event itself names.
             order_lines are those of all customers, also of those who are not known.
    A channel that the lake does not have (None), or that had no event of anybody by a date, leaves its features null.
    """
    dates = sorted(set(as_of))
    steps = [
        with_channel(order_lines, "ordered_on", dates, products.FEATURES, products.product_features(dates)),
        with_groups(order_lines, product_list, dates),
        with_channel(web_events, "happened_at", dates, web.FEATURES, web.web_features(dates)),
        with_channel(email_events, "happened_at", dates, email.FEATURES, email.email_features(dates)),
        with_channel(tickets, "opened_at", dates, service.FEATURES, service.service_features(dates)),
        with_channel(
            survey_answers, "invited_at", dates, satisfaction.FEATURES, satisfaction.satisfaction_features(dates)
        ),
        with_channel(loyalty_events, "happened_at", dates, loyalty.FEATURES, loyalty.loyalty_features(dates)),
        with_channel(consents, "changed_at", dates, consent.FEATURES, consent.consent_features(dates)),
    ]
    known = orders.transform(purchases.purchase_features(dates, web_channels=web_channels, time_zone=time_zone))
    return reduce(DataFrame.transform, steps, known).transform(SNAPSHOT.conform)


def with_channel(
    events: DataFrame | None, day: str, dates: Sequence[date], features: Sequence[Feature], made: Step
) -> Step:
    """Adds a channel's features to customers and dates; `made` makes them of its events, where there are any."""
    if events is None:
        return lambda known: known.withColumns({feature.name: F.lit(None) for feature in features})
    counts = {
        feature.name: F.coalesce(feature.name, F.when(F.col("has_begun"), F.lit(0)))
        for feature in features
        if feature.is_count
    }

    def joined(known: DataFrame) -> DataFrame:
        with_made = known.join(events.transform(made), on=["customer_id", "as_of"], how="left")
        if not counts:
            return with_made
        begun = F.broadcast(events.transform(dates_begun(dates, day)))
        return with_made.join(begun, on="as_of", how="left").withColumns(counts).drop("has_begun")

    return joined


def dates_begun(dates: Sequence[date], day: str) -> Step:
    """One row per date by which there was an event of anybody: has_begun."""
    return lambda events: (
        events.agg(F.to_date(F.min(day)).alias("begins_on"))
        .transform(known_by(dates, "begins_on"))
        .select("as_of", F.lit(True).alias("has_begun"))
    )


def with_groups(order_lines: DataFrame | None, product_list: DataFrame | None, dates: Sequence[date]) -> Step:
    """Adds the features of groups of products, which take both tables."""
    if product_list is None:
        return with_channel(None, "ordered_on", dates, product_groups.FEATURES, lambda lines: lines)
    made = product_groups.group_features(product_list, dates)
    return with_channel(order_lines, "ordered_on", dates, product_groups.FEATURES, made)
