"""silver.survey_answers: invitations to surveys, and their answers; see `silver/typed.py`."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from customerlake.bronze.sources import survey_answers
from customerlake.contracts.checks import InOrder, Plausible, RefersTo
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.orders import ORDERS
from customerlake.silver.tickets import TICKETS
from customerlake.silver.typed import silver_table


def is_on_the_scale() -> Column:
    """The score is one that the survey offers."""
    survey, score = F.col("survey"), F.col("score")
    return (
        F.when(survey == "nps", score.between(0, 10))
        .when(survey == "csat", score.between(1, 5))
        .when(survey == "ces", score.between(1, 7))
    )


def has_score_and_instant_or_neither() -> Column:
    return F.col("score").isNull() == F.col("answered_at").isNull()


SURVEY_ANSWERS = silver_table(
    survey_answers.SURVEY_ANSWERS,
    "silver.survey_answers",
    checks=(Plausible("the score is not on the survey's scale", ("survey", "score"), is_on_the_scale),),
    measured=(
        InOrder(("invited_at", "answered_at")),
        Plausible(
            "there is a score without the instant of the answer, or the instant without a score",
            ("score", "answered_at"),
            has_score_and_instant_or_neither,
        ),
        RefersTo("order_id", ORDERS),
        RefersTo("ticket_id", TICKETS),
    ),
)
REJECTED_SURVEY_ANSWERS = quarantine_table(SURVEY_ANSWERS)
