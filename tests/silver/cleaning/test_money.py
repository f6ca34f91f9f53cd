from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.silver.cleaning.money import at_days_rate, currency_code
from customerlake.silver.cleaning.reference import reference_values

AMOUNTS = "id string, amount decimal(18,4), currency string, ordered_on date"
RATES = "currency string, base_currency string, rated_on date, rate double"
MONDAY = date(2024, 1, 1)
FRIDAY, SATURDAY, SUNDAY, NEXT_MONDAY = (MONDAY + timedelta(days=days) for days in (4, 5, 6, 7))


def converted(spark, amounts, rates, currency="EUR"):
    """id -> (amount in currency, rate, rate_on, no_rate_because), of rows (id, amount, currency, day)."""
    given = spark.createDataFrame([(i, amount and Decimal(amount), *rest) for i, amount, *rest in amounts], AMOUNTS)
    result = at_days_rate(given, spark.createDataFrame(rates, RATES), currency=currency)
    assert result.columns == [*given.columns, "rate", "rate_on", f"amount_{currency.lower()}", "no_rate_because"]
    return {
        row["id"]: (row[f"amount_{currency.lower()}"], row["rate"], row["rate_on"], row["no_rate_because"])
        for row in result.collect()
    }


def codes(spark, texts, **settings):
    rows = spark.createDataFrame(list(enumerate(texts)), "id int, text string")
    return [row[0] for row in rows.orderBy("id").select(currency_code(F.col("text"), **settings)).collect()]


def test_the_days_rate_holds_else_the_last_one_before_it(spark):
    rates = [("USD", "EUR", MONDAY, 0.9), ("USD", "EUR", FRIDAY, 0.8), ("USD", "EUR", NEXT_MONDAY, 0.7)]
    amounts = [
        ("on its day", "10.00", "USD", MONDAY),
        ("between", "10.00", "USD", MONDAY + timedelta(days=3)),
        ("weekend", "10.00", "USD", SUNDAY),
        ("the next rate", "10.00", "USD", NEXT_MONDAY),
        ("after the last", "10.00", "USD", date(2030, 1, 1)),
    ]

    assert converted(spark, amounts, rates) == {
        "on its day": (Decimal("9.0000"), Decimal("0.9000000000"), MONDAY, None),
        "between": (Decimal("9.0000"), Decimal("0.9000000000"), MONDAY, None),
        "weekend": (Decimal("8.0000"), Decimal("0.8000000000"), FRIDAY, None),
        "the next rate": (Decimal("7.0000"), Decimal("0.7000000000"), NEXT_MONDAY, None),
        "after the last": (Decimal("7.0000"), Decimal("0.7000000000"), NEXT_MONDAY, None),
    }


def test_an_amount_without_a_rate_stays_with_the_reason(spark):
    rates = [("USD", "EUR", FRIDAY, 0.8), ("JPY", "USD", MONDAY, 0.007), ("GBP", "EUR", MONDAY, None)]
    amounts = [
        ("too early", "10.00", "USD", MONDAY),
        ("unknown", "10.00", "CHF", FRIDAY),
        ("not in euro", "10.00", "JPY", FRIDAY),
        ("rate missing", "10.00", "GBP", FRIDAY),
        ("no currency", "10.00", None, FRIDAY),
        ("no day", "10.00", "USD", None),
        ("no amount", None, "CHF", FRIDAY),
    ]

    assert converted(spark, amounts, rates) == {
        "too early": (None, None, None, "no rate of USD in EUR on or before 2024-01-01"),
        "unknown": (None, None, None, "no rate of CHF in EUR on or before 2024-01-05"),
        "not in euro": (None, None, None, "no rate of JPY in EUR on or before 2024-01-05"),
        "rate missing": (None, None, None, "no rate of GBP in EUR on or before 2024-01-05"),
        "no currency": (None, None, None, "the currency is missing"),
        "no day": (None, None, None, "the day is missing"),
        "no amount": (None, None, None, None),
    }


def test_what_is_in_the_currency_already_stays_as_it_is(spark):
    rates = [("EUR", "EUR", MONDAY, 1.5), ("USD", "EUR", MONDAY, 0.9)]

    own = converted(spark, [("own", "10.1234", "EUR", SUNDAY), ("no day", "1.0000", "EUR", None)], rates)

    assert own == {
        "own": (Decimal("10.1234"), Decimal("1.0000000000"), SUNDAY, None),
        "no day": (Decimal("1.0000"), Decimal("1.0000000000"), None, None),
    }


def test_a_rate_quoted_the_other_way_round_is_turned_where_there_is_no_other(spark):
    rates = [("EUR", "USD", MONDAY, 1.25), ("USD", "EUR", FRIDAY, 0.9), ("EUR", "USD", FRIDAY, 1.25)]

    turned = converted(spark, [("turned", "10.00", "USD", MONDAY), ("direct", "10.00", "USD", FRIDAY)], rates)

    assert turned == {
        "turned": (Decimal("8.0000"), Decimal("0.8000000000"), MONDAY, None),
        "direct": (Decimal("9.0000"), Decimal("0.9000000000"), FRIDAY, None),
    }


def test_decimals_are_exact_and_round_half_up(spark):
    # 12345678901234.5678 x 1.1 = 13580246791358.02458, which no double holds to four places
    rates = [("USD", "EUR", MONDAY, 1.1), ("GBP", "EUR", MONDAY, 0.5), ("VND", "EUR", MONDAY, 3.85e-05)]
    amounts = [
        ("large", "12345678901234.5678", "USD", MONDAY),
        ("half up", "0.0001", "GBP", MONDAY),
        ("half up below zero", "-0.0001", "GBP", MONDAY),
        ("small rate", "1000000.00", "VND", MONDAY),
    ]

    assert {name: row[0] for name, row in converted(spark, amounts, rates).items()} == {
        "large": Decimal("13580246791358.0246"),
        "half up": Decimal("0.0001"),
        "half up below zero": Decimal("-0.0001"),
        "small rate": Decimal("38.5000"),
    }


def test_rates_that_are_no_rates_count_as_absent(spark):
    rates = [("USD", "EUR", MONDAY, 0.9), ("USD", "EUR", FRIDAY, 0.0), ("USD", "EUR", SATURDAY, float("nan"))]
    rates += [("USD", "EUR", SUNDAY, -1.0), ("EUR", "CHF", MONDAY, 0.0)]

    kept = converted(spark, [("a", "10.00", "USD", SUNDAY), ("b", "10.00", "CHF", SUNDAY)], rates)

    assert kept["a"] == (Decimal("9.0000"), Decimal("0.9000000000"), MONDAY, None)
    assert kept["b"][0] is None


days = st.integers(0, 40).map(lambda number: MONDAY + timedelta(days=number))


@given(
    rates=st.dictionaries(st.tuples(st.sampled_from(["USD", "GBP"]), days), st.integers(1, 30000), max_size=20),
    amounts=st.lists(
        st.tuples(st.integers(-(10**9), 10**9), st.sampled_from(["USD", "GBP", "CHF"]), days), max_size=30
    ),
)
def test_every_row_stays_and_has_the_rate_that_pandas_finds_going_backwards(spark, rates, amounts):
    quoted = [(currency, "EUR", day, rate / 10000) for (currency, day), rate in rates.items()]
    rows = [(f"{i}", Decimal(amount).scaleb(-4), currency, day) for i, (amount, currency, day) in enumerate(amounts)]

    ours = converted(spark, rows, quoted)

    left = pd.DataFrame(rows, columns=["id", "amount", "currency", "day"]).astype({"day": "datetime64[ns]"})
    right = pd.DataFrame([(c, d, r) for c, _, d, r in quoted], columns=["currency", "day", "rate"])
    right = right.astype({"day": "datetime64[ns]", "rate": float})
    found = pd.merge_asof(
        left.astype({"currency": object}).sort_values("day"), right.sort_values("day"), on="day", by="currency"
    )
    places = Decimal("0.0001")
    theirs = {
        row.id: None
        if pd.isna(row.rate)
        else (row.amount * Decimal(f"{row.rate:.4f}")).quantize(places, rounding=ROUND_HALF_UP)
        for row in found.itertuples()
    }
    assert {name: row[0] for name, row in ours.items()} == theirs


def test_codes_signs_and_names_are_currencies(spark):
    texts = {
        "EUR": "EUR", "eur": "EUR", " €  ": "EUR", "euro": "EUR", "Euros": "EUR", "GBP": "GBP", "£": "GBP",
        "Pound Sterling": "GBP", "$": "USD", "US$": "USD", "U.S. Dollar": "USD", "A$": "AUD", "C$": "CAD", "¥": "JPY",
        "円": "JPY", "元": "CNY", "RMB": "CNY", "zł": "PLN", "Kč": "CZK", "Fr.": "CHF", "₹": "INR", "R$": "BRL",
        "₩": "KRW", "₺": "TRY", "₴": "UAH", "chf": "CHF", "HRK": "HRK",
    }  # fmt: skip

    assert dict(zip(texts, codes(spark, texts), strict=True)) == texts


@pytest.mark.parametrize("text", ["kr", "XYZ", "EURO 5", "??", "", "peso", None])
def test_what_names_no_currency_or_several_is_null(spark, text):
    assert codes(spark, [text]) == [None]


def test_what_several_currencies_share_is_what_the_feed_means(spark):
    meant = {"dollar": "CAD", "crown": "SEK"}

    assert codes(spark, ["$", "dollars", "kr", "kronor", "US$", "£"], meant=meant) == [
        "CAD", "CAD", "SEK", "SEK", "USD", None,
    ]  # fmt: skip


def test_the_list_of_currencies_gives_each_spelling_to_one():
    listed = reference_values("currencies")
    known = [*listed["codes"], *listed["withdrawn"]]
    spellings = [text for texts in (*listed["spelled"].values(), *listed["shared"].values()) for text in texts]

    assert len(known) == len(set(known))
    assert set(listed["spelled"]) <= set(known)
    assert len(spellings) == len(set(spellings))
    assert all(text == text.lower() and "." not in text for text in spellings)
