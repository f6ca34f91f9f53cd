"""Put a feed's frame into the landing folder, as files of one format. All values are text by then, but in Parquet."""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pyarrow import fs
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.demo.times import FIRST_DAY, LAST_DAY, as_text
from customerlake.errors import ConfigError

Format = Literal["csv", "json", "parquet"]


@dataclass(frozen=True)
class Shape:
    """How a feed's files look. `by`: a folder for each day or month, named day=2010-12-01 or month=2010-12."""

    format: Format
    by: Literal["day", "month", ""] = ""
    delimiter: str = ","
    timestamps: str = "yyyy-MM-dd HH:mm:ss"
    dates: str = "yyyy-MM-dd"
    is_compressed: bool = True
    names: Mapping[str, str] | None = None  # column -> what the file calls it; the others are called as they are


def as_text_columns(df: DataFrame, shape: Shape) -> DataFrame:
    """Every value as the files write it."""

    def text(field: T.StructField) -> Any:
        pattern = {"timestamp": shape.timestamps, "date": shape.dates}.get(field.dataType.typeName())
        value = as_text(field.name, pattern) if pattern else F.col(field.name).cast("string")
        return value.alias(field.name)

    return df.select(*[text(field) for field in df.schema.fields])


def with_landing_day(df: DataFrame, at: Column, shape: Shape) -> DataFrame:
    """Add the day or month in which each record lands: that of `at`, and what is older on the first day."""
    if not shape.by:
        return df
    day = F.greatest(F.lit(FIRST_DAY), F.least(F.lit(LAST_DAY), at.cast("date")))
    return df.withColumn(shape.by, as_text(day, "yyyy-MM-dd" if shape.by == "day" else "yyyy-MM"))


def write(df: DataFrame, folder: str, shape: Shape) -> None:
    """Write a feed, whole or not at all where `folder` is local; a folder that is there is replaced."""
    names = shape.names or {}
    named = df.select(*[F.col(name).alias(names.get(name, name)) for name in df.columns])
    cut = named.repartition(shape.by) if shape.by else named.coalesce(1)
    if shape.format == "json":
        cut = cut.select(
            _json_line([name for name in cut.columns if name != shape.by]), *([shape.by] if shape.by else [])
        )
    writer = cut.write.mode("overwrite")
    if shape.by:
        writer = writer.partitionBy(shape.by)
    if shape.format != "parquet" and shape.is_compressed:
        writer = writer.option("compression", "gzip")
    into = Path(folder).with_name(f".{Path(folder).name}.part") if is_local(folder) else None
    path = str(into or folder)
    match shape.format:
        case "csv":  # quotes are doubled; a value that is missing, and an empty one, are nothing between two delimiters
            options: dict[str, Any] = {"sep": shape.delimiter, "header": True, "escape": '"'}
            options |= {
                "ignoreLeadingWhiteSpace": False,
                "ignoreTrailingWhiteSpace": False,
            }  # the JVM's writer trims else
            writer.options(**options, nullValue="", emptyValue="").csv(path)
        case "json":
            writer.text(path)
            _renamed(path, ".txt", ".json")
        case "parquet":
            writer.parquet(path)
    if into:
        _without_marks(into)
        shutil.rmtree(folder, ignore_errors=True)
        into.rename(folder)


def _json_line(names: list[str]) -> Column:
    """The record as a line of JSON with every key: what is missing is null. Sail's writer leaves such keys out."""

    def value(name: str) -> Column:
        escaped = F.replace(F.replace(F.col(name), F.lit("\\"), F.lit("\\\\")), F.lit('"'), F.lit('\\"'))
        return F.concat(F.lit(f'"{name}":'), F.coalesce(F.concat(F.lit('"'), escaped, F.lit('"')), F.lit("null")))

    return F.concat(F.lit("{"), F.concat_ws(",", *[value(name) for name in names]), F.lit("}")).alias("value")


def _renamed(folder: str, old: str, new: str) -> None:
    filesystem, inside = _filesystem(folder)
    for info in filesystem.get_file_info(fs.FileSelector(inside, recursive=True)):
        if info.type == fs.FileType.File and old in info.base_name and not info.base_name.startswith((".", "_")):
            place, _, name = info.path.rpartition("/")
            filesystem.move(info.path, f"{place}/{name.replace(old, new)}")


def _without_marks(folder: Path) -> None:
    for mark in [*folder.rglob("_SUCCESS"), *folder.rglob(".*.crc")]:
        mark.unlink()


def is_local(path: str) -> bool:
    return "://" not in path


def write_text(path: str, text: str) -> None:
    filesystem, inside = _filesystem(path)
    filesystem.create_dir(inside.rsplit("/", 1)[0], recursive=True)
    with filesystem.open_output_stream(inside) as stream:
        stream.write(text.encode())


def marker(root: str) -> dict[str, Any] | None:
    """What the demo in a root says it was made of; None where there is no finished one."""
    filesystem, inside = _filesystem(f"{root}/landing/.demo.json")
    if filesystem.get_file_info(inside).type != fs.FileType.File:
        return None
    with filesystem.open_input_stream(inside) as stream:
        values: dict[str, Any] = json.loads(stream.read())
    return values


def remove(folder: str) -> None:
    """Remove a folder of working files, if it is there."""
    filesystem, inside = _filesystem(folder)
    if filesystem.get_file_info(inside).type == fs.FileType.Directory:
        filesystem.delete_dir(inside)


def clear(root: str, feeds: Iterable[str]) -> None:
    """Remove what an interrupted demo left in a root; nothing else that is there."""
    for feed in feeds:
        remove(f"{root}/landing/{feed}")
        remove(f"{root}/landing/.{feed}.part")
    remove(f"{root}/landing/.work")
    remove(f"{root}/truth")


def _filesystem(path: str) -> tuple[fs.FileSystem, str]:
    if is_local(path):
        return fs.LocalFileSystem(), str(Path(path).absolute())
    try:
        opened: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(path)
    except ValueError as error:
        raise ConfigError(
            f"The root {path} cannot be opened: {error}. Give a folder, or an address such as s3://..."
        ) from error
    return opened
