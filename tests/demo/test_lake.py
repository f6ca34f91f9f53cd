"""The demo as a whole: the same seed, the real sales, the contracts, the copies, the marker."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

import customerlake
from customerlake.bronze.sources import SOURCES
from customerlake.demo.lake import make_demo
from customerlake.demo.shapes import SENT
from customerlake.errors import ConfigError
from customerlake.runtime.config import load_lake_file

pytestmark = pytest.mark.before_an_engine
Demo = duckdb.DuckDBPyConnection
TRUTHS = ("persons", "people", "traits", "lapse", "experiences", "email_effect", "surveys", "sentiments", "drivers")


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(
    spark: SparkSession, tmp_path: Path, few: Demo, opened: Callable[[Path], Iterator[Demo]]
) -> None:
    make_demo(spark, str(tmp_path / "same"), customers=600)
    make_demo(spark, str(tmp_path / "other"), customers=600, seed=21)

    differs: dict[str, list[str]] = {"same": [], "other": []}
    for name, tables in differs.items():
        for demo in opened(tmp_path / name):
            for table in (*SENT, *(f"truth_{truth}" for truth in TRUTHS)):
                if _digest(demo, table) != _digest(few, table):
                    tables.append(table)

    assert differs["same"] == []
    assert set(differs["other"]) == {*SENT, *(f"truth_{truth}" for truth in TRUTHS)} - {"campaigns", "truth_drivers"}


def _digest(demo: Demo, table: str) -> object:
    return demo.sql(f"SELECT count(*), sum(hash(t::text)::hugeint % 1000000007) FROM {table} t").fetchall()


def test_every_feed_but_two_lands_with_the_columns_of_its_contract(demo: Path) -> None:
    feeds = load_lake_file(str(demo / "demo.yaml")).feeds

    assert set(SENT) == set(SOURCES) - {"sales", "customer_attributes"}
    for feed in SENT:
        mapped = getattr(feeds, feed)
        there = _columns(demo / "landing" / feed, SENT[feed].shape.format, mapped.delimiter)
        wanted = {mapped.columns.get(name, name) for name in SOURCES[feed].column_names} - {None}
        assert there == wanted, feed


def _columns(folder: Path, form: str, delimiter: str) -> set[str]:
    files = [str(file) for file in folder.rglob("*.*") if file.is_file()]
    read = {
        "csv": f"read_csv({files}, delim='{delimiter}', header=true, all_varchar=true, hive_partitioning=false)",
        "json": f"read_json({files}, format='newline_delimited', sample_size=-1, union_by_name=true, "
        "hive_partitioning=false)",
        "parquet": f"read_parquet({files}, hive_partitioning=false)",
    }[form]
    return {row[0] for row in duckdb.sql(f"DESCRIBE SELECT * FROM {read}").fetchall()}


def test_values_read_as_the_lake_file_says_but_for_a_few_broken_rows(demo: Path, few: Demo) -> None:
    feeds = load_lake_file(str(demo / "demo.yaml")).feeds
    letters = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "'T'": "T"}

    def pattern(spark_pattern: str) -> str:
        return re.sub("|".join(letters), lambda found: letters[found.group()], spark_pattern)

    broken = 0
    for feed, sent in SENT.items():
        if sent.shape.format == "parquet" or feed in ("web_orders", "pos_sales"):
            continue
        for column in SOURCES[feed].columns:
            kind = column.type.simpleString()
            name = f'"{column.name}"'
            reads = {
                "timestamp": f"try_strptime({name}, '{pattern(getattr(feeds, feed).timestamp_format)}')",
                "date": f"try_strptime({name}, '{pattern(getattr(feeds, feed).date_format)}')",
                "int": f"try_cast({name} AS integer)",
                "double": f"try_cast({name} AS double)",
                "boolean": f"try_cast({name} AS boolean)",
                "decimal(18,4)": f"try_cast({name} AS decimal(18, 4))",
            }.get(kind, name)
            known = f"AND lower({name}) NOT IN {(*column.one_of, '')}" if column.one_of else f"AND {reads} IS NULL"
            ((wrong, rows),) = few.sql(
                f"SELECT count(*) FILTER ({name} IS NOT NULL {known}), count(*) FROM {feed}"
            ).fetchall()
            assert wrong <= max(3, 0.01 * rows), (feed, column.name)
            broken += wrong
    assert broken > 10  # something for quarantine


def test_a_demo_of_few_has_as_many_customers_and_a_like_share_of_anonymous_orders(few: Demo) -> None:
    ((customers,),) = few.sql("SELECT count(DISTINCT customer_id) FROM ordered").fetchall()
    ((anonymous,),) = few.sql("SELECT count(*) FROM ordered WHERE customer_id IS NULL").fetchall()

    assert customers == 600
    assert anonymous == 509  # 3,710 x 600 / 4,372


@pytest.mark.full_data
def test_all_real_lines_are_in_the_two_feeds_of_sales_once_and_unchanged(full: Demo) -> None:
    real = Path(customerlake.__file__).parent / "demo" / "online_retail" / "*.csv.gz"
    full.execute(f"CREATE VIEW real AS FROM read_csv('{real}', header=true, all_varchar=true, quote='\"', escape='\"')")
    columns = "InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country"

    facts = full.sql(
        """SELECT count(*), count(DISTINCT CustomerID), count(DISTINCT InvoiceNo), count(*) FILTER (CustomerID IS NULL),
                  count(*) FILTER (InvoiceNo LIKE 'C%') FROM sold"""
    ).fetchall()

    assert facts == [(541_909, 4_372, 25_900, 135_080, 9_288)]
    for one, other in (("sold", "real"), ("real", "sold")):
        left = full.sql(f"SELECT {columns} FROM {one} EXCEPT ALL SELECT {columns} FROM {other}").fetchall()
        assert left == []
    both = full.sql("SELECT 1 FROM ordered GROUP BY order_id HAVING count(*) > 1").fetchall()
    channels = full.sql("SELECT count(DISTINCT is_web) FROM sold GROUP BY InvoiceNo HAVING count(DISTINCT is_web) > 1")
    assert (both, channels.fetchall()) == ([], [])


@pytest.mark.full_data
def test_more_customers_than_are_real_are_copies_with_numbers_and_orders_of_their_own(
    spark: SparkSession, tmp_path: Path, opened: Callable[[Path], Iterator[Demo]]
) -> None:
    make_demo(spark, str(tmp_path), customers=5000)

    for demo in opened(tmp_path):
        facts = demo.sql(
            """SELECT count(DISTINCT customer_id), count(DISTINCT customer_id) FILTER (customer_id::int > 100000),
                      count(*) FILTER (order_id LIKE '%-1'), count(DISTINCT order_id),
                      min(ordered_at)::date::text, max(ordered_at)::date::text
               FROM ordered"""
        ).fetchall()
        ((customers, copies, copied_orders, orders, first, last),) = facts
        assert (customers, copies) == (5000, 628)
        assert orders == 25_900 + copied_orders
        assert copied_orders > 3000
        assert (first, last) == ("2010-12-01", "2011-12-09")
        mailboxes = demo.sql("SELECT count(DISTINCT email) FROM truth_people").fetchall()[0][0]
        assert mailboxes > 4000


def test_a_finished_demo_is_not_made_again_and_another_is_refused(spark: SparkSession, demo: Path) -> None:
    said: list[str] = []
    file = make_demo(spark, str(demo), customers=600, progress=said.append)

    assert (file, said) == (f"{demo}/demo.yaml", ["the demo is there"])
    with pytest.raises(ConfigError, match=r"holds a demo of 600 customers, seed 20.*asked for is one of 600.*seed 7"):
        make_demo(spark, str(demo), customers=600, seed=7)
    assert json.loads((demo / "landing" / ".demo.json").read_text()) == {"customers": 600, "seed": 20, "version": 1}


def test_an_interrupted_demo_is_made_again_from_the_start(
    spark: SparkSession, tmp_path: Path, opened: Callable[[Path], Iterator[Demo]]
) -> None:
    class Killed(Exception):
        pass

    def dies(message: str) -> None:
        if "tickets" in message and "landing" in message:
            raise Killed

    with pytest.raises(Killed):
        make_demo(spark, str(tmp_path), customers=20, seed=1, progress=dies)
    assert not (tmp_path / "landing" / ".demo.json").exists()

    make_demo(spark, str(tmp_path), customers=20, seed=2)  # of other values: nothing was finished

    assert not [path for path in (tmp_path / "landing").iterdir() if path.name.startswith(".") and path.is_dir()]
    for demo in opened(tmp_path):
        assert demo.sql("SELECT count(DISTINCT customer_id) FROM ordered").fetchall() == [(20,)]
    shutil.rmtree(tmp_path)
