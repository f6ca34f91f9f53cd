"""Outcome: for whom, in a table of customers with attributes, will happen what happened to others like them."""

import re
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table
from customerlake.errors import ModelError
from customerlake.features.attributes import ATTRIBUTES
from customerlake.features.feature import Feature
from customerlake.models.classifiers.candidates import LogisticOfMLlib
from customerlake.models.classifiers.classification import Classification
from customerlake.models.classifiers.competition import Task
from customerlake.models.classifiers.numbers import Classifier
from customerlake.runtime.config import ClassifierConfig

MODEL = "outcome"

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
        Field("is_early_warning", T.BooleanType(), "the probability reaches the version's threshold"),
        Field(
            "top_reasons", T.ArrayType(T.StringType()), "for early warnings: what raises the probability most, in words"
        ),
        Field("_model_version", T.StringType(), "registered version of the model"),
    ),
)

BASELINE = "one attribute"
LABEL, PROBABILITY = "has_outcome", "outcome_probability"
TENTHS_LEARNT_FROM = 7
OF_VECTORS = ("label", "fold", "values", "inputs", "stake")
TAKEN = frozenset(
    {*(column.name for table in (ATTRIBUTES, OUTCOME) for column in table.columns), *OF_VECTORS, LABEL, PROBABILITY}
)
"""Names of columns that an attribute's may not take, in lower case as Spark compares names."""


def is_held_out() -> Column:
    """Three customers of ten, by a digest of their number: such a table has no time to split by."""
    return F.crc32("customer_id") % 10 >= TENTHS_LEARNT_FROM


def found_features(customers: DataFrame) -> tuple[Feature, ...]:
    """Every attribute that a customer has, as a feature. Raises: ModelError where there is none."""
    named = [
        (row["name"], row["is_category"])
        for row in customers.select(
            F.explode(
                F.concat(
                    F.transform(F.map_keys("numbers"), lambda name: F.struct(name.alias("name"), F.lit(False))),
                    F.transform(F.map_keys("categories"), lambda name: F.struct(name.alias("name"), F.lit(True))),
                ).cast("array<struct<name: string, is_category: boolean>>")
            ).alias("attribute")
        )
        .select("attribute.*")
        .distinct()
        .orderBy("is_category", "name")
        .collect()
    ]
    if not named:
        raise ModelError(
            "The table of customers has no attribute to learn from. Name them in feeds.customer_attributes.attributes."
        )
    columns: dict[str, tuple[str, bool]] = {}
    for name, is_category in named:
        column = re.sub(r"\W", "_", name)
        while column.lower() in TAKEN or column.lower() in (other.lower() for other in columns):
            column += "_"
        columns[column] = (name, is_category)
    return tuple(
        Feature(
            name=column,
            doc=name,
            words=f"{_escaped(name)} is {{value}}" + ("" if is_category else " (typical {typical})"),
            source=ATTRIBUTES.name,
            is_category=is_category,
        )
        for column, (name, is_category) in columns.items()
    )


def with_attributes(customers: DataFrame, features: Sequence[Feature]) -> DataFrame:
    """Each attribute as a column of its own; null where a customer has it not."""
    return customers.withColumns(
        {
            feature.name: F.element_at("categories" if feature.is_category else "numbers", F.lit(feature.doc))
            for feature in features
        }
    )


def outcome_task(features: Sequence[Feature], *, most_telling: str) -> Task:
    """What is trained. Rows are of features.attributes, each attribute a column."""
    one = next(feature for feature in features if feature.name == most_telling)
    baseline = LogisticOfMLlib(f"logistic regression on the one attribute that tells most, {one.doc}", (one.name,))
    return Task(
        model=MODEL,
        title="Outcome",
        purpose="Rank the customers of a table of attributes by the probability of its outcome, so that people can "
        "act. Not for decisions about credit, price or service that a person is entitled to.",
        limits="The table has no time: whether the model holds for later customers is not shown. Every attribute that "
        "the lake file names is used, among them personal ones; leave out what may not decide.",
        label=LABEL,
        probability=PROBABILITY,
        features=features,
        baselines={BASELINE: baseline},
    )


def outcome_model(config: ClassifierConfig, candidate: str, features: Sequence[Feature]) -> Classification:
    """One candidate or baseline."""
    return Classification(
        features=features, label=LABEL, probability=PROBABILITY, candidate=candidate,
        seed=config.seed,
    )  # fmt: skip


def outcome_scores(
    fitted: Classifier, customers: DataFrame, config: ClassifierConfig, features: Sequence[Feature], *,
    threshold: float, model_version: str,
) -> DataFrame:  # fmt: skip
    """scores.outcome: probability and warning of every customer, and reasons of those warned about."""
    model = outcome_model(config, fitted.candidate, features)
    scored = model.score(with_attributes(customers, features), fitted).withColumns(
        {
            "is_held_out": is_held_out(),
            "is_early_warning": F.col(PROBABILITY) >= threshold,
            "_model_version": F.lit(model_version),
        }
    )
    return model.with_reasons(scored, fitted, of="is_early_warning").transform(OUTCOME.conform)


def _escaped(name: str) -> str:
    return name.replace("{", "{{").replace("}", "}}")
