"""silver.order_lines: the lines of sales, typed, trimmed, without exact duplicates, each marked for what it is."""

from collections.abc import Callable, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.bronze.sources.sales import CONTRACT
from customerlake.contracts.checks import NotNegative, NotNull, NotZero, Reads, WellFormed
from customerlake.contracts.quarantine import quarantine, quarantine_table
from customerlake.contracts.table import MONEY, Field, Table
from customerlake.runtime.config import LakeFile

LARGEST_AMOUNT = (
    10**12
)  # of a line, in any currency: a bar code in the price column must not overflow the sums of all others
LARGEST_QUANTITY = 10**9

ORDER_LINES = Table(
    name="silver.order_lines",
    grain="one row per distinct received line of an order",
    key=("order_line_id",),
    partitioned_by=("ordered_month",),
    columns=(
        Field("order_line_id", T.StringType(), "SHA-256 of the line's received values, trimmed"),
        Field("order_id", T.StringType(), "order"),
        Field(
            "customer_id",
            T.StringType(),
            "the shop's number of the customer; null for an anonymous sale",
            personal="identify",
        ),
        Field("ordered_at", T.TimestampType(), "when it was ordered or taken back", unit="UTC"),
        Field("ordered_on", T.DateType(), "day of that in the feed's time zone"),
        Field("ordered_month", T.DateType(), "first day of that day's month, by which the files are kept apart"),
        Field("channel", T.StringType(), "where it was sold"),
        Field("is_return", T.BooleanType(), "the order takes an earlier one back"),
        Field("is_sale", T.BooleanType(), "sold for money: quantity > 0, unit_price > 0 and no return"),
        Field(
            "line_kind",
            T.StringType(),
            "product, or postage, discount, fee, ... by the lake file; adjustment: stock corrected",
        ),
        Field("is_product", T.BooleanType(), "line_kind is product"),
        Field("product_id", T.StringType(), "stock code in capitals"),
        Field("description", T.StringType(), "what the product was called; null when not said"),
        Field("quantity", T.IntegerType(), "units; negative when taken back", unit="units"),
        Field("unit_price", MONEY, "price of one unit", unit="currency"),
        Field("amount", MONEY, "quantity x unit_price", unit="currency"),
        Field("currency", T.StringType(), "ISO 4217 code"),
        Field("country", T.StringType(), "country of the customer", personal="analyse"),
        Field("count_received", T.LongType(), "how often exactly this line was received; all but one are duplicates"),
        Field("_source_file", T.StringType(), "file of the line that survives: the first by file and line"),
        Field("_line_number", T.LongType(), "its line in that file"),
        Field("_batch", T.LongType(), "landing that last brought the line"),
    ),
    checks=(
        WellFormed("_problem"),
        NotNull("order_id"),
        NotNull("product_id"),
        NotNull("country"),
        Reads("quantity", "received_quantity", "a whole number of up to nine digits"),
        NotNull("received_quantity", called="quantity"),
        NotZero("quantity"),
        Reads("ordered_at", "received_ordered_at", "a date and time that exists"),
        NotNull("received_ordered_at", called="ordered_at"),
        Reads("unit_price", "received_unit_price", "a number"),
        NotNull("received_unit_price", called="unit_price"),
        NotNegative("unit_price"),
        Reads("amount", "received_amount", f"below {LARGEST_AMOUNT:,}"),
    ),
)

REJECTED_ORDER_LINES = quarantine_table(ORDER_LINES)


def order_lines(sales: DataFrame, typed: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """The sound lines of bronze.sales, without exact duplicates: one row per distinct line, which counts its copies.

    Lines are told apart by what was received, before it is typed: eight short texts are compared and held, not the
    row that comes of them. The survivor is the first by file and line. `typed` is a rule that `typed_lines` has made.
    """
    accepted, _ = quarantine(sales.transform(distinct_lines).transform(typed), ORDER_LINES)
    return accepted.transform(ORDER_LINES.conform)


def rejected_lines(sales: DataFrame, typed: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """The lines of bronze.sales that break a rule, each as received, as quarantine.order_lines keeps them."""
    received = sales.withColumn("received", F.struct(*CONTRACT, "_extra")).withColumns(trimmed_texts())
    _, rejected = quarantine(received.transform(typed), ORDER_LINES)
    return rejected.withColumns(
        {
            "raw": F.coalesce("_raw", F.to_json("received")),
            "source_file": F.col("_source_file"),
            "line_number": F.col("_line_number"),
            "file_digest": F.col("_file_digest"),
            "run_id": F.col("_run_id"),
            "received_at": F.col("_received_at"),
        }
    ).transform(REJECTED_ORDER_LINES.conform)


def first_instant(sales: DataFrame, typed: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """One row, first_micros: the earliest ordered_at of bronze.sales in microseconds of Unix time; null without one."""
    instants = sales.select(trimmed("ordered_at").alias("ordered_at")).distinct()  # many lines share one
    others = {name: F.lit(None).cast("string") for name in CONTRACT if name != "ordered_at"}
    return instants.withColumns(others).transform(typed).agg(F.unix_micros(F.min("ordered_at")).alias("first_micros"))


def distinct_lines(sales: DataFrame) -> DataFrame:
    """One row per distinct received line: the contract's texts, trimmed, with count_received and the first origin."""
    return (
        sales.where(F.col("_problem").isNull())
        .select(*[text.alias(name) for name, text in trimmed_texts().items()], origin().alias("origin"), "_batch")
        .groupBy(*CONTRACT)
        .agg(F.count("*").alias("count_received"), F.min("origin").alias("origin"), F.max("_batch").alias("_batch"))
        .withColumns(
            {
                "_source_file": F.substring_index("origin", "\0", 1),
                "_line_number": F.substring_index("origin", "\0", -1).cast("long"),
                "_problem": F.lit(None).cast("string"),
            }
        )
    )


def origin() -> Column:
    """File and line as one text that sorts as the two do: engines find the least text many times as fast as a pair."""
    return F.concat("_source_file", F.lit("\0"), F.lpad(F.col("_line_number").cast("string"), 19, "0"))


RECEIVED_AGAIN = {
    "count_received": "known.count_received + arrived.count_received",
    "_source_file": "least(struct(known._source_file, known._line_number), "
    "struct(arrived._source_file, arrived._line_number))._source_file",
    "_line_number": "least(struct(known._source_file, known._line_number), "
    "struct(arrived._source_file, arrived._line_number))._line_number",
    "_batch": "arrived._batch",
}
"""How a known line changes when a later landing brings it again. A landing that is taken twice changes nothing."""
LATER_LANDING = "arrived._batch > known._batch"


def typed_by(config: LakeFile) -> Callable[[DataFrame], DataFrame]:
    """`typed_lines` by what a lake file says of its sales."""
    feed = config.feeds.sales
    return typed_lines(
        timestamp_format=feed.timestamp_format,
        time_zone=config.time_zone,
        currency=config.currency,
        channel=feed.channel,
        cancellation_prefix=feed.cancellation_prefix,
        line_kinds=feed.line_kinds,
    )


def typed_lines(
    *,
    timestamp_format: str,
    time_zone: str,
    currency: str,
    channel: str,
    cancellation_prefix: str,
    line_kinds: Mapping[str, str],
) -> Callable[[DataFrame], DataFrame]:
    """Trimmed texts of lines -> rows with the typed columns of silver.order_lines beside what was received.

    A text that cannot be read as its type becomes null; the checks of ORDER_LINES then say so. Empty text is null.
    A whole number may be written with a decimal point and zeros (17850.0), as spreadsheets do.
    """

    def typed(lines: DataFrame) -> DataFrame:
        local = F.try_to_timestamp("received_ordered_at", F.lit(timestamp_format))
        quantity, unit_price = F.col("quantity"), F.col("unit_price")
        is_return = F.startswith("order_id", F.lit(cancellation_prefix))
        return (
            lines.withColumn(
                "order_line_id", F.sha2(F.concat_ws("\u001f", *[F.coalesce(name, F.lit("")) for name in CONTRACT]), 256)
            )
            .withColumns({f"received_{name}": F.col(name) for name in ("quantity", "ordered_at", "unit_price")})
            .withColumns(
                {
                    "customer_id": without_zero_decimals("customer_id"),
                    "product_id": F.upper("product_id"),
                    "quantity": within(LARGEST_QUANTITY, without_zero_decimals("quantity").try_cast("long")).cast(
                        "int"
                    ),
                    "unit_price": number("unit_price"),
                    "ordered_at": F.to_utc_timestamp(local, time_zone),
                    "ordered_on": F.to_date(local),
                    "ordered_month": F.trunc(local, "month"),
                    "channel": F.lit(channel),
                    "currency": F.lit(currency),
                }
            )
            .withColumns(
                {
                    "is_return": is_return,
                    "is_sale": ~is_return & (quantity > 0) & (unit_price > 0),
                    "line_kind": line_kind(line_kinds, is_return),
                    "amount": within(LARGEST_AMOUNT, quantity * unit_price).cast(MONEY),
                    "received_amount": F.concat(quantity.cast("string"), F.lit(" x "), unit_price.cast("string")),
                }
            )
            .withColumn("is_product", F.col("line_kind") == "product")
        )

    return typed


def trimmed_texts() -> dict[str, Column]:
    """Each text of the contract without what surrounds it."""
    return {name: trimmed(name) for name in CONTRACT}


def trimmed(name: str) -> Column:
    """Without surrounding white space; null when nothing remains."""
    return F.nullif(F.btrim(name, F.lit(" \t\r\n\u00a0")), F.lit(""))


def without_zero_decimals(name: str) -> Column:
    """17850.0 and 17850.00 are 17850. The usual .0 is cut off, which takes a fraction of what a pattern does."""
    text = F.col(name)
    cut = F.when(text.endswith(".0"), F.left(text, F.length(text) - 2))
    return F.when(text.contains("."), F.coalesce(cut, F.regexp_replace(text, r"\.0+$", ""))).otherwise(text)


def number(name: str) -> Column:
    """The number that a text says with digits and a point, as spreadsheets do also with an exponent (1E-3); else null.

    The two patterns are what every engine reads alike.
    """
    text = F.col(name)
    plain = F.when(text.rlike(r"^[+-]?[0-9]*\.?[0-9]*$"), text.try_cast(MONEY))
    with_exponent = F.when(
        text.rlike(r"^[+-]?[0-9]+\.?[0-9]*[eE][+-]?[0-9]+$"), text.try_cast("double").try_cast(MONEY)
    )
    return F.coalesce(plain, with_exponent)


def within(limit: int, value: Column) -> Column:
    """The value where it is nearer to zero than the limit; else null."""
    return F.when(F.abs(value) < limit, value)


def line_kind(line_kinds: Mapping[str, str], is_return: Column) -> Column:
    """What a line is, by its product_id; a negative quantity outside of a return corrects the stock."""
    kind = F.when(~is_return & (F.col("quantity") < 0), F.lit("adjustment"))
    for code, meaning in line_kinds.items():
        product_id = F.col("product_id")
        matches = product_id.startswith(code[:-1]) if code.endswith("*") else product_id == code
        kind = kind.when(matches, F.lit(meaning))
    return kind.otherwise(F.lit("product"))
