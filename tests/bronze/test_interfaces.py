"""Interfaces over HTTP, against a real server on this machine that pages, fails and forgets as real ones do."""

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from customerlake.bronze.interfaces import pull
from customerlake.bronze.sources.tickets import TICKETS
from customerlake.bronze.watermarks import WATERMARKS
from customerlake.errors import LandingError
from customerlake.runtime import job
from customerlake.runtime.engines import Engine
from customerlake.runtime.outcome import Outcome
from customerlake.runtime.pipeline import Step
from jobs.bronze import land_interfaces
from tests.bronze.failing_server import (
    FailingServer,
    Handler,
    breaks_off,
    hangs_up,
    is_slow,
    is_slow_in_the_middle,
    resets,
    says,
    waits_in_the_middle,
)

pytestmark = pytest.mark.before_an_engine

LANDING = Step("land_interfaces", "bronze/land_interfaces.py", "records of interfaces", is_dated=False)


def ticket(number: int, updated_at: str | int | None = None) -> dict[str, Any]:
    return {
        "ticket_id": f"T{number}",
        "status": "open",
        "opened_at": "2024-03-01 08:00:00",
        "updated_at": f"2024-03-01 09:00:{number:02}" if updated_at is None else updated_at,
    }


@pytest.fixture
def server() -> Iterator[FailingServer]:
    """Five tickets, two on a page."""
    with FailingServer([ticket(number) for number in range(1, 6)]).running() as running:
        yield running


class Lake:
    """A lake in a folder whose tickets come from a server; each pull is a run of its own, as from day to day."""

    def __init__(self, folder: Path, server: FailingServer) -> None:
        self.root, self.lake_file, self.server = folder / "the lake", folder / "lake.yaml", server
        self.landing = self.root / "landing" / "tickets"
        self.remarks: list[str] = []

    def run(self, **api: Any) -> job.Run:
        settings = {"url": self.server.url, "next_cursor_at": "paging.next", "first_wait_seconds": 0.01} | api
        feed = {"records_at": settings.pop("records_at", "data.items"), "api": settings}
        self.lake_file.write_text(yaml.safe_dump({"name": "test", "currency": "EUR", "feeds": {"tickets": feed}}))
        run = job.Run(root=str(self.root), lake_file=str(self.lake_file))
        run.outcome = Outcome(LANDING)
        return run

    def pull(self, **api: Any) -> str:
        run = self.run(**api)
        try:
            return pull(run, TICKETS, run.config.feeds.tickets)
        finally:
            self.remarks = run.outcome.remarks

    def files(self) -> list[str]:
        return sorted(str(file.relative_to(self.landing)) for file in self.landing.rglob("[!.]*.json"))

    def tickets(self) -> list[str]:
        """The tickets of all landed pages, in the order of the pages."""
        pages = [json.loads((self.landing / name).read_bytes()) for name in self.files()]
        return [record["ticket_id"] for page in pages for record in page["data"]["items"]]

    def ledger(self) -> list[tuple[int, str | None, int]]:
        rows = sorted(job.Run(root=str(self.root)).records(WATERMARKS), key=lambda row: row["landing"])
        return [(row["landing"], row["watermark"], row["count_records"]) for row in rows]


@pytest.fixture
def lake(tmp_path: Path, server: FailingServer) -> Lake:
    return Lake(tmp_path, server)


BY_NUMBER = {"paging": "page", "size_parameter": "limit", "page_size": 2}
SINCE = {"since_parameter": "updated_since", "since_column": "updated_at"}
FIRST, SECOND, THIRD = "", "after-2", "after-4"
ALL = ["T1", "T2", "T3", "T4", "T5"]


def test_each_page_is_landed_as_it_was_received(lake, server):
    folder = lake.pull(parameters={"status": "any"})

    assert folder == str(lake.landing)
    assert lake.files() == [f"pull-000001/page-00000{number}.json" for number in (1, 2, 3)]
    assert [(lake.landing / name).read_bytes() for name in lake.files()] == [asked.body for asked in server.given]
    assert [asked.parameters for asked in server.asked] == [
        {"status": "any"}, {"status": "any", "cursor": "after-2"}, {"status": "any", "cursor": "after-4"}
    ]  # fmt: skip
    assert lake.ledger() == [(1, None, 5)]
    assert not list(lake.landing.rglob("*.part"))


def test_pages_are_asked_for_by_number_until_one_holds_fewer_records(lake, server):
    server.says_next = False

    lake.pull(**BY_NUMBER)

    assert lake.tickets() == ALL
    assert [asked.parameters for asked in server.asked] == [
        {"limit": "2", "page": "1"}, {"limit": "2", "page": "2"}, {"limit": "2", "page": "3"}
    ]  # fmt: skip


def test_an_interface_that_gives_fewer_records_than_asked_for_is_read_to_its_end(lake, server):
    server.says_next = False

    lake.pull(**BY_NUMBER | {"page_size": 500})

    assert lake.tickets() == ALL
    assert server.pages() == ["1", "2", "3"]


@pytest.mark.parametrize("beyond", [200, 404])
def test_an_only_page_is_the_last_whatever_the_interface_says_to_the_next(lake, server, beyond):
    server.says_next, server.beyond, server.records = False, beyond, server.records[:1]

    lake.pull(**BY_NUMBER)

    assert (lake.tickets(), server.pages(), lake.ledger()) == (["T1"], ["1", "2"], [(1, None, 1)])


def test_a_full_page_is_the_last_when_the_interface_says_so(lake, server):
    server.records, server.beyond = server.records[:4], 404

    lake.pull(**BY_NUMBER)

    assert (lake.tickets(), server.pages()) == (["T1", "T2", "T3", "T4"], ["1", "2"])


def test_a_missing_page_amid_full_ones_is_an_error_and_not_the_end(lake, server):
    server.says_next = False
    server.fails_on["2"] = [says(404, "deploying")]

    with pytest.raises(LandingError, match="answers 404 Not Found \\(deploying\\)"):
        lake.pull(**BY_NUMBER)

    assert lake.ledger() == []


@pytest.mark.parametrize(
    "failure",
    [
        says(500), says(503), says(429), breaks_off, resets, hangs_up, is_slow(3), is_slow_in_the_middle(3),
        says(200, "<html>Sorry!</html>", Content_Type="text/html"), says(200, '{"data": {"items": ['),
        says(200, "no gzip", Content_Encoding="gzip"),
    ],
    ids=[
        "500", "503", "429", "breaks off", "resets", "hangs up", "is slow", "is slow in the middle", "HTML", "cut JSON",
        "broken gzip",
    ],
)  # fmt: skip
def test_what_fails_for_the_moment_is_asked_for_again(lake, server, failure):
    server.fails_on[SECOND] = [failure]

    lake.pull(timeout_seconds=1.5)

    assert lake.tickets() == ALL
    assert server.pages() == [FIRST, SECOND, SECOND, THIRD]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (says(500, "out of\n memory"), r"answers 500 Internal Server Error \(out of memory\); it was asked 3 times"),
        (breaks_off, "breaks off before its answer is whole; it was asked 3 times"),
        (is_slow(3), "gives no answer within 1.5 seconds; it was asked 3 times"),
        (
            says(200, "<p>Jane Doe"),
            "answers with application/json of 11 bytes that is no JSON in utf-8; it was asked 3",
        ),
    ],
    ids=["500", "breaks off", "is slow", "no JSON"],
)
def test_what_fails_each_time_is_given_up_and_the_next_pull_goes_on_with_that_page(lake, server, failure, said):
    server.fails_on[SECOND] = [failure] * 3

    with pytest.raises(LandingError, match=rf"^tickets: the interface {server.url} {said}") as refusal:
        lake.pull(attempts=3, timeout_seconds=1.5, parameters={"key": "secret"})
    assert "secret" not in str(refusal.value)
    assert "Jane" not in str(refusal.value)
    assert (lake.tickets(), lake.ledger()) == (["T1", "T2"], [])

    lake.pull(parameters={"key": "secret"})

    assert (lake.tickets(), lake.ledger()) == (ALL, [(1, None, 5)])
    assert server.pages() == [FIRST, SECOND, SECOND, SECOND, SECOND, THIRD]


def test_a_server_that_is_not_there_is_said_to_be_out_of_reach(lake, server):
    with pytest.raises(LandingError, match=r"cannot be reached \(Connection refused\); it was asked 2 times"):
        lake.pull(url="http://127.0.0.1:1/tickets", attempts=2)


@pytest.mark.parametrize(
    "retry_after",
    [lambda: "1", lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)],  # whole seconds
    ids=["seconds", "date"],
)
def test_a_server_is_left_alone_for_as_long_as_it_asks(lake, server, retry_after):
    def refuses(handler: Handler) -> None:
        says(429, Retry_After=retry_after())(handler)

    server.fails_on[SECOND] = [refuses]

    lake.pull()

    _, refused, answered, _ = server.asked
    assert answered.at - refused.at >= 0.9
    assert lake.tickets() == ALL


def test_waits_double_where_the_server_asks_for_none(lake, server):
    server.fails_on[FIRST] = [says(500), says(503, Retry_After="soon"), says(500)]

    lake.pull(first_wait_seconds=0.1)

    waits = [later.at - earlier.at for earlier, later in pairwise(server.asked[:4])]
    assert [wait >= least for wait, least in zip(waits, (0.09, 0.18, 0.36), strict=True)] == [True] * 3, waits


def test_a_server_that_asks_for_hours_is_left_for_this_run(lake, server):
    server.fails_on[SECOND] = [says(429, Retry_After="7200")]

    with pytest.raises(
        LandingError, match=r"asks to wait 7200 seconds or more, where .*longest_wait_seconds allows 300"
    ):
        lake.pull()

    assert server.pages() == [FIRST, SECOND]


def test_no_more_requests_are_made_in_a_second_than_allowed(lake, server):
    server.fails_on[SECOND] = [says(500)]

    lake.pull(requests_per_second=10)

    assert server.pages() == [FIRST, SECOND, SECOND, THIRD]
    assert server.asked[-1].at - server.asked[0].at >= 0.25  # three tenths, less what the first took to arrive


def test_a_refusal_is_said_at_once_with_what_the_server_said(lake, server):
    server.fails_on[FIRST] = [says(422, '{"error": "limit\u0007 is too large"}' + "x" * 300)]

    with pytest.raises(LandingError) as refusal:
        lake.pull()

    assert str(refusal.value) == (
        f'tickets: the interface {server.url} answers 422 Unprocessable Entity ({{"error": "limit is too large"}}'
        + "x" * 169
        + " ...). Correct feeds.tickets.api in the lake file"
    )
    assert (server.pages(), lake.files()) == ([FIRST], [])


def test_the_token_of_the_environment_is_sent(lake, server, monkeypatch):
    server.token = "a-good-token"
    monkeypatch.setenv("DESK_TOKEN", "a-good-token\n")  # as a file that was read into it ends

    lake.pull(token_from="DESK_TOKEN")

    assert lake.tickets() == ALL


def test_a_token_is_sent_in_the_header_that_the_lake_file_names(lake, server, monkeypatch):
    monkeypatch.setenv("DESK_TOKEN", "a-good-token")

    lake.pull(token_from="DESK_TOKEN", token_header="X-Api-Key", token_prefix="")

    assert {asked.headers["X-Api-Key"] for asked in server.asked} == {"a-good-token"}


def test_a_wrong_token_is_neither_in_the_error_nor_in_the_log(lake, server, monkeypatch, caplog):
    server.token = "a-good-token"
    monkeypatch.setenv("DESK_TOKEN", "a-wrong-token")
    caplog.set_level(logging.DEBUG)

    with pytest.raises(LandingError) as refusal:
        lake.pull(token_from="DESK_TOKEN")

    assert str(refusal.value) == (
        f'tickets: the interface {server.url} answers 401 Unauthorized ({{"error": "no such token: Bearer ***"}}). '
        "Check the token in the environment variable DESK_TOKEN"
    )
    assert "a-wrong-token" not in caplog.text
    assert server.pages() == [FIRST]


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, "is looked for in the environment variable DESK_TOKEN, which is not set"),
        ("a-bad\ntoken", "the environment variable DESK_TOKEN holds characters that no HTTP header can"),
    ],
)
def test_a_token_that_is_missing_or_cannot_be_sent_is_said_before_anything_is_asked(
    lake, server, monkeypatch, token, said
):
    monkeypatch.delenv("DESK_TOKEN", raising=False)
    if token:
        monkeypatch.setenv("DESK_TOKEN", token)

    with pytest.raises(LandingError, match=said) as refusal:
        lake.pull(token_from="DESK_TOKEN")

    assert "a-bad" not in str(refusal.value)
    assert server.asked == []


def test_the_token_does_not_follow_an_interface_that_moved(lake, server, monkeypatch):
    monkeypatch.setenv("DESK_TOKEN", "a-good-token")
    with FailingServer([ticket(1)]).running() as elsewhere:
        server.fails_on[FIRST] = [says(301, Location=f"{elsewhere.url}?key=secret")]

        with pytest.raises(LandingError, match=rf"answers 301 Moved Permanently; it moved to {elsewhere.url}\. "):
            lake.pull(token_from="DESK_TOKEN", token_header="X-Api-Key")

        assert elsewhere.asked == []


@pytest.mark.parametrize("cursors", [lambda start: "after-2", lambda start: f"{'ab'[start % 4 // 2]}-{start % 4}"])
def test_cursors_that_lead_round_in_a_circle_are_followed_once(lake, server, cursors):
    server.records = [ticket(number) for number in range(1, 20)]
    server.cursor_of = cursors

    with pytest.raises(LandingError, match=r"names on page \d a next page that it named before"):
        lake.pull()
    once = len(server.asked)
    with pytest.raises(LandingError, match=r"names on page \d a next page that it named before"):
        lake.pull()

    assert once in (2, 3)
    assert len(server.asked) == once + 1
    assert lake.ledger() == []


@pytest.mark.parametrize("api", [BY_NUMBER | {"page_parameter": "pge"}, {"cursor_parameter": "crsor"}])
def test_an_interface_that_does_not_know_the_parameter_of_pages_is_not_asked_for_ever(lake, server, api):
    numbers = count()
    server.cursor_of = lambda start: f"sealed{next(numbers)}-{start}"  # another one each time

    with pytest.raises(LandingError, match=r"gives on page 2 the records of the page before it"):
        lake.pull(**api)

    assert (len(server.asked), lake.tickets()) == (2, ["T1", "T2"])


@pytest.mark.parametrize(
    ("api", "said"),
    [
        ({"records_at": "items"}, "should give a list of records at items; it gives the keys data, paging"),
        ({"records_at": ""}, "should give a list of records as the whole answer; it gives the keys data, paging"),
        ({"next_cursor_at": "paging"}, "gives no cursor at paging but a dict"),
    ],
)
def test_an_answer_of_another_shape_stops_the_feed_before_it_is_landed(lake, server, api, said):
    with pytest.raises(LandingError, match=said):
        lake.pull(**api)

    assert (len(server.asked), lake.files()) == (1, [])


def test_a_next_page_that_a_header_names_is_not_overlooked(lake, server):
    server.says_next, server.headers = False, {"Link": f'<{server.url}?page=2>; rel="next"'}

    with pytest.raises(LandingError, match=r"names its next page in a header.*paging to page"):
        lake.pull()


def test_one_full_page_without_a_cursor_is_taken_and_talked_of(lake, server):
    server.says_next = False

    lake.pull(size_parameter="limit", page_size=2)

    assert lake.tickets() == ["T1", "T2"]
    assert len(lake.remarks) == 1
    assert "correct feeds.tickets.api.next_cursor_at" in lake.remarks[0]


@pytest.mark.parametrize("failure", [None, says(204), says(200, '{"data": {"items": null}}')], ids=["", "204", "null"])
def test_a_pull_without_records_lands_nothing(lake, server, failure):
    server.records = []
    server.fails_on[FIRST] = [failure, failure] if failure else []

    lake.pull()
    lake.pull()

    assert lake.landing.is_dir()
    assert (list(lake.landing.iterdir()), lake.ledger(), len(server.asked)) == ([], [], 2)


def test_the_next_pull_asks_for_what_changed_since_and_lands_nothing_when_nothing_did(lake, server):
    lake.pull(**SINCE)
    server.asked.clear()

    lake.pull(**SINCE)

    assert [asked.parameters for asked in server.asked] == [{"updated_since": "2024-03-01 09:00:05"}]
    assert (lake.tickets(), lake.ledger()) == (ALL, [(1, "2024-03-01 09:00:05", 5)])


def test_records_of_the_instant_last_taken_that_come_later_are_taken(lake, server):
    lake.pull(**SINCE)
    server.records += [ticket(6, "2024-03-01 09:00:05"), ticket(7), ticket(8)]

    lake.pull(**SINCE)
    lake.pull(**SINCE)

    assert lake.tickets() == [*ALL, "T5", "T6", "T7", "T8"]  # T5 comes again, and silver knows its key
    assert lake.ledger() == [(1, "2024-03-01 09:00:05", 5), (2, "2024-03-01 09:00:08", 4)]


def test_without_since_what_has_not_changed_is_asked_for_and_not_landed_again(lake, server):
    lake.pull()

    lake.pull()

    assert (lake.files()[3:], len(server.asked), lake.ledger()) == ([], 6, [(1, None, 5)])
    server.records[0] = ticket(1, "2024-03-02 10:00:00")
    lake.pull()
    assert lake.files()[3:] == [f"pull-000002/page-00000{number}.json" for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("values", "largest"),
    [
        (["2024-03-01T12:30:00+02:00", "2024-03-01T11:00:00Z"], "2024-03-01T11:00:00Z"),
        (["2024-03-01T10:00:00Z", "2024-03-01T10:00:00.5Z"], "2024-03-01T10:00:00.5Z"),
        (["2024-03-01T10:00:00Z", "9999-12-31T00:00:00Z"], "2024-03-01T10:00:00Z"),
        (["2024-03-01T10:00:00Z", "yesterday"], "2024-03-01T10:00:00Z"),
        ([9, 1000, 99], "1000"),
        ([1772355600.25, 1772355600.5], "1772355600.5"),
        (["31/12/2023", "01/03/2024"], None),
    ],
    ids=["offsets", "fractions", "beyond any clock", "no instant", "numbers", "epochs", "unknown form"],
)
def test_the_largest_instant_is_found_by_time_and_not_by_text(lake, server, values, largest):
    server.records = [ticket(number, value) for number, value in enumerate(values)]

    lake.pull(**SINCE)

    assert lake.ledger() == [(1, largest, len(values))]
    assert bool(lake.remarks) == (largest is None)


def test_an_older_change_that_comes_late_does_not_move_since_back(lake, server):
    server.records = [ticket(3), ticket(1)]
    lake.pull(**SINCE)
    server.fails_on[FIRST] = [says(200, json.dumps({"data": {"items": [ticket(2)]}}))]

    lake.pull(**SINCE)

    assert lake.ledger() == [(1, "2024-03-01 09:00:03", 2), (2, "2024-03-01 09:00:03", 1)]


def test_a_pull_that_is_left_is_finished_with_its_own_since_and_another_one_begins(lake, server):
    lake.pull(**SINCE)
    server.records += [ticket(number) for number in range(6, 9)]
    server.fails_on[SECOND] = [says(500)]
    with pytest.raises(LandingError):
        lake.pull(**SINCE, attempts=1)
    server.records.append(ticket(9, "2024-03-01 09:00:01"))  # changed before, and seen by nobody who asks since then
    server.asked.clear()

    lake.pull(**SINCE)

    assert [asked.parameters for asked in server.asked] == [
        {"updated_since": "2024-03-01 09:00:05", "cursor": "after-2"},
        {"updated_since": "2024-03-01 09:00:08"},
    ]
    assert lake.tickets() == [*ALL, "T5", "T6", "T7", "T8"]


def test_a_cursor_that_the_interface_has_forgotten_lets_the_pull_begin_anew(lake, server):
    server.fails_on[SECOND] = [says(500), says(410, "the cursor has expired")]
    with pytest.raises(LandingError):
        lake.pull(attempts=1)

    lake.pull()

    assert server.pages() == [FIRST, SECOND, SECOND, FIRST, SECOND, THIRD]
    assert set(lake.tickets()) == set(ALL)
    assert lake.ledger() == [(2, None, 3)]
    assert "pull 1 could not go on and was begun anew" in lake.remarks[0]


def test_a_pull_whose_settings_were_changed_in_between_begins_anew(lake, server):
    server.says_next = False
    server.fails_on["2"] = [says(500)]
    with pytest.raises(LandingError):
        lake.pull(**BY_NUMBER, attempts=1)

    lake.pull(**BY_NUMBER | {"page_size": 1})  # its page 2 begins elsewhere

    assert server.pages() == ["1", "2", "1", "2", "3", "4", "5", "6"]
    assert set(lake.tickets()) == set(ALL)


PULLING = """
import sys
from customerlake.bronze.interfaces import pull
from customerlake.bronze.sources.tickets import TICKETS
from customerlake.runtime import job
from customerlake.runtime.engines import Engine
from customerlake.runtime.outcome import Outcome
from customerlake.runtime.pipeline import Step

run = job.Run(root=sys.argv[1], lake_file=sys.argv[2])
run.outcome = Outcome(Step("land_interfaces", "bronze/land_interfaces.py", ""))
pull(run, TICKETS, run.config.feeds.tickets)
"""


def test_a_pull_that_is_killed_in_the_middle_goes_on_where_it_was(lake, server):
    server.records = [ticket(number) for number in range(1, 20)]  # ten pages
    lake.run(**SINCE)
    for page in ("after-4", "after-12"):
        reached, go_on = threading.Event(), threading.Event()
        server.fails_on[page] = [waits_in_the_middle(reached, go_on)]
        process = subprocess.Popen([sys.executable, "-c", PULLING, lake.root, lake.lake_file])

        assert reached.wait(30)
        os.kill(process.pid, signal.SIGKILL)

        assert process.wait() == -signal.SIGKILL
        go_on.set()
        assert lake.ledger() == []
    lake.pull(**SINCE)

    given = [asked.parameters for asked in server.given]
    assert given == [
        {}, *({"cursor": f"after-{start}"} for start in range(2, 20, 2)), {"updated_since": "2024-03-01 09:00:19"}
    ]  # fmt: skip
    assert lake.tickets() == [f"T{number}" for number in range(1, 20)]
    assert lake.ledger() == [(1, "2024-03-01 09:00:19", 19)]


@pytest.mark.parametrize("api", [{}, BY_NUMBER], ids=["cursor", "page"])
def test_a_pull_that_was_killed_before_its_row_in_the_ledger_is_recorded_and_not_asked_for_again(lake, server, api):
    server.says_next = not api
    lake.pull(**api)
    shutil.rmtree(lake.root / "bronze" / "watermarks")  # what the kill leaves: all pages, and no row
    server.asked.clear()

    lake.pull(**api)

    assert (lake.ledger(), server.asked, len(lake.files())) == ([(1, None, 5)], [], 3)


def test_what_a_kill_leaves_of_a_page_is_not_seen(lake, server):
    server.fails_on[SECOND] = [says(500)]
    with pytest.raises(LandingError):
        lake.pull(attempts=1)
    (lake.landing / "pull-000001" / ".page-000002.json.part").write_text('{"data": {"ite')
    (lake.landing / "pull-000002").mkdir()  # killed before the first page of another

    lake.pull()

    assert (lake.tickets(), lake.ledger()) == (ALL, [(1, None, 5)])


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of an object store on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    settings = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in (settings | keys).items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
    store = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
            time.sleep(0.02)
        boto3.client("s3").create_bucket(Bucket="shop")
        yield "s3://shop"
    finally:
        store.kill()
        store.wait()


def test_pages_are_landed_and_pulls_go_on_in_an_object_store(lake, server, bucket):
    lake.root = f"{bucket}/lake"
    server.fails_on[SECOND] = [says(500)]
    with pytest.raises(LandingError):
        lake.pull(attempts=1)

    lake.pull()
    lake.pull()

    objects = boto3.client("s3").list_objects_v2(Bucket="shop", Prefix="lake/landing/tickets/pull")["Contents"]
    files = [one["Key"].rpartition("/")[2] for one in objects]
    assert [file for file in files if file] == [
        ".asked_for", "page-000001.json", "page-000002.json", "page-000003.json"
    ]  # fmt: skip
    assert server.pages() == [FIRST, SECOND, SECOND, THIRD, FIRST, SECOND, THIRD]
    assert lake.ledger() == [(1, None, 5)]


def test_the_job_takes_the_pages_into_bronze_once_and_refuses_the_feed_that_fails(
    lake: Lake, server: FailingServer, spark: SparkSession, engine: Engine, monkeypatch
):
    monkeypatch.delenv("REVIEWS_TOKEN", raising=False)
    lake.root = lake.lake_file.parent / "lake"  # sail writes elsewhere where a path holds a space
    lake.run(**SINCE)
    settings = yaml.safe_load(lake.lake_file.read_text())
    settings["feeds"]["social_posts"] = {"api": {"url": server.url, "token_from": "REVIEWS_TOKEN"}}
    lake.lake_file.write_text(yaml.safe_dump(settings))

    def land() -> Outcome:
        run = job.Run(root=str(lake.root), lake_file=str(lake.lake_file), spark=spark, engine=engine)
        run.outcome = Outcome(LANDING)
        land_interfaces.main(run)
        return run.outcome

    first, second = land(), land()

    bronze = DeltaTable(str(lake.root / "bronze" / "tickets")).to_pyarrow_table().to_pylist()
    assert sorted(
        (row["ticket_id"], row["updated_at"], row["_source_file"], row["_line_number"]) for row in bronze
    ) == [
        ("T1", "2024-03-01 09:00:01", "pull-000001/page-000001.json", 1),
        ("T2", "2024-03-01 09:00:02", "pull-000001/page-000001.json", 2),
        ("T3", "2024-03-01 09:00:03", "pull-000001/page-000002.json", 1),
        ("T4", "2024-03-01 09:00:04", "pull-000001/page-000002.json", 2),
        ("T5", "2024-03-01 09:00:05", "pull-000001/page-000003.json", 1),
    ]
    assert {row["_problem"] for row in bronze} == {None}
    assert [len(outcome.refused) for outcome in (first, second)] == [1, 1]
    assert first.refused[0].startswith(f"social_posts: the token for {server.url} is looked for in")
    assert (first.written != [], second.written) == (True, [])
