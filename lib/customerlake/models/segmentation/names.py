"""Segments, and the axes of their map, in words."""

from collections import Counter
from collections.abc import Mapping, Sequence

APART = 0.5  # standard deviations from the average customer that are worth a word
MOST_WORDS = 3
HEAVY = 0.3  # loading from which a feature is named on an axis

WORDS = {
    "days_since_last_order": ("recent", "long quiet"),
    "recency": ("brief buyers", "long-time buyers"),
    "T": ("new", "long-standing"),
    "frequency": ("rarely back", "often back"),
    "count_orders": ("rare", "frequent"),
    "total_spend": ("low spend", "high spend"),
    "average_order_value": ("small orders", "large orders"),
    "count_returns": ("few returns", "many returns"),
    "returned_share": ("returning little", "returning much"),
}
"""What a segment below and above the average is called, for features whose own names would be hard to read."""

LABELS = {
    "T": "days as a customer",
    "recency": "days from first to last order",
    "frequency": "repeat purchase days",
    "count_orders": "orders",
    "total_spend": "spend",
    "average_order_value": "spend per order",
    "count_returns": "returns",
}


def label(feature: str) -> str:
    """A feature for readers."""
    return LABELS.get(feature, feature.replace("_", " "))


def segment_names(deviations: Sequence[Mapping[str, float]]) -> list[str]:
    """A name for each segment, no two alike, from the standard deviations by which its mean customer is off in each
    feature: what sets it apart most, in the order of the features.

    Where segments would have one name, it says which is first in the feature that they differ most in.
    """
    names = [_in_words(of_segment) for of_segment in deviations]
    return [
        name
        if count == 1
        else f"{name} ({_rank(i, [j for j, other in enumerate(names) if other == name], deviations)})"
        for i, name in enumerate(names)
        for count in [Counter(names)[name]]
    ]


def axis_in_words(loadings: Mapping[str, float]) -> str:
    """What customers further along the axis are like, the heaviest loadings first."""
    heavy = sorted((name for name in loadings if abs(loadings[name]) >= HEAVY), key=lambda name: -abs(loadings[name]))
    high, low = ([label(name) for name in heavy[:MOST_WORDS] if loadings[name] * sign > 0] for sign in (1, -1))
    parts = [f"{word} {' and '.join(names)}" for word, names in (("high in", high), ("low in", low)) if names]
    return ", ".join(parts) or "a little of everything"


def _in_words(deviations: Mapping[str, float]) -> str:
    apart = [name for name, deviation in deviations.items() if abs(deviation) > APART]
    strongest = sorted(apart, key=lambda name: -abs(deviations[name]))[:MOST_WORDS]
    words = [_word(name, deviations[name]) for name in apart if name in strongest]
    name = ", ".join(words) or "average"
    return name[0].upper() + name[1:]


def _word(feature: str, deviation: float) -> str:
    low, high = WORDS.get(feature, (f"low {label(feature)}", f"high {label(feature)}"))
    return high if deviation > 0 else low


def _rank(segment: int, alike: Sequence[int], deviations: Sequence[Mapping[str, float]]) -> str:
    """The place of a segment among those alike, highest first."""

    def spread(feature: str) -> float:
        values = [deviations[one][feature] for one in alike]
        return max(values) - min(values)

    feature = max(deviations[segment], key=spread)
    ranked = sorted(alike, key=lambda one: -deviations[one][feature])
    return f"no. {ranked.index(segment) + 1} of {len(alike)} in {label(feature)}"
