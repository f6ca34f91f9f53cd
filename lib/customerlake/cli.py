"""The command `customerlake`: run the pipeline, and look at what the lake holds."""

import logging
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from customerlake import terminal
from customerlake.bronze.inspection import inspect_command
from customerlake.bronze.sources import SOURCES
from customerlake.bronze.streams import take_messages
from customerlake.catalogue import CATALOGUE, table_named
from customerlake.demo.lake import make_demo
from customerlake.errors import ConfigError, LakeError
from customerlake.reviewer import models
from customerlake.runtime import job, pipeline, replays
from customerlake.runtime.lock import locked
from customerlake.runtime.outcome import Outcome
from customerlake.runtime.tables import without_engine
from customerlake.silver.feeds import silver_of
from customerlake.steward import identity


class Engine(StrEnum):
    sail = "sail"
    spark = "spark"


USAGE, FAILED, REFUSED = 2, 1, 3
DEMO = "demo"

app = typer.Typer(
    help="Analytic CRM on a lakehouse: from landed sales to the tables that people act on.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(identity, name="identity")
app.add_typer(models, name="models")
LakeFile = Annotated[
    str | None,
    typer.Option(
        "--lake",
        metavar="FILE",
        help="Lake file: your feeds; `demo`: a lake with every channel, made when it is not there. "
        "Without it, the sales that ship with the package.",
    ),
]
EngineOption = Annotated[
    Engine | None,
    typer.Option(
        "--engine", help="Of steps that run on either: sail or spark. [default: the lake file's, or sail where it can]"
    ),
]
Root = Annotated[str, typer.Option("--root", help="Folder of the lake; made when it is not there.")]


@app.command()
def run(
    root: Root = job.DEFAULT_ROOT,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=["%Y-%m-%d"],
            help="Last day of the observation period; by default the last day with an order.",
        ),
    ] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="STEP", help="Run this step alone.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="STEP", help="Run this step and all after it.")] = None,
    lake: LakeFile = None,
    catalog: Annotated[
        str | None,
        typer.Option("--catalog", help="Tables are <catalog>.<layer>.<table>; without it folders under the root."),
    ] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train models even when the last version is young.")
    ] = False,
    engine: EngineOption = None,
) -> None:
    """Take what is new through every layer: bronze, silver, gold, features, models, publish.

    Exit code: 0 all is well; 1 a step failed; 2 the command or lake file cannot be used; 3 files were refused and the
    rest is done.
    """
    console = _console()
    try:
        chosen = pipeline.steps(only=only, start=start)
        if lake == DEMO:
            there = Path(root) / "demo.yaml"
            lake = str(there) if there.exists() else _make_demo(console, root, engine)
        with terminal.Progress(console, len(chosen)) as progress:
            current = job.Run(
                root=root,
                as_of=as_of.date() if as_of else None,
                lake_file=lake,
                catalog=catalog,
                retrain=retrain,
                engine=engine.value if engine else None,
                on_progress=progress.say,
            )
            outcomes = _executed(chosen, current, progress)
    except LakeError as error:
        _fail(error)
    terminal.summary(console, current, outcomes)
    raise typer.Exit(_exit_code(outcomes))


def _executed(steps: Sequence[pipeline.Step], current: job.Run, progress: terminal.Progress) -> list[Outcome]:
    """The steps one after another, up to one that fails; no other run may be at work on the lake."""
    outcomes: list[Outcome] = []
    with locked(current.root, "run", run_id=current.run_id, started_at=current.started_at):
        _log_to_files(current)
        for step in steps:
            progress.begin(step)
            outcomes.append(job.execute(step, current))
            progress.end(outcomes[-1])
            if outcomes[-1].state == "failed":
                break
    return outcomes


def _exit_code(outcomes: Sequence[Outcome]) -> int:
    failed = any(outcome.state == "failed" for outcome in outcomes)
    return FAILED if failed else REFUSED if any(outcome.refused for outcome in outcomes) else 0


@app.command()
def replay(
    feed: Annotated[str, typer.Argument(help="Feed of the lake file, tickets for example.")],
    root: Root = job.DEFAULT_ROOT,
    lake: LakeFile = None,
    engine: EngineOption = None,
) -> None:
    """Take a feed from bronze again, after a rule, the lake file or a contract was corrected.

    Its silver table and quarantine are made anew from all that bronze holds: rows that now keep the rules leave
    quarantine. `customerlake run` then brings everything after it up to date. A second replay changes nothing.
    """
    console = _console()
    try:
        current = job.Run(root=root, lake_file=lake, engine=engine.value if engine else None)
        table, step = silver_of(feed, current.config)
        replays.ask(current.lake, table.name, run_id=current.run_id, happened_at=current.started_at)
        with terminal.Progress(console, 1) as progress:
            outcomes = _executed([pipeline.step_named(step)], current, progress)
    except LakeError as error:
        _fail(error)
    terminal.summary(console, current, outcomes)
    raise typer.Exit(_exit_code(outcomes))


@app.command()
def demo(
    root: Root = job.DEFAULT_ROOT,
    customers: Annotated[
        int, typer.Option("--customers", min=1, help="How many; the real sales have 4,372, more are copies of these.")
    ] = 4372,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same rows.")] = 20,
    engine: EngineOption = None,
) -> None:
    """Make a lake with every channel around the real sales: landed files, a lake file, and the truth beside them.

    Then: `customerlake run --lake ROOT/demo.yaml --root ROOT`.
    """
    console = _console()
    try:
        file = _make_demo(console, root, engine, customers=customers, seed=seed)
    except LakeError as error:
        _fail(error)
    console.print(f"The demo lake is in {root}. Next: customerlake run --lake {file} --root {root}", soft_wrap=True)


def _make_demo(console: Console, root: str, engine: Engine | None, *, customers: int = 4372, seed: int = 20) -> str:
    current = job.Run(root=root, engine=engine.value if engine else None)
    with (
        console.status("making the demo lake") as status,
        locked(current.root, "run", run_id=current.run_id, started_at=current.started_at),
    ):
        current.progress = lambda text: status.update(f"[bold]making the demo lake[/]  [dim]{text}[/]")
        file = make_demo(current.spark, current.root, customers=customers, seed=seed, progress=current.progress)
    current.stop()
    return file


@app.command()
def listen(
    feed: Annotated[str, typer.Argument(help="Feed of the lake file that is a stream.")],
    root: Root = job.DEFAULT_ROOT,
    lake: LakeFile = None,
) -> None:
    """Take the messages of a stream as they come, until it is stopped (Ctrl+C or SIGTERM); runs may go on beside it."""
    console = _console()
    try:
        current = job.Run(root=root, lake_file=lake, engine="spark")
        found = current.config.feeds.named().get(feed)
        if found is None or found.stream is None:
            raise ConfigError(
                f"The lake file names no stream {feed!r}. Give that feed `stream` with brokers and topic."
            )
        console.print(f"Taking {feed} from the topic {found.stream.topic}. Stop with Ctrl+C.")
        with locked(current.root, f"stream-{feed}", run_id=current.run_id, started_at=current.started_at):
            outcome = job.execute(
                pipeline.step_named("land_streams"),
                current,
                lambda run: take_messages(run, SOURCES[feed], found, stays=True),
            )
    except LakeError as error:
        _fail(error)
    terminal.summary(console, current, [outcome])
    raise typer.Exit(_exit_code([outcome]))


@app.command()
def feeds(
    feed: Annotated[str | None, typer.Argument(help="One of them, for its columns.")] = None,
) -> None:
    """Print the feeds that a lake may have; of one, the columns of its contract."""
    try:
        terminal.feeds(_console(), SOURCES, feed)
    except LakeError as error:
        _fail(error)


@app.command()
def inspect(
    path: Annotated[str, typer.Argument(help="A file, or a folder of files of one feed.")],
    feed: Annotated[str | None, typer.Option("--feed", help="Which feed it is, where the guess is wrong.")] = None,
) -> None:
    """Look at a file and write a first draft of a lake file for it: save it, correct it, run with it."""
    try:
        sys.stdout.write(inspect_command(path, feed))
    except LakeError as error:
        _fail(error)


@app.command()
def tables(root: Root = job.DEFAULT_ROOT) -> None:
    """Print the lake's map: every table with its grain, key, personal columns and rows."""
    terminal.lake_map(_console(), CATALOGUE, without_engine(root))


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="Name as `customerlake tables` prints it, gold.rfm for example.")],
    root: Root = job.DEFAULT_ROOT,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="How many rows.")] = 10,
) -> None:
    """Print rows of a table."""
    try:
        terminal.rows_of(_console(), table_named(table), without_engine(root), rows)
    except LakeError as error:
        _fail(error)


@app.command()
def steps() -> None:
    """Print the steps of a run, in order."""
    terminal.step_list(_console(), pipeline.PIPELINE)


def main() -> None:
    """Entry point of the command."""
    try:
        app()
    except LakeError as error:
        _fail(error)


def _console() -> Console:
    """As wide as the terminal; where there is none, wide enough for the summary."""
    return Console() if sys.stdout.isatty() or "COLUMNS" in os.environ else Console(width=110)


def _log_to_files(current: job.Run) -> None:
    """The events of a run go to a file of their own under the root, and what the JVM says to one beside it."""
    if "://" in current.root:
        return
    folder = Path(current.root) / "logs"
    folder.mkdir(exist_ok=True)
    logging.basicConfig(
        filename=folder / f"{current.run_id}.log",
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        force=True,
    )
    for noisy in ("py4j", "mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    current.jvm_log = folder / f"{current.run_id}-jvm.log"


def _fail(error: LakeError) -> None:
    terminal.failure(Console(stderr=True), error)
    sys.exit(USAGE)
