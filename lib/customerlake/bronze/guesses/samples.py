"""The files at a path, and the first records of some of them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from pyarrow import fs
from pyspark.sql import types as T

from customerlake.bronze.formats import READERS
from customerlake.bronze.guesses.forms import BYTES_LOOKED_AT, Form
from customerlake.bronze.guesses.headers import guessed_names, has_header
from customerlake.bronze.guesses.values import Look, decimal_commas, look
from customerlake.bronze.landing import OF_LINES, LandedFile, is_hidden, landed_files
from customerlake.contracts.source import Received, Source
from customerlake.errors import LandingError
from customerlake.runtime.feeds import Feed

RECORDS_LOOKED_AT = 20_000  # of each file
MAY_LACK_HEADER = ("csv", "whitespace", "excel", "fixed_width")


@dataclass(frozen=True)
class Place:
    """Where files lie: as the lake file says it, and some of them, the first, one amid and the last by name."""

    folder: str
    pattern: str
    files: tuple[LandedFile, ...]
    count_files: int

    @property
    def last_changed_on(self) -> date:
        return max(file.modified_at for file in self.files).date()


@dataclass(frozen=True)
class Sample:
    """The columns of some records, and the feed's settings by which these were read."""

    form: Form
    header: tuple[str, ...] | None  # for the lake file, of files that do not say it
    looks: tuple[Look, ...]
    decimal_comma: bool
    remarks: tuple[str, ...]


def place_of(path: str) -> Place:
    """The file, or the files of one kind in the folder.

    Raises: LandingError when nothing is there.
    """
    filesystem, inner = (
        fs.FileSystem.from_uri(path) if "://" in path else (fs.LocalFileSystem(), str(Path(path).resolve()))
    )
    about = filesystem.get_file_info(inner)
    if about.type == fs.FileType.NotFound:
        raise LandingError(f"There is nothing at {path}. Correct the path: a file or a folder of files is expected.")
    if about.type == fs.FileType.File:
        modified = about.mtime.astimezone(UTC) if about.mtime else datetime.fromtimestamp(0, UTC)
        folder = path.rpartition("/")[0] if "://" in path else str(Path(inner).parent)
        file = LandedFile(about.base_name, inner, about.size or 0, modified)
        return Place(folder, re.sub(r"([*?\[])", r"[\1]", about.base_name), (file,), 1)
    folder = path if "://" in path else inner
    files = [file for file in landed_files(folder, "*", "a feed") if not file.is_folder and not is_hidden(file.name)]
    if not files:
        raise LandingError(f"The folder {path} holds no files. Inspect one in which files have landed.")
    kind = Counter(_suffix(file.name) for file in files).most_common(1)[0][0]
    alike = [file for file in files if _suffix(file.name) == kind]
    some = dict.fromkeys((alike[0], alike[len(alike) // 2], alike[-1]))
    return Place(folder, f"*{kind}", tuple(some), len(alike))


def sample(contents: Sequence[bytes], form: Form) -> Sample:
    """The columns of the first records of some files of one form.

    Raises: LandingError when a header names a column twice, or there are no records.
    """
    names, has_names = _names(form)
    settings = _settings(form, names, has_names)
    header, remarks, columns = None, list(form.remarks), None
    for content in contents:
        found, said = _columns(content, Feed(path=".", format=form.format, **settings))
        remarks += [text for text in said if text not in remarks]
        columns = found if columns is None else _together(columns, found, remarks)
    looks = [look(name, values) for name, values in (columns or {}).items()]
    if not any(column.count_records for column in looks):
        raise LandingError("it has no records below its header; inspect a file that has some")
    commas, points = decimal_commas(looks)
    if commas and points:
        remarks.append(
            f"decimals have a comma in {', '.join(commas)} and a point in {', '.join(points)}: only one is read"
        )
    decimal_comma = len(commas) > len(points)
    if names and not has_names:
        guessed = guessed_names(looks, decimal_comma=decimal_comma)
        looks = [replace(column, name=name) for column, name in zip(looks, guessed, strict=True)]
        header = tuple(guessed)
    if form.format == "fixed_width":
        widths = dict(zip((column.name for column in looks), form.settings["widths"], strict=True))
        form = replace(form, settings=form.settings | {"widths": widths})
        header = None
        if has_names:
            remarks.append(
                "the first line of each file names the columns; it will be received as a record, and rejected"
            )
    return Sample(form, header, tuple(looks), decimal_comma, tuple(remarks))


def _names(form: Form) -> tuple[list[str], bool]:
    """The names of columns, for now if need be, of a form that may lack a header; whether its first line says them."""
    if form.format not in MAY_LACK_HEADER or not form.rows:
        return [], True
    if has_header(form.rows):
        return list(form.rows[0]), True
    return [f"column_{number}" for number in range(1, len(form.rows[0]) + 1)], False


def _settings(form: Form, names: list[str], has_names: bool) -> dict[str, Any]:
    settings = dict(form.settings)
    if form.format == "fixed_width":
        return settings | {"widths": dict(zip(names, form.settings["widths"], strict=True))}
    return settings if has_names else settings | {"header": tuple(names)}


Columns = dict[str, list[str | None]]


def _columns(content: bytes, feed: Feed) -> tuple[Columns, list[str]]:
    """The values of each column of the first records, and what is to be said of those that cannot be split."""
    start = content
    if feed.format in OF_LINES and len(content) > BYTES_LOOKED_AT and not feed.encoding.startswith("utf-16"):
        start = content[: content.rfind(b"\n", 0, BYTES_LOOKED_AT) + 1] or content
    reader = READERS[feed.format]
    header = reader.header(start, feed)
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise LandingError(f"its header names {repeated} twice; correct the export")
    source = Source(
        "inspected", "one record", (), None, True, tuple(Received(name, T.StringType(), "") for name in header)
    )
    columns: Columns = {name: [] for name in header}
    problems: list[str] = []
    count = 0
    for batch in reader.split(start, source, feed):
        records = batch.slice(0, RECORDS_LOOKED_AT - count)
        count += len(records)
        odd = records["_problem"].to_pylist()
        problems += [text for text in odd if text]
        for name in header:
            columns[name] += [value for value, text in zip(records[name].to_pylist(), odd, strict=True) if not text]
        if count >= RECORDS_LOOKED_AT:
            break
    said = [f"{len(problems)} of {count} records cannot be split, the first as {problems[0]}"] if problems else []
    return columns, said


def _together(columns: Columns, others: Columns, remarks: list[str]) -> Columns:
    """The records of two files; what only one of them has is said, and is empty in the other."""
    for name in sorted({*columns} ^ {*others}):
        remarks.append(f"not every file has the column {name}")
    sizes = [max(map(len, some.values()), default=0) for some in (columns, others)]
    return {
        name: columns.get(name, [None] * sizes[0]) + others.get(name, [None] * sizes[1])
        for name in dict.fromkeys([*columns, *others])
    }


def _suffix(name: str) -> str:
    """How names of files of one kind end: .csv, .csv.gz."""
    suffixes = PurePosixPath(name).suffixes
    is_packed = suffixes[-1:] in ([".gz"], [".bz2"], [".zst"])
    return "".join(suffixes[-2:] if is_packed else suffixes[-1:])
