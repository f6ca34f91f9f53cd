"""gold.campaign_results: what each campaign reached, cost and brought, and how much of it the campaign caused."""

from collections.abc import Callable
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.gold import campaign_lift as lift
from customerlake.gold.campaign_contacts import (
    BOTH,
    CONTROL,
    FATES,
    TREATED,
    members_until,
    messages_until,
    of_members,
    window_end,
    with_broadcasts,
    with_outcomes,
)
from customerlake.gold.dimensions import in_dimensions
from customerlake.silver.cleaning.money import at_days_rate

COUNT, SHARE = T.LongType(), T.DoubleType()
CAMPAIGN_RESULTS = Table(
    name="gold.campaign_results",
    grain="one row per campaign, value of a dimension, test group and as_of, of campaigns that started by then",
    key=("campaign_id", "dimension", "value", "test_group", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("campaign_id", T.StringType(), "campaign"),
        Field("dimension", T.StringType(), "all or segment: the customer's before its first contact"),
        Field(
            "value",
            T.StringType(),
            "value of the dimension: of gold.rfm's named segments the one by the fixed scores on the day before the "
            "contact, `No Purchase` where there was none by then; `unknown` for messages to no known member",
        ),
        Field(
            "test_group",
            T.StringType(),
            "treated, control, or both: persons whose several customer numbers fell into either, who are on no side",
        ),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("name", T.StringType(), "what the campaign is called"),
        Field("channel", T.StringType(), "email, post, phone, display and the like"),
        Field("started_on", T.DateType(), "its first day"),
        Field("count_members", COUNT, "customers assigned; of a campaign without any, known customers it was sent to"),
        Field("count_contacts", COUNT, "messages sent; of a campaign without messages, members that were not control"),
        Field("count_sent", COUNT, "messages with any event"),
        Field("count_delivered", COUNT, "of these, delivered, as far as reported"),
        Field("count_bounced", COUNT, "messages sent back"),
        Field("count_opened", COUNT, "messages opened at least once, or clicked"),
        Field("count_clicked", COUNT, "messages clicked at least once"),
        Field("count_unsubscribed", COUNT, "messages that led to unsubscribing"),
        Field("response_share", SHARE, "messages clicked per message delivered", unit="share"),
        Field("count_conversions", COUNT, "members with a purchase within conversion_days of the assignment"),
        Field("conversion_share", SHARE, "conversions per member", unit="share"),
        Field("conversion_days", T.IntegerType(), "time in which a purchase counts", unit="days"),
        Field("revenue", MONEY, "amount of those purchases, before returns", unit="currency"),
        Field("cost", MONEY, "fixed and contact cost; a segment bears fixed cost by its contacts", unit="currency"),
        Field("roi", T.DoubleType(), "(revenue - cost) / cost, whatever caused the revenue", unit="share"),
        Field("count_visitors", COUNT, "members with a known visit to the shop's site within conversion_days"),
        Field("visit_share", SHARE, "visitors per member; null where no visits are known at all", unit="share"),
        *lift.COLUMNS,
        Field("warning", T.StringType(), "what to mind when reading the row of the treated; null when nothing"),
    ),
)
GROUP = ("campaign_id", "dimension", "value", "test_group")
COUNTED = ("members", "sent", *FATES[:5], "conversions", "visitors")


def campaign_results(
    campaigns: DataFrame,
    campaign_members: DataFrame | None,
    email_events: DataFrame | None,
    orders: DataFrame | None,
    segments: DataFrame | None = None,
    exchange_rates: DataFrame | None = None,
    web_sessions: DataFrame | None = None,
    *,
    currency: str,
    as_of: date,
    conversion_days: int = 14,
    tested_lift: float = 0.05,
) -> DataFrame:
    """Sum up each campaign by test group, in all and by segment, and compare the treated with the control group.

    Takes:   customer_id as resolved; `segments` (campaign_id, customer_id, segment), as customers were before the
             campaign, as `segments_before_contact` finds them: the treatment may move customers between segments, and
             no lift by a segment of after it would be fair. `currency`, the lake's, in which costs are stated at the
             rate of the campaign's first day. Where email_events is None its counts are 0; where orders is None, so
             are conversions and revenue. Without web_sessions (customer_id, started_at) what is told of visits is
             null; without segments there are no rows of that dimension.
    The lift compares all who were assigned, reached or not, as the lot drew them. See `campaign_lift` for its methods.
    """
    figures = figures_of_members_and_messages(
        campaign_members,
        email_events,
        segments,
        with_outcomes(orders, web_sessions, as_of=as_of, days=conversion_days),
        as_of=as_of,
        conversion_days=conversion_days,
    )
    started = campaigns.where(~F.coalesce("is_deleted", F.lit(False)) & (F.col("started_on") <= F.lit(as_of)))
    described = at_days_rate(started, exchange_rates, currency=currency, amount="fixed_cost", on="started_on")
    nothing = started.select("campaign_id", F.lit("all").alias("dimension"), F.lit("all").alias("value")).withColumns(
        {"test_group": F.lit(TREATED), **_figures()}
    )
    dimensions = () if segments is None else ("segment",)
    cut = nothing if figures is None else figures.transform(in_dimensions(*dimensions)).select(*nothing.columns)
    return (
        cut.unionByName(nothing)
        .transform(summed_over(*GROUP))
        .join(described, on="campaign_id", how="inner")
        .transform(with_visits(web_sessions is not None))
        .transform(with_costs)
        .transform(lift.against_control(tested_lift))
        .withColumns({"as_of": F.lit(as_of), "conversion_days": F.lit(conversion_days)})
        .transform(with_warning(as_of, conversion_days))
        .transform(CAMPAIGN_RESULTS.conform)
    )


def figures_of_members_and_messages(
    campaign_members: DataFrame | None,
    email_events: DataFrame | None,
    segments: DataFrame | None,
    outcomes: Callable[[DataFrame], DataFrame],
    *,
    as_of: date,
    conversion_days: int,
) -> DataFrame | None:
    """One row per campaign, test group and segment: all counts and sums. None without members and without messages."""
    members = None if campaign_members is None else campaign_members.transform(members_until(as_of))
    messages = None if email_events is None else email_events.transform(messages_until(as_of))
    joined = with_broadcasts(members, messages)
    if joined is None:
        return None
    if messages is not None:
        is_of = (lambda sent: sent.withColumn("test_group", F.lit(TREATED))) if members is None else of_members(members)
        messages = messages.transform(is_of)
    of_joined = joined.transform(outcomes).withColumns(
        _figures(
            members=F.lit(1),
            conversions=F.col("has_bought").cast("int"),
            visitors=F.col("has_visited").cast("int"),
            revenue=F.col("spend"),
            squares=F.col("spend") * F.col("spend"),
            ends_at=window_end(conversion_days),
        )
    )
    parts = [of_joined.transform(by_segment(segments))]
    if messages is not None:
        fates = {fate: F.col(f"is_{fate}").cast("int") for fate in FATES[:5]}
        parts.append(messages.withColumns(_figures(sent=F.lit(1), **fates)).transform(by_segment(segments)))
    return parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1])


def by_segment(segments: DataFrame | None) -> Callable[[DataFrame], DataFrame]:
    """Members or messages -> one row per campaign, test group and segment of the customer before the campaign."""

    def cut(rows: DataFrame) -> DataFrame:
        if segments is None:
            named = rows.withColumn("segment", F.lit(None).cast("string"))
        else:
            named = rows.join(segments, on=["campaign_id", "customer_id"], how="left")
        return named.transform(summed_over("campaign_id", "test_group", "segment"))

    return cut


def summed_over(*group: str) -> Callable[[DataFrame], DataFrame]:
    sums = [F.sum(name).cast(kind).alias(name) for name, kind in FIGURES.items() if name != "ends_at"]
    return lambda rows: rows.groupBy(*group).agg(*sums, F.max("ends_at").alias("ends_at"))


FIGURES: dict[str, T.DataType] = {
    **{f"count_{name}": COUNT for name in COUNTED},
    "revenue": MONEY,
    "squares": T.DecimalType(38, 8),  # of spends, exact
    "ends_at": T.TimestampType(),
}


def _figures(**known: Column) -> dict[str, Column]:
    """All columns of FIGURES: those given, null counting as none, and for the others nothing."""
    given = {f"count_{name}" if name in COUNTED else name: value for name, value in known.items()}
    return {
        name: F.coalesce(given.get(name, F.lit(0)), F.lit(0)).cast(kind)
        if name != "ends_at"
        else given.get(name, F.lit(None)).cast(kind)
        for name, kind in FIGURES.items()
    }


def with_costs(groups: DataFrame) -> DataFrame:
    """Add count_contacts, cost and roi, and the shares of response and conversion. Takes: rate, and cost columns.

    A cost that is not stated counts as none where the other is; without either, or without a rate, the cost is unknown.
    """
    of_campaign = Window.partitionBy("campaign_id", "dimension")
    is_treated, is_control = F.col("test_group") == TREATED, F.col("test_group") == CONTROL
    without_messages = F.when(is_control, 0).otherwise(F.col("count_members"))
    treated_contacts = F.sum(F.when(is_treated, F.col("count_contacts"))).over(of_campaign)
    borne = F.col("count_contacts") / F.nullif(treated_contacts.cast("double"), F.lit(0.0))
    share = F.when(F.col("dimension") == "all", F.lit(1.0)).otherwise(F.coalesce(borne, F.lit(0.0)))
    # decimals are rounded half up by every engine, doubles are not; both products need 38 digits at most
    fixed = F.when(is_treated, (_own("fixed_cost") * share.cast("decimal(13,12)")).cast(MONEY)).otherwise(0)
    contact = (_own("contact_cost") * F.col("count_contacts").cast("decimal(13,0)")).cast(MONEY)
    is_stated = F.col("fixed_cost").isNotNull() | F.col("contact_cost").isNotNull()
    return (
        groups.withColumn("_sent", F.sum("count_sent").over(of_campaign))
        .withColumn("count_contacts", F.when(F.col("_sent") > 0, F.col("count_sent")).otherwise(without_messages))
        .withColumn("cost", F.when(is_stated, fixed + contact).cast(MONEY))
        .withColumns(
            {
                "roi": (F.col("revenue") - F.col("cost")).cast("double")
                / F.nullif(F.col("cost").cast("double"), F.lit(0.0)),
                "response_share": F.col("count_clicked")
                / F.nullif(F.col("count_delivered").cast("double"), F.lit(0.0)),
                "conversion_share": F.col("count_conversions")
                / F.nullif(F.col("count_members").cast("double"), F.lit(0.0)),
            }
        )
    )


def with_visits(are_known: bool) -> Callable[[DataFrame], DataFrame]:
    """Add visit_share; null it and count_visitors where no visits are known at all."""
    visitors = F.when(F.lit(are_known), F.col("count_visitors"))
    return lambda groups: groups.withColumn("count_visitors", visitors).withColumn(
        "visit_share", F.col("count_visitors") / F.nullif(F.col("count_members").cast("double"), F.lit(0.0))
    )


def _own(cost: str) -> Column:
    """A cost in the lake's currency; eight places, as the cost of one contact may be far below a penny."""
    return (F.coalesce(cost, F.lit(0).cast(MONEY)) * F.col("rate")).cast("decimal(24,8)")


def with_warning(as_of: date, conversion_days: int) -> Callable[[DataFrame], DataFrame]:
    """Add what to mind about the row of the treated, in words; null when nothing."""
    end = F.lit(as_of + timedelta(days=1)).cast("timestamp")
    beside = Window.partitionBy("campaign_id", "dimension", "value")
    in_both = F.sum(F.when(F.col("test_group") == BOTH, F.col("count_members")).otherwise(0)).over(beside)
    is_stated = F.col("fixed_cost").isNotNull() | F.col("contact_cost").isNotNull()
    told = F.concat_ws(
        "; ",
        F.when((F.col("count_members") == 0) & (F.col("count_contacts") == 0), F.lit("nobody was assigned or mailed")),
        *lift.warnings(),
        F.when(
            F.col("_in_both") > 0,
            F.concat(F.lit("persons who fell into both groups and are left out: "), F.col("_in_both").cast("string")),
        ),
        F.when(F.col("ends_at") > end, F.lit(f"the {conversion_days} days are not over: conversions will still come")),
        F.when(F.col("rate").isNull() & is_stated, F.lit("the cost has no exchange rate and is unknown")),
        F.when(~is_stated, F.lit("no cost is stated")),
    )
    is_told = (F.col("test_group") == TREATED) & (F.col("warning") != "")
    return lambda groups: (
        groups.withColumn("_in_both", in_both)
        .withColumn("warning", told)
        .withColumn("warning", F.when(is_told, F.col("warning")))
    )
