import csv
from datetime import date, datetime
from decimal import Decimal

import pytest
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY, Field, Table
from customerlake.errors import StorageError
from customerlake.publish.exports import export_csv
from customerlake.runtime.tables import Lake

AS_OF, BEFORE = date(2011, 12, 9), date(2011, 11, 9)
OFFERS = Table(
    name="publish.offers",
    grain="one row per rank and as_of",
    key=("rank", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("rank", T.IntegerType(), "place"),
        Field("as_of", T.DateType(), "day"),
        Field("text", T.StringType(), "any text"),
        Field("amount", MONEY, "money"),
        Field("share", T.DoubleType(), "number"),
        Field("is_open", T.BooleanType(), "truth"),
        Field("reasons", T.ArrayType(T.StringType()), "list"),
        Field("made_at", T.TimestampType(), "instant"),
    ),
)
AWKWARD = 'Müller, "the" café;\nsecond line \\ é 日本'


@pytest.fixture
def lake(tmp_path, spark):
    return Lake(str(tmp_path / "lake"), lambda: spark)


def offer(
    rank, as_of=AS_OF, *, text="plain", amount="1.5000", share=0.25, is_open=True, reasons=("one",), made_at=None
):
    amount = None if amount is None else Decimal(amount)
    return (rank, as_of, text, amount, share, is_open, None if reasons is None else list(reasons), made_at)


@pytest.fixture
def put(lake, spark):
    """Replace the rows of publish.offers, in one commit."""
    return lambda *rows: lake.overwrite(OFFERS, spark.createDataFrame(list(rows), OFFERS.schema))


def read_back(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def export(lake):
    return export_csv(lake, OFFERS, as_of=AS_OF, sort_by="rank")


def test_the_file_holds_the_tables_rows_under_its_column_names(lake, put):
    at = datetime(2011, 12, 9, 10, 30)
    put(offer(1, text="plain", made_at=at), offer(2, amount="-0.0001", share=1e-7, is_open=False))

    path = export(lake)

    header, first, second = read_back(path)
    assert str(path) == f"{lake.root}/exports/offers-2011-12-09.csv"
    assert header == OFFERS.column_names
    assert first[:7] == ["1", "2011-12-09", "plain", "1.5000", "0.25", "true", "one"]
    assert datetime.fromisoformat(first[7]).replace(tzinfo=None) == at
    assert (second[3], float(second[4]), second[5], second[7]) == ("-0.0001", 1e-7, "false", "")


def test_texts_with_commas_quotes_and_line_ends_come_back_as_they_are(lake, put):
    put(offer(1, text=AWKWARD, reasons=[AWKWARD]))

    _, row = read_back(export(lake))

    assert row[2] == AWKWARD
    assert row[6] == AWKWARD


def test_lists_are_joined_and_an_empty_or_absent_list_is_empty(lake, put):
    put(offer(1, reasons=["late", "few orders", "returns"]), offer(2, reasons=[]), offer(3, reasons=None))

    rows = read_back(export(lake))

    assert [row[6] for row in rows[1:]] == ["late; few orders; returns", "", ""]


def test_nulls_are_empty(lake, put):
    put(offer(1, text=None, amount=None, share=None, is_open=None, reasons=None))

    _, row = read_back(export(lake))

    assert row == ["1", "2011-12-09", "", "", "", "", "", ""]


def test_rows_are_in_the_asked_order_by_number_not_by_text(lake, put):
    put(offer(10), offer(9), offer(100))

    rows = read_back(export(lake))

    assert [row[0] for row in rows[1:]] == ["9", "10", "100"]


def test_rows_of_other_days_are_left_out(lake, put):
    put(offer(1), offer(2, BEFORE))

    rows = read_back(export(lake))

    assert [row[0] for row in rows[1:]] == ["1"]


def test_a_day_without_rows_is_a_header_alone(lake, put):
    put(offer(2, BEFORE))

    assert read_back(export(lake)) == [OFFERS.column_names]


def test_a_second_export_replaces_the_first_and_leaves_no_part_behind(lake, put, tmp_path):
    put(offer(1, text="old"), offer(2, text="old"))
    export(lake)
    put(offer(1, text="new"))

    path = export(lake)

    assert [row[2] for row in read_back(path)[1:]] == ["new"]
    assert [file.name for file in path.parent.iterdir()] == ["offers-2011-12-09.csv"]


def test_an_export_that_cannot_be_written_leaves_the_old_file_and_says_where(lake, put):
    put(offer(1, text="old"))
    path = export(lake)
    put(offer(1, text="new"))
    (path.parent / f".{path.name}.part").mkdir()  # the place of the part is taken

    with pytest.raises(StorageError, match=r"offers-2011-12-09\.csv cannot be written"):
        export(lake)

    assert [row[2] for row in read_back(path)[1:]] == ["old"]


def test_a_reader_that_has_the_old_file_open_reads_it_to_its_end(lake, put):
    put(*[offer(rank, text="old") for rank in range(1, 2000)])
    path = export(lake)

    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        put(offer(1, text="new"))
        export(lake)
        rest = [row[2] for row in rows]

    assert rest == ["old"] * 1999
