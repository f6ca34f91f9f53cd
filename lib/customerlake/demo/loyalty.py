"""The loyalty feed: cards, the points of orders, tiers, and what is written on the form when a card is given out."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance
from customerlake.demo.dirt import called, cased, kept, mistyped_mailbox, slipped, written_phone
from customerlake.demo.times import DAY, end, later

TIERS = {"gold": 5000, "silver": 1500}  # points earned until then
COLUMNS = ("card_id", "customer_id", "event_type", "points", "tier", "store_id", "happened_at")


def cards_of(customers: DataFrame, *, chance: Chance) -> DataFrame:
    """Who has a card: one row per card_id. Adds: card_id, enrolled_at (at or after joining), store_id."""
    share = F.when(F.col("web_share") < 0.2, 0.75).when(F.col("web_share") < 0.6, 0.6).otherwise(0.35)
    days = chance.exponential(40.0, "days to the card", "customer_id")
    return (
        customers.where(chance.happens(share, "has a card", "customer_id"))
        .withColumns(
            {
                "card_id": chance.identifier("card", "customer_id", letter="L"),
                "enrolled_at": later(F.greatest(F.col("first_at"), F.col("joined_at")), 600 + days * DAY),
                "store_id": F.concat(F.lit("S0"), chance.whole(1, 6, "own store", "customer_id").cast("string")),
            }
        )
        .where(F.col("enrolled_at") < later(end(), -DAY))
    )


def loyalty_events(cards: DataFrame, orders: DataFrame, *, chance: Chance) -> DataFrame:
    """The feed: enrolment, a point for each pound of later orders, points redeemed, tiers reached, cards closed."""
    earned = (
        orders.where((F.col("amount") > 0) & ~F.col("is_cancellation"))
        .select("customer_id", "order_id", "amount", "ordered_at")
        .join(
            cards.select("customer_id", "card_id", "enrolled_at", "store_id", "lapsed_on"),
            on="customer_id",
            how="inner",
        )
        .where(F.col("ordered_at") > F.col("enrolled_at"))
        .withColumns({"points": F.floor("amount").cast("int"), "happened_at": later("ordered_at", 30)})
    )
    in_time = Window.partitionBy("card_id").orderBy("happened_at", "order_id")
    so_far = F.sum("points").over(in_time.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    counted = earned.withColumn("so_far", so_far)
    tier = (
        F.when(F.col("so_far") >= TIERS["gold"], "gold")
        .when(F.col("so_far") >= TIERS["silver"], "silver")
        .otherwise("basic")
    )
    before = F.col("so_far") - F.col("points")
    reached = F.array_compact(
        F.array(*[F.when((before < need) & (F.col("so_far") >= need), F.lit(name)) for name, need in TIERS.items()])
    )
    changed = counted.withColumns(
        {
            "tier": F.get(reached, F.lit(0)),
            "event_type": F.lit("tier_changed"),
            "points": F.lit(None).cast("int"),
            "happened_at": later("happened_at", 5),
        }
    ).where(F.col("tier").isNotNull())
    redeemed = counted.where((F.col("so_far") > 300) & chance.happens(0.12, "redeems", "order_id")).withColumns(
        {
            "event_type": F.lit("redeemed"),
            "points": F.lit(-200),
            "tier": F.lit(None).cast("string"),
            "happened_at": later("happened_at", 60),
        }
    )
    closed = cards.where(F.col("lapsed_on").isNotNull() & chance.happens(0.06, "closes", "card_id")).withColumns(
        {
            "event_type": F.lit("closed"),
            "points": F.lit(None).cast("int"),
            "tier": F.lit(None).cast("string"),
            "happened_at": later(F.greatest(F.col("lapsed_on").cast("timestamp"), F.col("enrolled_at")), DAY + 36000),
        }
    )
    gained = counted.withColumns({"event_type": F.lit("earned"), "tier": tier})
    later_events = (
        gained.select(*COLUMNS)
        .unionByName(changed.select(*COLUMNS))
        .unionByName(redeemed.select(*COLUMNS))
        .unionByName(closed.select(*COLUMNS))
        .where(F.col("happened_at") <= end())
    )
    knows = chance.happens(0.5, "card knows", "card_id")
    return (
        _enrolments(cards, chance)
        .unionByName(later_events, allowMissingColumns=True)
        .withColumn("customer_id", F.when(knows, F.col("customer_id")))
        .withColumn(
            "event_id", chance.identifier("loyalty", "card_id", "event_type", "happened_at", "points", letter="l")
        )
    )


def _enrolments(cards: DataFrame, chance: Chance) -> DataFrame:
    """The form that was filled in by hand in the store: own slips, the mailbox of the day."""
    record = "card_id"
    has_new = F.coalesce(F.col("enrolled_at") > F.col("new_email_at"), F.lit(False))
    moved = F.coalesce(F.col("enrolled_at") > F.col("moved_at"), F.lit(False))
    written = cards.withColumns(
        {
            "_slipped": slipped("first_name", 0.05, chance=chance, record=record),
            "_called": called(0.25, chance=chance, record=record),
            "_last": slipped("last_name", 0.06, chance=chance, record=record),
            "_mail": F.when(has_new, F.col("new_email")).otherwise(F.col("email")),
        }
    ).withColumn(
        "_first", F.when(F.col("first_name") == F.col("_called"), F.col("_slipped")).otherwise(F.col("_called"))
    )
    named = written.withColumn("_name", F.concat_ws(" ", "_first", "_last"))
    name = cased("_name", chance=chance, record=record)
    in_script = F.col("native_name").isNotNull() & chance.happens(0.5, "form in script", record)
    mail = mistyped_mailbox(F.col("_mail"), 0.04, chance=chance, record=record)
    postcode = F.when(moved, F.col("new_postcode")).otherwise(F.col("postcode"))
    swapped = F.make_date(F.year("birth_on"), F.least(F.dayofmonth("birth_on"), F.lit(12)), F.month("birth_on"))
    mixes = (F.dayofmonth("birth_on") <= 12) & chance.happens(0.05, "day for month", record)
    birth = F.when(mixes, swapped).otherwise(F.col("birth_on"))
    return named.select(
        record,
        "customer_id",
        F.lit("enrolled").alias("event_type"),
        F.lit(0).alias("points"),
        F.lit("basic").alias("tier"),
        "store_id",
        F.when(in_script, F.col("native_name")).otherwise(name).alias("full_name"),
        kept(mail, 0.2, chance=chance, name="e-mail on the form", record=record).alias("email"),
        kept(
            written_phone(F.col("mobile"), chance=chance, record=record),
            0.3,
            chance=chance,
            name="phone on the form",
            record=record,
        ).alias("phone"),
        kept(postcode, 0.1, chance=chance, name="postcode on the form", record=record).alias("postcode"),
        kept(birth, 0.2, chance=chance, name="birth on the form", record=record).alias("birth_on"),
        F.col("enrolled_at").alias("happened_at"),
    )
