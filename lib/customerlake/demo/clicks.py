"""The clickstream: what is done in each session, event by event, and by which device."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance
from customerlake.demo.times import later

WORDS = (
    "heart",
    "christmas",
    "vintage",
    "mug",
    "lantern",
    "bag",
    "cake stand",
    "birthday",
    "candle",
    "garden",
    "retro spot",
)


def visits_of(sessions: DataFrame, *, chance: Chance) -> DataFrame:
    """How many events of each kind a session has, who it is to the shop, where it came from and how fast it goes.

    A visitor_id is a cookie: a customer has one on the desktop and one on the phone, and some lose theirs each month.
    """
    key = "session_id"
    orders, knows = F.col("reason") == "order", F.col("customer_id").isNotNull()
    size = F.size("products")
    views = F.when(orders, F.least(size, F.lit(4))).otherwise(F.least(size, chance.whole(0, 5, "views", key)))
    eager = F.when(F.col("reason") == "look", 0.5).when(F.col("reason") == "email", 0.3).otherwise(0.18)
    carts = F.when(orders, F.least(size, chance.whole(1, 4, "carts", key))).otherwise(
        F.when(chance.happens(eager, "cart", key), F.least(views, chance.whole(1, 2, "carts", key))).otherwise(0)
    )
    # before the first order the shop does not know who comes
    is_member = knows & (F.col("at") >= F.col("joined_at"))
    logs_in = is_member & (orders | chance.happens(0.55, "logs in", key))
    is_mobile = chance.happens(0.3, "phone", key)
    device = (
        F.when(is_mobile, "mobile").when(chance.happens(0.1, "tablet", "customer_id"), "tablet").otherwise("desktop")
    )
    loses = chance.happens(0.15, "clears cookies", "customer_id")
    cookie = F.when(loses, F.date_format("at", "yyyy-MM")).otherwise(F.lit(""))
    visitor = F.when(knows, chance.identifier("visitor", "customer_id", is_mobile, cookie, letter="v")).otherwise(
        chance.identifier("stranger", key, letter="v")
    )
    channels = {"direct": 0.4, "search": 0.3, "social": 0.1, "affiliate": 0.08, "paid": 0.12}
    return sessions.withColumns(
        {
            "count_views": views,
            "count_carts": carts,
            "count_searches": F.when(chance.happens(0.3, "searches", key), 1).otherwise(0),
            "count_logins": F.when(logs_in, 1).otherwise(0),
            "count_ends": F.when(orders, 2).otherwise(0),
            "visitor_id": visitor,
            "device": device,
            "channel": F.when(F.col("reason") == "email", F.lit("email")).otherwise(
                chance.weighted(channels, "came by", key)
            ),
            "pace": chance.whole(15, 80, "pace", key),
        }
    )


def web_events(visits: DataFrame, *, chance: Chance) -> DataFrame:
    """The feed: one row per event of a session; the customer's number only once logged in.

    A session that orders ends in the order, at the moment of the order: page, search, login, views, carts, checkout.
    """
    searched = F.lit(1) + F.col("count_searches")
    logged_in = searched + F.col("count_logins")
    viewed = logged_in + F.col("count_views")
    carted = viewed + F.col("count_carts")
    place, last = F.col("place"), carted + F.col("count_ends") - 1
    kind = (
        F.when(place == 0, F.lit("page_view"))
        .when(place < searched, F.lit("search"))
        .when(place < logged_in, F.lit("login"))
        .when(place < viewed, F.lit("product_view"))
        .when(place < carted, F.lit("add_to_cart"))
        .when(place < last, F.lit("checkout"))
        .otherwise(F.lit("order"))
    )
    item = F.when(F.col("event_type") == "product_view", place - logged_in).when(
        F.col("event_type") == "add_to_cart", place - viewed
    )
    product = F.when(item.isNotNull(), F.get("products", item))
    ends_in_order = F.col("count_ends") > 0
    seconds = F.when(ends_in_order, (place - last) * F.col("pace")).otherwise(place * F.col("pace"))
    jitter = F.when(ends_in_order & (place == last), 0).otherwise(chance.whole(0, 12, "seconds", "session_id", "place"))
    is_known = (F.col("count_logins") == 1) & (place >= searched)
    return (
        visits.withColumn("place", F.explode(F.sequence(F.lit(0), last)))
        .withColumn("event_type", kind)
        .withColumn("product_id", product)
        .select(
            chance.identifier("event", "session_id", "place").alias("event_id"),
            "visitor_id",
            F.when(is_known, F.col("customer_id")).alias("customer_id"),
            "event_type",
            "product_id",
            F.when(F.col("event_type") == "order", F.col("order_id")).alias("order_id"),
            F.when(F.col("event_type") == "search", chance.chosen(WORDS, "words", "session_id")).alias("search_text"),
            _url().alias("url"),
            F.when((place == 0) & (F.col("channel") == "search"), F.lit("https://search.example/")).alias("referrer"),
            "campaign_id",
            "channel",
            "device",
            "country",
            later("at", seconds + jitter).alias("happened_at"),
        )
    )


def _url() -> Column:
    kind = F.col("event_type")
    product = F.lower("product_id")
    return (
        F.when(kind == "product_view", F.concat(F.lit("/p/"), product))
        .when(kind.isin("add_to_cart"), F.lit("/cart"))
        .when(kind.isin("checkout", "order"), F.lit("/checkout"))
        .when(kind == "search", F.lit("/search"))
        .when(kind == "login", F.lit("/login"))
        .when(F.col("campaign_id").isNotNull(), F.concat(F.lit("/offers/"), F.lower("campaign_id")))
        .otherwise(F.lit("/"))
    )
