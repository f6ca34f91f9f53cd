"""Rows of a real PostgreSQL server, landed by the job: each version once, whatever happens between two landings."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable

from customerlake.bronze.jdbc import place, reason_of
from customerlake.bronze.sources.crm_profiles import BRONZE as PROFILES
from customerlake.bronze.sources.pos_sales import BRONZE as POS_SALES
from customerlake.bronze.sources.products import BRONZE as PRODUCTS
from customerlake.bronze.watermarks import WATERMARKS
from customerlake.runtime import job
from customerlake.runtime.pipeline import step_named
from customerlake.runtime.runs import RUNS
from tests.bronze.postgres import PASSWORD, USER, running_server

TABLE = "CREATE TABLE profiles (profile_id int PRIMARY KEY, email text, updated_at timestamptz)"


@pytest.fixture(scope="module")
def server():
    with running_server() as started:
        yield started


class Shop:
    """A database of one test's own, and the lake that its tables are landed in."""

    def __init__(self, server, name, folder, spark):
        self.server, self.name, self.folder, self.spark = server, name, folder, spark
        self.feeds = []

    def sql(self, *statements):
        return self.server.sql(*statements, database=self.name)

    def feed(self, name, table, *settings, columns="{}"):
        """Add a feed to the lake file, with settings of its database."""
        lines = [f"url: '{self.server.url(self.name)}'", f"table: {table}", *settings]
        self.feeds.append(
            f"  {name}:\n    columns: {columns}\n    database:\n" + "".join(f"      {x}\n" for x in lines)
        )

    def run(self):
        file = self.folder / "lake.yaml"
        file.write_text("name: shop\ncurrency: EUR\nfeeds:\n" + "".join(self.feeds))
        return job.Run(root=str(self.folder / "lake"), lake_file=str(file), spark=self.spark, engine="spark")

    def land(self, refuses=0):
        outcome = job.execute(step_named("land_databases"), self.run())
        assert outcome.state != "failed", outcome.message
        assert len(outcome.refused) == refuses, outcome.refused
        return outcome

    def taken(self, table=PROFILES, landing=None):
        rows = self.run().records(table)
        return [row for row in rows if landing in (None, row["_batch"])]

    def ids(self, landing, column="profile_id", table=PROFILES):
        return sorted(row[column] for row in self.taken(table, landing))

    def ledger(self):
        rows = sorted(self.run().records(WATERMARKS), key=lambda row: (row["feed"], row["landing"]))
        return [(row["feed"], row["landing"], row["watermark"], row["count_records"]) for row in rows]


@pytest.fixture
def shop(server, request, tmp_path, monkeypatch, spark):
    monkeypatch.setenv("CUSTOMERLAKE_DATABASE_USER", USER)
    monkeypatch.setenv("CUSTOMERLAKE_DATABASE_PASSWORD", PASSWORD)
    name = f"shop_{abs(hash(request.node.name)) % 10**9}"
    server.sql(f"CREATE DATABASE {name}")
    return Shop(server, name, tmp_path, spark)


@pytest.mark.spark_only
def test_a_first_landing_takes_every_row_as_text_and_the_next_run_writes_nothing(shop):
    shop.sql(
        "CREATE TABLE people (number bigint, born date, income numeric(12,2), mail text, made timestamp, "
        'changed timestamptz, "Score v2" numeric, vip boolean, photo bytea, opens time, factor float8, tags int[])',
        "INSERT INTO people VALUES (9007199254740993, '1980-02-29', 2.50, E'Zoë\\n\"Q\"', '2024-03-31 02:30:00', "
        "'2024-01-01 10:00:00.25+02', 1.10, true, '\\x00ff', '08:05:00', 10000000, '{1,2}')",
        "INSERT INTO people (number, made, changed) VALUES (2, '2024-03-01 10:00:00.000007', '2023-12-31 23:00:00+00')",
    )
    shop.feed(
        "crm_profiles", "public.people", "watermark: changed",
        columns="{profile_id: number, birth_on: born, email: mail, created_at: made, updated_at: changed}",
    )  # fmt: skip

    first, second = shop.land(), shop.land()

    one, two = sorted(shop.taken(), key=lambda row: row["profile_id"], reverse=True)
    assert (first.state, second.state, second.written) == ("succeeded", "unchanged", [])
    assert (one["profile_id"], one["birth_on"], one["income"]) == ("9007199254740993", "1980-02-29", "2.50")
    assert (one["email"], one["created_at"]) == ('Zoë\n"Q"', "2024-03-31 02:30:00")  # an hour that Europe skipped
    assert one["updated_at"] == "2024-01-01 08:00:00.250000"  # in UTC
    assert dict(one["_extra"]) == {
        "Score v2": "1.10", "vip": "true", "photo": "00ff", "opens": "08:05:00", "factor": "10000000", "tags": "{1,2}"
    }  # fmt: skip
    assert (two["created_at"], two["income"], two["email"]) == ("2024-03-01 10:00:00.000007", None, None)
    assert two["first_name"] is None  # optional, and not in the table
    assert set(dict(two["_extra"]).values()) == {None}
    assert {(row["_source_file"], row["_batch"], row["_line_number"]) for row in (one, two)} == {
        ("public.people", 1, 1)
    }
    assert len({row["_file_digest"] for row in (one, two)}) == 2
    assert shop.ledger() == [("crm_profiles", 1, "2024-01-01 08:00:00.250000", 2)]
    assert first.remarks == [
        "crm_profiles: 2 rows of public.people; "
        "new columns, kept in _extra: Score v2, vip, photo, opens, factor, tags"
    ]  # fmt: skip


@pytest.mark.spark_only
def test_ties_late_commits_and_updates_are_found_once_by_a_query_that_asks_for_their_window_alone(shop):
    shop.feed("crm_profiles", "profiles", "watermark: updated_at", "late_minutes: 30")
    shop.sql(
        TABLE,
        "INSERT INTO profiles VALUES (1, 'a', '2024-05-01 08:00+00'), (2, 'b', '2024-05-01 10:00+00'), "
        "(3, 'c', '2024-05-01 09:45+00'), (4, 'd', NULL)",
    )
    first = shop.land()
    shop.sql(
        "INSERT INTO profiles VALUES (5, 'tie', '2024-05-01 10:00+00'), (6, 'late', '2024-05-01 09:30+00'), "
        "(7, 'too late', '2024-05-01 09:29:59+00'), (8, 'unmarked', NULL)",
        "UPDATE profiles SET email = 'C', updated_at = '2024-05-01 11:00+00' WHERE profile_id = 3",
        "UPDATE profiles SET email = 'same instant' WHERE profile_id = 2",
    )

    second, third = shop.land(), shop.land()

    assert shop.ids(landing=1) == ["1", "2", "3", "4"]
    assert shop.ids(landing=2) == ["2", "3", "5", "6", "8"]
    assert (second.state, third.state, len(shop.taken())) == ("succeeded", "unchanged", 9)
    assert shop.ledger() == [
        ("crm_profiles", 1, "2024-05-01 10:00:00", 4),
        ("crm_profiles", 2, "2024-05-01 11:00:00", 5),
    ]
    assert "1 have no updated_at" in first.remarks[0]
    asked = 'WHERE "updated_at" >= TIMESTAMP WITH TIME ZONE \'2024-05-01 09:30:00+00:00\' AND "updated_at" <= '
    assert shop.server.log.read_text().count(asked + "TIMESTAMP WITH TIME ZONE '2024-05-01 11:00:00+00:00'") >= 1


@pytest.mark.spark_only
def test_a_landing_killed_before_its_watermark_was_recorded_is_neither_repeated_nor_numbered_again(shop):
    # what a kill between the two commits leaves: the rows in bronze, and no row of them in bronze.watermarks
    shop.feed("crm_profiles", "profiles", "watermark: version", "late_minutes: 0")
    shop.sql(
        "CREATE TABLE profiles (profile_id int PRIMARY KEY, version numeric, updated_at timestamp)",
        "INSERT INTO profiles VALUES (1, 9.50, '2024-05-01'), (2, 10, '2024-05-01'), (3, 2, 'infinity')",
    )
    shop.land()
    shop.sql("INSERT INTO profiles VALUES (4, 10, '2024-05-02')")
    shop.land()
    known = sorted(shop.run().records(WATERMARKS), key=lambda row: row["landing"])
    ledger = DeltaTable(shop.run().lake.path(WATERMARKS))
    ledger.delete("landing = 2")
    shop.sql("INSERT INTO profiles VALUES (5, 11, '2024-05-03')")

    shop.land()

    recorded = sorted(shop.run().records(WATERMARKS), key=lambda row: row["landing"])
    assert [shop.ids(landing) for landing in (1, 2, 3)] == [["1", "2", "3"], ["4"], ["5"]]
    assert recorded[:2] == known
    assert shop.ledger() == [("crm_profiles", 1, "10", 3), ("crm_profiles", 2, "10", 1), ("crm_profiles", 3, "11", 1)]
    ledger.update_incremental()
    ledger.delete()  # as after a kill of the first landing
    shop.land()
    assert len(shop.taken()) == 5
    assert sorted(shop.run().records(WATERMARKS), key=lambda row: row["landing"]) == recorded


@pytest.mark.spark_only
def test_a_row_that_is_gone_is_marked_as_deleted_once_and_taken_again_when_it_comes_back(shop):
    shop.feed("crm_profiles", "profiles", "watermark: updated_at", "finds_deleted: true")
    rows = "INSERT INTO profiles VALUES (1, 'a', '2024-05-01 08:00+00'), (2, 'b', '2024-05-02 08:00+00')"
    shop.sql(TABLE, rows, "INSERT INTO profiles VALUES (3, 'c', '2099-05-02 08:00+00')")
    shop.land()
    shop.sql("DELETE FROM profiles WHERE profile_id <> 2")
    before = datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" ")

    deleting = shop.land()
    shop.sql("INSERT INTO profiles VALUES (1, 'a', '2024-05-01 08:00+00')")  # as it was, and older than the window
    shop.land()
    after_return = shop.land()

    one, three = sorted(shop.taken(landing=2), key=lambda row: row["profile_id"])
    assert (one["profile_id"], one["_is_deleted"], one["email"]) == ("1", True, None)
    assert before <= one["updated_at"] < "2090"
    assert (three["profile_id"], three["updated_at"]) == ("3", "2099-05-02 08:00:00")  # not older than what it deletes
    (back,) = shop.taken(landing=3)
    assert (back["profile_id"], back["email"], back["_is_deleted"], back["_line_number"]) == ("1", "a", None, 2)
    assert deleting.remarks == ["crm_profiles: 2 rows of profiles; 2 of them marked as deleted"]
    assert (after_return.state, len(shop.taken())) == ("unchanged", 6)

    shop.sql("DELETE FROM profiles")
    emptied = shop.land(refuses=1)
    assert "profiles holds no row, and bronze knows 2 that would be marked as deleted" in emptied.refused[0]
    assert len(shop.taken()) == 6


@pytest.mark.spark_only
def test_without_a_watermark_the_table_is_compared_and_equal_lines_count(shop):
    shop.feed("products", "products", columns="{updated_at: changed}")
    shop.feed("pos_sales", "lines", columns="{customer_id: null, country: null, description: null}")
    line = "INSERT INTO lines VALUES ('1', 'A', 1, '2024-05-01 08:00', 2.5)"
    shop.sql(
        "CREATE TABLE products (product_id text, name text, changed timestamp)",
        "INSERT INTO products VALUES ('A', 'cup', '2024-05-01 08:00'), ('B', 'mug', 'infinity')",
        "CREATE TABLE lines (order_id text, product_id text, quantity int, ordered_at timestamp, unit_price numeric)",
        *(line, line, "INSERT INTO lines VALUES ('2', 'A', 1, '2024-05-01 08:00', 2.50)"),
    )
    shop.land()
    shop.sql("UPDATE products SET name = 'pot' WHERE product_id = 'A'", line)

    shop.land()
    shop.sql("UPDATE products SET name = 'cup' WHERE product_id = 'A'")
    shop.feeds = shop.feeds[:1]
    shop.land()
    last = shop.land()

    products = sorted(
        (row["_batch"], row["product_id"], row["name"], row["_line_number"]) for row in shop.taken(PRODUCTS)
    )
    assert products == [(1, "A", "cup", 1), (1, "B", "mug", 1), (2, "A", "pot", 1), (3, "A", "cup", 2)]
    lines = sorted(
        (row["_batch"], row["order_id"], row["unit_price"], row["_line_number"]) for row in shop.taken(POS_SALES)
    )
    assert lines == [(1, "1", "2.5", 1), (1, "1", "2.5", 2), (1, "2", "2.50", 1), (2, "1", "2.5", 3)]
    assert last.state == "unchanged"


@pytest.mark.spark_only
def test_a_read_by_several_connections_takes_the_rows_that_a_plain_one_takes(shop):
    watermark, divided = "watermark: id", ("partition_column: id", "partitions: 3")
    shop.feed("products", "things", watermark, columns="{product_id: id, updated_at: at}")
    shop.feed("crm_profiles", "things", watermark, *divided, columns="{profile_id: id, updated_at: at}")
    shop.sql(
        "CREATE TABLE things (id numeric, name text, at timestamp)",
        "INSERT INTO things SELECT i, 'thing ' || i, timestamp '2024-01-01' + i * interval '1 s' "
        "FROM generate_series(-10000, 10000) i",
    )

    shop.land()

    plain, shared = shop.taken(PRODUCTS), shop.taken(PROFILES)
    assert len(plain) == len(shared) == 20001
    assert Counter(row["_file_digest"] for row in plain) == Counter(row["_file_digest"] for row in shared)
    assert {row["product_id"] for row in plain} == {str(number) for number in range(-10000, 10001)}
    files = DeltaTable(shop.run().lake.path(PROFILES), version=0).get_add_actions(flatten=True)
    assert len(files["num_records"]) == 3
    assert min(files["num_records"].to_pylist()) > 6000


@pytest.mark.spark_only
def test_what_fails_is_refused_in_words_without_credentials_and_the_others_go_on(shop, monkeypatch, caplog):
    monkeypatch.setenv("WRONG", "not the word")
    shop.sql(
        "CREATE TABLE profiles (profile_id int, e_mail text, updated_at timestamptz)",
        "CREATE TABLE products (product_id text, name text, updated_at timestamp)",
        "INSERT INTO products VALUES ('A', 'cup', '2024-05-01 08:00')",
    )
    shop.feed("crm_profiles", "profiles", columns="{email: email}")
    shop.feed("loyalty_events", "events", "password_from: NOT_SET")
    shop.feed("web_events", "events", "password_from: WRONG")
    shop.feed("campaigns", "nowhere")
    shop.feed("products", "products", "watermark: name")
    shop.feed(
        "tickets",
        "products",
        "watermark: changed_at",
        columns="{ticket_id: product_id, status: name, opened_at: updated_at}",
    )

    refusing = shop.land(refuses=6)
    shop.feeds = [text.replace("watermark: name", "watermark: updated_at") for text in shop.feeds]
    taking = shop.land(refuses=5)

    where = f"jdbc:postgresql://127.0.0.1:{shop.server.port}/{shop.name}"
    gone, password, relation, text, unset, mark = sorted(
        refusing.refused, key=lambda said: ["crm", "web", "cam", "pro", "loy", "tic"].index(said[:3])
    )
    assert gone == (
        "crm_profiles: profiles lacks email (near it: e_mail); it has profile_id, e_mail, updated_at. None of its rows "
        "was taken. Correct the table, or feeds.crm_profiles.columns in the lake file."
    )
    assert password.startswith(
        f'web_events: events of {where} cannot be read: FATAL: password authentication failed for user "***". '
    )
    assert f"campaigns: nowhere of {where} cannot be read: " in relation
    assert 'relation "nowhere" does not exist' in relation
    assert "the watermark name of products is neither a number nor a time, but string" in text
    assert unset == (
        f"loyalty_events: the environment lacks what events of {where} is read with. Set NOT_SET with the password, "
        "or name other variables under feeds.loyalty_events.database in the lake file."
    )
    assert "products lacks changed_at" in mark
    assert (refusing.state, taking.state, len(taking.refused)) == ("refused", "succeeded", 5)
    assert shop.ids(1, "product_id", PRODUCTS) == ["A"]
    everything_said = f"{shop.run().records(RUNS)} {refusing} {taking} {caplog.text}"
    assert "password authentication failed" in everything_said
    assert not any(secret in everything_said for secret in (USER, PASSWORD, "not the word"))


def test_a_place_is_shown_without_what_a_url_may_hold_of_secrets():
    assert place("jdbc:postgresql://db:5432/shop?user=a&password=b") == "jdbc:postgresql://db:5432/shop"
    assert place("jdbc:sqlserver://db:1433;user=a;password=b") == "jdbc:sqlserver://db:1433"
    assert place("jdbc:oracle:thin:scott/tiger@//db:1521/shop") == "jdbc:oracle:thin:@//db:1521/shop"
    assert place("jdbc:mysql://a:b@db/shop") == "jdbc:mysql://db/shop"


def test_an_error_that_no_database_made_is_not_explained_as_one():
    assert reason_of("java.io.IOException: No space left on device") is None
    assert reason_of("x: java.sql.SQLException: No suitable driver\n\tat y") == "No suitable driver"


@pytest.mark.spark_only
def test_times_with_time_zone_are_refused_where_times_are_read_in_another_zone(shop):
    shop.sql(TABLE)
    shop.feed("crm_profiles", "profiles", "watermark: updated_at", columns="{}\n    time_zone: Europe/Paris")

    (refusal,) = shop.land(refuses=1).refused

    assert refusal.startswith("crm_profiles: updated_at of profiles are times with time zone, which are landed in UTC")
    assert "Set feeds.crm_profiles.time_zone: UTC" in refusal


LAND = """
import sys
from customerlake.runtime import job
from customerlake.runtime.pipeline import step_named
run = job.Run(root=sys.argv[1], lake_file=sys.argv[2], engine="spark")
outcome = job.execute(step_named("land_databases"), run)
assert outcome.state != "failed", outcome.message
"""


@pytest.mark.spark_only
def test_landings_killed_in_the_write_and_before_their_watermark_take_every_row_once(shop):
    shop.sql(TABLE, "INSERT INTO profiles SELECT n, 'a', '2024-01-01'::timestamptz FROM generate_series(1, 20000) n")
    shop.feed("crm_profiles", "profiles", "watermark: updated_at")
    root = Path(shop.run().root)
    bronze = root / "bronze" / "crm_profiles"
    moments = (lambda: any(bronze.glob("*.parquet")), lambda: any((bronze / "_delta_log").glob("*.json")))

    killed = [was_killed(root, shop.folder / "lake.yaml", moment) for moment in moments]
    shop.land()
    shop.sql("INSERT INTO profiles VALUES (20001, 'b', '2024-01-01')")  # a tie at the watermark
    shop.land()

    assert killed == [True, True]
    assert Counter(row["profile_id"] for row in shop.taken()) == Counter(map(str, range(1, 20002)))
    assert [row[1:] for row in shop.ledger()] == [
        (1, "2024-01-01 00:00:00", 20000), (2, "2024-01-01 00:00:00", 1)
    ]  # fmt: skip


def was_killed(root, lake_file, when):
    """Land in a process of its own, which is killed with its JVM at a moment; whether it came."""
    command = [sys.executable, "-c", LAND, str(root), str(lake_file)]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        if when():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.002)
    return False
