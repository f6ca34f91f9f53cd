"""The figures of segments: what sets each apart, how the number was chosen, where customers lie, how many there are."""

from collections.abc import Sequence
from textwrap import wrap

import altair as alt
import numpy as np
import pandas as pd

from customerlake.models.segmentation.choice import Gap
from customerlake.models.segmentation.clustering_fits import METHODS
from customerlake.models.segmentation.names import axis_in_words, label
from customerlake.models.segmentation.numbers import Axis, FittedSegments, Segment

DEEPEST = 2.0  # standard deviations from which a shade of the profiles is as deep as it gets
SIDE = 240
ROW = 44
NAME_WIDTH = 360  # of a segment's name on an axis
SUPPORTED, NOT_SUPPORTED = "one more gains nothing", "one more gains"
PALETTE = [
    "#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#b279a2", "#eeca3b", "#9d755d", "#ff9da6", "#79706e",
    "#9ecae9", "#ffbf79", "#88d27a", "#b79a20", "#439894", "#d6a5c9", "#d8b5a5", "#83bcb6", "#fcbfd2", "#bab0ac",
]  # fmt: skip
CELL = 92  # of a heat map, in which a feature's name must fit in two lines


def profiles_figure(title: str, fitted: FittedSegments) -> alt.LayerChart:
    """The medians of each segment, coloured by how far its mean customer is from that of all."""
    rows = pd.DataFrame(
        [
            {
                "segment": segment.name,
                "feature": "\n".join(wrap(label(name), 14)),
                "median": shown(segment.medians[name]),
                "deviation": segment.deviations[name],
            }
            for segment in by_id(fitted)
            for name in fitted.names
        ]
    )
    across = alt.X(
        "feature:N",
        title=None,
        sort=None,
        axis=alt.Axis(labelAngle=0, ticks=False, labelExpr="split(datum.label, '\\n')"),
    )
    down = alt.Y("segment:N", title=None, sort=None, axis=alt.Axis(labelLimit=NAME_WIDTH))
    shades = alt.Scale(scheme="blueorange", domain=[-DEEPEST, DEEPEST], clamp=True)
    cells = (
        alt.Chart(rows)
        .mark_rect(stroke="white")
        .encode(x=across, y=down, color=alt.Color("deviation:Q", title=["Mean, in SDs", "from all"], scale=shades))
    )
    ink = alt.condition(f"abs(datum.deviation) > {0.65 * DEEPEST}", alt.value("white"), alt.value("black"))
    medians = alt.Chart(rows).mark_text(fontSize=12).encode(x=across, y=down, text="median:N", color=ink)
    chart: alt.LayerChart = (cells + medians).properties(
        width=CELL * len(fitted.names),
        height=ROW * len(fitted.segments),
        title=alt.TitleParams(title, subtitle="The median of each feature in each segment", anchor="start"),
    )
    return chart


def choice_figure(title: str, fitted: FittedSegments, *, min_stability: float) -> alt.HConcatChart:
    """Silhouette and stability of every method, and the gap statistic, by the number of segments."""
    rows = pd.DataFrame([one.model_dump(exclude={"found_again"}) for one in fitted.tried])
    rows["is_taken"] = [one == fitted.taken for one in fitted.tried]
    border = alt.Chart(pd.DataFrame({"stability": [min_stability]})).mark_rule(strokeDash=[4, 3], color="#777")
    panels = {
        "Silhouette": _lines(rows, "silhouette", "Mean over customers", legend=alt.Legend(orient="bottom")),
        f"Found again, {min_stability:g} at least": border.encode(y="stability:Q")
        + _lines(rows, "stability", "Mean adjusted Rand index", legend=None),
        "Gap statistic of k-means": _gaps(fitted.gaps),
    }
    charts: alt.HConcatChart = alt.hconcat(
        *[panel.properties(title=name, width=SIDE, height=SIDE) for name, panel in panels.items()],
        title=alt.TitleParams(title, subtitle=f"Taken, and ringed: {fitted.taken.name}"),
    ).resolve_scale(color="independent")
    return charts


def map_figure(title: str, fitted: FittedSegments, matrix: np.ndarray, groups: np.ndarray) -> alt.Chart:
    """Customers by their first two principal components, without ids. `groups` are places in `fitted.segments`."""
    places, names = fitted.places(matrix), np.array([segment.name for segment in fitted.segments])
    rows = pd.DataFrame({"first": places[:, 0], "second": places[:, 1], "segment": names[groups]})
    first, second = fitted.axes
    chart: alt.Chart = (
        alt.Chart(rows)
        .mark_circle(size=16, opacity=0.6)
        .encode(
            x=alt.X("first:Q", title=_axis_title(first)),
            y=alt.Y("second:Q", title=_axis_title(second)),
            color=_colour(fitted, alt.Legend(labelLimit=NAME_WIDTH, symbolOpacity=1)),
        )
        .properties(
            width=2 * SIDE,
            height=int(1.6 * SIDE),
            title=alt.TitleParams(
                title,
                subtitle=f"{len(rows):,} customers by the two principal components of the features",
                anchor="start",
            ),
        )
    )
    return chart


def sizes_figure(title: str, fitted: FittedSegments) -> alt.LayerChart:
    """How many of the customers that were learnt from are in each segment."""
    rows = pd.DataFrame(
        [
            {
                "segment": segment.name,
                "customers": segment.customers,
                "told": f"{segment.customers:,} ({segment.customers / fitted.customers:.0%})",
            }
            for segment in by_id(fitted)
        ]
    )
    down = alt.Y("segment:N", title=None, sort=None, axis=alt.Axis(labelLimit=NAME_WIDTH))
    across = alt.X(
        "customers:Q",
        title="Customers learnt from",
        axis=alt.Axis(tickMinStep=1, format=",d", tickCount=5),
        scale=alt.Scale(domain=[0, 1.3 * float(rows["customers"].max())], nice=False),  # with room for the numbers
    )
    bars = alt.Chart(rows).mark_bar().encode(x=across, y=down, color=_colour(fitted, None))
    told = alt.Chart(rows).mark_text(align="left", dx=4).encode(x=across, y=down, text="told:N")
    chart: alt.LayerChart = (bars + told).properties(
        width=int(1.5 * SIDE), height=ROW * len(rows), title=alt.TitleParams(title, anchor="start")
    )
    return chart


def by_id(fitted: FittedSegments) -> list[Segment]:
    return sorted(fitted.segments, key=lambda segment: segment.id)


def shown(value: float | None) -> str:
    """A number for people; a dash where nothing is known."""
    if value is None:
        return "–"
    return (
        f"{value:,.0f}"
        if abs(value) >= 100 or value == round(value)
        else f"{value:,.1f}"
        if abs(value) >= 10
        else f"{value:.2g}"
    )


def _lines(rows: pd.DataFrame, measure: str, title: str, *, legend: alt.Legend | None) -> alt.LayerChart:
    x = alt.X("k:O", title="Number of segments", axis=alt.Axis(labelAngle=0))
    y = alt.Y(f"{measure}:Q", title=title, scale=alt.Scale(domain=[min(0.0, float(rows[measure].min())), 1]))
    methods = alt.Scale(domain=list(METHODS), range=["#4c78a8", "#f58518", "#54a24b"])
    colour = alt.Color("method:N", title=None, scale=methods, legend=legend)
    lines = alt.Chart(rows).mark_line(point=True).encode(x=x, y=y, color=colour)
    ring = alt.Chart(rows[rows["is_taken"]]).mark_point(size=220, strokeWidth=2, color="black").encode(x=x, y=y)
    both: alt.LayerChart = lines + ring
    return both


def _gaps(gaps: Sequence[Gap]) -> alt.LayerChart:
    rows = pd.DataFrame([one.model_dump() for one in gaps])
    rows = rows.assign(low=rows["gap"] - rows["error"], high=rows["gap"] + rows["error"])
    rows["rule"] = np.where(rows["is_supported"], SUPPORTED, NOT_SUPPORTED)
    x = alt.X("k:O", title="Number of segments", axis=alt.Axis(labelAngle=0))
    title, shades = (
        "Gap, and its standard error",
        alt.Scale(domain=[SUPPORTED, NOT_SUPPORTED], range=["#2a9d5c", "#999"]),
    )
    line = (
        alt.Chart(rows).mark_line(color="#bbb").encode(x=x, y=alt.Y("gap:Q", title=title, scale=alt.Scale(zero=False)))
    )
    errors = alt.Chart(rows).mark_rule(color="#777").encode(x=x, y=alt.Y("low:Q", title=title), y2="high:Q")
    points = alt.Chart(rows).mark_circle(size=70, opacity=1)
    chart: alt.LayerChart = (
        line
        + errors
        + points.encode(
            x=x, y="gap:Q", color=alt.Color("rule:N", title=None, scale=shades, legend=alt.Legend(orient="bottom"))
        )
    )
    return chart


def _colour(fitted: FittedSegments, legend: alt.Legend | None) -> alt.Color:
    names = [segment.name for segment in by_id(fitted)]
    return alt.Color("segment:N", title=None, legend=legend, scale=alt.Scale(domain=names, range=PALETTE[: len(names)]))


def _axis_title(axis: Axis) -> list[str]:
    lines = wrap(axis_in_words(axis.loadings), 60)
    return [*lines[:-1], f"{lines[-1]} ({axis.variance_share:.0%} of the spread)"]
