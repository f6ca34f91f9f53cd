from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import types as T

from customerlake.contracts.checks import NotNull
from customerlake.contracts.table import Field, Table
from customerlake.errors import ConfigError
from customerlake.monitor.measures import Measured
from customerlake.monitor.quality import QUALITY, failures, of_new_rows, refuse_unknown, scorecard
from customerlake.runtime.config import QualityConfig, TableQuality

pytestmark = pytest.mark.before_an_engine
DEC_9 = date(2011, 12, 9)
VISITS = Table(
    name="silver.visits",
    grain="one row per visit",
    key=("visit",),
    columns=(
        Field("visit", T.StringType(), "number of the visit"),
        Field("shop", T.StringType(), "where"),
        Field("customer_id", T.StringType(), "who", personal="identify"),
        Field("_batch", T.LongType(), "landing"),
    ),
    checks=(NotNull("shop"),),
)
UNCHECKED = Table(name="silver.visits", grain="one row per visit", key=("visit",), columns=VISITS.columns)


def found(rows=100, *, missing=(0, 0, 0), keys=None, broken=None, inconsistent=0, newest_on=DEC_9):
    return Measured(
        count_rows=rows,
        missing=dict(zip(("visit", "shop", "customer_id"), missing, strict=True)),
        count_keys=rows if keys is None else keys,
        broken=broken or {},
        count_inconsistent=inconsistent,
        newest_on=newest_on,
    )


def rows_of(counts, *, table=VISITS, received=100, quarantined=0, newest_day=DEC_9, **config):
    """The scorecard by dimension and column."""
    rows = scorecard(
        table, counts, received=received, quarantined=quarantined, newest_day=newest_day, config=QualityConfig(**config)
    )
    return {(row["dimension"], row["column"]): row for row in rows}


def seen(row):
    return row["value"], row["count_rows"], row["count_failed"], row["threshold"], row["is_passed"]


def test_completeness_is_the_share_of_values_that_are_there_by_column_and_over_all():
    rows = rows_of(found(missing=(0, 10, 25)))

    assert seen(rows["completeness", "visit"]) == (1.0, 100, 0, 1.0, True)
    assert seen(rows["completeness", "shop"]) == (0.9, 100, 10, 1.0, False)
    assert seen(rows["completeness", "customer_id"]) == (0.75, 100, 25, None, None)
    assert seen(rows["completeness", "*"]) == (265 / 300, 300, 35, None, None)
    assert rows["completeness", "shop"]["finding"] == "10 of 100 rows lack shop"
    assert rows["completeness", "visit"]["finding"] is None


def test_a_lake_file_may_ask_for_the_completeness_of_a_column_that_is_not_required():
    tables = {"silver.visits": TableQuality(columns={"customer_id": 0.8})}

    rows = rows_of(found(missing=(0, 0, 25)), tables=tables)

    assert seen(rows["completeness", "customer_id"]) == (0.75, 100, 25, 0.8, False)


def test_a_lake_file_may_ask_for_less_of_a_required_column():
    tables = {"silver.visits": TableQuality(completeness=0.8, columns={"visit": 0.5})}

    rows = rows_of(found(missing=(40, 20, 0)), tables=tables)

    assert seen(rows["completeness", "shop"]) == (0.8, 100, 20, 0.8, True)
    assert seen(rows["completeness", "visit"]) == (0.6, 100, 40, 0.5, True)


def test_validity_is_accepted_of_accepted_and_quarantined():
    rows = rows_of(found(), received=120, quarantined=30)

    assert seen(rows["validity", "*"]) == (0.75, 120, 30, 0.9, False)
    assert rows["validity", "*"]["finding"] == "30 of 120 rows are in quarantine.visits, with their reasons"


def test_a_table_of_which_every_row_was_rejected_has_a_validity_of_zero():
    rows = rows_of(found(rows=0), received=50, quarantined=50)

    assert seen(rows["validity", "*"]) == (0.0, 50, 50, 0.9, False)


def test_a_table_without_checks_has_no_validity():
    assert ("validity", "*") not in rows_of(found(), table=UNCHECKED)


def test_uniqueness_is_distinct_keys_by_rows():
    rows = rows_of(found(keys=96))

    assert seen(rows["uniqueness", "*"]) == (0.96, 100, 4, 1.0, False)
    assert rows["uniqueness", "*"]["finding"] == "4 of 100 rows have no visit of their own"


def test_consistency_is_the_share_of_rows_that_break_no_measured_rule_and_names_the_broken_ones():
    broken = {"a is not b": 30, "c is below 0": 40, "d is above 1": 0}

    rows = rows_of(found(broken=broken, inconsistent=60))

    assert seen(rows["consistency", "*"]) == (0.4, 100, 60, 0.5, False)
    assert rows["consistency", "*"]["finding"] == "60 of 100 rows break a rule: a is not b: 30; c is below 0: 40"


def test_a_table_whose_rules_all_hold_is_consistent_and_one_without_rules_has_no_consistency():
    assert seen(rows_of(found(broken={"a is not b": 0}))["consistency", "*"]) == (1.0, 100, 0, 0.5, True)
    assert ("consistency", "*") not in rows_of(found())


@pytest.mark.parametrize(
    ("newest_on", "value"),
    [(DEC_9, 1.0), (date(2011, 11, 29), 1.0), (date(2011, 11, 19), 0.5), (date(2011, 8, 31), 0.1)],
)
def test_timeliness_falls_from_one_when_the_newest_event_is_further_behind_than_is_allowed(newest_on, value):
    row = rows_of(found(newest_on=newest_on), fresh_within_days=10)["timeliness", "*"]

    assert seen(row) == (value, 100, None, 0.0, True)
    assert row["newest_on"] == newest_on


def test_timeliness_is_judged_where_the_lake_file_asks_for_it():
    tables = {"silver.visits": TableQuality(timeliness=1.0, fresh_within_days=20)}

    assert rows_of(found(newest_on=date(2011, 11, 19)), tables=tables)["timeliness", "*"]["is_passed"] is True
    assert rows_of(found(newest_on=date(2011, 11, 18)), tables=tables)["timeliness", "*"]["is_passed"] is False


def test_a_table_whose_events_have_no_day_has_no_timeliness():
    assert ("timeliness", "*") not in rows_of(found(newest_on=None))
    assert ("timeliness", "*") not in rows_of(found(newest_on=None), newest_day=None)


def test_a_table_has_the_thresholds_of_all_tables_but_those_of_its_own():
    config = {"validity": 0.99, "uniqueness": 0.5, "tables": {"silver.visits": TableQuality(validity=0.7)}}

    rows = rows_of(found(keys=60), received=100, quarantined=20, **config)

    assert seen(rows["validity", "*"]) == (0.8, 100, 20, 0.7, True)
    assert seen(rows["uniqueness", "*"]) == (0.6, 100, 40, 0.5, True)


def test_thresholds_of_another_table_do_not_count():
    tables = {"silver.orders": TableQuality(validity=0.1)}

    assert rows_of(found(), received=100, quarantined=20, tables=tables)["validity", "*"]["threshold"] == 0.9


@pytest.mark.parametrize(("rows", "is_passed"), [(19, None), (20, False)])
def test_a_share_of_fewer_rows_than_can_be_judged_is_kept_and_not_judged(rows, is_passed):
    row = rows_of(found(rows=rows, keys=1))["uniqueness", "*"]

    assert row["is_passed"] is is_passed
    assert row["value"] == 1 / rows


def test_an_empty_table_has_no_shares_and_fails_nothing():
    rows = rows_of(found(rows=0, newest_on=None), received=0, fewest_rows=1)

    assert {row["value"] for row in rows.values()} == {None}
    assert failures(rows.values()) == []


def test_the_rows_are_those_of_the_table_but_for_the_run():
    rows = rows_of(found(broken={"a is not b": 1}, inconsistent=1))

    assert {frozenset(row) for row in rows.values()} == {frozenset(QUALITY.column_names) - {"run_id", "measured_at"}}


def test_failures_are_what_was_judged_and_is_below_its_threshold():
    rows = rows_of(found(missing=(0, 1, 50), keys=99))

    assert [(row["dimension"], row["column"]) for row in failures(rows.values())] == [
        ("completeness", "shop"), ("uniqueness", "*"),
    ]  # fmt: skip


@given(st.integers(1, 200), st.integers(0, 200), st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9, 1.0]))
def test_a_share_passes_exactly_when_enough_rows_do(rows, failed, threshold):
    failed = min(failed, rows)

    row = rows_of(found(rows=rows, keys=rows - failed), uniqueness=threshold, fewest_rows=1)["uniqueness", "*"]

    assert 0 <= row["value"] <= 1
    assert row["is_passed"] == (100 * (rows - failed) >= round(100 * threshold) * rows)


def test_thresholds_of_a_table_that_there_is_not_are_refused_with_the_nearest():
    config = QualityConfig(tables={"silver.visit": TableQuality(validity=0.5)})

    with pytest.raises(
        ConfigError, match=r"quality\.tables\.silver\.visit: there is none; did you mean silver\.visits\?"
    ):
        refuse_unknown(config, [VISITS])


def test_a_threshold_of_a_column_that_there_is_not_is_refused_with_those_there_are():
    config = QualityConfig(tables={"silver.visits": TableQuality(columns={"zzz": 0.5, "shop": 1.0})})

    with pytest.raises(ConfigError) as refusal:
        refuse_unknown(config, [VISITS])

    assert str(refusal.value) == (
        "The lake file cannot be used:\n"
        "  - quality.tables.silver.visits.columns.zzz: there is none; there are visit, shop, customer_id."
    )


def test_thresholds_of_known_tables_and_columns_are_taken():
    config = QualityConfig(tables={"silver.visits": TableQuality(columns={"shop": 1.0})})

    assert refuse_unknown(config, [VISITS]) is None


def validity(run, day, received, rejected, column="*", is_passed=True):
    return {
        "run_id": run, "table": VISITS.name, "dimension": "validity", "column": column, "count_rows": received,
        "count_failed": rejected, "is_passed": is_passed, "measured_at": day,
    }  # fmt: skip


def of_new(received, quarantined, history):
    rows = scorecard(
        VISITS, found(), received=received, quarantined=quarantined, newest_day=DEC_9, config=QualityConfig()
    )
    return of_new_rows(rows, history, QualityConfig())


def test_a_bad_day_fails_by_itself_however_large_the_lake():
    (row,) = of_new(1_000_100, 60, [validity("a", 1, 1_000_000, 10)])

    assert (row["column"], row["value"], row["count_rows"], row["count_failed"], row["is_passed"]) == (
        "new rows", 0.5, 100, 50, False,
    )  # fmt: skip
    assert row["finding"] == "50 of 100 rows received since the last run were rejected"


def test_what_failed_is_judged_again_with_what_came_since():
    before = [
        validity("a", 1, 1_000, 0),
        validity("b", 2, 1_100, 50),
        validity("b", 2, 100, 50, column="new rows", is_passed=False),
    ]

    (row,) = of_new(1_120, 50, before)

    assert (row["count_rows"], row["count_failed"]) == (120, 50)


@pytest.mark.parametrize(
    ("history", "received", "quarantined"),
    [
        pytest.param([], 100, 50, id="never measured before"),
        pytest.param([validity("a", 1, 100, 5)], 100, 5, id="nothing new"),
        pytest.param([validity("a", 1, 100, 50)], 130, 20, id="a replay took rows out of quarantine"),
    ],
)
def test_without_rows_that_are_new_and_only_that_nothing_is_said_of_them(history, received, quarantined):
    assert of_new(received, quarantined, history) == []


def test_of_a_few_new_rows_the_share_is_kept_and_not_judged():
    (row,) = of_new(110, 10, [validity("a", 1, 100, 0)])

    assert (row["value"], row["threshold"], row["is_passed"]) == (0.0, None, None)
