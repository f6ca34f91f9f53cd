"""Landed files as bronze keeps them: records of every file, each with its file, line, digest and landing."""

import gzip
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from chispa import assert_df_equality

from customerlake.bronze.ingest import reader, records
from customerlake.bronze.landing import check_files, landed_files
from customerlake.bronze.sources.sales import BRONZE, SALES
from customerlake.errors import LandingError
from customerlake.runtime.feeds import SalesFeed

FEED = SalesFeed(path="landing")
HEADER = "order_id,product_id,description,quantity,ordered_at,unit_price,customer_id,country"
LINE = "1,A,cup,6,2011-01-01 10:00:00,1.5,7,France"
LACKING = (None, None)  # amount and currency


def test_sales_of_several_files_carry_file_digest_and_landing(spark, tmp_path):
    (tmp_path / "a.csv").write_text(f"{HEADER}\n{LINE}\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(f"{HEADER},till\nodd\n{LINE},3\n".encode()))
    files, _ = check_files(landed_files(str(tmp_path), "*", "sales"), SALES, FEED, str(tmp_path))
    first, second = (checked.digest for checked in files)
    noon = datetime(2011, 1, 1, 12, tzinfo=UTC)

    landed = records(spark, files, SALES, FEED, str(tmp_path), batch=4, run_id="r", received_at=noon)

    origin = (4, "r", noon)
    values, sound = (*LINE.split(","), *LACKING), (None,) * 4  # neither extra, raw nor problem, and not deleted
    expected = spark.createDataFrame(
        [
            (*values, *sound, "a.csv", 2, first, *origin),
            (
                *[None] * 10,
                None,
                "odd",
                "the line has 1 columns, the header has 9",
                None,
                "b.csv.gz",
                2,
                second,
                *origin,
            ),
            (*values, {"till": "3"}, *sound[1:], "b.csv.gz", 3, second, *origin),
        ],
        BRONZE.schema,
    )
    assert_df_equality(landed.orderBy("_source_file", "_line_number"), expected, ignore_nullable=True)


@pytest.mark.before_an_engine
def test_a_file_that_changes_after_it_was_checked_is_not_read(tmp_path):
    (tmp_path / "a.csv").write_text(f"{HEADER}\n{LINE}\n")
    ((checked,), _) = check_files(landed_files(str(tmp_path), "*", "sales"), SALES, FEED, str(tmp_path))
    (tmp_path / "a.csv").write_text(f"{HEADER}\n{LINE}\n{LINE}\n")
    file = {"path": checked.file.path, "name": checked.file.name, "number": 1, "digest": checked.digest}

    with pytest.raises(LandingError, match=r"^a\.csv was changed while it was taken, and nothing of this landing was"):
        list(reader(SALES, FEED, str(tmp_path))([pa.RecordBatch.from_pylist([file])]))


@pytest.mark.before_an_engine
def test_records_of_several_batches_keep_their_files_and_line_numbers(spark, tmp_path):
    feed = FEED.model_copy(update={"format": "json_lines"})
    record = '{"order_id": 1.10, "product_id": "A", "description": null, "quantity": 6, "ordered_at": "2011", '
    record += '"unit_price": 1e-3, "customer_id": 7, "country": "France"}\n'
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(record * 4_500 + "\n" + record)
    files, _ = check_files(landed_files(str(tmp_path), "*", "sales"), SALES, feed, str(tmp_path))

    landed = records(
        spark, files, SALES, feed, str(tmp_path), batch=1, run_id="r", received_at=datetime(2011, 1, 1, tzinfo=UTC)
    ).collect()

    assert sorted((row["_source_file"], row["_line_number"]) for row in landed) == [
        (name, number) for name in ("a.json", "b.json") for number in (*range(1, 4_501), 4_502)
    ]
    assert {(row["order_id"], row["unit_price"], row["quantity"]) for row in landed} == {("1.10", "1e-3", "6")}
