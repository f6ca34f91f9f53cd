"""In which form a file's records are, by what the file holds, whatever it is called."""

import csv
import io
import json
import re
import statistics
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from customerlake.bronze.guesses.encodings import encoding_of, refuse_what_is_no_text
from customerlake.bronze.guesses.values import COMMA_NUMBER
from customerlake.errors import ConfigError, LandingError
from customerlake.runtime.feeds import Format

LINES_LOOKED_AT = 300
BYTES_LOOKED_AT = 4 * 1024**2
CONSISTENT = 0.95  # share of the lines that must have as many values as most
RATHER_CONSISTENT = 0.8  # of a file with some broken lines
DELIMITERS = ("\t", ";", "|", ",")  # of two that cut as well, the first: a comma may be of decimals
LONGEST_ITEM = 40  # characters of an item of a basket, in the mean
OLE = b"\xd0\xcf\x11\xe0"  # how .xls begins


@dataclass(frozen=True)
class Form:
    """The settings of a feed by which its files are read, and the first lines as they are cut by these."""

    format: Format
    settings: dict[str, Any] = field(default_factory=dict)  # delimiter, encoding, widths, sheet, records_at
    rows: tuple[tuple[str, ...], ...] = ()  # first lines, of formats that may lack a header
    remarks: tuple[str, ...] = ()


def form_of(content: bytes, encoding: str | None = None) -> Form:
    """The form of a file, given unpacked.

    Raises: LandingError when it is empty, no text and of no known binary form, or text without records.
    """
    if not content.strip():
        raise LandingError("it is empty, without even a header; inspect one that holds records")
    if content.startswith(b"PAR1"):
        return Form("parquet")
    if content.startswith(b"Obj\x01"):
        return Form("avro")
    if content.startswith(OLE) or _is_workbook(content):
        return _excel(content)
    refuse_what_is_no_text(content)
    found, remark = (encoding, None) if encoding else encoding_of(content)
    try:
        text = content[:BYTES_LOOKED_AT].decode(found, errors="replace").lstrip("\ufeff")
    except LookupError as error:
        raise ConfigError(f"Python knows no encoding {found!r}; utf-8, cp1252 and gb18030 are common.") from error
    is_like_json = text.lstrip()[:1] in ("{", "[")
    form = _json(content.decode(found, errors="replace").lstrip("\ufeff")) if is_like_json else None
    form = form or _of_lines(text)
    settings = ({"encoding": found} if found != "utf-8" else {}) | form.settings
    return Form(form.format, settings, form.rows, (*([f"encoding {found}: {remark}"] if remark else []), *form.remarks))


def _is_workbook(content: bytes) -> bool:
    if not content.startswith(b"PK"):
        return False
    try:
        names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    except zipfile.BadZipFile as error:
        raise LandingError(f"it begins as an archive or workbook, and is cut short ({error}); copy it again") from error
    return any(name.startswith("xl/workbook") for name in names) or {"content.xml", "mimetype"} <= {*names}


def _excel(content: bytes) -> Form:
    """The sheet with the most rows, when it is not the first."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except CalamineError as error:
        raise LandingError(f"it is no workbook that can be read ({error}); save it as .xlsx again") from error
    name = max(sheets, key=lambda name: len(sheets[name]))  # of equals the first
    if not sheets[name]:
        raise LandingError("it is a workbook whose sheets are empty; inspect one that holds records")
    rows = tuple(tuple(str(cell) for cell in row) for row in sheets[name][:LINES_LOOKED_AT])
    others = [other for other in sheets if other != name]
    said = (f"the workbook has other sheets, which are not read: {', '.join(others)}",) if others else ()
    return Form("excel", {"sheet": name} if others else {}, rows, said)


def _json(text: str) -> Form | None:
    """One object per line, or a document with a list of objects in it; None when the text is neither."""
    lines = [line for line in text.split("\n") if line.strip()][:LINES_LOOKED_AT]
    objects = sum(isinstance(_parsed(line), dict) for line in lines)
    document = _parsed(text) if len(lines) < 2 or objects < CONSISTENT * len(lines) else None
    places = dict(_lists(document))
    if places:
        where = max(places, key=lambda where: places[where])
        others = [other or "the document itself" for other in places if other != where]
        said = (f"other lists in the document, which are not read: {', '.join(others)}",) if others else ()
        return Form("json", {"records_at": where} if where else {}, remarks=said)
    if objects and objects >= RATHER_CONSISTENT * len(lines):
        return Form("json_lines")
    if document is not None:
        raise LandingError("it is JSON without a list of objects in it; export its records as a list")
    if text.lstrip()[:1] == "{" or re.match(r'\s*\[\s*[{"\[]', text):
        raise LandingError("it begins as JSON and is none as a whole, nor by lines; export it again, complete")
    return None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _lists(document: Any, at: str = "") -> Iterator[tuple[str, int]]:
    """Where a document holds lists of objects, and how long they are; not those inside of records."""
    if isinstance(document, list):
        objects = sum(isinstance(value, dict) for value in document)
        if objects and objects >= RATHER_CONSISTENT * len(document):
            yield at, len(document)
    elif isinstance(document, dict):
        for key, value in document.items():
            if "." not in key:  # records_at is cut at points
                yield from _lists(value, f"{at}.{key}" if at else key)


def _of_lines(text: str) -> Form:
    """Values between delimiters or white space, of fixed width, or baskets."""
    lines = [line for line in text.splitlines() if line.strip()][:LINES_LOOKED_AT]
    cuts = {mark: _cut(lines, mark) for mark in DELIMITERS}
    best = max(DELIMITERS, key=lambda mark: (_consistency(cuts[mark]) >= CONSISTENT, _width(cuts[mark])))
    words = [tuple(line.split()) for line in lines]
    commas_are_of_decimals = best == "," and _is_cut(words, CONSISTENT) and _all_commas_in_numbers(words)
    if _is_cut(cuts[best], CONSISTENT) and not commas_are_of_decimals:
        return _delimited(best, cuts[best])
    widths = _widths(lines)
    is_padded = any("  " in line.strip() for line in lines)  # else nothing says that columns are wider than values
    is_of_widths = len(widths) > 1 and (is_padded or not _is_cut(words, CONSISTENT)) and len(widths) != _width(words)
    if _is_cut(words, CONSISTENT) and len(lines) > 1 and not is_of_widths:
        return Form("whitespace", rows=tuple(words))
    if len(widths) > 1:
        return _fixed_width(lines, widths)
    rather = max(DELIMITERS, key=lambda mark: _consistency(cuts[mark]) if _width(cuts[mark]) > 1 else 0)
    if _is_cut(cuts[rather], RATHER_CONSISTENT):
        return _delimited(rather, cuts[rather])
    for mark in (*DELIMITERS, " "):
        if _are_baskets(rows := _cut(lines, mark), mark):
            return Form("baskets", {"delimiter": mark} if mark != "," else {}, tuple(rows))
    if all(len(row) <= 3 for row in words) and len(lines) > 1:
        return Form("csv", rows=tuple((line.strip(),) for line in lines))
    raise LandingError(
        "it is text in which no records were found: its lines are not cut alike by comma, semicolon, tab, bar or white "
        "space, nor of one width. Export its records as CSV"
    )


def _cut(lines: Sequence[str], mark: str) -> list[tuple[str, ...]]:
    try:
        return [tuple(value.strip() for value in row) for row in csv.reader(lines, delimiter=mark) if row]
    except csv.Error:
        return []


def _width(rows: Sequence[Sequence[str]]) -> int:
    """How many values most lines have."""
    return Counter(map(len, rows)).most_common(1)[0][0] if rows else 0


def _consistency(rows: Sequence[Sequence[str]]) -> float:
    """The share of the lines that have as many values as most; nothing when the first, the header, does not."""
    if not rows or (len(rows[0]) != _width(rows)):
        return 0.0
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows)


def _is_cut(rows: Sequence[Sequence[str]], share: float) -> bool:
    return _width(rows) > 1 and _consistency(rows) >= share


def _all_commas_in_numbers(words: Sequence[Sequence[str]]) -> bool:
    return all(COMMA_NUMBER.fullmatch(word) for row in words for word in row if "," in word)


def _delimited(mark: str, rows: Sequence[tuple[str, ...]]) -> Form:
    odd = sum(len(row) != len(rows[0]) for row in rows)
    said = (f"{odd} of the first {len(rows)} lines have more or fewer values than the others",) if odd else ()
    return Form("csv", {"delimiter": mark} if mark != "," else {}, tuple(rows), said)


def _widths(lines: Sequence[str]) -> list[int]:
    """The width of each column of lines of one length: columns begin after characters that are space in all lines.

    The first line, if it names the columns, may be shorter.
    """
    longest = max(map(len, lines))
    alike = sum(len(line) == longest for line in lines[1:])
    if len(lines) < 3 or "\t" in "".join(lines) or alike < CONSISTENT * (len(lines) - 1):
        return []
    padded = [line.ljust(longest) for line in lines]
    is_gap = [all(line[place] == " " for line in padded) for place in range(longest)]
    begins = [place for place in range(longest) if not is_gap[place] and (place == 0 or is_gap[place - 1])]
    if not begins:
        return []
    return [end - begin for begin, end in zip([0, *begins[1:]], [*begins[1:], longest], strict=True)]


def _fixed_width(lines: Sequence[str], widths: Sequence[int]) -> Form:
    places = [sum(widths[:number]) for number in range(len(widths))]
    rows = [
        tuple(line[place : place + width].strip() for place, width in zip(places, widths, strict=True))
        for line in lines
    ]
    return Form("fixed_width", {"widths": list(widths)}, tuple(rows))


def _are_baskets(rows: Sequence[tuple[str, ...]], mark: str) -> bool:
    """Ragged lines of short texts; between spaces only of codes, for words of sentences are ragged too."""
    items = [item for row in rows for item in row if item]
    if len(rows) < 2 or len({len(row) for row in rows}) < 2 or len(items) < 1.5 * len(rows):
        return False
    if mark == " ":
        return all(re.search(r"\d", item) for item in items)
    sentences = sum(re.search(r"[.!?](\s|$)", item) is not None for item in items)
    return statistics.mean(map(len, items)) <= LONGEST_ITEM and sentences < len(items) // 10 + 1
