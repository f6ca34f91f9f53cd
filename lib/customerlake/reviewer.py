"""The commands `customerlake models ...`: what a reviewer of models asks and decides."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table as Shown

from customerlake.errors import LakeError
from customerlake.runtime import job

if TYPE_CHECKING:
    from customerlake.models.registry import Registry, Version

models = typer.Typer(
    help="Versions of models: list, read and compare them, promote one, go back, approve.", no_args_is_help=True
)
Root = Annotated[str, typer.Option("--root", help="Folder of the lake.")]
Model = Annotated[str, typer.Argument(help="churn, purchase_intent, segments, lifetime_value or outcome.")]
Number = Annotated[str, typer.Argument(metavar="VERSION", help="As `customerlake models list` shows it.")]


@models.command("list")
def list_versions(model: Annotated[str | None, typer.Argument()] = None, root: Root = job.DEFAULT_ROOT) -> None:
    """Every version: as of when, with which alias, how good on held-out rows, and who approved it."""
    with _told() as console:
        registry = _registry(root)
        shown = Shown("model", "version", "as of", "alias", "held out", "approved", box=None)
        for name in [model] if model else registry.models():
            for version in registry.versions(name):
                shown.add_row(
                    name, version.number, str(version.as_of), _alias(version), _held_out(version), _approved(version)
                )
        console.print(shown if shown.rows else "No model is registered yet.")


@models.command()
def card(model: Model, version: Number, root: Root = job.DEFAULT_ROOT) -> None:
    """The model card of a version, in plain words."""
    with _told() as console:
        registry = _registry(root)
        console.print(Markdown(registry.card(registry.version(model, version))))


@models.command()
def compare(model: Model, version: Number, other: Number, root: Root = job.DEFAULT_ROOT) -> None:
    """Two versions beside each other: parameters that differ, and all metrics."""
    with _told() as console:
        registry = _registry(root)
        both = [registry.version(model, number) for number in (version, other)]
        shown = Shown("", *[f"version {one.number}" for one in both], box=None)
        for values in ([registry.params(one) for one in both], [registry.metrics(one) for one in both]):
            for name in sorted({*values[0], *values[1]}):
                mine, its = (one.get(name) for one in values)
                if mine != its or isinstance(mine, float):
                    shown.add_row(name, _cell(mine), _cell(its))
        console.print(shown)


@models.command()
def search(
    model: Model,
    where: Annotated[str, typer.Option("--where", help="As MLflow filters runs: metrics.roc_auc > 0.7")] = "",
    by: Annotated[str, typer.Option("--by", help="A metric; the highest first.")] = "roc_auc",
    most: Annotated[int, typer.Option("--most", min=1)] = 20,
    root: Root = job.DEFAULT_ROOT,
) -> None:
    """Runs of a model's trainings, candidates too, by a filter on parameters, metrics and tags."""
    with _told() as console:
        shown = Shown("run", "name", "as of", by, box=None)
        for found in _registry(root).search(model, where, by=by, most=most):
            shown.add_row(found.run_id[:8], found.name, found.as_of, _cell(found.metric))
        console.print(shown if shown.rows else f"No run of {model} is so.")


@models.command()
def promote(model: Model, version: Number, root: Root = job.DEFAULT_ROOT) -> None:
    """Make a version the champion, which scores; the one before becomes the challenger."""
    with _told() as console:
        registry = _registry(root)
        registry.promote(registry.version(model, version))
        console.print(
            f"Version {version} of {model} is the champion. Score by it: customerlake run --from score_{model}"
        )


@models.command()
def rollback(model: Model, root: Root = job.DEFAULT_ROOT) -> None:
    """Give the alias champion back to the version that had it before."""
    with _told() as console:
        version = _registry(root).roll_back(model)
        console.print(f"Version {version.number} of {model}, as of {version.as_of}, is the champion again.")


@models.command()
def approve(
    model: Model,
    version: Number,
    by: Annotated[str | None, typer.Option("--by", help="Who has read the card; without it, who is logged in.")] = None,
    root: Root = job.DEFAULT_ROOT,
) -> None:
    """Write down, as tags of a version and its run, who has read its card and lets it be used."""
    with _told() as console:
        registry, name = _registry(root), by or getpass.getuser()
        registry.approve(registry.version(model, version), by=name, on=datetime.now(UTC).date())
        console.print(f"Version {version} of {model} is approved by {name}.")


def _registry(root: str) -> "Registry":
    from customerlake.models.registry import Registry  # MLflow takes seconds, and other commands do without it

    return Registry(root)


@contextmanager
def _told() -> Iterator[Console]:
    """A console; an error of the lake ends the command in words."""
    try:
        yield Console(highlight=False)
    except LakeError as error:
        Console(stderr=True, highlight=False).print(str(error), style="red")
        sys.exit(1)


def _alias(version: "Version") -> str:
    return "champion" if version.is_champion else "challenger" if version.is_challenger else ""


def _held_out(version: "Version") -> str:
    found = {
        name.removeprefix("holdout_"): value for name, value in version.tags.items() if name.startswith("holdout_")
    }
    return ", ".join(f"{name} {float(found[name]):.3f}" for name in SHOWN if name in found)


SHOWN = ("roc_auc", "pr_auc", "brier", "silhouette", "stability", "spend_mae", "purchases_mae")


def _approved(version: "Version") -> str:
    by = version.tags.get("approved_by")
    return f"{by}, {version.tags.get('approved_on')}" if by else ""


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
