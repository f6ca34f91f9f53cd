"""The benchmark of gold: all who build it build the same, and what its figures say."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from aims import Figure
from customerlake.gold.rfm import RFM
from fingerprints import differences, filled
from gold import STEPS, Benchmark, DayFigure, by_step, copy_lake, ratios_to_plain, verdicts


@pytest.mark.before_an_engine
def test_all_contenders_build_the_same_gold_and_one_more_day_ends_in_the_gold_of_a_rebuild(tmp_path):
    benchmark = Benchmark(tmp_path, ["sail", "plain_sail", "duckdb"], days=4, limit_seconds=300)

    benchmark.measure_scale(1)

    assert (benchmark.failures, benchmark.differences) == ([], [])
    assert [list(by_step(figure)) for figure in benchmark.figures] == [list(STEPS)] * 3
    assert [(day.engine, list(day.steps)) for day in benchmark.daily] == [("sail", list(STEPS))]
    for table in [table for tables in STEPS.values() for table in tables]:
        assert DeltaTable(tmp_path / "1x" / "sail" / "gold" / table).to_pyarrow_table().num_rows > 0, table


def lake(path: Path, **columns: pa.Array) -> Path:
    dated = {"customer_id": ["a", "b"], "as_of": [date(2011, 12, 9)] * 2, **columns}
    write_deltalake(path / "gold" / "rfm", pa.table(dated), partition_by="as_of")
    return path


SPENT = pa.array([Decimal("1.0000"), Decimal("2.0000")], pa.decimal128(18, 4))


def test_a_column_that_is_null_throughout_need_not_be_built_by_others(tmp_path):
    ours = lake(tmp_path / "ours", total_spend=SPENT, rfm_segment=pa.nulls(2, pa.string()))
    theirs = lake(tmp_path / "theirs", total_spend=SPENT)

    assert differences(theirs, ours, [filled(ours, RFM)]) == []


def test_a_column_with_values_that_others_lack_or_have_otherwise_is_a_difference(tmp_path):
    ours = lake(tmp_path / "ours", total_spend=SPENT)
    other = lake(tmp_path / "other", total_spend=pa.array([Decimal("1.0000"), None], pa.decimal128(18, 4)))

    for theirs in (other, lake(tmp_path / "lacking")):
        (told,) = differences(theirs, ours, [filled(ours, RFM)])
        assert told == "gold.rfm: 2 rows beside 2; other values in total_spend"


def test_what_is_added_to_the_copy_of_a_lake_is_not_in_the_lake(tmp_path):
    ours = lake(tmp_path / "ours", total_spend=SPENT)
    copy_lake(ours, tmp_path / "copy")

    lake(tmp_path / "more", total_spend=SPENT)
    write_deltalake(
        tmp_path / "copy" / "gold" / "rfm", DeltaTable(tmp_path / "more/gold/rfm").to_pyarrow_table(), mode="append"
    )

    assert DeltaTable(ours / "gold" / "rfm").to_pyarrow_table().num_rows == 2
    assert DeltaTable(tmp_path / "copy" / "gold" / "rfm").to_pyarrow_table().num_rows == 4


def test_seconds_of_others_are_summed_over_the_tables_of_a_step():
    stages = {table: 1.0 for tables in STEPS.values() for table in tables}

    assert by_step(Figure(1, 1000, "duckdb", stages=stages)) == {
        "value": 5.0, "behaviour": 3.0, "lifecycle": 2.0, "segment_rules": 2.0, "kpis": 3.0, "customer_360": 1.0,
    }  # fmt: skip


FIGURES = [
    *[Figure(scale, scale * 1000, "sail", seconds=seconds) for scale, seconds in ((1, 1.0), (20, 40.0))],
    Figure(20, 20_000, "spark", seconds=90.0),
    Figure(20, 20_000, "plain", seconds=100.0),
]


def test_ours_is_held_against_the_plain_script_on_the_same_engine():
    assert ratios_to_plain(FIGURES) == [{"scale": 20, "contender": "spark", "plain": "plain", "ratio": 0.9}]


def test_each_aim_is_judged_by_its_ratio():
    day = DayFigure(20, "sail", 40.0, 8.0, {}, 1.0, 40.0, 0)

    assert [(verdict.measured, verdict.is_met) for verdict in verdicts(FIGURES, [day])] == [
        ("0.90 times", True),
        ("not run", None),
        ("1.231", False),
        ("not run", None),
        ("20.0%", False),
        ("not run", None),
    ]
