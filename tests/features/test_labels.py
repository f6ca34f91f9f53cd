from datetime import date, timedelta
from decimal import Decimal

import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.errors import ContractError
from customerlake.features.labels import LABELS, labels

ORDERS = "order_id string, customer_id string, ordered_on date, is_return boolean, amount decimal(18,4)"
AS_OF, HORIZON_DAYS = date(2011, 6, 30), 90
LATEST = AS_OF + timedelta(days=200)


def order(order_id, days_after, amount="10", *, customer="a", is_return=False):
    """An order made that many days after AS_OF; before it, when the number is negative."""
    return (order_id, customer, AS_OF + timedelta(days=days_after), is_return, Decimal(amount))


KNOWN = order("known", -5)


def labelled(spark, *orders, as_of=(AS_OF,), horizon_days=HORIZON_DAYS, observed_until=LATEST, **others):
    frame = spark.createDataFrame(list(orders), ORDERS)
    return labels(frame, as_of=as_of, horizon_days=horizon_days, observed_until=observed_until, **others)


def label_of_a(df):
    return [(row.is_churned, row.count_orders_after, row.spend_after) for row in df.collect() if row.customer_id == "a"]


def test_who_ordered_in_the_days_after_has_not_churned(spark):
    found = labelled(spark, KNOWN, order("1", 3, "10.5"), order("2", 80, "20"))

    row = ("a", AS_OF, 90, 0, False, 2, Decimal("30.5"), None)
    assert_df_equality(found, spark.createDataFrame([row], LABELS.schema), ignore_nullable=True)


def test_who_did_not_order_in_the_days_after_has_churned(spark):
    assert label_of_a(labelled(spark, KNOWN)) == [(True, 0, Decimal(0))]


@pytest.mark.parametrize(("days_after", "is_churned"), [(0, True), (1, False), (90, False), (91, True)])
def test_the_days_after_begin_the_day_after_and_end_with_the_horizon(spark, days_after, is_churned):
    found = labelled(spark, KNOWN, order("1", days_after))

    assert [churned for churned, *_ in label_of_a(found)] == [is_churned]


@pytest.mark.parametrize(("days_after", "is_churned"), [(1, True), (7, True), (8, False), (37, False), (38, True)])
def test_with_a_gap_the_days_begin_when_it_is_over_and_are_as_many(spark, days_after, is_churned):
    """A gap of 7 days and a horizon of 30: the days 8 to 37 after the date."""
    found = labelled(spark, KNOWN, order("1", days_after, "12.5"), horizon_days=30, gap_days=7)

    row = found.select("horizon_days", "gap_days", "is_churned", "count_orders_after", "spend_after").collect()
    ordered = 0 if is_churned else 1
    assert [tuple(one) for one in row] == [(30, 7, is_churned, ordered, Decimal("12.5") * ordered)]


def test_an_order_in_the_gap_makes_nobody_known(spark):
    assert labelled(spark, order("1", 3), order("2", 20), horizon_days=30, gap_days=7).isEmpty()


@pytest.mark.parametrize(
    "other",
    [
        order("1", 5, "-10", is_return=True),
        order("1", 5, "0"),
        order("1", 5, customer=None),
        order("1", 5, customer="b"),
    ],
    ids=["return", "gift", "anonymous", "somebody else's"],
)
def test_only_a_purchase_of_the_customer_counts_as_coming_back(spark, other):
    assert label_of_a(labelled(spark, KNOWN, other)) == [(True, 0, Decimal(0))]


def test_who_first_ordered_after_the_date_has_no_label(spark):
    assert labelled(spark, order("1", 1)).isEmpty()


def test_who_ordered_on_the_date_itself_has_one(spark):
    assert label_of_a(labelled(spark, order("1", 0))) == [(True, 0, Decimal(0))]


def test_a_return_alone_makes_nobody_known(spark):
    assert labelled(spark, order("1", -5, "-10", is_return=True), order("2", 5)).isEmpty()


def test_each_date_has_labels_of_its_own(spark):
    earlier = AS_OF - timedelta(days=90)

    found = labelled(spark, order("1", -100), order("2", -50), as_of=[AS_OF, earlier])

    assert {row.as_of: row.is_churned for row in found.collect()} == {earlier: False, AS_OF: True}


def test_a_date_whose_days_after_are_not_over_is_refused(spark):
    not_over, day_before = date(2011, 10, 1), AS_OF + timedelta(days=89)

    with pytest.raises(ContractError) as refusal:
        labelled(spark, KNOWN, as_of=[AS_OF, date(2011, 3, 1), not_over], observed_until=day_before)

    assert str(refusal.value) == (
        "features.labels: the 90 days after 2011-06-30, 2011-10-01 are not over on 2011-09-27, the last observed day. "
        "Use earlier dates or a shorter horizon."
    )


def test_a_date_whose_days_after_end_on_the_last_observed_day_is_labelled(spark):
    assert len(label_of_a(labelled(spark, KNOWN, observed_until=AS_OF + timedelta(days=90)))) == 1


def test_the_gap_must_be_over_too(spark):
    with pytest.raises(ContractError, match="the 37 days after 2011-06-30 are not over on 2011-08-05"):
        labelled(spark, KNOWN, horizon_days=30, gap_days=7, observed_until=AS_OF + timedelta(days=36))

    assert len(label_of_a(labelled(spark, KNOWN, horizon_days=30, gap_days=7, observed_until=date(2011, 8, 6)))) == 1


LINES = "customer_id string, product_id string, ordered_on date, is_sale boolean, is_product boolean"
PRODUCT_LIST = "product_id string, category string"
LISTED = [("cup", "kitchen"), ("PAN", "kitchen"), ("LAMP", "light"), ("ROPE", None)]


def line(product_id, days_after, *, customer="a", is_sale=True, is_product=True):
    return (customer, product_id, AS_OF + timedelta(days=days_after), is_sale, is_product)


def groups_bought(spark, *lines, listed=LISTED, **windows):
    """Of the customers a and b, both known by AS_OF."""
    found = labelled(
        spark, KNOWN, order("of b", -5, customer="b"),
        order_lines=spark.createDataFrame(list(lines), LINES),
        product_list=None if listed is None else spark.createDataFrame(listed, PRODUCT_LIST),
        **windows,
    )  # fmt: skip
    return {(row.customer_id, row.as_of): row.bought_groups for row in found.collect()}


def test_the_groups_bought_in_the_days_after_are_named_once_each_in_order(spark):
    """ROPE is of no group, NEW is not listed, and the code of the cup is written in small letters."""
    bought = [line(product, 10) for product in ("LAMP", "CUP", "PAN", "ROPE", "NEW")]

    assert groups_bought(spark, *bought) == {("a", AS_OF): ["kitchen", "light"], ("b", AS_OF): []}


@pytest.mark.parametrize(
    "other",
    [
        line("LAMP", 0),
        line("LAMP", 7),
        line("LAMP", 38),
        line("LAMP", 20, is_sale=False),
        line("LAMP", 20, is_product=False),
        line("LAMP", 20, customer=None),
    ],
    ids=["on the date", "in the gap", "after the horizon", "given or taken back", "no product", "anonymous"],
)
def test_only_products_sold_to_the_customer_in_these_days_count_as_bought(spark, other):
    found = groups_bought(spark, line("CUP", 8), other, horizon_days=30, gap_days=7)

    assert found == {("a", AS_OF): ["kitchen"], ("b", AS_OF): []}


def test_each_date_has_groups_of_its_own(spark):
    earlier = AS_OF - timedelta(days=4)

    found = groups_bought(spark, line("LAMP", 0), line("CUP", 5), horizon_days=5, as_of=[AS_OF, earlier])

    assert found["a", earlier] == ["light"]
    assert found["a", AS_OF] == ["kitchen"]


def test_without_a_list_of_products_it_is_not_known_what_was_bought(spark):
    assert groups_bought(spark, line("LAMP", 10), listed=None) == {("a", AS_OF): None, ("b", AS_OF): None}


drawn_orders = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(-60, 150), st.integers(1, 900)), min_size=1, max_size=40
).map(
    lambda drawn: [
        order(f"{n:02}", days, Decimal(pence) / 100, customer=who) for n, (who, days, pence) in enumerate(drawn)
    ]
)


@given(orders=drawn_orders)
def test_a_label_is_of_the_days_after_and_of_nothing_else(spark, orders):
    """How much, how often and when one bought before the date, and all that came after the horizon, is no matter."""
    is_after = [row for row in orders if 0 < (row[2] - AS_OF).days <= HORIZON_DAYS]
    bought_before = {row[1] for row in orders if row[2] <= AS_OF}
    once_before = [order(f"before {who}", -60, "1", customer=who) for who in sorted(bought_before)]
    if not bought_before:
        assert labelled(spark, *orders).isEmpty()
        return

    with_all, with_little = (
        labelled(spark, *some).orderBy("customer_id") for some in (orders, [*once_before, *is_after])
    )
    assert_df_equality(with_all, with_little)
