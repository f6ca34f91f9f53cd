"""Two readers split a file into records, a quick and a careful one; both must tell the same of every sound file."""

import csv
import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from chispa import assert_df_equality
from hypothesis import given, settings
from hypothesis import strategies as st

from customerlake.bronze.ingest import RECORD_SCHEMA, _split_carefully, _split_quickly, records_of, sales
from customerlake.bronze.landing import check_files, landed_files
from customerlake.bronze.sources.sales import CONTRACT, SALES
from customerlake.runtime.config import SalesFeed, load_lake_file, shipped

FEED = SalesFeed(path="landing")
REAL_FEED = load_lake_file(None).feeds.sales
HEADER = "order_id,product_id,description,quantity,ordered_at,unit_price,customer_id,country"
LINE = "1,A,cup,6,2011-01-01 10:00:00,1.5,7,France"
VALUES = dict(zip(CONTRACT, ("1", "A", "cup", "6", "2011-01-01 10:00:00", "1.5", "7", "France"), strict=True))


def quickly(text, feed=FEED):
    records = _split_quickly(text, feed)
    return None if records is None else records.select(RECORD_SCHEMA.names).to_pylist()


def carefully(text, feed=FEED, **settings):
    return [record for batch in _split_carefully(text, feed, **settings) for record in batch.to_pylist()]


def records(*lines, end="\n", encoding="utf-8", feed=FEED):
    """What the readers make of a file with these lines under the header."""
    text = "".join(line + end for line in (HEADER, *lines)).encode(encoding)
    return [record for batch in records_of(text, feed) for record in batch.select(RECORD_SCHEMA.names).to_pylist()]


def sound(line_number, extra=None, **values):
    return VALUES | values | {"_extra": extra, "_raw": None, "_problem": None, "_line_number": line_number}


def odd(line_number, raw, problem):
    empty = dict.fromkeys(CONTRACT)
    return empty | {"_extra": None, "_raw": raw, "_problem": problem, "_line_number": line_number}


REAL_FILES = sorted(Path(str(shipped("demo"))).glob("online_retail/*.csv.gz"))[::31]


@pytest.mark.parametrize("file", REAL_FILES, ids=lambda file: file.name)
def test_both_readers_tell_the_same_of_a_real_file(file):
    text = gzip.decompress(file.read_bytes())

    assert quickly(text, REAL_FEED) == carefully(text, REAL_FEED)


@pytest.mark.parametrize("file", REAL_FILES, ids=lambda file: file.name)
def test_a_real_file_is_split_as_the_standard_library_splits_it(file):
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        expected = [list(row.values()) for row in csv.DictReader(lines)]

    split = quickly(gzip.decompress(file.read_bytes()), REAL_FEED)

    assert [[record[name] for name in CONTRACT] for record in split] == expected


def test_ten_real_files_are_compared():
    assert len(REAL_FILES) == 10


value = st.text(st.sampled_from('a,;"é \n'), max_size=6)
record_values = st.lists(st.lists(value, min_size=len(CONTRACT), max_size=len(CONTRACT)), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(record_values, st.sampled_from(["\n", "\r\n"]))
def test_every_value_is_read_as_it_was_written(rows, end):
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([list(CONTRACT), *rows])

    read = carefully(file.getvalue().encode())

    assert [[record[name] for name in CONTRACT] for record in read] == rows


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.sampled_from('1a,"é \r\n\ufeff'), max_size=30), max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_where_the_quick_reader_answers_it_agrees_with_the_careful_one(lines, end):
    text = end.join([HEADER, LINE, *lines]).encode()

    found = quickly(text)

    assert found is None or found == carefully(text)


def lines_of(record):
    """How many lines of the file a record stands for."""
    text = record["_raw"] or "".join(record[name] for name in CONTRACT)
    return 1 + text.count("\n")


written_lines = st.sampled_from(
    [LINE, LINE.replace("cup", '"cup'), LINE.replace("cup", 'cup"'), LINE.replace("cup", '"cup"')]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(written_lines | st.text(st.sampled_from('1,"'), min_size=1, max_size=12), max_size=8))
def test_every_line_is_part_of_exactly_one_record(lines):
    text = "\n".join([HEADER, *lines]).encode()

    read = [record for batch in records_of(text, FEED) for record in batch.to_pylist()]

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


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
def test_the_feeds_encoding_is_read(encoding):
    feed = SalesFeed(path="landing", encoding=encoding)

    assert records(LINE.replace("cup", "café"), encoding=encoding, feed=feed)[-1]["description"] == "café"


@pytest.mark.parametrize("mark", [";", "\t", "|", "§"])
def test_the_feeds_delimiter_cuts(mark):
    text = f"{HEADER}\n{LINE}\n".replace(",", mark).encode()

    read = [
        record for batch in records_of(text, SalesFeed(path="landing", delimiter=mark)) for record in batch.to_pylist()
    ]

    assert read == [sound(2)]


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

    assert [batch.num_rows for batch in _split_carefully(text, FEED, rows_per_batch=2)] == [2, 2, 1]
    assert carefully(text, rows_per_batch=2) == [sound(number) for number in range(2, 7)]


def test_sales_of_several_files_carry_file_digest_and_landing(spark, tmp_path):
    (tmp_path / "a.csv").write_text(f"{HEADER}\n{LINE}\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(f"{HEADER},till\nodd\n{LINE},3\n".encode()))
    files, _ = check_files(landed_files(str(tmp_path), "*"), FEED, str(tmp_path))
    first, second = (checked.digest for checked in files)
    noon = datetime(2011, 1, 1, 12, tzinfo=UTC)

    landed = sales(spark, files, FEED, str(tmp_path), batch=4, run_id="r", received_at=noon)

    origin = (4, "r", noon)
    values = tuple(VALUES.values())
    expected = spark.createDataFrame(
        [
            (*values, None, None, None, "a.csv", 2, first, *origin),
            (*[None] * 8, None, "odd", "the line has 1 columns, the header has 9", "b.csv.gz", 2, second, *origin),
            (*values, {"till": "3"}, None, None, "b.csv.gz", 3, second, *origin),
        ],
        SALES.schema,
    )
    assert_df_equality(landed.orderBy("_source_file", "_line_number"), expected, ignore_nullable=True)
