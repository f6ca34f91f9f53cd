"""Two readers split a file into records, a quick and a careful one; both must tell the same of every sound file."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customerlake.bronze.formats import delimited
from customerlake.bronze.sources.sales import SALES
from customerlake.runtime.config import load_lake_file, shipped
from customerlake.runtime.feeds import SalesFeed

pytestmark = pytest.mark.before_an_engine

FEED = SalesFeed(path="landing")
REAL_FEED = load_lake_file(None).feeds.sales
COLUMNS = ("order_id", "product_id", "description", "quantity", "ordered_at", "unit_price", "customer_id", "country")
HEADER = ",".join(COLUMNS)
LINE = "1,A,cup,6,2011-01-01 10:00:00,1.5,7,France"
NOTHING = dict.fromkeys(SALES.column_names)
VALUES = NOTHING | dict(zip(COLUMNS, ("1", "A", "cup", "6", "2011-01-01 10:00:00", "1.5", "7", "France"), strict=True))
NO_MARKS = {"_extra": None, "_raw": None, "_problem": None}


def rows(batches):
    return [record for batch in batches for record in batch.to_pylist()]


def quickly(text, feed=FEED):
    batches = delimited.split_quickly(text, SALES, feed)
    return None if batches is None else rows(batches)


def carefully(text, feed=FEED, **settings):
    return rows(delimited.split_carefully(text, SALES, feed, **settings))


def split(text, feed=FEED):
    return rows(delimited.split(text, SALES, feed))


def records(*lines, end="\n", encoding="utf-8", feed=FEED):
    """What the readers make of a file with these lines under the header."""
    return split("".join(line + end for line in (HEADER, *lines)).encode(encoding), feed)


def sound(line_number, extra=None, **values):
    return VALUES | values | NO_MARKS | {"_extra": extra, "_line_number": line_number}


def odd(line_number, raw, problem):
    return NOTHING | {"_extra": None, "_raw": raw, "_problem": problem, "_line_number": line_number}


REAL_FILES = sorted(Path(str(shipped("demo"))).glob("online_retail/*.csv.gz"))[::31]


@pytest.mark.parametrize("file", REAL_FILES, ids=lambda file: file.name)
def test_both_readers_tell_the_same_of_a_real_file(file):
    text = gzip.decompress(file.read_bytes())

    assert quickly(text, REAL_FEED) == carefully(text, REAL_FEED)


@pytest.mark.parametrize("file", REAL_FILES, ids=lambda file: file.name)
def test_a_real_file_is_split_as_the_standard_library_splits_it(file):
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        expected = [list(row.values()) for row in csv.DictReader(lines)]

    found = quickly(gzip.decompress(file.read_bytes()), REAL_FEED)

    assert [[record[name] for name in COLUMNS] for record in found] == expected


def test_ten_real_files_are_compared():
    assert len(REAL_FILES) == 10


value = st.text(st.sampled_from('a,;"é \n'), max_size=6)
record_values = st.lists(st.lists(value, min_size=len(COLUMNS), max_size=len(COLUMNS)), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(record_values, st.sampled_from(["\n", "\r\n"]))
def test_every_value_is_read_as_it_was_written(written, end):
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([list(COLUMNS), *written])

    read = carefully(file.getvalue().encode())

    assert [[record[name] for name in COLUMNS] for record in read] == written


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.sampled_from('1a,"é \r\n\ufeff'), max_size=30), max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_where_the_quick_reader_answers_it_agrees_with_the_careful_one(lines, end):
    text = end.join([HEADER, LINE, *lines]).encode()

    found = quickly(text)

    assert found is None or found == carefully(text)


def lines_of(record):
    """How many lines of the file a record stands for."""
    text = record["_raw"] or "".join(record[name] for name in COLUMNS)
    return 1 + text.count("\n")


written_lines = st.sampled_from(
    [LINE, LINE.replace("cup", '"cup'), LINE.replace("cup", 'cup"'), LINE.replace("cup", '"cup"')]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(written_lines | st.text(st.sampled_from('1,"'), min_size=1, max_size=12), max_size=8))
def test_every_line_is_part_of_exactly_one_record(lines):
    text = "\n".join([HEADER, *lines]).encode()

    read = split(text)

    numbers = [
        number for record in read for number in range(record["_line_number"], record["_line_number"] + lines_of(record))
    ]
    assert numbers == list(range(2, len(lines) + 2))


def test_a_file_with_a_header_alone_holds_no_records():
    assert records() == []


def test_records_are_text_and_carry_the_line_that_they_start_on():
    assert records(LINE, LINE.replace("cup", "mug")) == [sound(2), sound(3, description="mug")]


def test_an_empty_value_is_empty_text():
    assert records(LINE.replace("cup", "").replace("7", "")) == [sound(2, description="", customer_id="")]


def test_words_for_nothing_stay_text():
    assert records(LINE.replace("cup", "NULL").replace("7", "NaN")) == [sound(2, description="NULL", customer_id="NaN")]


def test_a_last_line_without_an_end_is_read():
    text = f"{HEADER}\n{LINE}".encode()

    assert quickly(text) == carefully(text) == [sound(2)]


def test_quoted_delimiters_and_doubled_quotes_belong_to_the_value():
    assert records(LINE.replace("cup", '"a ""big"", red cup"')) == [sound(2, description='a "big", red cup')]


def test_a_quote_within_an_unquoted_value_is_text():
    assert records(LINE.replace("cup", '5" nail'), LINE) == [sound(2, description='5" nail'), sound(3)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_quoted_line_break_keeps_true_line_numbers(end):
    broken = LINE.replace("cup", f'"a{end}b{end}c"')

    assert records(LINE, broken, LINE, end=end) == [sound(2), sound(3, description=f"a{end}b{end}c"), sound(6)]


def test_empty_lines_are_no_records_and_are_counted():
    assert records(LINE, "", LINE, "") == [sound(2), sound(4)]


def test_lines_may_end_in_a_carriage_return_alone():
    assert records(LINE, LINE, end="\r") == [sound(2), sound(3)]


def test_a_quoted_carriage_return_alone_ends_a_line_too():
    broken = LINE.replace("cup", '"a\rb"')

    assert records(broken, LINE, end="\r\n") == [sound(2, description="a\rb"), sound(4)]


def test_further_columns_are_kept_by_name():
    text = f"till,{HEADER},note\n3,{LINE},wrapped\n4,{LINE},\n".encode()

    expected = [sound(2, [("till", "3"), ("note", "wrapped")]), sound(3, [("till", "4"), ("note", "")])]
    assert quickly(text) == expected
    assert carefully(text) == expected


def test_columns_are_found_by_name_in_any_order():
    names, values = reversed(HEADER.split(",")), reversed(LINE.split(","))
    text = f"{','.join(names)}\n{','.join(values)}\n".encode()

    assert quickly(text) == carefully(text) == [sound(2)]


def test_a_byte_order_mark_is_no_part_of_the_first_column():
    text = f"\ufeff{HEADER}\n{LINE}\n".encode()

    assert quickly(text) == carefully(text) == [sound(2)]


def test_a_line_with_bytes_of_another_encoding_is_kept_readable_and_the_others_are_read():
    lines = (LINE, LINE.replace("cup", "café"), LINE)

    assert records(*lines, encoding="latin-1") == [
        sound(2),
        odd(
            3,
            r"1,A,caf\xe9,6,2011-01-01 10:00:00,1.5,7,France",
            "the line holds bytes that are not utf-8: 0xE9; "
            "set feeds.sales.encoding in the lake file, or export the file again",
        ),
        sound(4),
    ]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-be", "utf-8-sig"])
def test_the_feeds_encoding_is_read(encoding):
    feed = SalesFeed(path="landing", encoding=encoding)

    assert records(LINE.replace("cup", "café"), encoding=encoding, feed=feed)[-1]["description"] == "café"


@pytest.mark.parametrize("mark", [";", "\t", "|", "§"])
def test_the_feeds_delimiter_cuts(mark):
    text = f"{HEADER}\n{LINE}\n".replace(",", mark).encode()

    assert split(text, SalesFeed(path="landing", delimiter=mark)) == [sound(2)]


def test_a_line_with_too_few_or_too_many_values_is_kept_as_text():
    assert records("1,A,cup", LINE, f"{LINE},") == [
        odd(2, "1,A,cup", "the line has 3 columns, the header has 8"),
        sound(3),
        odd(4, f"{LINE},", "the line has 9 columns, the header has 8"),
    ]


def test_a_header_that_stands_there_again_is_no_sale():
    assert records(LINE, HEADER, LINE) == [sound(2), odd(3, HEADER, "the line repeats the header"), sound(4)]


def test_a_stray_quote_spoils_its_own_line_alone():
    stray = LINE.replace("cup", '"cup')

    assert records(stray, LINE, LINE) == [
        odd(2, stray, "the line opens a quote that is not closed where a value ends"),
        sound(3),
        sound(4),
    ]


def test_a_stray_quote_that_a_later_quote_seems_to_close_swallows_no_line():
    stray, quoted = LINE.replace("cup", '"cup'), LINE.replace("cup", '"mug"')

    assert records(stray, LINE, quoted) == [
        odd(2, stray, "the line opens a quote that is not closed where a value ends"),
        sound(3),
        sound(4, description="mug"),
    ]


def test_a_stray_quote_that_a_later_line_closes_in_another_column_swallows_no_line():
    stray, closing = LINE.replace("cup", '"cup'), f'{LINE}"'

    assert records(stray, LINE, closing) == [
        odd(2, stray, "the line opens a quote that is not closed where a value ends"),
        sound(3),
        sound(4, country='France"'),
    ]


def test_a_very_long_value_beside_an_odd_line_is_read_whole():
    found = records("odd", LINE.replace("cup", "c" * 200_000))

    assert found[1] == sound(3, description="c" * 200_000)


def test_the_careful_reader_hands_on_records_in_batches_without_losing_one():
    text = "\n".join([HEADER, *[LINE] * 5]).encode()

    assert [batch.num_rows for batch in delimited.split_carefully(text, SALES, FEED, rows_per_batch=2)] == [2, 2, 1]
    assert carefully(text, rows_per_batch=2) == [sound(number) for number in range(2, 7)]


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
def test_chinese_text_is_read_in_its_encoding_by_both_readers(encoding):
    feed = SalesFeed(path="landing", encoding=encoding)
    text = f"{HEADER}\n{LINE.replace('cup', '上海的杯子')}\n".encode(encoding)  # 上 is U+4E0A, with a line feed's byte

    assert quickly(text, feed) == carefully(text, feed) == [sound(2, description="上海的杯子")]


def test_a_file_that_breaks_off_within_a_character_of_two_bytes_keeps_its_whole_lines():
    text = f"{HEADER}\n{LINE}\n{LINE}".encode("utf-16-le")[:-1]

    whole, broken = split(text, SalesFeed(path="landing", encoding="utf-16-le"))

    assert whole == sound(2)
    assert broken["_raw"] == f"{LINE[:-1]}\\x65"
    assert broken["_problem"].startswith("the line holds bytes that are not utf-16-le: 0x65; set feeds.sales.encoding")


def test_a_byte_that_a_chinese_encoding_does_not_know_spoils_its_own_line_alone():
    feed = SalesFeed(path="landing", encoding="gb18030")
    text = f"{HEADER}\n{LINE}\n{LINE.replace('cup', '杯')}\n".encode("gb18030").replace(b",6,", b"\xff,6,", 1)

    spoilt, whole = split(text, feed)

    assert spoilt["_raw"] == r"1,A,cup\xff,6,2011-01-01 10:00:00,1.5,7,France"
    assert whole == sound(3, description="杯")


def test_a_name_in_the_header_may_hold_a_line_break():
    text = f'{HEADER},"How was\nit?"\n{LINE},well\n'.encode()

    assert delimited.header(text, FEED) == (*COLUMNS, "How was\nit?")
    assert quickly(text) == carefully(text) == [sound(3, [("How was\nit?", "well")])]


def test_a_stray_quote_in_the_header_swallows_no_line():
    text = f'{HEADER},"note\n{LINE},a\n{LINE},b\n'.encode()

    assert delimited.header(text, FEED)[:2] == ("order_id", "product_id")
    assert [record["_line_number"] for record in split(text)] == [2, 3]


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte order mark"])
def test_a_file_without_a_header_is_read_under_the_names_of_the_lake_file(mark):
    feed = SalesFeed(path="landing", header=COLUMNS)
    text = f"{mark}{LINE}\n{LINE}\n".encode()

    assert delimited.header(text, feed) == COLUMNS
    assert quickly(text, feed) == carefully(text, feed) == [sound(1), sound(2)]


def test_a_header_that_the_lake_file_denies_is_no_sale():
    feed = SalesFeed(path="landing", header=COLUMNS)

    assert split(f"{HEADER}\n{LINE}\n".encode(), feed) == [odd(1, HEADER, "the line repeats the header"), sound(2)]


def test_a_column_that_the_source_may_lack_is_null_and_one_that_it_has_is_read():
    text = f"{HEADER},currency\n{LINE},EUR\n".encode()

    (record,) = split(text)

    assert (record["currency"], record["amount"], record["_extra"]) == ("EUR", None, None)


def test_columns_that_the_lake_file_renames_are_found_and_the_contracts_own_name_is_an_extra_then():
    feed = SalesFeed(path="landing", columns={"order_id": "receipt"})
    text = f"receipt,{HEADER}\n9,{LINE}\n".encode()

    assert split(text, feed) == [sound(2, [("order_id", "1")], order_id="9")]


@pytest.mark.parametrize("value", ["1.10", "17850.0", "1e-3", "12345678901234567890", "007", "NaN", "TRUE", "-0"])
def test_a_value_keeps_its_characters(value):
    assert records(LINE.replace("1.5", value)) == [sound(2, unit_price=value)]


def test_records_beyond_the_first_block_of_a_large_file_keep_their_line_numbers(monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1000)
    text = "\n".join([HEADER, *[LINE] * 100]).encode()

    assert len(delimited.split_quickly(text, SALES, FEED)) > 1
    assert quickly(text) == [sound(number) for number in range(2, 102)]


def test_odd_lines_in_several_batches_stay_in_their_places():
    text = "\n".join([HEADER, "odd", LINE, LINE, "odder", LINE]).encode()

    read = carefully(text, rows_per_batch=2)

    assert [(record["_line_number"], record["_raw"]) for record in read] == [
        (2, "odd"), (3, None), (4, None), (5, "odder"), (6, None),
    ]  # fmt: skip
