"""Posts and reviews, in English and Chinese: some days after the product came, about it and how it came."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance, one_of
from customerlake.demo.people import listed
from customerlake.demo.sales import NO_PRODUCT
from customerlake.demo.times import DAY, HOUR, end, later

SHARE = 0.012  # of lines of orders that are written about
BAD = 0.5  # more, from experiences that are bad


def posts_of(sold: DataFrame, experienced: DataFrame, *, chance: Chance) -> DataFrame:
    """Every post, once, with its true sentiment.

    Grain:   one row per post_id; at most one for a product of an order.
    Columns: the order's and customer's; product_id, product, stars, sentiment, post_language, network, posted_at,
             edited_at (null: never).
    """
    key = ("order_id", "product_id")
    written = (
        sold.where(F.col("customer_id").isNotNull() & (F.col("Quantity").cast("int") > 0))
        .where(~F.col("StockCode").rlike(f"^({NO_PRODUCT})$") & F.col("Description").isNotNull())
        .where(chance.happens(2 * SHARE, "might be written about", "order_id", "StockCode"))
        .groupBy("order_id", F.col("StockCode").alias("product_id"))
        .agg(F.max("Description").alias("product"))
        .join(experienced, on="order_id", how="inner")
    )
    quality = F.lit(0.65) + F.lit(0.2) * chance.normal("quality", "product_id")
    felt = F.lit(0.5) * quality + F.lit(0.5) * F.col("experience") + F.lit(0.1) * chance.normal("review", *key)
    writes = F.when(F.col("stars").isin(1, 2, 5), 0.5 + BAD / 2).otherwise(0.35)
    posted = later("delivered_at", (F.lit(1.0) + F.lit(18.0) * chance.uniform("days to write", *key)) * DAY)
    sentiment = F.when(F.col("stars") >= 4, "positive").when(F.col("stars") == 3, "neutral").otherwise("negative")
    english = {"shop": 0.6, "twitter": 0.2, "facebook": 0.2}
    chinese = {"weibo": 0.6, "shop": 0.4}
    return (
        written.withColumn(
            "stars", F.greatest(F.lit(1), F.least(F.lit(5), F.round(F.lit(0.4) + felt * 5.2).cast("int")))
        )
        .where(chance.happens(writes, "writes", *key))
        .withColumns(
            {
                "sentiment": sentiment,
                "post_language": F.when(F.col("writes_chinese"), F.lit("zh")).otherwise(F.lit("en")),
                "post_id": chance.identifier("post", *key, letter="r"),
                "network": F.when(F.col("writes_chinese"), chance.weighted(chinese, "network", *key)).otherwise(
                    chance.weighted(english, "network", *key)
                ),
                "posted_at": posted,
                "edited_at": F.when(chance.happens(0.04, "edited", *key), later(posted, 30 * HOUR)),
            }
        )
        .where(F.col("posted_at") < end())
        .withColumn("edited_at", F.when(F.col("edited_at") < end(), F.col("edited_at")))
    )


def social_posts(written: DataFrame, *, chance: Chance) -> DataFrame:
    """The feed: one row per state of a post. Stars and the customer's number only in the shop's own reviews."""
    in_shop = F.col("network") == "shop"
    handle = F.concat(
        F.lower(F.substring("first_name", 1, 4)),
        F.lit("_"),
        F.substring(chance.identifier("handle", "person_id"), 1, 5),
    )
    name = F.coalesce(
        F.col("native_name"),
        F.concat_ws(" ", F.col("first_name"), F.concat(F.substring("last_name", 1, 1), F.lit("."))),
    )
    states = F.when(F.col("edited_at").isNotNull(), F.array(F.lit(False), F.lit(True))).otherwise(F.array(F.lit(False)))
    edit = {"en": " Edit: still think so.", "zh": " 追评：看法不变。"}
    note = F.when(F.col("post_language") == "zh", F.lit(edit["zh"])).otherwise(F.lit(edit["en"]))
    return written.withColumn("is_edited", F.explode(states)).select(
        "post_id",
        "network",
        F.when(in_shop, name).otherwise(handle).alias("author"),
        F.when(in_shop & chance.happens(0.8, "verified", "post_id"), F.col("customer_id")).alias("customer_id"),
        F.when(chance.happens(0.9, "language known", "post_id"), F.col("post_language")).alias("language"),
        F.concat(_text(chance), F.when(F.col("is_edited"), note).otherwise(F.lit(""))).alias("text"),
        F.when(in_shop, F.col("stars").cast("double")).alias("rating"),
        F.when(in_shop | chance.happens(0.3, "tagged", "post_id"), F.col("product_id")).alias("product_id"),
        "posted_at",
        F.when(F.col("is_edited"), F.col("edited_at")).otherwise(F.col("posted_at")).alias("updated_at"),
    )


def _text(chance: Chance) -> Column:
    draw = chance.uniform("words of the post", "post_id")
    chain = F.when(F.lit(False), F.lit(None).cast("string"))
    for language, said in listed("texts")["reviews"].items():
        for sentiment, texts in said.items():
            is_it = (F.col("post_language") == language) & (F.col("sentiment") == sentiment)
            chain = chain.when(is_it, one_of(texts, draw))
    return F.replace(chain, F.lit("{}"), F.lower(F.trim(F.col("product"))))
