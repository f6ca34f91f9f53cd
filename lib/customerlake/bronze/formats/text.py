"""The text of a file, line by line, in its feed's encoding; bytes of another encoding stay recognisable in it."""

import codecs
import io
import re
from collections.abc import Iterator

from customerlake.contracts.source import Source
from customerlake.runtime.feeds import Feed

FIRST_FOREIGN = 0xDC00  # a byte that the encoding does not know stands in the text as this and itself
FOREIGN = re.compile("[\udc00-\udcff]")  # no encoding yields these by itself
KEEPS_FOREIGN = "customerlake_foreign"


def _as_foreign(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(FIRST_FOREIGN + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(KEEPS_FOREIGN, _as_foreign)  # as surrogateescape, which gives up at bytes below 0x80


def lines(text: bytes, feed: Feed, newline: str | None = None) -> Iterator[str]:
    """The lines, ended by LF, CRLF or CR, without a byte order mark and without their ends.

    With `newline=""` they keep their ends.
    """
    read = io.TextIOWrapper(io.BytesIO(text), encoding=feed.encoding, errors=KEEPS_FOREIGN, newline=newline)
    first = next(read, "").removeprefix("\ufeff")
    if newline is None:
        if first:
            yield first.rstrip("\n")
        for line in read:
            yield line.rstrip("\n")
    else:
        if first:
            yield first
        yield from read


def foreign_problem(line: str, source: Source, feed: Feed) -> str | None:
    """What is said of a line with bytes that are not of the feed's encoding."""
    if line.isascii() or not FOREIGN.search(line):
        return None
    found = [f"0x{ord(mark) - FIRST_FOREIGN:02X}" for mark in FOREIGN.findall(line)]
    return (
        f"the line holds bytes that are not {feed.encoding}: {', '.join(found[:5])}; "
        f"set feeds.{source.feed}.encoding in the lake file, or export the file again"
    )


def shown(line: str) -> str:
    """A line with its foreign bytes written as backslash escapes."""
    return line if line.isascii() else FOREIGN.sub(lambda mark: f"\\x{ord(mark[0]) - FIRST_FOREIGN:02x}", line)
