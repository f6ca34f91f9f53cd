"""The parts of the benchmark that its figures rest on."""

import gzip
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from aims import DailyFigure, Figure, growth_exponent, verdicts
from customerlake.gold.customer_value import CUSTOMER_VALUE
from fingerprints import Fingerprint, differing_columns, fingerprint, only
from measured import measure
from scaled_sales import land

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
COMPARED = only(CUSTOMER_VALUE, "customer_id", "gross_spend", "returned_share")


@pytest.fixture
def two_days(tmp_path: Path) -> list[Path]:
    lines = {
        "2010-12-01.csv.gz": '536365,85123A,"LANTERN, WHITE",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n'
        "C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom\n",
        "2010-12-02.csv.gz": "A563186,B,Adjust bad debt,1,2010-12-02 14:51:00,-11062.06,,United Kingdom\n",
    }
    for name, text in lines.items():
        (tmp_path / name).write_bytes(gzip.compress((HEADER + text).encode()))
    return [tmp_path / name for name in lines]


def test_each_copy_has_orders_and_customers_of_its_own_and_what_was_empty_stays_empty(two_days, tmp_path):
    count = land(two_days, tmp_path / "landing", copies=2)

    assert count == 6
    assert (tmp_path / "landing" / "2010-12-01.csv").read_text() == (
        HEADER + '536365,85123A,"LANTERN, WHITE",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n'
        "C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom\n"
        '636365,85123A,"LANTERN, WHITE",6,2010-12-01 08:26:00,2.55,117850.0,United Kingdom\n'
        "C636379,D,Discount,-1,2010-12-01 09:41:00,27.5,114527.0,United Kingdom\n"
    )
    assert (tmp_path / "landing" / "2010-12-02.csv").read_text() == (
        HEADER + "A563186,B,Adjust bad debt,1,2010-12-02 14:51:00,-11062.06,,United Kingdom\n"
        "A663186,B,Adjust bad debt,1,2010-12-02 14:51:00,-11062.06,,United Kingdom\n"
    )


def test_data_of_a_scale_are_made_once(two_days, tmp_path):
    land(two_days, tmp_path / "landing", copies=1)
    (tmp_path / "landing" / "2010-12-01.csv").write_text("kept")

    assert land(two_days, tmp_path / "landing", copies=1) == 3
    assert (tmp_path / "landing" / "2010-12-01.csv").read_text() == "kept"


def figures(contender: str, seconds: dict[int, float], **others: int) -> list[Figure]:
    return [Figure(scale, scale * 1000, contender, seconds=value, **others) for scale, value in seconds.items()]


def test_the_growth_exponent_is_one_when_seconds_grow_with_lines_and_two_with_their_square():
    linear = figures("sail", {1: 9.0, 5: 1.0, 20: 4.0, 50: 10.0})  # 1x lies below the smallest scale that counts
    square = figures("duckdb", {5: 1.0, 50: 100.0})

    assert growth_exponent(linear + square, "sail") == pytest.approx(1)
    assert growth_exponent(linear + square, "duckdb") == pytest.approx(2)


def test_there_is_no_growth_exponent_of_one_scale():
    assert growth_exponent(figures("sail", {1: 1.0, 5: 2.0}), "sail") is None


def test_each_aim_is_judged_by_its_ratio():
    measured = [
        *figures("sail", {5: 5.0, 20: 20.0, 50: 50.0}, peak_memory_bytes=7 * 2**30),
        *figures("spark", {20: 120.0}),
        *figures("plain", {20: 100.0}),
        *figures("duckdb", {20: 16.0}),
        *figures("polars", {20: 18.0}),
    ]

    found = verdicts(measured, [DailyFigure(50, 50.0, 2.0, 4.0, 1.5)])

    assert [(verdict.measured, verdict.is_met) for verdict in found] == [
        ("1.25 times", True),
        ("6.00 times", True),
        ("1.000", True),
        ("7.00 GiB", False),
        ("1.20 times", False),
        ("4.0%", True),
        ("1.5 s", True),
    ]


def test_an_aim_whose_scale_was_not_run_is_neither_met_nor_missed():
    assert {verdict.is_met for verdict in verdicts(figures("sail", {1: 1.0}), [])} == {None}


def test_the_best_of_two_peers_is_not_told_from_one():
    found = verdicts(figures("sail", {20: 20.0}) + figures("duckdb", {20: 16.0}), [])

    assert found[0].is_met is None


def test_a_peer_that_failed_leaves_the_other_as_the_best():
    failed = [Figure(20, 20_000, "polars", failure="ended by SIGKILL")]

    found = verdicts(figures("sail", {20: 20.0}) + figures("duckdb", {20: 16.0}) + failed, [])

    assert found[0].measured == "1.25 times"


def lake(path: Path, rows: list[tuple[str, Decimal, float | None]]) -> Path:
    names, spends, shares = zip(*rows, strict=True)
    columns = {
        "customer_id": pa.array(names),
        "gross_spend": pa.array(spends, pa.decimal128(18, 4)),
        "returned_share": pa.array(shares, pa.float64()),
    }
    write_deltalake(path / "gold" / "customer_value", pa.table(columns))
    return path


ROWS = [("12346", Decimal("77183.6000"), 1.0), ("12347", Decimal("4310.0000"), 0.25), ("12348", Decimal(0), None)]


def of(root: Path) -> Fingerprint:
    return fingerprint(root / "gold" / "customer_value", COMPARED.columns)


def test_rows_in_another_order_have_the_same_fingerprint(tmp_path):
    assert of(lake(tmp_path / "a", ROWS)) == of(lake(tmp_path / "b", ROWS[::-1]))


def test_one_other_value_gives_another_fingerprint_and_its_column_is_named(tmp_path):
    expected = lake(tmp_path / "a", ROWS)
    found = lake(tmp_path / "b", [*ROWS[:2], ("12348", Decimal("0.0001"), None)])

    assert of(found) != of(expected)
    assert differing_columns(found, expected, COMPARED) == ["gross_spend"]


def test_a_column_that_is_missing_is_a_difference(tmp_path):
    expected = lake(tmp_path / "a", ROWS)
    without = pa.table({"customer_id": ["12346", "12347", "12348"], "gross_spend": [Decimal("1.0000")] * 3})
    write_deltalake(tmp_path / "b" / "gold" / "customer_value", without)

    assert of(tmp_path / "b") != of(expected)
    assert differing_columns(tmp_path / "b", expected, COMPARED) == ["gross_spend", "returned_share"]


def test_a_row_twice_gives_another_fingerprint(tmp_path):
    assert of(lake(tmp_path / "a", [*ROWS, ROWS[0]])) != of(lake(tmp_path / "b", ROWS))


def test_doubles_that_differ_in_the_last_digits_are_the_same(tmp_path):
    near = [*ROWS[:1], ("12347", Decimal("4310.0000"), 0.25 + 1e-15), ROWS[2]]

    assert of(lake(tmp_path / "a", near)) == of(lake(tmp_path / "b", ROWS))


def test_of_a_dated_table_only_the_last_date_counts(tmp_path):
    rows = {"customer_id": ["a", "b"], "as_of": [date(2011, 12, 8), date(2011, 12, 9)]}
    write_deltalake(tmp_path / "both", pa.table(rows), partition_by="as_of")
    write_deltalake(tmp_path / "last", pa.table(rows).slice(1))
    columns = only(CUSTOMER_VALUE, "customer_id", "as_of").columns

    assert fingerprint(tmp_path / "both", columns) == fingerprint(tmp_path / "last", columns)


@pytest.mark.parametrize(
    ("code", "said", "failure"),
    [
        ("print('{\"cold_start\": 1.5}')", {"cold_start": 1.5}, None),
        ("raise SystemExit('no room')", {}, "exit code 1: no room"),
        ("import os; os.kill(os.getpid(), 9)", {}, "ended by SIGKILL, which is what Linux sends when memory runs out"),
    ],
)
def test_whatever_a_contender_does_is_a_figure_or_a_failure_in_words(code, said, failure):
    measured = measure([sys.executable, "-c", code])

    assert (measured.said, measured.failure) == (said, failure)


def test_a_contender_that_takes_too_long_is_stopped():
    measured = measure([sys.executable, "-c", "import time; time.sleep(60)"], limit_seconds=1)

    assert measured.failure == "stopped after 1 s"
    assert measured.wall_seconds < 30


def test_memory_of_a_process_that_it_starts_is_counted():
    takes_memory = "import time; taken = bytearray(200 << 20); time.sleep(1.5)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {takes_memory!r}])"

    assert measure([sys.executable, "-c", code]).peak_memory_bytes > 200 << 20
