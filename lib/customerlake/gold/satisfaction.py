"""gold.satisfaction: what surveys say, how sure it is, and how many answered."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.gold.dimensions import in_dimensions, with_segment
from customerlake.gold.intervals import Z_95, Interval, t_quantile_95, variance, wilson_interval

COUNT, SHARE = T.LongType(), T.DoubleType()
SATISFACTION = Table(
    name="gold.satisfaction",
    grain="one row per survey, period, value of a dimension, and as_of; only where someone was invited",
    key=("survey", "period", "dimension", "value", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("survey", T.StringType(), "nps (answers 0 to 10), csat (1 to 5) or ces (1 to 7, 7 is the easiest)"),
        Field("period", T.StringType(), "month of the invitation as yyyy-MM, or `all`: every month by as_of"),
        Field("month", T.DateType(), "first day of that month; null where period is `all`"),
        Field("dimension", T.StringType(), "all, touchpoint or segment"),
        Field("value", T.StringType(), "value of the dimension; `unknown` where there is none"),
        Field("as_of", T.DateType(), "last day of the observation period"),
        Field("count_invitations", COUNT, "invitations sent"),
        Field("count_answers", COUNT, "of these, answered by as_of"),
        Field("response_share", SHARE, "answers per invitation", unit="share"),
        Field(
            "survey_score",
            T.DoubleType(),
            "nps: percent promoters less percent detractors, -100 to 100; csat: share of answers 4 and 5; ces: mean",
            unit="nps: points, csat: share, ces: points",
        ),
        Field("survey_score_low", T.DoubleType(), "lower end of its 95% confidence interval", unit="as survey_score"),
        Field("survey_score_high", T.DoubleType(), "upper end of its 95% confidence interval", unit="as survey_score"),
        Field("mean_answer", T.DoubleType(), "mean answer", unit="points"),
        Field("median_answer", T.DoubleType(), "median answer", unit="points"),
        Field("count_promoters", COUNT, "nps: answers 9 and 10; null for others"),
        Field("count_passives", COUNT, "nps: answers 7 and 8; null for others"),
        Field("count_detractors", COUNT, "nps: answers 0 to 6; null for others"),
        Field("count_satisfied", COUNT, "csat: answers 4 and 5; null for others"),
    ),
)
GROUP = ("survey", "period", "month", "dimension", "value")


def satisfaction(survey_answers: DataFrame, segments: DataFrame | None = None, *, as_of: date) -> DataFrame:
    """Score each survey by the month of the invitation, in all and by touchpoint and segment.

    Takes:   survey_answers with customer_id as resolved; `segments` (customer_id, segment), one row per customer, or
             None: then there are no rows of the dimension segment.
    An answer belongs to the month of its invitation, so that response_share is of one set of people; an invitation of
    the last days may still be answered. The scores are of those who answered: gold.survey_response_bias says how these
    differ from the others.
    Source:  Reichheld (2003), "The one number you need to grow", Harvard Business Review 81(12), for NPS; its interval
             is the adjusted Wald of Rocks (2016), "Interval estimation for the Net Promoter Score", The American
             Statistician 70(4): the normal approximation with the variance of the trinomial, after 3/4 of a promoter,
             3/4 of a detractor and 1 1/2 passives are added. csat: Wilson's interval. ces: Student's t interval of the
             mean, null below three answers.
    """
    dimensions = ("touchpoint",) if segments is None else ("touchpoint", "segment")
    return (
        survey_answers.transform(invitations_until(as_of))
        .transform(with_segment(segments))
        .transform(invitations_by_answer)
        .transform(in_months_and_all)
        .transform(in_dimensions(*dimensions))
        .transform(summarise_answers)
        .withColumns({"as_of": F.lit(as_of), "mean_answer": _mean(), "response_share": _share_answered()})
        .transform(scored)
        .transform(SATISFACTION.conform)
    )


def invitations_until(as_of: date) -> Callable[[DataFrame], DataFrame]:
    """Invitations sent by `as_of`, as they stood then: `answer` and `answered_on` are null until answered.

    An answer without its instant counts from the last change of its record. What the source took back is left out.
    """
    answered_on = F.coalesce("answered_at", "updated_at").cast("date")
    is_answered = F.col("score").isNotNull() & (answered_on <= F.lit(as_of))

    def invitations(survey_answers: DataFrame) -> DataFrame:
        return (
            survey_answers.where(~F.coalesce("is_deleted", F.lit(False)))
            .where(F.col("invited_at").cast("date") <= F.lit(as_of))
            .withColumns(
                {
                    "answer": F.when(is_answered, F.col("score").cast("int")),
                    "answered_on": F.when(is_answered, answered_on),
                    "invited_month": F.trunc(F.col("invited_at").cast("date"), "month"),
                }
            )
        )

    return invitations


def invitations_by_answer(invitations: DataFrame) -> DataFrame:
    """Count invitations by month, touchpoint, segment and answer: few rows, of which all figures are made."""
    return invitations.groupBy("survey", "invited_month", "touchpoint", "segment", "answer").agg(
        F.count("*").alias("invitations")
    )


def in_months_and_all(invitations: DataFrame) -> DataFrame:
    """Every row once under its month and once under the period `all`. Adds: period, month."""
    none = F.lit(None).cast("date")
    month = F.struct(F.date_format("invited_month", "yyyy-MM").alias("period"), F.col("invited_month").alias("month"))
    every = F.struct(F.lit("all").alias("period"), none.alias("month"))
    return invitations.select("*", F.inline(F.array(month, every)))


def summarise_answers(invitations: DataFrame) -> DataFrame:
    """One row per group: counts, exact sums, and the median by the counts below each answer."""
    answers, answer = F.sum(_answers()), F.col("answer")
    by_answer = Window.partitionBy(*GROUP).orderBy("answer").rowsBetween(Window.unboundedPreceding, 0)
    whole = Window.partitionBy(*GROUP)

    def count_of(survey: str, low: int, high: int) -> Column:
        is_in = answer.between(low, high)
        return F.when(F.col("survey") == survey, F.sum(F.when(is_in, F.col("invitations")).otherwise(0)))

    return (
        invitations.groupBy(*GROUP, "answer")
        .agg(F.sum("invitations").alias("invitations"))
        .withColumns({"up_to_here": F.sum(_answers()).over(by_answer), "of_all": F.sum(_answers()).over(whole)})
        .groupBy(*GROUP)
        .agg(
            F.sum("invitations").alias("count_invitations"),
            answers.alias("count_answers"),
            F.sum(answer * F.col("invitations")).alias("total"),
            F.sum(answer * answer * F.col("invitations")).alias("squares"),
            F.min(F.when(2 * F.col("up_to_here") >= F.col("of_all"), answer)).alias("lower_median"),
            F.min(F.when(2 * F.col("up_to_here") > F.col("of_all"), answer)).alias("upper_median"),
            count_of("nps", 9, 10).alias("count_promoters"),
            count_of("nps", 7, 8).alias("count_passives"),
            count_of("nps", 0, 6).alias("count_detractors"),
            count_of("csat", 4, 5).alias("count_satisfied"),
        )
        .withColumn("median_answer", (F.col("lower_median") + F.col("upper_median")) / 2)
    )


def scored(summary: DataFrame) -> DataFrame:
    """Add survey_score and its interval, by the rule of the survey."""
    net = F.col("count_promoters") - F.col("count_detractors")
    csat, (csat_low, csat_high) = (
        F.col("count_satisfied") / _count(),
        wilson_interval("count_satisfied", "count_answers"),
    )
    ces_half = t_quantile_95(F.col("count_answers") - 1) * F.sqrt(
        variance("count_answers", "total", "squares") / _count()
    )
    nps_low, nps_high = nps_interval("count_promoters", "count_detractors", "count_answers")
    return summary.withColumns(
        {
            "survey_score": _by_survey(100 * net / _count(), csat, F.col("mean_answer")),
            "survey_score_low": _by_survey(nps_low, csat_low, F.col("mean_answer") - ces_half),
            "survey_score_high": _by_survey(nps_high, csat_high, F.col("mean_answer") + ces_half),
        }
    )


def nps_interval(promoters: str, detractors: str, answers: str) -> Interval:
    """Rocks's adjusted Wald interval, in points within -100..100, widened where it leaves out the score itself, as it
    does when a few answers are all of one group; null without an answer.
    """
    n = F.when(F.col(answers) > 0, F.col(answers) + 3.0)
    promoting, detracting = (F.col(promoters) + 0.75) / n, (F.col(detractors) + 0.75) / n
    net = promoting - detracting
    half = Z_95 * F.sqrt((promoting + detracting - net * net) / n)
    score = 100 * (F.col(promoters) - F.col(detractors)) / (n - 3)
    low = F.least(score, F.greatest(F.lit(-100.0), 100 * (net - half)))
    high = F.greatest(score, F.least(F.lit(100.0), 100 * (net + half)))
    return F.when(n.isNotNull(), low), F.when(n.isNotNull(), high)


def _by_survey(nps: Column, csat: Column, ces: Column) -> Column:
    survey = F.col("survey")
    return F.when(survey == "nps", nps).when(survey == "csat", csat).when(survey == "ces", ces)


def _answers() -> Column:
    return F.when(F.col("answer").isNotNull(), F.col("invitations")).otherwise(0)


def _count() -> Column:
    return F.nullif(F.col("count_answers").cast("double"), F.lit(0.0))


def _mean() -> Column:
    return F.col("total") / _count()


def _share_answered() -> Column:
    return F.col("count_answers") / F.col("count_invitations")
