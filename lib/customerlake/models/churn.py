"""Churn: who, among the customers still buying, will not order in the days after a date."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from pyspark.ml import Pipeline, PipelineModel, Transformer
from pyspark.ml.base import Estimator
from pyspark.ml.classification import GBTClassifier, LogisticRegression
from pyspark.ml.feature import StandardScaler
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, Field, Table
from customerlake.errors import ModelError
from customerlake.features.snapshot import FEATURES, Feature
from customerlake.models.evaluation import classification_metrics, score_counts
from customerlake.models.formula import Input, Linear, Trees, assembled, classifier_formula
from customerlake.models.splits import TimeSplit, time_split
from customerlake.runtime.config import ChurnConfig

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
            "of no order in the horizon after as_of",
            unit="share",
            personal="analyse",
        ),
        Field("risk_band", T.StringType(), "high, medium or low, by the config's borders"),
        Field("is_early_warning", T.BooleanType(), "a repeat customer whose probability reaches the config's border"),
        Field(
            "expected_loss",
            MEAN_MONEY,
            "churn_probability x the customer's mean spend per horizon since the first order",
            unit="currency",
        ),
        Field(
            "top_reasons", T.ArrayType(T.StringType()), "for early warnings: what raises the probability most, in words"
        ),
        Field("horizon_days", T.IntegerType(), "days after as_of that the probability is about", unit="days"),
        Field("_model_version", T.StringType(), "registered version of the model"),
    ),
)

SKEWED = ("total_spend", "average_order_value", "spend_last_90_days", "mean_basket_units", "mean_basket_lines",
          "count_orders", "frequency", "overdue_ratio", "days_between", "count_returns")  # fmt: skip
"""Features with a long tail: models see log(1 + x)."""

CANDIDATES = {
    "recency rule": "the baseline: logistic regression on days_since_last_order alone",
    "logistic regression": "MLlib logistic regression with an elastic net over all features",
    "gradient-boosted trees": "MLlib gradient-boosted trees over all features",
}
BASELINE = "recency rule"


class Churn:
    """One candidate. A snapshot that is fitted or evaluated carries is_churned."""

    scores = CHURN

    def __init__(self, config: ChurnConfig, candidate: str) -> None:
        if candidate not in CANDIDATES:
            raise ModelError(f"There is no churn candidate {candidate!r}. Choose from: {', '.join(CANDIDATES)}.")
        self.config = config
        self.candidate = candidate

    @property
    def features(self) -> list[str]:
        return ["days_since_last_order"] if self.candidate == BASELINE else [feature.name for feature in FEATURES]

    def fit(self, snapshot: DataFrame) -> PipelineModel:
        """Learn from labelled snapshots of customers still buying. Raises: ModelError when only one class is there."""
        labelled = snapshot.transform(still_buying(self.config)).withColumn("label", F.col("is_churned").cast("double"))
        classes = labelled.select("label").distinct().count()
        if classes < 2:
            raise ModelError(
                f"Churn cannot be learnt from {classes} class of customers: all churned, or none did. "
                "Use another --as-of, or churn.horizon_days in the lake file."
            )
        return Pipeline(stages=[*self._preparation(), self._classifier()]).fit(labelled)

    def formula(self, fitted: PipelineModel) -> Linear | Trees:
        """What `fit` has learnt, as plain numbers."""
        return classifier_formula(fitted, self._inputs())

    def score(self, snapshot: DataFrame, formula: Linear | Trees) -> DataFrame:
        """The snapshot's customers still buying, with churn_probability. Runs on every engine."""
        return snapshot.transform(still_buying(self.config)).withColumn("churn_probability", formula.probability())

    def evaluate(self, scored: DataFrame) -> dict[str, float]:
        """Metrics over scored rows that carry is_churned, at the config's warning border."""
        counts = score_counts(scored, probability="churn_probability", label="is_churned")
        return classification_metrics(counts, threshold=self.config.warning_probability)

    def _inputs(self) -> list[Input]:
        return [Input(name=name, is_logged=name in SKEWED) for name in self.features]

    def _preparation(self) -> list[Transformer]:
        return assembled(self._inputs(), "assembled")

    def _classifier(self) -> Estimator[Any]:
        if self.candidate == "gradient-boosted trees":
            return GBTClassifier(
                featuresCol="assembled",
                labelCol="label",
                maxIter=25,
                maxDepth=3,
                stepSize=0.1,
                subsamplingRate=0.7,
                seed=self.config.seed,
            )
        linear = LogisticRegression(
            featuresCol="standardised", labelCol="label", elasticNetParam=0.5, regParam=0.005, maxIter=100
        )
        scaler = StandardScaler(inputCol="assembled", outputCol="standardised", withMean=True, withStd=True)
        return Pipeline(stages=[scaler, linear])


def churn_split(config: ChurnConfig, *, first_ordered_on: date, as_of: date) -> TimeSplit | None:
    """The dates that churn models learn from and are judged on; None when the history is too short."""
    return time_split(
        first_ordered_on=first_ordered_on,
        as_of=as_of,
        horizon_days=config.horizon_days,
        training_dates=config.training_dates,
        step_days=config.training_step_days,
    )


def still_buying(config: ChurnConfig) -> Callable[[DataFrame], DataFrame]:
    """Customers with an order in the horizon before as_of: the others have churned already, by the same definition."""
    return lambda snapshot: snapshot.where(F.col("days_since_last_order") < config.horizon_days)


def typical_values(snapshot: DataFrame, features: list[str]) -> dict[str, float]:
    """The median of each feature, which reasons compare with."""
    row = snapshot.agg(*[F.median(name).alias(name) for name in features]).first()
    return {name: float(row[name]) for name in features} if row else {}


def churn_scores(
    model: Churn, formula: Linear | Trees, snapshot: DataFrame, *, typical: Mapping[str, float], model_version: str
) -> DataFrame:
    """scores.churn for one as_of: probability, band, warning, what is at stake, and reasons."""
    config = model.config
    banded = model.score(snapshot, formula).withColumns(
        {
            "risk_band": risk_band(config),
            "is_early_warning": (F.col("churn_probability") >= config.warning_probability) & (F.col("frequency") > 0),
            "expected_loss": F.col("churn_probability") * spend_per_horizon(config.horizon_days),
            "horizon_days": F.lit(config.horizon_days),
            "_model_version": F.lit(model_version),
        }
    )
    warned = banded.where("is_early_warning").select("customer_id", "as_of", "churn_probability", *ALL_FEATURES)
    return (
        banded.join(warned.transform(reasons(model, formula, typical)), on=["customer_id", "as_of"], how="left")
        .withColumn("top_reasons", F.coalesce("top_reasons", F.array().cast("array<string>")))
        .transform(CHURN.conform)
    )


ALL_FEATURES = [feature.name for feature in FEATURES]


def risk_band(config: ChurnConfig) -> Column:
    probability = F.col("churn_probability")
    return (
        F.when(probability >= config.high_risk_probability, "high")
        .when(probability >= config.medium_risk_probability, "medium")
        .otherwise("low")
    )


def spend_per_horizon(horizon_days: int) -> Column:
    """Mean spend per horizon over the time as a customer; one horizon at least, so that a new one is not blown up."""
    return F.col("total_spend") * horizon_days / F.greatest(F.col("T"), F.lit(float(horizon_days)))


def reasons(
    model: Churn, formula: Linear | Trees, typical: Mapping[str, float], most: int = 3
) -> Callable[[DataFrame], DataFrame]:
    """One row per scored customer: top_reasons, the features whose value raises the probability most.

    A feature's effect is how far the probability falls when its value is replaced by the typical one, all others kept.
    """
    told = [feature for feature in FEATURES if feature.name in model.features]

    def explain(scored: DataFrame) -> DataFrame:
        variants = scored.withColumnRenamed("churn_probability", "with_own_value").withColumn(
            "replaced", F.explode(F.array(*[_own_value(feature, typical[feature.name]) for feature in told]))
        )
        of_variant = {
            f.name: F.when(F.col("replaced.name") == f.name, F.lit(typical[f.name])).otherwise(F.col(f.name))
            for f in told
        }
        effect = F.col("with_own_value") - formula.probability()
        reason = F.struct("effect", _in_words(F.col("replaced")).alias("text"))
        ranked = F.sort_array(F.collect_list(F.when(F.col("effect") > 0.005, reason)), asc=False)
        return (
            variants.withColumns(of_variant)
            .withColumn("effect", effect)
            .groupBy("customer_id", "as_of")
            .agg(F.transform(F.slice(ranked, 1, most), lambda reason: reason["text"]).alias("top_reasons"))
        )

    return explain


def _own_value(feature: Feature, typical: float) -> Column:
    before, after = feature.words.format(value="\0", typical=_shown(typical)).split("\0")
    return F.struct(
        F.lit(feature.name).alias("name"),
        F.col(feature.name).alias("value"),
        F.lit(before).alias("before"),
        F.lit(after).alias("after"),
    )


def _in_words(replaced: Column) -> Column:
    value = replaced["value"]
    digits = F.when(F.abs(value) < 10, F.format_number(value, 1)).otherwise(F.format_number(value, 0))
    return F.concat(replaced["before"], digits, replaced["after"])


def _shown(value: float) -> str:
    return f"{value:,.1f}" if abs(value) < 10 else f"{value:,.0f}"
