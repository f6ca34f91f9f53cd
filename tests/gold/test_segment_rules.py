import random
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.customer_value import customer_value
from customerlake.gold.purchase_behaviour import purchase_behaviour
from customerlake.gold.segment_rules import OWN_SEGMENTS, SEGMENT_RULES, own_segments, segment_rules
from customerlake.gold.segment_thresholds import Thresholds
from customerlake.gold.usual_prices import usual_prices

AS_OF = date(2011, 3, 31)
DDL = {
    "customers": "customer_id string, birth_on date, sex string, country string, region string, city string, "
    "first_seen_on date",
    "orders": "order_id string, customer_id string, ordered_at timestamp, ordered_on date, channel string, "
    "is_return boolean, amount decimal(18,4), product_amount decimal(18,4), count_lines long, count_units long",
    "lines": "order_id string, customer_id string, ordered_on date, is_sale boolean, is_product boolean, "
    "product_id string, quantity int, amount decimal(18,4)",
    "crm_profiles": "profile_id string, customer_id string, income decimal(18,4), created_at timestamp, "
    "updated_at timestamp, is_deleted boolean",
    "product_list": "product_id string, category string",
    "web_events": "customer_id string, event_type string, product_id string, happened_at timestamp",
    "email_events": "customer_id string, event_type string, url string, happened_at timestamp",
    "survey_answers": "invitation_id string, customer_id string, score int, comment string, invited_at timestamp, "
    "answered_at timestamp, updated_at timestamp, is_deleted boolean",
    "campaigns": "campaign_id string, discount_share double, started_on date, ended_on date, is_deleted boolean",
    "campaign_members": "campaign_id string, customer_id string, test_group string, assigned_at timestamp, "
    "is_deleted boolean",
}
JAN_3 = datetime(2011, 1, 3, 9)
FIRST_DAY, FEBRUARY = date(2011, 1, 3), date(2011, 2, 7)


def customer(customer_id="a", *, birth=None, sex=None, country="France", region=None, city=None, seen=FIRST_DAY):
    return (customer_id, birth, sex, country, region, city, seen)


def order(order_id, at=JAN_3, amount="10", *, customer="a", channel="web", is_return=False):
    return (order_id, customer, at, at.date(), channel, is_return, Decimal(amount), Decimal(amount), 1, 1)


def line(order_id, product="P", amount="10", *, on=FIRST_DAY, customer="a", quantity=1):
    return (order_id, customer, on, True, True, product, quantity, Decimal(amount))


def profile(profile_id="1", income="30000", *, customer="a", created=JAN_3, updated=JAN_3, is_deleted=False):
    return (profile_id, customer, None if income is None else Decimal(income), created, updated, is_deleted)


def view(product="P", *, at=JAN_3, customer="a", event="product_view"):
    return (customer, event, product, at)


def click(url, *, at=JAN_3, customer="a", event="clicked"):
    return (customer, event, url, at)


def answer(comment, *, at=JAN_3, customer="a", score=5, is_deleted=False):
    return ("i", customer, score, comment, at - timedelta(days=1), at, at, is_deleted)


def campaign(campaign_id="C", discount=0.2, *, start=date(2011, 1, 1), end=date(2011, 1, 10), is_deleted=False):
    return (campaign_id, discount, start, end, is_deleted)


def member(campaign_id="C", *, customer="a", group="treated", at=datetime(2011, 1, 1), is_deleted=False):
    return (campaign_id, customer, group, at, is_deleted)


def own(spark, customers=None, *, orders=(), lines=(), priced=None, as_of=AS_OF, time_zone="UTC", limits=None, **feeds):
    """Own segments; `priced` are the lines of all, of which usual prices are made."""

    def frame(name, rows):
        return spark.createDataFrame(list(rows), DDL[name])

    orders, lines = frame("orders", orders), frame("lines", lines)
    value = customer_value(orders, as_of=as_of)
    return own_segments(
        frame("customers", [customer()] if customers is None else customers),
        orders,
        lines,
        # written and read again, as tables are: within one plan sail 0.7 mistakes which of its columns can be null
        spark.createDataFrame(value.collect(), value.schema),
        purchase_behaviour(orders, lines, as_of=as_of),
        **{name: frame(name, rows) for name, rows in feeds.items()},
        usual_prices=None if priced is None else usual_prices(frame("lines", priced), as_of=as_of),
        as_of=as_of,
        time_zone=time_zone,
        thresholds=limits or Thresholds(),
    )


def only(df, *names):
    (row,) = df.select(*names).collect()
    return tuple(row)


@pytest.mark.parametrize(
    ("birth", "as_of", "band"),
    [
        (date(1993, 4, 1), AS_OF, "under 18"),
        (date(1993, 3, 31), AS_OF, "18-24"),
        (date(1986, 4, 1), AS_OF, "18-24"),
        (date(1986, 3, 31), AS_OF, "25-34"),
        (date(1946, 4, 1), AS_OF, "55-64"),
        (date(1946, 3, 31), AS_OF, "65 and over"),
        (date(1992, 2, 29), date(2010, 2, 28), "under 18"),
        (date(1992, 2, 29), date(2010, 3, 1), "18-24"),
        (date(2011, 4, 1), AS_OF, None),
        (date(1891, 3, 31), AS_OF, None),
        (None, AS_OF, None),
    ],
)
def test_age_bands_are_of_full_years_on_the_day(spark, birth, as_of, band):
    found = own(spark, [customer(birth=birth, seen=date(2010, 1, 1))], as_of=as_of)

    assert only(found, "age_band") == (band,)


def test_borders_of_ages_can_be_set(spark):
    bands = [
        only(own(spark, [customer(birth=date(year, 1, 1))], limits=Thresholds(age_borders=(30, 60))), "age_band")
        for year in (1990, 1970, 1950)
    ]

    assert bands == [("under 30",), ("30-59",), ("60 and over",)]


def bought_every(days, times):
    return [order(str(n), JAN_3 - timedelta(days=n * days)) for n in range(times)]


@pytest.mark.parametrize(
    ("orders", "pattern"),
    [
        (bought_every(90, 4), "regular"),
        (bought_every(91, 4), "occasional"),
        (bought_every(10, 3), "occasional"),
        ([order("1"), order("2"), order("3"), order("4")], "occasional"),
        ([], None),
        ([order("1", amount="-10", is_return=True)], None),
    ],
    ids=["often and steady", "too seldom", "too few", "all on one day", "never", "a return alone"],
)
def test_who_buys_on_enough_days_and_often_enough_is_regular(spark, orders, pattern):
    assert only(own(spark, orders=orders), "purchase_pattern") == (pattern,)


@pytest.mark.parametrize(
    ("returned", "is_returner"), [("9.99", False), ("10", True), (None, False)], ids=["below", "at", "nothing"]
)
def test_who_gets_a_tenth_of_its_spend_back_is_a_returner(spark, returned, is_returner):
    back = [] if returned is None else [order("2", amount=f"-{returned}", is_return=True)]

    assert only(own(spark, orders=[order("1", amount="100"), *back]), "is_returner") == (is_returner,)


@pytest.mark.parametrize(
    ("channels", "preference"),
    [
        (["web"] * 7 + ["store"] * 3, "web"),
        (["web"] * 6 + ["store"] * 3, "several"),
        (["web"], None),
    ],
    ids=["seven in ten", "two in three", "one order"],
)
def test_the_channel_of_most_orders_is_preferred(spark, channels, preference):
    found = own(spark, orders=[order(str(n), channel=channel) for n, channel in enumerate(channels)])

    assert only(found, "channel_preference") == (preference,)


@pytest.mark.parametrize(
    ("hours", "daypart"),
    [
        ((4, 4), "night"),
        ((5, 11), "morning"),
        ((12, 16), "afternoon"),
        ((17, 21), "evening"),
        ((22, 3), "night"),
        ((23, 12), "afternoon"),
        ((9,), None),
    ],
)
def test_dayparts_begin_at_5_12_17_and_22_and_the_earlier_wins_a_tie(spark, hours, daypart):
    found = own(spark, orders=[order(str(hour), JAN_3.replace(hour=hour)) for hour in hours])

    assert only(found, "daypart_preference") == (daypart,)


def test_dayparts_are_those_of_the_time_zone(spark):
    orders = [order("1", JAN_3.replace(hour=11)), order("2", JAN_3.replace(hour=11, minute=30))]

    assert only(own(spark, orders=orders, time_zone="Europe/Berlin"), "daypart_preference") == ("afternoon",)


@pytest.mark.parametrize(
    ("days", "preference"), [((8, 9), "weekend"), ((8, 10), "weekend"), ((8, 10, 11), "weekday"), ((8,), None)]
)
def test_who_orders_at_least_half_on_weekends_prefers_them(spark, days, preference):
    found = own(spark, orders=[order(str(day), datetime(2011, 1, day, 9)) for day in days])  # the 8th: a Saturday

    assert only(found, "week_preference") == (preference,)


TWO_ORDERS = [order("1"), order("2")]
AT_TEN = [line(f"x{n}", "P", "10", customer=None) for n in range(3)]


@pytest.mark.parametrize(
    ("lines", "share", "is_seeker"),
    [
        ([line("1", "P", "9.50", on=FEBRUARY), line("2", "P", "9.50", on=FEBRUARY)], 1.0, True),
        ([line("1", "P", "9.51", on=FEBRUARY)], 0.0, False),
        ([line("1", "P", "9", on=FEBRUARY), line("2", "P", "27", on=FEBRUARY, quantity=2)], 0.25, False),
        ([line("1", "P", "9", on=FEBRUARY), line("2", "Q", "500", on=FEBRUARY)], 1.0, True),
        ([line("2", "Q", "500", on=FEBRUARY)], None, None),
    ],
    ids=["a twentieth below", "nearly", "by spend", "of what has a usual price", "nothing tells"],
)
def test_who_spends_at_least_half_below_usual_prices_seeks_discounts(spark, lines, share, is_seeker):
    found = own(spark, orders=TWO_ORDERS, lines=lines, priced=[*AT_TEN, *lines])

    assert only(found, "discounted_spend_share", "is_discount_seeker") == (share, is_seeker)


@pytest.mark.parametrize(
    ("campaigns", "members", "share"),
    [
        ([campaign()], [member()], 0.4),
        ([campaign()], [member(group="control")], 0.0),
        ([campaign()], [member(customer="b")], 0.0),
        ([campaign()], [member(is_deleted=True)], 0.0),
        ([campaign()], [member(at=datetime(2011, 4, 1))], 0.0),
        ([campaign(discount=0.0)], [member()], 0.0),
        ([campaign(discount=None)], [member()], 0.0),
        ([campaign(is_deleted=True)], [member()], 0.0),
        ([campaign(end=date(2011, 1, 2))], [member()], 0.0),
        ([campaign(start=date(2011, 1, 3), end=date(2011, 1, 3))], [member()], 0.4),
        ([campaign(start=date(2010, 12, 21), end=None)], [member()], 0.4),
        ([campaign(start=date(2010, 12, 20), end=None)], [member()], 0.0),
        ([campaign("C"), campaign("D", end=date(2011, 2, 28))], [member("C"), member("D")], 1.0),
    ],
    ids=["offered", "held back", "another's", "member deleted", "assigned after", "no discount", "unknown discount",
         "campaign deleted", "over", "on its one day", "the 14th day of an open one", "the 15th", "two campaigns"],
)  # fmt: skip
def test_what_is_bought_within_a_discount_campaign_is_bought_on_a_deal(spark, campaigns, members, share):
    lines = [line("1", "P", "4"), line("2", "P", "6", on=FEBRUARY)]

    found = own(spark, orders=TWO_ORDERS, lines=lines, campaigns=campaigns, campaign_members=members)

    assert only(found, "discounted_spend_share") == (share,)


def test_a_day_within_a_campaign_counts_whole_and_only_once(spark):
    lines = [line("1", "P", "5", on=FEBRUARY), line("1", "Q", "7", on=FEBRUARY), line("2", "P", "12", on=AS_OF)]
    steady = [line(f"y{n}", "P", "12", on=FEBRUARY, customer=None) for n in range(3)]

    found = own(
        spark,
        orders=TWO_ORDERS,
        lines=lines,
        priced=[*AT_TEN, *steady, *lines],
        campaigns=[campaign(start=FEBRUARY, end=FEBRUARY)],
        campaign_members=[member()],
    )

    assert only(found, "discounted_spend_share") == (0.5,)


LIST = [("p", "bags"), ("Q", "toys"), ("R", "garden"), ("S", "lights and candles"), ("X", "other"), ("Y", None)]


def liked(spark, lines=(), **feeds):
    (said,) = only(own(spark, lines=lines, product_list=LIST, **feeds), "interests")
    return None if said is None else [tuple(one) for one in said]


def test_an_interest_is_the_mean_of_what_is_viewed_bought_and_read(spark):
    views = [view("P"), view("p", event="add_to_cart"), view("Q"), view("R")]
    lines = [line("1", "P"), line("2", "Q")]
    clicks = [click("https://shop.example/c/lights-and-candles/?from=mail")]

    # views: bags 1/2, toys 1/4, garden 1/4; lines: bags 1/2, toys 1/2; clicks: lights 1
    assert liked(spark, lines, web_events=views, email_events=clicks) == [
        ("bags", 0.333333), ("lights and candles", 0.333333), ("toys", 0.25),
    ]  # fmt: skip


def test_a_click_on_a_product_is_of_its_category(spark):
    assert liked(spark, email_events=[click("https://shop.example/p/q"), click("/p/Q#top")]) == [("toys", 1.0)]


@pytest.mark.parametrize(
    ("comment", "interests"),
    [
        ("Your Garden department is lovely!", [("garden", 1.0)]),
        ("Too few lights - and candles. Toys, too: toys!", [("lights and candles", 0.5), ("toys", 0.5)]),
        ("I loved the gardening book and the other things", None),
        ("toy", None),
        ("!", None),
        (None, None),
    ],
)
def test_an_answer_tells_of_the_categories_whose_names_are_among_its_words(spark, comment, interests):
    assert liked(spark, survey_answers=[answer(comment)]) == interests


def test_a_category_named_in_another_language_is_read_too(spark):
    products = [("P", "Küche & Bad"), ("Q", "玩具")]
    comments = [answer("Mehr Küche, Bad bitte"), answer("我 喜欢 玩具 。"), answer("Kueche & Bad")]

    found = own(spark, product_list=products, survey_answers=comments)

    ((interests,),) = found.select("interests").collect()
    assert [tuple(one) for one in interests] == [("Küche & Bad", 0.5), ("玩具", 0.5)]


def test_what_is_answered_counts_beside_what_is_bought_each_answer_once(spark):
    answers = [answer("toys toys toys"), answer("toys and bags"), answer("garden")]

    # lines: bags 1; answers: toys 2/4, bags 1/4, garden 1/4
    assert liked(spark, [line("1", "P")], survey_answers=answers) == [
        ("bags", 0.625), ("toys", 0.25), ("garden", 0.125),
    ]  # fmt: skip


def test_an_interest_below_a_tenth_is_none(spark):
    lines = [line(str(n), "P") for n in range(10)] + [line("11", "Q")]

    assert liked(spark, lines) == [("bags", 0.909091)]


@pytest.mark.parametrize(
    "feeds",
    [
        {"lines": [line("1", "X"), line("2", "Y"), line("3", "Z"), line("4", "P", on=date(2011, 4, 1))]},
        {"web_events": [view("P", event="order"), view(None), view("P", customer=None), view(at=datetime(2011, 4, 1))]},
        {"email_events": [click("/p/P", event="opened"), click(None), click("/offers/em12"), click("/")]},
        {
            "survey_answers": [
                answer("toys", at=datetime(2011, 4, 1)),
                answer("toys", customer=None),
                answer("toys", score=None),
                answer("toys", is_deleted=True),
            ]
        },
        {"web_events": [], "email_events": [], "survey_answers": []},
    ],
    ids=["bought", "viewed", "read", "answered", "nothing"],
)
def test_what_says_nothing_of_a_category_by_the_day_is_no_interest(spark, feeds):
    assert liked(spark, **feeds) is None


def test_the_last_instant_of_the_day_counts(spark):
    assert liked(spark, web_events=[view(at=datetime(2011, 3, 31, 23, 59, 59))]) == [("bags", 1.0)]


@pytest.mark.parametrize(
    ("profiles", "income"),
    [
        ([profile("1", "10", updated=JAN_3), profile("2", "20", updated=JAN_3 + timedelta(days=1))], Decimal(20)),
        ([profile("1", "10"), profile("2", "20")], Decimal(20)),
        ([profile("1", "10"), profile("2", None, updated=JAN_3 + timedelta(days=1))], Decimal(10)),
        ([profile("1", "10"), profile("2", "20", is_deleted=True)], Decimal(10)),
        ([profile("1", "10"), profile("2", "20", updated=datetime(2011, 4, 1))], Decimal(10)),
        ([profile("1", "10", customer=None)], None),
    ],
    ids=["newest", "of a tie the last", "newest that states it", "deleted", "changed after as_of", "nobody's"],
)
def test_income_is_what_the_newest_profile_states(spark, profiles, income):
    assert only(own(spark, crm_profiles=profiles), "income") == (income,)


@pytest.mark.parametrize(
    ("person", "feeds", "is_there"),
    [
        (customer(seen=AS_OF), {}, True),
        (customer(seen=date(2011, 4, 1)), {}, False),
        (customer(seen=None), {}, False),
        (customer(seen=None), {"crm_profiles": [profile(income=None)]}, True),
        (customer(seen=None), {"crm_profiles": [profile(created=None, updated=datetime(2011, 4, 1))]}, False),
        (customer(seen=None), {"crm_profiles": [profile(created=JAN_3, updated=datetime(2011, 4, 1))]}, True),
        (customer(seen=None), {"web_events": [view()], "product_list": LIST}, True),
    ],
)
def test_a_customer_is_there_once_something_tells_of_it(spark, person, feeds, is_there):
    assert own(spark, [person], **feeds).isEmpty() is not is_there


def test_who_only_returned_has_no_habit_and_no_spend(spark):
    found = own(spark, orders=[order("1", amount="-5", is_return=True), order("2", amount="-5", is_return=True)])

    names = ("purchase_pattern", "is_returner", "channel_preference", "week_preference", "gross_spend")
    assert only(found, *names) == (None, None, None, None, None)


def test_no_customers_make_no_rows(spark):
    nobody = own(spark, [], orders=[order("1")], lines=[line("1")])

    assert nobody.isEmpty()
    assert segment_rules(nobody, as_of=AS_OF).isEmpty()


def people(spark, *rows):
    """Own segments of which only the named columns are set."""
    filled = [{"customer_id": str(n), "as_of": AS_OF} | row for n, row in enumerate(rows)]
    return spark.createDataFrame(
        [tuple(row.get(name) for name in OWN_SEGMENTS.column_names) for row in filled], OWN_SEGMENTS.schema
    )


def said(df, *names):
    return [tuple(row)[1:] for row in df.select(df["customer_id"].cast("int"), *names).sort("customer_id").collect()]


def test_who_spends_most_is_heavy_and_the_lower_half_light(spark):
    spends = [{"gross_spend": Decimal(10 * n)} for n in range(1, 7)]

    found = segment_rules(people(spark, *spends, {}), as_of=AS_OF)

    # of 10 to 60 the median is 35 and four fifths of the way is 50
    tiers = ["light", "light", "light", "medium", "heavy", "heavy", None]
    assert said(found, "value_tier") == [(tier,) for tier in tiers]


def test_equal_spends_are_of_one_tier(spark):
    found = segment_rules(people(spark, *[{"gross_spend": Decimal("0.3")}] * 7), as_of=AS_OF)

    assert said(found, "value_tier") == [("heavy",)] * 7


def test_incomes_are_banded_against_the_median_and_what_is_far_out_is_flagged(spark):
    incomes = ["20000", "22499.99", "22500", "28000", "30000", "32000", "60000", "60000.01", "9000000", "0", None]

    found = segment_rules(
        people(spark, *[{"income": None if text is None else Decimal(text)} for text in incomes]), as_of=AS_OF
    )

    # of what is above zero the median is 30000, and the quartiles are 22500 and 60000: the fences are a factor of
    # (60000 / 22500) ** 3 = 19 away from them
    bands = ["low", "low", "middle", "middle", "middle", "middle", "middle", "high", None, None, None]
    flags = [False] * 8 + [True, True, None]
    assert said(found, "income_band", "is_income_outlying") == list(zip(bands, flags, strict=True))


def test_where_most_incomes_are_equal_none_is_far_out(spark):
    found = segment_rules(people(spark, *[{"income": Decimal(n)} for n in (5, 5, 5, 5, 900)]), as_of=AS_OF)

    assert said(found, "is_income_outlying", "income_band") == [(False, "middle")] * 4 + [(False, "high")]


def test_cities_are_tiered_by_the_share_of_customers_who_live_there(spark):
    homes = [("Paris", "France")] * 4 + [("PARIS", "France"), ("Lyon", "France"), ("Paris", "USA"), (None, "France")]
    limits = Thresholds(large_city=0.5, medium_city=0.15)

    found = segment_rules(
        people(spark, *[{"city": c, "country": n} for c, n in [*homes, ("Lyon", "France")]]),
        as_of=AS_OF,
        thresholds=limits,
    )

    tiers = ["large"] * 5 + ["medium", "small", None, "medium"]
    assert said(found, "city_tier") == [(tier,) for tier in tiers]


def test_rows_of_another_day_do_not_count(spark):
    other = people(spark, {"as_of": date(2011, 2, 28), "gross_spend": Decimal(1)})

    assert segment_rules(other, as_of=AS_OF).isEmpty()


bought = st.tuples(
    st.sampled_from("abcd"), st.sampled_from("PQRSX"), st.integers(1, 900), st.datetimes(JAN_3, datetime(2011, 4, 9))
)


@given(st.lists(bought, min_size=1, max_size=60))
def test_what_a_customers_own_rows_say_depends_on_them_alone(spark, rows):
    rows = [(str(n), c, p, Decimal(amount), at.replace(microsecond=0)) for n, (c, p, amount, at) in enumerate(rows)]
    people_ = [customer(name, seen=FIRST_DAY) for name in "abcd"]

    def of(*names, turn=1):
        chosen = [row for row in rows if row[1] in names][::turn]
        return own(
            spark,
            [person for person in people_ if person[0] in names],
            orders=[order(n, at, amount, customer=c) for n, c, _, amount, at in chosen],
            lines=[line(n, p, amount, customer=c, on=at.date()) for n, c, p, amount, at in chosen],
            web_events=[view(p, customer=c, at=at) for _, c, p, _, at in chosen],
            product_list=LIST,
            priced=[line(n, p, amount, customer=c, on=at.date()) for n, c, p, amount, at in rows],
        )

    whole = of("a", "b", "c", "d")

    assert_df_equality(whole.where("customer_id = 'a'"), of("a", turn=-1), ignore_nullable=True)
    assert whole.where(
        "discounted_spend_share NOT BETWEEN 0 AND 1 OR size(interests) > 3 OR interests[0].share < 0.1"
    ).isEmpty()
    assert segment_rules(whole, as_of=AS_OF).count() == 4


EXPECTED = """
    WITH value AS (
        SELECT customer_id, count(*) FILTER (NOT is_return) AS n,
            sum(amount) FILTER (NOT is_return)::DOUBLE AS spend,
            coalesce(-sum(amount) FILTER (is_return), 0)::DOUBLE AS given_back,
            avg((isodow(ordered_on) >= 6)::INT) FILTER (NOT is_return) AS weekend,
            count(DISTINCT ordered_on) FILTER (NOT is_return) AS days,
            (max(ordered_on) FILTER (NOT is_return) - min(ordered_on) FILTER (NOT is_return)) AS span
        FROM orders WHERE ordered_on <= DATE '{as_of}' AND customer_id IS NOT NULL GROUP BY customer_id
    ), bought AS (
        FROM orders WHERE ordered_on <= DATE '{as_of}' AND customer_id IS NOT NULL AND NOT is_return
    ), mains AS (
        SELECT DISTINCT ON (customer_id) customer_id, channel, count(*) AS times
        FROM bought GROUP BY ALL ORDER BY customer_id, times DESC, channel
    ), parts AS (
        SELECT DISTINCT ON (customer_id) customer_id, CASE WHEN hour(ordered_at) BETWEEN 5 AND 11 THEN 1
            WHEN hour(ordered_at) BETWEEN 12 AND 16 THEN 2 WHEN hour(ordered_at) BETWEEN 17 AND 21 THEN 3
            ELSE 4 END AS p
        FROM bought GROUP BY ALL ORDER BY customer_id, count(*) DESC, p
    ), sold AS (
        SELECT *, date_trunc('month', ordered_on) AS month, (amount / quantity)::DECIMAL(18, 4)::DOUBLE AS price
        FROM lines WHERE ordered_on <= DATE '{as_of}'
    ), medians AS (
        SELECT product_id, month, median(price) AS price FROM sold GROUP BY ALL
    ), judged AS (
        SELECT sold.*, usual.price AS usual_price, EXISTS (
            FROM campaign_members AS m JOIN campaigns USING (campaign_id) WHERE m.customer_id = sold.customer_id
            AND test_group = 'treated' AND assigned_at::DATE <= DATE '{as_of}' AND discount_share > 0
            AND ordered_on BETWEEN started_on AND coalesce(ended_on, started_on + 13)) AS is_in_campaign
        FROM sold ASOF LEFT JOIN medians AS usual ON sold.product_id = usual.product_id AND sold.month > usual.month
    ), deals AS (
        SELECT customer_id, (coalesce(sum(amount) FILTER (is_in_campaign OR price <= usual_price * 0.95), 0)
            / sum(amount) FILTER (is_in_campaign OR usual_price IS NOT NULL))::DOUBLE AS share
        FROM judged WHERE customer_id IS NOT NULL GROUP BY customer_id
    ), met AS (
        SELECT customer_id, category, 'bought' AS way FROM sold JOIN product_list USING (product_id)
        UNION ALL SELECT customer_id, category, 'viewed' FROM web_events JOIN product_list USING (product_id)
            WHERE happened_at::DATE <= DATE '{as_of}' AND event_type = 'product_view'
        UNION ALL SELECT customer_id, category, 'read' FROM email_events JOIN product_list
            ON url = '/p/' || lower(product_id) WHERE happened_at::DATE <= DATE '{as_of}' AND event_type = 'clicked'
        UNION ALL SELECT customer_id, category, 'answered' FROM survey_answers JOIN
            (SELECT DISTINCT category FROM product_list) AS named ON regexp_matches(comment, '\\b' || category || '\\b')
            WHERE answered_at::DATE <= DATE '{as_of}'
    ), ways AS (
        SELECT customer_id, category, way, count(*) / sum(count(*)) OVER (PARTITION BY customer_id, way) AS share
        FROM met WHERE category <> 'other' AND customer_id IS NOT NULL GROUP BY customer_id, category, way
    ), shares AS (
        SELECT customer_id, category, round(sum(share) / any_value(count_ways), 6) AS share
        FROM ways JOIN (SELECT customer_id, count(DISTINCT way) AS count_ways FROM ways GROUP BY customer_id)
            USING (customer_id)
        GROUP BY customer_id, category
    ), liked AS (
        SELECT customer_id, list(category || ' ' || share::DECIMAL(8, 6) ORDER BY share DESC, category)[:3] AS interests
        FROM shares WHERE share >= 0.1 GROUP BY customer_id
    ), crm AS (
        SELECT customer_id,
            (arg_max(income, (updated_at, profile_id)) FILTER (updated_at::DATE <= DATE '{as_of}'))::DOUBLE AS income
        FROM crm_profiles WHERE created_at::DATE <= DATE '{as_of}' GROUP BY customer_id
    ), known AS (
        FROM customers LEFT JOIN value USING (customer_id) LEFT JOIN liked USING (customer_id)
        LEFT JOIN crm USING (customer_id)
        WHERE first_seen_on <= DATE '{as_of}' OR interests IS NOT NULL
            OR customer_id IN (SELECT customer_id FROM crm_profiles WHERE created_at::DATE <= DATE '{as_of}')
    ), level AS (
        SELECT quantile_cont(spend, 0.8) AS heavy, quantile_cont(spend, 0.5) AS medium, median(income) AS middle,
            quantile_cont(ln(income), 0.25) AS q1, quantile_cont(ln(income), 0.75) AS q3, count(city) AS housed
        FROM known
    )
    SELECT customer_id, sex, country, region, city, interests,
        CASE WHEN age IS NULL THEN NULL WHEN age < 18 THEN 'under 18' WHEN age < 25 THEN '18-24' WHEN age < 35
            THEN '25-34' WHEN age < 45 THEN '35-44' WHEN age < 55 THEN '45-54' WHEN age < 65 THEN '55-64'
            ELSE '65 and over' END AS age_band,
        CASE WHEN days >= 4 AND span / (days - 1) <= 90 THEN 'regular' WHEN days > 0 THEN 'occasional' END
            AS purchase_pattern,
        deals.share AS discounted_spend_share, CASE WHEN n >= 2 THEN deals.share >= 0.5 END AS is_discount_seeker,
        given_back / spend >= 0.1 AS is_returner,
        CASE WHEN n >= 2 THEN CASE WHEN times / n >= 0.7 THEN channel ELSE 'several' END END AS channel_preference,
        CASE WHEN n >= 2 THEN ['morning', 'afternoon', 'evening', 'night'][p] END AS daypart_preference,
        CASE WHEN n >= 2 THEN CASE WHEN weekend >= 0.5 THEN 'weekend' ELSE 'weekday' END END AS week_preference,
        ln(income) NOT BETWEEN q1 - 3 * (q3 - q1) AND q3 + 3 * (q3 - q1) AS is_income_outlying,
        CASE WHEN is_income_outlying THEN NULL WHEN income < 0.75 * middle THEN 'low' WHEN income > 2 * middle
            THEN 'high' WHEN income > 0 THEN 'middle' END AS income_band,
        CASE WHEN city IS NOT NULL THEN CASE WHEN count(*) OVER (PARTITION BY city, country) / housed >= 0.05
            THEN 'large' WHEN count(*) OVER (PARTITION BY city, country) / housed >= 0.01 THEN 'medium' ELSE 'small' END
            END AS city_tier,
        CASE WHEN spend >= heavy THEN 'heavy' WHEN spend >= medium THEN 'medium' WHEN spend > 0 THEN 'light' END
            AS value_tier
    FROM (SELECT *, date_diff('year', birth_on, DATE '{as_of}')
            - (strftime(birth_on, '%m%d') > strftime(DATE '{as_of}', '%m%d'))::INT AS age FROM known) AS known
    CROSS JOIN level LEFT JOIN mains USING (customer_id) LEFT JOIN parts USING (customer_id)
    LEFT JOIN deals USING (customer_id)
"""


def a_small_world():
    """Rows of every feed for 400 customers over 2010 and 2011, by chance of a fixed seed."""
    chance = random.Random(7)
    ids = [f"c{n}" for n in range(400)]
    categories = ["bags", "toys", "garden", "kitchen", "other"]
    usual = {f"P{n}": chance.choice([2, 5, 10]) for n in range(40)}

    def moment():
        return datetime(2010, 1, 1) + timedelta(seconds=chance.randrange(730 * 86400))

    def maybe(value, share=0.8):
        return value if chance.random() < share else None

    def income(n):
        return Decimal(int(1000 * chance.lognormvariate(3.4, 0.5))) * (100 if n % 97 == 0 else 1)

    cities = ["London"] * 30 + ["York"] * 5 + ["Bath"] * 3 + ["Ely"]
    customers = [
        (c, maybe(date(1930, 1, 1) + timedelta(days=chance.randrange(29000))), maybe(chance.choice(["female", "male"])),
         chance.choice(["United Kingdom", "France"]), maybe("Kent", 0.3), maybe(chance.choice(cities)), None)
        for c in ids
    ]  # fmt: skip
    said, orders, lines = random.Random(8), [], []
    answers = [
        answer(
            said.choice(["more {}", "no {} and {}", "{}s please", "fine"]).format(*said.sample(categories, 2)),
            customer=said.choice([*ids[50:300], None]),
            at=datetime(2010, 1, 1) + timedelta(seconds=said.randrange(730 * 86400)),
        )
        for _ in range(600)
    ]
    for n in range(2000):
        at, who, is_return = moment(), maybe(chance.choice(ids[: 40 + n // 5]), 0.95), chance.random() < 0.1
        bought = [(chance.choice(list(usual)), chance.randrange(1, 5)) for _ in range(chance.randrange(1, 5))]
        bought = [
            (p, q, Decimal(q * usual[p]) * chance.choice([Decimal("0.9"), 1, 1])) for p, q in dict(bought).items()
        ]
        total = sum(amount for *_, amount in bought)
        orders.append(order(str(n), at, -total / 2 if is_return else total, customer=who, is_return=is_return,
                            channel=chance.choice(["web", "web", "store"])))  # fmt: skip
        if not is_return:
            lines += [line(str(n), p, amount, customer=who, quantity=q, on=at.date()) for p, q, amount in bought]
    first = {}
    for _, who, _, on, *_ in orders:
        first[who] = min(on, first.get(who, on))
    return {
        "customers": [(*row[:-1], first.get(row[0])) for row in customers],
        "orders": orders,
        "lines": lines,
        "crm_profiles": [
            (f"{n}", maybe(chance.choice(ids)), income(n), at, at + timedelta(days=chance.randrange(300)), False)
            for n in range(300) for at in [moment()]
        ],
        "product_list": [(p, chance.choice(categories)) for p in usual],
        "web_events": [
            view(chance.choice(list(usual)), customer=maybe(chance.choice(ids[:200])), at=moment(),
                 event=chance.choice(["product_view", "checkout"])) for _ in range(4000)
        ],
        "email_events": [
            click(f"/p/{chance.choice(list(usual)).lower()}", customer=chance.choice(ids[100:250]), at=moment(),
                  event=chance.choice(["opened", "clicked"])) for _ in range(900)
        ],
        "survey_answers": answers,
        "campaigns": [
            campaign(f"C{n}", [0.2, 0.0, None, 0.1][n], start=date(2010, 3 + 2 * n, 1),
                     end=maybe(date(2010, 3 + 2 * n, 25), 0.5))
            for n in range(4)
        ],
        "campaign_members": [
            member(f"C{n}", customer=c, group=chance.choice(["treated", "control"]), at=datetime(2010, 3 + 2 * n, 1))
            for n in range(4) for c in ids[::2]
        ],
    }  # fmt: skip


@pytest.mark.parametrize("as_of", [date(2010, 12, 31), date(2011, 11, 30)])
def test_the_segments_of_a_small_world_are_what_sql_says_from_their_definitions(spark, as_of):
    world = a_small_world()
    feeds = {name: rows for name, rows in world.items() if name not in ("customers", "orders", "lines")}

    rows = own(spark, world["customers"], orders=world["orders"], lines=world["lines"], priced=world["lines"],
               as_of=as_of, **feeds)  # fmt: skip
    found = segment_rules(rows, as_of=as_of).drop("as_of").collect()

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, rows in world.items():
        connection.register(name, spark.createDataFrame(rows, DDL[name]).toArrow())
    expected = connection.sql(EXPECTED.format(as_of=as_of))
    said = {row[0]: dict(zip(expected.columns, row, strict=True)) for row in expected.fetchall()}
    assert {*expected.columns, "as_of"} == set(SEGMENT_RULES.column_names)
    assert len(said) > 250
    assert {row.customer_id for row in found} == set(said)
    wrong = [
        (row.customer_id, name, value, said[row.customer_id][name])
        for row in found
        for name, value in row.asDict().items()
        if plain(value) != plain(said[row.customer_id][name])
    ]
    assert wrong == []


def plain(value):
    """Shares to nine places, interests as text."""
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, list):
        return [one if isinstance(one, str) else f"{one.category} {one.share:.6f}" for one in value]
    return value
