"""The medallion path as one hand-written PySpark script with Delta, on JVM Spark with the settings of conf/spark.

Each layer is read back from the Delta tables of the layer before, as the others do.
"""

from time import perf_counter

STARTED = perf_counter()

import sys
from datetime import date
from pathlib import Path

import yaml
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from stages import places, timed, told

SETTINGS = Path(__file__).parents[2] / "conf" / "spark"
DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
}
RECEIVED = ("order_id", "product_id", "description", "quantity", "ordered_at", "unit_price", "customer_id", "country")
MONEY = "decimal(18, 4)"
KINDS = {
    "POST": "postage",
    "DOT": "postage",
    "C2": "postage",
    "D": "discount",
    "M": "manual",
    "S": "sample",
    "B": "bad debt",
    "BANK CHARGES": "fee",
    "AMAZONFEE": "fee",
    "CRUK": "fee",
}
SEGMENTS = {
    5: ("New Customers", "Potential Loyalists", "Potential Loyalists", "Champions", "Champions"),
    4: ("Promising", "Potential Loyalists", "Potential Loyalists", "Loyal Customers", "Loyal Customers"),
    3: ("About To Sleep", "About To Sleep", "Need Attention", "Loyal Customers", "Loyal Customers"),
    2: ("Hibernating", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"),
    1: ("Lost", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"),
}


def session() -> SparkSession:
    values = yaml.safe_load((SETTINGS / "local.yaml").read_text(encoding="utf-8"))
    values["spark.driver.extraJavaOptions"] += f" -Dlog4j2.configurationFile={SETTINGS / 'log4j2.properties'}"
    builder = SparkSession.builder.appName("plain").config("spark.pyspark.python", sys.executable)
    for name, value in (values | DELTA).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def received(spark: SparkSession, landing: Path) -> DataFrame:
    """All files' values as text; what is empty stays empty text."""
    return (
        spark.read.schema(", ".join(f"{name} STRING" for name in RECEIVED))
        .option("header", True)
        .option("escape", '"')
        .csv(str(landing / "*.csv"))
        .select(
            *[F.coalesce(name, F.lit("")).alias(name) for name in RECEIVED],
            F.element_at(F.split(F.input_file_name(), "/"), -1).alias("_source_file"),
        )
    )


def trimmed(sales: DataFrame) -> DataFrame:
    return sales.withColumns({name: F.nullif(F.btrim(name, F.lit(" \t\r\n\u00a0")), F.lit("")) for name in RECEIVED})


def typed(lines: DataFrame) -> DataFrame:
    """Trimmed texts -> the typed columns, beside the texts of those that may not be readable."""
    of_line = [F.coalesce(name, F.lit("")) for name in RECEIVED]
    quantity = F.expr(r"try_cast(regexp_replace(quantity, '\\.0+$', '') AS int)")
    amount = F.col("quantity") * F.col("unit_price")
    return (
        lines.withColumns({f"received_{name}": F.col(name) for name in ("quantity", "ordered_at", "unit_price")})
        .withColumns(
            {
                "order_line_id": F.sha2(F.concat_ws("\u001f", *of_line), 256),
                "customer_id": F.regexp_replace("customer_id", r"\.0+$", ""),
                "product_id": F.upper("product_id"),
                "quantity": F.when(F.abs(quantity) < 10**9, quantity),
                "ordered_at": F.try_to_timestamp("ordered_at", F.lit("yyyy-MM-dd HH:mm:ss")),
                "unit_price": F.expr(f"try_cast(unit_price AS {MONEY})"),
                "is_return": F.startswith("order_id", F.lit("C")),
            }
        )
        .withColumn("amount", F.when(F.abs(amount) < 10**12, amount).cast(MONEY))
    )


def is_accepted() -> Column:
    """No rule is broken; far cheaper to ask than which one is, and so asked first."""
    is_given = F.col("order_id").isNotNull() & F.col("product_id").isNotNull() & F.col("country").isNotNull()
    is_sound = (F.col("quantity") != 0) & F.col("ordered_at").isNotNull() & (F.col("unit_price") >= 0)
    return F.coalesce(is_given & is_sound & F.col("amount").isNotNull(), F.lit(False))


def reasons() -> list[Column]:
    missing = {
        "order_id": "order_id",
        "product_id": "product_id",
        "country": "country",
        "received_quantity": "quantity",
        "received_ordered_at": "ordered_at",
        "received_unit_price": "unit_price",
    }
    unreadable = {
        "quantity": "a whole number of up to nine digits",
        "ordered_at": "a date and time that exists",
        "unit_price": "a number",
    }
    quantity, unit_price = F.col("quantity"), F.col("unit_price")
    is_too_much = quantity.isNotNull() & unit_price.isNotNull() & F.col("amount").isNull()
    return [
        *[F.when(F.col(name).isNull(), F.lit(f"{called} is missing")) for name, called in missing.items()],
        *[
            F.when(
                F.col(name).isNull() & F.col(f"received_{name}").isNotNull(),
                F.format_string(f"{name} '%s' is not {expected}", F.substring(f"received_{name}", 1, 60)),
            )
            for name, expected in unreadable.items()
        ],
        F.when(quantity == 0, F.lit("quantity is zero")),
        F.when(unit_price < 0, F.concat(F.lit("unit_price "), unit_price.cast("string"), F.lit(" is negative"))),
        F.when(is_too_much, F.format_string("amount '%d x %s' is not below 1,000,000,000,000", quantity, unit_price)),
    ]


def quarantine(sales: DataFrame) -> DataFrame:
    lines = sales.withColumn("received", F.struct(*RECEIVED)).transform(trimmed).transform(typed)
    return lines.where(~is_accepted()).select(
        F.to_json("received").alias("raw"),
        F.array_compact(F.array(*reasons())).alias("reasons"),
        F.col("_source_file").alias("source_file"),
    )


def order_lines(sales: DataFrame) -> DataFrame:
    """Exact duplicates are found over the received texts, before they are typed."""
    is_return, quantity, product_id = F.col("is_return"), F.col("quantity"), F.col("product_id")
    kind = F.when(~is_return & (quantity < 0), "adjustment")
    for code, name in KINDS.items():
        kind = kind.when(product_id == code, name)
    return (
        sales.transform(trimmed)
        .groupBy(*RECEIVED)
        .agg(F.count("*").alias("count_received"), F.min("_source_file").alias("_source_file"))
        .transform(typed)
        .where(is_accepted())
        .withColumns(
            {
                "ordered_on": F.to_date("ordered_at"),
                "ordered_month": F.trunc("ordered_at", "month"),
                "channel": F.lit("online"),
                "is_sale": ~is_return & (quantity > 0) & (F.col("unit_price") > 0),
                "line_kind": kind.when(product_id.startswith("GIFT_"), "gift voucher").otherwise("product"),
                "currency": F.lit("GBP"),
            }
        )
        .withColumn("is_product", F.col("line_kind") == "product")
        .drop("received_quantity", "received_ordered_at", "received_unit_price")
    )


def orders(lines: DataFrame) -> DataFrame:
    """An order's own values are those of its first line."""
    has_amount = F.col("is_sale") | F.col("is_return")
    of_products = has_amount & F.col("is_product")
    first = F.struct("ordered_at", "order_line_id")
    own = F.min_by(F.struct("customer_id", "channel", "is_return", "currency", "country"), first)
    return (
        lines.groupBy("order_id")
        .agg(
            own.alias("own"),
            F.min("ordered_at").alias("ordered_at"),
            F.min("ordered_on").alias("ordered_on"),
            F.sum(F.when(has_amount, F.col("amount")).otherwise(0)).cast(MONEY).alias("amount"),
            F.sum(F.when(of_products, F.col("amount")).otherwise(0)).cast(MONEY).alias("product_amount"),
            F.count("*").alias("count_lines"),
            F.countDistinct(F.when(F.col("is_product"), F.col("product_id"))).alias("count_products"),
            F.sum(F.when(of_products, F.col("quantity")).otherwise(0)).alias("count_units"),
        )
        .select("*", "own.*")
        .drop("own")
    )


def is_purchase() -> Column:
    return ~F.col("is_return") & (F.col("amount") > 0)


def rfm(orders: DataFrame, *, as_of: date) -> DataFrame:
    first, last, frequency = F.min("ordered_on"), F.max("ordered_on"), F.count("*") - 1
    repeat_spend = F.sum("spend") - F.min_by("spend", "ordered_on")
    per_day = F.coalesce(repeat_spend / F.nullif(frequency, F.lit(0)), F.lit(0))
    summary = (
        orders.where(is_purchase() & F.col("customer_id").isNotNull() & (F.col("ordered_on") <= F.lit(as_of)))
        .groupBy("customer_id", "ordered_on")
        .agg(F.sum("amount").cast(MONEY).alias("spend"), F.count("*").alias("orders"))
        .groupBy("customer_id")
        .agg(
            F.lit(as_of).alias("as_of"),
            frequency.cast("int").alias("frequency"),
            F.datediff(last, first).alias("recency"),
            F.datediff(F.lit(as_of), first).alias("T"),
            per_day.cast("decimal(18, 2)").alias("monetary_value"),
            F.datediff(F.lit(as_of), last).alias("days_since_last_order"),
            F.sum("orders").alias("count_orders"),
            F.sum("spend").cast(MONEY).alias("total_spend"),
        )
    )
    scored = {"r_score": "days_since_last_order", "f_score": "count_orders", "m_score": "total_spend"}
    borders = summary.agg(
        *[F.expr(f"percentile(double({name}), array(0.2, 0.4, 0.6, 0.8))").alias(name) for name in scored.values()]
    ).first()
    below = {
        score: sum((F.col(name).cast("double") > border).cast("int") for border in borders[name])
        for score, name in scored.items()
    }
    cell = F.concat_ws(" ", "r_score", F.floor((F.col("f_score") + F.col("m_score") + 1) / 2))
    names = [
        text for r, cells in SEGMENTS.items() for fm, name in enumerate(cells, start=1) for text in (f"{r} {fm}", name)
    ]
    return summary.withColumns(
        {"r_score": 5 - below["r_score"], "f_score": 1 + below["f_score"], "m_score": 1 + below["m_score"]}
    ).withColumn("rfm_segment", F.create_map(*map(F.lit, names))[cell])


def customer_value(orders: DataFrame, *, as_of: date) -> DataFrame:
    bought = F.when(is_purchase(), F.col("amount")).otherwise(0)
    is_recent = F.col("ordered_on") > F.date_sub(F.lit(as_of), 365)
    gross, returned = F.col("gross_spend"), F.col("returned_amount")
    return (
        orders.where(F.col("customer_id").isNotNull() & (F.col("ordered_on") <= F.lit(as_of)))
        .where(is_purchase() | F.col("is_return"))
        .groupBy("customer_id")
        .agg(
            F.lit(as_of).alias("as_of"),
            F.sum(bought).cast(MONEY).alias("gross_spend"),
            F.sum(F.when(F.col("is_return"), -F.col("amount")).otherwise(0)).cast(MONEY).alias("returned_amount"),
            F.sum(F.when(is_purchase(), F.col("product_amount")).otherwise(0)).cast(MONEY).alias("product_spend"),
            F.count_if(is_purchase()).alias("count_orders"),
            F.count_if("is_return").alias("count_returns"),
            F.min(F.when(is_purchase(), F.col("ordered_on"))).alias("first_ordered_on"),
            F.max(F.when(is_purchase(), F.col("ordered_on"))).alias("last_ordered_on"),
            F.sum(F.when(is_recent, bought).otherwise(0)).cast(MONEY).alias("spend_last_365_days"),
        )
        .withColumns(
            {
                "net_spend": (gross - returned).cast(MONEY),
                "average_order_value": (gross / F.nullif("count_orders", F.lit(0))).cast("decimal(18, 2)"),
                "returned_share": returned.cast("double") / F.nullif(gross.cast("double"), F.lit(0.0)),
            }
        )
    )


def write(rows: DataFrame, path: Path, *, partition_by: str | None = None) -> None:
    writer = rows.write.format("delta").mode("append")
    (writer.partitionBy(partition_by) if partition_by else writer).save(str(path))


def main() -> None:
    landing, root = places(__doc__)
    spark = session()
    spark.sql("SELECT 1").collect()
    cold_start = perf_counter() - STARTED
    stages: dict[str, float] = {}

    def table(name: str) -> DataFrame:
        return spark.read.format("delta").load(str(root / name))

    with timed("bronze", stages):
        write(received(spark, landing), root / "bronze" / "sales")
    with timed("silver", stages):
        sales = table("bronze/sales")
        write(quarantine(sales), root / "quarantine" / "order_lines")
        write(order_lines(sales), root / "silver" / "order_lines", partition_by="ordered_month")
        write(orders(table("silver/order_lines")), root / "silver" / "orders")
    with timed("gold", stages):
        as_of = table("silver/order_lines").agg(F.max("ordered_on")).first()[0]
        made = table("silver/orders")
        write(rfm(made, as_of=as_of), root / "gold" / "rfm", partition_by="as_of")
        write(customer_value(made, as_of=as_of), root / "gold" / "customer_value", partition_by="as_of")
    print(told(cold_start, stages))


if __name__ == "__main__":
    main()
