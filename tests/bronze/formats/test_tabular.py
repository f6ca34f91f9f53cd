import io
from datetime import UTC, date, datetime
from decimal import Decimal

import fastavro
import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from customerlake.errors import LandingError

pytestmark = pytest.mark.before_an_engine

AT = datetime(2011, 12, 9, 8, 26)
EMPTY = {"order_id": "1", "_line_number": 1}


def as_parquet(table, **settings):
    file = io.BytesIO()
    parquet.write_table(table if isinstance(table, pa.Table) else pa.table(table), file, **settings)
    return file.getvalue()


def as_avro(fields, records, codec="null", **settings):
    file = io.BytesIO()
    schema = {"type": "record", "name": "sale", "fields": [{"name": name, "type": kind} for name, kind in fields]}
    fastavro.writer(file, schema, records, codec=codec, **settings)
    return file.getvalue()


def as_excel(*rows, **sheets):
    """A workbook whose first sheet holds `rows`, and whose others hold those of `sheets`."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name, others in sheets.items():
        sheet = book.create_sheet(name)
        for row in others:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_columns_of_parquet_become_text_and_what_the_contract_does_not_name_an_extra(read, header):
    text = as_parquet({
        "order_id": pa.array([536365, None], pa.int32()),
        "ordered_at": pa.array([AT, None], pa.timestamp("ns", tz="Europe/London")),
        "unit_price": pa.array([Decimal("1.10"), None]),
        "customer_id": [17850.0, None],
        "country": pa.array(["France", None]).dictionary_encode(),
        "is_gift": [True, None],
        "tags": [["a", "b"], None],
    })  # fmt: skip

    assert header("parquet", text) == (
        "order_id", "ordered_at", "unit_price", "customer_id", "country", "is_gift", "tags",
    )  # fmt: skip
    assert read("parquet", text) == [
        {
            "order_id": "536365", "ordered_at": "2011-12-09 08:26:00", "unit_price": "1.10", "customer_id": "17850",
            "country": "France", "_extra": [("is_gift", "true"), ("tags", '["a", "b"]')], "_line_number": 1,
        },
        {"_extra": [("is_gift", None), ("tags", None)], "_line_number": 2},
    ]  # fmt: skip


def test_structures_of_parquet_become_columns_of_their_own(read, header):
    lines = [{"city": "Köln", "at": {"lat": 50.9}}, None]
    text = as_parquet({"order_id": ["1", "2"], "address": lines})

    assert header("parquet", text) == ("order_id", "address.city", "address.at.lat")
    assert read("parquet", text, columns={"country": "address.city"}) == [
        {"order_id": "1", "country": "Köln", "_extra": [("address.at.lat", "50.9")], "_line_number": 1},
        {"order_id": "2", "_extra": [("address.at.lat", None)], "_line_number": 2},
    ]


def test_parquet_without_rows_has_its_columns_and_no_records(read, header):
    text = as_parquet({"order_id": pa.array([], pa.string()), "address": pa.array([], pa.struct({"x": pa.int8()}))})

    assert header("parquet", text) == ("order_id", "address.x")
    assert read("parquet", text) == []


def test_old_parquet_with_times_of_96_bits_and_text_as_bytes_is_read(read):
    table = {"ordered_at": pa.array([datetime(9999, 12, 31)], pa.timestamp("us")), "country": [b"Espa\xc3\xb1a"]}
    text = as_parquet(table, use_deprecated_int96_timestamps=True)

    assert read("parquet", text) == [{"ordered_at": "9999-12-31 00:00:00", "country": "España", "_line_number": 1}]


def test_rows_of_parquet_in_many_groups_keep_their_numbers(read):
    text = as_parquet({"order_id": pa.array(range(1, 10_001))}, row_group_size=700)

    found = read("parquet", text, rows_per_batch=1_000)

    assert found == [{"order_id": str(number), "_line_number": number} for number in range(1, 10_001)]


def test_parquet_that_is_cut_short_is_refused(header):
    with pytest.raises(LandingError, match=r"it is no whole Parquet file .*; write it again"):
        header("parquet", as_parquet({"order_id": [1]})[:-10])


NUMBERS = {"order_id": [f"order {number * 7919 % 10_007}" for number in range(30_000)]}
PAGES = {"row_group_size": 1000, "use_dictionary": False}


def test_parquet_with_a_damaged_page_behind_the_first_rows_is_refused_before_any_is_taken(header):
    sound = as_parquet(NUMBERS, **PAGES)
    middle = len(sound) // 2

    assert header("parquet", sound) == ("order_id",)
    with pytest.raises(LandingError, match="it is no whole Parquet file"):
        header("parquet", sound[:middle] + bytes(2000) + sound[middle + 2000 :])


def test_parquet_whose_values_are_not_those_of_its_checksums_is_refused(header):
    sound = as_parquet(NUMBERS, **PAGES, compression="none", write_page_checksum=True)
    one = sound.index(b"order 77", len(sound) // 2)

    assert header("parquet", sound) == ("order_id",)
    with pytest.raises(LandingError, match="it is no whole Parquet file"):
        header("parquet", sound[:one] + b"order 99" + sound[one + 8 :])


AVRO_FIELDS = [
    ("order_id", "long"),
    ("ordered_at", ["null", {"type": "long", "logicalType": "timestamp-micros"}]),
    ("unit_price", {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}),
    ("customer_id", ["null", "double"]),
    ("country", {"type": "enum", "name": "land", "symbols": ["France", "Spain"]}),
    ("on", {"type": "int", "logicalType": "date"}),
    ("tags", {"type": "array", "items": "string"}),
]


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_records_of_avro_become_text(read, header, codec):
    record = {
        "order_id": 2**60, "ordered_at": AT.replace(tzinfo=UTC), "unit_price": Decimal("1.10"), "customer_id": 17850.0,
        "country": "Spain", "on": date(2011, 12, 9), "tags": ["é"],
    }  # fmt: skip
    text = as_avro(AVRO_FIELDS, [record, record | {"ordered_at": None, "customer_id": None}], codec)

    assert header("avro", text) == tuple(name for name, _ in AVRO_FIELDS)
    first, second = read("avro", text)
    assert first == {
        "order_id": "1152921504606846976", "ordered_at": "2011-12-09 08:26:00", "unit_price": "1.10",
        "customer_id": "17850", "country": "Spain", "_extra": [("on", "2011-12-09"), ("tags", '["é"]')],
        "_line_number": 1,
    }  # fmt: skip
    assert ("ordered_at" in second, "customer_id" in second, second["_line_number"]) == (False, False, 2)


def test_records_inside_avro_become_columns_of_their_own(read, header):
    place = {"type": "record", "name": "place", "fields": [{"name": "lat", "type": "double"}]}
    address = {
        "type": "record", "name": "address",
        "fields": [{"name": "city", "type": "string"}, {"name": "at", "type": ["null", place]}],
    }  # fmt: skip
    records = [
        {"order_id": "1", "address": {"city": "Köln", "at": {"lat": 50.9}}},
        {"order_id": "2", "address": {"city": "Bonn", "at": None}},
        {"order_id": "3", "address": None},
    ]
    text = as_avro([("order_id", "string"), ("address", ["null", address])], records)

    assert header("avro", text) == ("order_id", "address.city", "address.at.lat")
    assert [record["_extra"] for record in read("avro", text)] == [
        [("address.city", "Köln"), ("address.at.lat", "50.9")],
        [("address.city", "Bonn"), ("address.at.lat", None)],
        [("address.city", None), ("address.at.lat", None)],
    ]


def test_a_field_of_avro_that_holds_values_of_several_types_keeps_each(read):
    values = [1, 2.5, "x", None, True, 2**60]
    text = as_avro([("order_id", ["null", "long", "double", "string", "boolean"])], [{"order_id": v} for v in values])

    assert [record.get("order_id") for record in read("avro", text, rows_per_batch=10)] == [
        "1", "2.5", "x", None, "true", "1152921504606846976",
    ]  # fmt: skip


def test_records_of_avro_in_many_blocks_keep_their_numbers(read):
    text = as_avro([("order_id", "int")], [{"order_id": n} for n in range(1, 5_002)], sync_interval=500)

    found = read("avro", text, rows_per_batch=2_000)

    assert found == [{"order_id": str(number), "_line_number": number} for number in range(1, 5_002)]


def test_avro_without_records_has_its_columns(read, header):
    text = as_avro([("order_id", "string")], [])

    assert (header("avro", text), read("avro", text)) == (("order_id",), [])


@pytest.mark.parametrize("kept", [3, 40, -1, -2_000])
@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_avro_that_is_cut_short_is_refused_before_any_record_is_taken(header, codec, kept):
    records = [{"order_id": f"{n * 7919 % 10_007}"} for n in range(5_000)]
    sound = as_avro([("order_id", "string")], records, codec, sync_interval=500)

    assert header("avro", sound) == ("order_id",)
    with pytest.raises(LandingError, match=r"it is no whole Avro file .*; write it again"):
        header("avro", sound[:kept])


@pytest.mark.parametrize("text", [b"order_id,product_id\n1,A\n", b"PAR1", b"Obj\x01"], ids=str)
def test_another_file_under_the_name_of_avro_is_refused(header, text):
    with pytest.raises(LandingError, match="it is no whole Avro file"):
        header("avro", text)


def test_avro_of_plain_values_is_refused(header):
    file = io.BytesIO()
    fastavro.writer(file, "string", ["a"])

    with pytest.raises(LandingError, match="its Avro schema is no record of named fields"):
        header("avro", file.getvalue())


def test_rows_of_a_sheet_become_text_under_the_names_of_its_first_row(read, header):
    text = as_excel(
        ["order_id", "ordered_at", "unit_price", "quantity", "customer_id", "till"],
        [536365, AT, 2.55, 6, 17850.0, "T1"],
        ["C536365", None, 1.1, -6, None, None],
    )

    assert header("excel", text) == ("order_id", "ordered_at", "unit_price", "quantity", "customer_id", "till")
    assert read("excel", text) == [
        {
            "order_id": "536365", "ordered_at": "2011-12-09 08:26:00", "unit_price": "2.55", "quantity": "6",
            "customer_id": "17850", "_extra": [("till", "T1")], "_line_number": 2,
        },
        {"order_id": "C536365", "unit_price": "1.1", "quantity": "-6", "_extra": [("till", None)], "_line_number": 3},
    ]  # fmt: skip


def test_midnight_in_a_sheet_is_an_instant_where_the_contract_says_so_and_a_day_elsewhere(read):
    text = as_excel(["when", "on"], [datetime(2011, 12, 9), date(2011, 12, 9)], [AT, None])

    found = read("excel", text, columns={"ordered_at": "when"})

    assert [record["ordered_at"] for record in found] == ["2011-12-09 00:00:00", "2011-12-09 08:26:00"]
    assert found[0]["_extra"] == [("on", "2011-12-09")]


def test_a_sheets_text_keeps_its_characters_and_its_truth_is_text(read):
    text = as_excel(["order_id", "product_id", "ok"], ["007", "1.10", True], ["1e-3", " é ", False])

    assert read("excel", text) == [
        {"order_id": "007", "product_id": "1.10", "_extra": [("ok", "true")], "_line_number": 2},
        {"order_id": "1e-3", "product_id": " é ", "_extra": [("ok", "false")], "_line_number": 3},
    ]


def test_empty_rows_of_a_sheet_are_no_records_above_the_header_or_below(read, header):
    text = as_excel([], [], ["order_id"], [1], [], [None], [2])

    assert header("excel", text) == ("order_id",)
    assert read("excel", text) == [{"order_id": "1", "_line_number": 4}, {"order_id": "2", "_line_number": 7}]


def test_a_column_without_a_name_is_called_by_its_place_when_it_holds_anything(read, header):
    text = as_excel([None, "order_id", None, None], [None, 1, None, "note"], [None, 2, None, None])

    assert header("excel", text) == ("order_id", "column 4")
    assert [record["_extra"] for record in read("excel", text)] == [[("column 4", "note")], [("column 4", None)]]


def test_a_sheet_without_a_header_is_read_under_the_lake_files_names(read, header):
    text = as_excel([1, "A"], [2, "B", "more"], [3])

    assert header("excel", text, header=("order_id", "product_id")) == ("order_id", "product_id")
    assert read("excel", text, header=("order_id", "product_id")) == [
        {"order_id": "1", "product_id": "A", "_line_number": 1},
        {"_raw": '[2.0, "B", "more"]', "_problem": "the row has 3 columns, the header has 2", "_line_number": 2},
        {"order_id": "3", "_line_number": 3},
    ]


def test_the_sheet_that_the_lake_file_names_is_read(read):
    text = as_excel(["cover"], sales=[["order_id"], [1]])

    assert read("excel", text, sheet="sales") == [{"order_id": "1", "_line_number": 2}]


def test_a_sheet_that_is_not_there_is_refused_with_those_that_are(header):
    with pytest.raises(LandingError) as refusal:
        header("excel", as_excel(["order_id"], orders=[]), sheet="sales")

    assert str(refusal.value) == (
        "it has no sheet 'sales'; its sheets are Sheet, orders. Correct sheet in the lake file"
    )


def test_an_empty_sheet_names_nothing(read, header):
    assert (header("excel", as_excel()), read("excel", as_excel())) == ((), [])


@pytest.mark.parametrize("text", [b"order_id\n1\n", as_excel(["order_id"])[:-100]], ids=["text", "cut short"])
def test_a_file_that_is_no_workbook_is_refused(header, text):
    with pytest.raises(LandingError, match=r"it is no workbook that can be read .*; save it as \.xlsx again"):
        header("excel", text)


def test_rows_of_a_long_sheet_keep_their_numbers(read):
    text = as_excel(["order_id"], *[[number] for number in range(2, 5_003)])

    found = read("excel", text, rows_per_batch=2_000)

    assert found == [{"order_id": str(number), "_line_number": number} for number in range(2, 5_003)]


texts = st.text(st.characters(codec="utf-8"), max_size=6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(texts, st.integers(-(2**63), 2**63 - 1), st.none() | texts), max_size=8))
def test_values_come_back_as_they_were_written(read, rows):
    columns = dict(
        zip(("order_id", "quantity", "country"), zip(*rows, strict=True) if rows else ((),) * 3, strict=True)
    )
    table = pa.table(
        columns, schema=pa.schema({"order_id": pa.string(), "quantity": pa.int64(), "country": pa.string()})
    )
    avro = as_avro([("order_id", "string"), ("quantity", "long"), ("country", ["null", "string"])], table.to_pylist())

    expected = [(order_id, str(quantity), country) for order_id, quantity, country in rows]
    for found in (read("parquet", as_parquet(table)), read("avro", avro)):
        assert [(record["order_id"], record["quantity"], record.get("country")) for record in found] == expected
