import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customerlake.errors import LandingError

pytestmark = pytest.mark.before_an_engine

SOUND = '{"order_id": "1", "product_id": "A"}'
AS_RECORD = {"order_id": "1", "product_id": "A"}
BOTH = pytest.mark.parametrize("file_format", ["json_lines", "json"])


def document(file_format, *records):
    """A file of these records, each given as JSON."""
    text = "\n".join(records) if file_format == "json_lines" else f"[{', '.join(records)}]"
    return text.encode()


def extra(read, file_format, record):
    """What one record becomes, as columns that the contract does not name."""
    ((found,),) = [read(file_format, document(file_format, record))]
    return dict(found["_extra"])


@BOTH
def test_records_carry_their_number_and_what_the_contract_does_not_name(read, header, file_format):
    text = document(file_format, SOUND, '{"till": "T1", "order_id": "2"}')

    assert header(file_format, text) == ("order_id", "product_id", "till")
    assert read(file_format, text) == [
        AS_RECORD | {"_line_number": 1},
        {"order_id": "2", "_extra": [("till", "T1")], "_line_number": 2},
    ]


@BOTH
@pytest.mark.parametrize(
    "digits",
    ["1.10", "17850.0", "1e-3", "1E+05", "-0", "12345678901234567890", "0.1000000000000000055511151231257827", "NaN"],
)
def test_a_number_keeps_its_digits_beside_lists_and_inside_them(read, file_format, digits):
    record = f'{{"order_id": {digits}, "x": [{digits}, "{digits}", {{"y": {digits}}}]}}'

    (found,) = read(file_format, document(file_format, record))

    assert found["order_id"] == digits
    assert found["_extra"] == [("x", f'[{digits}, "{digits}", {{"y": {digits}}}]')]


@BOTH
def test_truth_is_text_and_null_is_none(read, file_format):
    record = '{"order_id": true, "product_id": false, "description": null, "x": null, "y": true}'

    assert read(file_format, document(file_format, record)) == [
        {"order_id": "true", "product_id": "false", "_extra": [("x", None), ("y", "true")], "_line_number": 1}
    ]


@BOTH
def test_an_empty_text_stays_an_empty_text(read, file_format):
    assert read(file_format, document(file_format, '{"order_id": ""}')) == [{"order_id": "", "_line_number": 1}]


@BOTH
def test_objects_inside_become_columns_of_their_own_at_any_depth(read, header, file_format):
    text = document(file_format, '{"order_id": "1", "address": {"city": "Köln", "at": {"lat": 50.90}}, "empty": {}}')

    assert header(file_format, text) == ("order_id", "address.city", "address.at.lat", "empty")
    assert read(file_format, text)[0]["_extra"] == [
        ("address.city", "Köln"), ("address.at.lat", "50.90"), ("empty", "{}"),
    ]  # fmt: skip


@BOTH
def test_a_column_inside_an_object_is_found_by_the_lake_files_name_for_it(read, file_format):
    text = document(file_format, '{"id": 1, "customer": {"address": {"country": "France"}}}')

    found = read(file_format, text, columns={"order_id": "id", "country": "customer.address.country"})

    assert found == [{"order_id": "1", "country": "France", "_line_number": 1}]


@BOTH
def test_records_of_one_batch_may_differ_in_what_they_hold(read, file_format):
    text = document(
        file_format,
        '{"order_id": 1, "a": {"b": 1}}', '{"a": {"b": {"c": [2]}}, "order_id": 2}', '{"order_id": 3, "a": null}', "{}",
        '{"order_id": 5, "a": {}}',
    )  # fmt: skip

    assert read(file_format, text, rows_per_batch=10) == [
        {"order_id": "1", "_extra": [("a.b", "1")], "_line_number": 1},
        {"order_id": "2", "_extra": [("a.b.c", "[2]")], "_line_number": 2},
        {"order_id": "3", "_extra": [("a", None)], "_line_number": 3},
        {"_line_number": 4},
        {"order_id": "5", "_extra": [("a", "{}")], "_line_number": 5},
    ]


@BOTH
def test_lists_stay_as_json_with_readable_letters(read, file_format):
    assert extra(read, file_format, '{"tags": ["été", "上海", null, true, [], {}], "none": []}') == {
        "tags": '["été", "上海", null, true, [], {}]',
        "none": "[]",
    }


@BOTH
@pytest.mark.parametrize(
    ("record", "names"),
    [
        ('{"order_id": 1, "order_id": 2.0}', "order_id"),
        ('{"a": 1, "b": 2, "a": 1, "b": 2}', "a, b"),
        ('{"x": {"y": 1, "y": 1}}', "x.y"),
        ('{"x.y": 1, "x": {"y": 2}}', "x.y"),
    ],
)
def test_a_record_that_names_something_twice_is_kept_as_it_is(read, file_format, record, names):
    before, odd, after = read(file_format, document(file_format, SOUND, record, SOUND))

    assert odd == {"_raw": record, "_problem": f"the record names {names} twice", "_line_number": 2}
    assert before == AS_RECORD | {"_line_number": 1}
    assert after == AS_RECORD | {"_line_number": 3}


@BOTH
def test_records_that_are_all_alike_and_name_something_twice_are_kept_as_they_are(read, file_format):
    record = '{"x.y": 1, "x": {"y": 2}}'

    found = read(file_format, document(file_format, record, record))

    assert [(one["_raw"], one["_problem"]) for one in found] == [(record, "the record names x.y twice")] * 2


@BOTH
@pytest.mark.parametrize("value", ["1.10", '"text"', "null", "[1, 2]"])
def test_what_is_no_object_is_no_record(read, file_format, value):
    assert read(file_format, document(file_format, SOUND, value))[1] == {
        "_raw": value, "_problem": "the record is no object of names and values", "_line_number": 2,
    }  # fmt: skip


@BOTH
def test_half_an_emoji_is_kept_as_its_escape(read, file_format):
    found = read(file_format, document(file_format, r'{"order_id": "\ud83d", "product_id": "\ud83d\ude00"}'))

    assert found == [{"order_id": r"\ud83d", "product_id": "\U0001f600", "_line_number": 1}]


@BOTH
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"x": ', "}")])
@pytest.mark.parametrize("depth", [101, 400])
def test_a_record_that_is_nested_too_deeply_spoils_no_other(read, header, file_format, opens, closes, depth):
    deep = f'{{"order_id": 2, "x": {opens * depth}0{closes * depth}}}'
    text = document(file_format, SOUND, deep, SOUND)

    before, odd, after = read(file_format, text)

    assert header(file_format, text) == ("order_id", "product_id")
    assert (before, after) == (AS_RECORD | {"_line_number": 1}, AS_RECORD | {"_line_number": 3})
    assert odd["_problem"] == "the record is JSON that is nested too deeply"
    assert odd["_raw"].startswith(f'{{"order_id": "2", "x": {opens * 50}')


def test_a_line_that_is_nested_beyond_what_can_be_read_spoils_no_other(read):
    found = read("json_lines", f"{SOUND}\n{'[' * 100_000}\n{SOUND}".encode())

    assert [record.get("_problem") for record in found] == [None, "the line is JSON that is nested too deeply", None]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{'order_id': 1}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ('{"order_id": 1', "Expecting ',' delimiter: line 1 column 15 (char 14)"),
        (f"{SOUND} {SOUND}", "Extra data: line 1 column 38 (char 37)"),
        ("order_id,product_id", "Expecting value: line 1 column 1 (char 0)"),
        (f"{SOUND},", "Extra data: line 1 column 37 (char 36)"),
    ],
)
def test_a_line_that_is_no_json_is_kept_and_those_beside_it_are_read(read, line, said):
    assert read("json_lines", f"{SOUND}\n{line}\n{SOUND}\n".encode()) == [
        AS_RECORD | {"_line_number": 1},
        {"_raw": line, "_problem": f"the line is no JSON: {said}", "_line_number": 2},
        AS_RECORD | {"_line_number": 3},
    ]


def test_empty_lines_are_no_records_and_are_counted(read):
    text = f"\n  \t{SOUND}  \n \n{SOUND}".encode()

    assert [record["_line_number"] for record in read("json_lines", text)] == [2, 4]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
def test_lines_of_json_are_read_in_each_encoding_with_each_end(read, header, encoding, end):
    text = (end.join(['{"order_id": "上海"}', '{"order_id": "杯"}']) + end).encode(encoding)

    assert header("json_lines", text, encoding=encoding) == ("order_id",)
    assert read("json_lines", text, encoding=encoding) == [
        {"order_id": "上海", "_line_number": 1},
        {"order_id": "杯", "_line_number": 2},
    ]


def test_a_byte_order_mark_is_no_part_of_json(read):
    assert read("json_lines", f"\ufeff{SOUND}".encode()) == read("json", f"\ufeff[{SOUND}]".encode())


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0b"])
def test_a_mark_that_only_looks_like_a_line_end_is_part_of_its_value(read, mark):
    text = json.dumps({"order_id": f"a{mark}b"}, ensure_ascii=False)

    assert read("json_lines", f"{text}\n{SOUND}".encode()) == [
        {"order_id": f"a{mark}b", "_line_number": 1},
        AS_RECORD | {"_line_number": 2},
    ]


def test_a_line_of_json_with_bytes_of_another_encoding_is_kept_readable(read):
    found = read("json_lines", b'{"order_id": "M\xfcnchen"}\n{"order_id": "\xc3\xa9"}\n')

    assert found == [
        {
            "_raw": '{"order_id": "M\\xfcnchen"}', "_line_number": 1,
            "_problem": "the line holds bytes that are not utf-8: 0xFC; "
            "set feeds.sales.encoding in the lake file, or export the file again",
        },
        {"order_id": "é", "_line_number": 2},
    ]  # fmt: skip


def test_the_names_of_the_first_thousand_records_are_the_header(header):
    lines = ['{"order_id": 1}'] * 999 + ['{"order_id": 1, "till": 2}', '{"late": 1}']

    assert header("json_lines", "\n".join(lines).encode()) == ("order_id", "till")


def test_the_records_of_a_document_are_found_where_the_lake_file_says(read, header):
    text = f'{{"next_cursor": "x", "data": {{"items": [{SOUND}]}}}}'.encode()

    assert header("json", text, records_at="data.items") == ("order_id", "product_id")
    assert read("json", text, records_at="data.items") == [AS_RECORD | {"_line_number": 1}]


@pytest.mark.parametrize(
    ("text", "records_at", "said"),
    [
        (
            '{"items": [], "next": 1}', "",
            "a list of records is expected as the whole document; it holds the keys items, next",
        ),
        ('{"items": {}, "next": 1}', "items", "a list of records is expected at items; it holds the keys items, next"),
        ("[1]", "items", "a list of records is expected at items; it holds a list"),
        ('"x"', "items.x", "a list of records is expected at items.x; it holds a text"),
        ("1.5", "", "a list of records is expected as the whole document; it holds a number"),
        ("null", "", "a list of records is expected as the whole document; it holds a null"),
        ("true", "", "a list of records is expected as the whole document; it holds a truth value"),
        (
            '{"items": [1], "items": [2]}', "items",
            "a list of records is expected at items; it holds a object that names something twice",
        ),
    ],
)  # fmt: skip
def test_a_document_without_a_list_where_one_should_be_is_refused(header, text, records_at, said):
    with pytest.raises(LandingError) as refusal:
        header("json", text.encode(), records_at=records_at)

    assert str(refusal.value) == f"{said}. Set records_at in the lake file"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[1", "it is no JSON in utf-8 (Expecting ',' delimiter: line 1 column 3 (char 2)); export it again"),
        (b"[1]\n[2]", "it is no JSON in utf-8 (Extra data: line 2 column 1 (char 4)); export it again"),
        (b"[" * 100_000, "it is JSON that is nested too deeply; export it again"),
    ],
    ids=["cut short", "lines", "deep"],
)  # fmt: skip
def test_a_document_that_is_no_json_is_refused(header, text, said):
    with pytest.raises(LandingError) as refusal:
        header("json", text)

    assert str(refusal.value) == said


def test_a_document_in_another_encoding_is_refused(header):
    with pytest.raises(LandingError, match=r"it is no JSON in utf-8 \('utf-8' codec can't decode byte 0xfc"):
        header("json", '[{"order_id": "ü"}]'.encode("latin-1"))


def test_an_empty_list_names_nothing_and_holds_no_records(read, header):
    assert (header("json", b"[]"), read("json", b"[]")) == ((), [])


def test_lines_of_json_beyond_the_first_batch_keep_their_numbers(read):
    text = "".join(f'{{"order_id": {number}}}\n' for number in range(1, 5_002)).encode()

    found = read("json_lines", text, rows_per_batch=2_000)

    assert found == [{"order_id": str(number), "_line_number": number} for number in range(1, 5_002)]


names = st.text(st.sampled_from('ab."é'), min_size=1, max_size=3).filter(lambda name: "." not in name)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(scalars, lambda inside: st.lists(inside, max_size=3) | st.dictionaries(names, inside, max_size=3))


def written(value):
    """A value as the reader is to hand it on, by the standard library."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def leaves(record, above=""):
    for name, value in record.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{above}{name}.")
        else:
            yield above + name, written(value)


@BOTH
@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(names, values, max_size=4), max_size=6))
def test_every_value_comes_back_as_it_was_written(read, file_format, records):
    text = document(file_format, *[json.dumps(record) for record in records])

    found = read(file_format, text)

    assert [record.get("_extra") for record in found] == [list(leaves(record)) or None for record in records]
    assert [record["_line_number"] for record in found] == list(range(1, len(records) + 1))


some_lines = st.sampled_from([SOUND, "", " ", "nope", '{"a": {"b": [1]}}', "[1]", '{"a": 1, "a": 2}', "{", '"'])


@settings(max_examples=100, deadline=None)
@given(st.lists(some_lines, max_size=10), st.sampled_from(["\n", "\r\n", "\r"]))
def test_every_line_is_part_of_exactly_one_record(read, lines, end):
    found = read("json_lines", end.join(lines).encode())

    assert [record["_line_number"] for record in found] == [
        number for number, line in enumerate(lines, start=1) if line.strip()
    ]
    assert [record["_raw"] for record in found if "_raw" in record] == [
        line for line in lines if line.strip() and line not in (SOUND, '{"a": {"b": [1]}}')
    ]
