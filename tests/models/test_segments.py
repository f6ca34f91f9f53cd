from datetime import date

import mlflow
import numpy as np
import pandas as pd
import pytest
from chispa import assert_df_equality
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, silhouette_score

from customerlake.errors import ModelError
from customerlake.models.segments import (
    CLUSTERED,
    Profile,
    Segments,
    Tried,
    adjusted_rand_index,
    chosen,
    named,
    profiles,
    segment_names,
)
from customerlake.runtime.config import SegmentsConfig

AS_OF = date(2011, 12, 9)
CONFIG = SegmentsConfig(min_segments=2, max_segments=4, resamples=2, min_stability=0.7, seed=7)
PLANTED = {"often": (5, 40, 8000, 200), "sometimes": (60, 6, 900, 150), "once": (300, 1, 60, 60)}


def made(each=50, seed=3):
    """Three groups of customers far apart, with some spread in each."""
    random = np.random.default_rng(seed)
    rows = [
        (f"{group}-{i}", AS_OF, *(np.array(centre) * random.uniform(0.8, 1.25, 4)))
        for group, centre in PLANTED.items()
        for i in range(each)
    ]
    return pd.DataFrame(rows, columns=["customer_id", "as_of", *CLUSTERED])


@pytest.fixture(scope="module")
def customers(spark):
    return spark.createDataFrame(made()).cache()


@pytest.fixture(scope="module")
def model():
    return Segments(CONFIG)


@pytest.fixture(scope="module")
def pipeline(model, customers):
    return model.fit(customers)


@pytest.fixture(scope="module")
def fitted(model, pipeline):
    """What the pipeline has learnt."""
    return model.formula(pipeline)


@pytest.fixture(scope="module")
def scored(model, customers, fitted):
    return scores_of(model, customers, fitted)


def scores_of(model, customers, fitted):
    kept = model.score(customers, fitted).select("customer_id", "segment_id", "distance").toPandas()
    return kept.sort_values("customer_id", ignore_index=True)


def contingency(one, other):
    table = pd.crosstab(np.asarray(one), np.asarray(other))
    return [(int(i), int(j), int(table.loc[i, j])) for i in table.index for j in table.columns]


def profile(segment_id, orders, spend, days, *, total_spend=100.0):
    return Profile(
        segment_id=segment_id,
        count_customers=10,
        medians=dict.fromkeys(CLUSTERED, 1.0) | {"total_spend": total_spend},
        deviations={
            "count_orders": orders,
            "total_spend": spend,
            "days_since_last_order": days,
            "average_order_value": 0.0,
        },
    )


def test_the_adjusted_rand_index_of_a_hand_worked_table():
    found = adjusted_rand_index([(0, 0, 2), (0, 1, 1), (1, 0, 0), (1, 1, 3)])

    # pairs together: in both 1 + 0 + 0 + 3, in the rows (3 and 3) 3 + 3, in the columns (2 and 4) 1 + 6, of all 15
    assert found == pytest.approx((4 - 6 * 7 / 15) / ((6 + 7) / 2 - 6 * 7 / 15))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=60))
def test_the_adjusted_rand_index_equals_scikit_learns(pairs):
    one, other = [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    assert adjusted_rand_index(contingency(one, other)) == pytest.approx(adjusted_rand_score(one, other), abs=1e-9)


def test_equal_groupings_agree_wholly_whatever_their_groups_are_called():
    assert adjusted_rand_index([(0, 5, 10), (1, 3, 20)]) == 1


def test_the_highest_silhouette_of_the_stable_is_chosen():
    tried = [Tried(3, 0.5, 0.9), Tried(4, 0.6, 0.7), Tried(5, 0.9, 0.69)]

    assert chosen(tried, min_stability=0.7).k == 4


def test_without_a_stable_number_of_segments_the_most_stable_is_chosen():
    tried = [Tried(3, 0.5, 0.4), Tried(4, 0.6, 0.3)]

    assert chosen(tried, min_stability=0.7).k == 3


def test_a_segment_is_named_by_what_is_half_a_deviation_from_the_average():
    found = [profile(0, 0.51, 1.2, -0.6), profile(1, 0.5, -0.5, 0.5), profile(2, -0.51, -0.7, 0.8)]

    assert segment_names(found) == {
        0: "Frequent, high-spend, buying now",
        1: "Occasional, mid-spend, quiet",
        2: "Rare, low-spend, long gone",
    }


def test_segments_of_equal_words_are_told_apart_by_their_rank_by_spend():
    found = [profile(2, 1, 1, 0, total_spend=900), profile(0, 1, 1, 0, total_spend=800), profile(1, 1, 1, 0)]

    assert segment_names(found) == {
        2: "Frequent, high-spend, quiet",
        0: "Frequent, high-spend, quiet (2)",
        1: "Frequent, high-spend, quiet (3)",
    }


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-3, 3)] * 3), min_size=1, max_size=12))
def test_no_two_segments_have_one_name(deviations):
    names = segment_names([profile(i, *of_segment) for i, of_segment in enumerate(deviations)])

    assert len(set(names.values())) == len(names) == len(deviations)


def test_scores_carry_the_segments_name_and_the_models_version(spark):
    scored = spark.createDataFrame(
        [("a", AS_OF, 1, 0.5, "left out"), ("b", AS_OF, 0, 1.5, "left out")],
        "customer_id string, as_of date, segment_id int, distance double, features string",
    )

    with_names = scored.transform(named({0: "Rare", 1: "Frequent"}, "3"))

    expected = spark.createDataFrame(
        [("a", AS_OF, 1, "Frequent", 0.5, "3"), ("b", AS_OF, 0, "Rare", 1.5, "3")],
        "customer_id string, as_of date, segment_id int, segment_name string, distance double, _model_version string",
    )
    assert_df_equality(with_names, expected, ignore_nullable=True, ignore_row_order=True)


@pytest.mark.spark_only
def test_planted_groups_are_found(scored):
    planted = scored["customer_id"].str.split("-").str[0]

    assert adjusted_rand_score(planted, scored["segment_id"]) == 1


@pytest.mark.spark_only
@pytest.mark.usefixtures("fitted")
def test_every_number_of_segments_of_the_config_is_tried(model):
    assert [one.k for one in model.tried] == [2, 3, 4]
    assert model.tried[1].stability == 1  # what was planted is found again in every half


@pytest.mark.spark_only
def test_the_distance_is_to_the_groups_centre_in_standardised_logarithms(scored):
    logs = np.log1p(made().set_index("customer_id")[list(CLUSTERED)])
    standardised = (logs - logs.mean()) / logs.std(ddof=1)
    group = standardised.index.str.split("-").str[0]
    expected = np.sqrt(((standardised - standardised.groupby(group).transform("mean")) ** 2).sum(axis=1))

    found = scored.set_index("customer_id")["distance"].reindex(expected.index)

    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.spark_only
def test_the_silhouette_equals_scikit_learns(model, customers, fitted, scored):
    found = model.evaluate(model.score(customers, fitted))

    logs = np.log1p(made().set_index("customer_id")[list(CLUSTERED)])
    standardised = (logs - logs.mean()) / logs.std(ddof=1)
    of_customer = scored.set_index("customer_id")["segment_id"].reindex(logs.index)
    assert found["silhouette"] == pytest.approx(
        silhouette_score(standardised, of_customer, metric="sqeuclidean"), abs=1e-3
    )
    assert found["rows"] == 150


@pytest.mark.spark_only
def test_profiles_are_medians_and_mean_deviations_largest_spend_first(model, customers, fitted):
    found = profiles(model.score(customers, fitted))

    frame = made()
    group = frame["customer_id"].str.split("-").str[0]
    logs = np.log1p(frame[list(CLUSTERED)])
    deviations = ((logs - logs.mean()) / logs.std(ddof=1)).groupby(group).mean()
    medians = frame[list(CLUSTERED)].groupby(group).median()
    assert [one.count_customers for one in found] == [50, 50, 50]
    for one, name in zip(found, ["often", "sometimes", "once"], strict=True):
        assert one.medians == pytest.approx(medians.loc[name].to_dict())
        assert one.deviations == pytest.approx(deviations.loc[name].to_dict(), abs=1e-3)


@pytest.mark.spark_only
def test_segments_are_named_for_what_was_planted(model, customers, fitted):
    names = segment_names(profiles(model.score(customers, fitted)))

    assert list(names.values()) == [
        "Frequent, high-spend, buying now",
        "Occasional, mid-spend, quiet",
        "Rare, low-spend, long gone",
    ]


@pytest.mark.spark_only
def test_fitting_twice_under_one_seed_gives_the_same_segments(customers, scored):
    again = Segments(CONFIG)

    pd.testing.assert_frame_equal(scores_of(again, customers, again.formula(again.fit(customers))), scored)


@pytest.mark.spark_only
def test_fewer_customers_than_segments_cannot_be_segmented(spark):
    few = spark.createDataFrame(made(each=1))

    with pytest.raises(ModelError, match=r"3 customers cannot be put into up to 4 segments.*segments\.max_segments"):
        Segments(CONFIG).fit(few)


@pytest.mark.spark_only
def test_the_registered_pipeline_gives_the_segments_of_the_formula_that_scores(registry, customers, pipeline, scored):
    with registry.run("kept_segments", "made", {}) as run_id:
        version = registry.register(
            "kept_segments",
            pipeline,
            run_id=run_id,
            as_of=AS_OF,
            inputs=customers.select(*CLUSTERED).limit(5).toPandas(),
            output=scored[["segment_id"]].head(),
            metrics={"silhouette": 0.5},
        )

    loaded = mlflow.spark.load_model(f"models:/kept_segments/{version.number}")

    by_pipeline = loaded.transform(customers).select("customer_id", "segment_id").toPandas()
    pd.testing.assert_frame_equal(
        by_pipeline.sort_values("customer_id", ignore_index=True), scored[["customer_id", "segment_id"]]
    )


@pytest.mark.spark_only
def test_the_order_of_rows_does_not_change_the_segments(spark):
    model = Segments(SegmentsConfig(min_segments=6, max_segments=6, resamples=2, min_stability=0.0, seed=7))
    random = np.random.default_rng(5)
    alike = pd.DataFrame(random.uniform(1, 100, (300, 4)), columns=list(CLUSTERED))  # no groups: many fits are as good
    alike.insert(0, "customer_id", [str(i) for i in range(300)])
    shuffled = alike.sample(frac=1, random_state=1)

    centres = [
        np.vstack(model.fit(spark.createDataFrame(rows).repartition(parts)).stages[-1].clusterCenters())
        for rows, parts in ((alike, 1), (shuffled, 3))
    ]

    np.testing.assert_allclose(centres[0], centres[1], atol=1e-9)
