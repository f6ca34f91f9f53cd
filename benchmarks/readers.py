"""Rows per second of the readers, beside plain Spark's own read-and-append of the same data in the same session.

    .venv/bin/python benchmarks/readers.py
    .venv/bin/python benchmarks/readers.py --only database topic interface

Both write one Delta table, on each engine that has the reader. Ours holds what it takes against the contract, keeps
what cannot be read, takes nothing twice, and gives each row where it came from, its digest, landing and run. `plain`
reads and appends; `plain, as wide` appends as many columns as bronze has, of the same kind. Plain Spark reads the
database by as many connections as ours, and the topic as one batch; the records of the interface, of which there are
at most 100,000, it takes from a loop over the pages. The servers are those of the tests, on the same cores.
Times are noisy: compare the ratios of one call.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl
import requests
import yaml
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from rich.console import Console
from rich.table import Table

from contenders.customerlake_jobs import done
from customerlake.bronze.sources.sales import SALES
from customerlake.bronze.sources.web_events import WEB_EVENTS
from customerlake.contracts.source import Source, bronze_table
from customerlake.runtime import job, session
from customerlake.runtime.engines import NAMES, Engine, engine_for
from customerlake.runtime.pipeline import step_named
from scaled_sales import copy_of, real_days

sys.path.append(str(Path(__file__).parents[1]))  # the servers of the tests
from tests.bronze import kafka_broker, postgres
from tests.bronze.failing_server import FailingServer, says

COLUMNS = [column.name for column in SALES.columns if not column.is_optional]
FILES = 16
WIDTH = 40  # characters of each column of fixed width
EVENT = {"customer_id": "visitor_id", "description": "search_text", "ordered_at": "happened_at"}
PARTITIONS = 4  # of a read of the database, and of the topic
NAME = "sales_lines"  # of the table and of the topic
FETCH_SIZE = "10000"  # rows; without one PostgreSQL's driver holds a whole answer in memory
MOST_ROWS_OF_INTERFACE = 100_000
PAGE = 1_000  # records
ASKED = 1_000  # times that a page can be had, more than any call needs
TYPED = """
    CREATE TABLE sales_lines (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id text, product_id text, description text,
        quantity integer, ordered_at timestamp, unit_price numeric(10, 3), customer_id text, country text
    )
"""


@dataclass(frozen=True)
class Origin:
    """Rows that are ready to be taken."""

    feed: dict[str, Any]  # where they are, as the lake file says it
    plain: Callable[[], DataFrame]  # plain Spark's own read of them
    count_rows: int
    source: Source = SALES


Opened = Callable[[SparkSession, pl.DataFrame, Path], AbstractContextManager[Origin]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=2, help="times the 541,909 real lines")
    parser.add_argument("--repeat", type=int, default=3)
    known = ", ".join(READERS)
    parser.add_argument("--only", nargs="+", choices=READERS, default=list(READERS), metavar="NAME", help=f"of {known}")
    values = parser.parse_args()
    lines = sales(values.copies)
    for engine in NAMES:
        if names := [name for name in values.only if has_reader(engine, name)]:
            Console(width=100).print(speeds(engine, names, lines, values.repeat))


def has_reader(engine: Engine, name: str) -> bool:
    step, _ = READERS[name]
    return engine_for(step_named(step).needs, engine) == engine


def sales(copies: int) -> pl.DataFrame:
    """The real lines so many times, each copy another shop's, under the contract's names."""
    days = [pl.read_csv(day.read_bytes(), infer_schema=False) for day in real_days()]
    every = pl.concat(days)
    named = {
        "InvoiceNo": "order_id", "StockCode": "product_id", "Description": "description", "Quantity": "quantity",
        "InvoiceDate": "ordered_at", "UnitPrice": "unit_price", "CustomerID": "customer_id", "Country": "country",
    }  # fmt: skip
    return pl.concat(copy_of(every, number) for number in range(copies)).rename(named).select(COLUMNS)


def speeds(engine: Engine, names: Iterable[str], lines: pl.DataFrame, repeat: int) -> Table:
    title = f"{NAMES[engine]}, two cores: rows per second"
    shown = Table("reader", "rows", "ours", "plain", "plain, as wide", "over plain", "over as wide", title=title)
    spark = session.start(engine)
    for name in names:
        step, opened = READERS[name]
        with tempfile.TemporaryDirectory(prefix="customerlake-readers-") as scratch:
            folder = Path(scratch)
            with opened(spark, lines, folder) as origin:
                measured = list(turns(spark, engine, folder, step, origin, repeat))
        own, other, wide = (statistics.median(seconds) for seconds in zip(*measured, strict=True))
        per_second = (f"{origin.count_rows / seconds:,.0f}" for seconds in (own, other, wide))
        shown.add_row(name, f"{origin.count_rows:,}", *per_second, f"{own / other - 1:+.0%}", f"{own / wide - 1:+.0%}")
    session.stop(spark)
    return shown


def turns(
    spark: SparkSession, engine: Engine, folder: Path, step: str, origin: Origin, repeat: int
) -> Iterator[tuple[float, float, float]]:
    """Seconds of ours, of plain Spark and of plain Spark with as many columns, turn about; the first does not count."""
    lake_file = folder / "lake.yaml"
    feeds = {origin.source.feed: origin.feed}
    lake_file.write_text(yaml.safe_dump({"name": "timed", "currency": "GBP", "feeds": feeds}))
    bronze = bronze_table(origin.source)
    for turn in range(repeat + 1):
        root = folder / f"turn-{turn}"
        run = job.Run(root=str(root / "ours"), lake_file=str(lake_file), spark=spark, engine=engine)
        seconds = (
            timed(lambda run=run: done(run, step)),
            timed(lambda root=root: append(origin.plain(), root / "plain")),
            timed(lambda root=root: append(as_wide(origin.plain(), bronze.schema), root / "wide")),
        )
        counts = {run.lake.count(bronze), *(DeltaTable(root / name).count() for name in ("plain", "wide"))}
        if counts != {origin.count_rows}:
            raise SystemExit(f"{step}: of {origin.count_rows} rows the readers took {counts}")
        shutil.rmtree(root)
        if turn:
            yield seconds


def timed(work: Callable[[], object]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun


def append(df: DataFrame, target: Path) -> None:
    df.write.format("delta").mode("append").save(str(target))


def as_wide(df: DataFrame, bronze: T.StructType) -> DataFrame:
    """The columns that bronze has besides, with values of their kind."""
    values = {
        "_source_file": F.lit("000.csv"),
        "_line_number": F.length(df.columns[0]),
        "_file_digest": F.lit("0" * 64),
        "_batch": F.lit(1),
        "_run_id": F.lit("20261125T120000-abcdef"),
        "_received_at": F.lit(datetime(2026, 11, 25)),
    }
    others = [field for field in bronze if field.name not in df.columns]
    return df.withColumns({field.name: values.get(field.name, F.lit(None)).cast(field.dataType) for field in others})


@contextmanager
def files(form: str, spark: SparkSession, lines: pl.DataFrame, folder: Path) -> Iterator[Origin]:
    write, plain = FORMS[form]
    landing = folder / "landing"
    landing.mkdir()
    for number, part in enumerate(lines.iter_slices(-(-lines.height // FILES))):
        write(part, landing / f"{number:03}.{form}")
    feed: dict[str, Any] = {"path": str(landing), "pattern": f"*.{form}", "format": form}
    if form == "fixed_width":
        feed["widths"] = dict.fromkeys(COLUMNS, WIDTH)
    yield Origin(feed, lambda: plain(spark, str(landing)), lines.height)


def write_fixed_width(part: pl.DataFrame, file: Path) -> None:
    texts = [pl.col(name).fill_null("").str.slice(0, WIDTH).str.pad_end(WIDTH) for name in COLUMNS]
    file.write_text("\n".join(part.select(pl.concat_str(texts)).to_series().to_list()) + "\n")


def plain_fixed_width(spark: SparkSession, folder: str) -> DataFrame:
    lines = spark.read.text(folder)
    cut = [F.trim(F.substring("value", 1 + WIDTH * i, WIDTH)).alias(name) for i, name in enumerate(COLUMNS)]
    return lines.select(*cut)


@contextmanager
def database(spark: SparkSession, lines: pl.DataFrame, folder: Path) -> Iterator[Origin]:
    """The lines in a table, typed, each with a number by which connections share a read; bronze has it in _extra."""
    file = folder / "lines.csv"
    lines.write_csv(file)
    with postgres.running_server() as server:
        server.sql(TYPED, rf"\copy {NAME} ({', '.join(COLUMNS)}) FROM '{file}' (FORMAT csv, HEADER)", "VACUUM ANALYZE")
        os.environ |= {
            "CUSTOMERLAKE_DATABASE_USER": postgres.USER,
            "CUSTOMERLAKE_DATABASE_PASSWORD": postgres.PASSWORD,
        }
        shared = {"watermark": "id", "partition_column": "id", "partitions": PARTITIONS}
        properties = {"user": postgres.USER, "password": postgres.PASSWORD, "fetchsize": FETCH_SIZE}
        yield Origin(
            {"database": {"url": server.url(), "table": NAME, **shared}},
            lambda: spark.read.jdbc(server.url(), NAME, "id", 1, lines.height + 1, PARTITIONS, properties=properties),
            lines.height,
        )


@contextmanager
def topic(spark: SparkSession, lines: pl.DataFrame, folder: Path) -> Iterator[Origin]:
    """The lines as events of a web shop, a JSON object each; bronze has quantity and price in _extra."""
    events = as_json(lines).rename(EVENT).with_row_index("event_id").with_columns(event_type=pl.lit("order"))
    file = folder / "messages.json"
    events.write_ndjson(file)
    with kafka_broker.running(folder) as broker:
        brokers = {"kafka.bootstrap.servers": broker}
        make_topic(spark, broker)
        spark.read.text(str(file)).write.format("kafka").options(**brokers, topic=NAME).save()

        def plain() -> DataFrame:
            messages = spark.read.format("kafka").options(**brokers, subscribe=NAME, startingOffsets="earliest").load()
            event = F.from_json(F.col("value").cast("string"), text_columns(events.columns)).alias("event")
            return messages.select(event).select("event.*")

        yield Origin({"stream": {"brokers": broker, "topic": NAME}}, plain, lines.height, WEB_EVENTS)


def make_topic(spark: SparkSession, broker: str) -> None:
    """By Kafka's own client, which Spark's Kafka source brings."""
    jvm = spark._jvm
    properties = jvm.java.util.Properties()
    properties.put("bootstrap.servers", broker)
    client = jvm.org.apache.kafka.clients.admin.AdminClient.create(properties)
    client.createTopics([jvm.org.apache.kafka.clients.admin.NewTopic(NAME, PARTITIONS, 1)]).all().get()
    client.close()


@contextmanager
def interface(spark: SparkSession, lines: pl.DataFrame, folder: Path) -> Iterator[Origin]:
    """The first lines in pages; what the server says is written ahead, so that its own work is next to none."""
    taken = as_json(lines.head(MOST_ROWS_OF_INTERFACE))
    pages = [part.to_dicts() for part in taken.iter_slices(PAGE)]
    cursors = ["", *[f"page-{number}" for number in range(2, len(pages) + 1)]]
    answers = [
        json.dumps({"data": records, "next_cursor": following})
        for records, following in zip(pages, [*cursors[1:], None], strict=True)
    ]
    prepared = {cursor: [says(200, answer)] * ASKED for cursor, answer in zip(cursors, answers, strict=True)}
    with FailingServer([], fails_on=prepared).running() as server:
        yield Origin(
            {"api": {"url": server.url}, "records_at": "data"},
            lambda: spark.createDataFrame(list(asked_for(server.url)), text_columns(COLUMNS)),
            taken.height,
        )


def asked_for(url: str) -> Iterator[dict[str, Any]]:
    """The records of all pages."""
    asked: dict[str, str] | None = {}
    with requests.Session() as client:
        while asked is not None:
            response = client.get(url, params=asked, timeout=30)
            response.raise_for_status()
            answer = response.json()
            yield from answer["data"]
            asked = {"cursor": answer["next_cursor"]} if answer["next_cursor"] else None


def as_json(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with their numbers as such, as systems that speak JSON send them."""
    return lines.cast({"quantity": pl.Int64, "unit_price": pl.Float64})


def text_columns(columns: Iterable[str]) -> str:
    """A schema in which all are text."""
    return ", ".join(f"{name} string" for name in columns)


FORMS: dict[str, tuple[Callable[[pl.DataFrame, Path], None], Callable[[SparkSession, str], DataFrame]]] = {
    "csv": (
        lambda part, file: part.write_csv(file),
        lambda spark, folder: (
            spark.read.option("header", True).option("escape", '"').schema(text_columns(COLUMNS)).csv(folder)
        ),
    ),
    "json_lines": (
        lambda part, file: part.write_ndjson(file),
        lambda spark, folder: spark.read.schema(text_columns(COLUMNS)).json(folder),
    ),
    "parquet": (
        lambda part, file: part.write_parquet(file),
        lambda spark, folder: spark.read.parquet(folder),
    ),
    "fixed_width": (write_fixed_width, plain_fixed_width),
}
READERS: dict[str, tuple[str, Opened]] = {
    **{form: ("land_files", partial(files, form)) for form in FORMS},
    "database": ("land_databases", database),
    "topic": ("land_streams", topic),
    "interface": ("land_interfaces", interface),
}
"""What can be timed -> the step that takes it, and what makes its rows ready."""


if __name__ == "__main__":
    main()
