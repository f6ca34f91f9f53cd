"""What the demo was made from: written aside into `<root>/truth/<table>`, for tests and benchmarks, never for the jobs.

Declared like the lake's tables; none of these is in the catalogue.
"""

from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

TEXT, REAL, DAY, FLAG = T.StringType(), T.DoubleType(), T.DateType(), T.BooleanType()
AT, WHOLE = T.TimestampType(), T.IntegerType()

PERSONS = Table(
    name="truth.persons",
    grain="one row per record of a source and person; a mailbox that a family shares has a row for each of its members",
    key=("source", "source_record_id", "person_id"),
    columns=(
        Field("source", TEXT, "feed; shop: the customer numbers, as in sales, consents and campaigns"),
        Field(
            "source_record_id",
            TEXT,
            "profile_id, card_id, visitor_id, ticket_id, invitation_id, post_id, address (email_events, web_orders) "
            "or customer number (shop)",
        ),
        Field("person_id", TEXT, "who it is"),
        Field("household_id", TEXT, "with whom the person lives"),
    ),
)

PEOPLE = Table(
    name="truth.people",
    grain="one row per customer number",
    key=("customer_id",),
    columns=(
        Field("customer_id", TEXT, "the shop's number"),
        Field("person_id", TEXT, "who it is; some persons have two numbers"),
        Field("household_id", TEXT, "with whom the person lives"),
        Field("first_name", TEXT, "in Latin letters, without slips"),
        Field("last_name", TEXT, "in Latin letters, without slips"),
        Field("native_name", TEXT, "in the person's own script, where that is not Latin"),
        Field("sex", TEXT, "female or male"),
        Field("birth_on", DAY, "day of birth"),
        Field("country", TEXT, "as the sales name it"),
        Field("email", TEXT, "mailbox; after new_email_at another"),
        Field("joined_at", AT, "when the shop first knew the customer"),
        Field("moved_at", AT, "when the household moved; null: never"),
        Field("new_email_at", AT, "when the person took another mailbox; null: never"),
    ),
)

TRAITS = Table(
    name="truth.traits",
    grain="one row per person",
    key=("person_id",),
    columns=(
        Field("person_id", TEXT, "who"),
        Field("engagement", REAL, "how often the person opens e-mails and visits the shop", unit="0 to 1"),
        Field("price_sensitivity", REAL, "how much an offer moves the person", unit="0 to 1"),
        Field("satisfaction", REAL, "with the shop before any experience", unit="0 to 1"),
        Field("privacy", REAL, "wish to withhold consent", unit="0 to 1"),
        Field("web_share", REAL, "probability that an order is made in the web shop", unit="share"),
        Field("language", TEXT, "list that the names are from"),
    ),
)

LAPSE = Table(
    name="truth.lapse",
    grain="one row per customer number",
    key=("customer_id",),
    columns=(
        Field("customer_id", TEXT, "the shop's number"),
        Field("lapsed_on", DAY, "after the last order; null: a customer to the end"),
    ),
)

EXPERIENCES = Table(
    name="truth.experiences",
    grain="one row per order of a known customer, cancellations left out",
    key=("order_id",),
    columns=(
        Field("order_id", TEXT, "order, in web_orders or pos_sales"),
        Field("customer_id", TEXT, "the shop's number"),
        Field("delivered_at", AT, "when the customer had it"),
        Field("was_late", FLAG, "came after the promised day"),
        Field("days_late", WHOLE, "after the promised day", unit="days"),
        Field("was_damaged", FLAG, "something was broken"),
        Field("had_wrong_item", FLAG, "something else was sent"),
        Field("experience", REAL, "what tickets, scores and reviews follow", unit="0 to 1"),
    ),
)

EMAIL_EFFECT = Table(
    name="truth.email_effect",
    grain="one row per member of the test campaign",
    key=("campaign_id", "customer_id"),
    columns=(
        Field("campaign_id", TEXT, "the test"),
        Field("customer_id", TEXT, "the shop's number"),
        Field("test_group", TEXT, "treated or control"),
        Field("visit_without", REAL, "probability of a visit within 14 days without the e-mail", unit="share"),
        Field("visit_with", REAL, "probability of a visit within 14 days with the e-mail", unit="share"),
        Field("true_effect", REAL, "what the e-mail adds to the probability", unit="share"),
    ),
)

SURVEYS = Table(
    name="truth.surveys",
    grain="one row per invitation, answered or not",
    key=("invitation_id",),
    columns=(
        Field("invitation_id", TEXT, "number of the invitation"),
        Field("customer_id", TEXT, "who was invited"),
        Field("survey", TEXT, "nps, csat or ces"),
        Field("order_id", TEXT, "order whose experience the score follows"),
        Field("felt", REAL, "experience behind the score", unit="0 to 1"),
        Field("latent_score", WHOLE, "what is answered, or would have been", unit="points"),
        Field("is_answered", FLAG, "whether an answer came"),
    ),
)

SENTIMENTS = Table(
    name="truth.sentiments",
    grain="one row per post",
    key=("post_id",),
    columns=(
        Field("post_id", TEXT, "number of the post"),
        Field("person_id", TEXT, "who wrote it"),
        Field("order_id", TEXT, "order after which it was written"),
        Field("product_id", TEXT, "product it is about"),
        Field("language", TEXT, "en or zh"),
        Field("sentiment", TEXT, "positive, neutral or negative: of the text"),
        Field("stars", WHOLE, "what the author would give", unit="stars"),
    ),
)

DRIVERS = Table(
    name="truth.drivers",
    grain="one row per outcome and driver",
    key=("outcome", "driver"),
    columns=(
        Field("outcome", TEXT, "what is driven"),
        Field("driver", TEXT, "what drives it, as truth.experiences or truth.traits call it"),
        Field("effect", REAL, "of the driver, all else equal, in the unit given"),
        Field("unit", TEXT, "of the effect"),
    ),
)

TRUTH = (PERSONS, PEOPLE, TRAITS, LAPSE, EXPERIENCES, EMAIL_EFFECT, SURVEYS, SENTIMENTS, DRIVERS)
