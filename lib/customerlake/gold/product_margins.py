"""What the products of an order brought beyond what they cost, as far as the list of products knows their cost."""

from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.table import MONEY
from customerlake.silver.cleaning.money import at_days_rate
from customerlake.silver.order_lines import LARGEST_AMOUNT


def product_margins(
    order_lines: DataFrame, product_list: DataFrame, exchange_rates: DataFrame | None = None, *, currency: str
) -> DataFrame:
    """One row per order_id with a product sold or taken back.

    Adds:    margin [`currency`, the lake's], amount - quantity x unit_cost over its lines of products whose cost is
             known, null where none is; below zero for what was taken back, as if it could be sold again.
             sold_amount, of its sale lines of products; costed_amount, the part of it whose cost is known.
    A cost is that of the product list as it now is, at the rate of the line's day; without a rate it is not known.
    """
    margin = F.col("amount") - F.col("cost")
    sold = F.when(F.col("is_sale"), F.col("amount")).otherwise(0)
    return (
        order_lines.where(F.col("is_product") & (F.col("is_sale") | F.col("is_return")))
        .select("order_id", "product_id", "ordered_on", "quantity", "amount", "is_sale")
        .transform(with_costs(product_list, exchange_rates, currency))
        .groupBy("order_id")
        .agg(
            F.sum(margin).cast(MONEY).alias("margin"),
            F.sum(sold).cast(MONEY).alias("sold_amount"),
            F.sum(F.when(F.col("cost").isNotNull(), sold).otherwise(0)).cast(MONEY).alias("costed_amount"),
        )
    )


def with_costs(
    product_list: DataFrame, exchange_rates: DataFrame | None, currency: str
) -> Callable[[DataFrame], DataFrame]:
    """Adds: cost [`currency`] of the line's units. Lines hold product codes in capitals, the product feed as it likes:
    of two spellings of a code, the cost that was stated last stands."""
    stated = F.max(F.struct("updated_at", "unit_cost", "currency")).alias("stated")
    costs = (
        product_list.where(F.col("unit_cost").isNotNull())
        .groupBy(F.upper("product_id").alias("product_id"))
        .agg(stated)
        .select("product_id", "stated.unit_cost", "stated.currency")
    )
    cost = F.col("quantity") * F.col(f"amount_{currency.lower()}")

    def costed(lines: DataFrame) -> DataFrame:
        listed = lines.join(F.broadcast(costs), on="product_id", how="left")
        return at_days_rate(listed, exchange_rates, currency=currency, amount="unit_cost").withColumn(
            "cost",
            F.when(F.abs(cost) < LARGEST_AMOUNT, cost),  # a bar code in the cost column must not overflow the sums
        )

    return costed
