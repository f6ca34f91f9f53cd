"""Currencies: which one a text names, and amounts in the currency that a lake reports in, at the rate of their day."""

from collections.abc import Callable, Mapping
from typing import Literal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MONEY
from customerlake.silver.cleaning.reference import reference_values

Shared = Literal["dollar", "pound", "yen", "crown", "rupee", "peso"]
"""Signs and names of several currencies: $, £, ¥, kr, Rs, peso."""

MEANT: Mapping[Shared, str] = {"dollar": "USD", "pound": "GBP", "yen": "JPY"}
RATE = T.DecimalType(18, 10)  # times an amount of MONEY it needs 37 digits, which decimals still hold exactly


def currency_code(text: Column, *, meant: Mapping[Shared, str] = MEANT) -> Column:
    """The ISO 4217 code that a code, a sign or a name means; null when it is unknown.

    What several currencies share is the one that `meant` says, and unknown where that says none. £ is GBP and ¥ is JPY
    unless it says otherwise.
    """
    listed = reference_values("currencies")
    code = F.upper(_spelled(text))
    named = F.when(code.isin(*listed["codes"], *listed["withdrawn"]), code)
    for iso, spellings in listed["spelled"].items():
        named = named.when(_spelled(text).isin(*spellings), F.lit(iso))
    for sign, iso in meant.items():
        named = named.when(_spelled(text).isin(*listed["shared"][sign]), F.lit(iso))
    return named


def at_days_rate(
    amounts: DataFrame, rates: DataFrame | None, *, currency: str, amount: str = "amount", on: str = "ordered_on"
) -> DataFrame:
    """Convert each amount at the rate of its day, else at the last one known before it.

    Needs:   `amounts` with currency and the columns that `amount` and `on` (a date) name; `rates` as
             silver.exchange_rates has them, quoted in `currency` for one unit of another, or the other way round; None
             where there are none at all.
    Adds:    rate [`currency` for one unit], rate_on (the day that the rate is of), amount_<currency> (MONEY, rounded
             half up), and no_rate_because (why an amount has no rate; else null). What is in `currency` has rate 1.
    """
    find = without_rate if rates is None else with_rate(rates.transform(rates_into(currency)), on)
    own = F.col(amount).cast(MONEY)
    converted = F.when(F.col("currency") == currency, own).otherwise((own * F.col("rate")).try_cast(MONEY))
    return (
        amounts.transform(find)
        .transform(own_rate(currency, on))
        .withColumns(
            {f"amount_{currency.lower()}": converted, "no_rate_because": no_rate_because(currency, amount, on)}
        )
    )


def rates_into(currency: str) -> Callable[[DataFrame], DataFrame]:
    """Rates as quoted -> what one unit of each other currency is in `currency`; one row per currency and rated_on.

    A rate quoted the other way round is turned (one by it, to ten places) where there is none this way.
    """

    def into(rates: DataFrame) -> DataFrame:
        is_direct = F.col("base_currency") == currency
        quoted = F.when(F.col("rate") > 0, F.col("rate").try_cast(RATE))
        turned = (F.lit(1).cast(RATE) / F.nullif(quoted, F.lit(0).cast(RATE))).try_cast(RATE)
        return (
            rates.where(is_direct != (F.col("currency") == currency))
            .select(
                F.when(is_direct, F.col("currency")).otherwise(F.col("base_currency")).alias("currency"),
                "rated_on",
                F.when(is_direct, quoted).alias("direct"),
                F.when(~is_direct, turned).alias("turned"),
            )
            .groupBy("currency", "rated_on")
            .agg(F.coalesce(F.max("direct"), F.max("turned")).alias("rate"))
            .where("rate > 0")
        )

    return into


def with_rate(known: DataFrame, on: str) -> Callable[[DataFrame], DataFrame]:
    """Adds: rate and rate_on, of the day or the last one known before it; null when there is none.

    The rates are few: each is put on every day that it is the last one of, so that a day finds its own by equality.
    Days after a currency's last rate look that one up.
    """
    last = known.groupBy(F.col("currency").alias("_of")).agg(F.max("rated_on").alias("_last_on"))
    daily = known.transform(rate_of_each_day)
    looked_up = F.when(F.col(on) > F.col("_last_on"), F.col("_last_on")).otherwise(F.col(on))

    def found(amounts: DataFrame) -> DataFrame:
        return (
            amounts.join(F.broadcast(last), on=F.col("currency") == F.col("_of"), how="left")
            .withColumn("_looked_up", looked_up)
            .join(
                F.broadcast(daily),
                on=(F.col("_of") == F.col("_in")) & (F.col("_looked_up") == F.col("_day")),
                how="left",
            )
            .drop("_of", "_last_on", "_looked_up", "_in", "_day")
        )

    return found


def without_rate(amounts: DataFrame) -> DataFrame:
    return amounts.withColumns({"rate": F.lit(None).cast(RATE), "rate_on": F.lit(None).cast("date")})


def rate_of_each_day(known: DataFrame) -> DataFrame:
    """Grain: one row per currency (_in) and day (_day) from its first rate to its last. Adds: rate, rate_on."""
    next_on = F.lead("rated_on").over(Window.partitionBy("currency").orderBy("rated_on"))
    until = F.coalesce(F.date_sub(next_on, 1), F.col("rated_on"))
    return known.withColumn("_until", until).select(
        F.col("currency").alias("_in"),
        F.explode(F.sequence("rated_on", "_until")).alias("_day"),
        "rate",
        F.col("rated_on").alias("rate_on"),
    )


def own_rate(currency: str, on: str) -> Callable[[DataFrame], DataFrame]:
    """What is in `currency` already has rate 1 on its day."""
    is_own = F.col("currency") == currency
    return lambda amounts: amounts.withColumns(
        {
            "rate": F.when(is_own, F.lit(1).cast(RATE)).otherwise(F.col("rate")),
            "rate_on": F.when(is_own, F.col(on)).otherwise(F.col("rate_on")),
        }
    )


def no_rate_because(currency: str, amount: str, on: str) -> Column:
    """Why an amount that is there has no rate; null when it has one."""
    return (
        F.when(F.col("rate").isNotNull() | F.col(amount).isNull(), F.lit(None).cast("string"))
        .when(F.col("currency").isNull(), F.lit("the currency is missing"))
        .when(F.col(on).isNull(), F.lit("the day is missing"))
        .otherwise(
            F.concat(
                F.lit("no rate of "),
                F.col("currency"),
                F.lit(f" in {currency} on or before "),
                F.col(on).cast("string"),
            )
        )
    )


def _spelled(text: Column) -> Column:
    return F.lower(F.btrim(F.replace(text, F.lit("."), F.lit("")), F.lit(" \t\r\n\u00a0")))
