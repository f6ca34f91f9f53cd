"""Outcome: for whom, in a table of customers with attributes, will happen what happened to others like them."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from pydantic import BaseModel, ConfigDict
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.base import Estimator
from pyspark.ml.classification import GBTClassifier, LogisticRegression
from pyspark.ml.feature import StandardScaler
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.errors import ModelError
from customerlake.models.evaluation import classification_metrics, score_counts
from customerlake.models.formula import Input, Linear, Trees, assembled, classifier_formula
from customerlake.runtime.config import ChurnConfig

OUTCOME = Table(
    name="scores.outcome",
    grain="one row per customer_id and as_of, over all customers of the table of attributes",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "the day on which the attributes were true"),
        Field("outcome_probability", T.DoubleType(), "that the outcome happens", unit="share", personal="analyse"),
        Field("has_outcome", T.BooleanType(), "it happened; null when not known", personal="analyse"),
        Field("is_held_out", T.BooleanType(), "the models were judged by this customer, and did not learn from it"),
        Field("is_early_warning", T.BooleanType(), "the probability reaches churn.warning_probability"),
        Field(
            "top_reasons", T.ArrayType(T.StringType()), "for early warnings: what raises the probability most, in words"
        ),
        Field("_model_version", T.StringType(), "registered version of the model"),
    ),
)

CANDIDATES = {
    "one attribute": "the baseline: logistic regression on the one attribute that tells most",
    "logistic regression": "MLlib logistic regression with an elastic net over all attributes",
    "gradient-boosted trees": "MLlib gradient-boosted trees over all attributes",
}
BASELINE = "one attribute"
FEWEST = 20  # customers of a level that is learnt from
TENTHS_LEARNT_FROM = 7


class Attribute(BaseModel):
    """An input of the models: a number, or whether a category is at a level. Missing numbers take the typical one."""

    model_config = ConfigDict(frozen=True)
    name: str
    level: str | None = None
    typical: float  # of a number the median, of a level its share among the levels that are learnt from

    def value(self) -> Column:
        if self.level is None:
            return F.coalesce(F.element_at("numbers", F.lit(self.name)), F.lit(self.typical))
        found = F.element_at("categories", F.lit(self.name)) == F.lit(self.level)
        return F.coalesce(found, F.lit(False)).cast("double")


def is_held_out() -> Column:
    """Three customers of ten, by a digest of their number: such a table has no time to split by."""
    return F.crc32("customer_id") % 10 >= TENTHS_LEARNT_FROM


def learnt_attributes(training: DataFrame) -> tuple[Attribute, ...]:
    """The inputs, by the customers that are learnt from: every number with its median, every level that is not rare."""
    numbers = (
        training.select(F.explode("numbers").alias("name", "value"))
        .groupBy("name")
        .agg(F.median("value").alias("typical"))
        .orderBy("name")
        .collect()
    )
    levels = (
        training.select(F.explode("categories").alias("name", "level"))
        .groupBy("name", "level")
        .agg(F.count("*").alias("customers"))
        .where(F.col("customers") >= FEWEST)
        .orderBy("name", F.desc("customers"), "level")
        .collect()
    )
    inputs = [Attribute(name=row["name"], typical=row["typical"]) for row in numbers]
    for name, group in groupby(levels, key=lambda row: row["name"]):
        found = list(group)
        customers = sum(row["customers"] for row in found)
        inputs += [Attribute(name=name, level=row["level"], typical=row["customers"] / customers) for row in found]
    if not inputs:
        raise ModelError(
            "The table of customers has no attribute to learn from. Name them in feeds.customer_attributes.attributes."
        )
    return tuple(inputs)


class Outcome:
    """One candidate over learnt attributes. Rows that are fitted or evaluated carry has_outcome."""

    scores = OUTCOME

    def __init__(self, config: ChurnConfig, candidate: str, attributes: Sequence[Attribute]) -> None:
        if candidate not in CANDIDATES:
            raise ModelError(f"There is no candidate {candidate!r}. Choose from: {', '.join(CANDIDATES)}.")
        self.config = config
        self.candidate = candidate
        self.attributes = tuple(attributes)

    def fit(self, rows: DataFrame) -> PipelineModel:
        """Learn from customers whose outcome is known. Raises: ModelError when only one outcome is there."""
        labelled = rows.transform(self.with_inputs).withColumn("label", F.col("has_outcome").cast("double"))
        if labelled.select("label").distinct().count() < 2:
            raise ModelError(
                "The outcome cannot be learnt: it is the same for all customers. Correct "
                "feeds.customer_attributes.outcome_is in the lake file: it is the text of those it happened to."
            )
        return Pipeline(stages=[*assembled(self._inputs(), "assembled"), self._classifier()]).fit(labelled)

    def formula(self, fitted: PipelineModel) -> Linear | Trees:
        """What `fit` has learnt, as plain numbers."""
        return classifier_formula(fitted, self._inputs())

    def score(self, rows: DataFrame, formula: Linear | Trees) -> DataFrame:
        """Adds: outcome_probability, and the inputs. Runs on every engine."""
        return rows.transform(self.with_inputs).withColumn("outcome_probability", formula.probability())

    def evaluate(self, scored: DataFrame) -> dict[str, float]:
        """Metrics over scored rows that carry has_outcome, at the config's warning border."""
        counts = score_counts(scored, probability="outcome_probability", label="has_outcome")
        return classification_metrics(counts, threshold=self.config.warning_probability)

    def with_inputs(self, rows: DataFrame) -> DataFrame:
        return rows.withColumns({_column(i): attribute.value() for i, attribute in enumerate(self.attributes)})

    def _inputs(self) -> list[Input]:
        return [Input(name=_column(i)) for i in range(len(self.attributes))]

    def _classifier(self) -> Estimator[Any]:
        if self.candidate == "gradient-boosted trees":
            return GBTClassifier(
                featuresCol="assembled", labelCol="label", maxIter=30, maxDepth=3, stepSize=0.1,
                subsamplingRate=0.7, seed=self.config.seed,
            )  # fmt: skip
        linear = LogisticRegression(
            featuresCol="standardised", labelCol="label", elasticNetParam=0.5, regParam=0.002, maxIter=100
        )
        scaler = StandardScaler(inputCol="assembled", outputCol="standardised", withMean=True, withStd=True)
        return Pipeline(stages=[scaler, linear])


def most_telling(rows: DataFrame, attributes: Sequence[Attribute]) -> tuple[Attribute, ...]:
    """The inputs of the one attribute of which an input goes most with the outcome, by absolute correlation."""
    label = F.col("has_outcome").cast("double")
    found = rows.agg(
        *[F.abs(F.corr(attribute.value(), label)).alias(_column(i)) for i, attribute in enumerate(attributes)]
    ).first()
    strength = [((found[_column(i)] if found else None) or 0.0) for i in range(len(attributes))]
    best = attributes[max(range(len(attributes)), key=lambda i: strength[i])].name
    return tuple(attribute for attribute in attributes if attribute.name == best)


def outcome_scores(model: Outcome, formula: Linear | Trees, rows: DataFrame, *, model_version: str) -> DataFrame:
    """scores.outcome: probability and warning of every customer, and reasons of those warned about."""
    scored = model.score(rows, formula).withColumns(
        {
            "is_held_out": is_held_out(),
            "is_early_warning": F.col("outcome_probability") >= model.config.warning_probability,
            "_model_version": F.lit(model_version),
        }
    )
    told = scored.where("is_early_warning").transform(reasons(model, formula))
    return (
        scored.join(told, on=["customer_id", "as_of"], how="left")
        .withColumn("top_reasons", F.coalesce("top_reasons", F.array().cast("array<string>")))
        .transform(OUTCOME.conform)
    )


def reasons(model: Outcome, formula: Linear | Trees, most: int = 3) -> Callable[[DataFrame], DataFrame]:
    """One row per scored customer: top_reasons, the attributes whose value raises the probability most.

    An attribute's effect is how far the probability lies above what it is expected to be without knowing the
    attribute, all others kept: at the median of a number, or over the levels of a category by their shares.
    """
    attributes = model.attributes
    weights = F.array(*[F.lit(1.0 if one.level is None else one.typical) for one in attributes])
    names = F.array(*[F.lit(one.name) for one in attributes])

    def explain(scored: DataFrame) -> DataFrame:
        variants = scored.select(
            "customer_id", "as_of", "numbers", "categories",
            F.col("outcome_probability").alias("with_own_value"),
            F.array(*[_column(i) for i in range(len(attributes))]).alias("own"),
            F.posexplode(names).alias("replaced", "name"),
        )  # fmt: skip
        inputs = {_column(i): _replaced(attributes, i) for i in range(len(attributes))}
        expected = F.sum(F.get(weights, F.col("replaced")) * formula.probability())
        effect = F.col("with_own_value") - F.col("expected")
        reason = F.struct(effect.alias("effect"), _in_words(attributes).alias("text"))
        ranked = F.sort_array(F.collect_list(F.when(effect > 0.005, reason)), asc=False)
        return (
            variants.withColumns(inputs)
            .groupBy("customer_id", "as_of", "name")
            .agg(
                expected.alias("expected"),
                *[F.first(column).alias(column) for column in ("with_own_value", "numbers", "categories")],
            )
            .groupBy("customer_id", "as_of")
            .agg(F.transform(F.slice(ranked, 1, most), lambda reason: reason["text"]).alias("top_reasons"))
        )

    return explain


def _replaced(attributes: Sequence[Attribute], of: int) -> Column:
    """An input when the one at position `replaced` is replaced: the median, or the category at that level."""
    attribute, own = attributes[of], F.get("own", F.lit(of))
    if attribute.level is None:
        return F.when(F.col("replaced") == of, F.lit(attribute.typical)).otherwise(own)
    at_this_level = (F.col("replaced") == of).cast("double")
    return F.when(F.col("name") == attribute.name, at_this_level).otherwise(own)


def _in_words(attributes: Sequence[Attribute]) -> Column:
    """'Contract is Month-to-month', 'tenure is 1 (typical 29)'."""
    typical = {attribute.name: attribute.typical for attribute in attributes if attribute.level is None}
    number = F.element_at("numbers", F.col("name"))
    shown = F.regexp_replace(F.format_number(number, 2), r"\.?0+$", "")
    usual = F.lit(None).cast("string")
    for name, value in typical.items():
        usual = F.when(F.col("name") == name, F.lit(f" (typical {value:g})")).otherwise(usual)
    said = F.coalesce(F.concat(shown, usual), F.element_at("categories", F.col("name")), F.lit("not known"))
    return F.concat(F.col("name"), F.lit(" is "), said)


def _column(number: int) -> str:
    return f"attribute_{number:03}"
