"""What a customer likes: categories of the products that it views, buys and reads of, and that its answers name."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customerlake.gold.favourites import categories
from customerlake.gold.purchase_behaviour import unknown
from customerlake.gold.satisfaction import invitations_until

WAYS = ("viewed", "bought", "read", "answered")


def interests(
    product_list: DataFrame | None,
    web_events: DataFrame | None,
    email_events: DataFrame | None,
    survey_answers: DataFrame | None,
    as_of: date,
    *,
    most: int,
    least_share: float,
    left_out: Sequence[str],
) -> Callable[[DataFrame], DataFrame]:
    """One row per customer with an interest: the `most` categories of highest share, of those at `least_share` or more.

    `left_out` are categories that say nothing of a person.

    What is viewed (products looked at or put into the cart), bought (lines), read (links clicked in e-mails that end in
    the code of a product or the name of a category, words joined by hyphens) and answered (comments of surveys that
    name a category, for better or worse) each give shares by category; the share of an interest is the mean of those
    that the customer has, so that many views do not hide what is bought.
    """

    def liked(products: DataFrame) -> DataFrame:
        if product_list is None:
            return products.transform(unknown(interests="array<struct<category:string,share:double>>"))
        best_first = Window.partitionBy("customer_id").orderBy(F.desc("share"), "category")
        ranked = F.array_sort(F.collect_list(F.struct("rank", "category", "share")))
        met = (
            encounters(products, web_events, email_events, as_of)
            .join(product_list.transform(pages), on="page", how="inner")
            .select("customer_id", "category", "way")
        )
        if survey_answers is not None:
            met = met.unionByName(survey_answers.transform(named_in_answers(product_list, as_of)))
        return (
            met.where(~F.col("category").isin(*left_out))
            .transform(interest_shares)
            .where(F.col("share") >= least_share)
            .withColumn("rank", F.row_number().over(best_first))
            .where(F.col("rank") <= most)
            .groupBy("customer_id")
            .agg(F.transform(ranked, lambda one: F.struct(one["category"], one["share"])).alias("interests"))
        )

    return liked


def encounters(
    products: DataFrame, web_events: DataFrame | None, email_events: DataFrame | None, as_of: date
) -> DataFrame:
    """customer_id, page (code of a product, or last part of a link, in capitals) and way, one of WAYS."""
    is_counted = F.col("customer_id").isNotNull() & (F.to_date("happened_at") <= F.lit(as_of))
    met = products.select("customer_id", F.upper("product_id").alias("page"), F.lit("bought").alias("way"))
    if web_events is not None:
        is_view = F.col("event_type").isin("product_view", "add_to_cart")
        views = web_events.where(is_counted & is_view & F.col("product_id").isNotNull())
        met = met.unionByName(
            views.select("customer_id", F.upper("product_id").alias("page"), F.lit("viewed").alias("way"))
        )
    if email_events is not None:
        last_part = F.regexp_extract("url", r"/([^/?#]+)/?([?#].*)?$", 1)
        clicks = email_events.where(is_counted & (F.col("event_type") == "clicked") & F.col("url").isNotNull())
        met = met.unionByName(
            clicks.select("customer_id", F.upper(last_part).alias("page"), F.lit("read").alias("way"))
        )
    return met


def named_in_answers(product_list: DataFrame, as_of: date) -> Callable[[DataFrame], DataFrame]:
    """customer_id, category and way, for each answer by `as_of` whose comment has a category's name among its words."""
    named = product_list.select("category").distinct().withColumn("words", _words("category"))
    is_named = F.contains(F.col("comment_words"), F.col("words"))
    is_counted = F.col("customer_id").isNotNull() & F.col("answered_on").isNotNull() & F.col("comment").isNotNull()

    def named_by(survey_answers: DataFrame) -> DataFrame:
        return (
            survey_answers.transform(invitations_until(as_of))
            .where(is_counted)
            .select("customer_id", _words("comment").alias("comment_words"))
            .join(F.broadcast(named), on=is_named, how="inner")
            .select("customer_id", "category", F.lit("answered").alias("way"))
        )

    return named_by


def _words(text: str) -> Column:
    """Its words in small letters, each between blanks; null without one."""
    words = F.btrim(F.regexp_replace(F.lower(text), r"[^\p{L}\p{N}]+", " "))
    return F.when(words != "", F.concat(F.lit(" "), words, F.lit(" ")))


def pages(product_list: DataFrame) -> DataFrame:
    """One row per page that is of a category: of a product, or the category's own."""
    of_products = product_list.transform(categories).withColumnRenamed("product_id", "page")
    name = F.upper(F.regexp_replace("category", "[^A-Za-z0-9]+", "-"))
    own = of_products.select(name.alias("page"), "category").distinct()
    return of_products.unionByName(own).groupBy("page").agg(F.min("category").alias("category"))


def interest_shares(met: DataFrame) -> DataFrame:
    """One row per customer and category: share, the mean over the ways that the customer has."""
    customer = Window.partitionBy("customer_id")
    totals = {f"all_{way}": F.sum(way).over(customer) for way in WAYS}
    shares = [F.coalesce(F.col(way) / F.nullif(f"all_{way}", F.lit(0)), F.lit(0.0)) for way in WAYS]
    ways = [(F.col(f"all_{way}") > 0).cast("int") for way in WAYS]
    mean = reduce(Column.__add__, shares) / reduce(Column.__add__, ways)
    # as a decimal, which every engine rounds half up; to so many digits a double reads alike on all
    share = F.round(mean.cast("decimal(28,12)"), 6).cast("double")
    return (
        met.groupBy("customer_id", "category")
        .agg(*[F.count_if(F.col("way") == way).alias(way) for way in WAYS])
        .withColumns(totals)
        .select("customer_id", "category", share.alias("share"))
    )
