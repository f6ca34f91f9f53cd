"""gold.customer_360: one row per customer, all that gold knows of it."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.table import Field, Table
from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.rfm import RFM
from customerlake.silver.customers import CUSTOMERS

KEY = ("customer_id", "as_of")


def _columns() -> tuple[Field, ...]:
    """The key, then each part's columns under their own names; a name that two parts share comes from the first."""
    key = tuple(column for column in RFM.columns if column.name in KEY)
    of_customer = tuple(c for c in CUSTOMERS.columns if c.name in ("country", "first_seen_on"))
    parts = (*of_customer, *CUSTOMER_VALUE.columns, *RFM.columns, *PURCHASE_BEHAVIOUR.columns)
    named = {column.name: column for column in reversed(parts) if column.name not in KEY}
    order = dict.fromkeys(column.name for column in parts if column.name not in KEY)
    return (*key, *(named[name] for name in order))


CUSTOMER_360 = Table(
    name="gold.customer_360",
    grain="one row per customer_id and as_of, over all customers with a line by then",
    key=KEY,
    partitioned_by=("as_of",),
    columns=_columns(),
)


def customer_360(
    customers: DataFrame, customer_value: DataFrame, rfm: DataFrame, purchase_behaviour: DataFrame, *, as_of: date
) -> DataFrame:
    """Put the parts of `as_of` side by side. A customer without a purchase keeps nulls where nothing can be said.

    The country is the one on the customer's newest line, also when that is after `as_of`.
    """
    return (
        customers.where(F.col("first_seen_on") <= F.lit(as_of))
        .transform(with_part(customer_value, CUSTOMER_VALUE, as_of))
        .transform(with_part(rfm, RFM, as_of))
        .transform(with_part(purchase_behaviour, PURCHASE_BEHAVIOUR, as_of))
        .withColumn("as_of", F.lit(as_of))
        .transform(CUSTOMER_360.conform)
    )


def with_part(part: DataFrame, table: Table, as_of: date) -> Callable[[DataFrame], DataFrame]:
    def join(known: DataFrame) -> DataFrame:
        added = [name for name in table.column_names if name not in known.columns]
        of_day = part.where(F.col("as_of") == F.lit(as_of)).select("customer_id", *[n for n in added if n != "as_of"])
        return known.join(of_day, on="customer_id", how="left")

    return join
