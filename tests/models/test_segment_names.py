from hypothesis import given
from hypothesis import strategies as st

from customerlake.models.segmentation.names import APART, axis_in_words, label, segment_names

FEATURES = ("days_since_last_order", "count_orders", "total_spend", "average_order_value")
DEVIATIONS = st.lists(
    st.tuples(*[st.floats(-3, 3)] * 4).map(lambda values: dict(zip(FEATURES, values, strict=True))),
    min_size=1,
    max_size=12,
)


def of(days, orders, spend, value):
    return dict(zip(FEATURES, (days, orders, spend, value), strict=True))


def test_a_segment_is_named_by_what_is_more_than_half_a_deviation_from_the_average():
    names = segment_names([of(-0.51, 0.5, 1.2, -0.5), of(0.8, -0.6, 0.1, 0), of(0.4, -0.5, 0.5, 0.7)])

    assert names == ["Recent, high spend", "Long quiet, rare", "Large orders"]


def test_a_name_says_the_three_strongest_in_the_order_of_the_features():
    assert segment_names([of(-0.9, 1.4, 1.2, 0.6)]) == ["Recent, frequent, high spend"]
    assert segment_names([of(-0.6, 0.7, 1.2, -2)]) == ["Frequent, high spend, small orders"]


def test_a_segment_that_nothing_sets_apart_is_average():
    assert segment_names([of(0.1, 0.2, -0.3, 0.4)]) == ["Average"]


def test_a_feature_without_words_of_its_own_is_named_low_or_high():
    assert segment_names([{"web_visits_last_90_days": 2.0, "open_rate": -1.0}]) == [
        "High web visits last 90 days, low open rate"
    ]


def test_segments_of_one_name_are_told_apart_by_the_feature_that_they_differ_most_in():
    names = segment_names([of(0, 1, 0.9, 0), of(0, 1, 2.9, 0), of(0.6, 0, 0, 0), of(0, 1.5, 1.9, 0)])

    assert names == [
        "Frequent, high spend (no. 3 of 3 in spend)",
        "Frequent, high spend (no. 1 of 3 in spend)",
        "Long quiet",
        "Frequent, high spend (no. 2 of 3 in spend)",
    ]


@given(DEVIATIONS)
def test_no_two_segments_have_one_name(deviations):
    names = segment_names(deviations)

    assert len(set(names)) == len(names) == len(deviations)


@given(DEVIATIONS)
def test_every_word_is_true_of_the_segment(deviations):
    said = {"recent": ("days_since_last_order", -1), "long quiet": ("days_since_last_order", 1),
            "rare": ("count_orders", -1), "frequent": ("count_orders", 1), "low spend": ("total_spend", -1),
            "high spend": ("total_spend", 1), "small orders": ("average_order_value", -1),
            "large orders": ("average_order_value", 1)}  # fmt: skip

    for name, values in zip(segment_names(deviations), deviations, strict=True):
        words = name.split(" (")[0].lower().split(", ")
        if words == ["average"]:
            assert all(abs(value) <= APART for value in values.values())
        else:
            assert all(values[said[word][0]] * said[word][1] > APART for word in words)


def test_an_axis_says_its_heavy_loadings_the_heaviest_first():
    loadings = {"days_since_last_order": -0.44, "count_orders": 0.54, "total_spend": 0.61, "average_order_value": 0.29}

    assert axis_in_words(loadings) == "high in spend and orders, low in days since last order"
    assert axis_in_words({"T": -1.0, "open_rate": 0.05}) == "low in days as a customer"
    assert axis_in_words(dict.fromkeys("abcdefghijklmnop", 0.25)) == "a little of everything"


def test_a_feature_is_labelled_in_words():
    assert label("returned_share") == "returned share"
    assert label("T") == "days as a customer"
