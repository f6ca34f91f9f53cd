"""The real sales, and copies of them: who bought, by which channel, what and when.

Copy 0 is the real data, value for value. Copy k of a customer has the number + k * 100,000, orders of its own numbers,
some weeks earlier or later (whole weeks, so that weekdays stay, and within the days of the data) and other quantities.
"""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance
from customerlake.demo.times import DAY, FIRST_DAY, LAST_DAY, later

REAL_CUSTOMERS = 4372
REAL_ANONYMOUS_ORDERS = 3710
COPY_STEP = 100_000
COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
NO_PRODUCT = "POST|DOT|C2|D|M|S|B|BANK CHARGES|AMAZONFEE|CRUK|PADS|m|gift_.*|DCGS.*"
LINE_DDL = ", ".join(f"{name} string" for name in COLUMNS)


def real_lines(spark: SparkSession, folder: str) -> DataFrame:
    """Every line of the real sales, all values as they were written."""
    files = spark.read.schema(LINE_DDL).option("header", True).option("escape", '"')
    return files.csv(f"{folder}/*.csv.gz")


def chosen_customers(lines: DataFrame, *, chance: Chance, customers: int) -> DataFrame:
    """The customers of the demo: the real ones in an order of chance, then copies of them in the same order.

    Grain:   one row per customer_id; exactly `customers` rows.
    Columns: customer_id, number (as the sales write it), real_number, copy, country, shift_days, is_in_shop, first_at,
             last_at, count_days, rhythm_days (mean of days between days of orders; null for one day).
    """
    known = lines.where(F.col("CustomerID").isNotNull())
    bought_at = F.col("InvoiceDate").cast("timestamp")
    real = (
        known.groupBy(F.col("CustomerID").alias("real_number"))
        .agg(
            F.min("Country").alias("country"),
            F.min(bought_at).alias("first_at"),
            F.max(bought_at).alias("last_at"),
            F.count_distinct(F.to_date(bought_at)).alias("count_days"),
        )
        .withColumn("place", F.row_number().over(Window.orderBy(chance.bits("customer", "real_number"), "real_number")))
    )
    span = F.datediff(F.col("last_at"), F.col("first_at"))
    return (
        real.transform(_copied(customers, REAL_CUSTOMERS))
        .withColumn("shift_days", _shift(chance, "real_number", F.col("first_at"), F.col("last_at")))
        .withColumns({name: _shifted(F.col(name), F.col("shift_days")) for name in ("first_at", "last_at")})
        .withColumn("number", _number(F.col("real_number"), F.col("copy")))
        .withColumn("customer_id", F.regexp_replace("number", r"\.0$", ""))
        .withColumn("rhythm_days", F.when(F.col("count_days") > 1, span / (F.col("count_days") - 1)))
        .drop("place")
    )


def chosen_anonymous_orders(lines: DataFrame, *, chance: Chance, customers: int) -> DataFrame:
    """The orders without a customer, as many as the customers' share asks for.

    Columns: real_order (as the sales write it), copy, shift_days.
    """
    real = (
        lines.where(F.col("CustomerID").isNull())
        .groupBy(F.col("InvoiceNo").alias("real_order"))
        .agg(F.min(F.col("InvoiceDate").cast("timestamp")).alias("at"))
        .withColumn("place", F.row_number().over(Window.orderBy(chance.bits("anonymous", "real_order"), "real_order")))
    )
    wanted = round(REAL_ANONYMOUS_ORDERS * customers / REAL_CUSTOMERS)
    return (
        real.transform(_copied(wanted, REAL_ANONYMOUS_ORDERS))
        .withColumn("shift_days", _shift(chance, "real_order", F.col("at"), F.col("at")))
        .select("real_order", "copy", "shift_days")
    )


def sold_lines(lines: DataFrame, customers: DataFrame, anonymous: DataFrame, *, chance: Chance) -> DataFrame:
    """The lines of all chosen orders: the eight columns of the sales, as text.

    Adds:    order_id, customer_id (null where anonymous), copy, ordered_at, is_web.
    Takes:   customers with web_share: the probability that an order is made in the web shop.
    """
    of_customers = lines.join(
        customers.select(F.col("real_number").alias("CustomerID"), "copy", "shift_days", "customer_id", "web_share"),
        on="CustomerID",
        how="inner",
    )
    of_nobody = (
        lines.where(F.col("CustomerID").isNull())
        .join(anonymous.withColumnRenamed("real_order", "InvoiceNo"), on="InvoiceNo", how="inner")
        .withColumns({"customer_id": F.lit(None).cast("string"), "web_share": F.lit(0.1)})
    )
    own = F.col("copy") == 0
    at = _shifted(F.col("InvoiceDate").cast("timestamp"), F.col("shift_days"))
    factor = F.lit(0.8) + F.lit(0.4) * chance.uniform("quantity", "InvoiceNo", "StockCode", "Quantity", "copy")
    units = F.col("Quantity").cast("int")
    other_units = F.signum(units) * F.greatest(F.lit(1.0), F.round(F.abs(units) * factor))
    order_id = F.when(own, F.col("InvoiceNo")).otherwise(F.concat_ws("-", "InvoiceNo", "copy"))
    return (
        of_customers.unionByName(of_nobody)
        .withColumns(
            {
                "order_id": order_id,
                "ordered_at": at,
                "Quantity": F.when(own, F.col("Quantity")).otherwise(other_units.cast("int").cast("string")),
                "InvoiceDate": F.date_format(at, "yyyy-MM-dd HH:mm:ss"),
                "CustomerID": _number(F.col("CustomerID"), F.col("copy")),
            }
        )
        .withColumn("is_web", chance.happens(F.col("web_share"), "channel", "order_id"))
        .withColumn("InvoiceNo", F.col("order_id"))
        .select(*COLUMNS, "order_id", "customer_id", "copy", "ordered_at", "is_web")
    )


def orders_of(sold: DataFrame) -> DataFrame:
    """One row per order_id: customer_id, country, is_web, ordered_at, amount [GBP], count_lines, products.

    products: up to five stock codes of the order, in their own order. Adds is_cancellation, is_fragile.
    """
    is_product = ~F.col("StockCode").rlike(f"^({NO_PRODUCT})$") & (F.col("Quantity").cast("int") > 0)
    return (
        sold.groupBy("order_id", "customer_id", "is_web")
        .agg(
            F.min("Country").alias("country"),
            F.min("ordered_at").alias("ordered_at"),
            F.sum(F.col("Quantity").cast("int") * F.col("UnitPrice").cast("decimal(18,4)")).alias("amount"),
            F.count(F.lit(1)).alias("count_lines"),
            F.slice(F.sort_array(F.collect_set(F.when(is_product, F.col("StockCode")))), 1, 5).alias("products"),
            F.max(F.col("Description").rlike("GLASS|CERAMIC|PORCELAIN|MUG|PLATE|VASE|CHINA")).alias("is_fragile"),
        )
        .withColumns(
            {
                "is_cancellation": F.col("order_id").startswith("C"),
                "is_fragile": F.coalesce(F.col("is_fragile"), F.lit(False)),
            }
        )
    )


def _copied(wanted: int, real: int) -> Callable[[DataFrame], DataFrame]:
    """Repeat rows that have a place from 1 to `real`, as `copy` 0, 1, 2, ..., until there are `wanted`."""

    def copied(df: DataFrame) -> DataFrame:
        copies = max(1, -(-wanted // real))
        return df.withColumn("copy", F.explode(F.sequence(F.lit(0), F.lit(copies - 1)))).where(
            F.col("copy") * real + F.col("place") <= wanted
        )

    return copied


def _shift(chance: Chance, key: str, first_at: Column, last_at: Column) -> Column:
    """By how many days a copy's orders are moved: whole weeks, up to two, and none that leads out of the data."""
    weeks = chance.whole(-2, 2, "shift", key, "copy")
    back = F.floor(F.datediff(first_at, F.lit(FIRST_DAY)) / 7)
    ahead = F.floor(F.datediff(F.lit(LAST_DAY), last_at) / 7)
    return F.when(F.col("copy") == 0, 0).otherwise(7 * F.greatest(-back, F.least(ahead, weeks))).cast("int")


def _shifted(at: Column, days: Column) -> Column:
    return later(at, days * DAY)


def _number(real: Column, copy: Column) -> Column:
    """The customer's number as the sales write it: 17850.0; of a copy 117850.0."""
    number = F.regexp_replace(real, r"\.0$", "").cast("int") + copy * COPY_STEP
    return F.when(copy == 0, real).otherwise(F.concat(number.cast("string"), F.lit(".0")))
