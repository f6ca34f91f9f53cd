"""Records of an HTTP interface: its answers are landed as files, each page as received, and then taken as other files.

A pull is one walk over all pages; those that hold records are `<root>/landing/<feed>/pull-<number>/page-<number>.json`.
It is finished when its last page names no next one, and then has a row in bronze.watermarks. A pull that was killed, or
that the interface did not let finish, goes on after its last landed page: what to ask for next stands in that page.

What a pull asks for begins with the largest instant that the finished ones brought. A record of that same instant may
come later, so the interface must also answer with the records of the instant that it is given. They come again; a page
of nothing but records that the last pull brought is not landed, and any other repetition is a duplicate by its key.
"""

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import requests

from customerlake.bronze.answers import Answer, Interface, Refused, decoded
from customerlake.bronze.pages import LandedPages
from customerlake.bronze.paging import Page, Paging, at
from customerlake.bronze.watermarks import WATERMARKS, landed, last_landing
from customerlake.contracts.source import Source
from customerlake.errors import LandingError
from customerlake.runtime.feeds import ApiReader, Feed
from customerlake.runtime.job import Run

log = logging.getLogger(__name__)

NOT_OF_WHAT_IS_ASKED = {
    *("token_from", "token_header", "token_prefix", "timeout_seconds", "attempts"),
    *("first_wait_seconds", "longest_wait_seconds", "requests_per_second"),
}
"""Settings that may change within a pull: it goes on all the same."""


def pull(run: Run, source: Source, feed: Feed) -> str:
    """Land what an interface has to say since the last pull; return the folder of its pages.

    Raises: LandingError when the interface fails; what it said until then stays, and the next pull goes on there.
    """
    if feed.api is None:
        raise LandingError(f"{source.feed} is read from no interface. Give feeds.{source.feed}.api in the lake file.")
    folder = f"{run.root}/landing/{source.feed}"
    walk = _Walk(run, source.feed, feed, feed.api, LandedPages(folder))
    unfinished = walk.unfinished()
    if unfinished is None or not walk.went_on(unfinished) or feed.api.since_parameter:
        walk.finish(walk.new())
    return folder


def pages_feed(feed: Feed, folder: str) -> Feed:
    """The feed as the file reader takes it: its landed pages."""
    return feed.model_copy(update={"path": folder, "api": None, "format": "json", "pattern": "*.json"})


@dataclass
class Pull:
    """How far a pull has come."""

    number: int
    since: str | None  # what it asks for begins there
    asked: int = 0  # pages
    next: str | None = None  # page to ask for; None before the first
    is_finished: bool = False
    has_landed: bool = False
    named: set[str] = field(default_factory=set)  # every `next` until now
    last_records: list[Any] = field(default_factory=list)
    longest: int = 0  # records of the longest page
    count_records: int = 0  # of the landed pages
    largest: str | None = None  # of since_column, in the landed pages


class _Walk:
    """Walks over the pages of one feed's interface."""

    def __init__(self, run: Run, name: str, feed: Feed, api: ApiReader, pages: LandedPages) -> None:
        self._run, self._name, self._feed, self._api, self._pages = run, name, feed, api, pages
        self._interface = Interface(name, api, feed.encoding)
        self._paging = Paging(name, self._interface.name, api, feed.records_at)
        last = last_landing(run, name)
        self._last_recorded: int = last["landing"] if last else 0
        self._watermark: str | None = last["watermark"] if last else None

    def new(self) -> Pull:
        return self._pull(max(self._last_recorded, self._pages.newest_pull()) + 1)

    def unfinished(self) -> Pull | None:
        """The newest pull as its landed pages tell of it; None when it is recorded, or asked for something else."""
        number = self._pages.newest_pull()
        pull = self._pull(number)
        if number <= self._last_recorded or self._pages.asked_for(number) != self._asked_for(pull):
            return None
        for page_number in self._pages.numbers(number):
            pull.asked = page_number - 1
            answer = Answer(b"", self._landed_content(number, page_number), False)
            self._follow(pull, self._page(answer, pull), has_landed=True)
        return pull

    def went_on(self, pull: Pull) -> bool:
        """Finish a pull that was left; False when the interface knows its cursor no more, and all is to be asked anew.

        Pages that it landed stay, and are taken.
        """
        came_to = pull.asked
        try:
            self.finish(pull)
        except Refused as refusal:
            if pull.asked > came_to or _is_about_rights(refusal):
                raise
            self._run.remark(f"{self._name}: pull {pull.number} could not go on and was begun anew. {refusal}")
            return False
        return True

    def finish(self, pull: Pull) -> None:
        """Ask for the pages that are left, land them, and record the pull when any was landed."""
        while not pull.is_finished:
            answer = self._next_answer(pull)
            page = self._page(answer, pull)
            if pull.asked == 0 and self._paging.names_no_next(answer, page):
                self._run.remark(
                    f"{self._name}: the interface gave one page, which is full; when it has more, correct "
                    f"feeds.{self._name}.api.next_cursor_at, where there is nothing"
                )
            is_news = self._is_news(page, pull)
            if is_news:
                self._land(answer, pull)
            self._follow(pull, page, has_landed=is_news)
        if pull.has_landed:
            self._record(pull)

    def _pull(self, number: int) -> Pull:
        return Pull(number, self._watermark if self._api.since_parameter else None)

    def _next_answer(self, pull: Pull) -> Answer:
        try:
            return self._interface.ask(self._paging.parameters(pull.next, pull.since))
        except Refused as refusal:
            if self._paging.is_only_looked_for(len(pull.last_records)) and not _is_about_rights(refusal):
                return Answer(b"", None, False)
            raise

    def _page(self, answer: Answer, pull: Pull) -> Page:
        """Raises: LandingError when the answer is not what the lake file says, or leads round in a circle."""
        page = self._paging.page(answer, asked=pull.asked, longest=pull.longest)
        if page.next in pull.named:
            raise LandingError(
                f"{self._interface.name} names on page {pull.asked + 1} a next page that it named before, and would "
                f"be asked for ever; that page was not landed. Correct next_cursor_at or cursor_parameter in "
                f"feeds.{self._name}.api, or report it to the makers of the interface"
            )
        if page.next and page.records and page.records == pull.last_records:
            raise LandingError(
                f"{self._interface.name} gives on page {pull.asked + 1} the records of the page before it; that page "
                f"was not landed. Correct page_parameter or cursor_parameter in feeds.{self._name}.api; where all "
                "records come in one answer, set its paging to cursor"
            )
        return page

    def _is_news(self, page: Page, pull: Pull) -> bool:
        """Whether a page is to be landed: any that leads on from a landed one, else one with a record not yet known."""
        if pull.has_landed:
            return bool(page.records) or page.next is not None
        return bool(page.records) and not self._are_known(page.records, pull)

    def _are_known(self, records: list[Any], pull: Pull) -> bool:
        """Whether the last pull landed them all, on its page of that number or on its last: nothing has come since."""
        before = self._pages.newest_pull()
        numbers = self._pages.numbers(before) if before else []
        looked_in = {number for number in (pull.asked + 1, *numbers[-1:]) if number in numbers}
        contents = [self._landed_content(before, number) for number in looked_in]
        known = {_digest(record) for content in contents for record in self._paging.records(content)}
        return known.issuperset(_digest(record) for record in records)

    def _land(self, answer: Answer, pull: Pull) -> None:
        if not pull.has_landed:
            self._pages.begin(pull.number, self._asked_for(pull))
        self._pages.add(pull.number, pull.asked + 1, answer.body)

    def _follow(self, pull: Pull, page: Page, *, has_landed: bool) -> None:
        pull.asked += 1
        pull.next, pull.is_finished = page.next, page.next is None
        pull.last_records, pull.longest = page.records, max(pull.longest, len(page.records))
        if page.next is not None:
            pull.named.add(page.next)
        if has_landed:
            pull.has_landed = True
            pull.count_records += len(page.records)
            values = [at(record, self._api.since_column) for record in page.records if self._api.since_column]
            pull.largest = self._larger([pull.largest, *values])

    def _larger(self, values: Iterable[Any]) -> str | None:
        """The largest of the values that are numbers or instants; None where there is none.

        An instant that cannot have been yet, of a record that is wrong, would hide all that come after it.
        """
        latest = self._run.started_at + timedelta(days=1)
        comparable = [
            (order, value)
            for value in values
            if isinstance(value, str) and (order := _order(value)) is not None and not _is_after(order, latest)
        ]
        return max(comparable, key=lambda one: one[0])[1] if comparable else None

    def _record(self, pull: Pull) -> None:
        """Write the row that says that a pull is finished."""
        if self._api.since_column and pull.count_records and pull.largest is None:
            self._run.remark(
                f"{self._name}: no value of {self._api.since_column} is a number or an instant like "
                "2026-01-31T12:00:00Z, so the next pull asks for all that this one did. "
                f"Correct feeds.{self._name}.api.since_column"
            )
        self._last_recorded, self._watermark = pull.number, self._larger([self._watermark, pull.largest])
        row = landed(
            self._name,
            pull.number,
            self._watermark,
            pull.count_records,
            run_id=self._run.run_id,
            received_at=self._run.started_at,
        )
        self._run.record(WATERMARKS, [row])
        log.info("pulled feed=%s pull=%d pages=%d records=%d", self._name, pull.number, pull.asked, pull.count_records)

    def _landed_content(self, pull: int, page: int) -> Any:
        try:
            return decoded(self._pages.read(pull, page), self._feed.encoding)
        except ValueError as error:
            raise LandingError(
                f"{self._name}: {self._pages.name(pull, page)} was landed as JSON in {self._feed.encoding} and is none "
                "now. Remove that file and those of its folder that come after it"
            ) from error

    def _asked_for(self, pull: Pull) -> str:
        """A digest of what a pull asks for; pages of two that differ do not belong together."""
        asked = self._api.model_dump(mode="json", exclude=NOT_OF_WHAT_IS_ASKED)
        return _digest([asked, self._feed.records_at, pull.since])


def _is_about_rights(refusal: Refused) -> bool:
    return refusal.status in (requests.codes.unauthorized, requests.codes.forbidden)


def _order(value: str) -> tuple[int, Any] | None:
    """By what to compare a value: numbers come before instants. None of any other text."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            return None
        return 1, instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (0, number) if number.is_finite() else None


def _is_after(order: tuple[int, Any], latest: datetime) -> bool:
    kind, value = order
    return kind == 1 and bool(value > latest)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
