"""What every model must do, whatever it foretells. On sail scoring is by numbers made by hand, on JVM Spark by fits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from customerlake.errors import ModelError
from customerlake.features.feature import Feature
from customerlake.features.labels import LABELS
from customerlake.models import purchase_intent
from customerlake.models.churn import churn_task
from customerlake.models.classifiers.candidates import CANDIDATES
from customerlake.models.classifiers.classification import Classification
from customerlake.models.classifiers.inputs import Category, Inputs, Number
from customerlake.models.classifiers.numbers import Classifier, Gone, Linear, Standardised, Tree, Trees
from customerlake.models.classifiers.packaged import PackagedClassifier
from customerlake.models.lifetime.likelihood import Estimates
from customerlake.models.lifetime.packaged import PackagedLifetimeValue
from customerlake.models.lifetime_value import LifetimeValue
from customerlake.models.outcome import LABEL, PROBABILITY, outcome_task
from customerlake.models.purchase_intent import intent_model
from customerlake.models.segmentation.packaged import PackagedSegments
from customerlake.models.segments import Segments
from customerlake.runtime.config import ChurnConfig, LifetimeValueConfig, PurchaseIntentConfig, SegmentsConfig

AS_OF = date(2011, 12, 9)
CHURN = churn_task(ChurnConfig())
OUTCOME_FEATURES = (
    Feature("tenure", "tenure", "tenure is {value} (typical {typical})"),
    Feature("contract", "contract", "contract is {value}", is_category=True),
)
OUTCOME = outcome_task(OUTCOME_FEATURES, most_telling="contract")
OF_LIFETIME = LifetimeValueConfig(draws=20)
OF_SEGMENTS = SegmentsConfig(min_segments=2, max_segments=3, resamples=2, references=2, min_stability=0.0)
SMALL: Mapping[str, Mapping[str, Any]] = {
    "logistic regression": {"regParam": 0.01, "elasticNetParam": 0.0},
    "random forest": {"numTrees": 4, "maxDepth": 4, "minInstancesPerNode": 5},
    "gradient-boosted trees": {"maxIter": 4, "maxDepth": 3, "stepSize": 0.2, "subsamplingRate": 0.8},
    "XGBoost": {"n_estimators": 12, "max_depth": 3, "learning_rate": 0.2, "subsample": 0.8},
}


@dataclass(frozen=True)
class Case:
    """A model, the rows that it learns from, those that it scores, and what it says of them."""

    name: str
    model: Callable[[], Any]
    learnt_from: Callable[..., pd.DataFrame]  # customers made by the fixture -> rows
    strange: Mapping[str, Any]  # a customer with words never seen
    scored: str  # column
    packaged: Callable[[Any], Any]
    by_hand: Any = None  # numbers that score where nothing fits; None: fitted on every engine, or on JVM Spark alone
    needs_jvm: bool = True

    @property
    def key(self) -> set[str]:
        return {"customer_id", "as_of"}


def churn_rows(
    made: Callable[..., pd.DataFrame], *, seed: int = 1, customers: int = 400, leave: tuple[float, float] = (0.1, 0.9)
) -> pd.DataFrame:
    """So many of those with few and with many returns leave; of some it is not known. Some have long been silent;
    `open_tickets` and `country` never vary."""
    rows = made(AS_OF, customers=customers, seed=seed)
    random = np.random.default_rng(seed + 1)
    rows["count_returns"] = random.integers(0, 5, customers).astype(float)
    rows["recency"] = np.where(rows["frequency"] > 0, np.ceil(rows["T"] * random.random(customers)), 0)
    few, many = leave
    churned = pd.Series(random.random(customers) < np.where(rows["count_returns"] > 2, many, few), dtype=object)
    churned[random.random(customers) < 0.05] = None
    return rows.assign(is_churned=churned, open_tickets=0.0, country="France")


def outcome_rows(made: Callable[..., pd.DataFrame], *, seed: int = 1, customers: int = 400) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    contract = random.choice(["monthly", "yearly"], customers)
    happened = random.random(customers) < np.where(contract == "monthly", 0.8, 0.2)
    tenure = random.integers(1, 70, customers).astype(float)
    keys = {"customer_id": [f"c{i:05d}" for i in range(customers)], "as_of": AS_OF}
    return pd.DataFrame(keys | {"tenure": tenure, "contract": contract, LABEL: happened})


def history_rows(made: Callable[..., pd.DataFrame], *, seed: int = 1, customers: int = 400) -> pd.DataFrame:
    """Rows of gold.rfm."""
    rows = made(AS_OF, customers=customers, seed=seed)
    rows["frequency"] = np.random.default_rng(seed).poisson(np.random.default_rng(seed).gamma(0.8, 2.0, customers))
    rows["recency"] = np.where(rows["frequency"] > 0, rows["T"] - rows["days_since_last_order"], 0)
    spend = rows["average_order_value"].where(rows["frequency"] > 0, 0).round(2)
    rows["monetary_value"] = [Decimal(str(value)) for value in spend]
    whole = dict.fromkeys(("frequency", "recency", "T"), int)
    return rows[["customer_id", "as_of", "frequency", "recency", "T", "monetary_value"]].astype(whole)


def of_churn(candidate: str, by_hand: Classifier) -> Case:
    def model() -> Classification:
        return Classification(
            features=CHURN.features, label=CHURN.label, probability=CHURN.probability, candidate=candidate,
            settings=SMALL.get(candidate), known={**CANDIDATES, **CHURN.baselines}, seed=20,
        )  # fmt: skip

    return Case(
        name=f"churn, {candidate}", model=model, learnt_from=churn_rows,
        strange={"country": "Atlantis", "channel": "pigeon", "loyalty_tier": "platinum"}, scored=CHURN.probability,
        packaged=lambda fitted: PackagedClassifier(fitted, CHURN.probability), by_hand=by_hand,
    )  # fmt: skip


def of_outcome() -> Case:
    def model() -> Classification:
        return Classification(
            features=OUTCOME.features, label=LABEL, probability=PROBABILITY, candidate="logistic regression"
        )

    inputs = Inputs(
        numbers=(Number(name="tenure", typical=30.0),), categories=(Category(name="contract", levels=("monthly",)),)
    )
    return Case(
        name="outcome", model=model, learnt_from=outcome_rows, strange={"contract": "by the hour"}, scored=PROBABILITY,
        packaged=lambda fitted: PackagedClassifier(fitted, PROBABILITY),
        by_hand=by_numbers("logistic regression", inputs, linear(-0.05, 2.0)),
    )  # fmt: skip


def of_intent() -> Case:
    def rows(made: Callable[..., pd.DataFrame], **of: Any) -> pd.DataFrame:
        return churn_rows(made, **of).rename(columns={"is_churned": purchase_intent.LABEL})

    def model() -> Classification:
        made = intent_model(PurchaseIntentConfig(), "logistic regression")
        made.settings = SMALL["logistic regression"]
        return made

    return Case(
        name="purchase intent", model=model, learnt_from=rows, strange={"country": "Atlantis"},
        scored=purchase_intent.PROBABILITY,
        packaged=lambda fitted: PackagedClassifier(fitted, purchase_intent.PROBABILITY),
        by_hand=BY_HAND["logistic regression"],
    )  # fmt: skip


def by_numbers(candidate: str, inputs: Inputs, decides: Linear | Trees | Gone) -> Classifier:
    return Classifier(
        candidate=candidate, inputs=inputs, decides=decides, background=((1.0,) * len(inputs.columns),) * 3
    )


def linear(*coefficients: float) -> Linear:
    zero, one = (0.0,) * len(coefficients), (1.0,) * len(coefficients)
    return Linear(over=Standardised(means=zero, deviations=one), coefficients=coefficients, intercept=0.1)


# columns of the inputs: count_returns, total_spend (logged), count_returns is not known, channel is web
OF_RETURNS = Inputs(
    numbers=(
        Number(name="count_returns", typical=2.0, is_flagged=True),
        Number(name="total_spend", typical=300.0, is_logged=True),
    ),
    categories=(Category(name="channel", levels=("web",)),),
)
TREE = Tree(
    column=(0, 1, 0, 0, 0), at=(2.5, 5.5, 0.0, 0.0, 0.0), below=(1, 2, 2, 3, 4), above=(4, 3, 2, 3, 4),
    value=(0.0, 0.0, 0.1, 0.3, 0.8),
)  # fmt: skip
ESTIMATES = Estimates(
    names=("r", "alpha", "a", "b"), values=(0.243, 30.9, 0.793, 2.426), bounds=(0.0,) * 4,
    covariance=((0.0,) * 4,) * 4, log_likelihood=0.0, customers=1, rounded_to=0.0, is_weak=False,
)  # fmt: skip
HISTORY = Inputs(numbers=tuple(Number(name=n, typical=100.0) for n in ("frequency", "recency", "T")), categories=())
SILENCE = Inputs(numbers=(Number(name="days_since_last_order", typical=40.0),), categories=())
BY_HAND: Mapping[str, Classifier] = {
    "logistic regression": by_numbers("logistic regression", OF_RETURNS, linear(0.8, -0.1, 0.5, 0.2)),
    "random forest": by_numbers("random forest", OF_RETURNS, Trees(trees=(TREE,), says="probability")),
    "gradient-boosted trees": by_numbers("gradient-boosted trees", OF_RETURNS, Trees(trees=(TREE, TREE), start=-0.5)),
    "XGBoost": by_numbers("XGBoost", OF_RETURNS, Trees(trees=(TREE, TREE), start=-0.5, is_single=True)),
    "recency rule": by_numbers("recency rule", SILENCE, linear(0.03)),
    "BG/NBD p(alive)": by_numbers("BG/NBD p(alive)", HISTORY, Gone(estimates=ESTIMATES)),
    "BG/NBD no purchase": by_numbers("BG/NBD no purchase", HISTORY, Gone(estimates=ESTIMATES, quiet_days=90)),
}

CLASSIFIERS = [*[of_churn(name, numbers) for name, numbers in BY_HAND.items()], of_intent(), of_outcome()]
LOOK_AT_ALL = [case for case in CLASSIFIERS if case.name.removeprefix("churn, ") not in CHURN.baselines]
OTHERS = [
    Case(
        name="lifetime value", model=lambda: LifetimeValue(OF_LIFETIME), learnt_from=history_rows, strange={},
        scored="lifetime_value", needs_jvm=False,
        packaged=lambda fitted: PackagedLifetimeValue(fitted, OF_LIFETIME),
    ),
    Case(
        name="segments", model=lambda: Segments(OF_SEGMENTS), learnt_from=churn_rows, strange={"country": "Atlantis"},
        scored="segment_id", packaged=PackagedSegments,
    ),
]  # fmt: skip
MODELS = [*CLASSIFIERS, *OTHERS]


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@pytest.fixture(scope="module")
def learnt_from(spark, made_customers):
    """Rows of a case to learn from, once."""
    kept = {}

    def rows(case):
        if case.learnt_from not in kept:
            kept[case.learnt_from] = spark.createDataFrame(case.learnt_from(made_customers)).cache()
        return kept[case.learnt_from]

    return rows


@pytest.fixture(scope="module")
def fitted(learnt_from, engine):
    """A case's numbers: fitted once, or made by hand where nothing can be fitted."""
    kept = {}

    def numbers(case):
        if engine == "sail" and case.needs_jvm:
            if case.by_hand is None:
                pytest.skip("fits on JVM Spark alone: run with --engine spark")
            return case.by_hand
        if case.name not in kept:
            kept[case.name] = case.model().fit(learnt_from(case))
        return kept[case.name]

    return numbers


@pytest.fixture(scope="module")
def to_score(spark, made_customers):
    """Other customers; one of whom nothing is known, and one with words that were never seen."""

    def frame(case):
        rows = case.learnt_from(made_customers, seed=7, customers=60)
        nothing = pd.DataFrame({name: [None] for name in rows.columns}).assign(customer_id="nothing", as_of=AS_OF)
        strange = rows.head(1).assign(customer_id="strange", **case.strange)
        typed = spark.createDataFrame(rows).schema
        together = pd.concat([rows.astype(object), nothing.astype(object), strange.astype(object)], ignore_index=True)
        return spark.createDataFrame(together.where(together.notna(), None).to_dict("records"), typed)

    return frame


def scores(case, frame, numbers):
    scored = case.model().score(frame, numbers).select("customer_id", case.scored).toPandas()
    return scored.set_index("customer_id")[case.scored].sort_index()


@named(MODELS)
def test_every_row_is_scored_once(case, fitted, to_score):
    frame = to_score(case)

    found = scores(case, frame, fitted(case))

    assert found.index.is_unique
    assert len(found) == 62
    assert found.nunique() > 1


@named(CLASSIFIERS)
def test_a_customer_of_whom_nothing_is_known_has_a_probability(case, fitted, to_score):
    found = scores(case, to_score(case), fitted(case))

    assert found.between(0, 1).all()
    assert np.isfinite(found["nothing"])


@named(OTHERS)
def test_a_customer_without_a_history_is_told_to_be_unknown_or_typical(case, fitted, to_score):
    found = scores(case, to_score(case), fitted(case))

    assert found.drop("nothing").notna().all()
    assert np.isnan(found["nothing"]) == (case.name == "lifetime value")


@named(MODELS)
def test_a_word_that_was_never_seen_is_scored(case, fitted, to_score):
    assert np.isfinite(scores(case, to_score(case), fitted(case))["strange"])


@named(MODELS)
def test_a_model_that_was_saved_as_json_scores_exactly_the_same(case, fitted, to_score):
    numbers, frame = fitted(case), to_score(case)

    again = type(numbers).model_validate_json(numbers.model_dump_json())

    assert again == numbers
    pd.testing.assert_series_equal(scores(case, frame, again), scores(case, frame, numbers), check_exact=True)


@named(MODELS)
def test_the_packaged_model_says_without_spark_what_scoring_says(case, fitted, to_score):
    numbers, frame = fitted(case), to_score(case)
    rows = frame.toPandas().sort_values("customer_id", ignore_index=True)

    found = case.packaged(numbers).predict(None, rows)

    expected = scores(case, frame, numbers)
    assert len(found) == 62
    np.testing.assert_allclose(found[case.scored].to_numpy(dtype=float), expected.to_numpy(dtype=float), rtol=1e-12)


@named(MODELS)
def test_scoring_collects_nothing(case, fitted, to_score, monkeypatch):
    numbers, frame = fitted(case), to_score(case)
    for name in (
        "collect",
        "toPandas",
        "toArrow",
        "count",
        "first",
        "head",
        "take",
        "tail",
        "toLocalIterator",
        "isEmpty",
    ):
        monkeypatch.setattr(type(frame), name, lambda *_, name=name: pytest.fail(f"score has called {name}"))

    scored = case.model().score(frame, numbers)

    assert case.scored in scored.columns


@named(MODELS)
def test_fitting_twice_ends_in_the_same_numbers_whatever_the_order_of_rows(case, spark, fitted, made_customers, engine):
    if engine == "sail" and case.needs_jvm:
        pytest.skip("fits on JVM Spark alone: run with --engine spark")
    upside_down = spark.createDataFrame(case.learnt_from(made_customers).iloc[::-1].reset_index(drop=True))

    again = case.model().fit(upside_down)

    assert again == fitted(case)


@pytest.mark.before_an_engine
@named(CLASSIFIERS)
@pytest.mark.parametrize("happens", [True, False])
def test_one_class_of_rows_is_refused(case, spark, made_customers, happens):
    model = case.model()
    rows = spark.createDataFrame(case.learnt_from(made_customers, customers=50).assign(**{model.label: happens}))

    with pytest.raises(ModelError, match=f"nothing to tell apart: {model.label} is {str(happens).lower()} for all"):
        model.fit(rows)


@pytest.mark.before_an_engine
@named(CLASSIFIERS)
def test_rows_of_which_nothing_is_known_are_refused(case, spark, made_customers):
    model, rows = case.model(), case.learnt_from(made_customers, customers=50)
    schema = spark.createDataFrame(rows).schema
    known = case.key | {model.label}
    blank = [{name: value if name in known else None for name, value in row.items()} for row in rows.to_dict("records")]

    with pytest.raises(ModelError, match=r"None of the features .* varies among the rows to learn from"):
        model.fit(spark.createDataFrame(blank, schema))


@named(OTHERS)
def test_customers_of_whom_nothing_is_known_are_refused(case, spark, made_customers, engine):
    if engine == "sail" and case.needs_jvm:
        pytest.skip("fits on JVM Spark alone: run with --engine spark")
    rows = case.learnt_from(made_customers, customers=50)
    schema = spark.createDataFrame(rows).schema
    blank = [
        {name: value if name in case.key else None for name, value in row.items()} for row in rows.to_dict("records")
    ]

    with pytest.raises(ModelError):
        case.model().fit(spark.createDataFrame(blank, schema))


@pytest.mark.before_an_engine
@named(CLASSIFIERS)
@pytest.mark.parametrize("column", [one.name for one in LABELS.columns if one.name.endswith(("_after", "churned"))])
def test_a_feature_that_is_a_column_of_the_labels_is_refused_by_name(case, spark, made_customers, column):
    model = case.model()
    model.features = [*model.features, Feature(column, "", "")]
    rows = spark.createDataFrame(case.learnt_from(made_customers, customers=50))

    with pytest.raises(ModelError, match=f"features {column} tell what happened after the date"):
        model.fit(rows)


@named(LOOK_AT_ALL)
@pytest.mark.spark_only
def test_a_copy_of_the_label_under_another_name_stops_the_training_with_its_name(case, spark, made_customers):
    model, rows = case.model(), case.learnt_from(made_customers)
    planted = next(feature.name for feature in model.features if not feature.is_category)
    rows[planted] = rows[model.label].astype(float)

    with pytest.raises(ModelError, match=rf"stopped: {planted} \(ROC AUC .* alone\) tells {model.label}"):
        model.fit(spark.createDataFrame(rows))


@named(LOOK_AT_ALL)
@pytest.mark.spark_only
def test_what_never_varied_is_not_learnt_from(case, fitted, learnt_from):
    never = {"open_tickets", "country"} & set(learnt_from(case).columns)

    assert not never & set(fitted(case).inputs.features)


@named([case for case in CLASSIFIERS if case not in LOOK_AT_ALL])
@pytest.mark.spark_only
def test_a_baseline_whose_own_column_never_varied_still_has_a_probability(case, spark, made_customers):
    rows = spark.createDataFrame(case.learnt_from(made_customers).assign(days_since_last_order=10.0, T=400.0))

    numbers = case.model().fit(rows)

    assert scores(case, rows, numbers).between(0, 1).all()


@named([case for case in CLASSIFIERS if case.name.startswith("churn") and case in LOOK_AT_ALL])
@pytest.mark.spark_only
def test_shuffled_labels_tell_nothing_of_fresh_rows(case, spark, made_customers):
    """Whose own labels have a cause: who knew it would rank them at 0.6."""
    rows, fresh = (case.learnt_from(made_customers, seed=seed, customers=6000, leave=(0.35, 0.55)) for seed in (11, 12))
    model = case.model()
    rows[model.label] = np.random.default_rng(13).permutation(rows[model.label].to_numpy())

    numbers = model.fit(spark.createDataFrame(rows))

    scored = model.score(spark.createDataFrame(fresh), numbers)
    assert 0.47 < model.evaluate(scored)["roc_auc"] < 0.53


@named(LOOK_AT_ALL)
@pytest.mark.spark_only
def test_a_planted_cause_is_found_on_fresh_rows(case, spark, made_customers, fitted):
    fresh = spark.createDataFrame(case.learnt_from(made_customers, seed=21, customers=1000))
    model = case.model()

    found = model.evaluate(model.score(fresh, fitted(case)))

    assert found["roc_auc"] > 0.75  # knowing the cause exactly gives 0.9, of the outcome 0.8


@named([case for case in LOOK_AT_ALL if case.name in {"churn, logistic regression", "churn, XGBoost"}])
@pytest.mark.spark_only
def test_few_rows_of_which_hardly_any_happened_have_a_defined_answer(case, spark, made_customers):
    rows = case.learnt_from(made_customers, customers=60)
    rows["is_churned"] = [i in (3, 40) for i in range(60)]  # the third that calibrates, or the rest, may hold none
    frame = spark.createDataFrame(rows)

    numbers = case.model().fit(frame)

    assert type(numbers).model_validate_json(numbers.model_dump_json()) == numbers
    found = scores(case, frame, numbers)
    assert found.between(0, 1).all()
    assert 0 < found.mean() < 0.3
