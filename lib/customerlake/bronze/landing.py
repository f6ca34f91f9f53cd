"""Landed files: list them, open them, and check them against the feed's contract before any row is taken."""

import csv
import hashlib
import io
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

from customerlake.errors import LandingError
from customerlake.runtime.config import SalesFeed

LARGEST_BATCH_BYTES = 256 * 1024**2
"""Of text in one landing: what silver holds in memory at once, some two gigabytes for two million lines of sales."""


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


def landed_files(folder: str, pattern: str) -> list[LandedFile]:
    """The files of a folder, by name. Raises: LandingError when the folder is missing or no folder."""
    filesystem, path = _open_filesystem(folder)
    about = filesystem.get_file_info(path)
    if about.type != fs.FileType.Directory:
        found = "a file" if about.type == fs.FileType.File else "nothing"
        raise LandingError(
            f"The landing folder {folder} holds the sales files; {found} is there. Correct feeds.sales.path."
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
        if fnmatch(info.base_name, pattern) and not is_hidden(info.path[len(path) :])
    ]
    return sorted(landed, key=lambda file: file.name)


def is_hidden(name: str) -> bool:
    """A file or one of its folders begins with a point: not landed yet, or not meant to be seen."""
    return any(part.startswith(".") for part in name.split("/"))


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


def check_files(files: Iterable[LandedFile], feed: SalesFeed, folder: str) -> tuple[list[CheckedFile], list[str]]:
    """Open every file once and hold it against the contract: (files that can be taken, refusals in words)."""

    def checked(file: LandedFile) -> CheckedFile | str:
        try:
            return _check(file, feed, folder)
        except LandingError as problem:
            return f"sales: {file.name}: {problem}. None of its rows was taken."

    with ThreadPoolExecutor() as pool:  # hashing and unpacking leave Python's lock
        results = list(pool.map(checked, files))
    return [result for result in results if isinstance(result, CheckedFile)], [
        result for result in results if isinstance(result, str)
    ]


def in_batches(files: Iterable[CheckedFile], most_bytes: int = LARGEST_BATCH_BYTES) -> list[list[CheckedFile]]:
    """Split files, in their order, into landings of up to so many bytes of text; a larger file is one by itself."""
    batches: list[list[CheckedFile]] = []
    room = 0
    for file in files:
        if file.text_bytes > room:
            batches.append([])
            room = most_bytes
        batches[-1].append(file)
        room -= file.text_bytes
    return batches


def header_of(text: bytes, feed: SalesFeed) -> tuple[str, ...]:
    """The column names in a file's first line."""
    end = text.find(b"\n")
    decoded = (text if end < 0 else text[:end]).decode(feed.encoding, errors="replace").lstrip("\ufeff")
    line = next(io.StringIO(decoded, newline=None), "").rstrip("\n")  # lines may also end in a carriage return alone
    return tuple(name.strip() for name in next(csv.reader([line], delimiter=feed.delimiter), []))


def _check(file: LandedFile, feed: SalesFeed, folder: str) -> CheckedFile:
    if file.is_folder:
        raise LandingError("a file is expected, a folder is there; move its files up or correct feeds.sales.pattern")
    text, digest = content(folder, file.path)
    if not text.strip():
        raise LandingError("it is empty, without even a header; land it again when it is complete")
    header = header_of(text, feed)
    wanted = list(feed.columns.model_dump().values())
    missing = [name for name in wanted if name not in header]
    if missing:
        raise LandingError(_advice(missing, header, text, feed))
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise LandingError(f"its header names {repeated} twice; correct the export")
    return CheckedFile(file, digest, header, len(text))


def _advice(missing: list[str], header: tuple[str, ...], text: bytes, feed: SalesFeed) -> str:
    if not all(name.replace("\t", "").isprintable() for name in header):
        return (
            f"it is no text in {feed.encoding}, it begins with the bytes {text[:4].hex(' ')}; "
            "export it as CSV, or set feeds.sales.encoding in the lake file"
        )
    others = [mark for mark in (",", ";", "\t", "|") if mark != feed.delimiter]
    likely = next((mark for mark in others if len(header) == 1 and mark in header[0]), None)
    if likely:
        return (
            f"its header is one column {_shortened(header[0])!r} when cut at {feed.delimiter!r}; it looks cut "
            f"at {likely!r}. Set feeds.sales.delimiter in the lake file"
        )
    return (
        f"column {', '.join(missing)} is missing; its header has {_shortened(', '.join(header))}. "
        "Correct the export, or feeds.sales.columns in the lake file"
    )


def _shortened(text: str, length: int = 300) -> str:
    return text if len(text) <= length else f"{text[:length]} ..."


def _open_filesystem(folder: str) -> tuple[fs.FileSystem, str]:
    if "://" in folder:
        opened: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(folder)
        return opened
    return fs.LocalFileSystem(), str(Path(folder).resolve())
