from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customerlake.silver.customer_records import CARDS, CRM, DEVICES, ORDERED, SENT, SHOP, TICKETS
from customerlake.silver.identity.survivorship import SURVIVORSHIP, Survives

RECORDS = (
    "source string, source_record_id string, valid_from timestamp, evidence string, "
    "first_name string, email string, postcode string, street string, city string, region string"
)
USUAL = {
    "source": CRM, "source_record_id": "1", "valid_from": datetime(2024, 1, 1), "evidence": "a", "first_name": None,
    "email": None, "postcode": None, "street": None, "city": None, "region": None,
}  # fmt: skip

BY_TRUST = Survives(("first_name",), "trusted", trusted=(CRM, CARDS))
BY_TIME = Survives(("first_name",), "newest", trusted=(CRM, CARDS))


def survivor(spark, rule, *records):
    """Which record survives, and what it says; each dict says only what is unlike USUAL."""
    frame = spark.createDataFrame([tuple((USUAL | record).values()) for record in records], RECORDS)
    (row,) = (
        frame.agg(rule.value().alias("said")).select("said.origin", *[f"said.{a}" for a in rule.attributes]).collect()
    )
    return tuple(row)


def name(source, first_name, day=1, **others):
    return {"source": source, "first_name": first_name, "valid_from": datetime(2024, 1, day)} | others


def test_the_most_trusted_source_says_it_however_old_its_record_is(spark):
    found = survivor(spark, BY_TRUST, name(CARDS, "Card", 9), name(CRM, "Crm", 1), name(TICKETS, "Ticket", 9))

    assert found == ("crm_profiles:1", "Crm")


def test_a_source_that_is_not_among_the_trusted_comes_after_them_all(spark):
    assert survivor(spark, BY_TRUST, name(TICKETS, "Ticket", 9), name(CARDS, "Card", 1)) == ("loyalty_events:1", "Card")
    assert survivor(spark, BY_TRUST, name(TICKETS, "Ticket", 9)) == ("tickets:1", "Ticket")


def test_of_records_that_are_trusted_alike_the_newest_says_it(spark):
    records = [name(CRM, "Old", 1), name(CRM, "New", 3, source_record_id="0"), name(CRM, "Mid", 2)]

    assert survivor(spark, BY_TRUST, *records) == ("crm_profiles:0", "New")


def test_the_newest_record_says_it_where_time_comes_first(spark):
    assert survivor(spark, BY_TIME, name(CRM, "Crm", 1), name(TICKETS, "Ticket", 2)) == ("tickets:1", "Ticket")


def test_time_counts_to_the_microsecond(spark):
    later = name(TICKETS, "Ticket", 1, valid_from=datetime(2024, 1, 1, 0, 0, 0, 1))

    assert survivor(spark, BY_TIME, name(CRM, "Crm", 1), later) == ("tickets:1", "Ticket")


def test_of_records_of_one_instant_the_most_trusted_says_it(spark):
    found = survivor(spark, BY_TIME, name(TICKETS, "Ticket"), name(CARDS, "Card"), name(DEVICES, "Device"))

    assert found == ("loyalty_events:1", "Card")


def test_a_record_without_a_time_is_older_than_any(spark):
    timeless = name(CRM, "Timeless", valid_from=None)

    assert survivor(spark, BY_TIME, timeless, name(TICKETS, "Ticket", valid_from=datetime(1900, 1, 1))) == (
        "tickets:1",
        "Ticket",
    )
    assert survivor(spark, BY_TIME, timeless) == ("crm_profiles:1", "Timeless")


def test_of_equals_the_higher_evidence_says_it_then_the_higher_number(spark):
    higher_evidence = name(CRM, "B", source_record_id="1", evidence="b")
    higher_number = name(CRM, "C", source_record_id="3")

    assert survivor(spark, BY_TRUST, name(CRM, "A", source_record_id="2"), higher_evidence, higher_number)[1] == "B"
    assert survivor(spark, BY_TRUST, name(CRM, "A", source_record_id="2"), higher_number)[1] == "C"


def test_what_is_complete_goes_before_what_is_trusted_or_newer(spark):
    rule = Survives(("first_name",), "trusted", trusted=(CRM,), complete="length(first_name) > 2")

    assert survivor(spark, rule, name(CRM, "J.", 9), name(TICKETS, "John", 1)) == ("tickets:1", "John")
    assert survivor(spark, rule, name(CRM, "J.", 9), name(TICKETS, "K.", 1)) == ("crm_profiles:1", "J.")


def test_a_record_without_the_attribute_does_not_take_part(spark):
    assert survivor(spark, BY_TRUST, name(CRM, None, 9), name(TICKETS, "Ticket")) == ("tickets:1", "Ticket")
    assert survivor(spark, BY_TRUST, name(CRM, None)) == (None, None)


HOME = Survives(("postcode", "street", "city"), "newest", complete="street IS NOT NULL")


def test_attributes_of_one_rule_are_of_one_record(spark):
    older = {"postcode": "1010", "street": "Ring 1", "city": "Vienna", "source_record_id": "older"}
    newer = {"postcode": "8010", "street": "Platz 3", "valid_from": datetime(2024, 2, 1), "source_record_id": "newer"}

    assert survivor(spark, HOME, older, newer) == ("crm_profiles:newer", "8010", "Platz 3", None)


def test_a_record_with_one_of_the_attributes_takes_part(spark):
    newer = {"street": "Platz 3", "city": "Graz", "valid_from": datetime(2024, 2, 1), "source_record_id": "newer"}
    older = {"postcode": "1010", "source_record_id": "older"}

    assert survivor(spark, HOME, older, newer) == ("crm_profiles:newer", None, "Platz 3", "Graz")


@pytest.mark.before_an_engine
def test_the_origin_is_named_after_the_first_attribute():
    assert [rule.origin for rule in (BY_TRUST, HOME)] == ["first_name_from", "postcode_from"]


def of_customers(attribute):
    """The rule by which silver.customers takes an attribute."""
    (rule,) = (rule for rule in SURVIVORSHIP if attribute in rule.attributes)
    return rule


def test_a_customers_name_is_by_the_crm_then_the_card_then_the_desk_but_no_initial(spark):
    rule = of_customers("first_name")
    desk, card, crm = name(TICKETS, "Johnny", 3), name(CARDS, "Jon", 2), name(CRM, "John", 1)

    assert survivor(spark, rule, desk, card, crm)[1] == "John"
    assert survivor(spark, rule, desk, card, crm | {"first_name": "J."})[1] == "Jon"
    assert survivor(spark, rule, desk, crm | {"first_name": None})[1] == "Johnny"


def test_a_customers_mailbox_is_the_one_that_was_heard_of_last(spark):
    rule = of_customers("email")
    crm = {"email": "crm@x", "valid_from": datetime(2024, 1, 1)}
    sent = {"source": SENT, "email": "sent@x", "valid_from": datetime(2024, 1, 2)}

    assert survivor(spark, rule, crm, sent) == ("email_events:1", "sent@x")
    assert survivor(spark, rule, crm | {"valid_from": datetime(2024, 1, 2)}, sent) == ("crm_profiles:1", "crm@x")
    assert survivor(spark, rule, sent | {"source": CARDS}, sent | {"source": ORDERED}) == ("web_orders:1", "sent@x")


def test_a_customers_home_is_the_newest_that_is_known_with_its_street(spark):
    rule = of_customers("street")
    with_street = {"postcode": "1010", "street": "Ring 1", "city": "Vienna", "valid_from": datetime(2020, 1, 1)}
    of_card = {"source": CARDS, "postcode": "8010", "valid_from": datetime(2024, 1, 1)}

    assert survivor(spark, rule, with_street, of_card) == ("crm_profiles:1", "1010", "Ring 1", "Vienna", None)
    assert survivor(spark, rule, of_card) == ("loyalty_events:1", "8010", None, None, None)


SOURCES = [SHOP, CRM, CARDS, TICKETS]
drawn_records = st.lists(
    st.fixed_dictionaries(
        {
            "source": st.sampled_from(SOURCES),
            "source_record_id": st.sampled_from("123456789"),
            "valid_from": st.none() | st.integers(1, 3).map(lambda day: datetime(2024, 1, day)),
            "evidence": st.sampled_from("ab"),
            "first_name": st.sampled_from(["J.", "Johanna", "Jo", "Anna", None]),
        }
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda record: (record["source"], record["source_record_id"]),
)


def best_by_the_rule(records):
    """The survivor by the rule's words, over the list: complete, then the trusted source, then the newest, ..."""

    def rank(record):
        trust = {CRM: 3, CARDS: 2, TICKETS: 1}.get(record["source"], 0)
        since = record["valid_from"] or datetime(1, 1, 1)
        origin = f"{record['source']}:{record['source_record_id']}"
        return len(record["first_name"]) > 2, trust, since, record["evidence"], origin

    known = [record for record in records if record["first_name"]]
    if not known:
        return None, None
    best = max(known, key=rank)
    return rank(best)[-1], best["first_name"]


@given(records=drawn_records, shuffle=st.randoms())
def test_the_survivor_is_what_the_rule_says_in_any_order_of_records(spark, records, shuffle):
    shuffled = list(records)
    shuffle.shuffle(shuffled)

    rule = of_customers("first_name")

    assert survivor(spark, rule, *records) == best_by_the_rule(records)
    assert survivor(spark, rule, *shuffled) == best_by_the_rule(records)
