"""The figures of a training, drawn with altair."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import altair as alt
import pandas as pd

from customerlake.models.evaluation import (
    ScoreCounts,
    calibration,
    gain_curve,
    precision_recall_curve,
    roc_curve,
)

SIDE = 260


def classification_figure(title: str, curves: Mapping[str, ScoreCounts]) -> alt.ConcatChart:
    """ROC, precision and recall, gain, and calibration of several models over the same rows."""
    roc = {name: roc_curve(counts)[::-1] for name, counts in curves.items()}
    recall = {name: precision_recall_curve(counts) for name, counts in curves.items()}
    gain = {name: gain_curve(counts) for name, counts in curves.items()}
    calibrated = {
        name: ([group[0] for group in calibration(counts)], [group[1] for group in calibration(counts)])
        for name, counts in curves.items()
    }
    charts = [
        _curves(roc, "False positive rate", "True positive rate", "ROC"),
        _curves(recall, "Recall", "Precision", "Precision and recall"),
        _curves(gain, "Share of rows, likeliest first", "Share of what happened found", "Gain"),
        _curves(calibrated, "Predicted probability", "Observed share", "Calibration", point=True),
    ]
    return alt.concat(*charts, columns=2, title=title)


def segments_figure(title: str, profiles: pd.DataFrame, tried: pd.DataFrame) -> alt.HConcatChart:
    """Each segment beside the average customer, and the quality of each number of segments that was tried."""
    relative = (
        alt.Chart(profiles)
        .mark_rect()
        .encode(
            x=alt.X("feature:N", title=None, axis=alt.Axis(labelAngle=-35), sort=None),
            y=alt.Y("segment:N", title=None, axis=alt.Axis(labelLimit=320)),
            color=alt.Color("deviation:Q", title="SDs from mean", scale=alt.Scale(scheme="blueorange", domainMid=0)),
        )
    )
    text = (
        alt.Chart(profiles)
        .mark_text(fontSize=11)
        .encode(
            x=alt.X("feature:N", sort=None),
            y="segment:N",
            text=alt.Text("value:Q", format=",.0f"),
            color=alt.condition("abs(datum.deviation) > 0.7", alt.value("white"), alt.value("black")),
        )
    )
    quality = tried.melt("k", ["silhouette", "stability"], "measure", "value")
    choice = (
        alt.Chart(quality)
        .mark_line(point=True)
        .encode(
            x=alt.X("k:O", title="Number of segments", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("measure:N", title=None),
        )
    )
    profile = (relative + text).properties(
        width=420, height=46 * profiles["segment"].nunique(), title="Median of each feature"
    )
    sides: alt.HConcatChart = alt.hconcat(
        profile, choice.properties(width=SIDE, height=SIDE, title="Choice of k"), title=title
    )
    resolved: alt.HConcatChart = sides.resolve_scale(color="independent")
    return resolved


def save(chart: alt.TopLevelMixin, path: Path) -> Path:
    """Draw a chart into a PNG file."""
    chart.save(str(path), scale_factor=2)
    return path


def _curves(
    curves: Mapping[str, tuple[Iterable[float], Iterable[float]]], x: str, y: str, title: str, *, point: bool = False
) -> alt.Chart:
    points = pd.concat(
        [_thinned(pd.DataFrame({"x": list(xs), "y": list(ys), "model": name})) for name, (xs, ys) in curves.items()]
    )
    unit = alt.Scale(domain=[0, 1])
    chart: alt.Chart = (
        alt.Chart(points)
        .mark_line(point=point, clip=True)
        .encode(
            x=alt.X("x:Q", title=x, scale=unit),
            y=alt.Y("y:Q", title=y, scale=unit),
            color=alt.Color("model:N", title=None, sort=None),
            order="row:Q",
        )
        .properties(width=SIDE, height=SIDE, title=title)
    )
    return chart


def _thinned(points: pd.DataFrame, most: int = 400) -> pd.DataFrame:
    numbered = points.assign(row=range(len(points)))
    is_kept = numbered["row"] % max(1, len(points) // most) == 0
    is_kept.iloc[-1] = True  # a curve ends where it ends
    return numbered[is_kept]
