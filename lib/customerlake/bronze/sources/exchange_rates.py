"""The feed of exchange rates."""

from pyspark.sql import types as T

from customerlake.contracts.source import Received, Source, bronze_table

TEXT = T.StringType()

EXCHANGE_RATES = Source(
    feed="exchange_rates",
    grain="one record per currency and day",
    key=("currency", "base_currency", "rated_on"),
    at="rated_on",
    is_event=True,
    columns=(
        Received("currency", TEXT, "ISO 4217 code"),
        Received("base_currency", TEXT, "ISO 4217 code of the currency that the rate is paid in"),
        Received("rated_on", T.DateType(), "day"),
        Received(
            "rate",
            T.DoubleType(),
            "units of base_currency for one unit of currency",
            unit="base_currency",
            is_required=True,
        ),
    ),
)

BRONZE = bronze_table(EXCHANGE_RATES)
