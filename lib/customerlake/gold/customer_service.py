"""gold.customer_service: each customer's history with the service desk, and what it last said in surveys."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.gold.satisfaction import invitations_until
from customerlake.gold.service_levels import MICROS_PER_HOUR, tickets_until

CUSTOMER_SERVICE = Table(
    name="gold.customer_service",
    grain="one row per customer_id and as_of; customers without a ticket and without an answer by then are absent",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("count_tickets", T.LongType(), "tickets opened"),
        Field("count_open_tickets", T.LongType(), "of these, not solved by as_of"),
        Field("last_ticket_on", T.DateType(), "day on which the last one was opened, UTC"),
        Field(
            "mean_resolution_hours", T.DoubleType(), "opening to last solution, of those solved by as_of", unit="hours"
        ),
        Field("count_reopened_tickets", T.LongType(), "tickets that were opened again"),
        Field("last_nps_answer", T.IntegerType(), "last answer to nps, 0 to 10", unit="points", personal="analyse"),
        Field("last_nps_on", T.DateType(), "day of that answer, UTC"),
        Field("last_csat_answer", T.IntegerType(), "last answer to csat, 1 to 5", unit="points", personal="analyse"),
        Field("last_csat_on", T.DateType(), "day of that answer, UTC"),
        Field("last_ces_answer", T.IntegerType(), "last answer to ces, 1 to 7", unit="points", personal="analyse"),
        Field("last_ces_on", T.DateType(), "day of that answer, UTC"),
    ),
)
SURVEYS = ("nps", "csat", "ces")


def customer_service(tickets: DataFrame | None, survey_answers: DataFrame | None = None, *, as_of: date) -> DataFrame:
    """Summarise each known customer's tickets, and its last answer to each survey, as they stood at the end of `as_of`.

    Takes:   tickets and survey_answers with customer_id as resolved, one of them at least. Where tickets are None their
             columns are null; where they are there, a customer without any has counts of 0. Without survey_answers the
             columns of answers are null.
    Raises:  ValueError when both are None.
    """
    if tickets is None:
        if survey_answers is None:
            raise ValueError("gold.customer_service is made of tickets or of survey answers; give one of them.")
        parts = survey_answers.transform(last_answers(as_of)).withColumns(_nulls(TICKET_COLUMNS))
    elif survey_answers is None:
        parts = tickets.transform(tickets_by_customer(as_of)).withColumns(_nulls(ANSWER_COLUMNS))
    else:
        parts = (
            tickets.transform(tickets_by_customer(as_of))
            .join(survey_answers.transform(last_answers(as_of)), on="customer_id", how="full")
            .na.fill(0, ["count_tickets", "count_open_tickets", "count_reopened_tickets"])
        )
    return parts.withColumn("as_of", F.lit(as_of)).transform(CUSTOMER_SERVICE.conform)


TICKET_COLUMNS = (
    "count_tickets", "count_open_tickets", "last_ticket_on", "mean_resolution_hours", "count_reopened_tickets",
)  # fmt: skip
ANSWER_COLUMNS = tuple(f"last_{survey}_{what}" for survey in SURVEYS for what in ("answer", "on"))


def tickets_by_customer(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per customer with a ticket by `as_of`."""
    micros = F.when(F.col("resolution_hours").isNotNull(), F.unix_micros("ended_at") - F.unix_micros("opened_at"))

    def summarised(tickets: DataFrame) -> DataFrame:
        known = tickets.transform(tickets_until(as_of)).where(F.col("customer_id").isNotNull())
        return known.groupBy("customer_id").agg(
            F.count("*").alias("count_tickets"),
            F.count_if(F.col("ended_at").isNull()).alias("count_open_tickets"),
            F.max("opened_on").alias("last_ticket_on"),
            # whole microseconds add up to the same in any order, hours would not
            (F.sum(micros) / F.nullif(F.count(micros), F.lit(0)) / MICROS_PER_HOUR).alias("mean_resolution_hours"),
            F.count_if(F.col("times_reopened") > 0).alias("count_reopened_tickets"),
        )

    return summarised


def last_answers(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """One row per customer who answered by `as_of`: the last answer to each survey, and its day."""

    def last_of(survey: str) -> Column:
        answered = F.struct(
            F.coalesce("answered_at", "updated_at").alias("at"), "invitation_id", "answer", "answered_on"
        )
        return F.max(F.when(F.col("survey") == survey, answered))

    def answers(survey_answers: DataFrame) -> DataFrame:
        known = survey_answers.transform(invitations_until(as_of)).where(
            F.col("customer_id").isNotNull() & F.col("answer").isNotNull()
        )
        last = known.groupBy("customer_id").agg(*[last_of(survey).alias(survey) for survey in SURVEYS])
        return last.select(
            "customer_id",
            *[F.col(f"{survey}.answer").alias(f"last_{survey}_answer") for survey in SURVEYS],
            *[F.col(f"{survey}.answered_on").alias(f"last_{survey}_on") for survey in SURVEYS],
        )

    return answers


def _nulls(names: tuple[str, ...]) -> dict[str, Column]:
    return {name: F.lit(None) for name in names}
