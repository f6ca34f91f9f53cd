"""Kafka's messages -> records as bronze keeps them: JSON objects, their values as text as written."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add, or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.source import TEXT, Source

MARK = "\ufdd0"  # a character that no text holds: Unicode keeps it for use inside of programs
INEXACT = r"\s*+-?(?:[0-9]++[.eE]|(?<=-)0)"  # begins a number that Spark's reader of JSON takes for a double, or -0
NUMBER = (
    r'\G((?:[^"0-9\-]++|"(?:[^"\\]++|\\.)*+")*+)'  # before it: whole texts, and what is neither text nor number
    r"(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+\-]?[0-9]++)?+)(?=\s*+[,\]}])"
)


def records(messages: DataFrame, source: Source, names: Mapping[str, str]) -> DataFrame:
    """The records of messages as Spark's Kafka source gives them.

    Grain:   one row per message.
    Adds:    the contract's columns, by their `names` at the source; _extra, all other keys that have a value; of a
             message that is no JSON object in UTF-8 _raw and _problem instead; and where it came from. Texts are
             unescaped, numbers are as written, objects and lists are JSON, null is as if it were absent.
    A message without a value says that the source no longer has what the message's key names: it becomes a record with
    the columns of the contract's key that is marked as deleted.
    """
    wanted = sorted(set(names.values()))
    return (
        messages.withColumn("_text", F.coalesce("value", _object_of_key(source, names)).cast("string"))
        .withColumn("_text", F.ltrim(F.col("_text"), F.lit("\ufeff")))
        .withColumn("_is_marked", _has_inexact_number(F.col("_text")))
        .withColumn("_json", F.when(F.col("_is_marked"), _marked(F.col("_text"))).otherwise(F.col("_text")))
        .withColumn("_objects", _objects(T.StructType([T.StructField(name, TEXT) for name in wanted])))
        .withColumn("_object", F.when((F.size("_objects") == 2) & F.is_valid_utf8("_text"), F.get("_objects", 0)))
        .select(
            *[_column(name, names).alias(name) for name in source.column_names],
            F.when(_has_others(wanted), _others(wanted)).alias("_extra"),
            F.when(F.col("_object").isNull(), _shown(F.coalesce("value", "key"))).alias("_raw"),
            F.when(F.col("_object").isNull(), _problem(source)).alias("_problem"),
            F.when(F.col("value").isNull(), F.lit(True)).alias("_is_deleted"),
            F.concat_ws("/", "topic", "partition").alias("_source_file"),
            F.col("offset").alias("_line_number"),
            F.sha2(F.coalesce("value", F.lit(b"")), 256).alias("_file_digest"),
        )
    )


def _objects(of: T.DataType) -> Column:
    """The objects of a list of _json and an empty object: two of them when _json is an object and nothing else.

    Alone, a reader of JSON ends with the object and does not look at what follows it.
    """
    return F.from_json(F.concat(F.lit("["), "_json", F.lit(",{}]")), T.ArrayType(of))


def _has_inexact_number(text: Column) -> Column:
    """Whether Spark's reader of JSON would change a number. What is quick to look for spares most searches."""
    is_keyed = text.rlike(f'":{INEXACT}') | text.contains('" :') & text.rlike(f'"\\s++:{INEXACT}')
    is_listed = text.contains("[") & text.rlike(rf"[\[,]{INEXACT}")
    return (is_keyed | is_listed) & ~text.contains(MARK)


def _marked(text: Column) -> Column:
    """JSON with its numbers as texts that begin with a mark."""
    return F.regexp_replace(text, NUMBER, f'$1"{MARK}$2"')


def _unmarked(value: Column) -> Column:
    """A value of marked JSON as it was before: a number, or JSON that holds numbers."""
    return F.regexp_replace(value, f'^{MARK}|"{MARK}([^"]*+)"', "$1")


def _column(name: str, names: Mapping[str, str]) -> Column:
    if name not in names:
        return F.lit(None).cast(TEXT)
    value = F.col("_object")[names[name]]
    return F.when(F.col("_is_marked") & value.contains(MARK), _unmarked(value)).otherwise(value)


def _has_others(wanted: Sequence[str]) -> Column:
    """Whether an object may have keys with a value that no column takes: it has more keys than columns have values.

    What looks like a key is counted, in texts and in objects inside as well, so that none can be missed.
    """
    count_found = reduce(add, [F.col("_object")[name].isNotNull().cast("int") for name in wanted], F.lit(0))
    count_keys = _count('":') - _count('":null') - _count('": null')
    is_spaced = reduce(or_, [F.col("_text").contains(f'"{space}') for space in " \t\r\n"])  # keys apart from their colon
    return F.col("_object").isNotNull() & (is_spaced | (count_keys > count_found))


def _count(part: str) -> Column:
    without = F.replace("_text", F.lit(part), F.lit(""))
    return (F.octet_length("_text") - F.octet_length(without)) / len(part)


def _others(wanted: Sequence[str]) -> Column:
    """The keys with a value that no column takes; null when there are none."""
    every = F.get(_objects(T.MapType(TEXT, TEXT)), 0)
    others = F.map_filter(every, lambda key, value: value.isNotNull() & ~key.isin(*wanted))
    unmarked = F.transform_values(others, lambda _, value: F.when(F.col("_is_marked"), _unmarked(value)).otherwise(value))
    return F.when(F.size(others) > 0, unmarked)


def _object_of_key(source: Source, names: Mapping[str, str]) -> Column:
    """What a message's key says, as a JSON object: it is one, or it is the text of the contract's one key column."""
    key = F.col("key").cast("string")
    is_value = ~key.startswith("{") & F.lit(len(source.key) == 1)
    of_value = F.to_json(F.struct(F.btrim(key, F.lit('"')).alias(names.get(source.key[0], source.key[0]))))
    return F.when(is_value, of_value).otherwise(key).cast("binary")


def _shown(message: Column) -> Column:
    """A message as text. Bytes that are no UTF-8 are shown as Latin-1 has them, so that they can be had back."""
    text = message.cast("string")
    return F.when(F.is_valid_utf8(text), text).otherwise(F.decode(message, "ISO-8859-1"))


def _problem(source: Source) -> Column:
    return (
        F.when(
            F.col("value").isNull(),
            F.lit(f"the message has no value, and its key does not name {', '.join(source.key)} of what was deleted"),
        )
        .when(~F.is_valid_utf8("_text"), F.lit("the message is not UTF-8; _raw shows its bytes as Latin-1 has them"))
        .otherwise(F.lit("the message is no JSON object"))
    )
