"""The survey feed: invitations after orders and tickets, and the answers of those who answered.

A score follows the experience before it. Who is very unhappy or very happy answers more often: a bias that the truth
shows, as every invitation is in it with what would have been answered.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance, one_of
from customerlake.demo.dirt import kept
from customerlake.demo.people import listed
from customerlake.demo.times import DAY, HOUR, days_between, end, later

SHARES = {"csat": 0.25, "nps": 0.12, "ces": 0.6}  # of orders, orders, solved tickets
COLUMNS = ("survey", "touchpoint", "customer_id", "email", "order_id", "ticket_id", "felt", "invited_at")


def invitations(experienced: DataFrame, opened: DataFrame, *, chance: Chance) -> DataFrame:
    """Every invitation, with the score that its customer has in mind, and when it is answered, if at all.

    Grain:   one row per invitation_id.
    Columns: survey, touchpoint, customer_id, email, order_id, ticket_id, felt (0 to 1), latent_score, invited_at,
             answered_at (null: never), comment.
    """
    none = F.lit(None).cast("string")
    orders = experienced.withColumns({"felt": F.col("experience"), "ticket_id": none})
    after_order = orders.withColumns(
        {"survey": F.lit("csat"), "touchpoint": F.lit("order"), "invited_at": later("delivered_at", 2 * DAY)}
    ).where(chance.happens(SHARES["csat"], "csat", "order_id"))
    relation = orders.withColumns(
        {"survey": F.lit("nps"), "touchpoint": F.lit("relation"), "invited_at": later("delivered_at", 30 * DAY)}
    ).where(chance.happens(SHARES["nps"], "nps", "order_id"))
    hours = days_between("solved_at", "opened_at") * 24
    ease = F.lit(0.95) - F.least(F.lit(0.5), hours / 200.0) - F.lit(0.3) * F.col("count_reopened")
    after_ticket = (
        opened.where(F.col("solved_at").isNotNull() & chance.happens(SHARES["ces"], "ces", "ticket_id"))
        .withColumn("felt", ease + F.lit(0.1) * chance.normal("ease", "ticket_id"))
        .withColumns({"survey": F.lit("ces"), "touchpoint": F.lit("ticket"), "invited_at": later("solved_at", DAY)})
    )
    asked = (
        after_order.select(*COLUMNS).unionByName(relation.select(*COLUMNS)).unionByName(after_ticket.select(*COLUMNS))
    )
    key = ("survey", "order_id")
    felt = F.greatest(F.lit(0.0), F.least(F.lit(1.0), F.col("felt") + F.lit(0.08) * chance.normal("mood", *key)))
    top, bottom = _scale({"nps": 10, "csat": 5, "ces": 7}), _scale({"nps": 0, "csat": 1, "ces": 1})
    strength = F.abs(F.col("felt") - 0.6) / 0.6
    answers = chance.happens(F.lit(0.1) + F.lit(0.45) * strength, "answers", *key)
    answered = later("invited_at", chance.exponential(30.0, "hours to answer a survey", *key) * HOUR + 120)
    return (
        asked.where(F.col("invited_at") < later(end(), -HOUR))
        .withColumn("felt", F.round(felt, 4))
        .withColumns(
            {
                "invitation_id": chance.identifier("invitation", *key, letter="i"),
                "latent_score": (bottom + F.round(F.col("felt") * (top - bottom))).cast("int"),
                "answered_at": F.when(answers & (answered < end()), answered),
                "comment": F.when(chance.happens(0.35, "comments", *key), _comment(chance, *key)),
            }
        )
    )


def survey_answers(asked: DataFrame, *, chance: Chance) -> DataFrame:
    """The feed: an invitation when it is sent, and again when it is answered. A relation survey names no order."""
    record = "invitation_id"
    states = F.when(F.col("answered_at").isNotNull(), F.array(F.lit(False), F.lit(True))).otherwise(
        F.array(F.lit(False))
    )
    known = F.col("touchpoint") != "relation"
    done = F.col("is_answered")
    return asked.withColumn("is_answered", F.explode(states)).select(
        "invitation_id",
        "survey",
        kept(F.col("customer_id"), 0.1, chance=chance, name="survey knows", record=record).alias("customer_id"),
        "email",
        "touchpoint",
        F.when(known, F.col("order_id")).alias("order_id"),
        "ticket_id",
        F.when(done, F.col("latent_score")).alias("score"),
        F.when(done, F.col("comment")).alias("comment"),
        "invited_at",
        F.when(done, F.col("answered_at")).alias("answered_at"),
        F.when(done, F.col("answered_at")).otherwise(F.col("invited_at")).alias("updated_at"),
    )


def _scale(values: dict[str, int]) -> Column:
    return (
        F.when(F.col("survey") == "nps", values["nps"])
        .when(F.col("survey") == "csat", values["csat"])
        .otherwise(values["ces"])
    )


def _comment(chance: Chance, *key: str) -> Column:
    texts = listed("texts")["answers"]
    draw = chance.uniform("words of the answer", *key)
    felt = F.col("felt")
    return (
        F.when(felt < 0.4, one_of(texts["negative"], draw))
        .when(felt < 0.65, one_of(texts["neutral"], draw))
        .otherwise(one_of(texts["positive"], draw))
    )
