from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from math import floor, sqrt
from statistics import mean, median, stdev

import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.lifecycle import (
    LIFECYCLE,
    STAGES,
    Rhythm,
    StageRule,
    first_days_seen,
    lifecycle,
    typical_rhythm,
)
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.silver.customer_records import CUSTOMER_RECORDS
from customerlake.silver.identities import IDENTITIES
from customerlake.silver.order_lines import ORDER_LINES
from customerlake.silver.orders import ORDERS as SILVER_ORDERS

ORDERS = "customer_id string, ordered_on date, is_return boolean, amount decimal(18,4)"
FIRST_SEEN = "customer_id string, first_seen_on date"
BEHAVIOUR = "customer_id string, as_of date, count_purchase_days long, mean_days_between double, sd_days_between double"
THIRTY = Rhythm(usual_days=30.0, variation=1.0)  # one purchase: at risk after 60 days, lapsed after 90


def order(customer, on, amount="10", *, is_return=False):
    return (customer, on, is_return, Decimal(amount))


def day(month, day_of_month, year=2011):
    return date(year, month, day_of_month)


def stages_of(spark, orders, as_of, *, seen=None, rhythm=THIRTY, **settings):
    first_seen = None if seen is None else spark.createDataFrame(seen, FIRST_SEEN)
    return lifecycle(spark.createDataFrame(orders, ORDERS), first_seen, rhythm=rhythm, as_of=as_of, **settings)


def story(df):
    """The stages of the only customer, month by month."""
    return [row.stage for row in df.orderBy("month").collect()]


def test_who_bought_once_is_new_then_at_risk_then_lapsed(spark):
    found = stages_of(spark, [order("a", day(1, 10))], as_of=day(5, 2))

    # days of silence at the ends of January to April and on 2 May: 21, 49, 80, 110, 112
    rows = [
        ("a", day(1, 1), day(5, 2), "new", None, 1, 1, 21, 30.0, 60, 90),
        ("a", day(2, 1), day(5, 2), "new", "new", 1, 1, 49, 30.0, 60, 90),
        ("a", day(3, 1), day(5, 2), "at risk", "new", 1, 1, 80, 30.0, 60, 90),
        ("a", day(4, 1), day(5, 2), "lapsed", "at risk", 1, 1, 110, 30.0, 60, 90),
        ("a", day(5, 1), day(5, 2), "lapsed", "lapsed", 1, 1, 112, 30.0, 60, 90),
    ]
    expected = spark.createDataFrame(rows, LIFECYCLE.schema)
    assert_df_equality(found, expected, ignore_nullable=True, ignore_row_order=True)


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [(day(3, 11), "new"), (day(3, 12), "at risk"), (day(4, 10), "at risk"), (day(4, 11), "lapsed")],
    ids=["60 days", "61 days", "90 days", "91 days"],
)
def test_a_limit_is_crossed_on_the_day_after_it(spark, as_of, expected):
    found = stages_of(spark, [order("a", day(1, 10))], as_of=as_of)

    assert story(found)[-1] == expected


def test_the_rhythm_is_the_customers_own_drawn_towards_the_typical_one(spark):
    orders = [order("a", day(1, on)) for on in (1, 11, 21, 31)]

    found = stages_of(spark, orders, as_of=day(3, 31))

    # usual (2 x 30 + 3 x 10) / 5 = 18; variance (2 x 18^2 + 3 x 8^2) / 5 = 168, so sd 12.96: limits 30.96 and 43.92
    names = ("count_purchase_days", "days_since_last_order", "usual_days", "at_risk_after_days", "lapsed_after_days")
    rows = [tuple(row[name] for name in names) for row in found.orderBy("month").collect()]
    assert rows == [(4, 0, 18.0, 31, 44), (4, 28, 18.0, 31, 44), (4, 59, 18.0, 31, 44)]
    assert story(found) == ["active", "active", "lapsed"]


def test_a_regular_customer_is_missed_earlier_than_an_irregular_one_of_the_same_mean(spark):
    regular, irregular = [1, 6, 11, 16, 21], [1, 2, 3, 4, 21]
    orders = [order("r", day(1, on)) for on in regular] + [order("i", day(1, on)) for on in irregular]

    found = stages_of(spark, orders, as_of=day(1, 31))

    limits = {row.customer_id: (row.usual_days, row.at_risk_after_days) for row in found.collect()}
    # usual (60 + 20) / 6; sums of squares 2 x 177.78 + 4 x 69.44 and 2 x 177.78 + 3 x 152.11 + 13.44
    assert limits == {"r": (pytest.approx(40 / 3), 24), "i": (pytest.approx(40 / 3), 25)}


def test_who_had_lapsed_and_bought_again_is_won_back_until_silent_again(spark):
    found = stages_of(spark, [order("a", day(1, 1)), order("a", day(5, 1))], as_of=day(10, 31))

    # after 120 days of silence usual is (60 + 120) / 3 = 60 and sd 60: limits 120 and 180
    # silence at the ends of the months: 30, 58, 89, 119 | 30, 60, 91, 122, 152, 183
    new, won = ["new", "new", "at risk", "lapsed"], ["won back"] * 3
    assert story(found) == [*new, *won, "at risk", "at risk", "lapsed"]


@pytest.mark.parametrize(
    ("again", "expected"), [(day(4, 1), "active"), (day(4, 2), "won back")], ids=["after 90 days", "after 91"]
)
def test_won_back_is_who_was_silent_beyond_the_limit_of_that_time(spark, again, expected):
    assert story(stages_of(spark, [order("a", day(1, 1)), order("a", again)], as_of=day(4, 30)))[-1] == expected


def test_who_was_won_back_and_buys_on_is_a_normal_customer_again(spark):
    orders = [order("a", day(1, 1)), order("a", day(5, 1)), order("a", day(6, 5))]

    assert story(stages_of(spark, orders, as_of=day(6, 30)))[-3:] == ["lapsed", "won back", "active"]


def test_five_purchase_days_make_a_loyal_customer_and_orders_of_one_day_are_one(spark):
    orders = [order("a", day(1, on)) for on in (1, 10, 20, 30, 30)]

    found = stages_of(spark, [*orders, order("a", day(2, 1))], as_of=day(2, 10))

    assert [(row.stage, row.count_orders, row.count_purchase_days) for row in found.orderBy("month").collect()] == [
        ("active", 5, 4),
        ("loyal", 6, 5),
    ]


def test_settings_of_the_rule_move_its_limits(spark):
    rule = StageRule(typical_weight=1, at_risk_sds=0.5, lapsed_sds=1.0, loyal_purchase_days=2)

    (row,) = stages_of(spark, [order("a", day(1, 1)), order("a", day(1, 11))], as_of=day(1, 31), rule=rule).collect()

    # usual (30 + 10) / 2 = 20; variance (20^2 + 10^2) / 2 = 250, sd 15.81: limits 27.9 and 35.8
    assert (row.usual_days, row.at_risk_after_days, row.lapsed_after_days, row.stage) == (20.0, 28, 36, "loyal")


def test_who_is_known_and_has_never_bought_is_a_prospect(spark):
    found = stages_of(
        spark, [order("a", day(3, 3))], as_of=day(3, 31), seen=[("a", day(1, 15)), ("b", day(3, 31)), ("c", day(4, 1))]
    )

    rows = [
        ("a", day(1, 1), day(3, 31), "prospect", None, 0, 0, None, None, None, None),
        ("a", day(2, 1), day(3, 31), "prospect", "prospect", 0, 0, None, None, None, None),
        ("a", day(3, 1), day(3, 31), "new", "prospect", 1, 1, 28, 30.0, 60, 90),
        ("b", day(3, 1), day(3, 31), "prospect", None, 0, 0, None, None, None, None),
    ]
    expected = spark.createDataFrame(rows, LIFECYCLE.schema)
    assert_df_equality(found, expected, ignore_nullable=True, ignore_row_order=True)


@pytest.mark.parametrize("seen_on", [day(1, 10), day(1, 20), day(1, 1)], ids=["that day", "later", "in that month"])
def test_who_is_first_seen_in_the_month_of_the_first_purchase_or_later_is_no_prospect(spark, seen_on):
    orders = [order("a", day(1, 10)), order("a", day(2, 20))]

    known = stages_of(spark, orders, as_of=day(3, 31), seen=[("a", seen_on), (None, day(1, 1)), ("b", None)])

    assert_df_equality(known, stages_of(spark, orders, as_of=day(3, 31)), ignore_row_order=True)


def test_months_before_the_sales_begin_have_no_rows(spark):
    seen = [("a", day(6, 1, 2009)), ("b", day(6, 1, 2009))]

    found = stages_of(spark, [order("a", day(1, 20))], as_of=day(2, 28), seen=seen, observed_from=day(1, 15)).orderBy(
        "customer_id", "month"
    )

    assert [(row.customer_id, row.month, row.stage) for row in found.collect()] == [
        ("a", day(1, 1), "new"),
        ("a", day(2, 1), "new"),
        ("b", day(1, 1), "prospect"),
        ("b", day(2, 1), "prospect"),
    ]


@pytest.mark.parametrize(
    "other",
    [
        order("a", day(2, 11)),
        order("a", day(2, 1), "-5", is_return=True),
        order("a", day(2, 1), "0"),
        order(None, day(2, 1)),
    ],
    ids=["after as_of", "return", "gift", "anonymous"],
)
def test_what_is_no_purchase_of_the_customer_by_as_of_does_not_count(spark, other):
    mine = order("a", day(1, 10))

    as_of = day(2, 10)
    assert_df_equality(stages_of(spark, [mine, other], as_of), stages_of(spark, [mine], as_of), ignore_row_order=True)


def test_who_only_returned_has_never_bought(spark):
    returned = [order("a", day(1, 10), "-5", is_return=True)]

    assert stages_of(spark, returned, as_of=day(1, 31)).isEmpty()
    assert story(stages_of(spark, returned, as_of=day(1, 31), seen=[("a", day(1, 10))])) == ["prospect"]


def test_an_order_of_as_of_itself_counts_also_on_a_leap_day(spark):
    found = stages_of(spark, [order("a", day(1, 31, 2012)), order("a", day(2, 29, 2012))], as_of=day(2, 29, 2012))

    assert [(row.month, row.days_since_last_order, row.count_orders) for row in found.orderBy("month").collect()] == [
        (day(1, 1, 2012), 0, 1),
        (day(2, 1, 2012), 0, 2),
    ]


def test_months_go_on_over_the_turn_of_the_year(spark):
    found = stages_of(spark, [order("a", day(11, 30))], as_of=day(1, 1, 2012)).orderBy("month").collect()

    assert [row.month for row in found] == [day(11, 1), day(12, 1), day(1, 1, 2012)]


def test_nothing_in_gives_nothing(spark):
    assert stages_of(spark, [], as_of=day(1, 31), seen=[]).isEmpty()


def rhythm_of(row):
    return Rhythm(row.usual_days, row.variation)


def test_the_typical_rhythm_is_the_median_over_customers_in_whole_days_and_tenths(spark):
    today, yesterday = day(1, 31), day(1, 30)
    behaviour = [
        ("a", today, 1, None, None),
        ("b", today, 2, 10.0, None),
        ("c", today, 3, 20.0, 2.0),  # two times between are too few to vary
        ("d", today, 4, 40.9, 20.45),  # half its mean
        ("e", today, 9, 50.0, 50.0),
        ("f", yesterday, 9, 1.0, 1.0),
    ]

    (row,) = typical_rhythm(spark.createDataFrame(behaviour, BEHAVIOUR), as_of=today).collect()

    # of 10, 20, 40.9 and 50 the middle is 30.45, of 0.5 and 1 it is 0.75
    assert rhythm_of(row) == Rhythm(usual_days=30.0, variation=0.8)


def test_without_a_repeat_purchase_the_default_rhythm_stands(spark):
    once = spark.createDataFrame([("a", day(1, 31), 1, None, None)], BEHAVIOUR)

    for behaviour in (once, once.limit(0)):
        (row,) = typical_rhythm(behaviour, as_of=day(1, 31)).collect()
        assert rhythm_of(row) == Rhythm()


def test_a_customer_is_first_seen_by_the_source_that_was_first(spark):
    records = spark.createDataFrame(
        [
            ("crm", "1", day(3, 1), False),
            ("shop", "1", day(2, 1), False),
            ("crm", "2", day(1, 1), True),
            ("crm", "3", None, False),
        ],
        "source string, source_record_id string, first_seen_on date, is_deleted boolean",
    )
    identities = spark.createDataFrame(
        [("crm", "1", "a"), ("shop", "1", "a"), ("crm", "2", "a"), ("crm", "3", "b")],
        "source string, source_record_id string, customer_id string",
    )

    assert [tuple(row) for row in first_days_seen(records, identities).collect()] == [("a", day(2, 1))]


days_of_2011 = st.integers(0, 364).map(lambda days: day(1, 1) + timedelta(days))
drawn_orders = st.lists(st.tuples(st.sampled_from("abcdef"), days_of_2011).map(lambda o: order(*o)), max_size=60)
drawn_seen = st.dictionaries(st.sampled_from("abcdefgh"), days_of_2011, max_size=8).map(lambda d: list(d.items()))


@given(orders=drawn_orders, seen=drawn_seen, as_of=days_of_2011)
def test_every_month_follows_the_one_before(spark, orders, seen, as_of):
    by_customer = {}
    for row in stages_of(spark, orders, as_of, seen=seen).orderBy("month").collect():
        by_customer.setdefault(row.customer_id, []).append(row)

    appeared = {customer for customer, on, *_ in [*orders, *seen] if on <= as_of}
    assert set(by_customer) == appeared
    for rows in by_customer.values():
        numbers = [row.month.month for row in rows]
        assert numbers == list(range(numbers[0], as_of.month + 1))
        assert [row.previous_stage for row in rows] == [None, *[row.stage for row in rows[:-1]]]
        assert {row.stage for row in rows} <= set(STAGES)
        for row in rows:
            assert (row.stage == "prospect") == (row.count_orders == 0) == (row.days_since_last_order is None)
            assert row.count_orders == 0 or 0 < row.usual_days <= row.at_risk_after_days + 0.5
            assert row.count_orders == 0 or row.at_risk_after_days <= row.lapsed_after_days


@given(orders=drawn_orders, seen=drawn_seen, shuffle=st.randoms())
def test_a_customers_rows_depend_on_no_one_else_and_on_no_order_of_rows(spark, orders, seen, shuffle):
    shuffled = [row for row in orders if row[0] < "d"]
    shuffle.shuffle(shuffled)
    as_of = day(12, 31)

    some = stages_of(spark, shuffled, as_of, seen=[row for row in seen if row[0] < "d"])

    everybody = stages_of(spark, orders, as_of, seen=seen)
    assert_df_equality(some, everybody.where("customer_id < 'd'"), ignore_row_order=True)


def stages_by_hand(bought, seen_on, observed_from, as_of, usual, variation):
    """The rows of one customer from the definition: {month: (stage, orders, days, silent, usual, two limits)}."""
    days, told, won_back = sorted(set(bought)), {}, {}

    def limits(until):
        known = [on for on in days if on <= until]
        gaps = [(b - a).days for a, b in pairwise(known)]
        own = (2 * usual + sum(gaps)) / (2 + len(gaps))
        sd = sqrt((2 * (variation * own) ** 2 + sum((gap - own) ** 2 for gap in gaps)) / (2 + len(gaps)))
        return own, floor(own + sd + 0.5), floor(own + 2 * sd + 0.5)

    for before, on in pairwise(days):
        won_back[on] = (on - before).days > limits(before)[2]
    first = min([*days[:1], *([max(seen_on, observed_from)] if seen_on else [])])
    end = first.replace(day=1)
    while end <= as_of:
        following = (end.replace(day=28) + timedelta(4)).replace(day=1)
        last = min(following - timedelta(1), as_of)
        known = [on for on in days if on <= last]
        if not known:
            told[end] = ("prospect", 0, 0, None, None, None, None)
        else:
            silent, (own, at_risk, lapsed) = (last - known[-1]).days, limits(last)
            stage = "loyal" if len(known) >= 5 else "new" if len(known) == 1 else "active"
            if won_back.get(known[-1]):
                stage = "won back"
            if silent > at_risk:
                stage = "lapsed" if silent > lapsed else "at risk"
            told[end] = (stage, sum(on <= last for on in bought), len(known), silent, own, at_risk, lapsed)
        end = following
    return told


@pytest.mark.full_data
@pytest.mark.parametrize("as_of", [date(2011, 12, 9), date(2011, 6, 14)], ids=["last day", "in the middle"])
def test_real_customers_are_where_a_walk_through_their_days_says(real_lake, as_of):
    read = real_lake.lake.read
    orders, began = read(SILVER_ORDERS), date(2010, 12, 1)
    rhythm = Rhythm(usual_days=61.25, variation=0.7)
    seen = first_days_seen(read(CUSTOMER_RECORDS), read(IDENTITIES))

    found = lifecycle(orders, seen, rhythm=rhythm, as_of=as_of, observed_from=began).toPandas()

    bought, seen_on = {}, {}
    for row in orders.select("customer_id", "ordered_on", "is_return", "amount").toPandas().itertuples():
        if row.customer_id is not None and row.ordered_on <= as_of and not row.is_return and row.amount > 0:
            bought.setdefault(row.customer_id, []).append(row.ordered_on)
    lines = read(ORDER_LINES).select("customer_id", "ordered_on").distinct().toPandas().dropna()
    for customer, on in lines.groupby("customer_id").ordered_on.min().items():
        if on <= as_of:
            seen_on[customer] = on
    expected = {}
    for customer in bought.keys() | seen_on.keys():
        told = stages_by_hand(bought.get(customer, []), seen_on.get(customer), began, as_of, 61.25, 0.7)
        before = [None, *[row[0] for row in told.values()]]
        for (month, row), previous in zip(told.items(), before, strict=False):
            expected[customer, month] = (as_of, row[0], previous, *row[1:])
    assert len(found) == len(expected) > 14_000
    wrong = []
    for row in found.itertuples(index=False):
        values = [None if value is None or value != value else value for value in row[2:]]
        usual = expected[row.customer_id, row.month][6]
        near = values[6] == usual if usual is None else values[6] == pytest.approx(usual, rel=1e-12)
        if not near or values[:6] + values[7:] != [
            v for n, v in enumerate(expected[row.customer_id, row.month]) if n != 6
        ]:
            wrong.append((row, expected[row.customer_id, row.month]))
    assert wrong[:3] == []


@pytest.mark.full_data
def test_the_typical_rhythm_of_real_customers_is_what_statistics_say(real_lake):
    as_of = date(2011, 12, 9)

    (row,) = typical_rhythm(real_lake.lake.read(PURCHASE_BEHAVIOUR), as_of=as_of).collect()

    orders = real_lake.lake.read(SILVER_ORDERS).where("NOT is_return AND amount > 0 AND customer_id IS NOT NULL")
    days = orders.select("customer_id", "ordered_on").distinct().toPandas()
    gaps = [
        [(b - a).days for a, b in pairwise(on)]
        for on in (sorted(group) for _, group in days.groupby("customer_id").ordered_on)
    ]
    assert row.usual_days == pytest.approx(median(mean(g) for g in gaps if g), abs=0.5)
    assert row.usual_days % 1 == 0
    assert row.variation == pytest.approx(median(stdev(g) / mean(g) for g in gaps if len(g) >= 3), abs=0.05)
    assert row.variation * 10 % 1 == 0
