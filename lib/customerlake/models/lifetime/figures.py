"""The figures of lifetime value: purchases by week and by past beside the models', who is still alive, who is worth
what, and how much of all spend the best customers are told to bring."""

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd

from customerlake.models.lifetime.holdout import MOST_PAST

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
        right=(matrix["recency"] + step * OVERLAP + 1).clip(upper=age_days),  # recencies are of whole days
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


def conditional_figure(title: str, table: pd.DataFrame) -> alt.HConcatChart:
    """Mean purchases and spend after the date by repeat purchases before it, as observed and by each model.

    `table` as `conditional_expectations` makes it.
    """
    left, right = (
        _by_past(table, what, heading)
        for what, heading in (("purchases", "Purchases after the date"), ("spend", "Spend after the date"))
    )
    both: alt.HConcatChart = alt.hconcat(left, right, title=title)
    resolved: alt.HConcatChart = both.resolve_scale(color="shared")
    return resolved


def gain_figure(title: str, curves: Mapping[str, pd.DataFrame]) -> alt.LayerChart:
    """The share of spend after the date by the share of customers, those first who are foretold to spend most.

    `curves` as `gain` makes them, by name: customers, spend.
    """
    points = pd.concat([_thinned(curve).assign(model=name) for name, curve in curves.items()])
    share, whole = alt.Axis(format="%"), alt.Scale(domain=[0, 1])
    lines = (
        alt.Chart(points)
        .mark_line()
        .encode(
            x=alt.X("customers:Q", title="Share of customers, highest foretold spend first", axis=share, scale=whole),
            y=alt.Y("spend:Q", title="Share of spend after the date", axis=share, scale=whole),
            color=alt.Color("model:N", title=None, sort=None),
        )
    )
    chance = (
        alt.Chart(pd.DataFrame({"customers": [0, 1], "spend": [0, 1]}))
        .mark_line(color="grey", strokeDash=[2, 2], strokeWidth=1)
        .encode(x="customers:Q", y="spend:Q")
    )
    layered: alt.LayerChart = alt.LayerChart(layer=[lines, chance], width=WIDTH, height=HEIGHT + 60, title=title)
    return layered


def value_figure(title: str, distribution: pd.DataFrame) -> alt.HConcatChart:
    """How many customers are worth how much, and which share of all value the most valuable hold.

    `distribution` as `value_distribution` makes it: value_from, value_to, customers, value.
    """
    ends = np.log10([distribution["value_from"].min(), distribution["value_to"].max()])
    amount = alt.Axis(format="~s", values=[10.0**power for power in range(int(ends[0]) - 1, int(ends[1]) + 2)])
    bars = (
        alt.Chart(distribution.assign(none=0))
        .mark_bar()
        .encode(
            x=alt.X("value_from:Q", title="Lifetime value", scale=alt.Scale(type="log", nice=False), axis=amount),
            x2="value_to:Q",
            y=alt.Y("customers:Q", title="Customers", axis=alt.Axis(format="~s")),
            y2="none:Q",
        )
        .properties(width=WIDTH, height=HEIGHT, title="Customers by lifetime value")
    )
    shares = distribution.sort_values("value_from", ascending=False)[["customers", "value"]].cumsum()
    curve = pd.concat([pd.DataFrame({"customers": [0.0], "value": [0.0]}), shares / shares.iloc[-1]])
    share = alt.Axis(format="%")
    line = (
        alt.Chart(curve)
        .mark_line()
        .encode(
            x=alt.X("customers:Q", title="Share of customers, most valuable first", axis=share),
            y=alt.Y("value:Q", title="Share of all lifetime value", axis=share),
        )
        .properties(width=HEIGHT, height=HEIGHT, title="Who holds the value")
    )
    both: alt.HConcatChart = alt.hconcat(bars, line, title=title)
    return both


def _by_past(table: pd.DataFrame, what: str, title: str) -> alt.Chart:
    columns = {what: "observed"} | {
        name: name.removeprefix(f"{what}, ") for name in table.columns if name.startswith(f"{what}, ")
    }
    points = table.rename(columns=columns).melt("past_purchases", list(columns.values()), "series", "mean")
    points["past"] = [f"{past}+" if past == MOST_PAST else str(past) for past in points["past_purchases"]]
    chart: alt.Chart = (
        alt.Chart(points)
        .mark_line(point=True)
        .encode(
            x=alt.X("past:N", title="Repeat purchases before the date", sort=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("mean:Q", title="Mean per customer", axis=alt.Axis(format=",~r")),
            color=alt.Color("series:N", title=None, sort=None),
        )
        .properties(width=WIDTH - 60, height=HEIGHT, title=title)
    )
    return chart


def _thinned(curve: pd.DataFrame, most: int = 400) -> pd.DataFrame:
    """Some of many points, the first and the last among them."""
    step = max(1, len(curve) // most)
    return curve[(pd.RangeIndex(len(curve)) % step == 0) | (pd.RangeIndex(len(curve)) == len(curve) - 1)]


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
