"""Rows per second of each reader, beside plain Spark's own read-and-append of the same data in the same session.

    .venv/bin/python benchmarks/readers.py

Both write one Delta table of text columns. Ours knows files by their content, checks them against the contract, keeps
what cannot be read, and gives each row its file, line, landing and run; plain Spark reads and appends. The server of
the database and the broker are real and on this machine: see tests/bronze/postgres.py and tests/bronze/kafka_broker.py.
Times are noisy: compare the ratios of one call.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from contenders.customerlake_jobs import done
from customerlake.bronze.sources.sales import BRONZE, SALES
from customerlake.runtime import job, session
from scaled_sales import copy_of, real_days

COLUMNS = [column.name for column in SALES.columns if not column.is_optional]
FILES = 16
WIDTH = 40  # characters of each column of fixed width
TEXT = ", ".join(f"{name} string" for name in COLUMNS)
Plain = Callable[[SparkSession, str], DataFrame]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=2, help="times the 541,909 real lines")
    parser.add_argument("--repeat", type=int, default=3)
    values = parser.parse_args()
    spark = session.start("spark")
    with tempfile.TemporaryDirectory(prefix="customerlake-readers-") as name:
        folder = Path(name)
        lines = sales(values.copies)
        shown = Table("reader", "rows", "ours, rows/s", "plain Spark, rows/s", "overhead", title="JVM Spark, two cores")
        for form, (write, plain) in FORMS.items():
            landing = folder / form
            for number, part in enumerate(lines.iter_slices(-(-lines.height // FILES))):
                landing.mkdir(exist_ok=True)
                write(part, landing / f"{number:03}.{form}")
            measured = list(pairs(spark, folder, form, plain, values.repeat))
            own, other = (statistics.median(seconds) for seconds in zip(*measured, strict=True))
            shown.add_row(
                form, f"{lines.height:,}", f"{lines.height / own:,.0f}", f"{lines.height / other:,.0f}",
                f"{own / other - 1:+.0%}",
            )  # fmt: skip
    Console(width=100).print(shown)


def sales(copies: int) -> pl.DataFrame:
    """The real lines so many times, each copy another shop's, under the contract's names."""
    days = [pl.read_csv(day.read_bytes(), infer_schema=False) for day in real_days()]
    every = pl.concat(days)
    named = {
        "InvoiceNo": "order_id", "StockCode": "product_id", "Description": "description", "Quantity": "quantity",
        "InvoiceDate": "ordered_at", "UnitPrice": "unit_price", "CustomerID": "customer_id", "Country": "country",
    }  # fmt: skip
    return pl.concat(copy_of(every, number) for number in range(copies)).rename(named).select(COLUMNS)


def pairs(spark: SparkSession, folder: Path, form: str, plain: Plain, repeat: int) -> Iterator[tuple[float, float]]:
    """Seconds of ours and of plain Spark, turn about; the first turn warms both up and does not count."""
    lake_file = folder / f"{form}.yaml"
    widths = f"widths: {{{', '.join(f'{name}: {WIDTH}' for name in COLUMNS)}}}"
    lake_file.write_text(
        f"name: timed\ncurrency: GBP\nfeeds:\n  sales:\n    path: {form}\n    pattern: '*.{form}'\n    format: {form}\n"
        f"    columns: {{}}\n" + (f"    {widths}\n" if form == "fixed_width" else "")
    )
    for turn in range(repeat + 1):
        run = job.Run(root=str(folder / f"{form}-{turn}"), lake_file=str(lake_file), spark=spark)
        begun = perf_counter()
        done(run, "land_files")
        own = perf_counter() - begun
        begun = perf_counter()
        target = str(folder / f"{form}-plain-{turn}")
        plain(spark, str(folder / form)).write.format("delta").mode("append").save(target)
        other = perf_counter() - begun
        if run.lake.count(BRONZE) != spark.read.format("delta").load(target).count():
            raise SystemExit(f"{form}: the two readers do not agree on the number of rows")
        if turn:
            yield own, other


def write_fixed_width(part: pl.DataFrame, file: Path) -> None:
    texts = [pl.col(name).fill_null("").str.slice(0, WIDTH).str.pad_end(WIDTH) for name in COLUMNS]
    file.write_text("\n".join(part.select(pl.concat_str(texts)).to_series().to_list()) + "\n")


def plain_fixed_width(spark: SparkSession, folder: str) -> DataFrame:
    lines = spark.read.text(folder)
    cut = [F.trim(F.substring("value", 1 + WIDTH * i, WIDTH)).alias(name) for i, name in enumerate(COLUMNS)]
    return lines.select(*cut)


FORMS: dict[str, tuple[Callable[[pl.DataFrame, Path], None], Plain]] = {
    "csv": (
        lambda part, file: part.write_csv(file),
        lambda spark, folder: spark.read.option("header", True).option("escape", '"').schema(TEXT).csv(folder),
    ),
    "json_lines": (
        lambda part, file: part.write_ndjson(file),
        lambda spark, folder: spark.read.schema(TEXT).json(folder),
    ),
    "parquet": (
        lambda part, file: part.write_parquet(file),
        lambda spark, folder: spark.read.parquet(folder),
    ),
    "fixed_width": (write_fixed_width, plain_fixed_width),
}


if __name__ == "__main__":
    main()
