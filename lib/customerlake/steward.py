"""The commands `customerlake identity ...`: what a data steward asks and decides."""

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Shown

from customerlake.runtime import job
from customerlake.runtime.lock import locked
from customerlake.runtime.tables import without_engine
from customerlake.silver.identity import stewardship
from customerlake.silver.identity_decisions import NOT_SAME, OPEN, SAME

identity = typer.Typer(
    help="Who is who: why records are linked, what is to be reviewed, and what you decide.", no_args_is_help=True
)
Root = Annotated[str, typer.Option("--root", help="Folder of the lake.")]
Record = Annotated[str, typer.Argument(help="<source>:<number>, crm_profiles:C123 or shop:17850 for example.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for those who come after you.")]


@identity.command()
def explain(record: Record, other: Record, root: Root = job.DEFAULT_ROOT) -> None:
    """Say why two records are linked or not: what was compared, how it agreed, what that tells."""
    lake = without_engine(root)
    first, second = stewardship.identity_of(lake, [record, other])
    found = stewardship.explained(lake, record, other)
    console = _console()
    if found is None:
        console.print("No rule compared them, or too little spoke for it (identity.review_probability).")
    else:
        link, told = found
        shown = Shown("compared", "agreement", "bits", box=None)
        for one in told:
            shown.add_row(one.comparison, one.level, f"{one.weight:+.1f}")
        shown.add_row("all together", link["state"], f"{link['match_weight']:+.1f}")
        console.print(shown)
        console.print(
            f"Probability that they are one person's: {link['match_probability']:.4f}, found by {link['found_by']}."
        )
    if first["customer_id"] == second["customer_id"]:
        console.print(f"Both are customer {first['customer_id']}.")
    else:
        console.print(f"They are customers {first['customer_id']} and {second['customer_id']}.")


@identity.command()
def review(
    root: Root = job.DEFAULT_ROOT, most: Annotated[int, typer.Option("--most", min=1, help="Pairs to show.")] = 20
) -> None:
    """List the pairs in the grey zone on which nobody has decided yet, the likeliest first."""
    rows = stewardship.to_review(without_engine(root), most)
    shown = Shown("probability", "record", "other record", "found by", box=None)
    for row in rows:
        shown.add_row(f"{row['match_probability']:.3f}", row["record_l"], row["record_r"], row["found_by"])
    console = _console()
    console.print(shown if rows else "Nothing is to be reviewed.")


@identity.command()
def same(record: Record, other: Record, root: Root = job.DEFAULT_ROOT, reason: Reason = None) -> None:
    """Decide that two records are one person's."""
    _decide(root, record, other, SAME, reason)


@identity.command("not-same")
def not_same(record: Record, other: Record, root: Root = job.DEFAULT_ROOT, reason: Reason = None) -> None:
    """Decide that two records are not one person's, whatever else speaks for it."""
    _decide(root, record, other, NOT_SAME, reason)


@identity.command()
def undecide(record: Record, other: Record, root: Root = job.DEFAULT_ROOT, reason: Reason = None) -> None:
    """Take a decision on two records back."""
    _decide(root, record, other, OPEN, reason)


@identity.command()
def unmerge(
    customer: Annotated[str, typer.Argument(help="The customer that became part of another.")],
    root: Root = job.DEFAULT_ROOT,
) -> None:
    """Take the last merge of a customer back; the next run gives both profiles as they were."""
    now = datetime.now(UTC)
    lake = without_engine(root)
    with locked(lake.root, "identity", run_id="", started_at=now):
        other, count = stewardship.unmerge(lake, customer, decided_by=getpass.getuser(), decided_at=now)
    typer.echo(f"{count} records are {customer}'s again, apart from {other}'s, once `customerlake run` has run.")


def _console() -> Console:
    """Wide enough for two whole records a line: they are there to be copied."""
    return Console(highlight=False, width=max(Console().width, 150))


def _decide(root: str, record: str, other: str, decision: str, reason: str | None) -> None:
    now = datetime.now(UTC)
    lake = without_engine(root)
    with locked(lake.root, "identity", run_id="", started_at=now):
        stewardship.decide(lake, record, other, decision, reason=reason, decided_by=getpass.getuser(), decided_at=now)
    typer.echo(f"{record} and {other}: {decision}. `customerlake run` follows it.")
