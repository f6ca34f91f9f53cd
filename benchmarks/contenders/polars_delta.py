"""The medallion path by hand in Polars, lazily and on its streaming engine, written through delta-rs.

Each layer is read back from the Delta tables of the layer before, as the others do. SHA-256 comes from the plugin
polars-hash, since Polars has none.
"""

from time import perf_counter

STARTED = perf_counter()

from datetime import date
from pathlib import Path

import polars as pl
import polars_hash as plh
from stages import places, timed, told

COLUMNS = {
    "InvoiceNo": "order_id",
    "StockCode": "product_id",
    "Description": "description",
    "Quantity": "quantity",
    "InvoiceDate": "ordered_at",
    "UnitPrice": "unit_price",
    "CustomerID": "customer_id",
    "Country": "country",
}
RECEIVED = list(COLUMNS.values())
MONEY = pl.Decimal(18, 4)
LARGEST_AMOUNT = 10**12
KINDS = {
    "postage": ["POST", "DOT", "C2"],
    "discount": ["D"],
    "manual": ["M"],
    "sample": ["S"],
    "bad debt": ["B"],
    "fee": ["BANK CHARGES", "AMAZONFEE", "CRUK"],
}
SEGMENTS = {
    5: ["New Customers", "Potential Loyalists", "Potential Loyalists", "Champions", "Champions"],
    4: ["Promising", "Potential Loyalists", "Potential Loyalists", "Loyal Customers", "Loyal Customers"],
    3: ["About To Sleep", "About To Sleep", "Need Attention", "Loyal Customers", "Loyal Customers"],
    2: ["Hibernating", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"],
    1: ["Lost", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"],
}


def received(landing: Path) -> pl.LazyFrame:
    """All files' values as text; what is empty stays empty text."""
    return (
        pl.scan_csv(
            landing / "*.csv", infer_schema=False, empty_string_is_null=False, include_file_paths="_source_file"
        )
        .rename(COLUMNS)
        .with_columns(pl.col("_source_file").str.split("/").list.last())
    )


def trimmed() -> list[pl.Expr]:
    text = pl.col(RECEIVED).str.strip_chars(" \t\r\n\u00a0")
    return [pl.when(text != "").then(text)]


def typed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Trimmed texts -> the typed columns, beside the texts of those that may not be readable."""
    quantity = pl.col("quantity").str.replace(r"\.0+$", "").cast(pl.Int32, strict=False)
    return lines.with_columns(
        plh.concat_str(pl.col(RECEIVED).fill_null(""), separator="\x1f").chash.sha2_256().alias("order_line_id"),
        pl.col("quantity", "ordered_at", "unit_price").name.prefix("received_"),
        pl.col("customer_id").str.replace(r"\.0+$", ""),
        pl.col("product_id").str.to_uppercase(),
        pl.when(quantity.abs() < 10**9).then(quantity).alias("quantity"),
        pl.col("ordered_at").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False),
        pl.col("unit_price").cast(MONEY, strict=False),
    ).with_columns(
        (pl.col("quantity") * pl.col("unit_price")).alias("amount"),
        pl.col("order_id").str.starts_with("C").alias("is_return"),
    )


def is_accepted() -> pl.Expr:
    is_given = pl.all_horizontal(pl.col("order_id", "product_id", "country", "ordered_at").is_not_null())
    is_sound = (pl.col("quantity") != 0) & (pl.col("unit_price") >= 0) & (pl.col("amount").abs() < LARGEST_AMOUNT)
    return (is_given & is_sound).fill_null(False)


def reasons() -> pl.Expr:
    """Every broken rule in words."""
    missing = [
        pl.when(pl.col(column).is_null()).then(pl.lit(f"{called} is missing"))
        for column, called in {
            "order_id": "order_id",
            "product_id": "product_id",
            "country": "country",
            "received_quantity": "quantity",
            "received_ordered_at": "ordered_at",
            "received_unit_price": "unit_price",
        }.items()
    ]
    unreadable = [
        pl.when(pl.col(column).is_null() & pl.col(f"received_{column}").is_not_null()).then(
            pl.format(f"{column} '{{}}' is not {expected}", pl.col(f"received_{column}").str.head(60))
        )
        for column, expected in {
            "quantity": "a whole number of up to nine digits",
            "ordered_at": "a date and time that exists",
            "unit_price": "a number",
        }.items()
    ]
    amount = pl.format("amount '{} x {}' is not below 1,000,000,000,000", "quantity", "unit_price")
    wrong = [
        pl.when(pl.col("quantity") == 0).then(pl.lit("quantity is zero")),
        pl.when(pl.col("unit_price") < 0).then(pl.format("unit_price {} is negative", "unit_price")),
        pl.when(pl.col("amount").abs() >= LARGEST_AMOUNT).then(amount),
    ]
    return pl.concat_list(*missing, *unreadable, *wrong).list.drop_nulls()


def quarantine(sales: pl.LazyFrame) -> pl.LazyFrame:
    raw = pl.struct(RECEIVED).struct.json_encode().alias("raw")
    return (
        sales.with_columns(raw, *trimmed())
        .pipe(typed)
        .filter(~is_accepted())
        .select("raw", reasons().alias("reasons"), pl.col("_source_file").alias("source_file"))
    )


def order_lines(sales: pl.LazyFrame) -> pl.LazyFrame:
    """Exact duplicates are found over the received texts, before they are typed."""
    is_return, quantity = pl.col("is_return"), pl.col("quantity")
    return (
        sales.with_columns(*trimmed())
        .group_by(RECEIVED)
        .agg(pl.len().cast(pl.Int64).alias("count_received"), pl.col("_source_file").min())
        .pipe(typed)
        .filter(is_accepted())
        .with_columns(
            pl.col("ordered_at").dt.replace_time_zone("UTC"),
            pl.col("ordered_at").dt.date().alias("ordered_on"),
            pl.col("ordered_at").dt.date().dt.month_start().alias("ordered_month"),
            pl.lit("online").alias("channel"),
            (~is_return & (quantity > 0) & (pl.col("unit_price") > 0)).alias("is_sale"),
            line_kind().alias("line_kind"),
            pl.col("amount").cast(MONEY),
            pl.lit("GBP").alias("currency"),
        )
        .with_columns((pl.col("line_kind") == "product").alias("is_product"))
        .drop("received_quantity", "received_ordered_at", "received_unit_price")
    )


def line_kind() -> pl.Expr:
    kind = pl.when(~pl.col("is_return") & (pl.col("quantity") < 0)).then(pl.lit("adjustment"))
    for name, codes in KINDS.items():
        kind = kind.when(pl.col("product_id").is_in(codes)).then(pl.lit(name))
    return kind.when(pl.col("product_id").str.starts_with("GIFT_")).then(pl.lit("gift voucher")).otherwise(
        pl.lit("product")
    )  # fmt: skip


def orders(lines: pl.LazyFrame) -> pl.LazyFrame:
    """An order's own values are those of its first line."""
    has_amount = pl.col("is_sale") | pl.col("is_return")
    is_product = pl.col("is_product")
    first = pl.struct("ordered_at", "order_line_id")
    return lines.group_by("order_id").agg(
        pl.col("customer_id", "channel", "is_return", "currency", "country").min_by(first),
        pl.col("ordered_at", "ordered_on").min(),
        pl.col("amount").filter(has_amount).sum().cast(MONEY),
        pl.col("amount").filter(has_amount & is_product).sum().cast(MONEY).alias("product_amount"),
        pl.len().cast(pl.Int64).alias("count_lines"),
        pl.col("product_id").filter(is_product).n_unique().cast(pl.Int64).alias("count_products"),
        pl.col("quantity").cast(pl.Int64).filter(has_amount & is_product).sum().alias("count_units"),
    )


def is_purchase() -> pl.Expr:
    return ~pl.col("is_return") & (pl.col("amount") > 0)


def mean_money(total: pl.Expr, count: pl.Expr) -> pl.Expr:
    """A mean to the cent, half up, of amounts not below zero."""
    hundredths = (total * 10_000).cast(pl.Int64) * 2 + 100 * count
    return (hundredths // (200 * count)).cast(pl.Decimal(18, 2)) * pl.lit("0.01").cast(pl.Decimal(18, 2))


def rfm(orders: pl.LazyFrame, *, as_of: date) -> pl.LazyFrame:
    is_known = pl.col("customer_id").is_not_null() & (pl.col("ordered_on") <= as_of)
    days = (
        orders.filter(is_purchase() & is_known)
        .group_by("customer_id", "ordered_on")
        .agg(pl.col("amount").sum().alias("spend"), pl.len().alias("orders"))
    )
    first, last = pl.col("ordered_on").min(), pl.col("ordered_on").max()
    summary = days.group_by("customer_id").agg(
        (pl.len().cast(pl.Int32) - 1).alias("frequency"),
        (last - first).dt.total_days().cast(pl.Int32).alias("recency"),
        (as_of - first).dt.total_days().cast(pl.Int32).alias("T"),
        (pl.col("spend").sum() - pl.col("spend").min_by("ordered_on")).alias("repeat_spend"),
        (as_of - last).dt.total_days().cast(pl.Int32).alias("days_since_last_order"),
        pl.col("orders").sum().cast(pl.Int64).alias("count_orders"),
        pl.col("spend").sum().cast(MONEY).alias("total_spend"),
    )
    frequency = pl.col("frequency").cast(pl.Int64)
    monetary_value = pl.when(frequency > 0).then(mean_money(pl.col("repeat_spend"), frequency)).otherwise(0)
    return (
        summary.with_columns(
            pl.lit(as_of).alias("as_of"),
            monetary_value.cast(pl.Decimal(18, 2)).alias("monetary_value"),
            (5 - borders_below("days_since_last_order")).alias("r_score"),
            (1 + borders_below("count_orders")).alias("f_score"),
            (1 + borders_below("total_spend")).alias("m_score"),
        )
        .with_columns(named_segment().alias("rfm_segment"))
        .drop("repeat_spend")
    )


def borders_below(name: str) -> pl.Expr:
    """How many of the four borders of the fifths are below the value."""
    value = pl.col(name).cast(pl.Float64)
    return pl.sum_horizontal(
        (value > value.quantile(border, interpolation="linear")).cast(pl.Int32) for border in (0.2, 0.4, 0.6, 0.8)
    )


def named_segment() -> pl.Expr:
    cell = pl.col("r_score") * 10 + (pl.col("f_score") + pl.col("m_score") + 1) // 2
    names = {r * 10 + fm: name for r, cells in SEGMENTS.items() for fm, name in enumerate(cells, start=1)}
    return cell.replace_strict(names, return_dtype=pl.String)


def customer_value(orders: pl.LazyFrame, *, as_of: date) -> pl.LazyFrame:
    is_return, amount, ordered_on = pl.col("is_return"), pl.col("amount"), pl.col("ordered_on")
    bought = is_purchase()
    is_recent = bought & (ordered_on > pl.lit(as_of).dt.offset_by("-365d"))
    gross, returned = pl.col("gross_spend"), pl.col("returned_amount")
    count = pl.col("count_orders")
    return (
        orders.filter(pl.col("customer_id").is_not_null() & (ordered_on <= as_of) & (bought | is_return))
        .group_by("customer_id")
        .agg(
            amount.filter(bought).sum().cast(MONEY).alias("gross_spend"),
            (-amount).filter(is_return).sum().cast(MONEY).alias("returned_amount"),
            pl.col("product_amount").filter(bought).sum().cast(MONEY),
            bought.sum().cast(pl.Int64).alias("count_orders"),
            is_return.sum().cast(pl.Int64).alias("count_returns"),
            ordered_on.filter(bought).min().alias("first_ordered_on"),
            ordered_on.filter(bought).max().alias("last_ordered_on"),
            amount.filter(is_recent).sum().cast(MONEY).alias("spend_last_365_days"),
        )
        .rename({"product_amount": "product_spend"})
        .with_columns(
            pl.lit(as_of).alias("as_of"),
            (gross - returned).cast(MONEY).alias("net_spend"),
            pl.when(count > 0).then(mean_money(gross, count)).cast(pl.Decimal(18, 2)).alias("average_order_value"),
            pl.when(gross > 0).then(returned.cast(pl.Float64) / gross.cast(pl.Float64)).alias("returned_share"),
        )
    )


def write(rows: pl.LazyFrame, path: Path, *, partition_by: str | None = None) -> None:
    options = {"partition_by": partition_by} if partition_by else None
    rows.sink_delta(path, mode="append", delta_write_options=options, engine="streaming")


def main() -> None:
    landing, root = places(__doc__)
    pl.select(pl.lit(1))
    cold_start = perf_counter() - STARTED
    stages: dict[str, float] = {}
    with timed("bronze", stages):
        write(received(landing), root / "bronze" / "sales")
    with timed("silver", stages):
        sales = pl.scan_delta(root / "bronze" / "sales")
        write(quarantine(sales), root / "quarantine" / "order_lines")
        write(order_lines(sales), root / "silver" / "order_lines", partition_by="ordered_month")
        lines = pl.scan_delta(root / "silver" / "order_lines")
        write(orders(lines), root / "silver" / "orders")
    with timed("gold", stages):
        as_of = lines.select(pl.col("ordered_on").max()).collect().item()
        made = pl.scan_delta(root / "silver" / "orders")
        write(rfm(made, as_of=as_of), root / "gold" / "rfm", partition_by="as_of")
        write(customer_value(made, as_of=as_of), root / "gold" / "customer_value", partition_by="as_of")
    print(told(cold_start, stages))


if __name__ == "__main__":
    main()
