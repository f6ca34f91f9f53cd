"""Rows per second of every cleaning function, on sail and on JVM Spark.

    .venv/bin/python benchmarks/cleaning.py
    .venv/bin/python benchmarks/cleaning.py --rows 1000000 --engine sail

Each is computed over the same rows, which lie in a Parquet file, and not written. `reading alone` brings the columns
that most of them take, without cleaning any. The median of the repeats; the first, which warms up, does not count.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter

import polars as pl
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from customerlake.runtime import session
from customerlake.runtime.engines import NAMES
from customerlake.silver.cleaning import missing, outliers
from customerlake.silver.cleaning.addresses import city_name, house_number, postcode, street_key
from customerlake.silver.cleaning.categories import one_of_list, sex
from customerlake.silver.cleaning.countries import country_code
from customerlake.silver.cleaning.dates import birth_day, day, day_month_order, day_within, instant, instant_within
from customerlake.silver.cleaning.duplicates import distinct_rows, near_duplicates, newest_by_key
from customerlake.silver.cleaning.emails import email_address, email_key, is_role_address, misspelt_domain
from customerlake.silver.cleaning.money import at_days_rate, currency_code
from customerlake.silver.cleaning.names import formal_name, name_key, name_parts
from customerlake.silver.cleaning.numbers import number, whole_number, yes_or_no
from customerlake.silver.cleaning.phones import e164, is_mobile, phone_region
from customerlake.silver.cleaning.texts import one_line, plain_text, trimmed, without_emoji
from customerlake.silver.cleaning.units import in_si

EARLIEST, AS_OF = date(1900, 1, 1), date(2024, 6, 30)
PATTERNS = ("dd/MM/yyyy", "dd.MM.yy", "d MMM yyyy")
NOON = datetime(2024, 1, 1, 12)

Cleaning = Callable[[DataFrame], DataFrame]

SAMPLES: dict[str, list[object]] = {
    "day": ["31/12/2020", "05.03.85", "5 Mar 2021", "2021-03-05", "31/04/2021", "n/a", None],
    "moment": ["2021-03-05 10:11:12", "05/03/2021 10:11", "never", None],
    "figure": ["12", "17850.0", "3.99", "-4", "1E3", "twelve", None],
    "figure_with_comma": ["1.234,50", "3,99", "12", None],
    "answer": ["yes", "N", "true", "0", "maybe", None],
    "text": [
        "  Very  good\tshop\u00a0",
        "Order # arrived in time and as it was described, I would order here again at once. " * 3,
        "<p>Tom &amp; Jerry<br>liked #</p><p class='x'>caf&eacute; \u200b</p>",
        "Ｆｕｌｌ　ｗｉｄｔｈ 👍🏽",
        "not so good 😞 ❤️",
        None,
    ],
    "unit": ["kg", "LBS", "oz.", " g", "in.", "fl oz", "ml", "bushel", None],
    "currency_as_sent": ["EUR", "£", "us dollar", "kr", "Zł", "$", None],
    "currency": ["EUR", "USD", "GBP", "CHF", None],
    "sex": ["F", "männlich", "女", "Divers", "Mr.", "?", None],
    "first_name": ["ANNA~", "Jean-Luc", "Dr. Bill~", "maria  josé", None],
    "last_name": ["o'brien~", "VON DER HEIDE", "García~ Márquez", "Smith~ Jr.", None],
    "full_name": ["Mr John Smith~", "DUPONT Jean", "Müller~, Anna", "佐藤 花子", "Ludwig van Beethoven", None],
    "name_key": ["bill", "anna~", "smith~", "liz", None],
    "email": [" Ann.Lee#+shop@Gmail.com ", "bob~@gmial.com", "info@firm-~.example.com", "no address", None],
    "phone": ["020 7946 #", "+49 30 90#", "(212) 555-#", "0171/123#", "call me", None],
    "number": ["+44207946#", "+491511234#", "+1212555#", None],
    "street": ["# High St.", "Hauptstraße #", "#b Baker Street", None],
    "postcode": ["sw1a1aa", "D-1#", "10001-#", "#ab", None],
    "city": ["LONDON", "Köln", "New  York", "Wien", None],
    "country": ["United Kingdom", "DE", "U.S.A.", "Österreich", "nowhere", None],
    "country_code": ["GB", "DE", "US", None, "NL"],
    "shop": [f"shop {number}" for number in range(50)] + [None],
    "value": [1.0, 2.5, 3.0, 4.25, 1000.0, None],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--engine", choices=list(NAMES), action="append", help="one of them, or both")
    values = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="customerlake-cleaning-") as folder:
        received(values.rows).write_parquet(Path(folder) / "received.parquet")
        engines = values.engine or list(NAMES)
        measured = {}
        for engine in engines:
            spark = session.start(engine)
            rows = spark.read.parquet(f"{folder}/received.parquet")
            measured[engine] = {name: timed(clean, rows, values.repeat) for name, clean in cleanings(spark)}
            session.stop(spark)
    shown = Table("function", *[NAMES[engine] for engine in engines], title=f"{values.rows:,} rows: rows per second")
    for name in measured[engines[0]]:
        shown.add_row(name, *(f"{values.rows / measured[engine][name]:,.0f}" for engine in engines))
    Console(width=100).print(shown)


def received(rows: int) -> pl.DataFrame:
    """Rows as sources send them. Columns repeat after different numbers of rows, so that their mixtures differ."""
    columns = {
        name: [distinct(sample, row) for row, sample in enumerate(islice(cycle(samples), rows))]
        for name, samples in SAMPLES.items()
    }
    numbers = pl.int_range(rows, eager=True)
    return pl.DataFrame(columns).with_columns(
        id=numbers.cast(pl.String),
        amount=(numbers % 10_007).cast(pl.Decimal(18, 4)),
        customer=(numbers % (rows // 5 + 1)).cast(pl.String),
        ordered_on=pl.lit(EARLIEST).dt.offset_by("120y") + pl.duration(days=numbers % 1500),
        happened_at=pl.lit(NOON).dt.replace_time_zone("UTC") + pl.duration(seconds=numbers % 86_400),
        _source_file=pl.lit("day.csv"),
        _line_number=numbers,
    )


def distinct(sample: object, row: int) -> object:
    """A # becomes four digits and a ~ three letters, both of the row's number: some functions work once per value."""
    if not isinstance(sample, str):
        return sample
    letters = "".join(chr(ord("a") + row // 26**place % 26) for place in range(3))
    return sample.replace("#", f"{row % 10_000:04}").replace("~", letters)


def cleanings(spark: SparkSession) -> Iterator[tuple[str, Cleaning]]:
    """Every function of customerlake.silver.cleaning, by the name that it has there, and what it is applied to."""
    rates = spark.createDataFrame(
        [
            (currency, "EUR", EARLIEST.replace(year=2020) + timedelta(days=day), 0.5 + day / 10_000)
            for currency in ("USD", "GBP", "CHF")
            for day in range(0, 1500, 3)
        ],
        "currency string, base_currency string, rated_on date, rate double",
    )
    zone = {"time_zone": "Europe/London"}
    several = ("yyyy-MM-dd HH:mm:ss", "dd/MM/yyyy HH:mm")
    spread = {"value": outliers.Tukey(), "amount": outliers.MedianDeviation(action="cap")}
    gaps = {"value": missing.Median(), "sex": missing.Mode(), "currency": missing.Constant("EUR")}
    by_shop = {"value": missing.Mean(by=("shop",))}

    yield "reading alone", lambda rows: rows.select(*SAMPLES)
    yield "dates.day", of("day", lambda text: day(text, pattern="dd/MM/yyyy"))
    yield (
        "dates.day_within, three patterns",
        of("day", lambda text: day_within(text, patterns=PATTERNS, earliest=EARLIEST, latest=AS_OF)),
    )
    yield "dates.birth_day, three patterns", of("day", lambda text: birth_day(text, patterns=PATTERNS, as_of=AS_OF))
    yield "dates.instant", of("moment", lambda text: instant(text, pattern="yyyy-MM-dd HH:mm:ss", **zone))
    yield (
        "dates.instant_within, two patterns",
        of("moment", lambda text: instant_within(text, patterns=several, earliest=EARLIEST, latest=AS_OF, **zone)),
    )
    yield "dates.day_month_order", lambda rows: day_month_order(rows, "day")
    yield "numbers.number", of("figure", number)
    yield "numbers.number, decimal comma", of("figure_with_comma", lambda text: number(text, decimal_comma=True))
    yield "numbers.whole_number", of("figure", whole_number)
    yield "numbers.yes_or_no", of("answer", yes_or_no)
    yield "texts.trimmed", lambda rows: rows.select(trimmed("text"))
    yield "texts.one_line", of("text", one_line)
    yield "texts.without_emoji", of("text", without_emoji)
    yield "texts.plain_text", of("text", plain_text)
    yield "units.in_si, weight", lambda rows: rows.select(in_si(F.col("value"), F.col("unit"), "weight"))
    yield "units.in_si, length", lambda rows: rows.select(in_si(F.col("value"), F.col("unit"), "length"))
    yield "units.in_si, volume", lambda rows: rows.select(in_si(F.col("value"), F.col("unit"), "volume"))
    yield "money.currency_code", of("currency_as_sent", currency_code)
    yield (
        "money.at_days_rate",
        lambda rows: at_days_rate(rows.select("amount", "currency", "ordered_on"), rates, currency="EUR"),
    )
    yield (
        "categories.one_of_list",
        of("answer", lambda text: one_of_list(text, {"yes": ("y", "true"), "no": ("n", "0")})),
    )
    yield "categories.sex", of("sex", sex)
    yield (
        "names.name_parts",
        lambda rows: rows.select(
            name_parts(F.col("first_name"), F.col("last_name"), F.col("full_name")).alias("name")
        ).select("name.*"),
    )
    yield "names.name_key", of("last_name", name_key)
    yield "names.formal_name", of("name_key", formal_name)
    yield "emails.email_address", of("email", email_address)
    yield "emails.email_key", of("email", email_key)
    yield "emails.misspelt_domain", of("email", misspelt_domain)
    yield "emails.is_role_address", of("email", is_role_address)
    yield "phones.e164", lambda rows: rows.select(e164(F.col("phone"), F.col("country_code"), default_country="GB"))
    yield "phones.phone_region", of("number", phone_region)
    yield "phones.is_mobile", of("number", is_mobile)
    yield "addresses.postcode", lambda rows: rows.select(postcode(F.col("postcode"), F.col("country_code")))
    yield "addresses.city_name", of("city", city_name)
    yield "addresses.street_key", of("street", street_key)
    yield "addresses.house_number", of("street", house_number)
    yield "countries.country_code", of("country", country_code)
    yield (
        "duplicates.distinct_rows",
        lambda rows: rows.select("customer", "ordered_on", "_line_number").transform(
            distinct_rows(same=("customer", "ordered_on"), first_by=("_line_number",))
        ),
    )
    yield (
        "duplicates.newest_by_key",
        lambda rows: rows.select("customer", "happened_at", "_source_file", "_line_number").transform(
            newest_by_key(key=("customer",), at="happened_at")
        ),
    )
    yield (
        "duplicates.near_duplicates",
        lambda rows: near_duplicates(
            rows.select("id", "customer", "happened_at"),
            id="id",
            same=("customer",),
            at="happened_at",
            within_seconds=10,
        ),
    )
    yield (
        "missing.learn and filled, of all rows",
        lambda rows: missing.filled(rows.select(*gaps), missing.learn(rows, gaps)),
    )
    yield (
        "missing.learn and filled, by group",
        lambda rows: missing.filled(rows.select("shop", *by_shop), missing.learn(rows, by_shop)),
    )
    yield (
        "outliers.learn and bounded",
        lambda rows: outliers.bounded(rows.select(*spread), outliers.learn(rows, spread)),
    )


def of(column: str, clean: Callable[[Column], Column]) -> Cleaning:
    return lambda rows: rows.select(clean(F.col(column)).alias("cleaned"))


def timed(clean: Cleaning, rows: DataFrame, repeat: int) -> float:
    """Seconds to compute every column of every row, and to bring one row."""
    seconds = []
    for _ in range(repeat + 1):
        begun = perf_counter()
        cleaned = clean(rows)
        named = cleaned.toDF(*[f"column_{place}" for place in range(len(cleaned.columns))])  # or expressions
        named.agg(*[F.max(name) for name in named.columns]).collect()
        seconds.append(perf_counter() - begun)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
