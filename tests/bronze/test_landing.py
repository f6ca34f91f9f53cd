import bz2
import gzip
import hashlib
import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from pyarrow import parquet

from customerlake.bronze.formats import READERS
from customerlake.bronze.landing import (
    CheckedFile,
    check_files,
    content,
    in_batches,
    landed_files,
    unpack_embedded_sales,
)
from customerlake.bronze.sources.sales import SALES
from customerlake.bronze.sources.tickets import TICKETS
from customerlake.errors import LandingError
from customerlake.runtime.feeds import Feed, SalesFeed

FEED = SalesFeed(path="landing")
COLUMNS = ("order_id", "product_id", "description", "quantity", "ordered_at", "unit_price", "customer_id", "country")
HEADER = ",".join(COLUMNS).encode()
LINE = b"1,A,cup,6,2011-01-01 10:00:00,1.5,7,France"
SOUND = HEADER + b"\n" + LINE + b"\n"
NOT_TAKEN = "None of its rows was taken."


@pytest.fixture
def landed(tmp_path):
    """Lands one file and returns (files that can be taken, refusals)."""

    def checked(written, *, name="sales.csv", feed=FEED):
        (tmp_path / name).write_bytes(written)
        return check_files(landed_files(str(tmp_path), "*", "sales"), SALES, feed, str(tmp_path))

    return checked


def names(folder, pattern="*.csv*"):
    return [file.name for file in landed_files(str(folder), pattern, "sales")]


def test_landed_files_are_listed_by_name(tmp_path):
    for name in ("b.csv", "a.csv.gz", "c.csv"):
        (tmp_path / name).touch()

    assert names(tmp_path) == ["a.csv.gz", "b.csv", "c.csv"]


def test_only_files_that_match_the_pattern_are_landed(tmp_path):
    for name in ("a.csv", "readme.txt", "a.parquet"):
        (tmp_path / name).touch()

    assert names(tmp_path) == ["a.csv"]


def test_a_file_that_is_still_being_copied_under_a_hidden_name_is_not_landed(tmp_path):
    (tmp_path / ".a.csv.part").touch()

    assert names(tmp_path) == []


def test_files_in_a_hidden_folder_are_not_landed(tmp_path):
    (tmp_path / ".trash" / "2011").mkdir(parents=True)
    (tmp_path / ".trash" / "2011" / "a.csv").touch()

    assert names(tmp_path) == []


def test_files_in_folders_below_are_landed_under_their_relative_name(tmp_path):
    (tmp_path / "2011" / "01").mkdir(parents=True)
    (tmp_path / "2011" / "01" / "a.csv").touch()

    assert names(tmp_path) == ["2011/01/a.csv"]


def test_a_landed_file_carries_its_size_and_time_of_change(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(SOUND)

    (landed,) = landed_files(str(tmp_path), "*", "sales")

    assert landed.size_bytes == len(SOUND)
    assert abs((landed.modified_at - datetime.fromtimestamp(file.stat().st_mtime, UTC)).total_seconds()) < 0.001


def test_a_missing_folder_is_refused_with_the_key_to_correct(tmp_path):
    with pytest.raises(LandingError) as refusal:
        landed_files(str(tmp_path / "nowhere"), "*", "sales")

    assert str(refusal.value) == (
        f"The landing folder {tmp_path}/nowhere holds the files of sales; nothing is there. Correct feeds.sales.path."
    )


def test_a_file_instead_of_the_folder_is_refused(tmp_path):
    (tmp_path / "a.csv").touch()

    with pytest.raises(LandingError, match="a file is there"):
        landed_files(str(tmp_path / "a.csv"), "*", "sales")


@pytest.mark.parametrize("name", ["sales.csv.gz", "sales.csv", "SALES.CSV.GZ"])
def test_a_compressed_file_is_known_by_its_bytes_whatever_its_name(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(SOUND))

    text, _ = content(str(tmp_path), str(tmp_path / name))

    assert text == SOUND


def test_plain_text_under_the_name_of_a_compressed_file_is_read_as_text(tmp_path):
    (tmp_path / "sales.csv.gz").write_bytes(SOUND)

    text, _ = content(str(tmp_path), str(tmp_path / "sales.csv.gz"))

    assert text == SOUND


@pytest.mark.parametrize("codec", ["bz2", "zstd"])
def test_other_compressions_are_read_too(tmp_path, codec):
    packed = bz2.compress(SOUND) if codec == "bz2" else pa.compress(SOUND, codec="zstd", asbytes=True)
    (tmp_path / "sales.csv").write_bytes(packed)

    text, _ = content(str(tmp_path), str(tmp_path / "sales.csv"))

    assert text == SOUND


def test_compressed_parts_that_were_joined_are_read_to_the_end(tmp_path):
    (tmp_path / "sales.csv.gz").write_bytes(gzip.compress(SOUND) + gzip.compress(LINE))

    text, _ = content(str(tmp_path), str(tmp_path / "sales.csv.gz"))

    assert text == SOUND + LINE


def test_the_digest_is_of_the_bytes_as_landed(tmp_path):
    packed = gzip.compress(SOUND)
    (tmp_path / "sales.csv.gz").write_bytes(packed)

    _, digest = content(str(tmp_path), str(tmp_path / "sales.csv.gz"))

    assert digest == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize("kept", [5, 20, -4])
def test_a_compressed_file_that_is_cut_short_is_refused_as_a_whole(landed, kept):
    files, refusals = landed(gzip.compress(SOUND * 50)[:kept], name="sales.csv.gz")

    assert files == []
    assert refusals[0].startswith("sales: sales.csv.gz: it cannot be read to its end (")
    assert refusals[0].endswith("; copy it again from where it came. None of its rows was taken.")


def test_a_link_to_a_file_that_is_gone_is_not_landed(tmp_path):
    (tmp_path / "b.csv").symlink_to(tmp_path / "gone.csv")

    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        HEADER,
        HEADER + b"\n" + LINE,
        HEADER + b"\r\n" + LINE,
        HEADER + b"\r" + LINE + b"\r",
        b"\xef\xbb\xbf" + HEADER + b"\n" + LINE,
        HEADER.replace(b",", b" , ") + b"\n",
        b'"' + HEADER.replace(b",", b'","') + b'"\n',
    ],
    ids=["alone", "newline", "Windows", "old Macintosh", "byte order mark", "spaces", "quotes"],
)
def test_the_header_is_the_first_line_however_it_is_written(text):
    assert READERS["csv"].header(text, FEED) == COLUMNS


def test_a_header_is_cut_at_the_feeds_delimiter():
    assert READERS["csv"].header(b"a;b,c;d\n", SalesFeed(path="landing", delimiter=";")) == ("a", "b,c", "d")


def test_a_header_is_read_in_the_feeds_encoding():
    assert READERS["csv"].header("Kundé,Größe\n".encode("latin-1"), SalesFeed(path="landing", encoding="latin-1")) == (
        "Kundé",
        "Größe",
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_a_header_in_two_bytes_per_letter_is_read(encoding):
    assert READERS["csv"].header("a,b\r\n1,2\r\n".encode(encoding), SalesFeed(path="landing", encoding=encoding)) == (
        "a",
        "b",
    )


def test_a_sound_file_can_be_taken_with_its_header(landed):
    files, refusals = landed(SOUND)

    assert refusals == []
    assert files[0].header == COLUMNS


def test_columns_are_looked_for_under_the_names_of_the_feed(landed):
    feed = SalesFeed(path="landing", columns={"order_id": "InvoiceNo"})

    files, refusals = landed(SOUND.replace(b"order_id", b"InvoiceNo"), feed=feed)

    assert (len(files), refusals) == (1, [])


def test_a_further_column_is_no_reason_to_refuse(landed):
    files, _ = landed(HEADER + b",till\n" + LINE + b",3\n")

    assert files[0].header == (*COLUMNS, "till")


def test_a_missing_column_is_refused_with_what_the_header_has_and_what_to_do(landed):
    files, refusals = landed(SOUND.replace(b"quantity,", b"").replace(b",country", b",Country"))

    assert files == []
    assert refusals == [
        "sales: sales.csv: column quantity, country (did you mean Country?) is missing; its header has order_id, "
        "product_id, description, ordered_at, unit_price, customer_id, Country. Correct the export, or "
        f"feeds.sales.columns in the lake file: null stands for a column that there is not. {NOT_TAKEN}"
    ]


def test_a_column_that_a_source_may_lack_is_missed_once_the_lake_file_names_it(landed):
    _, refusals = landed(SOUND, feed=SalesFeed(path="landing", columns={"currency": "Waehrung"}))

    assert refusals[0].startswith("sales: sales.csv: column Waehrung is missing; its header has order_id, ")


def test_a_column_that_the_lake_file_says_there_is_not_or_holds_itself_is_not_missed(landed):
    without = SOUND.replace(b",country", b"").replace(b",France", b"").replace(b"customer_id", b"card")
    feed = SalesFeed(path="landing", columns={"customer_id": None}, constants={"country": "France"})

    files, refusals = landed(without, feed=feed)

    assert (len(files), refusals) == (1, [])


RECORD = b'{"order_id": 1, "product_id": "A", "description": "cup", "quantity": 6, "ordered_at": "2011", '
RECORD += b'"unit_price": 1.5, "customer_id": 7, "country": "France"}'


@pytest.mark.parametrize(
    ("file_format", "text"),
    [
        ("json_lines", RECORD),
        ("json", b"[" + RECORD + b"]"),
        ("json", gzip.compress(b"[" + RECORD + b"]")),
        ("whitespace", SOUND.replace(b"2011-01-01 10:00:00", b"2011-01-01").replace(b",", b"  ")),
    ],
    ids=["lines of JSON", "JSON", "packed JSON", "white space"],
)
def test_a_sound_file_of_another_format_can_be_taken_with_its_header(landed, file_format, text):
    files, refusals = landed(text, feed=SalesFeed(path="landing", format=file_format))

    assert refusals == []
    assert files[0].header == COLUMNS


@pytest.mark.parametrize("file_format", ["json", "json_lines"])
def test_records_of_json_may_leave_out_what_may_be_null_and_nothing_else(landed, file_format):
    feed = SalesFeed(path="landing", format=file_format)

    def without(name):
        record = json.loads(RECORD)
        del record[name]
        return landed(json.dumps([record] if file_format == "json" else record).encode(), feed=feed)

    assert (len(without("customer_id")[0]), len(without("country")[0])) == (1, 1)
    assert without("unit_price")[1][0].startswith("sales: sales.csv: column unit_price is missing; its header has ")


def test_a_document_without_records_names_no_column_and_is_taken(landed):
    files, refusals = landed(b"[]", feed=SalesFeed(path="landing", format="json"))

    assert refusals == []
    assert (files[0].header, files[0].looks) == ((), {})


def test_a_file_that_its_format_cannot_read_at_all_is_refused(landed):
    _, refusals = landed(SOUND, feed=SalesFeed(path="landing", format="parquet"))

    assert refusals[0].startswith("sales: sales.csv: it is no whole Parquet file (")
    assert refusals[0].endswith(f"; write it again. {NOT_TAKEN}")


def test_a_file_in_another_encoding_throughout_is_refused_with_the_key_to_set(landed):
    foreign = LINE.replace(b"cup", "Größe".encode("latin-1")) + b"\n"

    files, refusals = landed(HEADER + b"\n" + foreign * 20)

    assert files == []
    assert refusals == [
        "sales: sales.csv: none of its first 20 records can be split into columns; of the first one: the line holds "
        "bytes that are not utf-8: 0xF6, 0xDF; set feeds.sales.encoding in the lake file, or export the file again. "
        f"Correct the export, or feeds.sales in the lake file. {NOT_TAKEN}"
    ]


def test_a_file_of_csv_among_lines_of_json_is_refused(landed):
    _, refusals = landed((LINE + b"\n") * 300, feed=SalesFeed(path="landing", format="json_lines"))

    assert refusals[0].startswith(
        "sales: sales.csv: none of its first 200 records can be split into columns; of the first one: "
        "the line is no JSON: "
    )


@pytest.mark.parametrize("lines", [[LINE[:9]] * 19, [LINE[:9]] * 300 + [LINE], [LINE[:9]] * 19 + [LINE]])
def test_odd_lines_among_sound_ones_or_few_by_themselves_are_no_reason_to_refuse_a_file(landed, lines):
    files, refusals = landed(b"\n".join([HEADER, *lines[-200:]]))

    assert (len(files), refusals) == (1, [])


def test_a_file_carries_how_its_first_records_look_in_the_columns_that_are_judged(landed):
    line = LINE.replace(b",6,", b",8,").replace(b"1.5", b"none")

    ((file,), _) = landed(b"\n".join([HEADER, LINE, LINE, line, b"odd"]))

    assert file.looks == {
        "quantity": {"values": 3, "readable": 1.0, "median": 6.0, "codes": []},
        "ordered_at": {"values": 3, "readable": 1.0, "median": None, "codes": []},
        "unit_price": {"values": 3, "readable": 0.6667, "median": 1.5, "codes": []},
    }


def test_a_long_file_is_looked_at_in_several_places(landed):
    """Files are sorted: a wholesaler's lines, all in front, would alone say that the unit changed."""
    of_wholesaler = LINE.replace(b",6,", b",6000,")

    ((file,), _) = landed(b"\n".join([HEADER, *[of_wholesaler] * 400, *[LINE] * 20_000]))

    assert file.looks["quantity"] == {"values": 200, "readable": 1.0, "median": 6.0, "codes": []}


def test_the_first_records_of_a_long_file_in_two_bytes_per_letter_are_looked_at(landed):
    text = b"\n".join([HEADER, *[LINE] * 9_000]).decode().encode("utf-16-le")

    ((file,), refusals) = landed(text, feed=SalesFeed(path="landing", encoding="utf-16-le"))

    assert refusals == []
    assert file.looks["quantity"]["values"] == 200


@pytest.mark.parametrize(("mark", "shown"), [(b";", "';'"), (b"\t", r"'\t'"), (b"|", "'|'")])
def test_another_delimiter_is_recognised_and_named(landed, mark, shown):
    _, refusals = landed(SOUND.replace(b",", mark))

    assert f"when cut at ','; it looks cut at {shown}. Set feeds.sales.delimiter in the lake file." in refusals[0]


def test_a_column_that_the_header_names_twice_is_refused(landed):
    _, refusals = landed(HEADER + b",country\n" + LINE + b",Spain\n")

    assert refusals == [
        "sales: sales.csv: its header names ['country'] twice; correct the export. None of its rows was taken."
    ]


@pytest.mark.parametrize(
    "text", [b"", b"\n", b" \r\n\r\n", gzip.compress(b"")], ids=["bytes", "line", "blank", "packed"]
)
def test_an_empty_file_is_refused(landed, text):
    _, refusals = landed(text)

    assert refusals == [
        "sales: sales.csv: it is empty, without even a header; land it again when it is complete. "
        "None of its rows was taken."
    ]


def test_a_workbook_under_the_name_of_a_csv_file_is_refused_without_printing_its_bytes(landed):
    _, refusals = landed(b"PK\x03\x04\x14\x00\x06\x00" + bytes(range(200)))

    assert refusals == [
        "sales: sales.csv: it is no text in utf-8, it begins with the bytes 50 4b 03 04; export it as CSV, or set "
        "feeds.sales.encoding in the lake file. None of its rows was taken."
    ]


def test_a_file_in_two_bytes_per_letter_is_refused_with_the_key_to_set(landed):
    _, refusals = landed(SOUND.decode().encode("utf-16"))

    assert "begins with the bytes ff fe 6f 00; export it as CSV, or set feeds.sales.encoding" in refusals[0]


def test_a_long_line_that_is_no_header_is_not_printed_whole(landed):
    _, refusals = landed(b'[{"order_id": "1"}' + b" " * 100_000 + b"]")

    assert len(refusals[0]) < 600


def test_a_folder_where_a_file_should_be_is_refused_and_its_files_are_taken(tmp_path):
    (tmp_path / "january.csv").mkdir()
    (tmp_path / "january.csv" / "a.csv").write_bytes(SOUND)

    files, refusals = check_files(landed_files(str(tmp_path), "*.csv", "sales"), SALES, FEED, str(tmp_path))

    assert [checked.file.name for checked in files] == ["january.csv/a.csv"]
    assert refusals == [
        "sales: january.csv: a file is expected, a folder is there; move its files up or correct feeds.sales.pattern. "
        f"{NOT_TAKEN}"
    ]


def test_the_embedded_sales_are_unpacked_once(tmp_path):
    folder = unpack_embedded_sales(str(tmp_path))
    changed = tmp_path / "landing" / "sales" / "2010-12-01.csv.gz"
    changed.write_bytes(b"changed")

    again = unpack_embedded_sales(str(tmp_path))

    assert again == folder == str(tmp_path / "landing" / "sales")
    assert len(names(folder)) == 305
    assert changed.read_bytes() == b"changed"


def test_files_are_landed_in_batches_of_so_many_bytes_of_text_in_their_order():
    files = [
        CheckedFile(name, "digest", (), size, {})
        for name, size in (("a", 40), ("b", 60), ("c", 1), ("d", 250), ("e", 7))
    ]

    batches = in_batches(files, most_bytes=100)

    assert [[file.file for file in batch] for batch in batches] == [["a", "b"], ["c"], ["d"], ["e"]]


def test_no_files_are_no_batch():
    assert in_batches([]) == []


@pytest.mark.before_an_engine
@pytest.mark.parametrize(("time_zone", "is_taken"), [("UTC", True), (None, True), ("Europe/Paris", False)])
def test_instants_of_a_typed_file_are_taken_only_where_times_are_read_in_utc(tmp_path, time_zone, is_taken):
    instant = pa.array([datetime(2024, 1, 31, 12)], pa.timestamp("us", "Europe/Paris"))
    texts = {"ticket_id": pa.array(["1"]), "status": pa.array(["open"])}
    parquet.write_table(pa.table(texts | {"opened_at": instant, "updated_at": instant}), tmp_path / "a.parquet")
    feed = Feed(path=str(tmp_path), format="parquet", time_zone=time_zone)

    taken, refusals = check_files(landed_files(str(tmp_path), "*", "tickets"), TICKETS, feed, str(tmp_path))

    assert len(taken) == is_taken
    assert is_taken or refusals == [
        "tickets: a.parquet: column opened_at, updated_at holds instants, which are taken in UTC, and the times of the "
        "feed are read in Europe/Paris. Set feeds.tickets.time_zone: UTC in the lake file. None of its rows was taken."
    ]
