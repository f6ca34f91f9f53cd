from datetime import date, datetime
from tempfile import mkdtemp

from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.runtime.tables import Lake
from customerlake.silver.customers import CUSTOMERS, NEWER_SURVIVES, customers

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


def test_of_lines_of_one_instant_the_higher_id_tells_the_country(spark):
    lines = spark.createDataFrame(
        [line("1", "2011-01-05T10:00", "b", "France"), line("1", "2011-01-05T10:00", "a", "Spain")], LINES
    )

    assert [row.country for row in customers(lines).collect()] == ["France"]


def merged(spark, *landings):
    """silver.customers of a new lake that took these landings one after another."""
    lake = Lake(mkdtemp(), lambda: spark)
    for landing in landings:
        lake.merge(CUSTOMERS, customers(spark.createDataFrame(landing, LINES)), update=NEWER_SURVIVES)
    return lake.read(CUSTOMERS)


def test_an_older_line_that_arrives_later_does_not_change_the_country(spark):
    newer = line("1", "2011-01-05T10:00", "b", "France", batch=1)
    older = line("1", "2011-01-01T10:00", "a", "Spain", batch=2)

    known = merged(spark, [newer], [older])

    expected = spark.createDataFrame(
        [("1", "France", "b", datetime(2011, 1, 5, 10), date(2011, 1, 1), date(2011, 1, 5), 2)], CUSTOMERS.schema
    )
    assert_df_equality(known, expected, ignore_nullable=True)


drawn_lines = st.lists(
    st.tuples(
        st.sampled_from("123"), st.integers(1, 9), st.sampled_from(["France", "Spain", "EIRE"]), st.integers(0, 2)
    ),
    min_size=1,
    max_size=15,
).map(
    lambda drawn: [
        (line(customer, f"2011-01-0{day}T10:00", f"{number:02}", country), landing)
        for number, (customer, day, country, landing) in enumerate(drawn)
    ]
)


@given(lines=drawn_lines)
def test_lines_in_any_order_of_arrival_give_the_same_customers(spark, lines):
    landings = [[line for line, landing in lines if landing == number] for number in range(3)]
    landings = [landing for landing in landings if landing]

    arrived, reversed_twice = merged(spark, *landings), merged(spark, *landings[::-1], *landings)

    at_once = customers(spark.createDataFrame([line for line, _ in lines], LINES))
    assert_df_equality(arrived, at_once, ignore_nullable=True, ignore_row_order=True)
    assert_df_equality(reversed_twice, at_once, ignore_nullable=True, ignore_row_order=True)
