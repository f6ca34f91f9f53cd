import random
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise
from zoneinfo import ZoneInfo

import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st

from customerlake.gold.web_sessions import WEB_SESSIONS, web_sessions
from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE

EVENTS = (
    "event_id string, visitor_id string, customer_id string, event_type string, product_id string, order_id string, "
    "url string, campaign_id string, channel string, device string, country string, happened_at timestamp"
)
AS_OF = date(2024, 2, 29)


def event(
    event_id, at, kind="page_view", *, visitor="v", customer=None, product=None, order=None, url=None, campaign=None,
    channel=None, device=None, country=None,
):  # fmt: skip
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(f"2024-02-{at}")
    return (event_id, visitor, customer, kind, product, order, url, campaign, channel, device, country, moment)


def sessions(spark, *events, as_of=AS_OF, time_zone="UTC"):
    return web_sessions(spark.createDataFrame(list(events), EVENTS), as_of=as_of, time_zone=time_zone)


def found(df, *names):
    """The rows, the first column of which is unique where one of the others may be null."""
    return sorted(tuple(row) for row in df.select(*names).collect())


def starts(df):
    """session_id, which is its first event, and how many events it has."""
    return dict(found(df, "session_id", "count_events"))


def test_a_session_is_summarised(spark):
    source = {"channel": "email", "campaign": "C1"}
    made = sessions(
        spark,
        event("1", "28 09:59:50", country="Malta", **source),
        event("2", "28 10:00:00", "product_view", product="P", url="/p/p", device="mobile", **source),
        event("3", "28 10:01:00", "product_view", product="Q", url="/p/q", device="tablet", **source),
        event("4", "28 10:02:00", "product_view", product="P", url="/p/p", **source),
        event("5", "28 10:03:00.5", "add_to_cart", product="P", **source),
        event("6", "28 10:04:00", "add_to_cart", product="Q", **source),
        event("7", "28 10:05:00", "login", customer="c", **source),
        event("8", "28 10:06:00", "checkout", customer="c", **source),
        event("9", "28 10:07:00", "order", order="O2", customer="c", **source),
        event("A", "28 10:08:00", "order", order="O1", customer="c", **source),
    )

    row = (
        "1", "v", "c", datetime(2024, 2, 28, 9, 59, 50), datetime(2024, 2, 28, 10, 8), date(2024, 2, 28),
        date(2024, 2, 1), "email", "C1", "mobile", "Malta", 10, 1, 3, 2, 2, ["O1", "O2"], True, True, True, True,
        10.0, 190.5, 370.0, 430.0, 10.0,
    )  # fmt: skip
    assert_df_equality(made, spark.createDataFrame([row], WEB_SESSIONS.schema), ignore_nullable=True)


def test_a_session_of_one_look_has_no_steps(spark):
    made = sessions(spark, event("1", "28 10:00:00"))

    names = ("has_view", "has_cart", "has_checkout", "has_order", "count_orders", "order_ids", "seconds_to_order")
    assert found(made, *names) == [(False, False, False, False, 0, [], None)]


def test_without_events_there_are_no_sessions(spark):
    assert sessions(spark).collect() == []


def test_more_than_30_minutes_without_an_event_end_a_session(spark):
    made = sessions(
        spark,
        event("1", "28 10:00:00"),
        event("2", "28 10:30:00"),
        event("3", "28 11:00:01"),
        event("4", "28 11:01:00"),
    )

    assert starts(made) == {"1": 2, "3": 2}


def test_midnight_ends_a_session(spark):
    made = sessions(spark, event("1", "28 23:59:58"), event("2", "29 00:00:00"))

    assert found(made, "session_id", "started_on") == [("1", date(2024, 2, 28)), ("2", date(2024, 2, 29))]


def test_midnight_is_that_of_the_lakes_time_zone(spark):
    # in Berlin, an hour before UTC in February, the day ends at 23:00
    made = sessions(
        spark, event("1", "28 22:50:00"), event("2", "28 23:10:00"), event("3", "28 23:30:00"),
        event("4", "29 00:00:00"), time_zone="Europe/Berlin",
    )  # fmt: skip

    assert starts(made) == {"1": 1, "2": 3}
    assert found(made, "started_on") == [(date(2024, 2, 28),), (date(2024, 2, 29),)]


@pytest.mark.parametrize(
    ("sources", "starts_at"),
    [
        ([("email", "C1"), ("email", "C2")], [0, 1]),
        ([("email", "C1"), (None, "C2")], [0, 1]),
        ([("email", None), ("email", "C1")], [0, 1]),
        ([("search", None), ("paid", None)], [0, 1]),
        ([("search", None), ("paid", None), ("search", None)], [0, 1, 2]),
        ([("direct", None), ("search", None)], [0, 1]),
        ([("search", None), ("email", "C1"), ("search", None), ("email", "C1")], [0, 1, 2, 3]),
        ([("search", None), ("direct", None), ("search", None)], [0]),
        ([("email", "C1"), ("direct", None), ("email", None), ("email", "C1")], [0]),
        ([("email", "C1"), (None, None), ("email", "C1")], [0]),
        ([(None, None), ("email", "C1")], [0]),
        ([(None, "C1"), ("email", "C1")], [0]),
    ],
    ids=[
        "another campaign", "another campaign without a channel", "a campaign after none", "another channel",
        "and back", "direct before", "each change", "direct after another channel", "less said of the same",
        "nothing said between", "nothing said before", "the channel said later",
    ],
)  # fmt: skip
def test_another_channel_or_campaign_starts_a_session(spark, sources, starts_at):
    events = [
        event(str(n), f"28 10:0{n}:00", channel=channel, campaign=campaign)
        for n, (channel, campaign) in enumerate(sources)
    ]

    assert sorted(starts(sessions(spark, *events))) == [str(n) for n in starts_at]


def test_a_session_has_the_first_source_that_it_names(spark):
    made = sessions(
        spark, event("1", "28 10:00:00"), event("2", "28 10:01:00", channel="email", campaign="C1"),
        event("3", "28 10:02:00", channel="direct"),
    )  # fmt: skip

    assert found(made, "session_id", "channel", "campaign_id") == [("1", "email", "C1")]


def test_an_event_that_stands_twice_is_where_it_happened_last(spark):
    """Sent again with a corrected time, in another month."""
    made = sessions(
        spark, event("1", datetime(2024, 1, 31, 10)), event("2", "01 10:05:00"), event("1", "01 10:00:00"),
    )  # fmt: skip

    assert found(made, "session_id", "started_on", "count_events") == [("1", date(2024, 2, 1), 2)]


@pytest.fixture
def land_clicks(tmp_path, spark, engine):
    """Land clicks (event_id, visitor_id, happened_at), and build the sessions of a lake of clicks alone."""
    landing, file = tmp_path / "clicks", tmp_path / "clicks.yaml"
    landing.mkdir()
    file.write_text(f"name: clicks\ncurrency: EUR\nfeeds:\n  web_events: {{path: {landing}, pattern: '*.csv'}}\n")
    run = job.Run(root=str(tmp_path / "lake"), lake_file=str(file), spark=spark, engine=engine)

    def land(*clicks):
        rows = "".join(f"{event},{visitor},page_view,{at}\n" for event, visitor, at in clicks)
        (landing / f"{len(list(landing.iterdir()))}.csv").write_text(
            "event_id,visitor_id,event_type,happened_at\n" + rows
        )
        for step in PIPELINE:
            if step.name in ("land_files", "records", "sessions"):
                outcome = job.execute(step, run)
                assert outcome.state not in ("failed", "refused"), outcome.message
        return found(run.lake.read(WEB_SESSIONS), "session_id", "started_month", "count_events")

    return land


def test_a_click_that_is_sent_again_with_another_months_time_moves_its_session(land_clicks):
    first = land_clicks(("1", "v", "2024-01-31 10:00:00"), ("9", "w", "2024-01-31 10:00:00"))
    moved = land_clicks(("1", "v", "2024-02-01 10:00:00"))

    january, february = date(2024, 1, 1), date(2024, 2, 1)
    assert first == [("1", january, 1), ("9", january, 1)]
    assert moved == [("1", february, 1), ("9", january, 1)]


def test_an_event_sent_again_within_a_second_counts_once(spark):
    view = {"kind": "product_view", "product": "P", "url": "/p"}
    made = sessions(
        spark,
        event("1", "28 10:00:00", **view),
        event("2", "28 10:00:01", **view),
        event("3", "28 10:00:02.001", **view),
        event("4", "28 10:00:02", "product_view", product="Q", url="/q"),
    )

    assert found(made, "count_events", "count_product_views", "count_products_viewed") == [(3, 3, 2)]


def test_two_orders_within_a_second_are_two(spark):
    made = sessions(
        spark, event("1", "28 10:00:00", "order", order="O1"), event("2", "28 10:00:00", "order", order="O2")
    )

    assert found(made, "count_orders", "order_ids") == [(2, ["O1", "O2"])]


def test_an_order_told_twice_is_one_and_one_without_a_number_counts(spark):
    made = sessions(
        spark, event("1", "28 10:00:00", "order", order="O1"), event("2", "28 10:05:00", "order", order="O1"),
        event("3", "28 10:06:00", "order"),
    )  # fmt: skip

    assert found(made, "count_orders", "order_ids") == [(2, ["O1"])]


def test_sessions_before_the_login_are_of_the_only_customer_of_the_visitor(spark):
    made = sessions(spark, event("1", "27 10:00:00"), event("2", "28 10:00:00", customer="a"))

    assert found(made, "session_id", "customer_id") == [("1", "a"), ("2", "a")]


def test_a_visitor_of_two_customers_names_only_the_sessions_that_say_so(spark):
    made = sessions(
        spark, event("1", "26 10:00:00"), event("2", "27 10:00:00", customer="b"),
        event("3", "28 10:00:00", customer="b"), event("4", "28 10:01:00", customer="a"), event("5", "28 10:02:00"),
    )  # fmt: skip

    # in the third, a was seen last
    assert dict(found(made.fillna("none"), "session_id", "customer_id")) == {"1": "none", "2": "b", "3": "a"}


def test_only_events_by_the_end_of_as_of_in_utc_count(spark):
    made = sessions(
        spark, event("1", "29 23:59:59.9"), event("2", datetime(2024, 3, 1), customer="a"), time_zone="America/New_York"
    )

    assert found(made, "session_id", "count_events", "customer_id") == [("1", 1, None)]


def drawn_events(random_source, count):
    """Events of few visitors, many of them close to the borders of the rules."""
    gaps = [0.4, 1.0, 1.2, 60, 1799, 1800, 1801, 4000, 30000]
    at = {f"v{n}": datetime(2024, 2, 26, 20) for n in range(40)}
    made = []
    for number in range(count):
        visitor = random_source.choice(list(at))
        at[visitor] += timedelta(seconds=random_source.choice(gaps))
        kind = random_source.choice(["page_view", "product_view", "add_to_cart", "checkout", "order", "login"])
        channel = random_source.choice([None, None, "direct", "search", "search", "email"])
        campaign = random_source.choice([None, None, None, "C1", "C2"]) if channel in (None, "email") else None
        made.append(
            event(
                f"e{number:05}", at[visitor], kind, visitor=visitor,
                customer=random_source.choice([None] * 20 + [f"c{visitor}", "c"]) if kind != "page_view" else None,
                product=random_source.choice(["P", "Q"]) if kind == "product_view" else None,
                order=random_source.choice([None, f"O{number}", "O1"]) if kind == "order" else None,
                channel=channel, campaign=campaign, device=random_source.choice([None, "mobile", "desktop"]),
            )
        )  # fmt: skip
    return made


def cut_by_hand(events, time_zone):
    """The sessions of one visitor, event by event as the rules read; each session as the list of its events."""
    cut, last, latest, source = [], {}, None, {"channel": None, "campaign": None}
    for e in sorted(events, key=lambda e: (e["happened_at"], e["event_id"])):
        alike = tuple(e[name] for name in ("event_type", "product_id", "url", "order_id"))
        before, last[alike] = last.get(alike), e["happened_at"]
        if before is not None and (e["happened_at"] - before).total_seconds() <= 1:
            continue
        day = e["happened_at"].replace(tzinfo=UTC).astimezone(ZoneInfo(time_zone)).date()
        channel, campaign = e["channel"], e["campaign_id"]
        pause = latest is None or e["happened_at"] - latest[0] > timedelta(minutes=30) or day != latest[1]
        other_channel = not pause and channel not in (None, "direct") and source["channel"] not in (None, channel)
        says_something = not pause and (source["channel"] or source["campaign"])
        other_campaign = not pause and campaign and campaign != source["campaign"] and says_something
        if pause or other_channel or other_campaign:
            cut.append([])
            # a channel that nobody changed still holds after a change of campaign
            source = {"channel": None if pause or other_channel else source["channel"], "campaign": None}
        source = {
            "channel": channel if channel and source["channel"] in (None, "direct") else source["channel"],
            "campaign": source["campaign"] or campaign,
        }
        latest = (e["happened_at"], day)
        cut[-1].append(e)
    return cut


def first(values):
    return next((value for value in values if value is not None), None)


def summary_by_hand(session, customers):
    start = session[0]["happened_at"]
    seen = [e["customer_id"] for e in session if e["customer_id"]]
    kinds = {"view": "product_view", "cart": "add_to_cart", "checkout": "checkout", "order": "order"}
    seconds = {
        step: first((e["happened_at"] - start).total_seconds() for e in session if e["event_type"] == kind)
        for step, kind in kinds.items()
    }
    named = ("channel", "campaign_id", "device", "country")
    named_after = [first((e["happened_at"] - start).total_seconds() for e in session if e[name]) for name in named]
    orders = [e for e in session if e["event_type"] == "order"]
    viewed = [e["product_id"] for e in session if e["event_type"] == "product_view"]
    return {
        "session_id": session[0]["event_id"],
        "customer_id": seen[-1] if seen else (next(iter(customers)) if len(customers) == 1 else None),
        "started_at": start,
        "ended_at": session[-1]["happened_at"],
        **{name: first(e[name] for e in session) for name in named},
        "count_events": len(session),
        "count_page_views": sum(e["event_type"] == "page_view" for e in session),
        "count_product_views": len(viewed),
        "count_products_viewed": len(set(viewed)),
        "count_orders": len({e["order_id"] or ("event", e["event_id"]) for e in orders}),
        "order_ids": sorted({e["order_id"] for e in orders if e["order_id"]}),
        **{f"has_{step}": value is not None for step, value in seconds.items()},
        **{f"seconds_to_{step}": value for step, value in seconds.items()},
        "seconds_to_named": max((after for after in named_after if after is not None), default=None),
    }


@pytest.mark.parametrize("time_zone", ["UTC", "Asia/Kolkata"])
def test_sessions_equal_those_cut_event_by_event(spark, time_zone):
    drawn = drawn_events(random.Random(5), 4000)
    names = [column.split()[0] for column in EVENTS.split(", ")]
    as_of = datetime(2024, 3, 5).date()
    by_visitor = {}
    for row in drawn:
        e = dict(zip(names, row, strict=True))
        if e["happened_at"].date() <= as_of:
            by_visitor.setdefault(e["visitor_id"], []).append(e)
    expected = {}
    for visitor, events in by_visitor.items():
        cut = cut_by_hand(events, time_zone)
        customers = {e["customer_id"] for session in cut for e in session if e["customer_id"]}
        for session in cut:
            day = session[0]["happened_at"].replace(tzinfo=UTC).astimezone(ZoneInfo(time_zone)).date()
            more = {"visitor_id": visitor, "started_on": day, "started_month": day.replace(day=1)}
            expected[session[0]["event_id"]] = summary_by_hand(session, customers) | more

    made = sessions(spark, *drawn, as_of=as_of, time_zone=time_zone)

    rows = {row.session_id: row.asDict() for row in made.collect()}
    assert len(rows) == len(expected) > 1000
    assert rows == expected


drawn_frames = st.builds(lambda seed: drawn_events(random.Random(seed), 150), st.integers(0, 10**6))


@given(events=drawn_frames, shuffle=st.randoms())
def test_sessions_follow_one_another_in_any_order_of_rows(spark, events, shuffle):
    shuffled = list(events)
    shuffle.shuffle(shuffled)

    made = sessions(spark, *events)

    assert found(sessions(spark, *shuffled), "*") == found(made, "*")
    rows = sorted(made.collect(), key=lambda row: (row.visitor_id, row.started_at, row.ended_at))
    for _, of_visitor in groupby(rows, key=lambda row: row.visitor_id):
        history = list(of_visitor)
        assert all(one.ended_at <= next_one.started_at for one, next_one in pairwise(history))
    assert all(row.started_at <= row.ended_at and row.count_events >= 1 for row in rows)
    assert sum(row.count_events for row in rows) <= len(events)


@given(events=drawn_frames)
def test_the_sessions_of_a_visitor_depend_on_its_events_alone(spark, events):
    mine = [e for e in events if e[1] == events[0][1]]

    alone = sessions(spark, *mine)

    among_all = sessions(spark, *events).where(f"visitor_id = '{events[0][1]}'")
    assert found(alone, "*") == found(among_all, "*")
