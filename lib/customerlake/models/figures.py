"""The figures of a training, drawn with altair."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import altair as alt
import pandas as pd

from customerlake.models.classifiers.evaluation import (
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
