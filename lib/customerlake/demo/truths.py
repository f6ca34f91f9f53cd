"""The frames of demo/truth.py."""

from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customerlake.contracts.table import Table
from customerlake.demo import email, experiences, service, shop, truth
from customerlake.demo.world import World

DRIVERS = (
    ("experience", "was_late", -experiences.COST_OF_LATE, "0 to 1"),
    ("experience", "was_damaged", -experiences.COST_OF_DAMAGE, "0 to 1"),
    ("experience", "had_wrong_item", -experiences.COST_OF_WRONG_ITEM, "0 to 1"),
    ("experience", "satisfaction", 1.0, "0 to 1"),
    ("nps", "experience", 10.0, "points"),
    ("csat", "experience", 4.0, "points"),
    ("ticket", "was_late", service.AFTER_LATE, "probability"),
    ("ticket", "was_damaged", service.AFTER_DAMAGE, "probability"),
    ("ticket", "had_wrong_item", service.AFTER_WRONG_ITEM, "probability"),
    ("lapse", "was_late", experiences.LATE_AND_LAPSES, "probability of it in the last order, more than in others"),
    (
        "lapse",
        "was_damaged",
        experiences.DAMAGED_AND_LAPSES,
        "probability of it in the last order, more than in others",
    ),
    ("review", "experience", 2.6, "stars"),
)


def truths_of(spark: SparkSession, made: World) -> dict[Table, DataFrame]:
    """Every truth, conforming to its declaration."""
    answered = F.col("answered_at").isNotNull()
    frames = {
        truth.PERSONS: _persons(made),
        truth.PEOPLE: made.customers,
        truth.TRAITS: made.customers.groupBy("person_id").agg(
            *[F.max(field.name).alias(field.name) for field in truth.TRAITS.columns if field.name != "person_id"]
        ),
        truth.LAPSE: made.customers,
        truth.EXPERIENCES: made.experienced,
        truth.EMAIL_EFFECT: email.email_effect(made.messages),
        truth.SURVEYS: made.invitations.withColumn("is_answered", answered),
        truth.SENTIMENTS: made.posts.drop("language").withColumnRenamed("post_language", "language"),
        truth.DRIVERS: spark.createDataFrame(
            list(DRIVERS), "outcome string, driver string, effect double, unit string"
        ),
    }
    return {table: table.conform(frame) for table, frame in frames.items()}


def _persons(made: World) -> DataFrame:
    who = made.customers.select("customer_id", "person_id", "household_id")

    def of(source: str, frame: DataFrame, record: str) -> DataFrame:
        return (
            frame.where(F.col(record).isNotNull() & F.col("person_id").isNotNull())
            .select(F.lit(source).alias("source"), F.col(record).alias("source_record_id"), "person_id", "household_id")
            .distinct()
        )

    visitors = made.visits.select("visitor_id", "customer_id").distinct().join(who, on="customer_id", how="inner")
    invited = made.invitations.select("invitation_id", "customer_id").join(who, on="customer_id", how="inner")
    parts = [
        of("shop", made.customers, "customer_id"),
        of("crm_profiles", made.profiles, "profile_id"),
        of("loyalty_events", made.cards, "card_id"),
        of("web_events", visitors, "visitor_id"),
        of("email_events", made.messages.where(F.col("test_group") == "treated"), "address"),
        of("web_orders", shop.checkouts(made.orders, made.customers, chance=made.chance), "email"),
        of("tickets", made.tickets, "ticket_id"),
        of("survey_answers", invited, "invitation_id"),
        of("social_posts", made.posts, "post_id"),
    ]
    return reduce(DataFrame.unionByName, parts)
