import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.before_an_engine

WIDTHS = {"order_id": 4, "product_id": 6, "till": 3}
AS_ITEMS = {"order_id": "basket", "product_id": "item"}


def test_values_stand_between_any_number_of_spaces_and_tabs(read, header):
    text = b"order_id product_id\tunit_price\n1  A\t \t1.10\n  2 B 17850.0  \n"

    assert header("whitespace", text) == ("order_id", "product_id", "unit_price")
    assert read("whitespace", text) == [
        {"order_id": "1", "product_id": "A", "unit_price": "1.10", "_line_number": 2},
        {"order_id": "2", "product_id": "B", "unit_price": "17850.0", "_line_number": 3},
    ]


def test_values_between_spaces_are_read_under_the_lake_files_names_where_no_line_names_them(read, header):
    text = b"1 A\n2 B\n"

    assert header("whitespace", text, header=("order_id", "till")) == ("order_id", "till")
    assert read("whitespace", text, header=("order_id", "till")) == [
        {"order_id": "1", "_extra": [("till", "A")], "_line_number": 1},
        {"order_id": "2", "_extra": [("till", "B")], "_line_number": 2},
    ]


def test_a_ragged_line_between_sound_ones_is_kept_as_text(read):
    text = b"order_id product_id\n1 A\n2\n3 B C\n4 D\n"

    assert read("whitespace", text) == [
        {"order_id": "1", "product_id": "A", "_line_number": 2},
        {"_raw": "2", "_problem": "the line has 1 columns, the header has 2", "_line_number": 3},
        {"_raw": "3 B C", "_problem": "the line has 3 columns, the header has 2", "_line_number": 4},
        {"order_id": "4", "product_id": "D", "_line_number": 5},
    ]


def test_empty_lines_between_values_are_no_records_and_are_counted(read):
    assert read("whitespace", b"order_id\n1\n\n \t\n2\n\n") == [
        {"order_id": "1", "_line_number": 2},
        {"order_id": "2", "_line_number": 5},
    ]


def test_a_header_that_stands_between_the_lines_again_is_no_record(read):
    text = b"order_id product_id\n1 A\norder_id  product_id\n"

    assert read("whitespace", text)[1] == {
        "_raw": "order_id  product_id", "_problem": "the line repeats the header", "_line_number": 3,
    }  # fmt: skip


@pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\u2028", "\x85"])
def test_a_mark_that_only_looks_like_a_space_or_line_end_is_part_of_its_value(read, space):
    text = f"order_id product_id\n1 a{space}b\n2 c\n".encode()

    assert read("whitespace", text) == [
        {"order_id": "1", "product_id": f"a{space}b", "_line_number": 2},
        {"order_id": "2", "product_id": "c", "_line_number": 3},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
def test_lines_are_read_in_each_encoding_with_each_end(read, encoding, end):
    text = end.join(["order_id product_id", "1 上海", "2 杯子", ""]).encode(encoding)

    assert read("whitespace", text, encoding=encoding) == [
        {"order_id": "1", "product_id": "上海", "_line_number": 2},
        {"order_id": "2", "product_id": "杯子", "_line_number": 3},
    ]


@pytest.mark.parametrize(
    ("file_format", "text", "settings"),
    [
        ("whitespace", b"order_id\n1\nM\xfcnchen\n", {}),
        ("fixed_width", b"head\n1   \nM\xfcnc\n", {"widths": {"order_id": 4}}),
        ("baskets", b"head\n1\nM\xfcnchen\n", {"columns": AS_ITEMS}),
    ],
)
def test_a_line_with_bytes_of_another_encoding_is_kept_readable(read, file_format, text, settings):
    odd = read(file_format, text, **settings)[-1]

    assert odd["_raw"].startswith("M\\xfcnc")
    assert odd["_problem"] == (
        "the line holds bytes that are not utf-8: 0xFC; "
        "set feeds.sales.encoding in the lake file, or export the file again"
    )
    assert odd["_line_number"] == 3


@pytest.mark.parametrize("file_format", ["whitespace", "fixed_width", "baskets"])
def test_a_file_without_a_line_holds_no_records(read, file_format):
    assert read(file_format, b"", widths=WIDTHS) == []


def test_each_column_takes_its_characters_and_what_pads_them_is_cut_off(read, header):
    text = b"1   A     T1 \n  22  B\xc3\xa9 C  2\n"

    assert header("fixed_width", text, widths=WIDTHS) == ("order_id", "product_id", "till")
    assert read("fixed_width", text, widths=WIDTHS) == [
        {"order_id": "1", "product_id": "A", "_extra": [("till", "T1")], "_line_number": 1},
        {"order_id": "22", "product_id": "B\u00e9 C", "_extra": [("till", "2")], "_line_number": 2},
    ]


def test_widths_count_characters_whatever_the_bytes_of_one(read):
    text = "上海杯子a北京  T1 \r\n".encode("gb18030")

    assert read("fixed_width", text, encoding="gb18030", widths={"order_id": 5, "product_id": 4, "till": 3}) == [
        {"order_id": "上海杯子a", "product_id": "北京", "_extra": [("till", "T1")], "_line_number": 1}
    ]


def test_an_empty_value_of_fixed_width_is_empty_text(read):
    assert read("fixed_width", b"1         T1\n", widths=WIDTHS) == [
        {"order_id": "1", "product_id": "", "_extra": [("till", "T1")], "_line_number": 1}
    ]


def test_a_line_that_is_cut_short_or_too_long_is_kept_as_text(read):
    text = b"1   A     T1 \n2   B\n3   C     T1 X\n4   D     T\n"

    assert read("fixed_width", text, widths=WIDTHS) == [
        {"order_id": "1", "product_id": "A", "_extra": [("till", "T1")], "_line_number": 1},
        {
            "_raw": "2   B", "_line_number": 2,
            "_problem": "the line has 5 characters, the columns of the lake file take 13",
        },
        {
            "_raw": "3   C     T1 X", "_line_number": 3,
            "_problem": "the line has 14 characters, the columns of the lake file take 13",
        },
        {"order_id": "4", "product_id": "D", "_extra": [("till", "T")], "_line_number": 4},
    ]  # fmt: skip


def test_blanks_after_the_last_column_are_no_reason_to_refuse_a_line(read):
    assert [record["_extra"] for record in read("fixed_width", b"1   A     T1      \n", widths=WIDTHS)] == [
        [("till", "T1")]
    ]


def test_each_item_of_a_line_is_a_record_and_the_line_is_its_basket(read, header):
    text = b"bread,milk\n\nwhole milk, yogurt ,,bread\n"

    assert header("baskets", text) == ("basket", "item")
    assert read("baskets", text, columns=AS_ITEMS) == [
        {"order_id": "1", "product_id": "bread", "_line_number": 1},
        {"order_id": "1", "product_id": "milk", "_line_number": 1},
        {"order_id": "3", "product_id": "whole milk", "_line_number": 3},
        {"order_id": "3", "product_id": "yogurt", "_line_number": 3},
        {"order_id": "3", "product_id": "bread", "_line_number": 3},
    ]


def test_the_items_of_a_basket_stand_between_the_feeds_delimiters(read):
    assert [record["product_id"] for record in read("baskets", b"39;48,5\n", columns=AS_ITEMS, delimiter=";")] == [
        "39", "48,5",
    ]  # fmt: skip


def test_a_quoted_item_may_hold_a_delimiter_and_a_stray_quote_spoils_its_own_basket_alone(read):
    text = b'"salt, coarse",oil\n"nails,screws\n5" nails,glue\nbread\n'

    assert read("baskets", text, columns=AS_ITEMS) == [
        {"order_id": "1", "product_id": "salt, coarse", "_line_number": 1},
        {"order_id": "1", "product_id": "oil", "_line_number": 1},
        {
            "_raw": '"nails,screws', "_line_number": 2,
            "_problem": "the line opens a quote that is not closed where a value ends",
        },
        {"order_id": "3", "product_id": '5" nails', "_line_number": 3},
        {"order_id": "3", "product_id": "glue", "_line_number": 3},
        {"order_id": "4", "product_id": "bread", "_line_number": 4},
    ]  # fmt: skip


def test_lines_beyond_the_first_batch_keep_their_numbers(read):
    text = "order_id\n" + "".join(f"{number}\n" for number in range(2, 5_003))

    found = read("whitespace", text.encode(), rows_per_batch=2_000)

    assert [record["_line_number"] for record in found] == list(range(2, 5_003))
    assert all(record["order_id"] == str(record["_line_number"]) for record in found)


words = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(words, min_size=3, max_size=3), max_size=8), st.sampled_from([" ", "\t", "  \t"]))
def test_values_between_spaces_come_back_as_they_were_written(read, written, space):
    lines = [["order_id", "product_id", "description"], *written]
    text = "".join(f"{space.join(line)}\n" for line in lines).encode()

    found = read("whitespace", text)

    assert [[record[name] for name in lines[0]] for record in found] == written


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(words, min_size=3, max_size=3), max_size=8))
def test_values_of_fixed_width_come_back_as_they_were_written(read, written):
    names = ("order_id", "product_id", "description")
    text = "".join("".join(value.ljust(6) for value in line) + "\n" for line in written).encode()

    found = read("fixed_width", text, widths=dict.fromkeys(names, 6))

    assert [[record[name] for name in names] for record in found] == written


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(st.sampled_from('a, "\t上\x0b'), max_size=8), max_size=8), st.sampled_from(["\n", "\r\n", "\r"])
)
def test_every_line_with_anything_on_it_is_part_of_exactly_one_record(read, lines, end):
    text = end.join(["order_id product_id", *lines]).encode()
    filled = [number for number, line in enumerate(lines, start=2) if line.strip(" \t\x0b")]

    assert [record["_line_number"] for record in read("whitespace", text)] == filled
    widths = {"order_id": 2, "product_id": 2}
    assert [record["_line_number"] for record in read("fixed_width", text, widths=widths)] == [1, *filled]
