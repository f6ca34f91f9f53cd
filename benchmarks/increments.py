"""What one more day costs after 1, 10, 100 and 300 days of history: the daily feeds of the demo lake, step by step.

    .venv/bin/python benchmarks/increments.py

Tills, web shop and clickstream land a file each day. Each history is a lake of its own in which the day after it is
landed and taken through bronze and silver, in a process that has worked before. Times are noisy: compare within a call.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from contenders.customerlake_jobs import done
from customerlake.demo.lake import make_demo
from customerlake.runtime import job, session

DAILY = ("pos_sales", "web_orders", "web_events")
STEPS = (
    "land_files", "records", "order_lines", "customer_records", "identities", "orders", "cancellations", "customers",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--history", type=int, nargs="+", default=[1, 10, 100, 300], help="days before the one timed")
    parser.add_argument("--customers", type=int, default=4372)
    values = parser.parse_args()
    spark = session.start("sail")
    shown = Table(
        "days before", "rows before", "rows of the day", *STEPS, "all", title="seconds for one more day, on sail"
    )
    with tempfile.TemporaryDirectory(prefix="customerlake-increments-") as name:
        folder = Path(name)
        make_demo(spark, str(folder / "demo"), customers=values.customers, seed=20, progress=lambda text: None)
        landed = folder / "demo" / "landing"
        days = sorted(one.name for one in (landed / "pos_sales").iterdir() if one.name.startswith("day="))
        for history in values.history:
            lake = folder / f"after-{history}"
            text = (folder / "demo" / "demo.yaml").read_text(encoding="utf-8")
            (lake / "landing").mkdir(parents=True)
            (lake / "demo.yaml").write_text(text, encoding="utf-8")
            for feed in landed.iterdir():  # the others have nothing: their folders are empty
                (lake / "landing" / feed.name).mkdir()
            run = job.Run(root=str(lake / "lake"), lake_file=str(lake / "demo.yaml"), spark=spark, engine="sail")
            land(landed, lake / "landing", days[:history])
            for step in STEPS:
                done(run, step)
            before = received(run)
            land(landed, lake / "landing", days[history : history + 1])
            seconds = [done(run, step).seconds for step in STEPS]
            shown.add_row(
                f"{history:,}", f"{before:,}", f"{received(run) - before:,}",
                *(f"{second:.2f}" for second in (*seconds, sum(seconds))),
            )  # fmt: skip
    Console(width=130).print(shown)


def land(source: Path, target: Path, days: Sequence[str]) -> None:
    for feed in DAILY:
        for day in days:
            for file in (source / feed / day).glob("*"):
                (target / feed / day).mkdir(exist_ok=True)
                os.link(file, target / feed / day / file.name)


def received(run: job.Run) -> int:
    return sum(run.lake.count(f"bronze.{feed}") for feed in DAILY)


if __name__ == "__main__":
    main()
