"""How an interface is walked over: what to ask for, where an answer holds its records, and which page comes next."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from customerlake.bronze.answers import Answer
from customerlake.errors import LandingError
from customerlake.runtime.feeds import ApiReader


class Page(NamedTuple):
    """What an answer holds. `next`: cursor or number of the page after it; None when it is the last."""

    records: list[Any]
    next: str | None


@dataclass(frozen=True)
class Paging:
    """How the interface of a feed is paged, by the lake file."""

    feed: str
    interface: str  # as errors call it
    api: ApiReader
    records_at: str

    def parameters(self, page: str | None, since: str | None) -> dict[str, str]:
        """What to ask with for a page; None: the first."""
        api = self.api
        asked = dict(api.parameters)
        if api.size_parameter:
            asked[api.size_parameter] = str(api.page_size)
        if api.since_parameter and since is not None:
            asked[api.since_parameter] = since
        if api.paging == "page":
            asked[api.page_parameter] = page or str(api.first_page)
        elif page is not None:
            asked[api.cursor_parameter] = page
        return asked

    def page(self, answer: Answer, *, asked: int, longest: int) -> Page:
        """What an answer holds, after `asked` pages, of which the longest held so many records.

        Raises: LandingError when its records or its cursor are not where the lake file says.
        """
        if answer.content is None:
            return Page([], None)
        records = self.records(answer.content)
        if self.api.paging == "cursor":
            return Page(records, self._next_cursor(answer))
        return Page(records, self._next_number(answer, len(records), asked, longest))

    def records(self, content: Any) -> list[Any]:
        """Raises: LandingError when they are not where the lake file says."""
        found = at(content, self.records_at)
        if found is None and has(content, self.records_at):
            return []
        if not isinstance(found, list):
            holds = f"the keys {', '.join(content)}" if isinstance(content, dict) else f"a {type(content).__name__}"
            where = f"at {self.records_at}" if self.records_at else "as the whole answer"
            raise LandingError(
                f"{self.interface} should give a list of records {where}; it gives {holds}. "
                f"Set feeds.{self.feed}.records_at"
            )
        return found

    def is_only_looked_for(self, records_before: int) -> bool:
        """Whether the page after one of so many records may well not be there: that one should be the last.

        It is looked for all the same, as an interface may give fewer records in a page than it is asked for.
        """
        return self.api.paging == "page" and 0 < records_before < self.api.page_size

    def names_no_next(self, answer: Answer, page: Page) -> bool:
        """Whether a page is full and nothing stands where a cursor should: it may have been looked for wrongly."""
        api = self.api
        is_full = bool(api.size_parameter) and len(page.records) == api.page_size
        return api.paging == "cursor" and is_full and not has(answer.content, api.next_cursor_at)

    def _next_cursor(self, answer: Answer) -> str | None:
        where, key = self.api.next_cursor_at, f"feeds.{self.feed}.api"
        cursor = at(answer.content, where)
        if isinstance(cursor, list | dict) or cursor is True:
            raise LandingError(
                f"{self.interface} gives no cursor at {where} but a {type(cursor).__name__}. "
                f"Correct {key}.next_cursor_at"
            )
        if not has(answer.content, where) and answer.links_to_next:
            raise LandingError(
                f"{self.interface} names its next page in a header, which is not followed. Set {key}.paging to page"
            )
        return str(cursor) if cursor else None

    def _next_number(self, answer: Answer, count: int, asked: int, longest: int) -> str | None:
        api = self.api
        if has(answer.content, api.next_cursor_at):  # it says itself whether there is more
            is_last = not at(answer.content, api.next_cursor_at)
        else:
            is_last = count < min(api.page_size, longest)
        return None if is_last or not count else str(api.first_page + asked + 1)


def at(value: Any, where: str) -> Any:
    """What stands at a path like data.items; None where nothing does."""
    for part in filter(None, where.split(".")):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def has(value: Any, where: str) -> bool:
    """Whether anything stands at a path, a null too."""
    above, _, name = where.rpartition(".")
    holder = at(value, above)
    return isinstance(holder, dict) and name in holder
