from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.silver.crm_profiles import CRM_PROFILES
from customerlake.silver.customer_records import (
    CARDS,
    CRM,
    CUSTOMER_RECORDS,
    DERIVED,
    DEVICES,
    FILLED,
    ORDERED,
    SAID,
    SENT,
    SHOP,
    TICKETS,
    card_records,
    cleaned,
    crm_records,
    device_records,
    is_plausible_birth,
    mailbox_records,
    numbers_known,
    shop_records,
    taken_in,
    ticket_records,
)
from customerlake.silver.email_events import EMAIL_EVENTS
from customerlake.silver.loyalty_events import LOYALTY_EVENTS
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.tickets import TICKETS as TICKET_STATES
from customerlake.silver.web_events import WEB_EVENTS

SHAPE = [
    "source", "source_record_id", *SAID, "valid_from", "evidence", "first_seen_on", "last_seen_on", "is_deleted",
]  # fmt: skip


def day(number):
    return date(2024, 1, number)


def at(number, hour=10):
    return datetime(2024, 1, number, hour)


def rows_of(spark, table, *rows):
    """Rows of a table; what a dict does not say is null."""
    return spark.createDataFrame([tuple(row.get(name) for name in table.column_names) for row in rows], table.schema)


def told(records):
    """What each record says, by its number; nulls are left out."""
    assert records.columns == SHAPE
    return {
        row["source_record_id"]: {name: value for name, value in row.asDict().items() if value is not None}
        for row in records.collect()
    }


def line(number, line_id, moment, country, on=None):
    return {
        "customer_id": number,
        "order_line_id": line_id,
        "ordered_at": moment,
        "ordered_on": on or moment.date(),
        "country": country,
    }


def test_the_newest_line_of_a_number_tells_its_country(spark):
    lines = rows_of(
        spark,
        ORDER_LINES,
        line("17850", "b", at(5), "France"),
        line("17850", "a", at(9), "Spain"),
        line("17850", "c", at(1), "Italy"),
        line("17000", "d", at(2), "France"),
    )

    found = told(shop_records(lines))

    assert found == {
        "17850": {
            "source": SHOP,
            "source_record_id": "17850",
            "shop_customer_id": "17850",
            "country": "Spain",
            "valid_from": at(9),
            "evidence": "a",
            "first_seen_on": day(1),
            "last_seen_on": day(9),
            "is_deleted": False,
        },
        "17000": {
            "source": SHOP,
            "source_record_id": "17000",
            "shop_customer_id": "17000",
            "country": "France",
            "valid_from": at(2),
            "evidence": "d",
            "first_seen_on": day(2),
            "last_seen_on": day(2),
            "is_deleted": False,
        },
    }


def test_of_lines_of_one_instant_the_higher_id_tells_the_country(spark):
    lines = rows_of(
        spark, ORDER_LINES, line("1", "b", at(5), "France"), line("1", "a", at(5), "Spain"), line("1", "c", at(5), None)
    )

    assert told(shop_records(lines))["1"].items() >= {"country": "France", "evidence": "c"}.items()


def test_anonymous_lines_tell_of_nobody(spark):
    assert told(shop_records(rows_of(spark, ORDER_LINES, line(None, "a", at(5), "France")))) == {}


def test_a_number_is_seen_on_the_days_of_its_feed_and_not_of_utc(spark):
    late = line("1", "a", datetime(2024, 1, 5, 23, 30), "Japan", on=day(6))

    assert told(shop_records(rows_of(spark, ORDER_LINES, late)))["1"]["first_seen_on"] == day(6)


PROFILE = {
    "profile_id": "C1",
    "customer_id": "17850",
    "title": "Ms",
    "first_name": " Anna",
    "last_name": "MARTEN",
    "full_name": None,
    "sex": "F",
    "birth_on": date(1980, 4, 12),
    "email": "Anna@Example.com",
    "phone": "01 45 67 89 01",
    "street": "Rue de Lyon 1",
    "postcode": "75012",
    "city": "Paris",
    "region": "IdF",
    "country": "France",
    "created_at": at(1),
    "updated_at": at(7),
    "is_deleted": False,
}


def test_a_profile_of_the_crm_is_a_record_as_it_stands(spark):
    found = told(crm_records(rows_of(spark, CRM_PROFILES, PROFILE)))

    said = {name: value for name, value in PROFILE.items() if name in SAID and value is not None}
    assert found == {
        "C1": said
        | {
            "source": CRM,
            "source_record_id": "C1",
            "shop_customer_id": "17850",
            "valid_from": at(7),
            "evidence": "2024-01-07 10:00:00",
            "first_seen_on": day(1),
            "last_seen_on": day(7),
            "is_deleted": False,
        }
    }


def test_a_profile_that_was_deleted_or_whose_making_is_not_known_says_so(spark):
    profile = PROFILE | {"created_at": None, "is_deleted": True}

    found = told(crm_records(rows_of(spark, CRM_PROFILES, profile)))["C1"]

    assert (found["first_seen_on"], found["is_deleted"]) == (day(7), True)


def test_a_ticket_is_a_record_of_who_asked(spark):
    ticket = {
        "ticket_id": "T1",
        "customer_id": "17850",
        "requester_name": "Anna Marten",
        "email": "anna@example.com",
        "phone": "0145678901",
        "text": "Where is my order?",
        "opened_at": at(3),
        "updated_at": at(4),
        "is_deleted": False,
    }

    assert told(ticket_records(rows_of(spark, TICKET_STATES, ticket))) == {
        "T1": {
            "source": TICKETS,
            "source_record_id": "T1",
            "shop_customer_id": "17850",
            "full_name": "Anna Marten",
            "email": "anna@example.com",
            "phone": "0145678901",
            "valid_from": at(4),
            "evidence": "2024-01-04 10:00:00",
            "first_seen_on": day(3),
            "last_seen_on": day(4),
            "is_deleted": False,
        }
    }


def event(number, moment, **others):
    return {"event_id": number, "happened_at": moment} | others


def test_a_card_says_what_stood_on_its_form_and_each_of_its_values_is_the_newest_that_was_said(spark):
    form = {
        "full_name": "Anna Marten",
        "email": "old@example.com",
        "phone": "0145678901",
        "postcode": "75012",
        "birth_on": date(1980, 4, 12),
    }
    events = rows_of(
        spark,
        LOYALTY_EVENTS,
        event("e1", at(2), card_id="K1", event_type="enrolled", **form),
        event("e2", at(3), card_id="K1", event_type="earned", customer_id="17850"),
        event("e3", at(4), card_id="K1", event_type="enrolled", email="new@example.com"),
        event("e4", at(5), card_id="K1", event_type="redeemed"),
        event("e5", at(6), card_id="K2", event_type="earned"),
    )

    found = told(card_records(events))

    assert found["K1"] == form | {
        "source": CARDS,
        "source_record_id": "K1",
        "shop_customer_id": "17850",
        "email": "new@example.com",
        "valid_from": at(5),
        "evidence": "e4",
        "first_seen_on": day(2),
        "last_seen_on": day(5),
        "is_deleted": False,
    }
    assert set(found) == {"K1", "K2"}
    assert "shop_customer_id" not in found["K2"]


def test_a_device_is_a_record_for_each_number_that_logged_in_on_it(spark):
    events = rows_of(
        spark,
        WEB_EVENTS,
        event("e1", at(2), visitor_id="v1"),
        event("e2", at(3), visitor_id="v1", customer_id="17850"),
        event("e3", at(4), visitor_id="v1", customer_id="17000"),
        event("e4", at(5), visitor_id="v2", customer_id="17850"),
        event("e5", at(6), visitor_id="v3", country="France"),
        event("e6", at(7), visitor_id="v2", customer_id="17850"),
    )

    found = told(device_records(events))

    assert set(found) == {"17850/v1", "17000/v1", "17850/v2"}
    assert found["17850/v2"] == {
        "source": DEVICES,
        "source_record_id": "17850/v2",
        "shop_customer_id": "17850",
        "valid_from": at(7),
        "evidence": "e6",
        "first_seen_on": day(5),
        "last_seen_on": day(7),
        "is_deleted": False,
    }


def test_a_mailbox_is_a_record_for_each_number_that_is_named_beside_it(spark):
    events = rows_of(
        spark,
        EMAIL_EVENTS,
        event("e1", at(2), email="Anna@Example.com ", customer_id="17850"),
        event("e2", at(3), email="anna@example.com", customer_id="17850"),
        event("e3", at(4), email="anna@example.com"),
        event("e4", at(5), email="bert@example.com", customer_id="17850"),
        event("e5", at(6), email="no mailbox", customer_id="17850"),
    )

    found = told(mailbox_records(SENT, at="happened_at", evidence="event_id")(events))

    assert set(found) == {"17850/anna@example.com", "anna@example.com", "17850/bert@example.com"}
    assert found["17850/anna@example.com"] == {
        "source": SENT,
        "source_record_id": "17850/anna@example.com",
        "shop_customer_id": "17850",
        "email": "anna@example.com",
        "valid_from": at(3),
        "evidence": "e2",
        "first_seen_on": day(2),
        "last_seen_on": day(3),
        "is_deleted": False,
    }
    assert "shop_customer_id" not in found["anna@example.com"]


def test_confirmations_of_orders_are_mailboxes_too(spark):
    confirmed = spark.createDataFrame(
        [("17850", "anna@example.com", "o1", at(2))],
        "customer_id string, email string, order_id string, ordered_at timestamp",
    )

    found = told(mailbox_records(ORDERED, at="ordered_at", evidence="order_id")(confirmed))

    assert found["17850/anna@example.com"].items() >= {"source": ORDERED, "valid_from": at(2), "evidence": "o1"}.items()


RECEIVED = {
    "source": CRM,
    "source_record_id": "C1",
    "valid_from": at(7),
    "evidence": "e",
    "first_seen_on": day(1),
    "last_seen_on": day(7),
    "is_deleted": False,
}


def clean(spark, *records, default_country=None):
    """Records of sources, cleaned; each dict says only what is unlike RECEIVED."""
    kinds = {"birth_on": "date", "valid_from": "timestamp", "first_seen_on": "date", "last_seen_on": "date"}
    shape = ", ".join(f"{name} {kinds.get(name, 'boolean' if name == 'is_deleted' else 'string')}" for name in SHAPE)
    rows = [tuple((RECEIVED | record).get(name) for name in SHAPE) for record in records]
    return spark.createDataFrame(rows, shape).transform(cleaned(default_country=default_country))


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


def test_a_record_is_tidied_and_gets_what_it_is_compared_by(spark):
    record = {
        "shop_customer_id": "17850",
        "title": "Mr",
        "first_name": "BILL",
        "last_name": "Müller",
        "sex": "M",
        "birth_on": date(1980, 4, 12),
        "email": "Bill+shop@Example.com",
        "phone": "020 7946 0018",
        "street": "12 High Street",
        "postcode": "sw1a1aa",
        "city": "LONDON",
        "region": "Greater London",
        "country": "United Kingdom",
    }

    found = clean(spark, record)

    assert found.columns == [name for name in CUSTOMER_RECORDS.column_names if name != "_batch"]
    (row,) = found.collect()
    kept = {name: record[name] for name in ("shop_customer_id", "title", "birth_on", "street", "region", "country")}
    derived = {
        "first_name": "Bill",
        "last_name": "Müller",
        "sex": "male",
        "email": "bill+shop@example.com",
        "phone": "+442079460018",
        "postcode": "SW1A 1AA",
        "city": "London",
        "given_key": "william",
        "family_key": "muller",
        "email_key": "bill@example.com",
        "country_code": "GB",
        "record_id": -7717105927353257361,  # xxHash64 of crm_profiles, seed 42, then of C1, seeded with that
    }
    assert row.asDict().items() >= (RECEIVED | kept | derived).items()
    assert (row["full_name"], row["native_name"]) == (None, None)
    assert row["street_key"]


def test_a_whole_name_gives_its_parts_and_stays(spark):
    found = clean(spark, {"full_name": "Anna Marten"})

    assert only(found, "first_name", "last_name", "full_name", "given_key") == ("Anna", "Marten", "Anna Marten", "anna")


def test_a_name_in_another_script_is_kept_whole(spark):
    assert only(clean(spark, {"full_name": "山田 太郎"}), "native_name") == ("山田太郎",)


def test_a_record_that_says_nothing_has_nothing_to_compare(spark):
    keys = ("given_key", "family_key", "native_name", "email_key", "phone", "street_key", "postcode", "country_code")

    assert only(clean(spark, {}), *keys) == (None,) * len(keys)
    assert (
        only(clean(spark, {"email": "none", "phone": "n/a", "sex": "?"}), "email", "email_key", "phone", "sex")
        == (None,) * 4
    )


@pytest.mark.parametrize(
    ("country", "default_country", "number"),
    [("Austria", "GB", "+43316123456"), (None, "AT", "+43316123456"), (None, None, None)],
)
def test_a_number_without_the_countrys_code_is_of_the_records_country_else_of_the_default(
    spark, country, default_country, number
):
    record = {"phone": "0316 123456", "country": country}

    assert only(clean(spark, record, default_country=default_country), "phone") == (number,)


def test_the_number_of_a_record_is_made_of_its_source_and_its_number_there(spark):
    records = clean(spark, {"source": SHOP, "source_record_id": "17850"}, {"source": CRM, "source_record_id": "17850"})

    found = {row["source"]: row["record_id"] for row in records.collect()}

    # xxHash64 of shop with seed 42, and of 17850 seeded with that, by the library xxhash
    assert found[SHOP] == 8024758675661838330
    assert found[CRM] != found[SHOP]


@pytest.mark.parametrize(
    ("said", "title", "found"),
    [
        ("f", "Mrs", ("female", None)),
        (None, "Frau", ("female", "inferred")),
        ("unknown", "Mr.", ("male", "inferred")),
        ("f", "Mr", ("female", None)),  # what was said holds
        (None, "Dr", (None, "leave")),
        (None, None, (None, "leave")),
    ],
)
def test_a_sex_that_is_not_said_is_that_of_the_title_and_marked(spark, said, title, found):
    assert only(clean(spark, {"sex": said, "title": title}), "sex", "sex_filled_by") == found


@pytest.mark.parametrize(
    ("birth_on", "is_kept"),
    [
        (date(1980, 4, 12), True),
        (date(1900, 1, 1), False),
        (date(1970, 1, 1), False),
        (date(1980, 1, 1), True),
        (date(1970, 1, 2), True),
        (date(1970, 2, 1), True),
        (date(2024, 1, 1), True),
        (date(2024, 1, 2), False),
        (date(1904, 1, 2), True),
        (date(1904, 1, 1), False),
        (None, False),
    ],
    ids=str,
)
def test_a_birth_is_kept_when_somebody_can_have_been_born_then_and_it_is_no_default(spark, birth_on, is_kept):
    records = spark.createDataFrame([(birth_on, day(1))], "birth_on date, first_seen_on date")

    assert (records.where(is_plausible_birth()).count() == 1) == is_kept


@pytest.mark.parametrize(
    ("birth_on", "found"),
    [
        (date(2085, 3, 5), date(1985, 3, 5)),
        (date(2023, 12, 31), date(2023, 12, 31)),
        (date(2096, 2, 29), date(1996, 2, 29)),
    ],
)
def test_a_birth_after_the_record_was_first_seen_was_written_with_two_digits_of_the_year(spark, birth_on, found):
    assert only(clean(spark, {"birth_on": birth_on, "first_seen_on": date(2024, 1, 1)}), "birth_on") == (found,)


KNOWN = {
    "record_id": 7,
    "valid_from": at(5),
    "evidence": "e5",
    "first_seen_on": day(1),
    "last_seen_on": day(5),
    "is_deleted": False,
    "_batch": 1,
}
PERSON = {"first_name": "Anna", "phone": "+43316123456"}


def state(**others):
    return KNOWN | {"source": CRM, "source_record_id": "C1"} | PERSON | others


def said_by_events(**others):
    return KNOWN | {"source": CARDS, "source_record_id": "K1"} | PERSON | others


def written(spark, arrived, known, batch=2):
    """What is written of records that arrive beside what is known: each row as a dict without nulls."""
    found = taken_in(
        rows_of(spark, CUSTOMER_RECORDS, *arrived).drop("_batch"), rows_of(spark, CUSTOMER_RECORDS, *known), batch=batch
    )
    assert found.columns == CUSTOMER_RECORDS.column_names
    return [{name: value for name, value in row.asDict().items() if value is not None} for row in found.collect()]


@pytest.mark.parametrize("record", [state(), said_by_events()], ids=["state", "events"])
def test_a_record_that_was_not_known_is_written_as_it_is(spark, record):
    assert written(spark, [record], []) == [record | {"_batch": 2}]


@pytest.mark.parametrize("record", [state(), said_by_events()], ids=["state", "events"])
def test_a_record_that_says_nothing_new_is_not_written(spark, record):
    assert written(spark, [record], [record]) == []


def test_a_newer_state_holds_as_a_whole(spark):
    newer = state(first_name="Annette", phone=None, email="a@x", valid_from=at(6), evidence="e6", last_seen_on=day(6))

    assert written(spark, [newer], [state()]) == [
        {name: value for name, value in newer.items() if value is not None} | {"_batch": 2}
    ]


def test_a_state_of_the_same_instant_replaces_the_one_before(spark):
    (row,) = written(spark, [state(first_name="Annette")], [state()])

    assert row["first_name"] == "Annette"


def test_an_older_state_changes_nothing_but_since_when_the_record_is_seen(spark):
    older = state(first_name="Ann", email="a@x", valid_from=at(4), evidence="e4", last_seen_on=day(4))

    assert written(spark, [older], [state()]) == []
    assert written(spark, [older | {"first_seen_on": date(2023, 1, 1)}], [state()]) == [
        state(first_seen_on=date(2023, 1, 1), _batch=2)
    ]


def test_a_state_that_was_deleted_and_comes_back_is_written_each_time(spark):
    deleted = state(is_deleted=True, valid_from=at(6), evidence="e6", last_seen_on=day(6))
    back = state(valid_from=at(7), evidence="e7", last_seen_on=day(7))

    assert written(spark, [deleted], [state()]) == [deleted | {"_batch": 2}]
    assert written(spark, [back], [deleted]) == [back | {"_batch": 2}]


def test_newer_events_add_to_what_was_said_and_their_values_go_first(spark):
    newer = said_by_events(
        first_name="Annette", phone=None, email="a@x", valid_from=at(6), evidence="e6", first_seen_on=day(6),
        last_seen_on=day(6),
    )  # fmt: skip

    assert written(spark, [newer], [said_by_events()]) == [
        said_by_events(
            first_name="Annette", email="a@x", valid_from=at(6), evidence="e6", last_seen_on=day(6), _batch=2
        )
    ]


def test_older_events_fill_what_was_not_said_and_replace_nothing(spark):
    older = said_by_events(
        first_name="Ann",
        email="a@x",
        valid_from=at(4),
        evidence="e4",
        first_seen_on=date(2023, 1, 1),
        last_seen_on=day(4),
    )

    assert written(spark, [older], [said_by_events()]) == [
        said_by_events(email="a@x", first_seen_on=date(2023, 1, 1), _batch=2)
    ]


def test_of_events_of_one_instant_those_with_the_higher_number_go_first(spark):
    lower, higher = said_by_events(first_name="Low", evidence="e4"), said_by_events(first_name="High", evidence="e6")

    (row,) = written(spark, [higher], [said_by_events()])
    assert (row["first_name"], row["evidence"]) == ("High", "e6")
    assert written(spark, [lower], [said_by_events()]) == []


def test_only_records_that_arrived_are_written_each_beside_its_own(spark):
    known = [state(), state(source_record_id="C2"), said_by_events(source_record_id="C1")]
    newer = state(source_record_id="C2", first_name="Bert", valid_from=at(6), evidence="e6", last_seen_on=day(6))

    assert written(spark, [newer, state()], known) == [newer | {"_batch": 2}]


def test_a_number_that_others_named_gets_what_the_shop_says_once_it_buys(spark):
    named = {"source": SHOP, "source_record_id": "1", "record_id": 7, "evidence": "", "is_deleted": False, "_batch": 1}
    bought = said_by_events(source=SHOP, source_record_id="1", first_name=None, phone=None, country="France")

    assert written(spark, [named], []) == [named | {"_batch": 2}]
    (row,) = written(spark, [bought], [named])
    assert row.items() >= {"country": "France", "valid_from": at(5), "first_seen_on": day(1), "_batch": 2}.items()
    assert written(spark, [named], [row]) == []


drawn_lines = st.lists(
    st.tuples(st.sampled_from("12"), st.integers(1, 5), st.sampled_from(["France", "Spain", "Italy"]), st.booleans()),
    min_size=1,
    max_size=10,
).map(
    lambda drawn: [
        (line(number, f"{place:02}", at(moment), country), is_later)
        for place, (number, moment, country, is_later) in enumerate(drawn)
    ]
)


def after(spark, landings):
    """The table once it has taken these landings of lines one after another."""
    not_compared = {"record_id": F.lit(7), **{name: F.lit(None).cast("string") for name in (*FILLED, *DERIVED)}}
    known = {}
    for batch, lines in enumerate(landings, start=1):
        arrived = shop_records(rows_of(spark, ORDER_LINES, *lines)).withColumns(not_compared)
        changed = taken_in(arrived, rows_of(spark, CUSTOMER_RECORDS, *known.values()), batch=batch)
        known |= {row["source_record_id"]: row.asDict() for row in changed.collect()}
    return {number: {name: row[name] for name in CUSTOMER_RECORDS.business_columns} for number, row in known.items()}


@given(lines=drawn_lines)
def test_lines_in_any_order_of_arrival_and_twice_give_the_same_records(spark, lines):
    earlier, later = ([one for one, is_later in lines if is_later == wanted] for wanted in (False, True))

    arrived = after(spark, [landing for landing in (later, earlier, later) if landing])

    assert arrived == after(spark, [[one for one, _ in lines]])


def test_numbers_that_other_sources_name_are_records_of_the_shop_once_each(spark):
    records = rows_of(
        spark,
        CUSTOMER_RECORDS,
        state(shop_customer_id="17850"),
        said_by_events(shop_customer_id="17850"),
        state(source_record_id="C2", shop_customer_id="17000"),
        state(source_record_id="C3"),
        KNOWN | {"source": SHOP, "source_record_id": "12345", "shop_customer_id": "12345"},
    )

    assert told(numbers_known(records)) == {
        number: {
            "source": SHOP,
            "source_record_id": number,
            "shop_customer_id": number,
            "evidence": "",
            "is_deleted": False,
        }
        for number in ("17850", "17000")
    }
