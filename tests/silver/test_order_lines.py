import hashlib
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from tempfile import mkdtemp

import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.bronze.sources.sales import BRONZE as SALES
from customerlake.bronze.sources.sales import SALES as SOURCE
from customerlake.runtime.feeds import SalesFeed
from customerlake.runtime.tables import Lake
from customerlake.silver.order_lines import (
    ORDER_LINES,
    RECEIVED_AGAIN,
    as_sent,
    distinct_lines,
    in_currency_of_lake,
    order_lines,
    rejected_lines,
    trimmed_texts,
    typed_lines,
)
from customerlake.silver.typed import LATER_LANDING

FEED = SalesFeed(path="landing")
RECEIVED = {
    "order_id": "536365",
    "product_id": "85123A",
    "description": "WHITE LANTERN",
    "quantity": "6",
    "ordered_at": "2010-12-01 08:26:00",
    "unit_price": "2.55",
    "customer_id": "17850.0",
    "country": "United Kingdom",
    "amount": None,
    "currency": None,
}
ORIGIN = {
    "_extra": None,
    "_raw": None,
    "_problem": None,
    "_is_deleted": None,
    "_source_file": "day.csv",
    "_line_number": 2,
    "_file_digest": "d1",
    "_batch": 1,
    "_run_id": "run-1",
    "_received_at": datetime(2011, 12, 10, 6),
}


def received(spark, *lines):
    """bronze.sales with these lines; each dict says only what is unlike RECEIVED and ORIGIN."""
    rows = [tuple((RECEIVED | ORIGIN | line)[name] for name in SALES.column_names) for line in lines]
    return spark.createDataFrame(rows, SALES.schema).transform(as_sent(SOURCE, FEED, F.col("_batch")))


def rule(*, time_zone="UTC", timestamp_format="yyyy-MM-dd HH:mm:ss", rates=None, lacking=("amount",)):
    lines = typed_lines(
        timestamp_format=timestamp_format,
        time_zone=time_zone,
        currency="GBP",
        channel="online",
        cancellation_prefix="C",
        line_kinds={"POST": "postage", "D": "discount", "GIFT_*": "gift voucher"},
        lacking=lacking,
    )
    return in_currency_of_lake(lines, "GBP", rates)


def typed(spark, *lines, **values):
    return received(spark, *lines).withColumns(trimmed_texts()).transform(rule(**values))


def accepted(spark, *lines):
    return order_lines(received(spark, *lines), rule())


def rejected(spark, *lines):
    return rejected_lines(received(spark, *lines), rule())


def values(df, *names):
    """The named columns of the only row."""
    (row,) = df.select(*names).collect()
    return tuple(row)


def test_a_sound_line_is_typed(spark):
    lines = accepted(spark, {})

    id_of_the_line = hashlib.sha256(
        b"536365\x1f85123A\x1fWHITE LANTERN\x1f6\x1f2010-12-01 08:26:00\x1f2.55\x1f17850.0\x1fUnited Kingdom"
    ).hexdigest()
    row = {
        "order_line_id": id_of_the_line,
        "order_id": "536365",
        "customer_id": "17850",
        "ordered_at": datetime(2010, 12, 1, 8, 26),
        "ordered_on": date(2010, 12, 1),
        "ordered_month": date(2010, 12, 1),
        "channel": "online",
        "is_return": False,
        "is_sale": True,
        "line_kind": "product",
        "is_product": True,
        "product_id": "85123A",
        "description": "WHITE LANTERN",
        "quantity": 6,
        "unit_price": Decimal("2.5500"),
        "amount": Decimal("15.3000"),
        "amount_charged": Decimal("15.3000"),
        "currency": "GBP",
        "exchange_rate": Decimal(1),
        "exchange_rate_on": date(2010, 12, 1),
        "country": "United Kingdom",
        "count_received": 1,
        "_source_file": "day.csv",
        "_line_number": 2,
        "_batch": 1,
    }
    expected = spark.createDataFrame([tuple(row[name] for name in ORDER_LINES.column_names)], ORDER_LINES.schema)
    assert_df_equality(lines, expected, ignore_nullable=True)


@pytest.mark.parametrize("space", [" ", "\t", "\u00a0", "\r", " \t\u00a0 "])
def test_surrounding_white_space_makes_no_other_line(spark, space):
    spaced = {name: f"{space}{text}{space}" for name, text in RECEIVED.items() if text is not None}

    lines = accepted(spark, {}, spaced)

    assert values(lines, "order_id", "customer_id", "count_received") == ("536365", "17850", 2)


def test_white_space_within_a_text_stays(spark):
    assert values(typed(spark, {"description": "WHITE  LANTERN"}), "description") == ("WHITE  LANTERN",)


@pytest.mark.parametrize("nothing", ["", "   ", None])
def test_a_line_without_a_customer_is_anonymous(spark, nothing):
    assert values(accepted(spark, {"customer_id": nothing}), "customer_id") == (None,)


@pytest.mark.parametrize(
    ("written", "meant"), [("6.0", 6), ("6.000", 6), ("-6", -6), (" 6 ", 6), ("60", 60), ("100.0", 100)]
)
def test_a_quantity_may_be_written_as_spreadsheets_do(spark, written, meant):
    assert values(typed(spark, {"quantity": written}), "quantity") == (meant,)


def test_only_trailing_zero_decimals_of_a_customer_number_go(spark):
    lines = typed(spark, {"customer_id": "100.0"}, {"customer_id": "10.05"}, {"customer_id": "A.0B"})

    expected = spark.createDataFrame([("100",), ("10.05",), ("A.0B",)], "customer_id string")
    assert_df_equality(lines.select("customer_id"), expected, ignore_row_order=True)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2.55", "2.55"),
        ("0", "0"),
        (".5", "0.5"),
        ("1E-3", "0.001"),
        ("2.5e2", "250"),
        ("2.55555", "2.5556"),
        ("0.00005", "0.0001"),
    ],
)
def test_a_unit_price_keeps_four_decimal_places_rounded_half_up(spark, written, meant):
    assert values(typed(spark, {"unit_price": written}), "unit_price") == (Decimal(meant),)


def test_product_codes_of_either_case_are_one_product(spark):
    assert values(typed(spark, {"product_id": "85123a"}), "product_id") == ("85123A",)


def test_times_of_the_feeds_zone_become_utc_and_the_day_stays_the_shops(spark):
    summer = {"ordered_at": "2011-07-01 00:30:00"}

    lines = typed(spark, summer, time_zone="Europe/London")

    expected = spark.createDataFrame(
        [(datetime(2011, 6, 30, 23, 30), date(2011, 7, 1))], "ordered_at timestamp, ordered_on date"
    )
    assert_df_equality(lines.select("ordered_at", "ordered_on"), expected, ignore_nullable=True)


def test_the_feed_says_how_its_times_are_written(spark):
    lines = typed(spark, {"ordered_at": "12/1/2010 8:26"}, timestamp_format="M/d/yyyy H:mm")

    assert values(lines, "ordered_on") == (date(2010, 12, 1),)


@pytest.mark.parametrize(
    ("line", "is_return", "is_sale"),
    [
        ({}, False, True),
        ({"order_id": "C536379", "quantity": "-1"}, True, False),
        ({"order_id": "C536379", "quantity": "1"}, True, False),
        ({"quantity": "-1"}, False, False),
        ({"unit_price": "0"}, False, False),
        ({"order_id": "536C"}, False, True),
    ],
)
def test_a_sale_is_sold_for_money_and_no_return(spark, line, is_return, is_sale):
    assert values(typed(spark, line), "is_return", "is_sale") == (is_return, is_sale)


@pytest.mark.parametrize(
    ("line", "kind", "is_product"),
    [
        ({}, "product", True),
        ({"product_id": "POST"}, "postage", False),
        ({"product_id": "post"}, "postage", False),
        ({"product_id": "POSTER"}, "product", True),
        ({"product_id": "gift_0001_20"}, "gift voucher", False),
        ({"quantity": "-3"}, "adjustment", False),
        ({"quantity": "-3", "product_id": "POST"}, "adjustment", False),
        ({"quantity": "-3", "order_id": "C1"}, "product", True),
        ({"quantity": "-1", "order_id": "C1", "product_id": "D"}, "discount", False),
    ],
)
def test_a_line_is_of_the_kind_that_its_code_says(spark, line, kind, is_product):
    assert values(typed(spark, line), "line_kind", "is_product") == (kind, is_product)


@pytest.mark.parametrize(
    ("line", "reasons"),
    [
        ({"order_id": " "}, ["order_id is missing"]),
        ({"product_id": ""}, ["product_id is missing"]),
        ({"country": None}, ["country is missing"]),
        ({"quantity": ""}, ["quantity is missing"]),
        ({"quantity": "six"}, ["quantity 'six' is not a whole number of up to nine digits"]),
        ({"quantity": "6.5"}, ["quantity '6.5' is not a whole number of up to nine digits"]),
        ({"quantity": "1e2"}, ["quantity '1e2' is not a whole number of up to nine digits"]),
        ({"quantity": "0"}, ["quantity is zero"]),
        ({"ordered_at": ""}, ["ordered_at is missing"]),
        (
            {"ordered_at": "2011-02-30 10:00:00"},
            ["ordered_at '2011-02-30 10:00:00' is not a date and time that exists"],
        ),
        ({"ordered_at": "2011-02-03"}, ["ordered_at '2011-02-03' is not a date and time that exists"]),
        ({"unit_price": ""}, ["unit_price is missing"]),
        ({"unit_price": "1,50"}, ["unit_price '1,50' is not a number"]),
        ({"unit_price": "NaN"}, ["unit_price 'NaN' is not a number"]),
        ({"unit_price": "£5"}, ["unit_price '£5' is not a number"]),
        ({"unit_price": "5d"}, ["unit_price '5d' is not a number"]),
        ({"unit_price": "-11062.06"}, ["unit_price -11062.0600 is negative"]),
        (
            {"quantity": "0", "unit_price": "-1", "country": ""},
            ["country is missing", "quantity is zero", "unit_price -1.0000 is negative"],
        ),
    ],
)
def test_a_bad_line_is_rejected_for_every_rule_it_breaks(spark, line, reasons):
    assert accepted(spark, line).isEmpty()
    assert values(rejected(spark, line), "reasons") == (reasons,)


def test_what_the_reader_of_the_file_found_is_a_reason(spark):
    ragged = dict.fromkeys(RECEIVED) | {"_raw": "a,b", "_problem": "the line has 2 columns, the header has 8"}

    assert values(rejected(spark, ragged), "reasons") == (["the line has 2 columns, the header has 8"],)
    assert accepted(spark, ragged).isEmpty()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            {"quantity": "20", "unit_price": "5012345678900"},
            "amount_charged '20 x 5012345678900.0000' is not below 1,000,000,000,000",
        ),
        (
            {"quantity": "999999999", "unit_price": "99999999999999"},
            "amount_charged '999999999 x 99999999999999.0000' is not below 1,000,000,000,000",
        ),
        ({"quantity": "5012345678900"}, "quantity '5012345678900' is not a whole number of up to nine digits"),
        ({"quantity": "-2147483648"}, "quantity '-2147483648' is not a whole number of up to nine digits"),
        ({"unit_price": "501234567890012345"}, "unit_price '501234567890012345' is not a number"),
        ({"unit_price": "1e400"}, "unit_price '1e400' is not a number"),
    ],
)
def test_a_number_out_of_any_range_is_rejected_and_stops_nothing(spark, line, reason):
    lines = [line, {"order_id": "2"}]

    assert values(accepted(spark, *lines), "order_id") == ("2",)
    assert values(rejected(spark, *lines), "reasons") == ([reason],)


RATES = "currency string, base_currency string, rated_on date, rate double"


def test_what_was_charged_in_another_currency_is_converted_at_the_days_rate_and_both_amounts_stay(spark):
    rates = spark.createDataFrame(
        [("EUR", "GBP", date(2010, 11, 30), 0.845), ("EUR", "GBP", date(2010, 12, 2), 0.9)], RATES
    )
    lines = [{"currency": "EUR"}, {"order_id": "2", "currency": "EUR", "ordered_at": "2010-12-02 09:00:00"}, {}]

    found = order_lines(received(spark, *lines), rule(rates=rates))

    columns = ("amount", "amount_charged", "currency", "exchange_rate", "exchange_rate_on")
    assert sorted(tuple(row) for row in found.select(*columns).collect()) == [
        (Decimal("12.9285"), Decimal("15.3000"), "EUR", Decimal("0.845"), date(2010, 11, 30)),  # 15.30 x 0.845
        (Decimal("13.7700"), Decimal("15.3000"), "EUR", Decimal("0.9"), date(2010, 12, 2)),
        (Decimal("15.3000"), Decimal("15.3000"), "GBP", Decimal(1), date(2010, 12, 1)),
    ]


def test_a_sign_or_a_name_of_a_currency_is_read_and_none_is_the_lakes(spark):
    lines = [{"order_id": "1", "currency": "£"}, {"order_id": "2", "currency": "gbp"}, {"order_id": "3"}]

    found = order_lines(received(spark, *lines), rule(lacking=()))

    assert [row["currency"] for row in found.collect()] == ["GBP", "GBP", "GBP"]


def test_a_line_of_a_currency_without_a_rate_is_rejected_and_those_beside_it_are_taken(spark):
    rates = spark.createDataFrame([("EUR", "GBP", date(2010, 12, 2), 0.9)], RATES)
    lines = [{"currency": "EUR"}, {"order_id": "2"}]

    for known in (rates, None):
        assert values(order_lines(received(spark, *lines), rule(rates=known)), "order_id") == ("2",)
        assert values(rejected_lines(received(spark, *lines), rule(rates=known)), "reasons") == (
            ["no rate of EUR in GBP on or before 2010-12-01"],
        )


@pytest.mark.parametrize("ordered_at", ["9999-12-31 00:00:00", "0001-01-01 00:00:00"])
def test_a_day_that_is_a_default_is_rejected(spark, ordered_at):
    lines = [{"ordered_at": ordered_at}, {"order_id": "2"}]

    assert values(accepted(spark, *lines), "order_id") == ("2",)
    assert values(rejected(spark, *lines), "reasons") == (
        [f"ordered_on {ordered_at[:10]} is not between 1900-01-01 and 2100-01-01"],
    )


def test_a_rejected_line_keeps_what_was_received_and_where(spark):
    line = {"quantity": " six", "_extra": {"Shop": "7"}, "_source_file": "bad.csv", "_line_number": 9, "_batch": 3}

    raw = (
        '{"order_id":"536365","product_id":"85123A","description":"WHITE LANTERN","quantity":" six",'
        '"ordered_at":"2010-12-01 08:26:00","unit_price":"2.55","customer_id":"17850.0","country":"United Kingdom",'
        '"_extra":{"Shop":"7"}}'
    )
    expected = spark.createDataFrame(
        [
            (
                raw,
                ["quantity 'six' is not a whole number of up to nine digits"],
                "bad.csv",
                9,
                "d1",
                "run-1",
                datetime(2011, 12, 10, 6),
                3,
            )
        ],
        "raw string, reasons array<string>, source_file string, line_number long, file_digest string, run_id string, "
        "received_at timestamp, _batch long",
    )
    assert_df_equality(rejected(spark, line), expected, ignore_nullable=True)


def test_the_text_of_a_line_that_could_not_be_split_is_kept_as_it_was(spark):
    ragged = dict.fromkeys(RECEIVED) | {"_raw": "a,b", "_problem": "the line has 2 columns"}

    assert values(rejected(spark, ragged), "raw") == ("a,b",)


def test_of_exact_duplicates_the_first_by_file_and_line_survives(spark):
    lines = accepted(
        spark,
        {"_source_file": "b.csv", "_line_number": 2},
        {"_source_file": "a.csv", "_line_number": 9},
        {"_source_file": "a.csv", "_line_number": 10},
    )

    assert values(lines, "count_received", "_source_file", "_line_number") == (3, "a.csv", 9)


@pytest.mark.parametrize("name", [name for name in RECEIVED if name != "ordered_at"])
def test_lines_that_differ_in_any_received_value_are_two_lines(spark, name):
    other = "7" if name in ("quantity", "unit_price") else "other"

    assert distinct_lines(received(spark, {}, {name: other})).count() == 2


def test_values_that_move_between_columns_are_another_line(spark):
    lines = accepted(spark, {"product_id": "AB", "description": "C"}, {"product_id": "A", "description": "BC"})

    assert lines.count() == 2


some_lines = st.lists(
    st.tuples(st.sampled_from("ABC"), st.integers(1, 3), st.integers(1, 3)).map(
        lambda line: {"order_id": line[0], "quantity": str(line[1]), "_batch": line[2]}
    ),
    min_size=1,
    max_size=12,
)


@given(lines=some_lines)
def test_every_received_line_is_counted_once(spark, lines):
    numbered = [line | {"_line_number": number} for number, line in enumerate(lines)]

    counted = accepted(spark, *numbered).select("order_id", "quantity", "count_received").collect()

    expected = Counter((line["order_id"], int(line["quantity"])) for line in lines)
    assert {(row.order_id, row.quantity): row.count_received for row in counted} == expected


def merged(spark, *landings):
    """silver.order_lines of a new lake that took these landings one after another."""
    lake = Lake(mkdtemp(), lambda: spark)
    for landing in landings:
        lake.merge(ORDER_LINES, accepted(spark, *landing), when_matched=LATER_LANDING, update=RECEIVED_AGAIN)
    return lake.read(ORDER_LINES)


def test_a_line_that_a_later_landing_brings_again_is_counted_and_keeps_the_first_origin(spark):
    first = {"_source_file": "b.csv", "_line_number": 3, "_batch": 1}
    again = {"_source_file": "a.csv", "_line_number": 7, "_batch": 2}

    lines = merged(spark, [first, first], [again])

    assert values(lines, "count_received", "_source_file", "_line_number", "_batch") == (3, "a.csv", 7, 2)


def test_the_first_origin_is_by_file_before_line(spark):
    lines = merged(
        spark,
        [{"_source_file": "a.csv", "_line_number": 7}],
        [{"_source_file": "b.csv", "_line_number": 3, "_batch": 2}],
    )

    assert values(lines, "_source_file", "_line_number") == ("a.csv", 7)


def test_a_landing_that_is_taken_twice_changes_nothing(spark):
    one, two = [{"_batch": 1}, {"_batch": 1, "order_id": "2"}], [{"_batch": 2}]

    once, twice = merged(spark, one, two), merged(spark, one, two, two, one)

    assert_df_equality(twice, once, ignore_row_order=True)
    assert {row.order_id: row.count_received for row in twice.collect()} == {"536365": 2, "2": 1}


@given(lines=some_lines)
def test_lines_that_arrive_in_several_landings_are_the_lines_that_arrive_in_one(spark, lines):
    numbered = [line | {"_line_number": number} for number, line in enumerate(lines)]
    landings = [[line for line in numbered if line["_batch"] == batch] for batch in (1, 2, 3)]

    piecewise = merged(spark, *[landing for landing in landings if landing])

    at_once = accepted(spark, *numbered)
    assert_df_equality(piecewise.drop("_batch"), at_once.drop("_batch"), ignore_nullable=True, ignore_row_order=True)


@pytest.mark.parametrize(
    ("quantity", "unit_price", "amount", "is_kept"),
    [
        (6, "2.55", "15.30", True),
        (-6, "2.55", "-15.30", True),
        (3, "0.33", "1.00", True),  # a third, rounded to the cent
        (3, "0.33", "1.02", False),  # at most half a cent for each unit, and half a cent for the amount
        (6, "2.55", "2.55", False),
        (1, "2.50", "-2.50", True),  # a source without quantities
        (0, "2.55", "0", True),
    ],
)
def test_an_amount_agrees_with_quantity_and_price_as_far_as_these_may_be_rounded(
    spark, quantity, unit_price, amount, is_kept
):
    (rule,) = ORDER_LINES.measured
    lines = spark.createDataFrame(
        [(quantity, Decimal(unit_price), Decimal(amount))],
        "quantity int, unit_price decimal(18,4), amount_charged decimal(18,4)",
    )

    (found,) = lines.select(rule.reason().alias("reason")).collect()

    assert (found["reason"] is None) == is_kept
    if not is_kept:
        assert found["reason"] == (
            f"the amount is not quantity x unit_price: amount_charged {Decimal(amount):.4f}, quantity {quantity}, "
            f"unit_price {Decimal(unit_price):.4f}"
        )
