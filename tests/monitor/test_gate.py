"""The step over silver tables of a few rows, written straight into a lake."""

from datetime import UTC, datetime, timedelta

import pytest

from customerlake.catalogue import CATALOGUE, table_named
from customerlake.contracts.quarantine import quarantine_table
from customerlake.monitor.gate import event_column, is_judged, verdict
from customerlake.monitor.quality import QUALITY
from customerlake.runtime import job
from customerlake.runtime.pipeline import step_named
from customerlake.runtime.runs import last_success
from customerlake.silver.tickets import TICKETS

NOON = datetime(2011, 12, 1, 12)


def ticket(number, **values):
    opened_at = NOON + timedelta(hours=number)
    return {"ticket_id": f"t{number}", "status": "open", "opened_at": opened_at, "updated_at": opened_at,
            "is_deleted": False, "count_received": 1, "_batch": 1} | values  # fmt: skip


@pytest.fixture
def hold(run, spark):
    """Put rows into a table of the lake: their columns as given, all others null."""

    def held(table, *rows):
        values = [tuple(row.get(name) for name in table.column_names) for row in rows]
        run.lake.append(table, spark.createDataFrame(values, table.schema))

    return held


@pytest.fixture
def rerun(run, lake_file, spark, engine):
    """Measure once more, with the lake file as it is now."""

    def again():
        later = job.Run(root=run.root, lake_file=str(lake_file), spark=spark, engine=engine)
        return job.execute(step_named("quality"), later)

    return again


def of_tickets(run, dimension, column="*"):
    """What the newest run found."""
    rows = [
        row for row in run.records(QUALITY)
        if (row["table"], row["dimension"], row["column"]) == ("silver.tickets", dimension, column)
    ]  # fmt: skip
    return max(rows, key=lambda row: row["measured_at"])


def test_a_lake_without_silver_has_nothing_to_measure(run, execute):
    assert execute("quality").state == "unchanged"
    assert not run.lake.exists(QUALITY)


def test_every_dimension_of_a_table_is_kept_with_the_run_that_measured_it(run, hold, execute):
    hold(
        TICKETS,
        *[ticket(number, customer_id="7") for number in range(30)],
        *[ticket(number, first_response_at=NOON) for number in range(30, 40)],
    )
    hold(quarantine_table(TICKETS), {"raw": "{}", "reasons": ["status 'lost' is none of open"]})

    outcome = execute("quality")

    assert (outcome.state, outcome.message) == ("succeeded", None)
    assert of_tickets(run, "completeness", "customer_id")["value"] == 0.75
    assert of_tickets(run, "validity")["value"] == 40 / 41
    assert of_tickets(run, "uniqueness")["value"] == 1.0
    assert of_tickets(run, "consistency")["value"] == 0.75  # a response before the ticket was opened
    assert of_tickets(run, "timeliness")["value"] == 1.0
    assert {row["run_id"] for row in run.records(QUALITY)} == {run.run_id}
    assert [(written.table, written.rows > 10) for written in outcome.written] == [("ops.quality", True)]


def test_a_step_below_a_threshold_fails_with_what_was_found_and_keeps_it(run, hold, execute):
    hold(TICKETS, *[ticket(number) for number in range(15)])
    hold(quarantine_table(TICKETS), *[{"raw": "{}", "reasons": ["no"], "line_number": n} for n in range(10)])

    outcome = execute("quality")

    assert outcome.state == "failed"
    assert outcome.message == (
        "Silver is not good enough for gold to be made of it:\n"
        "  - silver.tickets: validity is 0.6, at least 0.9 is asked for: "
        "10 of 25 rows are in quarantine.tickets, with their reasons\n"
        "Correct the source, or what the lake file says of it, and run again; `customerlake replay FEED` takes again "
        "what is in bronze. Where it is meant to be so, ask for less in the lake file: "
        "quality: {tables: {silver.tickets: {validity: 0.6}}}. `customerlake show ops.quality` has all figures."
    )
    assert of_tickets(run, "validity")["is_passed"] is False
    assert last_success(run.lake, "quality", None) is None


def test_what_the_message_says_to_write_into_the_lake_file_lets_the_run_pass(hold, execute, lake_file, rerun):
    hold(TICKETS, *[ticket(number) for number in range(15)])
    hold(quarantine_table(TICKETS), *[{"raw": "{}", "reasons": ["no"], "line_number": n} for n in range(10)])
    said = execute("quality").message
    assert rerun().state == "failed"

    lake_file.write_text(lake_file.read_text() + said.split("in the lake file: ")[1].split(". `")[0] + "\n")

    assert rerun().state == "succeeded"


def test_several_failures_are_told_at_once_with_one_setting_for_all():
    failed = [
        {"table": "silver.a", "dimension": "completeness", "column": "x", "value": 0.29, "threshold": 1.0,
         "finding": "71 of 100 rows lack x"},
        {"table": "silver.a", "dimension": "uniqueness", "column": "*", "value": 0.99999, "threshold": 1.0,
         "finding": "1 of 100000 rows have no id of their own"},
        {"table": "silver.b", "dimension": "validity", "column": "*", "value": 2 / 3, "threshold": 0.9,
         "finding": "10 of 30 rows are in quarantine.b, with their reasons"},
    ]  # fmt: skip

    said = verdict(failed)

    assert "silver.a: completeness of x is 0.29, at least 1 is asked for: 71 of 100 rows lack x\n" in said
    assert "silver.a: uniqueness is 0.9999, at least 1 is asked for" in said
    assert "silver.b: validity is 0.6666, at least 0.9 is asked for" in said
    assert (
        "quality: {tables: {silver.a: {columns: {x: 0.29}, uniqueness: 0.9999}, silver.b: {validity: 0.6666}}}." in said
    )


def test_the_step_is_skipped_while_no_silver_table_changes(hold, execute, rerun):
    hold(TICKETS, ticket(1))
    execute("quality")

    assert rerun().state == "unchanged"
    hold(TICKETS, ticket(2))
    assert (rerun().state, rerun().state) == ("succeeded", "unchanged")
    hold(quarantine_table(TICKETS), {"raw": "{}", "reasons": ["no"]})  # validity has changed alone
    assert (rerun().state, rerun().state) == ("succeeded", "unchanged")


def test_a_table_that_is_far_behind_the_lake_is_found_so(run, hold, execute):
    hold(TICKETS, ticket(1))
    hold(table_named("silver.loyalty_events"), {"event_id": "e", "happened_at": datetime(2012, 1, 31), "_batch": 1})

    execute("quality")

    assert of_tickets(run, "timeliness")["value"] == 30 / 61
    assert of_tickets(run, "timeliness")["finding"] == (
        "the newest row of silver.tickets is of 2011-12-01, 61 days behind 2012-01-31, the newest day of the lake; "
        "30 are allowed"
    )


def test_an_unusual_number_of_rows_is_told_and_stops_nothing(run, hold, execute):
    before = [
        {"run_id": f"run {day}", "table": "silver.tickets", "dimension": "uniqueness", "column": "*",
         "count_rows": 100, "measured_at": datetime(2011, 1, 1 + day, tzinfo=UTC)}
        for day in range(7)
    ]  # fmt: skip
    run.lake.record(QUALITY, before)
    hold(TICKETS, *[ticket(number) for number in range(30)])

    outcome = execute("quality")

    assert outcome.state == "succeeded"
    assert outcome.remarks == [
        "silver.tickets has 30 rows; the usual number, the median of the 7 runs before, is 100, and 0.5 to 2 times "
        "that is expected"
    ]


def test_thresholds_of_a_table_that_there_is_not_stop_the_step(hold, lake_file, rerun):
    hold(TICKETS, ticket(1))
    lake_file.write_text(lake_file.read_text() + "quality: {tables: {silver.ticket: {validity: 1}}}\n")

    outcome = rerun()

    assert outcome.state == "failed"
    assert "quality.tables.silver.ticket: there is none; did you mean silver.tickets?" in outcome.message


@pytest.mark.before_an_engine
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("silver.tickets", "updated_at"), ("silver.web_events", "happened_at"), ("silver.exchange_rates", "rated_on"),
        ("silver.product_list", "updated_at"), ("silver.customer_attributes", None),
        ("silver.order_lines", "ordered_on"), ("silver.orders", "ordered_on"), ("silver.products", "last_seen_on"),
        ("silver.cancellations", "cancelled_on"), ("silver.customers", "last_seen_on"),
    ],
)  # fmt: skip
def test_the_day_of_a_row_is_that_of_its_event(table, column):
    assert event_column(table_named(table)) == column


@pytest.mark.before_an_engine
def test_silver_tables_made_of_landings_are_judged_and_no_others():
    judged = {table.name for table in CATALOGUE if is_judged(table)}

    assert {"silver.order_lines", "silver.orders", "silver.customers", "silver.tickets", "silver.consents"} <= judged
    assert {name.split(".")[0] for name in judged} == {"silver"}


@pytest.mark.before_an_engine
@pytest.mark.parametrize("table", [table for table in CATALOGUE if table.measured], ids=lambda table: table.name)
def test_every_measured_rule_says_in_words_what_is_wrong_and_no_two_say_the_same(table):
    said = [str(rule) for rule in table.measured]

    assert [text for text in said if "(" in text or "<" in text] == []  # as objects without words are printed
    assert len(set(said)) == len(said)
