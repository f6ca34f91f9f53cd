"""The job: which dates it makes, of which frames, and when it has nothing to do."""

from datetime import date, datetime, timedelta

import pytest

from customerlake.features.labels import LABELS
from customerlake.features.snapshot import SNAPSHOT
from customerlake.runtime import job
from tests.conftest import step_named

pytestmark = pytest.mark.before_an_engine  # on JVM Spark tests/end_to_end makes features, and holds them against sail's

FIRST, DAYS = date(2011, 1, 1), 60
LAST = FIRST + timedelta(days=DAYS - 1)
STEPS = ("land_files", "records", "order_lines", "customer_records", "identities", "orders")
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
MODELS = """
churn: {horizon_days: 10, gap_days: 2, training_dates: 2, training_step_days: 5, splits: 1}
purchase_intent: {horizon_days: 8, gap_days: 4, training_dates: 2, training_step_days: 5, splits: 2}
"""


def days_before(*numbers):
    return sorted(LAST - timedelta(days=number) for number in numbers)


CHURN_DATES = days_before(29, 24, 12)  # 12 days are needed after each; two dates to learn from, one to judge on
INTENT_DATES = days_before(34, 29, 24, 17, 12)  # the same, and a split that is 5 days older


def sales(day, customer):
    return f"{customer}{day:%m%d},CUP,CUP,1,{day} 12:00:00,2.5,{customer},France"


@pytest.fixture
def lake(tmp_path, lake_file, sales_folder, spark, engine):
    """Lands sales of 60 days to two customers, one of whom stops after 45; and what features make of them."""
    lake_file.write_text(lake_file.read_text() + f"  web_events: {{path: {tmp_path}/web, pattern: '*.csv'}}\n" + MODELS)
    days = [FIRST + timedelta(days=number) for number in range(DAYS)]
    bought = [sales(day, "1") for day in days] + [sales(day, "2") for day in days[:45]]
    (sales_folder / "sales.csv").write_text("\n".join([HEADER, *bought]))
    (tmp_path / "web").mkdir()

    def built():
        run = job.Run(root=str(tmp_path / "lake"), lake_file=str(lake_file), spark=spark, engine=engine)
        for name in STEPS:
            assert job.execute(step_named(name), run).state != "failed", name
        run.outcomes = {name: job.execute(step_named(name), run) for name in ("quality", "features")}
        return run

    return built


def land_visits(tmp_path, name, *days):
    at = [datetime(day.year, day.month, day.day, 12) for day in days]
    rows = [f"{name}{place},v,1,product_view,{moment}" for place, moment in enumerate(at)]
    header = "event_id,visitor_id,customer_id,event_type,happened_at"
    (tmp_path / "web" / f"{name}.csv").write_text("\n".join([header, *rows]))


def rows_of(run, table, *names):
    return sorted(tuple(row) for row in run.lake.read(table).select(*names).collect())


def test_snapshots_are_of_today_and_of_every_date_that_a_model_learns_from(lake):
    run = lake()

    assert run.outcomes["features"].state == "succeeded", run.outcomes["features"].message
    found = rows_of(run, SNAPSHOT, "as_of", "customer_id")
    assert found == [(day, who) for day in [*INTENT_DATES, LAST] for who in ("1", "2")]


def test_each_model_has_labels_of_its_own_horizon_and_gap(lake):
    """Both models' days end 12 days after a date; customer 2 bought up to 15 days before the last day."""
    found = rows_of(lake(), LABELS, "horizon_days", "gap_days", "as_of", "customer_id", "count_orders_after")

    of_2 = {
        (10, 2): dict(zip(CHURN_DATES, (10, 7, 0), strict=True)),
        (8, 4): dict(zip(INTENT_DATES, (8, 8, 5, 0, 0), strict=True)),
    }
    of_1 = {window: dict.fromkeys(dates, window[0]) for window, dates in of_2.items()}
    assert found == sorted(
        (*window, day, who, orders)
        for who, labels in (("1", of_1), ("2", of_2))
        for window, dates in labels.items()
        for day, orders in dates.items()
    )


def test_the_products_of_orders_and_the_visits_of_devices_are_known(lake, tmp_path):
    land_visits(tmp_path, "visits", *days_before(20, 8, 3))
    run = lake()

    names = ("as_of", "count_distinct_products", "web_visits_last_30_days", "emails_last_90_days")
    known = run.lake.read(SNAPSHOT).where("customer_id = '1'").select(*names).orderBy("as_of").collect()
    visits = [None, None, None, 1, 1, 3]  # the feed began 20 days before the last day
    assert [tuple(row) for row in known] == [
        (day, 1, count, None) for day, count in zip([*INTENT_DATES, LAST], visits, strict=True)
    ]


def test_features_that_nothing_changed_for_are_not_made_again(lake):
    lake()

    assert lake().outcomes["features"].state == "unchanged"


def test_a_visit_that_comes_late_makes_the_features_anew(lake, tmp_path):
    land_visits(tmp_path, "first", *days_before(20))
    lake()
    land_visits(tmp_path, "late", *days_before(10))

    run = lake()

    assert run.outcomes["features"].state == "succeeded"
    known = run.lake.read(SNAPSHOT).where(f"as_of = DATE'{LAST}'")
    assert rows_of_customers(known) == {"1": 2, "2": 0}


def rows_of_customers(known):
    return {row.customer_id: row.web_visits_last_30_days for row in known.collect()}


def test_a_feed_whose_first_file_comes_later_makes_the_features_anew(lake, tmp_path):
    lake()
    land_visits(tmp_path, "first", *days_before(20))

    run = lake()

    assert run.outcomes["features"].state == "succeeded"
    assert rows_of_customers(run.lake.read(SNAPSHOT).where(f"as_of = DATE'{LAST}'")) == {"1": 1, "2": 0}


def test_features_made_again_replace_what_was_there(lake, tmp_path):
    land_visits(tmp_path, "first", *days_before(20))
    run = lake()
    before = {table.name: run.lake.count(table) for table in (SNAPSHOT, LABELS)}
    land_visits(tmp_path, "late", *days_before(10))

    assert {table.name: lake().lake.count(table) for table in (SNAPSHOT, LABELS)} == before
