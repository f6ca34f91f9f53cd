from datetime import date

import numpy as np
import pandas as pd
import pytest
from chispa import assert_approx_df_equality
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture

from customerlake.errors import ConfigError, ModelError
from customerlake.models.segmentation.choice import Tried
from customerlake.models.segmentation.clusterings import Bisected, Centres, Mixture, Split
from customerlake.models.segmentation.numbers import Axis, FittedSegments, ScaledFeature, Segment
from customerlake.models.segmentation.packaged import PackagedSegments
from customerlake.models.segments import SEGMENTS, Segments, segment_scores
from customerlake.runtime.config import SegmentsConfig

AS_OF = date(2011, 12, 9)
NAMES = ("total_spend", "overdue_ratio")
CONFIG = SegmentsConfig(features=NAMES, min_segments=2, max_segments=3, resamples=2, references=2, seed=7)
CENTRES = Centres(centres=((-1.0, 0.0), (1.0, 0.5)), variance=0.4)
BISECTED = Bisected(
    splits=(
        Split(group=0, centres=((-1.0, 0.0), (1.0, 0.0))),
        Split(group=1, centres=((1.0, 1.0), (1.0, -1.0))),
        Split(group=0, centres=((-1.0, 2.0), (-1.5, 0.0))),
    ),
    variance=0.4,
)
MIXTURE = Mixture(
    weights=(0.3, 0.7), centres=((-1.0, 0.0), (1.0, 0.5)), covariances=(((1.0, 0.6), (0.6, 0.8)), ((0.3, 0), (0, 2.0)))
)


def fitted_with(clustering):
    groups = range(len(clustering.centres))
    taken = Tried(
        method="k-means", k=len(groups), smallest_share=0.2, silhouette=0.5, stability=0.9,
        found_again=(0.9,) * len(groups),
    )  # fmt: skip
    segments = tuple(
        Segment(id=10 + i, name=f"Segment {i}", customers=5, medians={}, deviations={}, found_again=0.9) for i in groups
    )
    axis = Axis(loadings=dict.fromkeys(NAMES, 0.7), variance_share=0.5)
    return FittedSegments(
        features=(
            ScaledFeature(name="total_spend", is_logged=True, typical=50.0, mean=4.0, deviation=1.5),
            ScaledFeature(name="overdue_ratio", is_logged=False, typical=1.0, mean=1.0, deviation=0.5),
        ),
        clustering=clustering, segments=segments, axes=(axis, axis), tried=(taken,), taken=taken, gaps=(),
        customers=10, highest_id=13,
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    """Features of 300 customers, some of them missing."""
    random = np.random.default_rng(4)
    spend, ratio = random.gamma(1, 200, 300), random.normal(1, 0.6, 300)
    spend[::17], ratio[::13], spend[5] = np.nan, np.nan, 1e12
    return pd.DataFrame(
        {"customer_id": [f"c{i:03d}" for i in range(300)], "as_of": AS_OF, "total_spend": spend, "overdue_ratio": ratio}
    )


@pytest.fixture(scope="module")
def frame(spark, rows):
    """The rows on the engine, where what is missing is null."""
    records = rows.astype(object).where(rows.notna(), None).to_numpy().tolist()
    return spark.createDataFrame(
        records, "customer_id string, as_of date, total_spend double, overdue_ratio double"
    ).cache()


def standardised(rows):
    """By hand, from the numbers above; one customer, who spent 10^12, is five deviations off at most."""
    spend = (np.log1p(rows["total_spend"].fillna(50)) - 4) / 1.5
    return np.column_stack([spend.clip(-5, 5), (rows["overdue_ratio"].fillna(1) - 1) / 0.5])


def scores_of(frame, fitted, *columns):
    scored = Segments(CONFIG).score(frame, fitted).select("customer_id", *columns).toPandas()
    return scored.sort_values("customer_id", ignore_index=True)


def test_a_customer_gets_the_number_name_and_distance_of_the_nearest_centre(frame, rows):
    found = scores_of(frame, fitted_with(CENTRES), "segment_id", "segment_name", "distance")

    matrix = standardised(rows)
    distances = np.linalg.norm(matrix[:, None, :] - np.array(CENTRES.centres), axis=2)
    assert found["segment_id"].tolist() == (10 + distances.argmin(axis=1)).tolist()
    assert found["segment_name"].tolist() == [f"Segment {i}" for i in distances.argmin(axis=1)]
    np.testing.assert_allclose(found["distance"], distances.min(axis=1))


def test_the_probability_by_centres_is_that_of_equal_round_groups(frame, rows):
    found = scores_of(frame, fitted_with(CENTRES), "membership_probability")["membership_probability"]

    theirs = GaussianMixture(2, covariance_type="spherical")
    theirs.weights_, theirs.means_ = np.array([0.5, 0.5]), np.array(CENTRES.centres)
    theirs.precisions_cholesky_ = np.full(2, 0.4**-0.5)
    np.testing.assert_allclose(found, theirs.predict_proba(standardised(rows)).max(axis=1), rtol=1e-9)


def test_the_mixture_is_scikit_learns_of_the_same_numbers(frame, rows):
    found = scores_of(frame, fitted_with(MIXTURE), "segment_id", "membership_probability")

    theirs = GaussianMixture(2)
    theirs.weights_, theirs.means_ = np.array(MIXTURE.weights), np.array(MIXTURE.centres)
    theirs.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(np.array(MIXTURE.covariances)))
    expected = theirs.predict_proba(standardised(rows))
    assert found["segment_id"].tolist() == (10 + expected.argmax(axis=1)).tolist()
    np.testing.assert_allclose(found["membership_probability"], expected.max(axis=1), rtol=1e-8)


def test_a_customer_goes_down_the_splits_of_bisected_groups(frame, rows):
    found = scores_of(frame, fitted_with(BISECTED), "segment_id")["segment_id"]

    first, second = standardised(rows).T
    # left of the first border: nearer to (-1, 2) or to (-1.5, 0); right: above or below 0
    left = np.where((first + 1) ** 2 + (second - 2) ** 2 <= (first + 1.5) ** 2 + second**2, 10, 13)
    assert found.tolist() == np.where(first <= 0, left, np.where(second >= 0, 11, 12)).tolist()


@pytest.mark.parametrize("clustering", [CENTRES, BISECTED, MIXTURE])
def test_what_mlflow_keeps_scores_as_the_engines_do(frame, rows, clustering):
    fitted = fitted_with(clustering)
    columns = ["segment_id", "segment_name", "distance", "membership_probability"]

    predicted = PackagedSegments(fitted).predict(None, rows)

    pd.testing.assert_frame_equal(predicted, scores_of(frame, fitted, *columns)[columns], rtol=1e-9)


@pytest.mark.parametrize("clustering", [CENTRES, BISECTED, MIXTURE])
def test_segments_kept_as_json_are_the_same(clustering):
    fitted = fitted_with(clustering)

    assert FittedSegments.model_validate_json(fitted.model_dump_json()) == fitted


def test_the_silhouette_of_scored_customers_equals_scikit_learns(frame, rows):
    scored = Segments(CONFIG).score(frame.where("total_spend < 1e9"), fitted_with(CENTRES))

    found = Segments(CONFIG).evaluate(scored)

    kept = rows[rows["total_spend"] < 1e9]
    matrix = standardised(kept)
    nearest = np.linalg.norm(matrix[:, None, :] - np.array(CENTRES.centres), axis=2).argmin(axis=1)
    assert found["silhouette"] == pytest.approx(silhouette_score(matrix, nearest, metric="sqeuclidean"))
    assert found["rows"] == len(kept)


def test_the_silhouette_is_of_a_sample_where_there_are_many_customers(frame):
    few = Segments(CONFIG.model_copy(update={"learnt_from_customers": 100}))
    scored = few.score(frame, fitted_with(CENTRES))

    sample = few.sampled(scored, "customer_id")["customer_id"]

    assert 60 <= len(sample) <= 100
    assert sample.tolist() == few.sampled(scored.orderBy("customer_id"), "customer_id")["customer_id"].tolist()
    assert few.evaluate(scored)["rows"] == 300


def test_no_scored_customer_cannot_be_judged(frame):
    scored = Segments(CONFIG).score(frame.limit(0), fitted_with(CENTRES))

    with pytest.raises(ModelError, match="No scored customer to judge segments by"):
        Segments(CONFIG).evaluate(scored)


def test_a_snapshot_that_lacks_a_feature_cannot_be_scored(frame):
    with pytest.raises(ModelError, match="lack the features overdue_ratio of the segments"):
        Segments(CONFIG).score(frame.drop("overdue_ratio"), fitted_with(CENTRES))


def test_the_scores_table_carries_the_models_version(spark):
    # (e^4 - 1 in logs is the mean of spend), 1 the mean of the ratio: the point (0, 0) is nearer to (-1, 0)
    one = spark.createDataFrame(
        [("a", AS_OF, float(np.exp(4) - 1), 1.0)],
        "customer_id string, as_of date, total_spend double, overdue_ratio double",
    )

    scored = segment_scores(fitted_with(CENTRES), one, CONFIG, model_version="3")

    # squared distances of 1 and 1.25 by twice the variance of 0.4
    probability = 1 / (1 + np.exp((1 - 1.25) / 0.8))
    expected = spark.createDataFrame([("a", AS_OF, 10, "Segment 0", 1.0, float(probability), "3")], SEGMENTS.schema)
    assert_approx_df_equality(scored, expected, precision=1e-12, ignore_nullable=True)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "total_spent",
            "segments.features: 'total_spent' is not a feature that is a number; did you mean total_spend?",
        ),
        ("country", "segments.features: 'country' is not a feature that is a number; "),
    ],
)
def test_a_feature_that_is_unknown_or_a_word_is_refused(name, told):
    with pytest.raises(ConfigError) as refused:
        Segments(SegmentsConfig(features=("total_spend", name)))

    assert told in str(refused.value)


def test_a_feature_that_is_named_twice_is_refused():
    with pytest.raises(ValueError, match="total_spend is named twice"):
        SegmentsConfig(features=("total_spend", "total_spend"))
