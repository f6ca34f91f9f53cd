"""Why people come to the web shop: to order, to look before they order, to browse, after an e-mail, or by chance.

What causes a session: a real web order (the order is its outcome, minutes later; of half of the orders a session or two
some days before looks at the same products), else engagement, lapse and e-mail. Nothing else of an order is known here.
"""

from datetime import timedelta

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance
from customerlake.demo.email import TEST, TEST_DAYS
from customerlake.demo.people import activity
from customerlake.demo.times import DAY, FIRST_DAY, HOUR, LAST_DAY, end, later, start

SHELF = 8  # products that lie side by side
FAVOURITE_SHELVES = 4
COLUMNS = ("session_id", "customer_id", "reason", "at", "country", "products", "order_id", "campaign_id", "joined_at")
"""Of every kind of session. `at` is when it begins; of one that orders, the moment of the order, which ends it."""


def order_sessions(orders: DataFrame, customers: DataFrame, *, chance: Chance) -> DataFrame:
    """The session in which each web order was made, and the visits some days before that led to it."""
    made = (
        orders.where(F.col("is_web") & ~F.col("is_cancellation"))
        .join(customers.select("customer_id", "joined_at"), on="customer_id", how="left")
        .withColumn("campaign_id", F.lit(None).cast("string"))
    )
    ordering = made.withColumns(
        {"session_id": session_of_order(chance), "reason": F.lit("order"), "at": F.col("ordered_at")}
    ).select(*COLUMNS)
    visit = F.explode(F.sequence(F.lit(1), chance.whole(1, 2, "looks", "order_id")))
    days = F.lit(0.2) + F.lit(6.0) * chance.uniform("days before", "order_id", "visit")
    looking = (
        made.where(F.col("customer_id").isNotNull() & chance.happens(0.5, "looks before", "order_id"))
        .withColumn("visit", visit)
        .withColumns(
            {
                "session_id": chance.identifier("look", "order_id", "visit", letter="s"),
                "reason": F.lit("look"),
                "at": later("ordered_at", -days * DAY),
                "order_id": F.lit(None).cast("string"),
            }
        )
        .where(F.col("at") > start())
        .select(*COLUMNS)
    )
    return ordering.unionByName(looking)


def session_of_order(chance: Chance) -> Column:
    return chance.identifier("session", "order_id", letter="s")


def certain_visitors(sessions: DataFrame) -> DataFrame:
    """The customers whom an order brings to the shop in the weeks of the test, whatever they are sent."""
    return sessions.where(F.col("customer_id").isNotNull() & in_test(F.col("at"))).select("customer_id").distinct()


def in_test(at: Column) -> Column:
    """Within the days on which the test is measured: from the day it was sent, to two weeks later."""
    first = TEST.sent_on
    return F.to_date(at).between(F.lit(first), F.lit(first + timedelta(days=TEST_DAYS)))


def browsing(customers: DataFrame, shelves: DataFrame, members: DataFrame, *, chance: Chance) -> DataFrame:
    """Visits without an order, week by week, by engagement. In the test its members visit by its draw alone."""
    weeks = (LAST_DAY - FIRST_DAY).days // 7
    week_at = later(start(), F.col("week") * 7 * DAY)
    weekday = chance.whole(0, 6, "weekday", "customer_id", "week")
    moment = weekday * DAY + (F.lit(7.0) + 16.5 * chance.uniform("hour", "customer_id", "week")) * HOUR
    often = F.lit(0.75) * F.col("engagement") * activity(F.col("week_at"))
    tested = members.where(F.col("campaign_id") == TEST.campaign_id).select(
        "customer_id", F.lit(True).alias("is_tested")
    )
    return (
        customers.withColumn("week", F.explode(F.sequence(F.lit(0), F.lit(weeks))))
        .withColumn("week_at", week_at)
        .where(chance.happens(often, "browses", "customer_id", "week"))
        .withColumn("at", later("week_at", moment))
        .where((F.col("at") > F.col("joined_at")) & (F.col("at") < later(end(), -HOUR)))
        .join(tested, on="customer_id", how="left")
        .where(F.col("is_tested").isNull() | ~in_test(F.col("at")))
        .withColumns(
            {
                "session_id": chance.identifier("browse", "customer_id", "week", letter="s"),
                "reason": F.lit("browse"),
                "campaign_id": F.lit(None).cast("string"),
            }
        )
        .transform(lambda df: _with_products(df, shelves, chance))
    )


def from_email(members: DataFrame, shelves: DataFrame, *, chance: Chance) -> DataFrame:
    """Visits by a click in an e-mail, and of the test those without a click; a third of the latter come again."""
    clicked = members.where(F.col("clicked_at").isNotNull()).withColumns(
        {"at": later("clicked_at", 3), "reason": F.lit("email"), "visit": F.lit(1)}
    )
    again = F.when(chance.happens(0.3, "comes again", "message_id"), 2).otherwise(1)
    came = members.where(F.col("visits_at").isNotNull()).withColumn("visit", F.explode(F.sequence(F.lit(1), again)))
    later_at = F.least(later("visits_at", F.lit(20.0 * HOUR)), later("sent_at", TEST_DAYS * DAY - 2 * HOUR))
    unclicked = (
        came.where((F.col("visit") == 2) | F.col("clicked_at").isNull())
        .withColumn("at", F.when(F.col("visit") == 2, later_at).otherwise(F.col("visits_at")))
        .withColumns({"reason": F.lit("browse"), "campaign_id": F.lit(None).cast("string")})
    )
    return (
        clicked.unionByName(unclicked)
        .withColumn("session_id", chance.identifier("from email", "message_id", "visit", "reason", letter="s"))
        .transform(lambda df: _with_products(df, shelves, chance))
    )


def passers_by(spark: SparkSession, shelves: DataFrame, *, customers: int, chance: Chance) -> DataFrame:
    """Visitors who never become customers: two for each customer, over the whole time."""
    seconds = (LAST_DAY - FIRST_DAY).days * DAY
    none = F.lit(None).cast("string")
    return (
        spark.range(2 * customers)
        .withColumns(
            {
                "session_id": chance.identifier("passer-by", "id", letter="s"),
                "at": later(start(), chance.uniform("moment of a passer-by", "id") * seconds),
                "country": chance.weighted(
                    {"United Kingdom": 0.8, "Germany": 0.05, "France": 0.05, "USA": 0.1}, "passer-by from", "id"
                ),
                "reason": F.lit("pass"),
                "customer_id": none,
                "campaign_id": none,
                "joined_at": F.lit(None).cast("timestamp"),
            }
        )
        .transform(lambda df: _with_products(df, shelves, chance))
    )


def shelves_of(products: DataFrame) -> DataFrame:
    """Products by how much they are liked, eight to a shelf: shelf (from 0), shelf_products.

    products: product_id and place, from 1.
    """
    return (
        products.withColumn("shelf", F.floor((F.col("place") - 1) / SHELF).cast("int"))
        .groupBy("shelf")
        .agg(F.sort_array(F.collect_list("product_id")).alias("products"))
    )


def _with_products(sessions: DataFrame, shelves: DataFrame, chance: Chance) -> DataFrame:
    """The shelf that a session looks at: often one of the customer's own favourites; popular ones more often."""
    own = chance.happens(0.6, "own shelf", "session_id") & F.col("customer_id").isNotNull()
    which = chance.whole(1, FAVOURITE_SHELVES, "favourite", "session_id")
    draw = F.when(own, chance.uniform("shelf of customer", "customer_id", which)).otherwise(
        chance.uniform("shelf", "session_id")
    )
    shelf = F.floor(F.pow(draw, F.lit(2.2)) * F.col("count_shelves")).cast("int")
    counted = shelves.agg(F.max("shelf").alias("last_shelf")).select((F.col("last_shelf") + 1).alias("count_shelves"))
    return (
        sessions.crossJoin(F.broadcast(counted))
        .withColumn("shelf", shelf)
        .join(F.broadcast(shelves), on="shelf", how="inner")
        .withColumn("order_id", F.lit(None).cast("string"))
        .select(*COLUMNS)
    )
