from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customerlake.silver import term_frequencies as module
from customerlake.silver.term_frequencies import (
    LEAST_SHARED,
    TERM_FREQUENCIES,
    newly_shared,
    term_frequencies,
    with_frequencies,
)

RECORDS = "record_id string, given_key string, family_key string, email_key string"


def people(*rows):
    """Rows of given name and mailbox."""
    return [(f"{place}", given, None, mailbox) for place, (given, mailbox) in enumerate(rows)]


def by_value(df):
    return {(row["column"], row["value"]): row["frequency_share"] for row in df.collect()}


def of_names(spark, *names):
    records = spark.createDataFrame(people(*[(name, None) for name in names]), RECORDS)
    return by_value(term_frequencies(records, ["given_key"], identifiers=[]))


def of_mailboxes(spark, *rows):
    records = spark.createDataFrame(people(*rows), RECORDS)
    return by_value(term_frequencies(records, [], identifiers=["email_key"]))


def test_a_name_is_as_frequent_as_its_share_of_the_records_that_have_one(spark):
    found = of_names(spark, "anna", "anna", "anna", "bert", "bert", "carl", "dora", "emil", None, None)

    # of eight names three are Anna, two are Bert; what was seen once is one of eight
    assert found == {("given_key", "anna"): 3 / 8, ("given_key", "bert"): 2 / 8, ("given_key", None): 1 / 8}


def test_of_a_column_without_values_nothing_is_said(spark):
    assert of_names(spark, None, None) == {}
    assert of_mailboxes(spark, ("anna", None)) == {}


def test_a_mailbox_is_as_frequent_as_others_beside_its_owner_have_it(spark):
    found = of_mailboxes(
        spark,
        ("anna", "family@x"),
        ("bert", "family@x"),
        ("carl", "family@x"),  # three people: two beside the owner
        ("dora", "dora@x"),
        ("dora", "dora@x"),
        ("emil", "emil@x"),
        ("fred", "fred@x"),
    )

    # two mailboxes with two names or more: others beside the owner 2 and 0, 1 on average; there are 4 mailboxes
    assert found == {("email_key", "family@x"): (2 + 1) / 4, ("email_key", None): 1 / 4}


def test_a_mailbox_in_many_records_of_its_one_owner_is_not_common(spark):
    found = of_mailboxes(spark, *[("anna", "anna@x")] * 5, ("annie", "anna@x"), ("a", "anna@x"), ("bert", "bert@x"))

    assert found == {("email_key", None): pytest.approx(LEAST_SHARED / 2)}


def test_records_without_a_given_name_tell_of_no_further_person(spark):
    found = of_mailboxes(spark, ("anna", "anna@x"), (None, "anna@x"), (None, "other@x"))

    assert found == {("email_key", None): pytest.approx(LEAST_SHARED / 2)}


def test_no_mailbox_is_more_frequent_than_always(spark):
    # one mailbox of four people: three others of the owner, three on average, one mailbox
    found = of_mailboxes(spark, ("anna", "all@x"), ("bert", "all@x"), ("carl", "all@x"), ("dora", "all@x"))

    assert found == {("email_key", "all@x"): 1.0, ("email_key", None): 1.0}


def test_names_and_mailboxes_are_counted_apart(spark):
    records = [("1", "anna", "anna", "anna"), ("2", "anna", "bert", "bert")]

    found = by_value(
        term_frequencies(
            spark.createDataFrame(records, RECORDS), ["given_key", "family_key"], identifiers=["email_key"]
        )
    )

    assert found == {
        ("given_key", "anna"): 1.0,
        ("given_key", None): 0.5,
        ("family_key", None): 0.5,
        ("email_key", None): pytest.approx(LEAST_SHARED / 2),
    }


def test_of_more_values_than_are_listed_the_most_common_are(spark, monkeypatch):
    monkeypatch.setattr(module, "MOST_VALUES", 2)

    found = of_names(spark, *"abbccddeee")

    # b, c and d are as common as each other: the first by the alphabet is listed
    assert found == {("given_key", "e"): 0.3, ("given_key", "b"): 0.2, ("given_key", None): 0.1}


def test_a_mailbox_that_a_new_record_shows_to_be_shared_is_as_common_as_if_it_had_been_known_before(spark):
    before = [("anna", "family@x"), ("anna", "anna@x"), ("carl", "two@x"), ("dora", "two@x"), ("emil", "emil@x")]
    new = [("bert", "family@x"), ("anna", "anna@x"), ("carl", "two@x"), ("frida", "frida@x")]
    rows = [(str(n), given, None, mailbox, n >= len(before)) for n, (given, mailbox) in enumerate([*before, *new])]
    records = spark.createDataFrame(rows, f"{RECORDS}, is_new boolean")
    known = term_frequencies(records.where("NOT is_new"), ["given_key"], identifiers=["email_key"])

    found = by_value(newly_shared(records, known, ["email_key"]))

    # four mailboxes were known, of which one has two names or more: one person beside its owner, on average
    assert found == {("email_key", "family@x"): pytest.approx((1 + 1) / 4)}


def test_what_is_newly_shared_is_so_once(spark):
    rows = [("1", "anna", None, "family@x", False), ("2", "bert", None, "family@x", True)]
    records = spark.createDataFrame(rows, f"{RECORDS}, is_new boolean")
    known = term_frequencies(records.where("NOT is_new"), ["given_key"], identifiers=["email_key"])
    shared = newly_shared(records, known, ["email_key"])

    assert shared.count() == 1
    assert newly_shared(records, known.unionByName(shared), ["email_key"]).count() == 0


def test_records_get_the_frequency_of_what_they_say(spark):
    records = spark.createDataFrame(
        [
            ("listed", "anna", "marten", None),
            ("rare", "zoe", "marten", None),
            ("without", None, "quirke", None),
            ("of another column", "marten", None, None),
        ],
        RECORDS,
    )
    known = spark.createDataFrame(
        [
            ("given_key", "anna", 0.25, None),
            ("given_key", None, 0.01, None),
            ("family_key", "marten", 0.5, None),
            ("family_key", None, 0.02, None),
        ],
        TERM_FREQUENCIES.schema,
    )

    found = with_frequencies(records, known, ["given_key", "family_key"])

    assert set(found.columns) == {*records.columns, "given_key_frequency", "family_key_frequency"}
    rows = {row["record_id"]: (row["given_key_frequency"], row["family_key_frequency"]) for row in found.collect()}
    assert rows == {
        "listed": (0.25, 0.5),
        "rare": (0.01, 0.5),
        "without": (None, 0.02),
        "of another column": (0.01, None),
    }


def test_where_nothing_is_known_of_a_column_no_frequency_is_said(spark):
    records = spark.createDataFrame([("1", "anna", None, None)], RECORDS)

    found = with_frequencies(records, spark.createDataFrame([], TERM_FREQUENCIES.schema), ["given_key"])

    assert [row["given_key_frequency"] for row in found.collect()] == [None]


drawn_people = st.lists(
    st.tuples(st.sampled_from(["anna", "arno", "bert", "carl", None]), st.sampled_from(["a@x", "b@x", "c@x", None])),
    min_size=1,
    max_size=20,
)


@given(rows=drawn_people)
def test_no_record_is_lost_and_every_value_has_a_frequency_that_is_a_share(spark, rows):
    records = spark.createDataFrame(people(*rows), RECORDS)
    known = term_frequencies(records, ["given_key"], identifiers=["email_key"])

    found = with_frequencies(records, known, ["given_key", "email_key"]).collect()

    assert Counter((row["given_key"], row["email_key"]) for row in found) == Counter(rows)
    counted = Counter(name for name, _ in rows if name)
    for row in found:
        name, mailbox = row["given_key_frequency"], row["email_key_frequency"]
        assert (name is None) == (row["given_key"] is None)
        assert (mailbox is None) == (row["email_key"] is None)
        assert name is None or name == pytest.approx(counted[row["given_key"]] / counted.total())
        assert mailbox is None or 0 < mailbox <= 1
