"""Tickets and surveys: what follows an experience. A bad one opens tickets and lowers the scores of what is answered.

Response bias: the very unhappy and the very happy answer more often.
"""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance
from customerlake.demo.dirt import kept, mistyped_mailbox, slipped, written_phone
from customerlake.demo.people import listed
from customerlake.demo.times import DAY, HOUR, at_hour, end, later

AFTER_LATE, AFTER_DAMAGE, AFTER_WRONG_ITEM, QUESTION = 0.4, 0.65, 0.7, 0.02  # probability of a ticket
SLOW_FROM, SLOW_UNTIL = date(2011, 10, 1), date(2011, 11, 30)  # the desk had too few people


def tickets_of(experienced: DataFrame, *, chance: Chance) -> DataFrame:
    """The tickets, each once, with when it was opened, answered, solved and reopened.

    Grain:   one row per ticket_id; at most one for an order. Columns: the order's and customer's; category, priority,
             channel, opened_at, first_response_at, solved_at (null: not by the end), count_reopened.
    """
    cause = (
        F.when(F.col("was_damaged") & chance.happens(AFTER_DAMAGE, "complains of damage", "order_id"), "damage")
        .when(F.col("had_wrong_item") & chance.happens(AFTER_WRONG_ITEM, "complains of item", "order_id"), "wrong item")
        .when(F.col("was_late") & chance.happens(AFTER_LATE, "complains of delay", "order_id"), "delivery")
        .when(
            chance.happens(QUESTION, "asks", "order_id"),
            chance.chosen(["payment", "product", "account"], "asks what", "order_id"),
        )
    )
    # who waits complains before the parcel comes, on the days on which it is overdue; others when they have it
    overdue = F.date_sub(F.to_date("delivered_at"), F.greatest(F.col("days_late") - 2, F.lit(0)))
    day = F.when(F.col("category") == "delivery", overdue).otherwise(
        F.date_add(F.to_date("delivered_at"), chance.whole(0, 3, "days to complain", "order_id"))
    )
    hour = F.lit(8.5) + F.lit(9.0) * chance.uniform("hour of the ticket", "order_id")
    opened = F.greatest(at_hour(day, hour), later("ordered_at", HOUR))
    is_slow = F.to_date("opened_at").between(F.lit(SLOW_FROM), F.lit(SLOW_UNTIL))
    answer = chance.exponential(F.when(is_slow, 30.0).otherwise(6.0), "hours to answer", "order_id") * HOUR + 300
    solution = chance.exponential(F.when(is_slow, 70.0).otherwise(28.0), "hours to solve", "order_id") * HOUR + 600
    reopened = F.when(chance.happens(F.when(is_slow, 0.2).otherwise(0.08), "reopened", "order_id"), 1).otherwise(0)
    channels = {"email": 0.45, "phone": 0.3, "chat": 0.15, "web": 0.1}
    bad = F.col("category").isin("damage", "wrong item")
    return (
        experienced.withColumn("category", cause)
        .where(F.col("category").isNotNull())
        .withColumn("opened_at", opened)
        .where(F.col("opened_at") < later(end(), -6 * HOUR))
        .withColumns(
            {
                "ticket_id": chance.identifier("ticket", "order_id", letter="T"),
                "channel": chance.weighted(channels, "channel of the ticket", "order_id"),
                "priority": F.when(bad & (F.col("amount") > 500), "urgent").when(bad, "high").otherwise("normal"),
                "first_response_at": later("opened_at", answer),
                "count_reopened": reopened,
            }
        )
        .withColumn("solved_at", later("first_response_at", solution + F.col("count_reopened") * 2 * DAY))
        .withColumn("solved_at", F.when(F.col("solved_at") < end(), F.col("solved_at")))
    )


def tickets(opened: DataFrame, *, chance: Chance) -> DataFrame:
    """The feed: one row per state of a ticket, as the desk writes requesters down.

    States: open; pending, once answered; solved. A state knows nothing of a later one.
    """
    record = "ticket_id"
    name = F.concat_ws(" ", slipped("first_name", 0.05, chance=chance, record=record), F.col("last_name"))
    mail = F.when(F.coalesce(F.col("opened_at") > F.col("new_email_at"), F.lit(False)), F.col("new_email")).otherwise(
        F.col("email")
    )
    by_mail, by_phone = F.col("channel") != "phone", F.col("channel") == "phone"
    states = F.array(F.lit("open"), F.lit("pending"), F.lit("solved"))
    at = (
        F.when(F.col("status") == "open", F.col("opened_at"))
        .when(F.col("status") == "pending", F.col("first_response_at"))
        .otherwise(F.col("solved_at"))
    )
    answered = F.col("status") != "open"
    solved = F.col("status") == "solved"
    return (
        opened.withColumns(
            {
                "requester_name": kept(name, 0.05, chance=chance, name="requester", record=record),
                "email": F.when(by_mail, mistyped_mailbox(mail, 0.02, chance=chance, record=record)),
                "phone": F.when(by_phone, written_phone(F.col("mobile"), chance=chance, record=record)),
                "customer_id": kept(F.col("customer_id"), 0.4, chance=chance, name="desk knows", record=record),
                "text": _complaint(chance),
                "order_id": kept(F.col("order_id"), 0.25, chance=chance, name="order", record=record),
            }
        )
        .withColumn("status", F.explode(states))
        .withColumn("updated_at", at)
        .where(F.col("updated_at") <= end())
        .withColumns(
            {
                "first_response_at": F.when(answered, F.col("first_response_at")),
                "solved_at": F.when(solved, F.col("solved_at")),
                "count_reopened": F.when(solved, F.col("count_reopened")).otherwise(0),
            }
        )
        .select(
            *("ticket_id", "customer_id", "requester_name", "email", "phone", "channel", "category", "priority"),
            *("status", "text", "order_id", "opened_at", "first_response_at", "solved_at", "count_reopened"),
            "updated_at",
        )
    )


def _complaint(chance: Chance) -> Column:
    texts = listed("texts")["tickets"]
    draw = chance.uniform("words of the ticket", "ticket_id")
    chain = F.when(F.lit(False), F.lit(None).cast("string"))
    for category, said in texts.items():
        is_it = F.col("category") == category
        for language in ("de", "fr", "zh"):
            chain = chain.when(is_it & (F.col("language") == language), F.lit(said[language]))
        first, *others = said["en"]
        for place, text in enumerate(others):
            chain = chain.when(is_it & (draw < (place + 1) / len(said["en"])), F.lit(text))
        chain = chain.when(is_it, F.lit(first))
    return chain
