"""Churn: who, among the customers still buying, will not order in the days after a date."""

from collections.abc import Callable, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, Field, Table
from customerlake.features.snapshot import FEATURES
from customerlake.models.classifiers.candidates import Candidate, GoneByBgNbd, LogisticOfMLlib
from customerlake.models.classifiers.classification import Classification
from customerlake.models.classifiers.competition import Task
from customerlake.models.classifiers.numbers import Classifier
from customerlake.models.classifiers.profit import profit_of
from customerlake.runtime.config import ChurnConfig

MODEL = "churn"

CHURN = Table(
    name="scores.churn",
    grain="one row per customer_id and as_of, over the customers with an order in the horizon before as_of",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "date of the features"),
        Field(
            "churn_probability",
            T.DoubleType(),
            "of no order in the horizon after as_of and the gap",
            unit="share",
            personal="analyse",
        ),
        Field("risk_band", T.StringType(), "high, medium or low, by the config's borders"),
        Field(
            "is_early_warning",
            T.BooleanType(),
            "a repeat customer whose probability reaches the version's threshold, and whose contact is expected to pay",
        ),
        Field(
            "expected_loss",
            MEAN_MONEY,
            "churn_probability x the customer's mean spend per horizon since the first order, less what was returned",
            unit="currency",
        ),
        Field(
            "expected_profit",
            MEAN_MONEY,
            "of a contact now: the config's success_rate x margin_share x expected_loss, less contact_cost",
            unit="currency",
        ),
        Field(
            "top_reasons", T.ArrayType(T.StringType()), "for early warnings: what raises the probability most, in words"
        ),
        Field("horizon_days", T.IntegerType(), "days that the probability is about", unit="days"),
        Field("gap_days", T.IntegerType(), "days between as_of and the first of them", unit="days"),
        Field("_model_version", T.StringType(), "registered version of the model"),
    ),
)


def baselines(config: ChurnConfig) -> Mapping[str, Candidate]:
    """What a manager would do without a model of ours."""
    recency = LogisticOfMLlib("logistic regression on days_since_last_order alone", ("days_since_last_order",))
    return {
        "recency rule": recency,
        "BG/NBD p(alive)": GoneByBgNbd(),
        "BG/NBD no purchase": GoneByBgNbd(quiet_days=config.horizon_days),
    }


def churn_task(config: ChurnConfig) -> Task:
    """What is trained. Rows are of features.snapshot with is_churned of features.labels."""
    days = f"{config.horizon_days} days"
    after = f" that begin {config.gap_days} days after the date" if config.gap_days else " after the date"
    return Task(
        model=MODEL,
        title="Churn",
        purpose=f"Rank the customers still buying by the risk that they order nothing in the {days}{after}, so that "
        "people can act before they leave. Not for decisions about credit, price or service that a person is entitled "
        f"to. Scored are customers with an order in the {days} before the date: the others have churned already.",
        limits="Seasons are learnt only as far as the training dates span them. What has never happened among the "
        "customers learnt from, such as a new channel or another price policy, is not foretold. No personal attribute "
        "is a feature.",
        label="is_churned",
        probability="churn_probability",
        features=FEATURES,
        baselines=baselines(config),
        stake=lambda: spend_per_horizon(config.horizon_days),
    )


def still_buying(config: ChurnConfig) -> Callable[[DataFrame], DataFrame]:
    """Customers with an order in the horizon before as_of: the others have churned already, by the same definition."""
    return lambda snapshot: snapshot.where(F.col("days_since_last_order") < config.horizon_days)


def churn_model(config: ChurnConfig, candidate: str) -> Classification:
    """One candidate or baseline of churn."""
    return churn_task(config).contender(candidate, seed=config.seed)


def churn_scores(
    fitted: Classifier, snapshot: DataFrame, config: ChurnConfig, *, threshold: float, model_version: str
) -> DataFrame:
    """scores.churn for one as_of: probability, band, warning, what is at stake, and reasons."""
    model = churn_model(config, fitted.candidate)
    loss = F.col("churn_probability") * spend_per_horizon(config.horizon_days)
    profit = profit_of(loss, 1.0, config.profit)
    banded = model.score(snapshot.transform(still_buying(config)), fitted).withColumns(
        {
            "risk_band": risk_band(config),
            "is_early_warning": (F.col("churn_probability") >= threshold) & (F.col("frequency") > 0) & (profit > 0),
            "expected_loss": loss,
            "expected_profit": profit,
            "horizon_days": F.lit(config.horizon_days),
            "gap_days": F.lit(config.gap_days),
            "_model_version": F.lit(model_version),
        }
    )
    return model.with_reasons(banded, fitted, of="is_early_warning").transform(CHURN.conform)


def risk_band(config: ChurnConfig) -> Column:
    probability = F.col("churn_probability")
    return (
        F.when(probability >= config.high_risk_probability, "high")
        .when(probability >= config.medium_risk_probability, "medium")
        .otherwise("low")
    )


def spend_per_horizon(horizon_days: int) -> Column:
    """Mean spend per horizon over the time as a customer, less what was returned; one horizon at least, so that a new
    one is not blown up."""
    kept = F.greatest(1.0 - F.coalesce("returned_share", F.lit(0.0)), F.lit(0.0))
    return F.col("total_spend") * kept * horizon_days / F.greatest(F.col("T"), F.lit(float(horizon_days)))
