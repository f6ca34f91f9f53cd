"""customerlake's own steps of gold over a lake of sales, or those that make its silver, in one process."""

from time import perf_counter

STARTED = perf_counter()

import argparse
from pathlib import Path

from customerlake_jobs import done, lake_file
from stages import told

from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE

GOLD = ("value", "behaviour", "lifecycle", "segment_rules", "kpis", "customer_360")
SILVER = tuple(step.name for step in PIPELINE if step.job.startswith(("bronze/", "silver/")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--landing", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--engine", choices=("sail", "spark"), default="sail")
    parser.add_argument("--layer", choices=("silver", "gold"), default="gold")
    values = parser.parse_args()
    run = job.Run(root=str(values.root), lake_file=str(lake_file(values.landing, values.root)), engine=values.engine)
    run.spark.sql("SELECT 1").collect()
    cold_start = perf_counter() - STARTED
    stages: dict[str, float] = {}
    for step in SILVER if values.layer == "silver" else GOLD:
        outcome = done(run, step)
        if values.layer == "gold" and outcome.state != "succeeded":
            raise SystemExit(f"{step}: {outcome.state}, so that its seconds would say nothing")
        stages[step] = outcome.seconds
    print(told(cold_start, stages))


if __name__ == "__main__":
    main()
