"""Categories however they are spelled, by one list of values."""

from collections.abc import Collection, Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.errors import ContractError
from customerlake.silver.cleaning.reference import reference_values


def one_of_list(text: Column, spellings: Mapping[str, Collection[str]]) -> Column:
    """The value of the list whose spelling, or name, a text is; null when there is none.

    Capitals, points and white space around do not matter.
    Raises: ContractError when one spelling stands for two values.
    """
    said = F.lower(F.btrim(F.replace(text, F.lit("."), F.lit("")), F.lit(" \t\r\n\u00a0")))
    value = F.lit(None).cast("string")
    for name, plain in plain_spellings(spellings).items():
        value = F.when(said.isin(*plain), F.lit(name)).otherwise(value)
    return value


def plain_spellings(spellings: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """Each value -> its name and spellings, in lower case and without points.

    Raises: ContractError when one spelling stands for two values.
    """
    plain = {name: sorted({_plain(text) for text in (name, *texts)}) for name, texts in spellings.items()}
    owners: dict[str, list[str]] = {}
    for name, texts in plain.items():
        for text in texts:
            owners.setdefault(text, []).append(name)
    if shared := {text: names for text, names in owners.items() if len(names) > 1}:
        raise ContractError(
            f"A list of categories gives one spelling to several values: {shared}. Leave each with one of them."
        )
    return plain


def sex(text: Column) -> Column:
    """female, male or other, out of what many languages and ISO/IEC 5218 write; else null."""
    return one_of_list(text, reference_values("sexes"))


def _plain(text: str) -> str:
    return text.replace(".", "").strip().lower()
