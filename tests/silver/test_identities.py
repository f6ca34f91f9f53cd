from customerlake.silver.identities import of_number, of_record

IDENTITIES = "source string, source_record_id string, customer_id string"
KNOWN = [("shop", "1", "1"), ("shop", "2", "1"), ("tickets", "2", "7"), ("email_events", "1/a@b.de", "1")]


def test_a_number_is_of_the_customer_that_it_was_resolved_to_and_an_unknown_one_of_itself(spark):
    events = spark.createDataFrame(
        [("a", "1"), ("b", "2"), ("c", "9"), ("d", None)], "event_id string, customer_id string"
    )

    found = events.transform(of_number(spark.createDataFrame(KNOWN, IDENTITIES)))

    assert found.columns == ["event_id", "customer_id"]
    assert sorted(map(tuple, found.collect())) == [("a", "1"), ("b", "1"), ("c", "9"), ("d", None)]


def test_a_record_is_of_its_own_customer_whatever_number_other_sources_give_it(spark):
    tickets = spark.createDataFrame([("2", "5"), ("3", "5"), (None, "5")], "ticket_id string, number string")
    identities = spark.createDataFrame(KNOWN, IDENTITIES)

    found = tickets.transform(of_record(identities, "tickets", tickets["ticket_id"]))
    with_number = tickets.transform(of_record(identities, "tickets", tickets["ticket_id"], otherwise=tickets["number"]))

    assert {row["ticket_id"]: row["customer_id"] for row in found.collect()} == {"2": "7", "3": None, None: None}
    assert {row["ticket_id"]: row["customer_id"] for row in with_number.collect()} == {"2": "7", "3": "5", None: "5"}
