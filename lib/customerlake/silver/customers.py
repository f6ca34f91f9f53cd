"""silver.customers: one row per customer, with the surviving value of each attribute and the record it is from."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.silver.customer_records import CUSTOMER_RECORDS, SHOP
from customerlake.silver.identity.survivorship import SURVIVORSHIP, Survives


def _surviving(rule: Survives) -> list[Field]:
    declared = {column.name: column for column in CUSTOMER_RECORDS.columns}
    origin = Field(rule.origin, T.StringType(), "<source>:<source_record_id> that says so", personal="identify")
    return [*[declared[name] for name in rule.columns], origin]


CUSTOMERS = Table(
    name="silver.customers",
    grain="one row per customer_id",
    key=("customer_id",),
    columns=(
        Field("customer_id", T.StringType(), "the customer", personal="identify"),
        *[field for rule in SURVIVORSHIP for field in _surviving(rule)],
        Field("first_seen_on", T.DateType(), "day of the first line, sale or return; null: never bought"),
        Field("last_seen_on", T.DateType(), "day of the last line, sale or return"),
        Field("count_records", T.LongType(), "records that are the customer's"),
        Field("sources", T.StringType(), "who has records of the customer, in the order of the alphabet"),
        Field("_batch", T.LongType(), "write of silver.identities or silver.customer_records that last touched it"),
    ),
)


def customers(records: DataFrame, identities: DataFrame) -> DataFrame:
    """Sum up the records of each customer. Takes all records of the customers concerned.

    Records that their source deleted tell nothing, and count for nothing.
    """
    of_customer = identities.select("source", "source_record_id", "customer_id")
    return (
        records.where("NOT is_deleted")
        .join(of_customer, on=["source", "source_record_id"], how="inner")
        .groupBy("customer_id")
        .agg(
            *[rule.value().alias(f"_{rule.origin}") for rule in SURVIVORSHIP],
            F.min(in_shop("first_seen_on")).alias("first_seen_on"),
            F.max(in_shop("last_seen_on")).alias("last_seen_on"),
            F.count("*").alias("count_records"),
            F.array_join(F.array_sort(F.collect_set("source")), ", ").alias("sources"),
            F.max("_batch").alias("_batch"),
        )
        .withColumns({name: column for rule in SURVIVORSHIP for name, column in _told(rule).items()})
        .transform(CUSTOMERS.conform)
    )


def in_shop(column: str) -> Column:
    """Of the records of the shop alone, which are made of lines."""
    return F.when(F.col("source") == SHOP, F.col(column))


def _told(rule: Survives) -> dict[str, Column]:
    told = {name: F.col(f"_{rule.origin}.{name}") for name in rule.columns}
    return {**told, rule.origin: F.col(f"_{rule.origin}.origin")}
