from datetime import date, datetime

from chispa import assert_df_equality

from customerlake.silver.customers import customers

LINES = "customer_id string, ordered_at timestamp, ordered_on date, order_line_id string, country string, _batch long"


def line(customer, at, line_id, country, batch=1):
    moment = datetime.fromisoformat(at)
    return (customer, moment, moment.date(), line_id, country, batch)


def test_the_newest_line_tells_the_country(spark):
    lines = spark.createDataFrame(
        [line("1", "2011-01-05T10:00", "b", "France"), line("1", "2011-01-01T10:00", "a", "Spain")], LINES
    )

    known = customers(lines)

    expected = spark.createDataFrame(
        [("1", "France", "b", datetime(2011, 1, 5, 10), date(2011, 1, 1), date(2011, 1, 5), 1)],
        "customer_id string, country string, country_from_order_line_id string, country_since timestamp, "
        "first_seen_on date, last_seen_on date, _batch long",
    )
    assert_df_equality(known, expected, ignore_nullable=True)


def test_anonymous_lines_tell_of_no_customer(spark):
    lines = spark.createDataFrame([line(None, "2011-01-05T10:00", "b", "France")], LINES)

    assert customers(lines).isEmpty()
