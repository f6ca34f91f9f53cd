"""customerlake's own steps, from landed files to gold.rfm and gold.customer_value, in one process.

The steps are the jobs that `customerlake run` runs, without those whose work no other contender does.
"""

from time import perf_counter

STARTED = perf_counter()

import argparse
import json
from pathlib import Path

from customerlake.runtime import job
from customerlake.runtime.config import shipped
from customerlake.runtime.outcome import Outcome
from customerlake.runtime.pipeline import step_named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--landing", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--engine", choices=("sail", "spark"), default="sail")
    parser.add_argument("--start-when-needed", action="store_true", help="no engine where there is nothing to do")
    values = parser.parse_args()
    run = job.Run(root=str(values.root), lake_file=str(lake_file(values.landing, values.root)), engine=values.engine)
    if not values.start_when_needed:
        run.spark.sql("SELECT 1").collect()
    cold_start = perf_counter() - STARTED
    stages = {
        "bronze": done(run, "land_files").seconds,
        "silver": done(run, "order_lines").seconds + done(run, "orders").seconds,
        "gold": done(run, "value").seconds,
    }
    print(json.dumps({"cold_start": cold_start, "stages": stages}))


def lake_file(landing: Path, root: Path) -> Path:
    """The lake file of the real sales, for plain files in `landing`."""
    values = (shipped("conf") / "lakes" / "online_retail.yaml").read_text(encoding="utf-8")
    values = values.replace("path: embedded", f"path: {landing.resolve()}").replace('"*.csv.gz"', '"*.csv"')
    file = root.with_suffix(".yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(values, encoding="utf-8")
    return file


def done(run: job.Run, step: str) -> Outcome:
    """Do a step of the pipeline, or end the program with what stopped it."""
    outcome = job.execute(step_named(step), run)
    if outcome.message or outcome.refused:
        raise SystemExit(f"{step}: {outcome.message or outcome.refused}")
    return outcome


if __name__ == "__main__":
    main()
