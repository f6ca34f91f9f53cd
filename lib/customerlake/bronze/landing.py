"""Landed files: list them, open them, and check them against the feed's contract before any row is taken."""

import codecs
import difflib
import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyarrow import fs
from pyspark.sql import types as T

from customerlake.bronze.formats import READERS
from customerlake.bronze.formats.tabular import instants
from customerlake.contracts.change import FEWEST, Looks, looks
from customerlake.contracts.source import Source
from customerlake.errors import LandingError
from customerlake.runtime.feeds import Feed

LARGEST_BATCH_BYTES = 256 * 1024**2
"""Of text in one landing: what silver holds in memory at once, some two gigabytes for two million lines of sales."""
MOST_FILES = 1000  # in one landing: each is named in its plan
LOOKED_AT_BYTES = 256 * 1024
LOOKED_AT_RECORDS = 200
LOOKED_AT_PLACES = 40
MAY_NAME_NOTHING = ("json", "json_lines")  # with no record there is no name either
OF_LINES = ("csv", "whitespace", "fixed_width", "json_lines", "baskets")


@dataclass(frozen=True)
class LandedFile:
    """A file in a feed's folder. `name` is relative to the folder."""

    name: str
    path: str
    size_bytes: int
    modified_at: datetime
    is_folder: bool = False


class CheckedFile(NamedTuple):
    """A landed file that can be taken."""

    file: LandedFile
    digest: str
    header: tuple[str, ...]
    text_bytes: int  # as text, unpacked
    looks: Looks  # of its first records


def unpack_embedded_sales(root: str) -> str:
    """Put the sales that ship with the package into `<root>/landing/sales`, once; return that folder."""
    folder = Path(root) / "landing" / "sales"
    folder.mkdir(parents=True, exist_ok=True)
    present = {path.name for path in folder.iterdir()}
    for source in (resources.files("customerlake") / "demo" / "online_retail").iterdir():
        if source.name.endswith(".csv.gz") and source.name not in present:
            part = folder / f".{source.name}.part"
            part.write_bytes(source.read_bytes())
            part.replace(folder / source.name)  # a file that is seen is whole
    return str(folder)


def landed_files(folder: str, pattern: str, feed: str) -> list[LandedFile]:
    """The files of a feed's folder and the folders in it, by name.

    Raises: LandingError when the folder is missing or no folder.
    """
    filesystem, path = _open_filesystem(folder)
    about = filesystem.get_file_info(path)
    if about.type != fs.FileType.Directory:
        found = "a file" if about.type == fs.FileType.File else "nothing"
        raise LandingError(
            f"The landing folder {folder} holds the files of {feed}; {found} is there. Correct feeds.{feed}.path."
        )
    infos = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
    landed = [
        LandedFile(
            name=info.path[len(path) :].lstrip("/"),
            path=info.path,
            size_bytes=info.size or 0,
            modified_at=info.mtime.astimezone(UTC) if info.mtime else datetime.fromtimestamp(0, UTC),
            is_folder=info.type == fs.FileType.Directory,
        )
        for info in infos
        if fnmatch(info.base_name, pattern)
        and not is_hidden(info.path[len(path) :])
        and not (pattern == "*" and info.type == fs.FileType.Directory)  # dated folders match it as files do
    ]
    return sorted(landed, key=lambda file: file.name)


def is_hidden(name: str) -> bool:
    """A file or one of its folders begins with a point or underscore: not landed yet, or not meant to be seen."""
    return any(part.startswith((".", "_")) for part in name.split("/"))


def content(folder: str, path: str) -> tuple[bytes, str]:
    """The decompressed bytes of a landed file, and the digest of its bytes as landed.

    Raises: LandingError when it cannot be read or is compressed and cut short.
    """
    filesystem, _ = _open_filesystem(folder)
    try:
        with filesystem.open_input_stream(path, compression=None) as stream:
            landed = stream.read()
        compression = next((codec for beginning, codec in CODECS.items() if landed.startswith(beginning)), None)
        if compression is None:
            return landed, hashlib.sha256(landed).hexdigest()
        with pa.CompressedInputStream(pa.BufferReader(landed), compression) as stream:
            unpacked = stream.read()
    except (OSError, pa.ArrowInvalid) as error:
        raise LandingError(f"it cannot be read to its end ({error}); copy it again from where it came") from error
    return unpacked, hashlib.sha256(landed).hexdigest()


CODECS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
"""How compressed files begin: what a file holds decides, not how it is called."""


def check_files(
    files: Iterable[LandedFile], source: Source, feed: Feed, folder: str
) -> tuple[list[CheckedFile], list[str]]:
    """Open every file once and hold it against the contract: (files that can be taken, refusals in words)."""

    def checked(file: LandedFile) -> CheckedFile | str:
        try:
            return _check(file, source, feed, folder)
        except LandingError as problem:
            return f"{source.feed}: {file.name}: {problem}. None of its rows was taken."

    with ThreadPoolExecutor() as pool:  # hashing and unpacking leave Python's lock
        results = list(pool.map(checked, files))
    return [result for result in results if isinstance(result, CheckedFile)], [
        result for result in results if isinstance(result, str)
    ]


def in_batches(
    files: Iterable[CheckedFile], most_bytes: int = LARGEST_BATCH_BYTES, most_files: int = MOST_FILES
) -> list[list[CheckedFile]]:
    """Split files, in their order, into landings of up to so many bytes of text; a larger file is one by itself."""
    batches: list[list[CheckedFile]] = []
    room = 0
    for file in files:
        if file.text_bytes > room or len(batches[-1]) == most_files:
            batches.append([])
            room = most_bytes
        batches[-1].append(file)
        room -= file.text_bytes
    return batches


def _check(file: LandedFile, source: Source, feed: Feed, folder: str) -> CheckedFile:
    if file.is_folder:
        raise LandingError(
            f"a file is expected, a folder is there; move its files up or correct feeds.{source.feed}.pattern"
        )
    text, digest = content(folder, file.path)
    if not text.strip():
        raise LandingError("it is empty, without even a header; land it again when it is complete")
    reader = READERS[feed.format]
    header = reader.header(text, feed)
    if header or feed.format not in MAY_NAME_NOTHING:
        missing = [name for name in _needed(source, feed) if name not in header]
        if missing:
            raise LandingError(_advice(missing, header, text, source, feed))
    if feed.time_zone not in (None, "UTC") and (found := set(instants(text, feed)) & set(feed.names(source).values())):
        raise LandingError(
            f"column {', '.join(sorted(found))} holds instants, which are taken in UTC, and the times of the feed are "
            f"read in {feed.time_zone}. Set feeds.{source.feed}.time_zone: UTC in the lake file"
        )
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise LandingError(f"its header names {repeated} twice; correct the export")
    first = _first_records(text, source, feed)
    return CheckedFile(file, digest, header, len(text), _looks_of(first, source, feed) if first else {})


def _first_records(text: bytes, source: Source, feed: Feed) -> pa.RecordBatch | None:
    """Raises: LandingError when none of them can be split, as in a file of another format or encoding."""
    begin = text
    if feed.format in OF_LINES and len(text) > LOOKED_AT_BYTES:
        is_wide = codecs.lookup(feed.encoding).name.startswith(("utf-16", "utf-32"))  # a line's end is several bytes
        begin = text[:LOOKED_AT_BYTES] if is_wide else _spread(text)
    first = next(READERS[feed.format].split(begin, source, feed, LOOKED_AT_RECORDS), None)
    if first is None:
        return None
    problems = first["_problem"].slice(0, LOOKED_AT_RECORDS)
    if len(problems) >= FEWEST and problems.null_count == 0:
        raise LandingError(
            f"none of its first {len(problems)} records can be split into columns; of the first one: {problems[0]}. "
            f"Correct the export, or feeds.{source.feed} in the lake file"
        )
    return first


def _spread(text: bytes) -> bytes:
    """Lines from several places of a long text, those of the first with the header.

    Files are sorted, by customer for example: their first lines alone may be a few wholesalers'.
    """
    pieces = []
    for place in range(LOOKED_AT_PLACES):
        start = text.find(b"\n", place * len(text) // LOOKED_AT_PLACES) + 1 if place else 0
        end = start
        for _ in range(LOOKED_AT_RECORDS // LOOKED_AT_PLACES + (not place)):
            end = text.find(b"\n", end) + 1 or len(text)
        if not place or text.count(b'"', start, end) % 2 == 0:  # else it may begin inside of a quoted text
            pieces.append(text[start:end])
    return b"".join(pieces)


def _looks_of(first: pa.RecordBatch, source: Source, feed: Feed) -> Looks:
    """How the first records look, whichever of them are sound."""
    names = feed.names(source)
    columns = {name: first[name].slice(0, LOOKED_AT_RECORDS).to_pylist() for name in _judged(source) if name in names}
    return looks(columns, source, decimal_comma=feed.decimal_comma)


def _judged(source: Source) -> list[str]:
    """The columns whose type, unit or currency can be seen to change: not those of free text."""
    return [c.name for c in source.columns if c.is_code or not isinstance(c.type, T.StringType)]


def _needed(source: Source, feed: Feed) -> list[str]:
    """The columns that a file must have. Writers of JSON leave out what is null: there only what no record can lack."""
    if feed.format not in ("json", "json_lines"):
        return feed.needed(source)
    return [there for name, there in feed.names(source).items() if name in source.required]


def _advice(missing: list[str], header: tuple[str, ...], text: bytes, source: Source, feed: Feed) -> str:
    key = f"feeds.{source.feed}"
    if not all(name.replace("\t", "").isprintable() for name in header):
        return (
            f"it is no text in {feed.encoding}, it begins with the bytes {text[:4].hex(' ')}; "
            f"export it as CSV, or set {key}.encoding in the lake file"
        )
    others = [mark for mark in (",", ";", "\t", "|") if mark != feed.delimiter]
    likely = next((mark for mark in others if len(header) == 1 and mark in header[0]), None)
    if likely:
        return (
            f"its header is one column {_shortened(header[0])!r} when cut at {feed.delimiter!r}; it looks cut "
            f"at {likely!r}. Set {key}.delimiter in the lake file"
        )
    near = {name: difflib.get_close_matches(name, header, n=1) for name in missing}
    named = [f"{name} (did you mean {found[0]}?)" if found else name for name, found in near.items()]
    return (
        f"column {', '.join(named)} is missing; its header has {_shortened(', '.join(header))}. "
        f"Correct the export, or {key}.columns in the lake file: null stands for a column that there is not"
    )


def _shortened(text: str, length: int = 300) -> str:
    return text if len(text) <= length else f"{text[:length]} ..."


def _open_filesystem(folder: str) -> tuple[fs.FileSystem, str]:
    if "://" in folder:
        opened: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(folder)
        return opened
    return fs.LocalFileSystem(), str(Path(folder).resolve())
