import json
from datetime import date, timedelta

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import adjusted_rand_score, silhouette_score

from customerlake.errors import ModelError
from customerlake.features.snapshot import FEATURES
from customerlake.models.registry import Registry
from customerlake.models.segmentation.packaged import PackagedSegments
from customerlake.models.segmentation.training import kept_by, train_segments
from customerlake.models.segments import MODEL, Segments
from customerlake.runtime.config import SegmentsConfig

pytestmark = pytest.mark.spark_only

AS_OF = date(2011, 12, 9)
NAMES = ("days_since_last_order", "count_orders", "total_spend", "average_order_value")
CONFIG = SegmentsConfig(min_segments=2, max_segments=3, resamples=2, references=2, seed=7)
INPUTS = {"features.snapshot": ("/lake/features/snapshot", 3)}
OFTEN, ONCE, SOMETIMES, RICH = (5, 40, 8000, 200), (300, 1, 60, 60), (60, 6, 900, 150), (90, 3, 30000, 10000)
SIZES = {OFTEN: 40, ONCE: 50, SOMETIMES: 45, RICH: 35}


def made(*groups):
    """Customers around what is typical of each group, always the same."""
    rows = []
    for group in groups:
        random = np.random.default_rng(3)
        for i in range(SIZES[group]):
            spread = random.uniform(0.8, 1.25, 4)
            rows.append((f"{group[0]}-{i:03d}", AS_OF, *(np.array(group) * spread)))
    return pd.DataFrame(rows, columns=["customer_id", "as_of", *NAMES])


def trained_on(registry, spark, rows, as_of, config=CONFIG):
    return train_segments(
        registry, config, spark.createDataFrame(rows), as_of=as_of, inputs=INPUTS, tags={"lake": "test"},
        progress=lambda text: None,
    )  # fmt: skip


def segments_of(spark, fitted, rows, config=CONFIG):
    scored = Segments(config).score(spark.createDataFrame(rows), fitted)
    return dict(scored.select("customer_id", "segment_id").toPandas().itertuples(index=False))


def of_groups(spark, fitted, rows):
    """The numbers of the segments that the customers of each planted group are in."""
    numbers: dict[int, set[int]] = {}
    for customer, number in segments_of(spark, fitted, rows).items():
        numbers.setdefault(int(customer.split("-")[0]), set()).add(number)
    return {group: numbers[group[0]] for group in SIZES if group[0] in numbers}


@pytest.fixture(scope="module")
def customers():
    return made(OFTEN, ONCE, SOMETIMES)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A store of this module alone: what is champion decides here."""
    return Registry(str(tmp_path_factory.mktemp("segments")))


@pytest.fixture(scope="module")
def first(registry, spark, customers):
    return trained_on(registry, spark, customers, AS_OF)


@pytest.fixture(scope="module")
def run(registry, first):
    return registry.client.get_run(first.version.run_id)


@pytest.fixture(scope="module")
def equal(registry, spark, customers, first):
    """A month later on the same customers, from another seed: as good, not better."""
    again = CONFIG.model_copy(update={"seed": 8})
    return trained_on(registry, spark, customers, AS_OF + timedelta(days=30), again)


@pytest.fixture(scope="module")
def earlier(registry, spark, customers, equal):
    """Of a date before that of the champion, as in a back-test."""
    return trained_on(registry, spark, customers, AS_OF - timedelta(days=60))


@pytest.fixture(scope="module")
def grown(registry, spark, earlier):
    """Two months later, when there are customers of another kind as well."""
    four = CONFIG.model_copy(update={"min_segments": 4, "max_segments": 4})
    return trained_on(registry, spark, made(*SIZES), AS_OF + timedelta(days=60), four)


@pytest.fixture(scope="module")
def changed(registry, spark, customers, grown):
    """By two features alone."""
    fewer = CONFIG.model_copy(update={"features": NAMES[:2]})
    return trained_on(registry, spark, customers, AS_OF + timedelta(days=61), fewer)


@pytest.fixture(scope="module")
def artifact(registry, first, tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    return lambda name: registry.client.download_artifacts(first.version.run_id, name, str(folder))


def test_planted_groups_become_segments_numbered_by_size(spark, first, customers):
    assert first.fitted.taken.k == 3
    assert of_groups(spark, first.fitted, customers) == {OFTEN: {2}, ONCE: {0}, SOMETIMES: {1}}


def test_segments_are_named_for_what_was_planted(first):
    assert {segment.id: segment.name for segment in first.fitted.segments} == {
        0: "Rare, low spend, small orders",
        1: "Average",
        2: "Recent, frequent, high spend",
    }


def test_profiles_are_medians_and_mean_deviations(first, customers):
    group = customers["customer_id"].str.split("-").str[0]
    logs = np.log1p(customers[list(NAMES)])
    deviations = ((logs - logs.mean()) / logs.std(ddof=1)).groupby(group).mean()
    medians = customers[list(NAMES)].groupby(group).median()

    for segment in first.fitted.segments:
        planted = {0: "300", 1: "60", 2: "5"}[segment.id]
        assert segment.customers == (group == planted).sum()
        assert segment.medians == pytest.approx(medians.loc[planted].to_dict())
        assert segment.deviations == pytest.approx(deviations.loc[planted].to_dict())
        assert segment.found_again == 1


def test_the_silhouette_is_scikit_learns(first, customers):
    logs = np.log1p(customers[list(NAMES)])
    standardised = (logs - logs.mean()) / logs.std(ddof=1)

    expected = silhouette_score(standardised, customers["customer_id"].str.split("-").str[0], metric="sqeuclidean")
    assert first.fitted.taken.silhouette == pytest.approx(expected)
    assert first.told()["metrics"]["silhouette"] == pytest.approx(expected)


def test_the_order_of_rows_and_their_partitions_do_not_change_the_fit(spark, first, customers):
    shuffled = spark.createDataFrame(customers.sample(frac=1, random_state=1)).repartition(3)

    assert Segments(CONFIG).fit(shuffled) == first.fitted


def test_the_first_segments_are_the_champion(first):
    assert first.is_champion
    assert first.champion_before is None


def test_segments_that_are_no_better_by_the_margin_do_not_take_the_alias(first, equal):
    assert equal.champion_before == pytest.approx(first.fitted.taken.silhouette)
    assert not equal.is_champion


def test_the_same_customers_keep_the_number_of_their_segment(spark, equal, first, customers):
    assert [one.customers for one in equal.fitted.segments] != [one.customers for one in first.fitted.segments]
    assert of_groups(spark, equal.fitted, customers) == {OFTEN: {2}, ONCE: {0}, SOMETIMES: {1}}


def test_segments_of_an_earlier_date_never_take_the_alias(earlier):
    assert not earlier.is_champion
    assert {one.id for one in earlier.fitted.segments} == {3, 4, 5}  # it must not know of those of later dates


def test_a_new_segment_takes_a_number_that_none_had_and_old_ones_keep_theirs(spark, grown):
    found = of_groups(spark, grown.fitted, made(*SIZES))

    assert found == {OFTEN: {2}, ONCE: {0}, SOMETIMES: {1}, RICH: {6}}
    assert grown.fitted.highest_id == 6


def test_segments_that_are_better_by_the_margin_take_the_alias(grown):
    assert grown.fitted.taken.silhouette > grown.champion_before + 0.01
    assert grown.is_champion


def test_segments_of_other_features_take_the_alias_as_somebody_has_changed_them(registry, spark, changed, customers):
    assert changed.champion_before is None
    assert changed.is_champion
    assert registry.champion(MODEL).number == changed.version.number
    assert of_groups(spark, changed.fitted, customers) == {OFTEN: {2}, ONCE: {0}, SOMETIMES: {1}}


def test_segments_that_another_release_kept_are_replaced(tmp_path, spark, first, customers):
    registry = Registry(str(tmp_path))
    with registry.run(MODEL, "old", {}) as run_id:
        registry.log_values({"names": {"0": "Rare"}, "formula": {}}, "scoring.json")
        old = registry.register(
            MODEL, PackagedSegments(first.fitted), run_id=run_id, as_of=AS_OF, inputs=customers[list(NAMES)].head(),
            output=pd.DataFrame({"segment_id": [0]}), metrics={},
        )  # fmt: skip
    registry.judge(old, wins=True)

    new = trained_on(registry, spark, customers, AS_OF)

    assert new.is_champion
    with pytest.raises(ModelError, match="was kept by another release"):
        kept_by(registry, old)


def test_what_is_kept_is_what_was_fitted(registry, first):
    assert kept_by(registry, first.version) == first.fitted


def test_the_registered_model_predicts_without_spark_what_the_jobs_score(spark, first, customers):
    loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}/{first.version.number}")

    predicted = loaded.predict(customers[list(NAMES)])

    columns = ["segment_id", "segment_name", "distance", "membership_probability"]
    scored = Segments(CONFIG).score(spark.createDataFrame(customers), first.fitted).toPandas()
    scored = scored.set_index("customer_id").loc[customers["customer_id"], columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(predicted, scored, rtol=1e-9)


def test_the_registered_model_holds_a_signature_and_an_input_example(first):
    about = mlflow.models.get_model_info(f"models:/{MODEL}/{first.version.number}")

    assert [column.name for column in about.signature.inputs.inputs] == list(NAMES)
    assert [column.name for column in about.signature.outputs.inputs] == [
        "segment_id", "segment_name", "distance", "membership_probability",
    ]  # fmt: skip
    assert about.saved_input_example_info is not None


def test_the_run_holds_the_settings_and_the_choice(run):
    params = run.data.params

    assert (params["seed"], params["max_segments"], params["as_of"]) == ("7", "3", "2011-12-09")
    assert params["features"] == "days_since_last_order, count_orders, total_spend, average_order_value"
    assert params["taken"].endswith("k = 3")
    assert params["became_champion"] == "True"
    assert run.data.metrics["stability"] == 1
    assert {"gap_k1", "gap_k2", "gap_k3", "gap_k4", "gap_error_k3"} <= set(run.data.metrics)


def test_every_candidate_has_a_run_of_its_own(registry, run, first):
    children = registry.client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")

    assert {child.info.run_name for child in children} == {
        f"{method}, k = {k}" for method in ("k-means", "bisecting k-means", "Gaussian mixture") for k in (2, 3)
    }
    (taken,) = [child for child in children if child.data.params["is_taken"] == "True"]
    assert taken.info.run_name == first.fitted.taken.name
    assert taken.data.metrics["silhouette"] == first.fitted.taken.silhouette
    assert taken.data.params["is_supported_by_gap"] == "True"


def test_the_run_holds_the_delta_version_of_the_input(run):
    assert [(one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs] == [
        ("features.snapshot", "v3")
    ]


@pytest.mark.parametrize("name", ["profiles", "choice", "map", "sizes"])
def test_the_run_holds_each_figure(artifact, name):
    with Image.open(artifact(f"figures/{name}.png")) as picture:
        assert picture.width > 400
        assert len(picture.convert("RGB").getcolors(maxcolors=1_000_000)) > 50


def test_the_card_tells_the_segments_the_rule_and_the_limits(artifact, first):
    with open(artifact("model_card.md"), encoding="utf-8") as file:
        card = file.read()

    assert "| 0 | Rare, low spend, small orders | 50 |" in card
    assert "mean adjusted Rand index of 0.7 or more" in card
    assert f"| {first.fitted.taken.method} | 3 | 29.6% | {first.fitted.taken.silhouette:.3f} | 1.000 |" in card
    assert "**Are there groups?** Yes" in card
    for heading in ("**Purpose.**", "**Limits.**", "**How they were chosen.**"):
        assert heading in card
    assert not any(customer in card for customer in ("5-000", "300-000"))


def test_the_tables_tell_the_candidates_and_what_is_done_to_the_features(artifact):
    with open(artifact("features.json"), encoding="utf-8") as file:
        features = json.load(file)
    with open(artifact("candidates.json"), encoding="utf-8") as file:
        candidates = json.load(file)

    rows = pd.DataFrame(features["data"], columns=features["columns"]).set_index("feature")
    assert rows.loc["total_spend", "as"] == "log(1 + x)"
    assert rows.loc["total_spend", "meaning"] == next(one.doc for one in FEATURES if one.name == "total_spend")
    assert len(candidates["data"]) == 6


def test_too_few_customers_cannot_be_segmented(spark):
    with pytest.raises(ModelError, match=r"4 customers that differ in .* up to 3 segments: 5 are needed"):
        Segments(CONFIG).fit(spark.createDataFrame(made(OFTEN).head(4)))


def test_customers_of_too_few_kinds_cannot_be_segmented(spark):
    rows = made(OFTEN)
    rows[list(NAMES)] = rows.loc[rows.index % 3, list(NAMES)].to_numpy()

    with pytest.raises(ModelError, match=r"3 customers that differ in .* 5 are needed"):
        Segments(CONFIG).fit(spark.createDataFrame(rows))


def test_no_customer_at_all_cannot_be_segmented(spark, customers):
    with pytest.raises(ModelError, match="0 customers that differ"):
        Segments(CONFIG).fit(spark.createDataFrame(customers).limit(0))


def test_a_feature_that_is_missing_everywhere_is_refused_by_name(spark, customers):
    rows = spark.createDataFrame(customers).selectExpr(
        "customer_id", "as_of", "count_orders", "total_spend", "average_order_value",
        "CAST(NULL AS DOUBLE) AS days_since_last_order",
    )  # fmt: skip

    with pytest.raises(ModelError, match="No customer has a value of days_since_last_order"):
        Segments(CONFIG).fit(rows)


def test_a_constant_feature_and_customers_without_history_leave_the_groups_as_they_are(spark, customers):
    rows = customers.assign(average_order_value=99.0)
    unknown = spark.createDataFrame([("nobody", AS_OF)], "customer_id string, as_of date")

    fitted = Segments(CONFIG).fit(spark.createDataFrame(rows).unionByName(unknown, allowMissingColumns=True))

    found = segments_of(spark, fitted, rows)
    planted = [customer.split("-")[0] for customer in found]
    assert adjusted_rand_score(planted, list(found.values())) == 1
    assert fitted.features[3].deviation == 0


def test_a_sample_of_the_customers_is_learnt_from_where_there_are_many(spark, customers):
    few = CONFIG.model_copy(update={"learnt_from_customers": 90})

    fitted = Segments(few).fit(spark.createDataFrame(customers))

    assert 60 <= fitted.customers <= 90
    found = segments_of(spark, fitted, customers)
    assert adjusted_rand_score([customer.split("-")[0] for customer in found], list(found.values())) == 1
