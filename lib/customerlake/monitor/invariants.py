"""What must hold between gold's tables of one date, whatever the data: sums agree with silver's, shares add to one."""

from collections.abc import Mapping, Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.table import Table
from customerlake.errors import ContractError
from customerlake.gold.attribution import ATTRIBUTION
from customerlake.gold.campaign_results import CAMPAIGN_RESULTS
from customerlake.gold.cohorts import COHORTS
from customerlake.gold.customer_360 import CUSTOMER_360
from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.customer_value_by_channel import CUSTOMER_VALUE_BY_CHANNEL
from customerlake.gold.customer_value_by_product_group import CUSTOMER_VALUE_BY_PRODUCT_GROUP
from customerlake.gold.funnel import FUNNEL
from customerlake.gold.journeys import WEB_SHOP, WebShop
from customerlake.gold.kpis import KPIS
from customerlake.gold.lifecycle_long_run import LIFECYCLE_LONG_RUN
from customerlake.gold.lifecycle_transitions import LIFECYCLE_TRANSITIONS
from customerlake.gold.profile_shares import PROFILE_SHARES
from customerlake.gold.profile_statistics import PROFILE_STATISTICS
from customerlake.gold.purchase_hours import PURCHASE_HOURS
from customerlake.gold.rfm import RFM
from customerlake.gold.web_sessions import WEB_SESSIONS
from customerlake.monitor.invariant_kinds import (
    Invariant,
    attributed,
    shares_are_one,
    shares_of_customers_are_one,
    sum_is_silvers,
)
from customerlake.runtime.job import Run
from customerlake.silver.orders import ORDERS

MOST_SHOWN = 3
PERIOD_DAYS, LOOKBACK_DAYS = 365, 30  # in which gold.attribution takes orders, and sessions before them


KNOWN = "customer_id IS NOT NULL"
CAMPAIGN_PARTS = {
    "count_sent": "count_contacts",
    "count_delivered + count_bounced": "count_sent",
    "count_opened": "count_delivered",
    "count_clicked": "count_opened",
    "count_unsubscribed": "count_delivered",
    "count_conversions": "count_members",
    "count_visitors": "count_members",
}
CAMPAIGN_SUMS = (
    "count_members", "count_contacts", "count_sent", "count_delivered", "count_bounced", "count_opened",
    "count_clicked", "count_unsubscribed", "count_conversions", "count_visitors", "revenue",
)  # fmt: skip
INVARIANTS: tuple[Invariant, ...] = (
    sum_is_silvers(RFM, "total_spend", orders=KNOWN),
    sum_is_silvers(CUSTOMER_VALUE, "gross_spend", orders=KNOWN),
    sum_is_silvers(CUSTOMER_VALUE_BY_CHANNEL, "gross_spend", orders=KNOWN),
    sum_is_silvers(CUSTOMER_VALUE_BY_PRODUCT_GROUP, "gross_spend", orders=KNOWN),
    sum_is_silvers(COHORTS, "revenue", orders=KNOWN),
    *[sum_is_silvers(KPIS, "revenue", where=f"period = '{period}'") for period in ("day", "week", "month")],
    sum_is_silvers(PURCHASE_HOURS, "revenue", where="channel = 'all'"),
    shares_are_one(LIFECYCLE_TRANSITIONS, "share", "month", "from_stage"),
    shares_are_one(LIFECYCLE_LONG_RUN, "customers_share"),
    shares_are_one(PROFILE_SHARES, "customers_share", "dimension", "value", "attribute"),
    *[shares_are_one(PURCHASE_HOURS, share, "channel") for share in ("orders_share", "revenue_share")],
    *[shares_are_one(ATTRIBUTION, share, "model", "dimension") for share in ("conversions_share", "revenue_share")],
    *[
        shares_of_customers_are_one(table, share)
        for table in (CUSTOMER_VALUE_BY_CHANNEL, CUSTOMER_VALUE_BY_PRODUCT_GROUP)
        for share in ("gross_spend_share", "net_spend_share")
    ],
    attributed("attributed_conversions", "count(*)"),
    attributed("attributed_revenue", "coalesce(sum(amount), 0)"),
    Invariant(
        "gross_spend of gold.customer_360 adds up to that of gold.customer_value",
        (CUSTOMER_360, CUSTOMER_VALUE),
        """
        SELECT concat(ours, ' instead of ', whole) FROM
            (SELECT coalesce(sum(gross_spend), 0) AS ours FROM customer_360) CROSS JOIN
            (SELECT coalesce(sum(gross_spend), 0) AS whole FROM customer_value)
        WHERE ours <> whole
        """,
    ),
    Invariant(
        "count_customers of gold.profile_statistics adds up over the values of a dimension to that of all",
        (PROFILE_STATISTICS,),
        """
        SELECT concat(dimension, ' ', attribute, ': ', counted, ' instead of ', coalesce(whole, 0)) FROM (
            SELECT dimension, attribute, sum(count_customers) AS counted FROM profile_statistics
            WHERE dimension <> 'all' GROUP BY dimension, attribute
        ) LEFT JOIN (
            SELECT attribute, count_customers AS whole FROM profile_statistics WHERE dimension = 'all'
        ) USING (attribute) WHERE counted <> coalesce(whole, 0)
        """,
    ),
    Invariant(
        "no count of gold.campaign_results is more than the one that it is of",
        (CAMPAIGN_RESULTS,),
        f"""
        SELECT concat(campaign_id, ' ', dimension, ' ', value, ' ', test_group, ': ', part, ' ', ours, ' of ', whole)
        FROM (
            SELECT campaign_id, dimension, value, test_group, inline(array({
            ", ".join(f"struct('{part}' AS part, {part} AS ours, {of} AS whole)" for part, of in CAMPAIGN_PARTS.items())
        })) FROM campaign_results
        ) WHERE ours > whole
        """,
    ),
    Invariant(
        "counts and revenue of gold.campaign_results add up over the segments to those of all",
        (CAMPAIGN_RESULTS,),
        f"""
        WITH told AS (
            SELECT campaign_id, test_group, dimension, inline(array({
            ", ".join(f"struct('{one}' AS figure, CAST({one} AS DECIMAL(18, 4)) AS told)" for one in CAMPAIGN_SUMS)
        })) FROM campaign_results
        ), compared AS (
            SELECT campaign_id, test_group, figure, coalesce(sum(told) FILTER (WHERE dimension = 'all'), 0) AS whole,
                coalesce(sum(told) FILTER (WHERE dimension = 'segment'), 0) AS segments
            FROM told GROUP BY campaign_id, test_group, figure
        )
        SELECT concat(campaign_id, ' ', test_group, ' ', figure, ': ', segments, ' instead of ', whole) FROM compared
        WHERE segments <> whole AND (SELECT count(*) FROM campaign_results WHERE dimension = 'segment') > 0
        """,
    ),
    Invariant(
        "transitions leave a month with as many customers of each stage as the next one starts with",
        (LIFECYCLE_TRANSITIONS,),
        """
        WITH ended AS (
            SELECT add_months(month, 1) AS month, to_stage AS stage, sum(count_customers) AS ended
            FROM lifecycle_transitions
            WHERE month < (SELECT max(month) FROM lifecycle_transitions) GROUP BY month, to_stage
        ), began AS (
            SELECT month, from_stage AS stage, sum(count_customers) AS began
            FROM lifecycle_transitions WHERE from_stage <> 'newcomer' GROUP BY month, from_stage
        )
        SELECT concat(month, ' ', stage, ': ', coalesce(ended, 0), ' and then ', coalesce(began, 0))
        FROM ended FULL JOIN began USING (month, stage) WHERE coalesce(ended, 0) <> coalesce(began, 0)
        """,
    ),
    Invariant(
        "a funnel never grows",
        (FUNNEL,),
        """
        SELECT concat(month, ' ', dimension, ' ', coalesce(value, 'none'), ' ', step, ': ', before, ' and then ', now)
        FROM (
            SELECT *, count_sessions AS now,
                lag(count_sessions) OVER (PARTITION BY month, dimension, value ORDER BY step_number) AS before
            FROM funnel
        ) WHERE now > before
        """,
    ),
    *[
        Invariant(
            f"{column} of gold.attribution add up to the same in every model and dimension",
            (ATTRIBUTION,),
            f"""
            SELECT concat(min(total), ' to ', max(total)) FROM
                (SELECT sum({column}) AS total FROM attribution GROUP BY model, dimension)
            HAVING min(total) <> max(total)
            """,
        )
        for column in ("attributed_conversions", "attributed_revenue")
    ],
)


def check_gold(run: Run, tables: Sequence[Table]) -> None:
    """Hold gold's tables of the run's date, among `tables`, to their keys and to INVARIANTS.

    Raises: ContractError that tells every sentence that does not hold, with the first places where it does not.
    """
    of_date = [table for table in tables if table.layer == "gold" and "as_of" in table.key]
    there = {table: run.read_as_of(table) for table in of_date if run.lake.exists(table)}
    if WEB_SESSIONS in tables and run.lake.exists(WEB_SESSIONS):
        there[WEB_SESSIONS] = run.read(WEB_SESSIONS)
    found = broken_keys(there)
    if run.lake.exists(ORDERS):
        there[ORDERS] = run.read(ORDERS)
    shop = WebShop(channels=run.config.web_channels, order_prefixes=run.config.web_order_prefixes)
    found |= broken_invariants(there, as_of=run.as_of, shop=shop)
    if found:
        listed = "\n".join(f"  - {sentence}: {'; '.join(places)}" for sentence, places in found.items())
        raise ContractError(
            f"Gold of {run.as_of} does not hold together:\n{listed}\nNothing is published. Make it anew: `customerlake "
            f"run --as-of {run.as_of} --from value`; if it stays so, it is a defect: please report it."
        )


def broken_keys(tables: Mapping[Table, DataFrame]) -> dict[str, list[str]]:
    """Tables whose key is not unique: the sentence, and how many keys stand more than once."""
    found = {}
    for table, rows in tables.items():
        repeated = rows.groupBy(*table.key).agg(F.count("*").alias("times")).where("times > 1").count()
        if repeated:
            found[f"{table.name} has one row per {', '.join(table.key)}"] = [f"{repeated:,} keys stand more than once"]
    return found


def broken_invariants(
    tables: Mapping[Table, DataFrame], *, as_of: date, shop: WebShop = WEB_SHOP
) -> dict[str, list[str]]:
    """The sentences of INVARIANTS that do not hold, and the first places; those of tables not given are left out."""
    named = {}
    for table, rows in tables.items():
        named[table.name.split(".")[1]] = rows.where(F.col("ordered_on") <= F.lit(as_of)) if table is ORDERS else rows
    if ORDERS in tables and WEB_SESSIONS in tables:
        named["web_orders"] = web_orders(tables[ORDERS], tables[WEB_SESSIONS], shop, as_of=as_of)
    for name, rows in named.items():
        rows.createOrReplaceTempView(name)
    found = {}
    for invariant in INVARIANTS:
        if all(table in tables for table in invariant.tables):
            spark = next(iter(tables.values())).sparkSession
            places = [str(row[0]) for row in spark.sql(invariant.broken).limit(MOST_SHOWN).collect()]
            if places:
                found[invariant.sentence] = places
    return found


def web_orders(orders: DataFrame, web_sessions: DataFrame, shop: WebShop, *, as_of: date) -> DataFrame:
    """The purchases of attribution's period by a channel of the web shop, or that a session of its time names."""
    began_on = F.col("started_at").cast("date")
    first_on = F.date_sub(F.lit(as_of), PERIOD_DAYS + LOOKBACK_DAYS - 1)
    named = (
        web_sessions.where(began_on.between(first_on, F.lit(as_of)))
        .select(F.explode("order_ids").alias("number"))
        .select(F.explode(F.array(*[F.concat(F.lit(one), F.col("number")) for one in shop.order_prefixes])).alias("of"))
        .distinct()
    )
    in_period = F.col("ordered_on").between(F.date_sub(F.lit(as_of), PERIOD_DAYS - 1), F.lit(as_of))
    return (
        orders.where(~F.col("is_return") & (F.col("amount") > 0) & in_period)
        .join(named, on=F.col("order_id") == F.col("of"), how="left")
        .where(F.col("channel").isin(*shop.channels) | F.col("of").isNotNull())
        .select("order_id", "amount")
    )
