import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customerlake.bronze.files import unchanged
from customerlake.bronze.landing import check_files, landed_files
from customerlake.bronze.sources.products import PRODUCTS
from customerlake.bronze.sources.sales import SALES
from customerlake.contracts.change import as_text, changes, from_text, looks
from customerlake.runtime.config import load_lake_file, shipped

pytestmark = pytest.mark.before_an_engine

HEADER = ["order_id", "unit_price", "currency"]


def looks_of(source=SALES, count=20, decimal_comma=False, **columns):
    """How `count` records look that all hold the same values."""
    return looks({name: [value] * count for name, value in columns.items()}, source, decimal_comma=decimal_comma)


def said(now, *before, source=SALES, accepted=()):
    return changes(now, before, HEADER, HEADER, source, accepted=accepted)


def test_records_of_the_same_kind_are_no_change():
    before = looks_of(quantity="6", unit_price="2.55", ordered_at="2011-12-09 08:26:00", currency="GBP")
    now = looks_of(quantity="12", unit_price="4", ordered_at="2011-12-10 09:00:00", currency="gbp")

    assert said(now, before) == []


def test_the_first_landing_of_a_feed_changes_nothing():
    assert said(looks_of(unit_price="two", currency="GBP")) == []


def test_a_column_that_is_gone_is_told_of():
    assert changes({}, [], ["order_id"], HEADER, SALES) == [
        "column unit_price is gone, which the landing before still had",
        "column currency is gone, which the landing before still had",
    ]


def test_a_column_that_is_gone_may_be_accepted():
    assert changes({}, [], ["order_id"], HEADER, SALES, accepted=("unit_price", "currency")) == []


def test_a_new_column_is_no_change():
    assert changes(looks_of(country="France"), [looks_of()], [*HEADER, "country"], HEADER, SALES) == []


def test_a_number_that_became_text_is_told_of():
    assert said(looks_of(unit_price="two"), looks_of(unit_price="2")) == [
        "unit_price was a number in 100% of the records of earlier landings, in these it is in 0%"
    ]


def test_a_time_that_became_something_else_is_told_of():
    assert said(looks_of(ordered_at="yesterday"), looks_of(ordered_at="2011-12-09 08:26:00")) == [
        "ordered_at was a time in 100% of the records of earlier landings, in these it is in 0%"
    ]


@pytest.mark.parametrize("text", [
    "2011-12-09", "2011-12-09T08:26:00Z", "09/12/2011 08:26", "9.12.2011", "9 Dec 2011", "20111209", "1323419160",
    "1323419160123",
])  # fmt: skip
def test_a_time_may_be_written_in_many_ways(text):
    assert looks_of(ordered_at=text)["ordered_at"]["readable"] == 1.0


@pytest.mark.parametrize("text", ["soon", "17", "n/a", "-"])
def test_what_is_no_time_is_known(text):
    assert looks_of(ordered_at=text)["ordered_at"]["readable"] == 0.0


def test_a_share_of_numbers_that_fell_below_half_is_told_of_and_half_is_not():
    before = looks({"unit_price": ["2"] * 18 + ["?"] * 2}, SALES)  # 90 % are numbers

    assert said(looks({"unit_price": ["2"] * 10 + ["?"] * 10}, SALES), before) == []
    assert said(looks({"unit_price": ["2"] * 9 + ["?"] * 11}, SALES), before) == [
        "unit_price was a number in 90% of the records of earlier landings, in these it is in 45%"
    ]


def test_a_column_that_never_read_well_is_not_judged_by_its_type():
    before = looks({"unit_price": ["2"] * 17 + ["?"] * 3}, SALES)  # 85 %

    assert said(looks_of(unit_price="?"), before) == []


@pytest.mark.parametrize(("price", "shown"), [("250", "250"), ("0.025", "0.025")])
def test_pence_for_pounds_are_told_of_and_pounds_for_pence(price, shown):
    assert said(looks_of(unit_price=price), looks_of(unit_price="2.5")) == [
        f"the unit of unit_price seems to have changed: half of its values are above {shown}, of those of earlier "
        "landings half were above 2.5"
    ]


@pytest.mark.parametrize(("now", "is_told"), [("74.9", False), ("75", True), ("0.0834", False), ("0.0833", True)])
def test_a_unit_has_changed_from_a_factor_of_thirty_on(now, is_told):
    assert bool(said(looks_of(unit_price=now), looks_of(unit_price="2.5"))) is is_told


def test_grams_for_kilograms_are_told_of_by_value_and_by_code():
    before = looks_of(PRODUCTS, weight="0.5", weight_unit="kg")

    assert said(looks_of(PRODUCTS, weight="500", weight_unit="g"), before, source=PRODUCTS) == [
        "the unit of weight seems to have changed: half of its values are above 500, of those of earlier landings "
        "half were above 0.5",
        "weight_unit is G, in earlier landings it was KG",
    ]


def test_inches_for_centimetres_change_the_code_alone():
    before = looks_of(PRODUCTS, weight="100", weight_unit="lb")

    assert said(looks_of(PRODUCTS, weight="45", weight_unit="kg"), before, source=PRODUCTS) == [
        "weight_unit is KG, in earlier landings it was LB"
    ]


def test_returns_and_zeros_do_not_hide_the_size_of_numbers():
    now = looks({"quantity": ["-6"] * 10 + ["6"] * 10 + ["0"] * 50}, SALES)

    assert now["quantity"]["median"] == 6.0
    assert said(now, looks_of(quantity="6")) == []


def test_words_for_no_number_are_none():
    now = looks({"unit_price": ["2", "NaN", "inf", "-Infinity"]}, SALES)

    assert now["unit_price"] == {"values": 4, "readable": 0.25, "median": 2.0, "codes": []}


def test_another_currency_is_told_of_however_few_records_there_are():
    assert said(looks_of(count=1, currency="eur"), looks_of(currency="GBP"), looks_of(currency="USD")) == [
        "currency is EUR, in earlier landings it was GBP, USD"
    ]


def test_a_currency_beside_a_known_one_is_no_change():
    assert said(looks({"currency": ["EUR", "GBP"]}, SALES), looks_of(currency="GBP")) == []


def test_a_change_of_type_unit_or_currency_may_be_accepted_column_by_column():
    before, now = looks_of(unit_price="2", currency="GBP"), looks_of(unit_price="200", currency="EUR")

    assert said(now, before, accepted=("unit_price",)) == ["currency is EUR, in earlier landings it was GBP"]
    assert said(now, before, accepted=("unit_price", "currency")) == []


def test_too_few_values_are_not_judged_on_either_side():
    assert said(looks_of(unit_price="200", count=19), looks_of(unit_price="2")) == []
    assert said(looks_of(unit_price="200"), looks_of(unit_price="2", count=19)) == []
    assert said(looks_of(unit_price="x", count=19), looks_of(unit_price="2")) == []


def test_empty_values_are_not_counted():
    assert looks({"unit_price": ["2", None, "", "  "], "currency": [None, " "]}, SALES) == {
        "unit_price": {"values": 1, "readable": 1.0, "median": 2.0, "codes": []}
    }


def test_a_column_that_was_empty_before_is_no_change():
    assert said(looks_of(unit_price="2", currency="GBP"), looks_of(unit_price="2")) == []


def test_decimal_commas_read_as_numbers_where_the_lake_file_says_so():
    text = {"unit_price": "1.234,50"}

    assert looks_of(decimal_comma=True, **text)["unit_price"]["median"] == 1234.5
    assert looks_of(**text)["unit_price"]["readable"] == 0.0


def test_decimal_commas_that_begin_are_told_of_and_so_are_points_that_begin():
    assert said(looks_of(unit_price="2,50"), looks_of(unit_price="2.50")) == [
        "unit_price was a number in 100% of the records of earlier landings, in these it is in 0%"
    ]
    assert said(looks_of(unit_price="2.50", decimal_comma=True), looks_of(unit_price="2,50", decimal_comma=True)) == [
        "the unit of unit_price seems to have changed: half of its values are above 250, of those of earlier landings "
        "half were above 2.5"
    ]


def test_one_landing_that_stands_out_does_not_hide_what_is_usual():
    usual, accepted = looks_of(unit_price="2"), looks_of(unit_price="200")

    assert said(looks_of(unit_price="2"), usual, usual, accepted) == []
    assert len(said(looks_of(unit_price="200"), usual, usual, accepted)) == 1


def test_the_last_twenty_landings_say_what_is_usual():
    old, new = [looks_of(unit_price="2")] * 30, [looks_of(unit_price="200")] * 20

    assert said(looks_of(unit_price="200"), *old, *new) == []
    assert len(said(looks_of(unit_price="2"), *old, *new)) == 1


def test_looks_come_back_from_their_text():
    found = looks_of(unit_price="2.55", currency="GBP")

    assert from_text(as_text(found)) == found
    assert from_text(None) == from_text(as_text({})) == {}


columns = st.dictionaries(
    st.sampled_from(["unit_price", "quantity", "ordered_at", "currency"]), st.lists(st.none() | st.text(), max_size=30)
)


@settings(max_examples=100, deadline=None)
@given(columns)
def test_whatever_records_hold_they_are_as_they_were(records):
    found = looks(records, SALES)

    assert changes(found, [found], HEADER, HEADER, SALES) == []
    assert from_text(as_text(found)) == found


@pytest.fixture(scope="module")
def real_days():
    """The shipped days of sales, each opened as a landed file, in their order."""
    folder = str(Path(str(shipped("demo"))) / "online_retail")
    feed = load_lake_file(None).feeds.sales
    files, refusals = check_files(landed_files(folder, "*.csv.gz", "sales"), SALES, feed, folder)
    assert refusals == []
    return files, feed


@pytest.mark.full_data
def test_no_real_day_of_sales_is_taken_for_a_change(real_days):
    files, feed = real_days

    same, refusals = unchanged(files, [], SALES, feed)

    assert len(files) == 305
    assert (len(same), refusals) == (305, [])


@pytest.mark.full_data
def test_no_real_day_is_taken_for_a_change_when_days_come_in_the_opposite_order(real_days):
    files, feed = real_days

    same, refusals = unchanged(files[::-1], [], SALES, feed)

    assert (len(same), refusals) == (305, [])


@pytest.mark.full_data
@pytest.mark.parametrize("day", ["2011-01-11.csv.gz", "2011-11-14.csv.gz"])
def test_a_real_day_whose_prices_are_in_pence_is_taken_for_a_change(real_days, tmp_path, day):
    files, feed = real_days
    lines = gzip.decompress((Path(str(shipped("demo"))) / "online_retail" / day).read_bytes()).decode().splitlines()
    header, price = lines[0].split(","), lines[0].split(",").index("UnitPrice")
    assert header[price] == "UnitPrice"
    in_pence = [lines[0]]
    for line in lines[1:]:
        if '"' not in line:
            values = line.split(",")
            in_pence.append(",".join([*values[:price], f"{float(values[price]) * 100:.0f}", *values[price + 1 :]]))
    (tmp_path / "2012-01-01.csv").write_text("\n".join(in_pence))
    changed, _ = check_files(landed_files(str(tmp_path), "*", "sales"), SALES, feed, str(tmp_path))

    same, (refusal,) = unchanged([*files, *changed], [], SALES, feed)

    assert len(same) == 305
    assert refusal.startswith("sales: 2012-01-01.csv: the unit of unit_price seems to have changed: ")
