"""silver.customer_records: what each source says of a person, cleaned into one shape, for records to be compared.

The shop's own records are its customer numbers. A mailbox is a record of its own where mail was sent or an order
confirmed to it, as is a visitor's device once somebody logged in on it.
"""

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.quarantine import rows_where
from customerlake.contracts.table import Field, Purpose, Table
from customerlake.silver.cleaning.addresses import city_name, postcode, street_key
from customerlake.silver.cleaning.categories import sex
from customerlake.silver.cleaning.countries import country_code
from customerlake.silver.cleaning.dates import OLDEST
from customerlake.silver.cleaning.emails import email_address, email_key
from customerlake.silver.cleaning.missing import Fill, Fills, Inferred, filled
from customerlake.silver.cleaning.names import formal_name, name_key, name_parts
from customerlake.silver.cleaning.phones import e164

TEXT = T.StringType()
SHOP, CRM, CARDS, DEVICES = "shop", "crm_profiles", "loyalty_events", "web_events"
SENT, ORDERED, TICKETS = "email_events", "web_orders", "tickets"
SOURCES = (SHOP, CRM, CARDS, ORDERED, TICKETS, SENT, DEVICES)
OF_STATES = (CRM, TICKETS)  # whose newest record holds as a whole; of the others each value that was ever said

SAID = {
    "shop_customer_id": "the shop's number of the customer, where the source knows it",
    "title": "title as received",
    "first_name": "given names, tidied",
    "last_name": "family name, tidied",
    "full_name": "the whole name as received, where the parts are not kept apart",
    "sex": "female, male or other",
    "birth_on": "day of birth",
    "email": "address, tidied; null when the text is none",
    "phone": "number in E.164; null when the text is none",
    "street": "street and house number as received",
    "postcode": "postal code in its country's spelling",
    "city": "city in one spelling",
    "region": "state, county or province as received",
    "country": "country as received",
}
"""What a source may say of a person, in this order."""
DERIVED = {
    "native_name": "the whole name in its own script, where that is not Latin",
    "given_key": "first name as it is compared: the formal name, in small letters without accents",
    "said_key": "first name in small letters without accents, as it was said: sam may be Samantha",
    "family_key": "family name as it is compared",
    "email_key": "address as it is compared: without tags, with the usual domains spelt right",
    "street_key": "street and number as they are compared",
    "country_code": "ISO 3166-1 alpha-2",
}
FILLED = {"sex_filled_by": "inferred: sex was not said, and is that of the title; leave: neither tells it"}
ATTRIBUTES = (*SAID, *FILLED, *DERIVED)
CONTACT = ("email", "phone", "street", "email_key", "street_key")
ANALYSED = ("title", "sex", "sex_filled_by", "birth_on", "postcode", "city", "region", "country", "country_code")


def _attribute(name: str) -> Field:
    kind = T.DateType() if name == "birth_on" else TEXT
    purpose: Purpose = "contact" if name in CONTACT else "analyse" if name in ANALYSED else "identify"
    return Field(name, kind, {**SAID, **FILLED, **DERIVED}[name], personal=purpose)


CUSTOMER_RECORDS = Table(
    name="silver.customer_records",
    grain="one row per record of a person in one source",
    key=("source", "source_record_id"),
    columns=(
        Field("source", TEXT, f"who says so: {', '.join(SOURCES)}"),
        Field("source_record_id", TEXT, "its number; of mailboxes and devices <number>/<it>", personal="identify"),
        Field("record_id", T.LongType(), "a number made of the two"),
        *[_attribute(name) for name in ATTRIBUTES],
        Field("valid_from", T.TimestampType(), "since when its newest values hold", unit="UTC"),
        Field("evidence", TEXT, "what said so last: number of the line, event or state"),
        Field("first_seen_on", T.DateType(), "first day with a sign of it"),
        Field("last_seen_on", T.DateType(), "last day with a sign of it"),
        Field("is_deleted", T.BooleanType(), "the source no longer has it"),
        Field("_batch", T.LongType(), "write of this table that last changed it"),
    ),
    statistics_on=("_batch",),
)  # fmt: skip

Records = Callable[[DataFrame], DataFrame]


def shop_records(order_lines: DataFrame) -> DataFrame:
    """The customer numbers of lines; the newest line tells the country. Anonymous lines tell nothing."""
    return order_lines.where(F.col("customer_id").isNotNull()).transform(
        _by_newest(
            SHOP,
            ("customer_id",),
            {"country": F.col("country")},
            at="ordered_at",
            evidence="order_line_id",
            on=F.col("ordered_on"),
        )
    )


def crm_records(crm_profiles: DataFrame) -> DataFrame:
    """A profile as the CRM holds it now."""
    said = [name for name in SAID if name != "shop_customer_id"]
    return _of_states(crm_profiles, CRM, "profile_id", "updated_at", {name: F.col(name) for name in said})


def ticket_records(tickets: DataFrame) -> DataFrame:
    """Who asked, as the service desk wrote it down."""
    said = {"full_name": F.col("requester_name"), "email": F.col("email"), "phone": F.col("phone")}
    return _of_states(tickets, TICKETS, "ticket_id", "updated_at", said)


def card_records(loyalty_events: DataFrame) -> DataFrame:
    """What was written on the form when a card was given out, and the number that its events name."""
    names = ("full_name", "email", "phone", "postcode", "birth_on")
    said = {name: F.col(name) for name in names}
    return loyalty_events.transform(
        _by_newest(CARDS, ("card_id",), said, at="happened_at", evidence="event_id", number="customer_id")
    )


def device_records(web_events: DataFrame) -> DataFrame:
    """The devices on which somebody was logged in, one for each number; a visitor who never was is nobody yet."""
    return web_events.where(F.col("customer_id").isNotNull()).transform(
        _by_newest(DEVICES, ("customer_id", "visitor_id"), {}, at="happened_at", evidence="event_id")
    )


def mailbox_records(source: str, *, at: str, evidence: str) -> Records:
    """The mailboxes that events name, one for each number that they name beside it."""

    def mailboxes(events: DataFrame) -> DataFrame:
        known = events.withColumn("mailbox", email_address(F.col("email"))).where(F.col("mailbox").isNotNull())
        said = {"email": F.col("mailbox")}
        return known.transform(_by_newest(source, ("customer_id", "mailbox"), said, at=at, evidence=evidence))

    return mailboxes


def _by_newest(
    source: str,
    key: Sequence[str],
    said: Mapping[str, Column],
    *,
    at: str,
    evidence: str,
    on: Column | None = None,
    number: str = "customer_id",
) -> Records:
    """One record per key: of each value the newest that was said. `on` is the day of `at`, where that is not in UTC."""

    def records(events: DataFrame) -> DataFrame:
        when = F.struct(at, evidence)
        newest = {name: F.max_by(value, F.when(value.isNotNull(), when)) for name, value in said.items()}
        own = {"_number": F.max(number)} if number not in key else {}
        day = F.to_date(at) if on is None else on
        return (
            events.groupBy(*key)
            .agg(
                *[column.alias(name) for name, column in {**newest, **own}.items()],
                F.max(when).alias("_newest"),
                F.min(day).alias("first_seen_on"),
                F.max(day).alias("last_seen_on"),
            )
            .withColumns(
                {
                    "source": F.lit(source),
                    "source_record_id": F.concat_ws("/", *key),
                    "shop_customer_id": F.col(number) if number in key else F.col("_number"),
                    "valid_from": F.col(f"_newest.{at}"),
                    "evidence": F.col(f"_newest.{evidence}"),
                    "is_deleted": F.lit(False),
                }
            )
            .transform(_in_shape)
        )

    return records


def _of_states(states: DataFrame, source: str, key: str, at: str, said: Mapping[str, Column]) -> DataFrame:
    first = F.col("created_at") if "created_at" in states.columns else F.col("opened_at")
    own = {
        "source": F.lit(source),
        "source_record_id": F.col(key),
        "shop_customer_id": F.col("customer_id"),
        "valid_from": F.col(at),
        "evidence": F.col(at).cast("string"),
        "first_seen_on": F.to_date(F.coalesce(first, F.col(at))),
        "last_seen_on": F.to_date(at),
        "is_deleted": F.col("is_deleted"),
    }
    return states.select(*[column.alias(name) for name, column in {**own, **said}.items()]).transform(_in_shape)


def _in_shape(records: DataFrame) -> DataFrame:
    """The columns of a record before it is cleaned; what a source does not say is null."""
    kinds = {name: "date" if name == "birth_on" else "string" for name in SAID}
    return records.select(
        "source",
        "source_record_id",
        *[
            (F.col(name) if name in records.columns else F.lit(None)).cast(kind).alias(name)
            for name, kind in kinds.items()
        ],
        "valid_from",
        "evidence",
        "first_seen_on",
        "last_seen_on",
        "is_deleted",
    )


def cleaned(*, default_country: str | None) -> Records:
    """Records in the shape of the sources -> of the table, without _batch.

    A phone number without the country's code is taken to be of the record's country, else of `default_country`.
    """

    def clean(records: DataFrame) -> DataFrame:
        said = (F.col("first_name"), F.col("last_name"), F.col("full_name"))
        return (
            records.withColumn("country_code", country_code(F.col("country")))
            .withColumn("birth_on", born_by("first_seen_on"))
            .withColumn("_name", name_parts(*said, country=F.col("country_code")))
            .withColumns(
                {
                    "first_name": F.col("_name.first_name"),
                    "last_name": F.col("_name.last_name"),
                    "native_name": F.col("_name.native_name"),
                    "sex": sex(F.col("sex")),
                    "email": email_address(F.col("email")),
                    "phone": e164(F.col("phone"), F.col("country_code"), default_country=default_country),
                    "postcode": postcode(F.col("postcode"), F.coalesce("country_code", F.lit(default_country))),
                    "city": city_name(F.col("city")),
                    "birth_on": F.when(is_plausible_birth(), F.col("birth_on")),
                }
            )
            .withColumns(
                {
                    "said_key": name_key(F.col("first_name")),
                    "family_key": name_key(F.col("last_name")),
                    "email_key": email_key(F.col("email")),
                    "street_key": street_key(F.col("street")),
                    "record_id": F.xxhash64("source", "source_record_id"),
                }
            )
            .withColumn("given_key", formal_name(F.col("said_key")))
            .transform(_filled)
            .select(*[name for name in CUSTOMER_RECORDS.column_names if name != "_batch"])
        )

    return clean


MISSING = {"sex": Inferred(lambda: sex(F.col("title")))}  # Mrs, Herr
FILLS = Fills(fills=tuple(Fill(column=name, strategy="inferred") for name in MISSING))


def _filled(records: DataFrame) -> DataFrame:
    """Adds: <column>_filled_by, for each of MISSING."""
    return filled(records, FILLS, inferred=MISSING)


def born_by(day: str) -> Column:
    """The day of birth; a hundred years earlier where it is after `day`, as two digits of a year are read as 2000s."""
    return F.when(F.col("birth_on") > F.col(day), F.add_months("birth_on", -1200)).otherwise(F.col("birth_on"))


def is_plausible_birth() -> Column:
    """A day of birth that tells something: of somebody under 120 when the record was first seen, and no default."""
    years = F.months_between("first_seen_on", "birth_on") / 12
    is_default = F.date_format("birth_on", "MM-dd").isin("01-01") & F.year("birth_on").isin(1900, 1970)
    return (years >= 0) & (years < OLDEST) & ~is_default


def taken_in(arrived: DataFrame, known: DataFrame, *, batch: int) -> DataFrame:
    """The records that arrived, as they stand beside what was known of them, where that changes anything.

    A state replaces an older one; what events say adds to what they said before, the newer value first.
    """
    key = list(CUSTOMER_RECORDS.key)
    pairs = arrived.alias("a").join(known.alias("k"), on=key, how="left")
    is_state, is_known = F.col("source").isin(*OF_STATES), F.col("k.record_id").isNotNull()
    arrived_at, known_at = _since_ever("a.valid_from"), _since_ever("k.valid_from")
    is_later = (arrived_at > known_at) | ((arrived_at == known_at) & (F.col("a.evidence") >= F.col("k.evidence")))
    is_newer = ~is_known | is_later

    def value(name: str) -> Column:
        a, k = F.col(f"a.{name}"), F.col(f"k.{name}")
        of_state = F.when(is_newer, a).otherwise(k)
        of_events = F.when(is_newer, F.coalesce(a, k)).otherwise(F.coalesce(k, a))
        return F.when(is_state, of_state).otherwise(of_events)

    values = {name: value(name) for name in (*ATTRIBUTES, "valid_from", "evidence", "is_deleted")}
    days = {
        "first_seen_on": F.least("a.first_seen_on", "k.first_seen_on"),
        "last_seen_on": F.greatest("a.last_seen_on", "k.last_seen_on"),
    }
    told = {**values, **days}
    is_same = F.lit(True)
    for name, column in told.items():
        is_same = is_same & column.eqNullSafe(F.col(f"k.{name}"))
    return (
        pairs.transform(rows_where(~is_known | ~is_same))
        .select(
            *key, F.col("a.record_id").alias("record_id"), *[column.alias(name) for name, column in told.items()],
            F.lit(batch).alias("_batch"),
        )
        .transform(CUSTOMER_RECORDS.conform)
    )  # fmt: skip


def _since_ever(column: str) -> Column:
    return F.coalesce(F.col(column), F.lit("0001-01-01").cast("timestamp"))


def numbers_known(records: DataFrame) -> DataFrame:
    """A record of the shop for each number that other sources name: known to them before it ever bought."""
    return (
        records.where((F.col("source") != SHOP) & F.col("shop_customer_id").isNotNull())
        .select("shop_customer_id")
        .distinct()
        .withColumns(
            {
                "source": F.lit(SHOP),
                "source_record_id": F.col("shop_customer_id"),
                "valid_from": F.lit(None).cast("timestamp"),
                "evidence": F.lit(""),
                "first_seen_on": F.lit(None).cast("date"),
                "last_seen_on": F.lit(None).cast("date"),
                "is_deleted": F.lit(False),
            }
        )
        .transform(_in_shape)
    )
