from datetime import date

from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.silver.cleaning.dates import (
    birth_day,
    day_month_order,
    day_within,
    decided_order,
    instant,
    instant_within,
)

AS_OF = date(2024, 6, 30)


def read(spark, function, *texts):
    rows = spark.createDataFrame(list(enumerate(texts)), "id int, text string")
    return [row[0] for row in rows.orderBy("id").select(function(F.col("text"))).collect()]


def test_a_day_is_read_by_the_first_pattern_that_reads_it(spark):
    def days(text):
        patterns = ("dd/MM/yyyy", "MM/dd/yyyy", "yyyyMMdd", "d MMM yyyy")
        return day_within(text, patterns=patterns, earliest=date(1900, 1, 1), latest=AS_OF)

    texts = {
        "05/03/2021": date(2021, 3, 5),  # not 3 May, which the second pattern would read
        "12/31/2021": date(2021, 12, 31),
        "20210305": date(2021, 3, 5),
        "5 Mar 2021": date(2021, 3, 5),
        "2021-03-05": date(2021, 3, 5),
        "2021-03-05 10:11:12.5": date(2021, 3, 5),
        "31/04/2021": None,  # April has 30 days
        "29/02/2023": None,
        "5/3/2021": None,  # dd and MM are two digits
        "yesterday": None,
        "": None,
        None: None,
    }

    assert dict(zip(texts, read(spark, days, *texts), strict=True)) == texts


def test_days_outside_the_range_are_null_and_its_ends_are_in_it(spark):
    def days(text):
        return day_within(text, patterns=("dd.MM.yyyy",), earliest=date(1900, 1, 1), latest=AS_OF)

    texts = {
        "0001-01-01": None,
        "01.01.0001": None,
        "9999-12-31": None,
        "31.12.9999": None,
        "31.12.1899": None,
        "01.01.1900": date(1900, 1, 1),
        "30.06.2024": date(2024, 6, 30),
        "01.07.2024": None,
    }

    assert dict(zip(texts, read(spark, days, *texts), strict=True)) == texts


def test_a_year_of_two_digits_is_the_newest_whose_day_is_not_after_the_latest(spark):
    def days(text):
        return day_within(text, patterns=("dd.MM.yy", "dd.MM.yyyy"), earliest=date(1900, 1, 1), latest=AS_OF)

    texts = {
        "30.06.24": date(2024, 6, 30),
        "01.07.24": date(1924, 7, 1),
        "01.01.00": date(2000, 1, 1),
        "31.12.99": date(1999, 12, 31),
        "29.02.00": date(2000, 2, 29),
        "29.02.96": date(1996, 2, 29),
        "29.02.23": None,
        "01.07.1931": date(1931, 7, 1),
        "01.07.931": None,
    }

    assert dict(zip(texts, read(spark, days, *texts), strict=True)) == texts


def test_a_day_that_its_century_does_not_have_is_null(spark):
    def days(text):
        return day_within(text, patterns=("dd.MM.yy",), earliest=date(1850, 1, 1), latest=date(1999, 12, 31))

    assert read(spark, days, "29.02.00", "28.02.00") == [None, date(1900, 2, 28)]  # 1900 was no leap year


@given(days=st.lists(st.dates(date(1924, 7, 1), AS_OF), min_size=1, max_size=30))
def test_a_birth_date_of_the_last_hundred_years_survives_the_loss_of_its_century(spark, days):
    def born(text):
        return birth_day(text, patterns=("d/M/yy",), as_of=AS_OF)

    assert read(spark, born, *[f"{day.day}/{day.month}/{day.year % 100:02}" for day in days]) == days


def test_nobody_is_born_in_the_future_or_too_long_ago(spark):
    def born(text):
        return birth_day(text, patterns=("dd.MM.yyyy",), as_of=AS_OF)

    read_days = read(spark, born, "30.06.2024", "01.07.2024", "01.01.1904", "31.12.1903")

    assert read_days == [AS_OF, None, date(1904, 1, 1), None]


def test_an_instant_is_held_against_the_range_by_its_day_on_the_spot(spark):
    def instants(text):
        patterns = ("dd.MM.yyyy HH:mm", "MM/dd/yy h:mm a")
        read = instant_within(
            text, patterns=patterns, time_zone="America/New_York", earliest=date(2024, 1, 1), latest=AS_OF
        )
        return read.cast("string")

    texts = {
        "30.06.2024 23:30": "2024-07-01 03:30:00",  # in UTC the next day, in New York the last one of the range
        "01.07.2024 00:30": None,
        "01.01.2024 00:00": "2024-01-01 05:00:00",
        "31.12.2023 23:59": None,
        "06/30/24 1:05 PM": "2024-06-30 17:05:00",
        "2024-02-01 12:00:00.25": "2024-02-01 17:00:00.25",
        "0001-01-01 00:00:00": None,
    }

    assert dict(zip(texts, read(spark, instants, *texts), strict=True)) == texts


def test_seconds_and_milliseconds_since_1970_are_told_apart_by_the_range(spark):
    def instants(text):
        patterns = ("epoch_seconds", "epoch_millis")
        read = instant_within(text, patterns=patterns, time_zone="UTC", earliest=date(2000, 1, 1), latest=AS_OF)
        return read.cast("string")

    read_instants = read(spark, instants, "1700000000", "1700000000250", "99999999999999999", "-5")

    assert read_instants == ["2023-11-14 22:13:20", "2023-11-14 22:13:20.25", None, None]


def test_a_count_of_seconds_that_no_timestamp_holds_is_null(spark):
    def instants(text):
        return instant(text, pattern="epoch_seconds", time_zone="UTC").cast("string")

    assert read(spark, instants, "99999999999999999", "1700000000") == [None, "2023-11-14 22:13:20"]


def test_texts_are_counted_by_the_orders_of_day_and_month_that_can_read_them(spark):
    texts = {
        "shop": ["31.12.2020", "13/01/21", "1-2-2021", "05.05.2021 10:00", "31.04.2021", None, "20210131"],
        "crm": ["12/31/2020", "2/29/2020", "29/02/2021", "02 30 2020", "4/5/2020", "x"],
    }
    days = spark.createDataFrame(
        [(feed, text) for feed, said in texts.items() for text in said], "feed string, text string"
    )

    counts = {row["feed"]: tuple(row[1:]) for row in day_month_order(days, "text", by=("feed",)).collect()}
    whole = day_month_order(days, "text").collect()

    # only day first, only month first, both, neither; 29/02/2021 and 02 30 2020 are days in no order, 31.04 neither
    assert counts == {"shop": (2, 0, 2, 2), "crm": (0, 2, 1, 3)}
    assert [tuple(row) for row in whole] == [(2, 2, 3, 5)]


def test_a_feed_without_texts_counts_nothing(spark):
    days = spark.createDataFrame([(None,)], "text string")

    assert [tuple(row) for row in day_month_order(days, "text").collect()] == [(0, 0, 0, 0)]


def test_the_order_is_decided_by_texts_that_one_order_alone_can_read():
    assert decided_order(7, 0, 90, 3).order == "day first"
    assert decided_order(0, 1, 0, 0).order == "month first"
    assert decided_order(0, 0, 90, 3).order == "undecided"
    assert decided_order(0, 0, 0, 0).order == "undecided"
    assert decided_order(99, 1, 0, 0).order == "mixed"


def test_the_rarer_order_counts_as_mistakes_up_to_the_tolerated_share():
    assert decided_order(99, 1, 0, 0, tolerated_share=0.01).order == "day first"
    assert decided_order(2, 98, 0, 0, tolerated_share=0.01).order == "mixed"


def test_a_decision_says_what_it_was_seen_by():
    assert decided_order(7, 0, 90, 3).evidence == (
        "of 100 texts, 7 are a day only with the day first, 0 only with the month first, "
        "90 with either first, 3 with neither"
    )
