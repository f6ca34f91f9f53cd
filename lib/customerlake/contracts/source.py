"""How a feed is declared: what a source sends, column by column. Its bronze table follows from the declaration."""

from dataclasses import dataclass

from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.errors import ContractError

TEXT = T.StringType()


@dataclass(frozen=True)
class Received(Field):
    """A column that a source sends as text. `type` is what its text must read as."""

    is_required: bool = False  # a row without a value is rejected; columns of the key and `at` always are
    is_optional: bool = False  # a source may lack the column without the lake file saying so
    one_of: tuple[str, ...] = ()  # the values there are, in lower case; none: any
    is_code: bool = False  # of a currency or unit, whose change at the source must not pass unseen


@dataclass(frozen=True)
class Source:
    """One feed's contract.

    A record of an event never changes after it happened. Of any other thing the source sends the newest state, and the
    newest record of a key, by `at`, is what holds.
    """

    feed: str
    grain: str
    key: tuple[str, ...]
    at: str | None  # when an event happened; of other records, when they last changed
    is_event: bool
    columns: tuple[Received, ...]

    def __post_init__(self) -> None:
        names = self.column_names
        unknown = [name for name in (*self.key, *([self.at] if self.at else [])) if name not in names]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if unknown or repeated:
            raise ContractError(
                f"The feed {self.feed} is declared wrongly: key or time columns that are not among its columns "
                f"{unknown}, repeated columns {repeated}. Correct the declaration."
            )

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def required(self) -> list[str]:
        """The columns without which a row says nothing."""
        fixed = {*self.key, self.at}
        return [column.name for column in self.columns if column.is_required or column.name in fixed]

    def column(self, name: str) -> Received:
        return next(column for column in self.columns if column.name == name)


def bronze_table(source: Source) -> Table:
    """`bronze.<feed>`: the source's records as received, all values text, each with where it came from."""
    return Table(
        name=f"bronze.{source.feed}",
        grain=f"one row per received record ({source.grain}), all values as text",
        key=("_file_digest", "_line_number"),
        statistics_on=("_batch", *([source.at] if source.at else [])),  # texts are never looked for by range
        columns=(
            *[Field(c.name, TEXT, c.doc, c.unit, c.personal) for c in source.columns],
            Field("_extra", T.MapType(TEXT, TEXT), "columns that the contract does not name", personal="audit"),
            Field("_raw", TEXT, "text of the record, where it could not be split into the columns", personal="audit"),
            Field("_problem", TEXT, "what is wrong with the record as text; null when sound"),
            Field("_is_deleted", T.BooleanType(), "the source no longer has the record; null unless it said so"),
            Field("_source_file", TEXT, "file, relative to the feed's folder; else the table or topic"),
            Field("_line_number", T.LongType(), "line or record of the file, or offset in the topic's partition"),
            Field("_file_digest", TEXT, "SHA-256 of the file as landed; of a database's row or a message, of that"),
            Field("_batch", T.LongType(), "number of the landing that took it, from 1"),
            Field("_run_id", TEXT, "run that took it"),
            Field("_received_at", T.TimestampType(), "when that run began"),
        ),
    )
