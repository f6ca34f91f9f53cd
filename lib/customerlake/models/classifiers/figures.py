"""The figures of one classifier: whom it tells right, what it looks at, what more data would bring, what it earns."""

import altair as alt
import numpy as np
import pandas as pd

from customerlake.models.classifiers.evaluation import ScoreCounts
from customerlake.models.classifiers.profit import ProfitCurve

SIDE = 260
MOST_FEATURES = 20


def confusion_figure(title: str, counts: ScoreCounts, threshold: float) -> alt.LayerChart:
    """Rows by what happened and what was told, with their share of what happened."""
    flagged = counts.probability >= threshold
    negatives = counts.rows - counts.positives
    cells = []
    for happened, of in (("happened", counts.positives), ("did not happen", negatives)):
        for told, rows in (("flagged", of[flagged].sum()), ("not flagged", of[~flagged].sum())):
            cells.append({"what": happened, "told": told, "rows": rows, "share": rows / of.sum()})
    frame = pd.DataFrame(cells)
    frame["text"] = [f"{row.rows:,.0f} ({row.share:.0%})" for row in frame.itertuples()]
    x = alt.X("told:N", title="Predicted", sort=["flagged", "not flagged"], axis=alt.Axis(labelAngle=0))
    y = alt.Y("what:N", title="Actual", sort=["happened", "did not happen"])
    rect = alt.Chart(frame).mark_rect().encode(
        x=x, y=y, color=alt.Color("share:Q", title="Share of row", scale=alt.Scale(scheme="blues", domain=[0, 1]))
    )  # fmt: skip
    text = alt.Chart(frame).mark_text(fontSize=14).encode(
        x=x, y=y, text="text:N", color=alt.condition("datum.share > 0.6", alt.value("white"), alt.value("black"))
    )  # fmt: skip
    both: alt.LayerChart = (rect + text).properties(width=SIDE + 60, height=SIDE - 80, title=title)
    return both


def importance_figure(title: str, importance: pd.DataFrame) -> alt.Chart:
    """The features that move the outcome most: columns feature, importance."""
    chart: alt.Chart = (
        alt.Chart(importance.head(MOST_FEATURES))
        .mark_bar()
        .encode(
            x=alt.X("importance:Q", title="Mean absolute SHAP value", axis=alt.Axis(tickCount=6)),
            y=alt.Y("feature:N", sort=None, title=None, axis=alt.Axis(labelLimit=260)),
        )
        .properties(width=360, title=title)
    )
    return chart


def learning_figure(title: str, learning: pd.DataFrame) -> alt.Chart:
    """ROC AUC on held-out rows by the share of customers that were learnt from: columns share, roc_auc."""
    chart: alt.Chart = (
        alt.Chart(learning)
        .mark_line(point=True)
        .encode(
            x=alt.X(
                "share:Q", title="Share of the customers", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])
            ),
            y=alt.Y("roc_auc:Q", title="ROC AUC on held-out rows", scale=alt.Scale(zero=False, padding=12)),
        )
        .properties(width=SIDE + 60, height=SIDE - 60, title=title)
    )
    return chart


def profit_figure(title: str, curve: ProfitCurve) -> alt.LayerChart:
    """Expected profit by the share of rows that are contacted, likeliest first; the best is marked."""
    share = curve.contacted / curve.contacted[-1]
    step = max(1, len(share) // 400)
    kept = np.unique(np.append(np.arange(0, len(share), step), [curve.best, len(share) - 1]))
    frame = pd.DataFrame({"share": share[kept], "profit": curve.profit[kept]})
    best = pd.DataFrame({"share": [share[curve.best]], "profit": [curve.profit[curve.best]]})
    best["text"] = f"from {curve.threshold:.2f} upwards: {curve.profit[curve.best]:,.0f}"
    x = alt.X("share:Q", title="Share of customers contacted, likeliest first", axis=alt.Axis(format="%"))
    y = alt.Y("profit:Q", title="Expected profit", axis=alt.Axis(format="~s"))
    line = alt.Chart(frame).mark_line().encode(x=x, y=y)
    point = alt.Chart(best).mark_point(filled=True, size=70, color="#d62728").encode(x=x, y=y)
    text = alt.Chart(best).mark_text(align="left", dx=8, dy=-8).encode(x=x, y=y, text="text:N")
    all_of_it: alt.LayerChart = (line + point + text).properties(width=SIDE + 140, height=SIDE - 40, title=title)
    return all_of_it
