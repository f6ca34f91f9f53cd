"""Kafka's messages -> records as bronze keeps them: JSON objects, their values as text as written."""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.contracts.source import Source

MARK = "\ufdd0"  # a character that no text holds: Unicode keeps it for use inside of programs
INEXACT = r"\s*+-?(?:[0-9]++[.eE]|(?<=-)0)"  # begins a number that Spark's reader of JSON takes for a double, or -0
NUMBER = (
    r'\G((?:[^"0-9\-]++|"(?:[^"\\]++|\\.)*+")*+)'  # before it: whole texts, and what is neither text nor number
    r"(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+\-]?[0-9]++)?+)(?=\s*+[,\]}])"
)


def records(messages: DataFrame, source: Source, names: Mapping[str, str]) -> DataFrame:
    """The records of messages as Spark's Kafka source gives them.

    Grain:   one row per message.
    Adds:    the contract's columns, by their `names` at the source; _extra, all other keys; of a message that is no
             JSON object in UTF-8 _raw and _problem instead; and where it came from. Texts are unescaped, numbers are as
             written, objects and lists are JSON, null and what is absent are null.
    A message without a value says that the source no longer has what the message's key names: it becomes a record with
    the columns of the contract's key that is marked as deleted.
    """
    is_deletion = F.col("value").isNull()
    return (
        messages.withColumn("_text", F.coalesce("value", _object_of_key(source, names)).cast("string"))
        .withColumn("_text", F.ltrim(F.col("_text"), F.lit("\ufeff")))
        .withColumn("_is_marked", _has_inexact_number(F.col("_text")))
        .withColumn("_listed", _listed(F.when(F.col("_is_marked"), _marked(F.col("_text"))).otherwise(F.col("_text"))))
        .withColumn("_object", F.when((F.size("_listed") == 2) & F.is_valid_utf8("_text"), F.get("_listed", 0)))
        .withColumn("_object", F.when(F.col("_is_marked"), _unmarked("_object")).otherwise(F.col("_object")))
        .select(
            *[_column(name, names).alias(name) for name in source.column_names],
            _others(set(names.values())).alias("_extra"),
            F.when(F.col("_object").isNull(), _shown(F.coalesce("value", "key"))).alias("_raw"),
            F.when(F.col("_object").isNull(), _problem(source)).alias("_problem"),
            F.when(is_deletion, F.lit(True)).alias("_is_deleted"),
            F.concat_ws("/", "topic", "partition").alias("_source_file"),
            F.col("offset").alias("_line_number"),
            F.sha2(F.coalesce("value", F.lit(b"")), 256).alias("_file_digest"),
        )
    )


def _listed(text: Column) -> Column:
    """Keys and values of the objects of a list of a text and an empty object: two of them when the text is an object.

    Alone, a reader of JSON ends with the object and does not look at what follows it.
    """
    return F.from_json(F.concat(F.lit("["), text, F.lit(",{}]")), "array<map<string,string>>")


def _has_inexact_number(text: Column) -> Column:
    """Whether Spark's reader of JSON would change a number. What is quick to look for spares most searches."""
    is_keyed = text.rlike(f'":{INEXACT}') | text.contains('" :') & text.rlike(f'"\\s++:{INEXACT}')
    is_listed = text.contains("[") & text.rlike(rf"[\[,]{INEXACT}")
    return (is_keyed | is_listed) & ~text.contains(MARK)


def _marked(text: Column) -> Column:
    """JSON with its numbers as texts that begin with a mark."""
    return F.regexp_replace(text, NUMBER, f'$1"{MARK}$2"')


def _unmarked(values: str) -> Column:
    """The values of marked JSON as they were before: numbers, and JSON that holds numbers."""

    def unmarked(_: Column, value: Column) -> Column:
        text = F.regexp_replace(value, f'^{MARK}|"{MARK}([^"]*+)"', "$1")
        return F.when(value.contains(MARK), text).otherwise(value)

    return F.transform_values(values, unmarked)


def _column(name: str, names: Mapping[str, str]) -> Column:
    if name not in names:
        return F.lit(None).cast("string")
    return F.element_at("_object", names[name])


def _others(named: set[str]) -> Column:
    """The keys that no column takes; null when there are none."""
    others = F.map_filter("_object", lambda key, _: ~key.isin(*named))
    return F.when(F.size(others) > 0, others)


def _object_of_key(source: Source, names: Mapping[str, str]) -> Column:
    """What a message's key says, as a JSON object: it is one, or it is the text of the contract's one key column."""
    key = F.col("key").cast("string")
    if len(source.key) != 1:
        return key.cast("binary")
    of_value = F.to_json(F.struct(F.btrim(key, F.lit('"')).alias(names.get(source.key[0], source.key[0]))))
    return F.when(~key.startswith("{"), of_value).otherwise(key).cast("binary")


def _shown(message: Column) -> Column:
    """A message as text. Bytes that are no UTF-8 are shown as Latin-1 has them, so that they can be had back."""
    text = message.cast("string")
    return F.when(F.is_valid_utf8(text), text).otherwise(F.decode(message, "ISO-8859-1"))


def _problem(source: Source) -> Column:
    named = ", ".join(source.key) or "a key"
    return (
        F.when(
            F.col("value").isNull(),
            F.lit(f"the message has no value, and its key does not name {named} of what was deleted"),
        )
        .when(~F.is_valid_utf8("_text"), F.lit("the message is not UTF-8; _raw shows its bytes as Latin-1 has them"))
        .otherwise(F.lit("the message is no JSON object"))
    )
