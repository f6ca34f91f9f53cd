"""Rows per second of the file readers, beside plain Spark's own read-and-append of the same data in the same session.

    .venv/bin/python benchmarks/readers.py

Both write one Delta table of text columns, on sail and on JVM Spark. Ours knows files by their content, holds them
against the contract, keeps what cannot be read, and gives each row its file, digest, line, landing and run: twelve
columns more than `plain`, which reads and appends. `plain, as wide` appends as many columns of the same kind.
Times are noisy: compare the ratios of one call.
"""

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from time import perf_counter

import polars as pl
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from contenders.customerlake_jobs import done
from customerlake.bronze.sources.sales import BRONZE, SALES
from customerlake.runtime import job, session
from customerlake.runtime.engines import NAMES, Engine
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
    lines = sales(values.copies)
    with tempfile.TemporaryDirectory(prefix="customerlake-readers-") as name:
        folder = Path(name)
        for form, (write, _) in FORMS.items():
            (folder / form).mkdir()
            for number, part in enumerate(lines.iter_slices(-(-lines.height // FILES))):
                write(part, folder / form / f"{number:03}.{form}")
        for engine in NAMES:
            spark = session.start(engine)
            title = f"{NAMES[engine]}, two cores, {lines.height:,} rows: rows per second"
            shown = Table("reader", "ours", "plain", "plain, as wide", "over plain", "over as wide", title=title)
            for form, (_, plain) in FORMS.items():
                measured = list(turns(spark, engine, folder, form, plain, values.repeat))
                own, other, wide = (statistics.median(seconds) for seconds in zip(*measured, strict=True))
                speeds = (f"{lines.height / seconds:,.0f}" for seconds in (own, other, wide))
                shown.add_row(form, *speeds, f"{own / other - 1:+.0%}", f"{own / wide - 1:+.0%}")
            Console(width=100).print(shown)
            session.stop(spark)


def sales(copies: int) -> pl.DataFrame:
    """The real lines so many times, each copy another shop's, under the contract's names."""
    days = [pl.read_csv(day.read_bytes(), infer_schema=False) for day in real_days()]
    every = pl.concat(days)
    named = {
        "InvoiceNo": "order_id", "StockCode": "product_id", "Description": "description", "Quantity": "quantity",
        "InvoiceDate": "ordered_at", "UnitPrice": "unit_price", "CustomerID": "customer_id", "Country": "country",
    }  # fmt: skip
    return pl.concat(copy_of(every, number) for number in range(copies)).rename(named).select(COLUMNS)


def turns(
    spark: SparkSession, engine: Engine, folder: Path, form: str, plain: Plain, repeat: int
) -> Iterator[tuple[float, float, float]]:
    """Seconds of ours, of plain Spark and of plain Spark with as many columns, turn about; the first does not count."""
    lake_file = folder / f"{form}.yaml"
    widths = f"    widths: {{{', '.join(f'{name}: {WIDTH}' for name in COLUMNS)}}}\n"
    lake_file.write_text(
        f"name: timed\ncurrency: GBP\nfeeds:\n  sales:\n    path: {form}\n    pattern: '*.{form}'\n    format: {form}\n"
        + (widths if form == "fixed_width" else "")
    )
    for turn in range(repeat + 1):
        root = folder / f"{engine}-{form}-{turn}"
        run = job.Run(root=str(root / "ours"), lake_file=str(lake_file), spark=spark, engine=engine)
        seconds = (
            timed(lambda run=run: done(run, "land_files")),
            timed(lambda root=root: append(plain(spark, str(folder / form)), root / "plain")),
            timed(lambda root=root: append(as_wide(plain(spark, str(folder / form))), root / "wide")),
        )
        if {run.lake.count(BRONZE)} != {DeltaTable(root / name).count() for name in ("plain", "wide")}:
            raise SystemExit(f"{form}: the readers do not agree on the number of rows")
        shutil.rmtree(root)
        if turn:
            yield seconds


def timed(work: Callable[[], object]) -> float:
    begun = perf_counter()
    work()
    return perf_counter() - begun


def append(df: DataFrame, target: Path) -> None:
    df.write.format("delta").mode("append").save(str(target))


def as_wide(df: DataFrame) -> DataFrame:
    """The columns that bronze has besides, with values of their kind."""
    nothing = F.lit(None).cast("string")
    of_run = F.lit("20261125T120000-abcdef")
    return df.withColumns(
        {
            "amount": nothing, "currency": nothing, "_extra": F.lit(None).cast("map<string,string>"), "_raw": nothing,
            "_problem": nothing, "_is_deleted": F.lit(None).cast("boolean"), "_source_file": F.lit("000.csv"),
            "_line_number": F.length(COLUMNS[0]).cast("long"), "_file_digest": F.lit("0" * 64),
            "_batch": F.lit(1), "_run_id": of_run, "_received_at": F.lit(datetime(2026, 11, 25)),
        }
    )  # fmt: skip


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
