"""Gold goes on from the last date: whatever became of silver since, its rows are those of a lake that starts anew."""

import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.product_pairs import PRODUCT_PAIRS
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.segment_rules import OWN_SEGMENTS
from customerlake.runtime import job
from customerlake.runtime.pipeline import step_named
from customerlake.runtime.run import Run
from customerlake.silver.cancellations import CANCELLATIONS, cancellations
from customerlake.silver.customer_records import CUSTOMER_RECORDS
from customerlake.silver.customers import CUSTOMERS
from customerlake.silver.identities import IDENTITIES
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS, orders, with_customers
from customerlake.silver.product_list import PRODUCT_LIST
from customerlake.silver.web_events import WEB_EVENTS

STEPS = ("value", "behaviour", "lifecycle", "segment_rules")
BEGIN = date(2010, 11, 20)
NUMBERS = ("1", "2", "3", "4")
LINES = (
    "order_line_id string, order_id string, customer_id string, ordered_on date, product_id string, "
    "quantity int, unit_price decimal(18,4)"
)


class Silver:
    """What silver holds of a small shop, changed line by line."""

    def __init__(self, lake, spark):
        self.lake, self.spark = lake, spark
        self.lines = {}  # order_line_id -> the other columns of LINES
        self.devices = []  # records of silver.identities for devices
        self.people = {number: f"c{number}" for number in NUMBERS}  # the customer that a number is of

    def sell(self, order_id, number, on, basket):
        """Order anew, or otherwise than before; a quantity below zero takes back."""
        self.cancel(order_id)
        for place, (product, quantity, price) in enumerate(basket):
            line = (order_id, number, on, product, quantity, price)
            self.lines[f"{place} {line}"] = line  # as in silver, where another line is another key

    def cancel(self, order_id):
        self.lines = {key: line for key, line in self.lines.items() if line[0] != order_id}

    def write(self):
        rows = [(key, *line) for key, line in self.lines.items()]
        is_return = F.col("quantity") < 0
        amount = F.col("quantity") * F.col("unit_price")
        lines = complete(self.spark.createDataFrame(rows, LINES), ORDER_LINES, {
            "ordered_at": F.col("ordered_on").cast("timestamp"),
            "ordered_month": F.trunc("ordered_on", "month"),
            "channel": F.when(F.col("product_id") == "P", "shop").otherwise("online"),
            "is_return": is_return, "is_sale": ~is_return, "is_product": F.lit(True), "line_kind": F.lit("product"),
            "amount": amount, "amount_charged": amount, "currency": F.lit("GBP"), "_batch": F.lit(1),
        })  # fmt: skip
        people = self.spark.createDataFrame(list(self.people.items()), "source_record_id string, customer_id string")
        identities = complete(people, IDENTITIES, {"source": F.lit("shop")})
        of_people = {"source": F.lit("shop"), "first_seen_on": F.lit(BEGIN), "is_deleted": F.lit(False)}
        self.renew(ORDER_LINES, lines)
        if self.devices:
            devices = self.spark.createDataFrame(
                self.devices, "source string, source_record_id string, customer_id string"
            )
            identities = identities.unionByName(complete(devices, IDENTITIES, {}))
        self.renew(IDENTITIES, identities)
        self.renew(CUSTOMER_RECORDS, complete(people, CUSTOMER_RECORDS, of_people))
        customers = people.groupBy("customer_id").agg(F.lit(BEGIN).alias("first_seen_on"))
        self.renew(CUSTOMERS, complete(customers, CUSTOMERS, {}))
        held = self.lake.read(ORDER_LINES)
        named = with_customers(self.lake.read(IDENTITIES))
        self.renew(ORDERS, orders(held).transform(named).transform(ORDERS.conform))
        self.renew(CANCELLATIONS, cancellations(held))

    def renew(self, table, rows):
        """Merge what is other than before, and delete what is no longer there."""
        key = table.key[0] if len(table.key) == 1 else "source_record_id"
        if not self.lake.exists(table):
            self.lake.append(table, rows)
            return
        gone = self.lake.read(table).join(rows.select(key), on=key, how="left_anti").select(key).collect()
        self.lake.remove(table, key, [row[0] for row in gone])
        self.lake.merge(table, rows)


def complete(rows, table, values):
    """The columns of a table, those without a value null."""
    nulls = {name: F.lit(None) for name in table.column_names if name not in rows.columns}
    return rows.withColumns(nulls | values).transform(table.conform)


@pytest.fixture
def shop(tmp_path, lake_file, spark, engine):
    """Makes an empty shop, and how its gold is made of a date, and that of a copy that starts anew."""

    class Shop:
        def __init__(self):
            self.folder = tmp_path / f"{datetime.now(UTC):%H%M%S%f}"
            self.run = Run(root=str(self.folder / "lake"), lake_file=str(lake_file), spark=spark, engine=engine)
            self.silver = Silver(self.run.lake, spark)

        def gold(self, as_of):
            """Silver as it now is, and the gold of a date made of it."""
            self.silver.write()
            return self.made(self.folder / "lake", as_of)

        def anew(self, as_of):
            copy = self.folder / "copy"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(self.folder / "lake", copy)
            shutil.rmtree(copy / "gold")
            shutil.rmtree(copy / "ops")
            return self.made(copy, as_of)

        def made(self, root, as_of, steps=STEPS):
            run = Run(root=str(root), lake_file=str(lake_file), spark=spark, engine=engine, as_of=as_of)
            for name in steps:
                outcome = job.execute(step_named(name), run)
                assert outcome.state in ("succeeded", "unchanged"), outcome.message
            return run

    return Shop


@pytest.fixture
def went_on(monkeypatch):
    """The steps that went on from what they had made, in order."""
    names = []
    increment = Run.increment

    def noted(run, **tables):
        found = increment(run, **tables)
        if found is not None:
            names.append(run.outcome.step.name)
        return found

    monkeypatch.setattr(Run, "increment", noted)
    return names


def behaviour(run, customer):
    rows = run.lake.read(PURCHASE_BEHAVIOUR).where(f"customer_id = '{customer}' AND as_of = DATE'{run.as_of}'")
    return rows.collect()


def test_a_day_later_only_who_bought_is_looked_at_again(shop, went_on, assert_same_tables):
    made = shop()
    made.silver.sell("o1", "1", date(2011, 3, 1), [("P", 1, Decimal(5)), ("Q", 2, Decimal(3))])
    made.silver.sell("o2", "2", date(2011, 3, 9), [("P", 1, Decimal(5))])
    made.gold(date(2011, 3, 9))
    made.silver.sell("o3", "1", date(2011, 3, 10), [("P", 4, Decimal(4))])
    run = made.gold(date(2011, 3, 10))

    assert went_on == ["value", "behaviour", "lifecycle", "segment_rules"]
    (one,), (two,) = behaviour(run, "c1"), behaviour(run, "c2")
    assert (one.count_purchase_days, two.count_purchase_days) == (2, 1)
    pairs = {(row[0], row[1]): row[2] for row in run.lake.read(PRODUCT_PAIRS).collect()}
    assert pairs == {("", ""): 3, ("", "P"): 3, ("", "Q"): 1, ("P", "Q"): 1}
    assert_same_tables(run, made.anew(date(2011, 3, 10)))


@pytest.mark.before_an_engine
def test_an_order_a_year_ago_is_no_longer_recent_though_nobody_bought(shop, went_on):
    made = shop()
    made.silver.sell("o1", "1", date(2010, 12, 1), [("P", 1, Decimal(5))])
    made.silver.sell("o2", "1", date(2011, 11, 30), [("P", 1, Decimal(7))])
    made.gold(date(2011, 11, 30))
    run = made.gold(date(2011, 12, 1))

    assert "value" in went_on
    (row,) = run.lake.read(CUSTOMER_VALUE).where("as_of = DATE'2011-12-01'").collect()
    assert (row.gross_spend, row.spend_last_365_days) == (Decimal(12), Decimal(7))


@pytest.mark.before_an_engine
def test_an_order_that_goes_to_another_customer_leaves_the_first_without_a_row(shop, went_on, assert_same_tables):
    made = shop()
    made.silver.sell("o1", "1", date(2011, 3, 1), [("P", 1, Decimal(5))])
    made.silver.sell("o2", "2", date(2011, 3, 9), [("P", 1, Decimal(5))])
    made.gold(date(2011, 3, 9))
    made.silver.people["1"] = "c2"
    run = made.gold(date(2011, 3, 9))

    assert went_on == ["value", "behaviour", "lifecycle", "segment_rules"]
    assert behaviour(run, "c1") == []
    assert behaviour(run, "c2")[0].count_purchase_days == 2
    assert_same_tables(run, made.anew(date(2011, 3, 9)))


@pytest.mark.before_an_engine
def test_a_late_line_changes_the_usual_price_for_those_who_bought_the_month_after(shop, went_on, assert_same_tables):
    made = shop()
    made.silver.sell("o1", "1", date(2011, 3, 1), [("P", 1, Decimal(5))])
    made.silver.sell("o2", "2", date(2011, 4, 9), [("P", 1, Decimal(4))])
    run = made.gold(date(2011, 4, 9))
    assert behaviour(run, "c2")[0].low_price_units_share == 1.0
    for order, price in (("o3", 2), ("o4", 2)):
        made.silver.sell(order, "3", date(2011, 3, 20), [("P", 1, Decimal(price))])
    run = made.gold(date(2011, 4, 9))

    assert "behaviour" in went_on
    assert behaviour(run, "c2")[0].low_price_units_share == 0.0  # the median of 5, 2 and 2 is 2
    assert_same_tables(run, made.anew(date(2011, 4, 9)))


@pytest.mark.before_an_engine
def test_a_date_before_the_last_one_is_made_anew(shop, went_on, assert_same_tables):
    made = shop()
    made.silver.sell("o1", "1", date(2011, 3, 1), [("P", 1, Decimal(5))])
    made.silver.sell("o2", "2", date(2011, 4, 9), [("P", 1, Decimal(4))])
    made.gold(date(2011, 4, 9))
    run = made.gold(date(2011, 3, 31))

    assert went_on == []
    assert behaviour(run, "c2") == []
    assert_same_tables(run, made.anew(date(2011, 3, 31)))


@pytest.mark.before_an_engine
def test_segments_made_beside_an_old_value_are_made_anew_beside_the_new_one(shop, went_on, assert_same_tables):
    made, day = shop(), date(2011, 4, 9)
    made.silver.sell("o1", "1", date(2011, 3, 1), [("P", 1, Decimal(5))])
    made.gold(day)
    made.silver.sell("o2", "1", date(2011, 3, 20), [("P", 2, Decimal(4))])
    made.silver.write()
    made.made(made.folder / "lake", day, steps=("segment_rules",))
    run = made.gold(day)

    assert went_on == ["segment_rules", "value", "behaviour", "lifecycle"]
    assert_same_tables(run, made.anew(day))


@pytest.mark.before_an_engine
def test_who_is_no_longer_alone_on_a_device_loses_what_was_viewed_there_by_nobody_known(
    shop, went_on, spark, assert_same_tables
):
    made, day = shop(), date(2011, 4, 9)
    lake = made.run.lake
    lake.append(PRODUCT_LIST, complete(spark.createDataFrame([("P", "toys")], "product_id string, category string"),
                                       PRODUCT_LIST, {"is_deleted": F.lit(False)}))  # fmt: skip
    viewed = spark.createDataFrame([("e1", "V", "P")], "event_id string, visitor_id string, product_id string")
    lake.append(WEB_EVENTS, complete(viewed, WEB_EVENTS, {
        "event_type": F.lit("product_view"), "happened_at": F.lit("2011-03-02 10:00:00").cast("timestamp"),
        "happened_month": F.lit("2011-03-01").cast("date"),
    }))  # fmt: skip
    made.silver.sell("o1", "1", date(2011, 3, 1), [("Q", 1, Decimal(5))])
    made.silver.sell("o2", "2", date(2011, 3, 1), [("Q", 1, Decimal(5))])
    made.silver.devices = [("web_events", "1/V", "c1")]
    before = made.gold(day).lake.read(OWN_SEGMENTS).where("customer_id = 'c1'").collect()
    made.silver.devices.append(("web_events", "2/V", "c2"))
    run = made.gold(day)

    assert "segment_rules" in went_on
    assert [len(row.interests) for row in before] == [1]
    assert [row.interests for row in run.lake.read(OWN_SEGMENTS).where("customer_id = 'c1'").collect()] == [None]
    assert_same_tables(run, made.anew(day))


BASKET = st.lists(
    st.tuples(st.sampled_from("PQR"), st.sampled_from((1, 2, 3, -1)), st.sampled_from((1, 2, 4)).map(Decimal)),
    min_size=1,
    max_size=3,
)
SALE = st.tuples(
    st.sampled_from([f"o{n}" for n in range(8)]), st.sampled_from((*NUMBERS, None)), st.integers(0, 400), BASKET
)
CHANGE = st.one_of(
    SALE.map(lambda sale: ("sell", *sale)),
    st.sampled_from([f"o{n}" for n in range(8)]).map(lambda order: ("cancel", order)),
    st.tuples(st.just("name"), st.sampled_from(NUMBERS), st.sampled_from(("c1", "c2", "c9"))),
)
ROUND = st.tuples(st.lists(CHANGE, max_size=4), st.sampled_from((0, 1, 3, 20, 40, 380)))


@pytest.mark.before_an_engine
@settings(max_examples=6)
@given(st.lists(SALE, min_size=2, max_size=6), st.lists(ROUND, min_size=1, max_size=3))
def test_whatever_came_changed_or_went_gold_is_that_of_a_lake_that_starts_anew(shop, assert_same_tables, first, rounds):
    made = shop()
    made.silver.sell("o99", "1", BEGIN, [("P", 1, Decimal(1))])
    for order, number, day, basket in first:
        made.silver.sell(order, number, BEGIN + timedelta(days=day), basket)
    as_of = BEGIN + timedelta(days=200)
    made.gold(as_of)
    for changes, days in rounds:
        as_of += timedelta(days=days)
        for kind, *values in changes:
            if kind == "sell":
                order, number, day, basket = values
                made.silver.sell(order, number, BEGIN + timedelta(days=day), basket)
            elif kind == "cancel":
                made.silver.cancel(*values)
            else:
                number, customer = values
                made.silver.people[number] = customer
        run = made.gold(as_of)  # what is wrong after one round is carried to the end
    assert_same_tables(run, made.anew(as_of))
