"""The two feeds of sales: the web shop's orders and the tills' receipts. Together they hold every line once."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance
from customerlake.demo.dirt import mistyped_mailbox
from customerlake.demo.sales import COLUMNS
from customerlake.demo.sessions import session_of_order


def checkouts(orders: DataFrame, customers: DataFrame, *, chance: Chance) -> DataFrame:
    """What the web shop asks of an order: order_id, session_id, email as typed (null of guests), coupon, person_id."""
    coupon = chance.chosen(["SAVE5", "WELCOME", "FREEPOST"], "coupon", "order_id")
    uses = chance.happens(F.lit(0.12) * F.col("price_sensitivity"), "uses a coupon", "order_id")
    mail = F.when(F.coalesce(F.col("ordered_at") > F.col("new_email_at"), F.lit(False)), F.col("new_email")).otherwise(
        F.col("email")
    )
    return (
        orders.where(F.col("is_web"))
        .select("order_id", "customer_id", "ordered_at", "is_cancellation")
        .join(customers.drop("country"), on="customer_id", how="left")
        .select(
            "order_id",
            F.when(~F.col("is_cancellation"), session_of_order(chance)).alias("session_id"),
            mistyped_mailbox(mail, 0.01, chance=chance, record="order_id").alias("email"),
            F.when(uses & ~F.col("is_cancellation"), coupon).alias("coupon"),
            "person_id",
            "household_id",
            "ordered_at",
        )
    )


def web_orders(sold: DataFrame, checked_out: DataFrame) -> DataFrame:
    """The feed: one row per line of an order of the web shop."""
    asked = checked_out.select("order_id", "session_id", "email", "coupon")
    lines = sold.where(F.col("is_web")).join(asked, on="order_id", how="inner")
    return lines.select(*COLUMNS, "session_id", "email", "coupon", "ordered_at")


def pos_sales(sold: DataFrame, *, chance: Chance) -> DataFrame:
    """The feed: one row per line of a receipt."""
    payment = {"card": 0.7, "cash": 0.25, "voucher": 0.05}
    return sold.where(~F.col("is_web")).select(
        *COLUMNS,
        F.concat(F.lit("S0"), chance.whole(1, 6, "store", "order_id").cast("string")).alias("store_id"),
        chance.weighted(payment, "payment", "order_id").alias("payment_method"),
        "ordered_at",
    )
