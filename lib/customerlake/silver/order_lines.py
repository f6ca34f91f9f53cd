"""silver.order_lines: the lines of sales, typed, trimmed, without exact duplicates, each marked for what it is."""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.bronze.formats import TYPED
from customerlake.bronze.sources.sales import SALES
from customerlake.contracts.checks import (
    POSSIBLE,
    InRange,
    NoProblem,
    NotNegative,
    NotNull,
    NotZero,
    Plausible,
    Reads,
    WellFormed,
)
from customerlake.contracts.quarantine import kept_as_received, quarantine, quarantine_table
from customerlake.contracts.source import Source
from customerlake.contracts.table import MONEY, Field, Table
from customerlake.runtime.feeds import EPOCHS, SalesFeed
from customerlake.silver.cleaning.dates import instant, local_time
from customerlake.silver.cleaning.money import RATE, at_days_rate, currency_code
from customerlake.silver.cleaning.numbers import number, without_zero_decimals
from customerlake.silver.cleaning.texts import trimmed
from customerlake.silver.typed import Typed

LINE = tuple(SALES.column_names)
"""What every feed of sales says of a line."""

LARGEST_AMOUNT = (
    10**12
)  # of a line, in any currency: a bar code in the price column must not overflow the sums of all others
LARGEST_QUANTITY = 10**9


def agrees_with_its_price() -> Column:
    """What was charged is quantity x unit_price, without their signs, where the price may be rounded to the cent."""
    quantity = F.abs("quantity")
    rounded = F.lit(Decimal("0.005")) * (quantity + 1)
    return F.abs(F.abs("amount_charged") - quantity * F.abs("unit_price")) <= rounded


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
        Field("unit_price", MONEY, "price of one unit, in the line's currency", unit="currency"),
        Field("amount", MONEY, "amount_charged at the rate, in the lake's currency", unit="currency"),
        Field("amount_charged", MONEY, "quantity x unit_price, in the line's currency", unit="currency charged"),
        Field("currency", T.StringType(), "ISO 4217 code of what was charged"),
        Field(
            "exchange_rate",
            RATE,
            "what one unit of it is in the lake's currency: of the day, else the last rate known before it",
            unit="currency",
        ),
        Field("exchange_rate_on", T.DateType(), "day of that rate"),
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
        InRange("ordered_on", *POSSIBLE),
        Reads("unit_price", "received_unit_price", "a number"),
        NotNull("received_unit_price", called="unit_price"),
        NotNegative("unit_price"),
        Reads("amount_charged", "received_amount", f"below {LARGEST_AMOUNT:,}"),
        NoProblem("no_rate_because"),
    ),
    measured=(
        Plausible(
            "the amount is not quantity x unit_price",
            ("amount_charged", "quantity", "unit_price"),
            agrees_with_its_price,
        ),
    ),
)

REJECTED_ORDER_LINES = quarantine_table(ORDER_LINES)


def order_lines(sales: DataFrame, typed: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """One row per distinct sound line of a landing, as `as_sent` gives them; it counts its exact duplicates.

    Lines are told apart by what was received, before it is typed: eight short texts are compared and held, not the
    row that comes of them. The survivor is the first by file and line. `typed` is a rule that `typed_lines` has made.
    """
    accepted, _ = quarantine(sales.transform(distinct_lines).transform(typed), ORDER_LINES)
    return accepted.transform(ORDER_LINES.conform)


def rejected_lines(sales: DataFrame, typed: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """The lines of a landing that break a rule, each as received, as quarantine.order_lines keeps them."""
    _, rejected = quarantine(sales.withColumns(trimmed_texts()).transform(typed), ORDER_LINES)
    return kept_as_received(rejected, ORDER_LINES)


def first_instant(sales: DataFrame, typed: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """One row, first_micros: the earliest ordered_at of a landing in microseconds of Unix time; null without one."""
    instants = sales.select(trimmed("ordered_at").alias("ordered_at")).distinct()  # many lines share one
    others = {name: F.lit(None).cast("string") for name in LINE if name != "ordered_at"}
    return instants.withColumns(others).transform(typed).agg(F.unix_micros(F.min("ordered_at")).alias("first_micros"))


def distinct_lines(sales: DataFrame) -> DataFrame:
    """One row per distinct received line: the contract's texts, trimmed, with count_received and the first origin."""
    return (
        sales.where(F.col("_problem").isNull())
        .select(*[text.alias(name) for name, text in trimmed_texts().items()], origin().alias("origin"), "_batch")
        .groupBy(*LINE)
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


def typed_by(source: Source, feed: SalesFeed, *, time_zone: str, currency: str) -> Typed:
    """`typed_lines` by what a lake file says of a feed of sales."""
    has = {*feed.names(source), *feed.constants}
    return typed_lines(
        timestamp_format=feed.timestamp_format,
        is_written_by_machine=feed.format in TYPED or feed.database is not None,
        time_zone=feed.time_zone or time_zone,
        currency=currency,
        channel=feed.channel,
        cancellation_prefix=feed.cancellation_prefix,
        line_kinds=feed.line_kinds,
        decimal_comma=feed.decimal_comma,
        lacking=tuple(name for name in LINE if name not in has),
    )


def as_sent(source: Source, feed: SalesFeed, number: Column) -> Typed:
    """Bronze of a feed of sales -> its lines as LINE names them, constants and gaps of the lake file filled in.

    Adds: received (the whole record, as received). `number` is the landing's in silver, and becomes _batch.
    """
    names = feed.names(source)
    columns: dict[str, Column] = {"_batch": number.cast("long")} | {
        name: F.lit(feed.constants.get(name)).cast("string")
        for name in LINE
        if name in feed.constants or name not in names
    }
    if "order_id" in columns:  # lines of a file that say the same are so many sales: their count tells them apart
        known = [name for name in LINE if name in names]
        same = Window.partitionBy("_file_digest", *known).orderBy("_line_number")
        columns["order_id"] = F.row_number().over(same).cast("string")
    elif feed.format == "baskets":  # a line's number tells baskets of one file apart
        columns["order_id"] = F.concat("_source_file", F.lit(":"), "order_id")
    elif feed.order_prefix:
        columns["order_id"] = F.concat(F.lit(feed.order_prefix), "order_id")
    received = F.struct(*source.column_names, "_extra")
    return lambda bronze: bronze.withColumn("received", received).withColumns(columns)


def typed_lines(
    *,
    timestamp_format: str,
    time_zone: str,
    currency: str,
    channel: str,
    cancellation_prefix: str,
    line_kinds: Mapping[str, str],
    decimal_comma: bool = False,
    is_written_by_machine: bool = False,  # as typed files and databases do: a day alone, or with fractions of a second
    lacking: Collection[str] = ("amount", "currency"),
) -> Callable[[DataFrame], DataFrame]:
    """Trimmed texts of lines -> rows with the typed columns of silver.order_lines beside what was received.

    A text that cannot be read as its type becomes null; the checks of ORDER_LINES then say so. Empty text is null.
    A whole number may be written with a decimal point and zeros (17850.0), as spreadsheets do.

    What a source lacks altogether: without order_id, what a customer bought on one day is an order; without
    product_id, a line is of no product (line_kind unspecified); without quantity it is 1; without unit_price it is the
    amount by unit, and 0 where there is no amount either; without country it is Unspecified.
    """

    def typed(lines: DataFrame) -> DataFrame:
        received = F.col("received_ordered_at")
        if timestamp_format in EPOCHS:
            instant_at = instant(received, pattern=timestamp_format, time_zone=time_zone)
            local = F.from_utc_timestamp(instant_at, time_zone)
        else:
            local = (
                local_time(received, pattern=timestamp_format)
                if is_written_by_machine
                else F.try_to_timestamp(received, F.lit(timestamp_format))
            )
            instant_at = F.to_utc_timestamp(local, time_zone)
        quantity, unit_price = F.col("quantity"), F.col("unit_price")
        is_return = F.startswith("order_id", F.lit(cancellation_prefix)) if cancellation_prefix else F.lit(False)
        if "order_id" in lacking:  # nothing else tells a return
            is_return = quantity < 0
        is_paid = unit_price > 0
        if "unit_price" in lacking:  # what has neither price nor amount is taken for sold
            is_paid = is_paid | F.col("amount").isNull()
        whole = without_zero_decimals(F.col("quantity")).try_cast("long")
        amount, said = quantity * unit_price, F.concat(quantity.cast("string"), F.lit(" x "), unit_price.cast("string"))
        if "amount" not in lacking:
            sent = F.col("amount")
            amount = F.when(sent.isNull(), amount).otherwise(number(sent, decimal_comma=decimal_comma))
            said = F.coalesce(sent, said)
        return (
            lines.withColumn("order_line_id", F.sha2(F.concat_ws("\u001f", *_identity()), 256))
            .transform(with_columns(_of_lacking(lacking)))
            .withColumns({f"received_{name}": F.col(name) for name in ("quantity", "ordered_at", "unit_price")})
            .withColumns(
                {
                    "customer_id": without_zero_decimals(F.col("customer_id")),
                    "product_id": F.upper("product_id"),
                    "quantity": within(LARGEST_QUANTITY, whole).cast("int"),
                    "unit_price": number(F.col("unit_price"), decimal_comma=decimal_comma),
                    "ordered_at": instant_at,
                    "ordered_on": F.to_date(local),
                    "ordered_month": F.trunc(local, "month"),
                    "channel": F.lit(channel),
                    "currency": F.lit(currency) if "currency" in lacking else _currency(currency),
                }
            )
            .withColumn("order_id", _order_id("order_id" in lacking))
            .transform(with_columns(_price_of_amount(lacking, decimal_comma)))
            .withColumns(
                {
                    "is_return": is_return,
                    "is_sale": ~is_return & (quantity > 0) & is_paid,
                    "line_kind": F.lit("unspecified") if "product_id" in lacking else line_kind(line_kinds, is_return),
                    "amount_charged": within(LARGEST_AMOUNT, amount).cast(MONEY),
                    "received_amount": said,
                }
            )
            .withColumn("is_product", F.col("line_kind") == "product")
        )

    return typed


def in_currency_of_lake(typed: Typed, currency: str, rates: DataFrame | None) -> Typed:
    """Typed lines with amount in `currency`, the lake's, at the rate of their day; `rates` as silver.exchange_rates.

    A line whose currency has no rate by then is rejected: its amount would be missing from every sum.
    """

    def converted(lines: DataFrame) -> DataFrame:
        rated = at_days_rate(lines.transform(typed), rates, currency=currency, amount="amount_charged")
        return rated.withColumns(
            {
                "amount": F.col(f"amount_{currency.lower()}"),
                "exchange_rate": F.col("rate"),
                "exchange_rate_on": F.col("rate_on"),
            }
        )

    return converted


def _identity() -> list[Column]:
    """What tells a line from others: the texts of every source, and those of the optional columns that are there."""
    return [F.col(c.name) if c.is_optional else F.coalesce(c.name, F.lit("")) for c in SALES.columns]


def with_columns(columns: Mapping[str, Column]) -> Callable[[DataFrame], DataFrame]:
    """As withColumns, which refuses to add none."""
    return lambda df: df.withColumns(dict(columns)) if columns else df


def _of_lacking(lacking: Collection[str]) -> dict[str, Column]:
    """What stands for a column that the source does not have."""
    stands = {"product_id": "unspecified", "quantity": "1", "country": "Unspecified", "unit_price": "0"}
    return {name: F.lit(text) for name, text in stands.items() if name in lacking}


def _order_id(is_lacking: bool) -> Column:
    """The order of a line: as received, else the customer's of that day, else the line's own."""
    if not is_lacking:
        return F.col("order_id")
    of_day = F.concat_ws("-", "customer_id", F.date_format("ordered_on", "yyyyMMdd"))
    return F.when(F.col("customer_id").isNull(), F.col("order_line_id")).otherwise(of_day)


def _currency(of_lake: str) -> Column:
    """The code that a code, a sign or a name means; what none does stays as it is, and finds no rate."""
    return F.coalesce(currency_code(F.col("currency")), F.upper("currency"), F.lit(of_lake))


def _price_of_amount(lacking: Collection[str], decimal_comma: bool) -> dict[str, Column]:
    """The price of one unit, where only the line's amount was received."""
    if "unit_price" not in lacking or "amount" in lacking:
        return {}
    amount = number(F.col("amount"), decimal_comma=decimal_comma)
    of_unit = F.abs(amount / F.nullif(F.col("quantity"), F.lit(0))).try_cast(MONEY)
    return {"unit_price": F.when(F.col("amount").isNull(), F.col("unit_price")).otherwise(of_unit)}


def trimmed_texts() -> dict[str, Column]:
    """Each text of the contract without what surrounds it."""
    return {name: trimmed(name) for name in LINE}


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
