from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customerlake.bronze.formats.typed_values import text_array, text_column, text_of

pytestmark = pytest.mark.before_an_engine

CHINA = timezone(timedelta(hours=8))
SPOKEN = [
    (None, None),
    ("", ""),
    ("007", "007"),
    (True, "true"),
    (False, "false"),
    (0, "0"),
    (-5, "-5"),
    (12345678901234567890, "12345678901234567890"),
    (17850.0, "17850"),
    (-0.5, "-0.5"),
    (1.1, "1.1"),
    (123456789012.0, "123456789012"),
    (2.0**53, "9007199254740992"),
    (1e22, "1e+22"),
    (0.00001, "1e-05"),
    (float("nan"), "NaN"),
    (float("inf"), "Infinity"),
    (float("-inf"), "-Infinity"),
    (Decimal("1.10"), "1.10"),
    (Decimal("0.0000001"), "0.0000001"),
    (Decimal("-1234567890123456789012345678.90"), "-1234567890123456789012345678.90"),
    (date(2011, 12, 9), "2011-12-09"),
    (datetime(2011, 12, 9, 8, 26), "2011-12-09 08:26:00"),
    (datetime(2011, 12, 9, 8, 26, 0, 500_000), "2011-12-09 08:26:00.500000"),
    (datetime(2011, 12, 9, 8, 26, tzinfo=CHINA), "2011-12-09 00:26:00"),
]


@pytest.mark.parametrize(("value", "text"), SPOKEN, ids=str)
def test_a_value_is_written_the_same_alone_and_in_a_column(value, text):
    assert text_of(value) == text
    assert text_column([value, None]).to_pylist() == [text, None]
    assert text_column([value, "beside text"]).to_pylist() == [text, "beside text"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (time(8, 26), "08:26:00"),
        ("été".encode(), "été"),
        (b"\xff\x00", "ff00"),
        (["é", 1.5, None, True, date(2011, 1, 1)], '["é", 1.5, null, true, "2011-01-01"]'),
        ({"price": Decimal("1.10")}, '{"price": "1.10"}'),
    ],
    ids=str,
)
def test_other_values_are_written_as_people_and_json_do(value, text):
    assert text_of(value) == text
    assert text_column([value, None]).to_pylist() == [text, None]


def test_whole_and_broken_numbers_of_one_column_are_each_written_as_they_are():
    assert text_column([1.0, None, 2.5, float("nan"), 1e300]).to_pylist() == ["1", None, "2.5", "NaN", "1e+300"]


def test_whole_numbers_that_no_machine_word_holds_keep_their_digits():
    assert text_column([2**70, -1, None]).to_pylist() == ["1180591620717411303424", "-1", None]


def test_a_column_of_nothing_is_nothing():
    assert text_column([None, None]).to_pylist() == [None, None]
    assert text_column([]).to_pylist() == []


MICROS = datetime(2011, 12, 9, 8, 26, 0, 123_456)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1.1, 3, None], pa.float32()), ["1.1", "3", None]),
        (pa.array([0.5, 2], pa.float16()), ["0.5", "2"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.array([1.0, 2.5]).dictionary_encode(), ["1", "2.5"]),
        (pa.array(["é"], pa.large_string()), ["é"]),
        (pa.array(["é"], pa.string_view()), ["é"]),
        (pa.array([b"\xc3\xa9", b"\xff", None], pa.binary()), ["é", "ff", None]),
        (pa.array([None, None], pa.null()), [None, None]),
        (pa.array([date(2011, 12, 9)], pa.date64()), ["2011-12-09"]),
        (pa.array([Decimal("1E-7"), Decimal(1)], pa.decimal128(10, 7)), ["0.0000001", "1.0000000"]),
        (pa.array([Decimal("1.10")], pa.decimal256(60, 2)), ["1.10"]),
        (pa.array([MICROS], pa.timestamp("us")), ["2011-12-09 08:26:00.123456"]),
        (pa.array([MICROS], pa.timestamp("us", tz="Asia/Shanghai")), ["2011-12-09 08:26:00.123456"]),
        (pa.array([1_323_419_160], pa.timestamp("s")), ["2011-12-09 08:26:00"]),
        (pa.array([1_323_419_160_120], pa.timestamp("ms")), ["2011-12-09 08:26:00.120000"]),
        (pa.array([1_323_419_160_123_456_789], pa.timestamp("ns")), ["2011-12-09 08:26:00.123456"]),
        (pa.array([1_323_419_160_123_456_789], pa.timestamp("ns", tz="UTC")), ["2011-12-09 08:26:00.123456"]),
        (pa.array([datetime(1, 1, 1), datetime(9999, 12, 31)]), ["0001-01-01 00:00:00", "9999-12-31 00:00:00"]),
        (pa.array([time(8, 26)]), ["08:26:00"]),
        (pa.array([[1, None], [], None]), ["[1, null]", "[]", None]),
        (pa.array([[["a"], ["b", "c"]]]), ['[["a"], ["b", "c"]]']),
        (pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())), ['{"a": 1}', None]),
        (pa.array([[{"sku": "A", "price": Decimal("1.10")}]]), ['[{"sku": "A", "price": "1.10"}]']),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_a_column_of_each_of_arrows_types_is_text(array, expected):
    text = text_array(array)

    assert text.type == pa.string()
    assert text.to_pylist() == expected


one_type = st.one_of(
    *[st.lists(st.none() | kind, max_size=6) for kind in (
        st.integers(), st.floats(), st.text(st.characters(codec="utf-8")), st.booleans(), st.dates(),
        st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20),
    )],
    *[st.lists(st.none() | kind, max_size=6) for kind in (
        st.datetimes(), st.datetimes(timezones=st.just(CHINA), min_value=datetime(2, 1, 1)),
    )],
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(one_type)
def test_arrow_writes_a_column_as_its_values_are_written_one_by_one(values):
    assert text_column(values).to_pylist() == [text_of(value) for value in values]


@settings(max_examples=200, deadline=None)
@given(st.floats(allow_nan=False))
def test_a_number_reads_as_the_number_that_it_was(value):
    assert float(text_of(value)) == value
