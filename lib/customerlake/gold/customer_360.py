"""gold.customer_360: one row per customer, all that gold knows of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, Field, Table
from customerlake.gold.consent_state import CONSENT_STATE
from customerlake.gold.customer_service import CUSTOMER_SERVICE
from customerlake.gold.customer_value import CUSTOMER_VALUE
from customerlake.gold.email_engagement import EMAIL_ENGAGEMENT
from customerlake.gold.lifecycle import LIFECYCLE
from customerlake.gold.loyalty_state import LOYALTY_STATE
from customerlake.gold.purchase_behaviour import PURCHASE_BEHAVIOUR
from customerlake.gold.rfm import RFM
from customerlake.gold.segment_rules import SEGMENT_RULES
from customerlake.gold.web_engagement import WEB_ENGAGEMENT
from customerlake.silver.customers import CUSTOMERS

KEY = ("customer_id", "as_of")
PARTS = (
    CUSTOMER_VALUE,
    RFM,
    LIFECYCLE,
    PURCHASE_BEHAVIOUR,
    SEGMENT_RULES,
    WEB_ENGAGEMENT,
    EMAIL_ENGAGEMENT,
    LOYALTY_STATE,
    CUSTOMER_SERVICE,
    CONSENT_STATE,
)
"""The tables whose columns stand side by side, in this order; a name that several share is that of the first."""

LEFT_OUT = {LIFECYCLE: ("month",)}
RENAMED = {"stage": "lifecycle_stage", "previous_stage": "previous_lifecycle_stage", "interests": "top_interests"}
CONTACTS = {"has_email": "email", "has_phone": "phone", "has_address": "street"}
SHARED = ("country", "sex", "region", "city")  # silver.customers has them for everybody


@dataclass(frozen=True)
class Shown:
    """What is shown of a table of scores: the day of its scoring, and its columns by their names there."""

    scored_on: Field
    columns: Mapping[str, Field]


def _shown(what: str, of: str, columns: Mapping[str, Field]) -> Shown:
    doc = f"as_of of the newest {of} by as_of that were there when the row was made, of which last_... are"
    return Shown(Field(f"{what}_scored_on", T.DateType(), f"{doc}; null where it has no row of the customer"), columns)


SCORES: Mapping[str, Shown] = {
    "scores.segments": _shown(
        "segment",
        "scores.segments",
        {
            "segment_name": Field(
                "last_segment_name", T.StringType(), "segment by the model, on segment_scored_on", personal="analyse"
            )
        },
    ),
    "scores.churn": _shown(
        "churn",
        "scores.churn",
        {
            "churn_probability": Field(
                "last_churn_probability",
                T.DoubleType(),
                "of no order in the model's horizon after churn_scored_on",
                unit="share",
                personal="analyse",
            ),
            "risk_band": Field("last_risk_band", T.StringType(), "high, medium or low, on churn_scored_on"),
        },
    ),
    "scores.purchase_intent": _shown(
        "purchase",
        "scores.purchase_intent",
        {
            "purchase_probability": Field(
                "last_purchase_probability",
                T.DoubleType(),
                "of an order in the model's horizon after purchase_scored_on",
                unit="share",
                personal="analyse",
            )
        },
    ),
    "scores.lifetime_value": _shown(
        "lifetime_value",
        "scores.lifetime_value",
        {
            "p_alive": Field(
                "last_p_alive",
                T.DoubleType(),
                "that the customer still buys, on lifetime_value_scored_on",
                unit="share",
                personal="analyse",
            ),
            "expected_purchases": Field(
                "last_expected_purchases",
                T.DoubleType(),
                "purchase days expected in the model's horizon after lifetime_value_scored_on",
                unit="days",
                personal="analyse",
            ),
            "lifetime_value": Field(
                "last_lifetime_value",
                MEAN_MONEY,
                "margin of the purchases expected in that horizon, discounted",
                unit="currency",
                personal="analyse",
            ),
            "lifetime_value_low": Field(
                "last_lifetime_value_low", MEAN_MONEY, "lower end of its interval", unit="currency", personal="analyse"
            ),
            "lifetime_value_high": Field(
                "last_lifetime_value_high", MEAN_MONEY, "its upper end", unit="currency", personal="analyse"
            ),
        },
    ),
    "scores.outcome": _shown(
        "outcome",
        "scores.outcome",
        {
            "outcome_probability": Field(
                "last_outcome_probability",
                T.DoubleType(),
                "that the outcome happens, by the attributes of outcome_scored_on",
                unit="share",
                personal="analyse",
            )
        },
    ),
}
"""By the name of the table: gold knows of no model, and scores are made after it, so they may be of a day before."""


def _columns() -> tuple[Field, ...]:
    of_customer = {c.name: c for c in CUSTOMERS.columns if c.name in (*SHARED, "first_seen_on")}
    contacts = [Field(name, T.BooleanType(), f"silver.customers has a {of}") for name, of in CONTACTS.items()]
    named = {**of_customer, **{contact.name: contact for contact in contacts}}
    for table in PARTS:
        for column in _added(table):
            named.setdefault(column.name, column)
    for shown in SCORES.values():
        named |= {column.name: column for column in (*shown.columns.values(), shown.scored_on)}
    return (*(column for column in RFM.columns if column.name in KEY), *named.values())


def _added(table: Table) -> list[Field]:
    """The columns of a part, as they are called here."""
    left_out = (*KEY, *LEFT_OUT.get(table, ()))
    return [
        Field(
            RENAMED.get(column.name, column.name),
            T.StringType() if column.name == "interests" else column.type,
            "product categories, the strongest first" if column.name == "interests" else column.doc,
            None if column.name == "interests" else column.unit,
            column.personal,
        )
        for column in table.columns
        if column.name not in left_out
    ]


CUSTOMER_360 = Table(
    name="gold.customer_360",
    grain="one row per customer_id and as_of, over all customers of whom something was known by then",
    key=KEY,
    partitioned_by=("as_of",),
    columns=_columns(),
)


def customer_360(
    customers: DataFrame,
    parts: Mapping[Table, DataFrame],
    scores: Mapping[str, DataFrame] | None = None,
    *,
    as_of: date,
) -> DataFrame:
    """Put the parts of `as_of` side by side; what a part does not know of a customer is null, as are parts not given.

    A customer is there once a line of the shop or a part tells of it. Sex, place, and whether there is an address to
    write to, are those that silver.customers now holds. Older dates keep their rows: what was known on a date.
    Takes:   `scores` by names of SCORES, with customer_id as resolved: of each table, the newest by `as_of` are shown.
    """
    contacts = {name: F.col(of).isNotNull() for name, of in CONTACTS.items()}
    who = customers.withColumns(contacts).select("customer_id", *SHARED, "first_seen_on", *contacts)
    given = [table for table in PARTS if table in parts]
    known = reduce(lambda so_far, table: so_far.transform(_with_part(parts[table], table, as_of)), given, who)
    newest = [rows.transform(newest_scores(SCORES[name], as_of)) for name, rows in (scores or {}).items()]
    for beside in newest:
        known = known.join(beside, on="customer_id", how="left")
    is_seen = [F.coalesce(F.col("first_seen_on") <= F.lit(as_of), F.lit(False))]
    missing = {name: F.lit(None) for name in CUSTOMER_360.column_names if name not in (*known.columns, "as_of")}
    return (
        known.where(reduce(Column.__or__, is_seen + [F.col(_mark(table)).isNotNull() for table in given]))
        .withColumns({**missing, "as_of": F.lit(as_of)})
        .withColumn("first_seen_on", F.when(F.col("first_seen_on") <= F.lit(as_of), F.col("first_seen_on")))
        .transform(CUSTOMER_360.conform)
    )


def newest_scores(shown: Shown, as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per customer of the newest scoring by `as_of`: what is shown of it, and its day.

    Of several rows of a customer, whose numbers were found to be of one person, the greatest stands.
    """
    row = F.struct(*[F.col(name).alias(column.name) for name, column in shown.columns.items()])

    def newest(scores: DataFrame) -> DataFrame:
        by_then = scores.where(F.col("as_of") <= F.lit(as_of))
        last = by_then.agg(F.max("as_of").alias("as_of"))
        return (
            by_then.join(F.broadcast(last), on="as_of", how="inner")
            .groupBy("customer_id")
            .agg(F.max(row).alias("row"), F.max("as_of").alias(shown.scored_on.name))
            .select("customer_id", "row.*", shown.scored_on.name)
        )

    return newest


def _with_part(part: DataFrame, table: Table, as_of: date) -> Callable[[DataFrame], DataFrame]:
    of_day = part.where(F.col("as_of") == F.lit(as_of))
    if table is LIFECYCLE:
        of_day = of_day.where(F.col("month") == F.lit(as_of.replace(day=1)))
    if table is SEGMENT_RULES:
        named = F.concat_ws(", ", F.expr("transform(interests, one -> one.category)"))
        of_day = of_day.withColumn("interests", F.when(F.col("interests").isNotNull(), named))
    of_day = of_day.withColumnsRenamed(RENAMED)

    def join(known: DataFrame) -> DataFrame:
        added = [column.name for column in _added(table) if column.name not in known.columns]
        rows = of_day.select("customer_id", *added, F.lit(True).alias(_mark(table)))
        return known.join(rows, on="customer_id", how="left")

    return join


def _mark(table: Table) -> str:
    return f"_is_in_{table.name.split('.')[1]}"
