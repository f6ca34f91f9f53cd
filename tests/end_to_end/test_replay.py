"""A feed is taken from bronze again after a rule was corrected: what now keeps the rules leaves quarantine, once."""

from pathlib import Path

import pytest

from customerlake.runtime import job, replays
from customerlake.runtime.outcome import Counts
from customerlake.runtime.pipeline import PIPELINE
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS
from customerlake.silver.tickets import TICKETS

pytestmark = pytest.mark.before_an_engine
HEADER = "order_id,product_id,description,quantity,ordered_at,unit_price,customer_id,country\n"
OF_JANUARY = "1,A,cup,6,31/01/2011 10:00:00,1.5,7,France\n"
OF_MARCH = "2,A,cup,1,01/03/2011 10:00:00,1.5,8,France\n"
TICKET_HEADER = "ticket_id,status,priority,opened_at,updated_at\n"
LAKE = """
name: test
currency: EUR
feeds:
  sales: {{path: sales, timestamp_format: "{sales}"}}
  tickets: {{path: tickets, timestamp_format: "{tickets}"}}
"""
WRONG, RIGHT = "MM/dd/yyyy HH:mm:ss", "dd/MM/yyyy HH:mm:ss"


@pytest.fixture
def lake(tmp_path, spark, engine):
    """Runs all silver steps over a lake whose feeds are read by the given patterns; the outcomes by step."""
    (tmp_path / "sales").mkdir()
    (tmp_path / "tickets").mkdir()

    def run_with(*, sales=RIGHT, tickets=RIGHT, replay=None, last="customers"):
        file = tmp_path / "lake.yaml"
        file.write_text(LAKE.format(sales=sales, tickets=tickets))
        run = job.Run(root=str(tmp_path / "lake"), lake_file=str(file), spark=spark, engine=engine)
        if replay:
            replays.ask(run.lake, replay.name, run_id=run.run_id, happened_at=run.started_at)
        outcomes = {}
        for step in PIPELINE:
            outcomes[step.name] = job.execute(step, run) if not step.needs else None
            if step.name == last:
                break
        return run, outcomes

    run_with.sales, run_with.tickets = Path(tmp_path / "sales"), Path(tmp_path / "tickets")
    return run_with


def days(run, table=ORDER_LINES, column="ordered_on"):
    return sorted(str(row[column]) for row in run.records(table))


def test_rows_that_now_keep_the_rules_leave_quarantine_and_a_second_replay_changes_nothing(lake):
    (lake.sales / "a.csv").write_text(HEADER + OF_JANUARY + OF_MARCH)
    run, outcomes = lake(sales=WRONG)
    assert outcomes["order_lines"].counts[ORDER_LINES.name] == Counts(2, 1, 1, 0)  # 31/01 is no day of that pattern
    assert days(run) == ["2011-01-03"]  # and 01/03 another

    run, outcomes = lake(replay=ORDER_LINES)

    assert outcomes["order_lines"].counts[ORDER_LINES.name] == Counts(2, 2, 0, 0)
    assert outcomes["order_lines"].remarks == ["silver.order_lines taken again from bronze: rows changed"]
    assert days(run) == ["2011-01-31", "2011-03-01"]
    assert days(run, ORDERS) == ["2011-01-31", "2011-03-01"]  # what comes after follows

    versions = {table.name: run.lake.version(table) for table in (ORDER_LINES, ORDERS)}
    run, outcomes = lake(replay=ORDER_LINES)

    assert outcomes["order_lines"].remarks == ["silver.order_lines taken again from bronze: nothing changed"]
    assert {table.name: run.lake.version(table) for table in (ORDER_LINES, ORDERS)} == versions


def test_a_replay_that_was_asked_for_is_done_by_the_next_run_and_takes_new_files_too(lake):
    (lake.sales / "a.csv").write_text(HEADER + OF_JANUARY)
    lake(sales=WRONG)
    (lake.sales / "b.csv").write_text(HEADER + OF_MARCH + OF_JANUARY)

    run, outcomes = lake(replay=ORDER_LINES)

    assert outcomes["order_lines"].counts[ORDER_LINES.name] == Counts(3, 2, 0, 1)
    assert days(run) == days(run, ORDERS) == ["2011-01-31", "2011-03-01"]
    assert replays.pending(run.lake, ORDER_LINES.name) is None


def test_lines_of_after_a_replay_are_taken_as_ever(lake):
    (lake.sales / "a.csv").write_text(HEADER + OF_JANUARY)
    lake(sales=WRONG)
    lake(replay=ORDER_LINES)
    (lake.sales / "b.csv").write_text(HEADER + OF_MARCH + OF_JANUARY)

    run, outcomes = lake()

    assert outcomes["order_lines"].counts[ORDER_LINES.name] == Counts(3, 2, 0, 1)
    assert days(run, ORDERS) == ["2011-01-31", "2011-03-01"]


def test_a_replay_of_one_feed_leaves_the_others_as_they_are(lake):
    (lake.sales / "a.csv").write_text(HEADER + OF_JANUARY)
    (lake.tickets / "a.csv").write_text(
        TICKET_HEADER
        + "t1,open,low,31/01/2011 10:00:00,31/01/2011 10:00:00\n"
        + "t1,solved,low,31/01/2011 10:00:00,02/02/2011 10:00:00\n"
        + "t2,open,whenever,31/01/2011 10:00:00,31/01/2011 10:00:00\n"
    )
    run, outcomes = lake(tickets=WRONG)
    assert outcomes["records"].counts[TICKETS.name] == Counts(3, 0, 3, 0)
    untouched = run.lake.version(ORDER_LINES)

    run, outcomes = lake(replay=TICKETS)

    assert outcomes["records"].counts[TICKETS.name] == Counts(3, 1, 1, 1)  # the state before is no duplicate, but older
    assert [(row["ticket_id"], row["status"], row["count_received"]) for row in run.records(TICKETS)] == [
        ("t1", "solved", 2)
    ]
    assert run.lake.version(ORDER_LINES) == untouched
