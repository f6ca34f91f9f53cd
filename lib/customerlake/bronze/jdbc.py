"""A table of a database by Spark's JDBC source: its columns, how far it has grown, and its rows, all values as text.

The text of a value is the same whatever the machine: a number keeps its digits, a time has no fraction or six digits of
one, a time with time zone is in UTC, bytes are hexadecimal. Queries are standard SQL; tried with PostgreSQL.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.bronze.windows import Kind, is_finite
from customerlake.errors import LandingError
from customerlake.runtime.feeds import DatabaseReader

ROWS_OF_ONE_CONNECTION = 10_000  # below it, opening more of them takes longer than it saves
SHARE = "customerlake_share"  # the partition column once more, in the type that Spark can divide
OLD = "customerlake_old"  # 1 of a row whose watermark is before the window that is read


@dataclass(frozen=True)
class Extent:
    """What a table holds from some watermark on."""

    count_rows: int
    count_unmarked: int  # rows whose watermark is null
    largest: str | None  # watermark
    shares: tuple[str, str] | None  # least and largest value of the partition column


class DatabaseTable:
    """A table that can be read: it is there, and who asks may. Its queries yield text columns.

    Raises: LandingError when user or password are not in the environment.
    """

    def __init__(self, spark: SparkSession, feed: str, reader: DatabaseReader) -> None:
        self._spark = spark
        self._reader = reader
        self._credentials = credentials(feed, reader)
        self.types = {field.name: field for field in self._load(reader.table, {}).schema}

    @property
    def columns(self) -> list[str]:
        return list(self.types)

    def kind(self, column: str) -> Kind | None:
        """How a column can serve as a watermark; None when it cannot."""
        kinds: dict[type[T.DataType], Kind] = {
            T.DateType: "day",
            T.TimestampNTZType: "local time",
            T.TimestampType: "instant",
        }
        of_type = self.types[column].dataType
        return "number" if isinstance(of_type, T.NumericType) else kinds.get(type(of_type))

    def extent(self, since: str | None) -> Extent:
        """Of the rows from the watermark `since` on, and of those without one; in one query, so at one moment."""
        mark, share = self._reader.watermark, self._reader.partition_column
        asked = {"count_rows": "COUNT(*)"}
        typed = {}
        if mark:
            asked |= {"count_marked": f"COUNT({self._quoted(mark)})", "largest": f"MAX({self._quoted(mark)})"}
            typed["largest"] = mark
        if share:
            asked |= {"least_share": f"MIN({self._quoted(share)})", "largest_share": f"MAX({self._quoted(share)})"}
            typed |= {"least_share": share, "largest_share": share}
        query = ", ".join(f"{what} AS {name}" for name, what in asked.items())
        found = self._texts(f"SELECT {query} FROM {self._reader.table}{self._where(since, None, True)}", typed).first()
        values = found.asDict() if found else {}
        rows = int(values.get("count_rows", 0))
        shares = values.get("least_share"), values.get("largest_share")
        return Extent(
            count_rows=rows,
            count_unmarked=rows - int(values.get("count_marked", rows)) if mark else 0,
            largest=values.get("largest"),
            shares=(shares[0], shares[1]) if shares[0] and shares[1] else None,
        )

    def rows(self, since: str | None, extent: Extent) -> DataFrame:
        """The rows of an extent, all columns, by several connections where there are many."""
        where = self._where(since, extent.largest, extent.count_unmarked > 0)
        share = self._reader.partition_column
        divided = self._divided(extent)
        if not share or not divided:
            return self._texts(f"SELECT * FROM {self._reader.table}{where}", {name: name for name in self.columns})
        query = f"SELECT t.*, t.{self._quoted(share)} AS {SHARE} FROM {self._reader.table} t{where}"
        return self._texts(query, {name: name for name in self.columns}, divided)

    def keys(self, names: Mapping[str, str], since: str | None) -> DataFrame:
        """Every row's key, name -> the table's column; `customerlake_old` where its watermark is before `since`."""
        asked = [f"{self._quoted(there)} AS {self._quoted(name)}" for name, there in names.items()]
        mark = self._reader.watermark
        is_old = (
            f"CASE WHEN {self._quoted(mark)} < {self._literal(mark, since)} THEN 1 ELSE 0 END"
            if mark and since
            else "0"
        )
        query = f"SELECT {', '.join(asked)}, {is_old} AS {OLD} FROM {self._reader.table}"
        return self._texts(query, names)

    def is_empty(self) -> bool:
        return self._texts(f"SELECT * FROM {self._reader.table}", {}).isEmpty()

    def _where(self, since: str | None, until: str | None, with_unmarked: bool) -> str:
        """The rows from a watermark on, up to another, and those without one. What is infinite bounds nothing."""
        mark = self._reader.watermark
        if mark is None:
            return ""
        bounds = [f"{self._quoted(mark)} >= {self._literal(mark, since)}"] if since else []
        if until and is_finite(until, self.kind(mark)):
            bounds.append(f"{self._quoted(mark)} <= {self._literal(mark, until)}")
        if not bounds:
            return ""
        unmarked = f" OR {self._quoted(mark)} IS NULL" if with_unmarked else ""
        return f" WHERE {' AND '.join(bounds)}{unmarked}"

    def _divided(self, extent: Extent) -> dict[str, str]:
        """Spark's options for a read by several connections; none where one is better or values cannot be divided."""
        share = self._reader.partition_column
        if not share or not extent.shares or extent.count_rows < ROWS_OF_ONE_CONNECTION:
            return {}
        least, largest = extent.shares
        kind = self.kind(share)
        if least == largest or not (is_finite(least, kind) and is_finite(largest, kind)):
            return {}
        if kind == "number":  # Spark asks for whole ones; they only say where one share ends and the next begins
            least, largest = str(int(Decimal(least))), str(int(Decimal(largest)) + 1)
        return {
            "partitionColumn": SHARE,
            "lowerBound": least,
            "upperBound": largest,
            "numPartitions": str(self._reader.partitions),
        }

    def _texts(self, query: str, typed: Mapping[str, str], options: Mapping[str, str] | None = None) -> DataFrame:
        """A query's columns as text. `typed` says of which column of the table each is; a share is left out."""
        fields = {name: self.types[column] for name, column in typed.items()}
        by_driver = [f"{quoted_name(name)} STRING" for name, field in fields.items() if self._is_text_of_driver(field)]
        if options and self.kind(self._reader.partition_column or "") == "local time":
            by_driver.append(f"{SHARE} TIMESTAMP")  # Spark divides no other time; its values are not read
        custom = {"customSchema": ", ".join(by_driver)} if by_driver else {}
        loaded = self._load(f"({query}) taken", {**custom, **(options or {})})
        return loaded.select(
            *[
                _text(name, fields[name].dataType if name in fields else loaded.schema[name].dataType).alias(name)
                for name in loaded.columns
                if name != SHARE
            ]
        )

    def _is_text_of_driver(self, field: T.StructField) -> bool:
        """Spark's own type would change the value: digits of a number, a time of day, a time that is infinite."""
        if isinstance(field.dataType, T.TimestampNTZType):
            return self._reader.url.startswith("jdbc:postgresql:") or "logical_time_type" in field.metadata
        return isinstance(field.dataType, T.FractionalType | T.ArrayType)

    def _load(self, table: str, options: Mapping[str, str]) -> DataFrame:
        user, password = self._credentials
        fixed = {"url": self._reader.url, "dbtable": table, "user": user, "password": password}
        tuned = {"fetchsize": "10000", "preferTimestampNTZ": "true"}
        return self._spark.read.format("jdbc").options(**fixed, **tuned, **options).load()

    def _quoted(self, name: str | None) -> str:
        mark = "`" if self._reader.url.startswith(("jdbc:mysql:", "jdbc:mariadb:")) else '"'
        return f"{mark}{(name or '').replace(mark, 2 * mark)}{mark}"

    def _literal(self, column: str, text: str) -> str:
        """A watermark's text in SQL."""
        kind = self.kind(column)
        if kind == "number":
            return str(Decimal(text))
        if kind == "instant":
            return f"TIMESTAMP WITH TIME ZONE '{text}+00:00'"
        return f"DATE '{text}'" if kind == "day" else f"TIMESTAMP '{text}'"


def credentials(feed: str, reader: DatabaseReader) -> tuple[str, str]:
    """User and password. Raises: LandingError that names the environment variable that is not set."""
    wanted = {"the user's name": reader.user_from, "the password": reader.password_from}
    missing = [f"{variable} with {what}" for what, variable in wanted.items() if variable not in os.environ]
    if missing:
        raise LandingError(
            f"{feed}: the environment lacks what {reader.table} of {place(reader.url)} is read with. "
            f"Set {' and '.join(missing)}, or name other variables under feeds.{feed}.database in the lake file."
        )
    return os.environ[reader.user_from], os.environ[reader.password_from]


def place(url: str) -> str:
    """Where a database is, without what else its URL may hold: options, and a user with a password."""
    return re.sub(r"[^/:@]+[/:][^/@]*(?=@//)|[^/:@]+[/:][^/@]*@", "", re.split(r"[?;]", url)[0])


@contextmanager
def explained(feed: str, reader: DatabaseReader) -> Iterator[None]:
    """What a database says when it cannot be read becomes a LandingError, without user and password."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        reason = reason_of(str(error))
        if reason is None:  # no fault of the database
            raise
        for variable in (reader.password_from, reader.user_from):
            reason = reason.replace(os.environ.get(variable) or "\0", "***")
        raise LandingError(
            f"{feed}: {reader.table} of {place(reader.url)} cannot be read: {reason}. None of its rows was taken. "
            f"See that the server can be reached from here, correct feeds.{feed}.database in the lake file, or the "
            f"user and password in {reader.user_from} and {reader.password_from}, and run again."
        ) from None  # the cause's text may hold what was taken out above


def reason_of(error: str) -> str | None:
    """What a database or its driver said, in one line; None when the error is not theirs."""
    for said in (r"\[JDBC_[\w.]+\] (.+)", r"SQL\w*Exception: (.+)", r"(?:Communications|Connect)Exception: (.+)"):
        if found := re.search(said, error):
            return re.sub(r"\s*The error occurred during output schema.*", "", found[1]).strip().rstrip(".")
    return None


def _text(name: str, of_type: T.DataType) -> Column:
    value = F.col(quoted_name(name))
    if isinstance(of_type, T.BinaryType):
        return F.lower(F.hex(value))
    if isinstance(of_type, T.MapType | T.StructType):
        return F.to_json(value)
    text = value.cast("string")
    if isinstance(of_type, T.TimestampType | T.TimestampNTZType):
        fraction = F.instr(text, ".")
        return F.when(fraction > 0, F.rpad(text, fraction + 6, F.lit("0"))).otherwise(text)
    return text


def quoted_name(name: str) -> str:
    """A column's name for Spark, whatever is in it."""
    return f"`{name.replace('`', '``')}`"
