"""What real files are like: slips of the pen, nicknames, phone numbers in any form, repeated records, broken rows.

A broken row is added beside a sound one, never in its place: what is quarantined takes nothing out of the lake.
"""

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance

ASCII = "".join(map(chr, range(33, 127)))
FULL_WIDTH = "".join(chr(ord(sign) + 0xFEE0) for sign in ASCII)


def slipped(name: str, share: float, *, chance: Chance, record: str) -> Column:
    """A name with, for a share of the records, two letters swapped, or one left out, doubled or wrong."""
    text = F.col(name)
    length = F.length(text)
    at = chance.whole(2, F.greatest(F.lit(2), length - 1), f"slip in {name}", record)
    start, rest = F.substring(text, F.lit(1), at - 1), F.substring(text, at + 1, length)
    letter = F.substring(text, at, F.lit(1))
    swapped = F.concat(start, F.substring(text, at + 1, F.lit(1)), letter, F.substring(text, at + 2, length))
    wrong = chance.chosen(list("aeiourstnlm"), f"wrong letter in {name}", record)
    kind = chance.uniform(f"kind of slip in {name}", record)
    slip = (
        F.when(kind < 0.35, swapped)
        .when(kind < 0.65, F.concat(start, rest))
        .when(kind < 0.85, F.concat(start, letter, letter, rest))
        .otherwise(F.concat(start, wrong, rest))
    )
    return F.when((length > 3) & chance.happens(share, f"slips in {name}", record), slip).otherwise(text)


def called(share: float, *, chance: Chance, record: str) -> Column:
    """A first name, or for a share of the records the short form that friends use, where there is one."""
    is_short = F.col("nickname").isNotNull() & chance.happens(share, "nickname", record)
    return F.when(is_short, F.col("nickname")).otherwise(F.col("first_name"))


def cased(text: Column | str, *, chance: Chance, record: str) -> Column:
    """The text, in capitals or small letters for a few records, and now and then with a space too many."""
    text = F.col(text) if isinstance(text, str) else text
    form = chance.uniform("letter case", record)
    return (
        F.when(form < 0.05, F.upper(text))
        .when(form < 0.08, F.lower(text))
        .when(form < 0.09, F.concat(text, F.lit(" ")))
        .otherwise(text)
    )


def mistyped_mailbox(address: Column, share: float, *, chance: Chance, record: str) -> Column:
    """An address with, for a share of the records, a wrong domain; others in capitals or with a tag."""
    form = chance.uniform("form of the mailbox", record)
    domain = F.regexp_replace(
        F.regexp_replace(F.regexp_replace(address, "@gmail[.]com$", "@gmial.com"), "@hotmail", "@hotmial"),
        "[.]uk$",
        ".ku",
    )
    return (
        F.when(form < share, domain)
        .when(form < share + 0.04, F.upper(address))
        .when(form < share + 0.06, F.replace(address, F.lit("@"), F.lit("+shop@")))
        .when(form < share + 0.07, F.concat(F.lit(" "), address))
        .otherwise(address)
    )


def written_phone(national: Column, *, chance: Chance, record: str) -> Column:
    """A number in one of the forms that people write: +44 7700 900123, 0044..., 07700-900123, (0)7700 and so on."""
    plus = F.concat(F.lit("+"), F.col("phone_code"))
    home = F.concat(F.col("phone_trunk"), national)
    spaced = F.concat_ws(" ", F.substring(national, 1, 3), F.substring(national, 4, 3), F.substring(national, 7, 6))
    form = chance.uniform("form of the phone number", record)
    return (
        F.when(form < 0.25, F.trim(F.concat_ws(" ", plus, spaced)))
        .when(form < 0.4, F.concat(plus, national))
        .when(form < 0.5, F.concat(F.lit("00"), F.col("phone_code"), national))
        .when(form < 0.58, F.concat(plus, F.lit(" (0) "), national))
        .when(form < 0.75, F.trim(F.concat(F.col("phone_trunk"), spaced)))
        .when(form < 0.8, F.concat(F.substring(home, 1, 5), F.lit("-"), F.substring(home, 6, 8)))
        .when((form < 0.83) & (F.col("language") == "ja"), F.translate(home, ASCII, FULL_WIDTH))
        .otherwise(home)
    )


def kept(value: Column, missing: float, *, chance: Chance, name: str, record: str) -> Column:
    """The value, or null for a share of the records."""
    return F.when(~chance.happens(missing, f"{name} is missing", record), value)


def with_repeats(share: float, *, chance: Chance, key: Sequence[str]) -> Callable[[DataFrame], DataFrame]:
    """Send a share of the records twice, exactly as they are."""

    def repeated(df: DataFrame) -> DataFrame:
        times = F.when(chance.happens(share, "sent twice", *key), 2).otherwise(1)
        return df.withColumn("_time", F.explode(F.sequence(F.lit(1), times))).drop("_time")

    return repeated


def with_broken_rows(
    broken: Mapping[str, str | None], share: float, *, chance: Chance, key: Sequence[str]
) -> Callable[[DataFrame], DataFrame]:
    """Add, beside a share of the records, the same with values that no reader can take. Columns must be text.

    One kind of damage for a row: each entry of `broken` is one; None stands for a value that is missing.
    """

    def damaged(df: DataFrame) -> DataFrame:
        names = list(broken)
        which = F.when(chance.happens(share, "broken", *key), chance.whole(0, len(names) - 1, "how broken", *key))
        copies = F.when(which.isNull(), F.array(F.lit(-1))).otherwise(F.array(F.lit(-1), which))
        values = {
            name: F.when(F.col("_broken") == place, F.lit(broken[name])).otherwise(F.col(name))
            for place, name in enumerate(names)
        }
        return df.withColumn("_broken", F.explode(copies)).withColumns(values).drop("_broken")

    return damaged
