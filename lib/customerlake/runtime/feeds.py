"""What a lake file says of one feed: where it comes from, in what form, and how its columns are called there."""

import codecs
import re
import zoneinfo
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from customerlake.contracts.source import Source

TIMESTAMP_LETTERS = "GyMLdEaDhHkKmsSVzOXxFqQ"  # of Spark's datetime patterns, for reading
EPOCHS = ("epoch_seconds", "epoch_millis")

Format = Literal[
    "csv", "whitespace", "fixed_width", "json_lines", "json", "parquet", "avro", "excel", "baskets"
]  # baskets: one line per basket, its products between delimiters


class Values(BaseModel):
    """Frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError as error:
        raise ValueError(
            "Python knows no such encoding; utf-8, cp1252, latin-1, gb18030 and utf-16 are common"
        ) from error
    return name


def _known_time_zone(name: str) -> str:
    known = zoneinfo.available_timezones()
    if name not in known:
        near = get_close_matches(name, sorted(known), n=1)
        raise ValueError(f"there is no such time zone; {f'did you mean {near[0]}' if near else 'Europe/London is one'}")
    return name


def _known_pattern(pattern: str) -> str:
    if pattern in EPOCHS:
        return pattern
    letters = set(re.findall("[A-Za-z]", re.sub("'[^']*'", "", pattern)))
    if unknown := sorted(letters - set(TIMESTAMP_LETTERS)):
        raise ValueError(
            f"Spark reads no {', '.join(unknown)} in a pattern; y, M, d are year, month and day, H, m, s hour, minute "
            "and second, a is AM or PM, and other text stands in single quotes"
        )
    if not {"y", "M", "d"} <= letters:
        raise ValueError("it needs year, month and day: y, M and d, as in yyyy-MM-dd HH:mm:ss")
    return pattern


TimeZone = Annotated[str, AfterValidator(_known_time_zone)]
Pattern = Annotated[str, AfterValidator(_known_pattern)]


class DatabaseReader(Values):
    """A table of a database, read by Spark's JDBC source: what is new since the last landing."""

    url: Annotated[str, Field(pattern=r"^jdbc:[a-z0-9]+:")]  # jdbc:postgresql://host:5432/name, without a password
    table: str  # of the database, with its schema: public.profiles
    user_from: str = "CUSTOMERLAKE_DATABASE_USER"  # environment variable that holds the user's name
    password_from: str = "CUSTOMERLAKE_DATABASE_PASSWORD"  # environment variable that holds the password
    watermark: str | None = None  # column of the table that grows with each change; none: the whole table is compared
    late_minutes: NonNegativeInt = 60  # a row may be committed as long after the instant that its watermark says
    partition_column: str | None = None  # number or time by which several connections share a read
    partitions: PositiveInt = 4  # of them
    finds_deleted: bool = False  # compare the table's keys with those taken: rows that are gone are marked as deleted


class ApiReader(Values):
    """A paged HTTP interface that answers in JSON: its pages are landed as files.

    Paged by number, it should list records in the order of their changes: else one may move to a page already read.
    """

    url: Annotated[str, Field(pattern=r"^https?://")]
    parameters: dict[str, str] = {}  # sent with each request
    paging: Literal["cursor", "page"] = "cursor"
    cursor_parameter: str = "cursor"
    next_cursor_at: str = "next_cursor"  # where an answer holds the cursor of the next page; absent or null: the last
    # paged by number, an answer that has anything there says so whether there is a next page
    page_parameter: str = "page"
    first_page: NonNegativeInt = 1
    size_parameter: str | None = None  # by which the size of a page is asked for
    page_size: PositiveInt = 500  # records; paged by number, a page of fewer, and of fewer than an earlier, is the last
    since_parameter: str | None = None  # by which only records changed at an instant and since are asked for
    since_column: str | None = None  # field of a record that holds that instant; the largest one taken is sent
    token_from: str | None = None  # environment variable that holds the token
    token_header: str = "Authorization"
    token_prefix: str = "Bearer "
    timeout_seconds: Annotated[float, Field(gt=0)] = 30
    attempts: PositiveInt = 6  # of one request, with waits that double, or that the server asks for
    first_wait_seconds: Annotated[float, Field(gt=0)] = 1  # between the first attempt and the second
    longest_wait_seconds: Annotated[float, Field(gt=0, le=21600)] = 300  # who asks for more is left for this run
    requests_per_second: Annotated[float, Field(gt=0)] | None = None  # none: as fast as the server answers

    @model_validator(mode="after")
    def _asks_since(self) -> Self:
        if (self.since_parameter is None) != (self.since_column is None):
            raise ValueError("since_parameter and since_column belong together: give both or none")
        return self


class StreamReader(Values):
    """A topic of Kafka whose messages are JSON objects."""

    brokers: str  # host:port, with commas between several
    topic: str
    most_messages: PositiveInt = 500_000  # in one landing
    options: dict[str, str] = {}  # of Spark's Kafka source: kafka.security.protocol and the like, no secrets
    every_seconds: PositiveInt = 10  # between landings, while it stays


ORIGINS = ("path", "database", "api", "stream")


def wrong_origin(said: Mapping[str, object]) -> str | None:
    """What is wrong with where a feed comes from, in words; None when it has exactly one origin."""
    given = [name for name in ORIGINS if said.get(name) is not None]
    if len(given) == 1:
        return None
    return f"it needs exactly one of {', '.join(ORIGINS)}; it has {', '.join(given) or 'none'}"


class Feed(Values):
    """One feed. Exactly one of path, database, api and stream says where it comes from."""

    path: str | None = None  # folder, absolute or relative to the lake file, dated folders inside as well
    database: DatabaseReader | None = None
    api: ApiReader | None = None
    stream: StreamReader | None = None
    format: Format = "csv"  # of files; the pages of an api are json, whatever this says
    pattern: str = "*"  # which files of the folder; what gzip, bz2 or zstd packed is unpacked
    delimiter: Annotated[str, Field(pattern=r'^[^"\r\n]$')] = ","  # of csv and baskets
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    header: tuple[str, ...] | None = None  # the columns' names in their order, of files that do not say them
    widths: dict[str, PositiveInt] = {}  # of fixed_width: each column's name and how many characters it takes
    sheet: str | None = None  # of excel; none: the first
    records_at: str = ""  # of json: where the list of records is, as in data.items; empty: the file is the list
    timestamp_format: Pattern = "yyyy-MM-dd HH:mm:ss"  # Spark's letters, epoch_seconds or epoch_millis
    date_format: Pattern = "yyyy-MM-dd"
    other_date_formats: tuple[Pattern, ...] = ()  # tried in their order where date_format does not read a day
    decimal_comma: bool = False  # 1.234,50 is 1234.50
    time_zone: TimeZone | None = None  # of its times; none: the lake's
    columns: dict[str, str | None] = {}  # the contract's name -> the source's; null: the source has none
    constants: dict[str, str] = {}  # the contract's name -> what holds for every record of a source without the column
    accepted_changes: tuple[str, ...] = ()  # columns whose change of type, unit or currency at the source is meant

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if wrong := wrong_origin(self.model_dump(exclude_none=True)):
            raise ValueError(wrong)
        if self.format == "fixed_width" and not self.widths:
            raise ValueError("the format fixed_width needs widths: each column's name and how many characters it takes")
        if both := sorted(name for name in self.constants if self.columns.get(name)):
            raise ValueError(
                f"{', '.join(both)} stands in columns and in constants; a constant is for what is not there"
            )
        return self

    def names(self, source: Source) -> dict[str, str]:
        """The contract's columns that the source may have, each with its name there."""
        named = {name: self.columns.get(name, name) for name in source.column_names if name not in self.constants}
        return {name: there for name, there in named.items() if there is not None}

    def needed(self, source: Source) -> list[str]:
        """The names of the columns that the source must have: those the lake file names, and what is not optional."""
        return [
            there
            for name, there in self.names(source).items()
            if name in self.columns or not source.column(name).is_optional
        ]


class SalesFeed(Feed):
    """Lines of sales."""

    pattern: str = "*.csv*"
    channel: str = "online"
    order_prefix: str = ""  # put before its order ids, where those of two feeds may be the same
    cancellation_prefix: str = "C"  # an order_id that starts with it takes an earlier order back
    line_kinds: dict[
        str, str
    ] = {}  # product_id, or the start of one followed by *, of lines that are no product -> what they are


class AttributesFeed(Feed):
    """A table of customers with attributes and an outcome; what is not named as an attribute is kept, but not used."""

    attributes: dict[str, Literal["number", "category"]] = {}  # the source's name -> what its values are
    outcome_is: str = "Yes"  # the outcome's text for a customer it happened to
    observed_on: date  # the day on which the attributes were true
