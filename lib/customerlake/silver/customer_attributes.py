"""silver.customer_attributes: customers as a table of attributes describes them, and what became of them."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.bronze.sources import customer_attributes as source
from customerlake.contracts.checks import NotNull, WellFormed
from customerlake.contracts.quarantine import quarantine_table
from customerlake.contracts.table import Field, Table
from customerlake.runtime.feeds import AttributesFeed
from customerlake.silver.cleaning.numbers import number
from customerlake.silver.cleaning.texts import trimmed
from customerlake.silver.typed import Typed

TEXT = T.StringType()

CUSTOMER_ATTRIBUTES = Table(
    name="silver.customer_attributes",
    grain="one row per customer_id, as last received",
    key=("customer_id",),
    columns=(
        Field("customer_id", TEXT, "number of the customer; without one, file and record", personal="identify"),
        Field("observed_on", T.DateType(), "the day on which the attributes were true, by the lake file"),
        Field("has_outcome", T.BooleanType(), "the outcome happened; null when not known", personal="analyse"),
        Field("numbers", T.MapType(TEXT, T.DoubleType()), "attributes that are numbers", personal="analyse"),
        Field("categories", T.MapType(TEXT, TEXT), "attributes that are words", personal="analyse"),
        Field("is_deleted", T.BooleanType(), "the source no longer has the customer"),
        Field("count_received", T.LongType(), "records received of this customer"),
        Field("_source_file", TEXT, "where the record that holds came from"),
        Field("_line_number", T.LongType(), "its line there"),
        Field("_batch", T.LongType(), "landing that last brought a record of the customer"),
    ),
    checks=(WellFormed("_problem"), NotNull("customer_id")),
)
REJECTED_CUSTOMER_ATTRIBUTES = quarantine_table(CUSTOMER_ATTRIBUTES)


def attributes_typed_by(feed: AttributesFeed) -> Typed:
    """Records as received -> the columns of silver.customer_attributes, by the lake file's kinds of attributes."""
    of_kind = {kind: [name for name, its in feed.attributes.items() if its == kind] for kind in ("number", "category")}
    has_number = "customer_id" in feed.names(source.CUSTOMER_ATTRIBUTES)

    def typed(received: DataFrame) -> DataFrame:
        texts = {name: _attribute(name) for name in feed.attributes}
        read = {
            name: number(texts[name], T.DoubleType(), decimal_comma=feed.decimal_comma) for name in of_kind["number"]
        }
        unread = [
            F.when(texts[name].isNotNull() & value.isNull(), _says(name, texts[name])) for name, value in read.items()
        ]
        record = F.concat_ws(":", "_source_file", F.col("_line_number").cast("string"))
        said = F.coalesce(trimmed("outcome"), F.lit(None).cast("string"))
        return received.withColumns(
            {
                "customer_id": trimmed("customer_id") if has_number else record,
                "observed_on": F.lit(feed.observed_on),
                "has_outcome": F.when(said.isNotNull(), F.lower(said) == F.lit(feed.outcome_is.lower())),
                "numbers": _map(read, "double"),
                "categories": _map({name: texts[name] for name in of_kind["category"]}, "string"),
                "_problem": F.coalesce("_problem", *unread),
            }
        )

    return typed


def _attribute(name: str) -> Column:
    text = F.btrim(F.element_at("_extra", F.lit(name)), F.lit(" \t\r\n\u00a0"))
    return F.nullif(text, F.lit(""))


def _says(name: str, text: Column) -> Column:
    return F.concat(F.lit(f"{name} '"), F.substring(text, 1, 60), F.lit("' is not a number"))


def _map(values: dict[str, Column], kind: str) -> Column:
    """The values that are there, by name."""
    if not values:
        return F.create_map().cast(f"map<string,{kind}>")
    every = F.create_map(*[part for name, value in values.items() for part in (F.lit(name), value)])
    return F.map_filter(every, lambda _, value: value.isNotNull()).cast(f"map<string,{kind}>")
