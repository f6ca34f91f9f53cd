"""What must hold between gold's tables of one date, whatever the data: sums agree with silver's, shares add to one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.table import Table
from customerlake.errors import ContractError
from customerlake.gold.attribution import ATTRIBUTION
from customerlake.gold.cohorts import COHORTS
from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.customer_value_by_channel import CUSTOMER_VALUE_BY_CHANNEL
from customerlake.gold.customer_value_by_product_group import CUSTOMER_VALUE_BY_PRODUCT_GROUP
from customerlake.gold.funnel import FUNNEL
from customerlake.gold.kpis import KPIS
from customerlake.gold.lifecycle_long_run import LIFECYCLE_LONG_RUN
from customerlake.gold.lifecycle_transitions import LIFECYCLE_TRANSITIONS
from customerlake.gold.profile_shares import PROFILE_SHARES
from customerlake.gold.purchase_hours import PURCHASE_HOURS
from customerlake.gold.rfm import RFM
from customerlake.runtime.job import Run
from customerlake.silver.orders import ORDERS

MOST_SHOWN = 3
TOLERANCE = 1e-9  # of shares, which are doubles


@dataclass(frozen=True)
class Invariant:
    """`broken` is SQL over the tables' rows of one date (silver's up to it), each a view of the table's last name.

    It gives one text for each place where the sentence does not hold.
    """

    sentence: str
    tables: tuple[Table, ...]
    broken: str


def _sum_is_silvers(table: Table, column: str, where: str = "true", orders: str = "true") -> Invariant:
    name = table.name.split(".")[1]
    return Invariant(
        f"{column} of {table.name} adds up to the amounts of silver.orders",
        (table, ORDERS),
        f"""
        SELECT concat(ours, ' instead of ', silvers) FROM
            (SELECT coalesce(sum({column}), 0) AS ours FROM {name} WHERE {where}) CROSS JOIN
            (SELECT coalesce(sum(amount), 0) AS silvers FROM orders WHERE NOT is_return AND amount > 0 AND {orders})
        WHERE ours <> silvers
        """,
    )


def _shares_are_one(table: Table, share: str, *within: str) -> Invariant:
    name, group = table.name.split(".")[1], ", ".join(within)
    said = ", ' ', ".join(f"coalesce(cast({column} AS string), 'none')" for column in within) or "'all'"
    return Invariant(
        f"{share} of {table.name} adds up to one" + (f" within {group}" if within else ""),
        (table,),
        f"SELECT concat({said}, ': ', sum({share})) FROM {name} WHERE {share} IS NOT NULL"
        + (f" GROUP BY {group}" if within else "")
        + f" HAVING abs(sum({share}) - 1) > {TOLERANCE}",
    )


KNOWN = "customer_id IS NOT NULL"
INVARIANTS: tuple[Invariant, ...] = (
    _sum_is_silvers(RFM, "total_spend", orders=KNOWN),
    _sum_is_silvers(CUSTOMER_VALUE, "gross_spend", orders=KNOWN),
    _sum_is_silvers(CUSTOMER_VALUE_BY_CHANNEL, "gross_spend", orders=KNOWN),
    _sum_is_silvers(CUSTOMER_VALUE_BY_PRODUCT_GROUP, "gross_spend", orders=KNOWN),
    _sum_is_silvers(COHORTS, "revenue", orders=KNOWN),
    *[_sum_is_silvers(KPIS, "revenue", where=f"period = '{period}'") for period in ("day", "week", "month")],
    _sum_is_silvers(PURCHASE_HOURS, "revenue", where="channel = 'all'"),
    _shares_are_one(LIFECYCLE_TRANSITIONS, "share", "month", "from_stage"),
    _shares_are_one(LIFECYCLE_LONG_RUN, "customers_share"),
    _shares_are_one(PROFILE_SHARES, "customers_share", "dimension", "value", "attribute"),
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
    found = broken_keys(there)
    if run.lake.exists(ORDERS):
        there[ORDERS] = run.read(ORDERS)
    found |= broken_invariants(there, as_of=run.as_of)
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


def broken_invariants(tables: Mapping[Table, DataFrame], *, as_of: date) -> dict[str, list[str]]:
    """The sentences of INVARIANTS that do not hold, and the first places; those of tables not given are left out."""
    named = {}
    for table, rows in tables.items():
        named[table.name.split(".")[1]] = rows.where(F.col("ordered_on") <= F.lit(as_of)) if table is ORDERS else rows
    found = {}
    for invariant in INVARIANTS:
        if all(table in tables for table in invariant.tables):
            views = {table.name.split(".")[1]: table for table in invariant.tables}
            for name in views:
                named[name].createOrReplaceTempView(name)
            spark = next(iter(tables.values())).sparkSession
            places = [str(row[0]) for row in spark.sql(invariant.broken).limit(MOST_SHOWN).collect()]
            if places:
                found[invariant.sentence] = places
    return found
