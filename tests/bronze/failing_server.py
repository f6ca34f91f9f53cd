"""A real HTTP server on this machine that gives records page by page, and fails where it is told to."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Failure = Callable[["Handler"], None]


@dataclass
class Asked:
    """A request, as it came."""

    parameters: dict[str, str]
    headers: dict[str, str]
    at: float  # on the monotonic clock
    body: bytes | None = None  # of the whole answer with a page; None where it failed

    @property
    def page(self) -> str:
        """Of either kind of paging: the cursor or number that was sent, nothing for the first."""
        return self.parameters.get("cursor", self.parameters.get("page", ""))


@dataclass
class FailingServer:
    """Its settings may change while it runs. `fails_on[page]` holds what happens to the next requests for a page."""

    records: list[dict[str, Any]]
    page_size: int = 2  # the most that it gives
    token: str | None = None
    says_next: bool = True  # in the answer, at paging.next
    beyond: int = 200  # status of a page by number after the last
    cursor_of: Callable[[int], str] = "after-{}".format
    fails_on: dict[str, list[Failure]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)  # of each page
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    @property
    def given(self) -> list[Asked]:
        """The requests that were answered with a whole page."""
        return [asked for asked in self.asked if asked.body is not None]

    def pages(self) -> list[str]:
        return [asked.page for asked in self.asked]

    @contextmanager
    def running(self) -> Iterator["FailingServer"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"of": self}))
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}/v1/tickets"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, parameters: Mapping[str, str]) -> dict[str, Any] | None:
        """What it has to say; None where it has no such page."""
        since = parameters.get("updated_since", "")
        found = [record for record in self.records if str(record["updated_at"]) >= since]
        size = min(int(parameters.get("limit", self.page_size)), self.page_size)
        if "page" in parameters:
            start = (int(parameters["page"]) - 1) * size
        else:
            start = int(parameters.get("cursor", "-0").rpartition("-")[2])
        if start and start >= len(found) and self.beyond != 200:
            return None
        more = start + size < len(found)
        paging = {"paging": {"next": self.cursor_of(start + size) if more else None}} if self.says_next else {}
        return {"data": {"items": found[start : start + size]}} | paging


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    of: FailingServer

    def do_GET(self) -> None:
        parameters = dict(parse_qsl(urlsplit(self.path).query))
        asked = Asked(parameters, dict(self.headers), time.monotonic())
        self.of.asked.append(asked)
        if failures := self.of.fails_on.get(asked.page):
            failures.pop(0)(self)
            return
        if self.of.token and self.headers.get("Authorization") != f"Bearer {self.of.token}":
            self.say(401, json.dumps({"error": f"no such token: {self.headers.get('Authorization')}"}).encode())
            return
        answer = self.of.answer(parameters)
        if answer is None:
            self.say(self.of.beyond, b'{"detail": "Invalid page."}')
            return
        body = json.dumps(answer, indent=1).encode()
        asked.body = body
        self.say(200, body, self.of.headers)

    def say(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, of_bytes: int = 0) -> None:
        self.send_response(status)
        headers = {"Content-Type": "application/json", "Content-Length": str(of_bytes or len(body))} | (headers or {})
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the screen."""


def says(status: int, text: str = "", **headers: str) -> Failure:
    """Answers with a status; headers with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.say(status, text.encode(), named)


def breaks_off(handler: Handler) -> None:
    """Says how long its answer is, gives a part and hangs up."""
    handler.say(200, b'{"data": {"items": [', of_bytes=400)
    handler.close_connection = True


def resets(handler: Handler) -> None:
    """Gives a part, and then resets the connection."""
    handler.say(200, b'{"data": {"items": [', of_bytes=400)
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.shutdown(socket.SHUT_RD)
    handler.close_connection = True


def hangs_up(handler: Handler) -> None:
    """Hangs up without a word."""
    handler.close_connection = True


def is_slow(seconds: float) -> Failure:
    """Says nothing for so long, and then nothing at all."""

    def sleep(handler: Handler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return sleep


def is_slow_in_the_middle(seconds: float) -> Failure:
    """Gives a part of its answer, and then nothing for so long."""

    def sleep(handler: Handler) -> None:
        handler.say(200, b'{"data": {"items": [', of_bytes=400)
        time.sleep(seconds)
        handler.close_connection = True

    return sleep


def waits_in_the_middle(reached: threading.Event, go_on: threading.Event) -> Failure:
    """Gives a part of its answer, says so to the test, and waits for it."""

    def wait(handler: Handler) -> None:
        handler.say(200, b'{"data": {"items": [', of_bytes=400)
        handler.wfile.flush()
        reached.set()
        go_on.wait(30)
        handler.close_connection = True

    return wait
