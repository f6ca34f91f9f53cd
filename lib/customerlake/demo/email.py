"""The e-mail channel: campaigns, who was chosen by lot to get them, what became of each message, and the test inside.

Every campaign holds back a fifth by lot. One of them is the test whose effect the truth knows: in the two weeks after
it, whether a member visits the shop is one draw of a probability that differs by customer, with the e-mail and without.
A member whom a real order brings to the shop in those weeks visits in either case.
"""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance
from customerlake.demo.consents import may_be_mailed
from customerlake.demo.people import activity
from customerlake.demo.times import DAY, HOUR, MINUTE, at_hour, end, later

TREATED_SHARE = 0.8
TEST_DAYS = 14


@dataclass(frozen=True)
class Campaign:
    """One e-mail. `discount` is a share of the price; costs are in GBP."""

    campaign_id: str
    name: str
    offer: str
    discount: float
    sent_on: date
    fixed_cost: int


CAMPAIGNS = (
    Campaign("EM01", "Last orders for Christmas", "free delivery", 0.0, date(2010, 12, 14), 300),
    Campaign("EM02", "January sale", "20% off seasonal goods", 0.2, date(2011, 1, 11), 250),
    Campaign("EM03", "Valentine hearts", "new in", 0.0, date(2011, 2, 8), 250),
    Campaign("EM04", "Spring kitchen", "10% off kitchen", 0.1, date(2011, 3, 8), 250),
    Campaign("EM05", "Easter and garden", "new in", 0.0, date(2011, 4, 12), 250),
    Campaign("EM06", "Vintage weeks", "10% off vintage", 0.1, date(2011, 5, 10), 250),
    Campaign("EM07", "Picnic season", "free delivery", 0.0, date(2011, 6, 14), 250),
    Campaign("EM08", "Summer sale", "25% off", 0.25, date(2011, 7, 12), 300),
    Campaign("EM09", "Back to school", "new in", 0.0, date(2011, 8, 9), 250),
    Campaign("EM10", "Autumn voucher", "15% voucher", 0.15, date(2011, 9, 13), 400),
    Campaign("EM11", "Halloween and lights", "10% off candles", 0.1, date(2011, 10, 11), 250),
    Campaign("EM12", "Christmas preview", "5% early bird", 0.05, date(2011, 11, 8), 350),
)
TEST = next(campaign for campaign in CAMPAIGNS if campaign.campaign_id == "EM10")


def campaign_values(spark: SparkSession) -> DataFrame:
    """One row per campaign, with `sent_on` as a date."""
    rows = [(c.campaign_id, c.name, c.offer, c.discount, c.sent_on, c.fixed_cost) for c in CAMPAIGNS]
    ddl = "campaign_id string, name string, offer string, discount double, sent_on date, fixed_cost int"
    return spark.createDataFrame(rows, ddl)


def campaigns(values: DataFrame) -> DataFrame:
    """The feed: each campaign as it was planned three weeks before, and with its cost on the day after its end."""
    planned = values.withColumns(
        {"updated_at": at_hour(F.date_sub("sent_on", 21), F.lit(9)), "is_planned": F.lit(True)}
    )
    done = values.withColumns({"updated_at": at_hour(F.date_add("sent_on", 15), F.lit(9)), "is_planned": F.lit(False)})
    return planned.unionByName(done).select(
        "campaign_id",
        "name",
        F.lit("email").alias("channel"),
        "offer",
        F.col("discount").alias("discount_share"),
        F.col("sent_on").alias("started_on"),
        F.date_add("sent_on", 14).alias("ended_on"),
        F.when(~F.col("is_planned"), F.col("fixed_cost")).alias("fixed_cost"),
        F.lit("0.02").alias("contact_cost"),
        F.lit("GBP").alias("currency"),
        "updated_at",
    )


def messages(customers: DataFrame, values: DataFrame, certain_visitors: DataFrame, *, chance: Chance) -> DataFrame:
    """Every member of every campaign, and what became of the message.

    Grain:   one row per campaign_id and customer_id.
    Takes:   customers with traits, consent and has_mailbox; certain_visitors: customer_id of those whom a real order
             brings to the shop in the weeks of the test.
    Columns: the customer's; test_group, assigned_at, address; sent_at (of control: when it would have been sent),
             delivered_at, bounced_at, opened_at, clicked_at, unsubscribed_at, complained_at; of the test visit_without,
             visit_with, visits_at. Null where it did not happen. Nobody is a member after unsubscribing.
    """
    members = (
        customers.crossJoin(F.broadcast(values.drop("name", "offer", "fixed_cost")))
        .where(F.col("has_mailbox") & may_be_mailed(F.col("sent_on")))
        .join(certain_visitors.withColumn("is_certain", F.lit(True)), on="customer_id", how="left")
    )
    first_unsubscribed = F.min("unsubscribed_at").over(Window.partitionBy("customer_id"))
    return (
        members.transform(lambda df: _sent(df, chance))
        .transform(lambda df: _tested(df, chance))
        .transform(lambda df: _read(df, chance))
        .withColumn("_left_at", first_unsubscribed)
        .where(F.col("_left_at").isNull() | (F.col("assigned_at") < F.col("_left_at")))
        .drop("_left_at")
    )


def _sent(members: DataFrame, chance: Chance) -> DataFrame:
    key = ("campaign_id", "customer_id")
    treated = chance.happens(TREATED_SHARE, "treated", *key)
    moved_mailbox = F.coalesce(F.date_add(F.to_date("new_email_at"), 30) < F.col("sent_on"), F.lit(False))
    return members.withColumns(
        {
            "test_group": F.when(treated, F.lit("treated")).otherwise(F.lit("control")),
            "assigned_at": at_hour(F.col("sent_on"), F.lit(8)),
            "sent_at": later(at_hour(F.col("sent_on"), F.lit(10)), chance.whole(0, 3599, "second sent", *key)),
            "address": F.when(moved_mailbox, F.col("new_email")).otherwise(F.col("email")),
            "message_id": chance.identifier("message", *key, letter="m"),
        }
    )


def _tested(members: DataFrame, chance: Chance) -> DataFrame:
    """Of the test: the probability of a visit with and without, and when the member visits, if at all."""
    key = ("campaign_id", "customer_id")
    is_test = F.col("campaign_id") == TEST.campaign_id
    base = F.lit(0.06) + F.lit(0.5) * F.col("engagement") * activity(F.col("sent_at"))
    bothered = F.when(F.col("privacy") > 0.8, -0.10).otherwise(0.0)
    effect = F.lit(0.01) + F.lit(0.35) * F.pow(F.col("price_sensitivity"), F.lit(2.0)) + bothered
    certain = F.coalesce(F.col("is_certain"), F.lit(False))
    changed = F.greatest(F.lit(0.01), F.least(F.lit(0.97), base + effect))
    visits = chance.uniform("visits", *key) < F.when(F.col("test_group") == "treated", F.col("visit_with")).otherwise(
        F.col("visit_without")
    )
    seconds = F.lit(30 * MINUTE) + chance.uniform("moment of the visit", *key) * (TEST_DAYS * DAY - 4 * HOUR)
    return (
        members.withColumn("visit_without", F.when(is_test, F.round(F.when(certain, 1.0).otherwise(base), 6)))
        .withColumn("visit_with", F.when(is_test, F.round(F.when(certain, 1.0).otherwise(changed), 6)))
        .withColumn("visits_at", F.when(is_test & visits & ~certain, later("sent_at", seconds)))
    )


def _read(members: DataFrame, chance: Chance) -> DataFrame:
    """What became of the messages that were sent. In the test nobody clicks who does not visit."""
    key = ("campaign_id", "customer_id")
    sent = F.col("test_group") == "treated"
    bounces = chance.happens(0.015, "dead mailbox", "person_id") | chance.happens(0.005, "bounces", *key)
    opens = chance.happens((F.lit(0.08) + F.lit(0.6) * F.col("engagement")) * activity(F.col("sent_at")), "opens", *key)
    waits = F.least(F.lit(5.0 * DAY), chance.exponential(8.0 * HOUR, "hours to open", *key))
    is_test = F.col("campaign_id") == TEST.campaign_id
    likes = F.lit(0.1) + F.lit(0.3) * F.col("price_sensitivity") * F.when(F.col("discount") > 0, 1.0).otherwise(0.3)
    by_click = F.col("visits_at").isNotNull() & chance.happens(0.6, "clicks", *key)
    clicks = F.when(is_test, by_click).otherwise(chance.happens(likes, "clicks", *key))
    annoyed = F.lit(0.004) + F.lit(0.03) * F.col("privacy") * (F.lit(1.0) - F.col("satisfaction"))
    # someone who comes by the e-mail opens it on the way, so the time of the visit is the time of the click
    came = is_test & by_click & F.col("delivered_at").isNotNull() & opens
    opened = F.when(came, later("visits_at", -chance.whole(20, 300, "seconds to click", *key))).otherwise(
        later("delivered_at", waits + 60)
    )
    clicked = F.when(came, F.col("visits_at")).otherwise(later("opened_at", chance.whole(10, 600, "to click", *key)))
    opened_once = F.col("opened_at").isNotNull()
    return (
        members.withColumn("bounced_at", F.when(sent & bounces, later("sent_at", 20)))
        .withColumn("delivered_at", F.when(sent & ~bounces, later("sent_at", chance.whole(5, 60, "delivery", *key))))
        .withColumn("opened_at", F.when(F.col("delivered_at").isNotNull() & opens, opened))
        .withColumn("clicked_at", F.when(opened_once & clicks, clicked))
        .withColumn(
            "unsubscribed_at",
            F.when(opened_once & chance.happens(annoyed, "unsubscribes", *key), later("opened_at", 900)),
        )
        .withColumn(
            "complained_at", F.when(opened_once & chance.happens(0.001, "complains", *key), later("opened_at", 1200))
        )
    )


def campaign_members(sent: DataFrame) -> DataFrame:
    """The feed: one row per member of a campaign."""
    return sent.select("campaign_id", "customer_id", "test_group", F.col("address").alias("email"), "assigned_at")


KINDS = ("sent", "delivered", "bounced", "opened", "clicked", "unsubscribed", "complained")


def email_events(sent: DataFrame, *, chance: Chance) -> DataFrame:
    """The feed: one row per event of a message. The system that sends knows seven in ten customers by number."""

    def when(kind: str) -> Column:
        at = F.col("sent_at") if kind != "sent" else F.when(F.col("test_group") == "treated", F.col("sent_at"))
        return F.struct(F.lit(kind).alias("event_type"), (at if kind == "sent" else F.col(f"{kind}_at")).alias("at"))

    known = chance.happens(0.7, "sender knows", "customer_id")
    events = sent.withColumn("_event", F.explode(F.array(*[when(kind) for kind in KINDS])))
    return events.where(F.col("_event.at").isNotNull() & (F.col("_event.at") <= end())).select(
        F.concat_ws("-", F.col("message_id"), F.substring("_event.event_type", 1, 2)).alias("event_id"),
        "message_id",
        "campaign_id",
        F.col("address").alias("email"),
        F.when(known, F.col("customer_id")).alias("customer_id"),
        F.col("_event.event_type").alias("event_type"),
        F.when(
            F.col("_event.event_type") == "clicked",
            F.concat(F.lit("https://shop.example/offers/"), F.lower("campaign_id")),
        ).alias("url"),
        F.col("_event.at").alias("happened_at"),
    )


def email_effect(sent: DataFrame) -> DataFrame:
    """The truth about the test: one row per member, with the probability of a visit with and without the e-mail."""
    return sent.where(F.col("visit_with").isNotNull()).select(
        "campaign_id",
        "customer_id",
        "test_group",
        "visit_without",
        "visit_with",
        F.round(F.col("visit_with") - F.col("visit_without"), 6).alias("true_effect"),
    )
