import random
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.attribution import attribution, removal_effects
from customerlake.gold.journeys import WebShop, transitions

SESSIONS = (
    "session_id string, visitor_id string, customer_id string, started_at timestamp, channel string, "
    "campaign_id string, order_ids array<string>"
)
ORDERS = (
    "order_id string, customer_id string, ordered_at timestamp, ordered_on date, channel string, is_return boolean, "
    "amount decimal(18,4)"
)
AS_OF = date(2024, 2, 29)
MODELS = ("first", "last", "linear", "time_decay", "position", "markov")


def session(session_id, at, channel, *, customer="a", visitor="v", campaign=None, orders=()):
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(f"2024-{at}")
    return (session_id, visitor, customer, moment, channel, campaign, list(orders))


def order(order_id, at, amount="100", *, customer="a", channel="web", is_return=False):
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(f"2024-{at}")
    return (order_id, customer, moment, moment.date(), channel, is_return, Decimal(amount))


def attributed(spark, sessions, orders, **settings):
    frames = spark.createDataFrame(list(sessions), SESSIONS), spark.createDataFrame(list(orders), ORDERS)
    period = {"as_of": AS_OF} | {name: value for name, value in settings.items() if name != "half_life_days"}
    counted = [tuple(row) for row in transitions(*frames, **period).collect()]
    return attribution(*frames, removal_effects(counted), **({"as_of": AS_OF} | settings))


def credits(df, model, measure="conversions", dimension="channel"):
    """By value what is attributed; values without any are left out."""
    rows = df.where(f"model = '{model}' AND dimension = '{dimension}'").select("value", f"attributed_{measure}")
    return {value: amount for value, amount in rows.collect() if amount}


def paths(spark, sessions, orders, dimension="channel", **settings):
    frames = spark.createDataFrame(list(sessions), SESSIONS), spark.createDataFrame(list(orders), ORDERS)
    rows = transitions(*frames, **({"as_of": AS_OF} | settings)).where(f"dimension = '{dimension}'").collect()
    return {(row.from_state, row.to_state): row.count_transitions for row in rows}


JOURNEY = (
    session("1", "02-01 10:00:00", "email", campaign="C1"),
    session("2", "02-08 10:00:00", "search"),
    session("3", "02-15 10:00:00", "social"),
    session("4", "02-22 10:00:00", "direct", orders=["O1"]),
)


@pytest.mark.parametrize(
    ("model", "conversions", "revenue"),
    [
        ("first", {"email": "1"}, {"email": "100.01"}),
        ("last", {"direct": "1"}, {"direct": "100.01"}),
        (
            "linear",
            {"email": "0.25", "search": "0.25", "social": "0.25", "direct": "0.25"},
            {"email": "25.0025", "search": "25.0025", "social": "25.0025", "direct": "25.0025"},
        ),
        (
            # an eighth, a quarter, a half and one, of 15 / 8; the last takes what rounding leaves
            "time_decay",
            {"email": "0.066667", "search": "0.133333", "social": "0.266667", "direct": "0.533333"},
            {"email": "6.6673", "search": "13.3347", "social": "26.6693", "direct": "53.3387"},
        ),
        (
            "position",
            {"email": "0.4", "search": "0.1", "social": "0.1", "direct": "0.4"},
            {"email": "40.004", "search": "10.001", "social": "10.001", "direct": "40.004"},
        ),
        (
            # the only path goes through all four: each removal loses all
            "markov",
            {"email": "0.25", "search": "0.25", "social": "0.25", "direct": "0.25"},
            {"email": "25.0025", "search": "25.0025", "social": "25.0025", "direct": "25.0025"},
        ),
    ],
)
def test_a_journey_of_four_sessions_a_week_apart(spark, model, conversions, revenue):
    found = attributed(spark, JOURNEY, [order("O1", "02-22 10:05:00", "100.01")])

    assert credits(found, model) == {value: Decimal(part) for value, part in conversions.items()}
    assert credits(found, model, "revenue") == {value: Decimal(part) for value, part in revenue.items()}


def test_campaigns_are_a_second_dimension(spark):
    found = attributed(spark, JOURNEY, [order("O1", "02-22 10:05:00")])

    assert credits(found, "first", dimension="campaign") == {"C1": 1}
    assert credits(found, "linear", dimension="campaign") == {"C1": Decimal("0.25"), "none": Decimal("0.75")}


def test_a_third_of_an_order_leaves_its_rest_to_the_last(spark):
    found = attributed(spark, JOURNEY[1:], [order("O1", "02-22 10:05:00", "100")])

    assert credits(found, "linear") == {
        "search": Decimal("0.333333"), "social": Decimal("0.333333"), "direct": Decimal("0.333334"),
    }  # fmt: skip
    assert credits(found, "linear", "revenue") == {
        "search": Decimal("33.3333"), "social": Decimal("33.3333"), "direct": Decimal("33.3334"),
    }  # fmt: skip


def test_two_touchpoints_share_by_halves_in_the_position_model(spark):
    found = attributed(spark, JOURNEY[2:], [order("O1", "02-22 10:05:00")])

    assert credits(found, "position") == {"social": Decimal("0.5"), "direct": Decimal("0.5")}


def test_the_half_life_is_a_setting(spark):
    found = attributed(spark, JOURNEY[2:], [order("O1", "02-22 10:05:00")], half_life_days=3.5)

    assert credits(found, "time_decay") == {"social": Decimal("0.2"), "direct": Decimal("0.8")}


def test_shares_are_of_all_conversions_and_of_their_amount(spark):
    visits = [*JOURNEY[3:], session("5", "02-20 10:00:00", "search", customer="b", visitor="w")]

    found = attributed(spark, visits, [order("O1", "02-22 10:05:00", "30"), order("O2", "02-21", "90", customer="b")])

    rows = found.where("model = 'last' AND dimension = 'channel'").select("value", "conversions_share", "revenue_share")
    assert {value: tuple(shares) for value, *shares in rows.collect()} == {"direct": (0.5, 0.25), "search": (0.5, 0.75)}


@pytest.mark.parametrize(
    ("at", "touches"),
    [("01-23 10:05:00", True), ("01-23 10:04:59.999", False), ("02-22 10:05:00", True), ("02-22 10:05:00.001", False)],
    ids=["30 days before", "longer before", "at the order", "after"],
)
def test_touchpoints_begin_in_the_30_days_before_the_order(spark, at, touches):
    found = attributed(spark, [session("1", at, "email")], [order("O1", "02-22 10:05:00")])

    assert credits(found, "last") == {"email" if touches else "unknown": 1}


def test_the_session_that_ordered_is_a_touchpoint_of_an_order_recorded_to_the_minute(spark):
    found = attributed(spark, [session("1", "02-22 10:05:20", "email", orders=["O1"])], [order("O1", "02-22 10:05:00")])

    assert credits(found, "last") == {"email": 1}


@pytest.mark.parametrize(
    ("visits", "first"),
    [
        ([session("1", "02-20", "email", customer="a", visitor="other")], "email"),
        ([session("1", "02-20", "email", customer="b", visitor="other")], "search"),
        ([session("1", "02-20", "email", customer=None, visitor="v")], "email"),
        ([session("1", "02-20", "email", customer="b", visitor="v")], "search"),
        ([session("1", "02-20", "email", customer=None, visitor="other")], "search"),
    ],
    ids=["another device", "another customer", "before the login", "somebody else on the device", "a stranger"],
)
def test_touchpoints_are_sessions_of_the_customer_and_nameless_ones_of_the_visitor(spark, visits, first):
    ordering = session("9", "02-22 10:00:00", "search", orders=["O1"])

    found = attributed(spark, [*visits, ordering], [order("O1", "02-22 10:05:00")])

    assert credits(found, "first") == {first: 1}


def test_an_anonymous_order_is_led_to_by_its_visitor(spark):
    visits = [
        session("1", "02-20", "email", customer=None),
        session("2", "02-22 10:00:00", "search", customer=None, orders=["O1"]),
    ]

    found = attributed(spark, visits, [order("O1", "02-22 10:05:00", customer=None)])

    assert credits(found, "linear") == {"email": Decimal("0.5"), "search": Decimal("0.5")}


def test_a_conversion_without_a_touchpoint_is_owed_to_the_unknown(spark):
    found = attributed(spark, [session("1", "02-20", "email", customer="b")], [order("O1", "02-22", "7")])

    for model in MODELS:
        assert credits(found, model) == {"unknown": 1}
        assert credits(found, model, "revenue") == {"unknown": 7}
        assert credits(found, model, dimension="campaign") == {"none": 1}


@pytest.mark.parametrize(
    "other",
    [
        order("O2", "02-22", channel="store"),
        order("O2", "02-22", "-5", is_return=True),
        order("O2", "02-22", "0"),
        order("O2", "03-01"),
        order("O2", datetime(2023, 3, 1, 23)),
    ],
    ids=["in a store", "return", "gift", "after as_of", "before the period"],
)
def test_what_is_no_web_order_of_the_period_is_not_attributed(spark, other):
    orders = [order("O1", "02-22 10:05:00")]

    found = attributed(spark, JOURNEY, [*orders, other])

    assert_df_equality(found, attributed(spark, JOURNEY, orders), ignore_row_order=True)


def test_an_order_of_another_channel_counts_where_a_session_completed_it(spark):
    found = attributed(spark, JOURNEY, [order("O1", "02-22 10:05:00", channel="shop")])

    assert credits(found, "last") == {"direct": 1}


@pytest.mark.parametrize(
    ("channels", "conversions"),
    [(("eshop",), {"email": 1}), (("eshop", "store"), {"email": 2}), ((), {})],
    ids=["one", "two", "none"],
)
def test_the_channels_of_the_web_shop_are_a_setting(spark, channels, conversions):
    visits = [session("1", "02-20", "email")]
    orders = [order("O1", "02-22", channel="eshop"), order("O2", "02-22", channel="store"), order("O3", "02-22")]

    found = attributed(spark, visits, orders, shop=WebShop(channels))

    assert credits(found, "last") == conversions


def test_a_shop_that_is_called_online_is_the_web_shop_too(spark):
    found = attributed(spark, [session("1", "02-20", "email")], [order("O1", "02-22", channel="online")])

    assert credits(found, "last") == {"email": 1}


def test_visits_name_orders_without_the_prefix_that_silver_puts_before_them(spark):
    """O1 of the web shop is WO1 in silver; the O1 of the store is another order."""
    orders = [
        order("WO1", "02-22 10:05:00", "7", channel="eshop", customer=None),
        order("O1", "02-22", channel="store"),
    ]

    found = attributed(spark, JOURNEY, orders, shop=WebShop(("eshop",), ("W",)))

    assert credits(found, "last", "revenue") == {"direct": 7}


@pytest.mark.parametrize("orders", [[], [order("O2", "02-22", "-5", is_return=True)]], ids=["none", "returns alone"])
def test_without_web_orders_nothing_is_attributed(spark, orders):
    assert attributed(spark, JOURNEY, orders).collect() == []


def test_without_sessions_all_is_unknown(spark):
    assert credits(attributed(spark, [], [order("O1", "02-22")]), "markov") == {"unknown": 1}


def test_a_channel_that_no_rule_credits_has_its_row(spark):
    visits = [*JOURNEY, session("5", "02-10", "paid", customer="b", visitor="w")]

    rows = attributed(spark, visits, [order("O1", "02-22 10:05:00")]).where("value = 'paid'").collect()

    assert {row.model: row.attributed_conversions for row in rows} == dict.fromkeys(MODELS, Decimal(0))
    assert {row.model: row.removal_effect for row in rows} == dict.fromkeys(MODELS) | {"markov": 0.0}


PUBLISHED = [
    # C1 -> C2 -> C3 -> purchase; C1; C2 -> C3
    session("1", "02-01", "C1"), session("2", "02-02", "C2"), session("3", "02-03", "C3"),
    session("4", "02-01", "C1", customer="b"),
    session("5", "02-01", "C2", customer="c"), session("6", "02-02", "C3", customer="c"),
]  # fmt: skip


def test_removal_effects_are_those_of_the_published_example(spark):
    """Bryl' (2016), "Marketing multi-channel attribution model with R (part 1)", analyzecore.com: 0.5, 1 and 1."""
    found = attributed(spark, PUBLISHED, [order("O1", "02-03 12:00:00", "10")])

    assert paths(spark, PUBLISHED, [order("O1", "02-03 12:00:00", "10")]) == {
        ("(start)", "C1"): 2, ("(start)", "C2"): 1, ("C1", "C2"): 1, ("C1", "(null)"): 1, ("C2", "C3"): 2,
        ("C3", "(conversion)"): 1, ("C3", "(null)"): 1,
    }  # fmt: skip
    effects = found.where("model = 'markov' AND dimension = 'channel'").select("value", "removal_effect").collect()
    assert dict(map(tuple, effects)) == pytest.approx({"C1": 0.5, "C2": 1.0, "C3": 1.0}, rel=1e-12)
    assert credits(found, "markov") == {"C1": Decimal("0.2"), "C2": Decimal("0.4"), "C3": Decimal("0.4")}
    assert credits(found, "markov", "revenue") == {"C1": Decimal(2), "C2": Decimal(4), "C3": Decimal(4)}


def test_a_path_without_a_conversion_ends_after_30_days_away_and_at_an_order(spark):
    visits = [
        session("1", datetime(2023, 12, 1), "email"),
        session("2", datetime(2023, 12, 31), "search"),
        session("3", "01-31", "social"),
        session("4", "02-01", "direct"),
        session("5", "02-02", "email"),
    ]

    found = paths(spark, visits, [order("O1", "02-01 12:00:00")])

    # 30 days from the first to the second, 31 to the third, which ends in the order together with the fourth; the
    # second is 32 days before the order
    assert found == {
        ("(start)", "email"): 2, ("email", "search"): 1, ("search", "(null)"): 1,
        ("(start)", "social"): 1, ("social", "direct"): 1, ("direct", "(conversion)"): 1, ("email", "(null)"): 1,
    }  # fmt: skip


def test_no_path_means_no_effect():
    assert removal_effects([]) == {"channel": {}, "campaign": {}}


def test_without_conversions_no_removal_costs_any():
    counted = [("channel", "(start)", "email", 3), ("channel", "email", "(null)", 3)]

    assert removal_effects(counted)["channel"] == {"email": 0.0}


def conversion_probability(probability, removed, states):
    """By following the chain for long, everyone who comes to the removed channel being lost."""
    at = {"(start)": 1.0}
    converted = 0.0
    for _ in range(5000):
        arriving = defaultdict(float)
        for state, here in at.items():
            for to_state in states:
                arriving[to_state] += here * probability.get((state, to_state), 0.0)
        converted += arriving.pop("(conversion)", 0.0)
        arriving.pop("(null)", None)
        arriving.pop(removed, None)
        at = arriving
        if sum(at.values()) < 1e-16:
            break
    return converted


@pytest.mark.parametrize("seed", range(5))
def test_removal_effects_equal_those_of_a_chain_that_is_walked(seed):
    draw = np.random.default_rng(seed)
    channels = [f"ch{n}" for n in range(6)]
    states = [*channels, "(conversion)", "(null)"]
    counts = {}
    for from_state in ["(start)", *channels]:
        for to_state in channels if from_state == "(start)" else states:
            counts[from_state, to_state] = int(draw.integers(0, 30))
        counts[from_state, "(null)"] = int(draw.integers(1, 40)) if from_state != "(start)" else 0
    out_of = Counter()
    for (from_state, _), count in counts.items():
        out_of[from_state] += count
    probability = {pair: count / out_of[pair[0]] for pair, count in counts.items()}
    all_conversions = conversion_probability(probability, None, states)

    found = removal_effects(("channel", *pair, count) for pair, count in counts.items() if count)

    for channel in channels:
        expected = 1 - conversion_probability(probability, channel, states) / all_conversions
        assert found["channel"][channel] == pytest.approx(expected, rel=1e-9)


def drawn_lake(chance, people):
    """Sessions and orders of a few months: shared devices, nameless sessions, orders of several kinds."""
    sessions, orders = [], []
    for person in range(people):
        customer = f"c{person // 2}" if chance.random() < 0.7 else None
        for number in range(chance.randrange(8)):
            at = datetime(2023, 10, 20) + timedelta(minutes=chance.randrange(190000))
            completed = []
            if chance.random() < 0.35:
                order_id = f"O{person}-{number}"
                completed = [order_id]
                amount = str(Decimal(chance.randrange(-50, 20000)) / 100)
                late = timedelta(minutes=chance.choice([-1, 3, 20]))
                channel = chance.choice(["web", "web", "web", "shop"])
                orders.append(
                    order(order_id, at + late, amount, customer=chance.choice([customer, None]), channel=channel)
                )
            elif chance.random() < 0.2:
                channel = chance.choice(["web", "store"])
                orders.append(order(f"P{person}-{number}", at, "12.34", customer=customer, channel=channel))
            sessions.append(
                session(
                    f"s{person}-{number}", at, chance.choice([None, "direct", "search", "email", "paid"]),
                    customer=chance.choice([customer, customer, None]), visitor=f"v{person // 3}",
                    campaign=chance.choice([None, None, "C1", "C2"]), orders=completed,
                )
            )  # fmt: skip
    return sessions, orders


def counted_by_hand(sessions, orders, period_days, lookback_days):
    """The journeys as the definition reads, order by order and session by session; values by (channel, campaign)."""
    begin = datetime(2024, 3, 1) - timedelta(days=period_days)
    end, lookback = datetime(2024, 3, 1), timedelta(days=lookback_days)
    seen = [s for s in sessions if begin - lookback <= s[3] < end]
    by_id = {s[0]: s for s in seen}
    journeys, touched = [], defaultdict(list)
    for order_id, customer, ordered_at, _, channel, _, amount in orders:
        ordering = min(((s[3], s[0]) for s in seen if order_id in s[6]), default=None)
        if not (begin <= ordered_at < end and amount > 0 and (channel == "web" or ordering)):
            continue
        session_of_order = by_id[ordering[1]] if ordering else None
        at = max(ordered_at, ordering[0]) if ordering else ordered_at
        customers = {customer} | ({session_of_order[2]} if ordering else set())
        mine = [
            s
            for s in seen
            if at - lookback <= s[3] <= at
            and (s[2] in customers - {None} or (s[2] is None and ordering and s[1] == session_of_order[1]))
        ]
        mine.sort(key=lambda s: (s[3], s[0]))
        journeys.append((at, amount, mine))
        for person in {*(("c", c) for c in customers if c)} | ({("v", session_of_order[1])} if ordering else set()):
            touched[person].append(at)
    others = defaultdict(list)
    taken = {s[0] for _, _, mine in journeys for s in mine}
    for s in sorted(seen, key=lambda s: (s[3], s[0])):
        if s[0] in taken or s[3] < begin:
            continue
        paths_of = others[("c", s[2]) if s[2] else ("v", s[1])]
        person = ("c", s[2]) if s[2] else ("v", s[1])
        before = paths_of[-1][-1] if paths_of else None
        if before and s[3] - before[3] <= lookback and not any(before[3] <= at < s[3] for at in touched[person]):
            paths_of[-1].append(s)
        else:
            paths_of.append([s])
    return journeys, [path for of in others.values() for path in of]


def value_of(session, dimension):
    return (session[4] or "unknown") if dimension == "channel" else (session[5] or "none")


def weights_by_hand(model, at, mine, half_life=7.0):
    count = len(mine)
    if model in ("first", "last"):
        return [float(place == (0 if model == "first" else count - 1)) for place in range(count)]
    if model == "linear" or (model == "position" and count <= 2):
        return [1 / count] * count
    if model == "position":
        return [0.4, *[0.2 / (count - 2)] * (count - 2), 0.4]
    raw = [0.5 ** ((at - s[3]) / timedelta(days=half_life)) for s in mine]
    return [part / sum(raw) for part in raw]


def transitions_by_hand(journeys, others, dimension):
    counts = Counter()
    for end, path in [("(conversion)", mine) for _, _, mine in journeys if mine] + [("(null)", p) for p in others]:
        states = ["(start)", *[value_of(s, dimension) for s in path], end]
        counts.update(pairwise(states))
    return counts


@pytest.mark.parametrize(("period_days", "lookback_days"), [(365, 30), (60, 10)])
def test_attribution_equals_the_definition_walked_order_by_order(spark, period_days, lookback_days):
    sessions, orders = drawn_lake(random.Random(11), 600)
    settings = {"period_days": period_days, "lookback_days": lookback_days}
    journeys, others = counted_by_hand(sessions, orders, period_days, lookback_days)
    assert len([mine for _, _, mine in journeys if len(mine) > 2]) > 40
    assert len([mine for _, _, mine in journeys if not mine]) > 5
    assert len([path for path in others if len(path) > 1]) > 40

    rows = attributed(spark, sessions, orders, **settings).collect()

    found = {(row.model, row.dimension, row.value): row for row in rows}
    for dimension, nothing in (("channel", "unknown"), ("campaign", "none")):
        chain = transitions_by_hand(journeys, others, dimension)
        assert paths(spark, sessions, orders, dimension, **settings) == chain
        values = {state for pair in chain for state in pair if not state.startswith("(")} | {nothing}
        out_of = Counter()
        for (from_state, _), count in chain.items():
            out_of[from_state] += count
        probability = {pair: count / out_of[pair[0]] for pair, count in chain.items()}
        states = [*values, "(conversion)", "(null)"]
        all_converted = conversion_probability(probability, None, states)
        lost = {value: 1 - conversion_probability(probability, value, states) / all_converted for value in values}
        for model in MODELS:
            expected = dict.fromkeys(values, (0.0, 0.0))
            for at, amount, mine in journeys:
                if model == "markov" and mine:
                    parts = [(value, effect / sum(lost.values())) for value, effect in lost.items()]
                elif mine:
                    parts = zip([value_of(s, dimension) for s in mine], weights_by_hand(model, at, mine), strict=True)
                else:
                    parts = [(nothing, 1.0)]
                for value, part in parts:
                    conversions, revenue = expected[value]
                    expected[value] = (conversions + part, revenue + part * float(amount))
            assert {key[2] for key in found if key[:2] == (model, dimension)} == values
            for value, (conversions, revenue) in expected.items():
                row = found[model, dimension, value]
                assert float(row.attributed_conversions) == pytest.approx(conversions, abs=1e-3)
                assert float(row.attributed_revenue) == pytest.approx(revenue, abs=0.1)
                assert row.conversions_share == pytest.approx(conversions / len(journeys), abs=1e-5)
                assert row.revenue_share == pytest.approx(revenue / float(sum(j[1] for j in journeys)), abs=1e-5)
                if model == "markov":
                    assert row.removal_effect == pytest.approx(lost[value], rel=1e-9)
                else:
                    assert row.removal_effect is None
                assert (row.as_of, row.period_started_on) == (AS_OF, AS_OF - timedelta(days=period_days - 1))


@given(lake=st.builds(lambda seed: drawn_lake(random.Random(seed), 25), st.integers(0, 10**6)), shuffle=st.randoms())
def test_each_model_sums_to_all_conversions_and_all_revenue_in_any_order_of_rows(spark, lake, shuffle):
    sessions, orders = lake
    shuffled = list(sessions), list(orders)
    for rows in shuffled:
        shuffle.shuffle(rows)
    ordered_in = {order_id for s in sessions for order_id in s[6]}
    bought = [o[6] for o in orders if o[6] > 0 and o[3] <= AS_OF and (o[4] == "web" or o[0] in ordered_in)]

    found = sorted(map(tuple, attributed(spark, *lake).collect()), key=lambda row: row[2:5])

    assert sorted(map(tuple, attributed(spark, *shuffled).collect()), key=lambda row: row[2:5]) == found
    sums = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for _, _, model, dimension, _, conversions, revenue, conversions_share, revenue_share, _ in found:
        of_model = sums[model, dimension]
        sums[model, dimension] = (of_model[0] + conversions, of_model[1] + revenue)
        assert conversions >= 0
        assert 0 <= conversions_share <= 1
        assert 0 <= revenue_share <= 1
    assert set(sums) == ({(m, d) for m in MODELS for d in ("channel", "campaign")} if bought else set())
    assert set(sums.values()) <= {(len(bought), sum(bought))}
