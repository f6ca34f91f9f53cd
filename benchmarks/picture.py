"""The figures as a picture: seconds and peak memory over lines, both axes logarithmic, one line a contender."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import altair as alt
import pandas as pd

from aims import GIB, Figure


def draw(figures: Sequence[Figure], names: Mapping[str, str], file: Path) -> None:
    measured = pd.DataFrame(
        {
            "lines": figure.lines,
            "contender": names[figure.contender],
            "seconds": figure.seconds,
            "peak memory (GiB)": (figure.peak_memory_bytes or 0) / GIB,
        }
        for figure in figures
        if figure.seconds
    )
    if measured.empty:
        return
    order = list(names.values())
    panels = [panel(measured, what, order) for what in ("seconds", "peak memory (GiB)")]
    title = "From landed CSV to gold on Delta: the real sales 1 to 50 times over"
    alt.hconcat(*panels, title=title).save(file, scale_factor=2)


def panel(measured: pd.DataFrame, what: str, order: list[str]) -> alt.Chart:
    ticks = sorted(measured["lines"].unique().tolist())
    return (
        alt.Chart(measured, width=380, height=320)
        .mark_line(point=True)
        .encode(
            x=alt.X("lines:Q", scale=alt.Scale(type="log", nice=False), axis=alt.Axis(values=ticks, format=".2s")),
            y=alt.Y(f"{what}:Q", scale=alt.Scale(type="log")),
            color=alt.Color("contender:N", sort=order, title=None),
        )
    )
