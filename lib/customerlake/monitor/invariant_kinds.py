"""What an invariant of gold is, and the kinds of which there are several: sums that are silver's, shares of one."""

from dataclasses import dataclass

from customerlake.contracts.table import Table
from customerlake.gold.attribution import ATTRIBUTION
from customerlake.gold.web_sessions import WEB_SESSIONS
from customerlake.silver.orders import ORDERS

TOLERANCE = 1e-9  # of shares, which are doubles


@dataclass(frozen=True)
class Invariant:
    """`broken` is SQL over the tables' rows of one date (silver's up to it), each a view of the table's last name.

    Of orders and web_sessions together there is the view web_orders. It gives one text, without any number of a
    customer, for each place where the sentence does not hold.
    """

    sentence: str
    tables: tuple[Table, ...]
    broken: str


def sum_is_silvers(table: Table, column: str, where: str = "true", orders: str = "true") -> Invariant:
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


def shares_are_one(table: Table, share: str, *within: str) -> Invariant:
    name, group = table.name.split(".")[1], ", ".join(within)
    said = ", ' ', ".join(f"coalesce(cast({column} AS string), 'none')" for column in within) or "'all'"
    return Invariant(
        f"{share} of {table.name} adds up to one" + (f" within {group}" if within else ""),
        (table,),
        f"SELECT concat({said}, ': ', sum({share})) FROM {name} WHERE {share} IS NOT NULL"
        + (f" GROUP BY {group}" if within else "")
        + f" HAVING abs(sum({share}) - 1) > {TOLERANCE}",
    )


def shares_of_customers_are_one(table: Table, share: str) -> Invariant:
    name = table.name.split(".")[1]
    return Invariant(
        f"{share} of {table.name} adds up to one for each customer",
        (table,),
        f"""
        SELECT concat(count(*), ' customers, with ', min(total), ' to ', max(total)) FROM
            (SELECT sum({share}) AS total FROM {name} WHERE {share} IS NOT NULL GROUP BY customer_id)
        WHERE abs(total - 1) > {TOLERANCE} HAVING count(*) > 0
        """,
    )


def attributed(column: str, of_orders: str) -> Invariant:
    return Invariant(
        f"{column} of gold.attribution add up to silver's web orders in every model and dimension",
        (ATTRIBUTION, ORDERS, WEB_SESSIONS),
        f"""
        SELECT concat(coalesce(model, 'no model'), ' ', coalesce(dimension, ''), ': ', coalesce(ours, 0),
            ' instead of ', silvers)
        FROM (SELECT {of_orders} AS silvers FROM web_orders)
        LEFT JOIN (SELECT model, dimension, sum({column}) AS ours FROM attribution GROUP BY model, dimension) ON true
        WHERE coalesce(ours, 0) <> silvers
        """,
    )
