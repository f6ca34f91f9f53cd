"""What the command prints: progress while it runs, the summary after, and views of the lake."""

from collections.abc import Mapping, Sequence
from time import perf_counter
from types import TracebackType

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table as Grid

from customerlake.contracts.source import Source
from customerlake.contracts.table import Table
from customerlake.errors import ConfigError, LakeError
from customerlake.runtime.job import Run
from customerlake.runtime.outcome import Outcome
from customerlake.runtime.pipeline import Step
from customerlake.runtime.tables import Lake
from customerlake.silver.order_lines import ORDER_LINES

MOST_NAMED = 4
TO_LOOK_AT = ("publish.early_warning", "gold.kpis", "scores.outcome")
WIDE = 92  # columns that the summary takes with every step's share of the time
MARKS = {
    "succeeded": "[green]✓[/]",
    "unchanged": "[dim]·[/]",
    "lacking": "[dim]-[/]",
    "refused": "[yellow]![/]",
    "failed": "[red]✗[/]",
}


class Progress:
    """One line per finished step, and a moving line that says what the current one does."""

    def __init__(self, console: Console, steps: int) -> None:
        self.console = console
        self.steps = steps
        self.number = 0
        self.step: Step | None = None
        self.begun = perf_counter()
        self.status = console.status("starting")

    def __enter__(self) -> "Progress":
        self.status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.status.stop()

    def begin(self, step: Step) -> None:
        self.number += 1
        self.step = step
        self.say(step.makes)

    def say(self, text: str) -> None:
        name = self.step.name if self.step else "starting"
        self.status.update(f"{self.number:>2}/{self.steps} [bold]{name}[/]  [dim]{escape(text)}[/]")

    def end(self, outcome: Outcome) -> None:
        step = outcome.step
        wrote = _wrote(outcome)
        said = "; ".join(filter(None, [wrote, *outcome.remarks])) or _without_table(outcome)
        line = f"{MARKS[outcome.state]} {self.number:>2}/{self.steps} {step.name:<22}{outcome.seconds:>7.1f} s"
        self.console.print(f"{line}  [dim]{escape(said)}[/]", highlight=False, soft_wrap=True)


def _wrote(outcome: Outcome) -> str:
    """The tables written; of many, how many they are: the summary names them."""
    rows: dict[str, int] = {}
    for written in outcome.written:
        rows[written.table] = rows.get(written.table, 0) + written.rows
    if len(rows) > MOST_NAMED:
        return f"{sum(rows.values()):,} rows in {len(rows)} tables"
    return ", ".join(f"{table} {count:,}" for table, count in rows.items())


def _repeated(table: str) -> str:
    return "exact duplicates" if table == ORDER_LINES.name else "repeated or older states"


def summary(console: Console, run: Run, outcomes: Sequence[Outcome]) -> None:
    """Rows in and out per table, seconds per step, models beside baselines, where all lies, what to look at."""
    console.print()
    console.print(_tables_written(run, outcomes, with_share=console.width >= WIDE))
    for outcome in outcomes:
        for name, counts in outcome.counts.items():
            console.print(
                f"Every row is accounted for in {name}: {counts.received:,} received = {counts.accepted:,} accepted + "
                f"{counts.quarantined:,} quarantined + {counts.duplicates:,} {_repeated(name)}",
                soft_wrap=True,
            )
    if any(outcome.models for outcome in outcomes):
        console.print()
        console.print(_models(outcomes))
    for outcome in outcomes:
        for text in outcome.refused:
            console.print(f"[yellow]refused[/] {escape(text)}", soft_wrap=True)
        if outcome.message:
            console.print(f"[red]{outcome.step.name} failed:[/] {escape(outcome.message)}", soft_wrap=True)
    console.print(_places(run, outcomes))


def lake_map(console: Console, tables: Sequence[Table], lake: Lake) -> None:
    """Every table in path order."""
    grid = Grid(title=f"The lake {lake.root}", title_justify="left", show_lines=False)
    grid.add_column("table", no_wrap=True)
    grid.add_column("rows", justify="right", no_wrap=True)
    grid.add_column("grain")
    grid.add_column("key")
    grid.add_column("personal columns")
    layer = ""
    for table in tables:
        if layer and table.layer != layer:
            grid.add_section()
        layer = table.layer
        rows = f"{lake.count(table):,}" if lake.exists(table) else "-"
        grid.add_row(table.name, rows, table.grain, ", ".join(table.key), ", ".join(table.personal_columns))
    console.print(grid)


def feeds(console: Console, sources: Mapping[str, Source], chosen: str | None) -> None:
    """Every feed, or the columns of one. Raises: ConfigError for a feed that there is not."""
    if chosen is None:
        grid = Grid("feed", "grain", "key", "columns", title="Feeds of a lake file", title_justify="left")
        for name, source in sources.items():
            grid.add_row(name, source.grain, ", ".join(source.key) or "the whole record", str(len(source.columns)))
        console.print(grid)
        return
    if chosen not in sources:
        raise ConfigError(f"There is no feed {chosen!r}. The feeds are: {', '.join(sources)}.")
    source = sources[chosen]
    grid = Grid("column", "type", "", "meaning", "personal", title=f"{chosen}: {source.grain}", title_justify="left")
    for column in source.columns:
        need = "required" if column.name in source.required else "may lack" if column.is_optional else ""
        words = column.doc + (f" [{column.unit}]" if column.unit else "")
        words += f"; one of {', '.join(column.one_of)}" if column.one_of else ""
        grid.add_row(column.name, column.type.simpleString(), need, escape(words), column.personal or "")
    console.print(grid)


def rows_of(console: Console, table: Table, lake: Lake, rows: int) -> None:
    """Some rows of a table: across the screen where they fit, else one under the other."""
    found = lake.head(table, rows)
    columns = [name for name in table.column_names if name in found.column_names]
    console.print(
        f"{table.name}: {table.grain}. {lake.count(table):,} rows, version {lake.version(table)}.", soft_wrap=True
    )
    texts = [[_shown(value) for value in found[name].to_pylist()] for name in columns]
    widths = [max([len(name), *map(len, column)]) for name, column in zip(columns, texts, strict=True)]
    if sum(widths) + 3 * len(widths) <= console.width:
        grid = Grid(*columns)
        for row in zip(*texts, strict=True):
            grid.add_row(*map(escape, row))
        console.print(grid)
        return
    for number, row in enumerate(zip(*texts, strict=True), start=1):
        console.print(f"[dim]row {number}[/]")
        for name, value in zip(columns, row, strict=True):
            console.print(f"  {name:<{max(map(len, columns))}}  {escape(value)}", highlight=False)


def step_list(console: Console, steps: Sequence[Step]) -> None:
    grid = Grid()
    grid.add_column("step", no_wrap=True)
    grid.add_column("job", no_wrap=True)
    grid.add_column("makes")
    grid.add_column("after")
    for step in steps:
        grid.add_row(step.name, f"jobs/{step.job}", step.makes, ", ".join(step.after))
    console.print(grid)


def failure(console: Console, error: LakeError) -> None:
    console.print(f"[red]customerlake:[/] {escape(str(error))}", soft_wrap=True, highlight=False)


def _tables_written(run: Run, outcomes: Sequence[Outcome], *, with_share: bool) -> Grid:
    total = sum(outcome.seconds for outcome in outcomes)
    grid = _plain("What this run did")
    grid.add_column("step", no_wrap=True)
    for heading in ("seconds", *(["share"] if with_share else []), "rows in"):
        grid.add_column(heading, justify="right", no_wrap=True)
    grid.add_column("table", no_wrap=True)
    grid.add_column("rows out", justify="right", no_wrap=True)
    for outcome in outcomes:
        if outcome.state == "lacking":
            continue
        share = [f"{outcome.seconds / total if total else 0:.0%}"] if with_share else []
        read = sum(run.lake.count(name) for name in outcome.versions_read)
        step = [outcome.step.name, f"{outcome.seconds:.1f}", *share, f"{read:,}" if read else ""]
        for written in outcome.written:
            grid.add_row(*step, written.table, f"{written.rows:,}")
            step = [""] * len(step)
        if not outcome.written:
            grid.add_row(*step[:-1], "", f"[dim]{_without_table(outcome)}[/]")
    grid.add_section()
    grid.add_row("all", f"{total:.1f}")
    return grid


def _plain(title: str) -> Grid:
    return Grid(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def _without_table(outcome: Outcome) -> str:
    if outcome.models:
        return ", ".join(f"model {model.name} {model.version}" for model in outcome.models)
    return "; ".join(outcome.remarks) or "nothing new"


def _models(outcomes: Sequence[Outcome]) -> Grid:
    grid = _plain("Models, judged on what they have not seen")
    for heading in ("model", "version", "what", "metric"):
        grid.add_column(heading, no_wrap=True)
    for heading in ("model's", "baseline's"):
        grid.add_column(heading, justify="right")
    shown = ("roc_auc", "pr_auc", "lift_top_tenth", "brier", "spend_mae", "silhouette", "stability")
    for model in (model for outcome in outcomes for model in outcome.models):
        alias = " = champion" if model.is_champion else ""
        first = (model.name, f"{model.version}{alias}", model.what)
        for metric in (name for name in shown if name in model.metrics):
            baseline = f"{model.baseline[metric]:.3f}" if metric in model.baseline else ""
            grid.add_row(*first, metric, f"{model.metrics[metric]:.3f}", baseline)
            first = ("", "", "")
    return grid


def _places(run: Run, outcomes: Sequence[Outcome]) -> Panel:
    root = run.root
    lines = [
        f"Tables    {root}/<layer>/<table>, Delta",
        *[f"Export    {path}" for outcome in outcomes for path in outcome.exports],
        f"Models    mlflow ui --backend-store-uri sqlite:///{root}/mlflow/mlflow.db",
        f"Log       {root}/logs/{run.run_id}.log",
        "",
        *[
            f"{'Look at' if place == 0 else '':<10}customerlake {view} --root {root}"
            for place, view in enumerate([*[f"show {name}" for name in TO_LOOK_AT if run.lake.exists(name)], "tables"])
        ],
    ]
    return Panel(
        "\n".join(map(escape, lines)), title="Where everything lies, and what to look at next", title_align="left"
    )


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return "" if value is None else str(value)
