"""What MLflow shows of a training of segments: metrics, a run of each candidate, figures, the model card."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from customerlake.features.snapshot import FEATURES
from customerlake.models.registry import Registry
from customerlake.models.segmentation.choice import RULE
from customerlake.models.segmentation.figures import (
    by_id,
    choice_figure,
    map_figure,
    profiles_figure,
    shown,
    sizes_figure,
)
from customerlake.models.segmentation.names import axis_in_words, label
from customerlake.models.segmentation.numbers import FURTHEST, FittedSegments
from customerlake.models.segments import MODEL
from customerlake.runtime.config import SegmentsConfig

FOUND_AGAIN = 0.75  # a mean Jaccard similarity from which a segment is solid (Hennig 2007)
DISSOLVED = 0.5  # up to which it has rather dissolved


def log_report(
    registry: Registry, fitted: FittedSegments, config: SegmentsConfig, sample: pd.DataFrame, *, as_of: date,
    tags: Mapping[str, str],
) -> None:  # fmt: skip
    """Log everything of a fit into the active run. `sample` has the features of the customers that the map shows."""
    for one in fitted.tried:
        with registry.run(MODEL, one.name, tags, nested=True):
            is_supported = one.k in {gap.k for gap in fitted.gaps if gap.is_supported}
            registry.log_params(
                {
                    "method": one.method, "k": one.k, "is_stable": one.stability >= config.min_stability,
                    "is_supported_by_gap": is_supported, "is_taken": one == fitted.taken,
                }
            )  # fmt: skip
            registry.log_metrics(
                {"silhouette": one.silhouette, "stability": one.stability, "smallest_share": one.smallest_share}
            )
    registry.log_metrics({"silhouette": fitted.taken.silhouette, "stability": fitted.taken.stability})
    registry.log_metrics({f"gap_k{gap.k}": gap.gap for gap in fitted.gaps})
    registry.log_metrics({f"gap_error_k{gap.k}": gap.error for gap in fitted.gaps})
    title = f"Segments as of {as_of}"
    matrix = fitted.matrix(sample)
    groups = fitted.clustering.groups(list(matrix.T))
    registry.log_figure(profiles_figure(title, fitted), "profiles")
    registry.log_figure(choice_figure(title, fitted, min_stability=config.min_stability), "choice")
    registry.log_figure(map_figure(title, fitted, matrix, groups), "map")
    registry.log_figure(sizes_figure(title, fitted), "sizes")
    registry.log_table(candidates(fitted), "candidates")
    registry.log_table(feature_list(fitted), "features")
    registry.log_card(card(fitted, config, as_of))


def candidates(fitted: FittedSegments) -> pd.DataFrame:
    """Every grouping tried: columns method, k, smallest_share, silhouette, stability, gap, gap_error,
    is_supported, is_taken."""
    of_k = {gap.k: gap for gap in fitted.gaps}
    return pd.DataFrame(
        [
            {
                "method": one.method, "k": one.k, "smallest_share": one.smallest_share,
                "silhouette": one.silhouette, "stability": one.stability,
                "gap": of_k[one.k].gap if one.k in of_k else np.nan,
                "gap_error": of_k[one.k].error if one.k in of_k else np.nan,
                "is_supported": one.k in of_k and of_k[one.k].is_supported, "is_taken": one == fitted.taken,
            }
            for one in fitted.tried
        ]
    )  # fmt: skip


def feature_list(fitted: FittedSegments) -> pd.DataFrame:
    """The features and what is done to them before customers are grouped."""
    known = {feature.name: feature for feature in FEATURES}
    return pd.DataFrame(
        [
            {
                "feature": one.name,
                "meaning": known[one.name].doc,
                "unit": known[one.name].unit or "",
                "source": known[one.name].source,
                "as": "log(1 + x)" if one.is_logged else "x",
                "mean": one.mean,
                "deviation": one.deviation,
                "where_missing": one.typical,
            }
            for one in fitted.features
        ]
    )


def card(fitted: FittedSegments, config: SegmentsConfig, as_of: date) -> str:
    """The model card in plain words (Mitchell et al. 2019, "Model cards for model reporting")."""
    return f"""# Customer segments as of {as_of}: {fitted.taken.name}

**Purpose.** A few groups of customers who behave alike, to plan offers and to read reports by. Not for decisions about
price, credit or service that a person is entitled to.

**Who.** Customers with a purchase by the date; {fitted.customers:,} were learnt from.

**Grouped by** {", ".join(label(name) for name in fitted.names)}. {_logged(fitted)}
Each less its mean, in standard deviations, {FURTHEST:g} at most; a missing value counts as the median. Other features
play no part.

{_profiles_table(fitted)}

Medians; "found again" is how alike the segment is to the likest group of scikit-learn's fits on {config.resamples}
bootstrap samples (Jaccard similarity, 1: the same customers; {FOUND_AGAIN} or more is solid, {DISSOLVED} or less has
dissolved).

**How they were chosen.** {RULE.format(min_segment_share=config.min_segment_share, min_stability=config.min_stability)}

{_candidates_table(fitted)}

{_is_grouped(fitted)}

**The map** shows customers by the two directions in which they differ most: across,
{axis_in_words(fitted.axes[0].loadings)} ({fitted.axes[0].variance_share:.0%} of the spread); up,
{axis_in_words(fitted.axes[1].loadings)} ({fitted.axes[1].variance_share:.0%}).

**Limits.** {_limits(fitted)}

**Numbers of segments** are kept from one training to the next: a new segment takes the number of the one before that
holds the same customers, and one that has none takes a number that no segment had. New segments replace the champion's
only if their silhouette on the same customers is higher by {config.promotion_margin:g}.

**Approved by:** see the version's tags; `customerlake models approve` writes down who and when.
"""


def _profiles_table(fitted: FittedSegments) -> str:
    header = ["number", "segment", "customers", *[label(name) for name in fitted.names], "found again"]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for segment in by_id(fitted):
        cells = [
            str(segment.id),
            segment.name,
            f"{segment.customers:,}",
            *[shown(segment.medians[name]) for name in fitted.names],
            f"{segment.found_again:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _candidates_table(fitted: FittedSegments) -> str:
    lines = [
        "| method | segments | smallest | silhouette | stability | gap of k-means | supported |  |", "|---" * 8 + "|",
    ]  # fmt: skip
    for row in candidates(fitted).to_dict("records"):
        supported, taken = "yes" if row["is_supported"] else "no", "taken" if row["is_taken"] else ""
        lines.append(
            f"| {row['method']} | {row['k']} | {row['smallest_share']:.1%} | {row['silhouette']:.3f} | "
            f"{row['stability']:.3f} | {row['gap']:.3f} ± {row['gap_error']:.3f} | {supported} | {taken} |"
        )
    return "\n".join(lines)


def _is_grouped(fitted: FittedSegments) -> str:
    """What the gap statistic says of groups at all."""
    of_k = {gap.k: gap for gap in fitted.gaps}
    own = of_k.get(fitted.taken.k)
    if own is not None and own.gap - own.error > of_k[1].gap:
        return (
            "**Are there groups?** Yes: customers lie closer together than evenly spread ones would, in these groups."
        )
    return (
        "**Are there groups?** Hardly: customers lie no closer together in these groups than evenly spread ones would. "
        "The segments cut a continuum into parts, which may still be useful."
    )


def _limits(fitted: FittedSegments) -> str:
    loose = [segment.name for segment in by_id(fitted) if segment.found_again <= DISSOLVED]
    told = f"Not to be relied on, as resampling dissolves them: {'; '.join(loose)}. " if loose else ""
    return (
        f"{told}A customer near a border may change segments with a single order; membership_probability tells who is "
        "near one. Segments describe, they do not foretell. What customers do in channels that are not among the "
        "features plays no part."
    )


def _logged(fitted: FittedSegments) -> str:
    logged = [label(one.name) for one in fitted.features if one.is_logged]
    told = "all" if len(logged) == len(fitted.features) else ", ".join(logged) or "none"
    return f"As log(1 + x): {told}."
