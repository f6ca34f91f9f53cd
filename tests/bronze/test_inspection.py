"""What is drafted must load as a lake file, and its feed must read the file's records."""

import gzip
import io
import os
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import fastavro
import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from customerlake.bronze.formats import READERS
from customerlake.bronze.inspection import as_yaml, draft, inspect_command
from customerlake.bronze.landing import check_files, content, landed_files
from customerlake.bronze.sources import SOURCES
from customerlake.errors import ConfigError, LandingError
from customerlake.runtime.config import load_lake_file, shipped

pytestmark = pytest.mark.before_an_engine

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_shared = [
    pytest.mark.full_data,
    pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there: the public data beside the checkout"),
]
CHANGED = datetime(2024, 3, 9, 12, tzinfo=UTC)


@pytest.fixture
def landed(tmp_path):
    """Writes a file that last changed on 2024-03-09."""
    folder = tmp_path / "landing"
    folder.mkdir()

    def write(name, written, encoding="utf-8"):
        file = folder / name
        file.write_bytes(written if isinstance(written, bytes) else written.encode(encoding))
        os.utime(file, (CHANGED.timestamp(), CHANGED.timestamp()))
        return str(file)

    return write


@pytest.fixture
def lake_of(tmp_path):
    """The lake that the draft for a path loads as."""

    def load(path, feed=None):
        file = tmp_path / "lake.yaml"
        file.write_text(as_yaml(draft(path, feed=feed)), encoding="utf-8")
        return load_lake_file(str(file))

    return load


@pytest.fixture
def read(lake_of):
    """(name of the drafted feed, the feed, the records that landing takes by it)."""

    def records(path, feed=None):
        ((name, drafted),) = lake_of(path, feed).feeds.named().items()
        source = SOURCES[name]
        files, refusals = check_files(landed_files(drafted.path, drafted.pattern, name), source, drafted, drafted.path)
        assert refusals == []
        text, _ = content(drafted.path, files[0].file.path)
        batches = READERS[drafted.format].split(text, source, drafted)
        return name, drafted, [record for batch in batches for record in batch.to_pylist()]

    return records


def zipped(name):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(name, "order_id\n1\n")
    return archive.getvalue()


def values(record, *names):
    return tuple(record[name] for name in names)


def without_problems(records):
    return [record["_problem"] for record in records if record["_problem"]] == []


@needs_shared[0]
@needs_shared[1]
def test_a_table_of_customers_with_an_outcome_is_drafted_with_its_attributes(read):
    name, feed, records = read(str(SHARED / "telco_churn.csv"))

    assert (name, feed.columns, feed.outcome_is) == (
        "customer_attributes", {"customer_id": "customerID", "outcome": "Churn"}, "Yes",
    )  # fmt: skip
    numbers = [column for column, kind in feed.attributes.items() if kind == "number"]
    assert numbers == ["SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges"]
    assert len(feed.attributes) == 19
    assert (len(records), without_problems(records)) == (7043, True)
    assert values(records[0], "customer_id", "outcome") == ("7590-VHVEG", "No")


@needs_shared[0]
@needs_shared[1]
def test_a_table_without_a_customers_number_is_drafted_with_the_records_number_in_its_place(read):
    name, feed, records = read(str(SHARED / "online_shoppers_intention.csv"))

    assert (name, feed.delimiter, feed.columns, feed.outcome_is) == (
        "customer_attributes", ";", {"customer_id": None, "outcome": "Revenue"}, "TRUE",
    )  # fmt: skip
    categories = [column for column, kind in feed.attributes.items() if kind == "category"]
    assert categories == [
        "Month", "OperatingSystems", "Browser", "Region", "TrafficType", "VisitorType", "Weekend",
    ]  # fmt: skip
    assert (len(feed.attributes), len(records)) == (17, 12330)
    assert values(records[0], "customer_id", "outcome") == (None, "FALSE")


REAL_COLUMNS = {
    "order_id": "InvoiceNo",
    "product_id": "StockCode",
    "description": "Description",
    "quantity": "Quantity",
    "ordered_at": "InvoiceDate",
    "unit_price": "UnitPrice",
    "customer_id": "CustomerID",
    "country": "Country",
}
FIRST_REAL_LINE = (
    "536365", "85123A", "WHITE HANGING HEART T-LIGHT HOLDER", "6", "2010-12-01 08:26:00", "2.55", "17850.0",
    "United Kingdom",
)  # fmt: skip


@needs_shared[0]
@needs_shared[1]
def test_a_day_of_the_real_sales_is_drafted_with_its_columns(read):
    name, feed, records = read(str(SHARED / "online_retail" / "2010-12-01.csv"))

    assert (name, feed.columns, feed.timestamp_format) == ("sales", REAL_COLUMNS, "yyyy-MM-dd HH:mm:ss")
    assert len(records) == 3108
    assert values(records[0], *REAL_COLUMNS) == FIRST_REAL_LINE


def test_the_shipped_folder_of_packed_sales_is_drafted_by_some_of_its_files(lake_of, read):
    folder = str(shipped("demo") / "online_retail")

    name, feed, records = read(folder)

    assert lake_of(folder).name == "online_retail"
    assert (name, feed.pattern, feed.columns) == ("sales", "*.csv.gz", REAL_COLUMNS)
    assert (len(records), without_problems(records)) == (3108, True)
    assert values(records[0], *REAL_COLUMNS) == FIRST_REAL_LINE


def test_cancellations_are_told_by_the_beginning_of_some_orders():
    path = str(shipped("demo") / "online_retail" / "2010-12-01.csv.gz")

    assert "cancellation_prefix: C # 6 of 143 orders begin with it" in inspect_command(path)


CUSTOMER_DAY_QUANTITY_AMOUNT = """\
 00001 19970101  1   11.77
 00002 19970112  1   12.00
 00002 19970112  5   77.00
 00003 19970102  2   20.76
 00003 19970330  2   20.76
 00003 19970402  2   19.54
"""


def test_sales_between_white_space_without_a_header_get_names_by_their_values(landed, read):
    name, feed, records = read(landed("cdnow.txt", CUSTOMER_DAY_QUANTITY_AMOUNT))

    assert (name, feed.format, feed.header) == (
        "sales", "whitespace", ("customer_id", "ordered_at", "quantity", "amount"),
    )  # fmt: skip
    assert feed.timestamp_format == "yyyyMMdd"
    lacking = [column for column, there in feed.columns.items() if there is None]
    assert lacking == ["order_id", "product_id", "description", "unit_price", "country"]
    assert len(records) == 6
    assert values(records[2], "customer_id", "ordered_at", "quantity", "amount") == ("00002", "19970112", "5", "77.00")


def test_lines_of_orders_without_a_header_get_names_by_what_depends_on_what(landed, read):
    path = landed(
        "lines.csv",
        "536365,85123A,WHITE HOLDER,6,2010-12-01 08:26:00,2.55,17850\n"
        "536365,71053,WHITE LANTERN,6,2010-12-01 08:26:00,3.39,17850\n"
        "536366,71053,WHITE LANTERN,2,2010-12-01 09:26:00,3.39,17851\n"
        "536367,84406B,CREAM HANGER,2,2010-12-01 09:30:00,2.75,17850\n",
    )

    _, feed, records = read(path)

    assert feed.header == (
        "order_id", "product_id", "description", "quantity", "ordered_at", "unit_price", "customer_id",
    )  # fmt: skip
    assert values(records[2], "order_id", "product_id", "unit_price", "customer_id") == (
        "536366", "71053", "3.39", "17851",
    )  # fmt: skip


def test_ragged_lines_of_short_texts_are_baskets(landed, read):
    path = landed(
        "groceries.csv", "citrus fruit,margarine,ready soups\ntropical fruit,yogurt\nwhole milk\nyogurt,coffee\n"
    )

    name, feed, records = read(path)

    assert (name, feed.format, feed.columns["order_id"], feed.columns["product_id"]) == (
        "sales", "baskets", "basket", "item",
    )  # fmt: skip
    assert feed.constants == {"ordered_at": "2024-03-09 00:00:00"}
    assert [values(record, "order_id", "product_id") for record in records[2:5]] == [
        ("1", "ready soups"), ("2", "tropical fruit"), ("2", "yogurt"),
    ]  # fmt: skip
    assert len(records) == 8


def test_baskets_of_numbers_between_spaces_are_baskets(landed, read):
    _, feed, records = read(landed("retail.dat", "0 1 2 3\n30 31 32\n33 34 35 36 37\n38\n"))

    assert (feed.format, feed.delimiter) == ("baskets", " ")
    assert values(records[4], "order_id", "product_id") == ("2", "30")


def test_chinese_text_in_gbk_is_read_as_such(landed, read):
    text = "客户编号,姓名,性别,出生日期,城市\n1001,王小明,男,1980-05-17,北京\n1002,李娜,女,1992-11-02,上海\n"

    name, feed, records = read(landed("会员.csv", text, "gbk"))

    assert (name, feed.encoding) == ("crm_profiles", "gb18030")
    assert values(records[1], "profile_id", "customer_id", "full_name", "sex", "birth_on", "city") == (
        "1002", "1002", "李娜", "女", "1992-11-02", "上海",
    )  # fmt: skip


def test_a_byte_order_mark_is_no_part_of_the_first_name(landed, read):
    path = landed("orders.csv", "\ufeffOrderID,SKU,Qty,OrderDate,Price,Client\n9,A-1,2,2024-01-31 10:00:00,3.50,7\n")

    name, feed, records = read(path)

    assert (name, feed.encoding) == ("sales", "utf-8")
    assert values(records[0], "order_id", "product_id", "quantity", "ordered_at", "unit_price", "customer_id") == (
        "9", "A-1", "2", "2024-01-31 10:00:00", "3.50", "7",
    )  # fmt: skip


def test_the_letters_of_western_europe_are_read_as_cp1252(landed, read):
    path = landed(
        "kunden.csv", "Kundennummer;Vorname;Nachname;Ort\n1;Jörg;Müller;Köln\n2;Zoë;Weiß;Nürnberg\n", "cp1252"
    )

    name, feed, records = read(path)

    assert (name, feed.encoding, feed.delimiter) == ("crm_profiles", "cp1252", ";")
    assert values(records[1], "customer_id", "first_name", "last_name", "city") == ("2", "Zoë", "Weiß", "Nürnberg")


def test_utf_16_as_spreadsheets_save_it_is_read(landed, read):
    path = landed("orders.csv", "order_id\tsku\tqty\tdate\tprice\tcustomer\n9\tA-1\t2\t2024-01-31\t3.50\t7\n", "utf-16")

    _, feed, records = read(path)

    assert (feed.encoding, feed.delimiter, feed.timestamp_format) == ("utf-16", "\t", "yyyy-MM-dd")
    assert values(records[0], "order_id", "unit_price", "customer_id") == ("9", "3.50", "7")


def test_decimal_commas_and_days_with_points_are_seen(landed, read):
    path = landed(
        "umsatz.csv",
        "Bonnummer;Artikelnummer;Menge;Datum;Preis;Kundennummer\n"
        "1;A1;2;31.01.2024 09:15;1.234,50;7\n1;A2;1;31.01.2024 09:15;3,99;7\n2;A1;1;01.02.2024 10:00;12,00;8\n",
    )

    name, feed, records = read(path)

    assert (name, feed.delimiter, feed.decimal_comma) == ("sales", ";", True)
    assert feed.timestamp_format == "dd.MM.yyyy HH:mm"
    assert values(records[0], "ordered_at", "unit_price") == ("31.01.2024 09:15", "1.234,50")


ONE_SALE = "order_id,product_id,quantity,ordered_at,unit_price,customer_id\n"


@pytest.mark.parametrize(
    ("times", "pattern"),
    [
        (("25/01/2024 08:05", "03/02/2024 18:30"), "dd/MM/yyyy HH:mm"),
        (("12/1/2010 8:26", "12/13/2010 11:00"), "M/d/yyyy H:mm"),
        (("01/25/2024 08:05:09 PM", "02/03/2024 01:00:00 AM"), "MM/dd/yyyy hh:mm:ss a"),
        (("2024-01-25T08:05:09Z", "2024-02-03T01:00:00Z"), "yyyy-MM-dd'T'HH:mm:ssXXX"),
        (("2024-01-25T08:05:09.125+0100", "2024-02-03T01:00:00.500+0100"), "yyyy-MM-dd'T'HH:mm:ss.SSSXX"),
        (("20240125", "20240203"), "yyyyMMdd"),
        (("1706169909", "1706922000"), "epoch_seconds"),
        (("1706169909000", "1706922000000"), "epoch_millis"),
        (("25-Jan-2024", "03-Feb-2024"), "dd-MMM-yyyy"),
        (("25.1.24", "3.2.24"), "d.M.yy"),
        (("25/01/2024", "03/02/2024 18:30"), "dd/MM/yyyy[ HH:mm]"),
    ],
)
def test_times_are_read_by_the_pattern_in_which_they_are_written(landed, read, times, pattern):
    rows = "".join(f"{number},A,1,{at},2.50,7\n" for number, at in enumerate(times, start=1))

    _, feed, _ = read(landed("sales.csv", ONE_SALE + rows))

    assert feed.timestamp_format == pattern


def test_day_and_month_that_may_be_the_other_way_round_are_said_to_be_ambiguous(landed):
    open_ = inspect_command(landed("open.csv", f"{ONE_SALE}1,A,1,01/02/2024,2.50,7\n2,A,1,05/02/2024,2.50,7\n"))
    proven = inspect_command(landed("proven.csv", f"{ONE_SALE}1,A,1,01/02/2024,2.50,7\n2,A,1,13/02/2024,2.50,7\n"))

    assert "timestamp_format: dd/MM/yyyy # AMBIGUOUS: no value has a day after the 12th" in open_
    assert "timestamp_format: dd/MM/yyyy\n" in proven


CLICKS = """\
{"id": "e1", "cookie": "v9", "event": "page_view", "url": "https://shop.example/", "ts": "2024-01-31T10:00:00Z"}
{"id": "e2", "cookie": "v9", "event": "add_to_cart", "sku": "A1", "ts": "2024-01-31T10:01:00Z", "user": {"id": 7}}
{"id": "e3", "cookie": "v8", "event": "page_view", "url": "https://shop.example/a", "ts": "2024-01-31T10:02:00Z"}
"""


def test_clicks_in_lines_of_json_are_web_events(landed, read):
    name, feed, records = read(landed("clicks.jsonl", CLICKS))

    assert (name, feed.format, feed.timestamp_format) == ("web_events", "json_lines", "yyyy-MM-dd'T'HH:mm:ssXXX")
    assert feed.columns["customer_id"] == "user.id"
    assert values(records[1], "event_id", "visitor_id", "event_type", "product_id", "happened_at", "customer_id") == (
        "e2", "v9", "add_to_cart", "A1", "2024-01-31T10:01:00Z", "7",
    )  # fmt: skip


def test_words_that_the_contract_does_not_know_are_named(landed):
    text = inspect_command(landed("clicks.jsonl", CLICKS.replace("add_to_cart", "basketed")), feed="web_events")

    assert "event_type: event # it says basketed, but page_view, product_view," in text


def test_records_inside_of_a_json_document_are_found(landed, read):
    path = landed(
        "tickets.json",
        '{"meta": {"pages": 1}, "data": {"items": ['
        '{"ticket_id": "T1", "status": "open", "created_at": "2024-01-31 10:00:00", "text": "late"},'
        '{"ticket_id": "T2", "status": "solved", "created_at": "2024-02-01 11:30:00", "text": "torn"}'
        "]}}",
    )

    name, feed, records = read(path)

    assert (name, feed.format, feed.records_at) == ("tickets", "json", "data.items")
    assert values(records[1], "ticket_id", "status", "opened_at") == ("T2", "solved", "2024-02-01 11:30:00")


SALE = {
    "receipt": "R1",
    "sku": "A1",
    "qty": 2,
    "sold_at": datetime(2024, 1, 31, 10, 0, tzinfo=UTC),
    "price": Decimal("3.50"),
    "client_id": 7,
    "payment_method": "card",
}


def test_parquet_is_read_with_its_types(landed, read, tmp_path):
    parquet.write_table(pa.Table.from_pylist([SALE, SALE | {"receipt": "R2"}]), tmp_path / "made")

    name, feed, records = read(landed("sales.bin", (tmp_path / "made").read_bytes()))

    assert (name, feed.format) == ("pos_sales", "parquet")
    assert values(records[1], "order_id", "quantity", "ordered_at", "unit_price", "customer_id", "payment_method") == (
        "R2", "2", "2024-01-31 10:00:00", "3.50", "7", "card",
    )  # fmt: skip


def test_avro_is_read_with_its_types(landed, read, tmp_path):
    at = {"type": "long", "logicalType": "timestamp-millis"}
    types = {"receipt": "string", "sku": "string", "qty": "int", "price": "double", "client_id": "long", "sold_at": at}
    fields = [{"name": name, "type": kind} for name, kind in (types | {"payment_method": "string"}).items()]
    schema = {"type": "record", "name": "sale", "fields": fields}
    with (tmp_path / "made").open("wb") as made:
        fastavro.writer(made, schema, [SALE | {"price": 3.5}])

    name, feed, records = read(landed("sales.avro", (tmp_path / "made").read_bytes()))

    assert (name, feed.format) == ("pos_sales", "avro")
    assert values(records[0], "order_id", "ordered_at", "unit_price") == ("R1", "2024-01-31 10:00:00", "3.5")


def test_the_sheet_with_the_records_of_a_workbook_is_found(landed, read, tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Read me"
    book.active.append(["made for the audit"])
    sheet = book.create_sheet("Products")
    sheet.append(["SKU", "Product name", "Category", "Price", "Last modified"])
    sheet.append(["A1", "cup", "kitchen", 3.5, datetime(2024, 1, 31, 10, 0)])
    sheet.append(["A2", "bowl", "kitchen", 12, datetime(2024, 2, 1, 10, 0)])
    book.save(tmp_path / "made")

    name, feed, records = read(landed("products.xlsx", (tmp_path / "made").read_bytes()))

    assert (name, feed.format, feed.sheet) == ("products", "excel", "Products")
    assert values(records[1], "product_id", "name", "list_price", "updated_at") == (
        "A2", "bowl", "12", "2024-02-01 10:00:00",
    )  # fmt: skip


def test_lines_of_one_width_with_spaces_inside_of_values_are_cut_by_width(landed, read):
    lines = (
        "17  Mary Ann Smith   19970101   3   11.77",
        "18  Bob              19970112   1   12.00",
        "19  Jean de la Vos   19970203  12  120.50",
        "20  Al de Witt       19970203   1    4.00",
    )

    name, feed, records = read(landed("host.txt", "\n".join(lines)))

    assert (name, feed.format) == ("sales", "fixed_width")
    assert list(feed.widths.values()) == [4, 17, 10, 4, 6]
    assert values(records[2], "ordered_at", "amount") == ("19970203", "120.50")


def test_a_line_of_names_above_columns_of_fixed_width_is_said_to_be_received_as_a_record(landed):
    lines = (
        "CUST NAME           DATE     AMT",
        "1    Mary Ann Sm    20240101   3.50",
        "22   Bob            20240102   4.50",
        "23   Al de Witt     20240102  14.50",
    )

    text = inspect_command(landed("host.txt", "\n".join(lines)))

    assert "widths:\n      CUST: 5\n      NAME: 15\n" in text
    assert "it will be received as a record, and rejected" in text


def test_the_currency_is_what_a_column_says_else_a_guess(landed, lake_of):
    said = landed("said.csv", "order_id,sku,qty,date,price,customer,currency\n1,A,1,2024-01-31,2,7,SEK\n")
    named = landed("named.csv", "order_id,sku,qty,date,price_gbp,customer\n1,A,1,2024-01-31,2,7\n")

    assert lake_of(said).currency == "SEK"
    assert lake_of(named).currency == "GBP"
    assert "currency: EUR # a guess" in inspect_command(landed("none.csv", f"{ONE_SALE}1,A,1,2024-01-31,2,7\n"))


def test_orders_that_all_begin_with_c_are_no_cancellations(landed, read):
    rows = "".join(f"C{number},A,1,2024-01-31,2.50,7\n" for number in range(5))

    _, feed, _ = read(landed("sales.csv", ONE_SALE + rows))

    assert feed.cancellation_prefix == ""


def test_what_a_feed_cannot_do_without_is_said_to_be_needed(landed):
    text = inspect_command(
        landed("mail.csv", "email,event_type,happened_at\na@b.org,sent,2024-01-31 10:00:00\n"), "email_events"
    )

    assert "message_id: null # NEEDED, and not found" in text


def test_what_no_contract_names_is_kept_as_extra(landed):
    text = inspect_command(
        landed("sales.csv", "order_id,sku,qty,date,price,customer,clerk\n1,A,1,2024-01-31,2.5,7,Jo\n")
    )

    assert "# - not of the feed sales, kept in bronze.sales._extra: clerk\n" in text


def test_no_value_of_a_person_is_written_into_the_draft(landed):
    text = inspect_command(
        landed(
            "crm.csv", "contact_id,name,email,dob,mobile\n1,Ada Quill,ada@quill.example,1980-05-17,+44 20 7946 0001\n"
        )
    )

    assert [part for part in ("Ada", "quill", "1980", "7946") if part in text] == []


def test_the_draft_is_of_the_feed_that_was_asked_for(landed, read):
    path = landed("sales.csv", f"{ONE_SALE}1,A,1,2024-01-31 10:00:00,2.50,7\n")

    name, feed, _ = read(path, feed="pos_sales")

    assert (name, feed.channel) == ("pos_sales", "store")


def test_a_table_of_customers_without_days_is_dated_by_its_file(landed, read):
    path = landed(
        "bank.csv",
        "RowNumber,CustomerId,Surname,Geography,Age,Exited\n1,15634602,Hill,France,42,1\n2,15647311,Boni,Spain,41,0\n3,15619304,Onio,France,42,1\n",
    )

    name, feed, _ = read(path)

    assert (name, feed.observed_on, feed.outcome_is) == ("customer_attributes", date(2024, 3, 9), "1")
    assert feed.columns == {"customer_id": "CustomerId", "outcome": "Exited"}
    assert feed.attributes == {"Geography": "category", "Age": "number"}


def test_names_of_files_that_are_patterns_or_no_names_of_lakes_can_be_drafted(landed, read, lake_of):
    path = landed("2024 [final].csv", f"{ONE_SALE}1,A,1,2024-01-31 10:00:00,2.50,7\n")

    _, _, records = read(path)

    assert (len(records), lake_of(path).name) == (1, "landing")


def test_a_path_at_which_nothing_is_says_so(tmp_path):
    with pytest.raises(LandingError, match=r"There is nothing at .*gone\.csv\. Correct the path"):
        draft(str(tmp_path / "gone.csv"))


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [
        ("empty.csv", b"", "it is empty"),
        ("empty.csv.gz", gzip.compress(b"\n"), "it is empty"),
        ("cut.csv.gz", gzip.compress(b"order_id\n" * 999)[:-9], "cannot be read to its end"),
        ("header.csv", ONE_SALE.encode(), "no records below its header"),
        ("photo.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), r"it is a picture \(PNG\)"),
        ("noise.csv", bytes(range(256)) * 40, "no text: it begins with the bytes 00 01 02 03"),
        ("files.zip", zipped("a.csv"), "it is an archive"),
        ("letter.txt", b"Dear all\n\nit was a long day. We met, we spoke; then we left.\nYours, Jo\n", "no records"),
        ("cut.json", b'[{"a": 1}, {"a": ', "it begins as JSON and is none"),
        ("twice.csv", b"order_id,sku,sku\n1,2,3\n", r"names \['sku'\] twice"),
    ],
)
def test_a_file_without_records_is_refused_in_words(landed, name, written, said):
    with pytest.raises(LandingError, match=said):
        draft(landed(name, written))


def test_a_folder_without_files_is_refused_in_words(tmp_path):
    with pytest.raises(LandingError, match="holds no files"):
        draft(str(tmp_path))


def test_a_feed_that_there_is_not_is_refused_with_the_nearest_name(landed):
    with pytest.raises(ConfigError, match=r"There is no feed sale; did you mean sales\?"):
        draft(landed("sales.csv", ONE_SALE), feed="sale")
