"""The figures of lifetime value: purchases by week beside the model's, and who is still alive."""

import altair as alt
import pandas as pd

WIDTH, HEIGHT = 420, 260
OVERLAP = 0.55  # of cells with the next: side by side they would show seams


def tracking_figure(title: str, weeks: pd.DataFrame) -> alt.HConcatChart:
    """Repeat purchases in each week, and up to it, as observed and as expected; the model saw those left of the line.

    `weeks` as `weekly_tracking` makes it: week_ends_on, observed, expected, is_holdout.
    """
    summed = weeks.assign(observed=weeks["observed"].cumsum(), expected=weeks["expected"].cumsum())
    seen = pd.to_datetime(weeks.loc[~weeks["is_holdout"], "week_ends_on"]).max()
    left, right = (
        _lines(frame, seen, heading)
        for frame, heading in ((weeks, "Repeat purchases in the week"), (summed, "Repeat purchases up to the week"))
    )
    both: alt.HConcatChart = alt.hconcat(left, right, title=title)
    return both


def p_alive_figure(title: str, matrix: pd.DataFrame, *, age_days: int) -> alt.Chart:
    """The probability of being alive by the days from first to last purchase, and the number of repeat purchases.

    `matrix` as `p_alive_matrix` makes it: frequency, recency, p_alive.
    """
    step = max(1.0, age_days / max(1, matrix["recency"].nunique() - 1))
    most = int(matrix["frequency"].max())
    cells = matrix.assign(
        left=(matrix["recency"] - step / 2).clip(lower=0.0),
        right=(matrix["recency"] + step * OVERLAP).clip(upper=age_days),
        below=matrix["frequency"] - 0.5,
        above=matrix["frequency"] + OVERLAP,
    )
    across = alt.Scale(domain=[0, age_days], nice=False)
    shades = alt.Scale(scheme="viridis", domain=[0, 1])
    up = alt.Scale(domain=[-0.5, most + 0.5], nice=False)
    chart: alt.Chart = (
        alt.Chart(cells)
        .mark_rect(clip=True)
        .encode(
            x=alt.X("left:Q", title=f"Days from first to last purchase, of {age_days:,} as a customer", scale=across),
            x2="right:Q",
            y=alt.Y("below:Q", title="Repeat purchases", scale=up, axis=alt.Axis(tickMinStep=1, format="d")),
            y2="above:Q",
            color=alt.Color("p_alive:Q", title="P(alive)", scale=shades),
        )
        .properties(width=WIDTH, height=HEIGHT + 60, title=title)
    )
    return chart


def _lines(weeks: pd.DataFrame, seen: pd.Timestamp, title: str) -> alt.LayerChart:
    points = weeks.melt("week_ends_on", ["observed", "expected"], "series", "purchases")
    points["week_ends_on"] = pd.to_datetime(points["week_ends_on"])
    lines = (
        alt.Chart(points)
        .mark_line()
        .encode(
            x=alt.X("week_ends_on:T", title="Week to"),
            y=alt.Y("purchases:Q", title=None, scale=alt.Scale(zero=True)),
            color=alt.Color("series:N", title=None, sort=["observed", "expected"]),
            strokeDash=alt.StrokeDash("series:N", sort=["observed", "expected"], legend=None),
        )
    )
    border = alt.Chart(pd.DataFrame({"seen": [seen]})).mark_rule(color="grey", strokeDash=[2, 2]).encode(x="seen:T")
    layered: alt.LayerChart = alt.LayerChart(layer=[lines, border], width=WIDTH, height=HEIGHT, title=title)
    return layered
