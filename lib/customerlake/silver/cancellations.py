"""silver.cancellations: the lines that take a sale back, each with the line that it cancels where one can be told."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table

CANCELLATIONS = Table(
    name="silver.cancellations",
    grain="one row per line of a return",
    key=("order_line_id",),
    columns=(
        Field("order_line_id", T.StringType(), "the line that takes back"),
        Field("order_id", T.StringType(), "its order"),
        Field("customer_id", T.StringType(), "customer; null for an anonymous return", personal="identify"),
        Field("product_id", T.StringType(), "what is taken back"),
        Field("cancelled_on", T.DateType(), "day of the return"),
        Field("quantity", T.IntegerType(), "units taken back, above zero", unit="units"),
        Field("amount", MONEY, "money given back, above zero", unit="currency"),
        Field("cancelled_order_line_id", T.StringType(), "the sale that it cancels; null when none can be told"),
        Field("cancelled_order_id", T.StringType(), "the order of that sale"),
        Field(
            "link_rule",
            T.StringType(),
            "whole line, part of a line; or why there is no link: anonymous, no earlier sale",
        ),
        Field("_batch", T.LongType(), "landing that last changed the row"),
    ),
)

SAME_ITEM = ("customer_id", "product_id", "unit_price")


def cancellations(order_lines: DataFrame) -> DataFrame:
    """Link each line of a return to the sale that it cancels.

    A return cancels a sale of the same customer, product and unit price that was made before it. First, returns and
    sales of the same quantity are paired like brackets, the newest open sale first (`whole line`). What is left cancels
    part of the newest earlier sale that no whole return has cancelled, as long as its quantity suffices for all
    the returns that claim it, oldest claim first (`part of a line`).
    Takes all lines of the customers and products concerned. Within an instant sales go before returns, then by order
    and line id.
    """
    return (
        order_lines.where(is_candidate())
        .select("order_line_id", "order_id", *SAME_ITEM, *OF_LINES)
        .transform(of_items_taken_back)
        .transform(pair_whole_lines)
        .transform(claim_parts)
        .where("is_return")
        .withColumns(
            {
                "cancelled_order_line_id": of_linked_sale("order_line_id"),
                "cancelled_order_id": of_linked_sale("order_id"),
                "link_rule": link_rule(),
                "cancelled_on": F.col("ordered_on"),
                "quantity": -F.col("quantity"),
                "amount": -F.col("amount"),
            }
        )
        .transform(CANCELLATIONS.conform)
    )


OF_LINES = ("ordered_at", "ordered_on", "quantity", "amount", "is_return", "_batch")


def of_items_taken_back(lines: DataFrame) -> DataFrame:
    """The lines of items with a return, and the anonymous returns: few of all, so that few are sorted."""
    returns = lines.where("is_return")
    items = returns.where(F.col("customer_id").isNotNull()).select(*SAME_ITEM).distinct()
    anonymous = returns.where(F.col("customer_id").isNull())
    return lines.join(items, on=list(SAME_ITEM), how="left_semi").select(lines.columns).unionByName(anonymous)


def is_candidate() -> Column:
    return F.col("is_sale") | (F.col("is_return") & (F.col("quantity") < 0))


def of_linked_sale(name: str) -> Column:
    return F.when(F.col("whole").isNotNull(), F.col(f"whole.{name}")).when(
        F.col("part").isNotNull(), F.col(f"part.{name}")
    )


def link_rule() -> Column:
    return (
        F.when(F.col("whole").isNotNull(), "whole line")
        .when(F.col("part").isNotNull(), "part of a line")
        .when(F.col("customer_id").isNull(), "anonymous")
        .otherwise("no earlier sale")
    )


def pair_whole_lines(lines: DataFrame) -> DataFrame:
    """Pair returns with sales of the same quantity like brackets.

    Adds: whole (struct of the cancelled sale; null), and cancelled_by, the return that cancels a sale whole.
    Walking through time, a sale opens a bracket and a return closes one. All rows at one depth alternate between
    opening and closing, so a return belongs to the row before it at its depth, when that is a sale.
    """
    item = Window.partitionBy(*SAME_ITEM, F.abs("quantity")).orderBy(*in_time())
    depth = F.sum(F.when(F.col("is_return"), -1).otherwise(1)).over(
        item.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    level = Window.partitionBy(*SAME_ITEM, F.abs("quantity"), "level").orderBy(*in_time())
    before, after = F.lag("line").over(level), F.lead("line").over(level)
    pairs = F.col("customer_id").isNotNull()
    return (
        lines.withColumn("line", F.struct("order_line_id", "order_id", "is_return"))
        .withColumn("level", F.when(F.col("is_return"), depth + 1).otherwise(depth))
        .withColumn("whole", F.when(pairs & F.col("is_return") & ~before["is_return"], before))
        .withColumn("is_cancelled_whole", F.coalesce(pairs & ~F.col("is_return") & after["is_return"], F.lit(False)))
        .drop("line", "level")
    )


def claim_parts(lines: DataFrame) -> DataFrame:
    """Let each return that is still open claim part of the newest earlier sale that is still open.

    Adds: part (struct of the sale; null when there is none or its quantity does not suffice).
    """
    is_open_sale = ~F.col("is_return") & ~F.col("is_cancelled_whole") & F.col("customer_id").isNotNull()
    earlier = Window.partitionBy(*SAME_ITEM).orderBy(*in_time()).rowsBetween(Window.unboundedPreceding, -1)
    sale = F.when(is_open_sale, F.struct("order_line_id", "order_id", "quantity"))
    claims = F.col("is_return") & F.col("whole").isNull() & F.col("claimed").isNotNull()
    so_far = (
        Window.partitionBy(*SAME_ITEM, "claimed.order_line_id")
        .orderBy(*in_time())
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    taken = F.sum(F.when(claims, -F.col("quantity")).otherwise(0)).over(so_far)
    return (
        lines.withColumn("claimed", F.last(sale, ignorenulls=True).over(earlier))
        .withColumn("part", F.when(claims & (taken <= F.col("claimed.quantity")), F.col("claimed")))
        .drop("claimed")
    )


def in_time() -> list[Column]:
    """Sales before returns within an instant; then by order and line, so that the order is total."""
    return [F.col("ordered_at"), F.col("is_return"), F.col("order_id"), F.col("order_line_id")]
