from customerlake.silver.identity.naming import (
    email_events_of_customers,
    loyalty_events_of_customers,
    tickets_of_customers,
    web_events_of_customers,
)

IDENTITIES = [
    ("shop", "1", "1"), ("shop", "2", "1"), ("shop", "3", "3"),
    ("tickets", "t1", "1"), ("loyalty_events", "c1", "3"),
    ("email_events", "anna@x.de", "1"), ("email_events", "2/anna@x.de", "1"),
    ("web_events", "1/v1", "1"), ("web_events", "2/v1", "1"), ("web_events", "1/v2", "1"), ("web_events", "3/v2", "3"),
]  # fmt: skip


def customers(spark, naming, ddl, *rows):
    identities = spark.createDataFrame(IDENTITIES, "source string, source_record_id string, customer_id string")
    named = spark.createDataFrame(rows, ddl).transform(naming(identities))
    assert sorted(named.columns) == sorted(part.split()[0] for part in ddl.split(", "))
    return {row["id"]: row["customer_id"] for row in named.collect()}


def test_a_ticket_is_of_the_customer_of_its_record_and_without_one_of_the_number_that_it_names(spark):
    rows = [("a", "t1", "3"), ("b", "t2", "3"), ("c", "t2", None), ("d", "t2", "2")]

    assert customers(spark, tickets_of_customers, "id string, ticket_id string, customer_id string", *rows) == {
        "a": "1", "b": "3", "c": None, "d": "1",
    }  # fmt: skip


def test_all_events_of_a_card_are_of_its_customer(spark):
    rows = [("a", "c1", None), ("b", "c1", "3"), ("c", "c2", None)]

    assert customers(spark, loyalty_events_of_customers, "id string, card_id string, customer_id string", *rows) == {
        "a": "3", "b": "3", "c": None,
    }  # fmt: skip


def test_an_email_is_of_the_customer_of_its_mailbox_however_the_address_is_written(spark):
    rows = [("a", "Anna@X.de", None), ("b", " anna@x.de ", "2"), ("c", "none", "3"), ("d", "none", None)]

    assert customers(spark, email_events_of_customers, "id string, email string, customer_id string", *rows) == {
        "a": "1", "b": "1", "c": "3", "d": None,
    }  # fmt: skip


def test_a_click_is_of_who_was_logged_in_else_of_the_only_customer_of_the_device(spark):
    rows = [("a", "v1", "2"), ("b", "v1", None), ("c", "v2", "3"), ("d", "v2", None), ("e", "v3", None)]

    assert customers(spark, web_events_of_customers, "id string, visitor_id string, customer_id string", *rows) == {
        "a": "1", "b": "1", "c": "3", "d": None, "e": None,
    }  # fmt: skip
