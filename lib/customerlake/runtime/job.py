"""How a job is run: by spark-submit (`run`), or one after another (`execute`), each with a `Run`."""

import argparse
import logging
import runpy
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from importlib import resources
from typing import Any

from customerlake.errors import ContractError, LakeError
from customerlake.runtime import pipeline
from customerlake.runtime.config import shipped
from customerlake.runtime.lock import locked_for_step
from customerlake.runtime.outcome import Outcome
from customerlake.runtime.pipeline import Step, step_of_job
from customerlake.runtime.run import DEFAULT_ROOT, Run
from customerlake.runtime.runs import RUNS, last_success, worked_since

__all__ = ["DEFAULT_ROOT", "Run", "execute", "run"]

Main = Callable[[Run], None]


def execute(step: Step, run: Run, main: Main | None = None) -> Outcome:
    """Run one step and record it in ops.runs; skip it when nothing it read has changed since its last success.

    `main` is that of a submitted job; by default the one of the step's job among those that ship with the code.
    A failure that customerlake foresees becomes an Outcome; any other exception is recorded and goes on.
    """
    outcome = run.outcome = Outcome(step)
    started_at, start = datetime.now(UTC), time.perf_counter()
    as_of: date | None = None
    if lacking := step.lacks(run.config.feeds.named()):
        outcome.state = "lacking"
        outcome.remarks.append(lacking)
        return outcome
    try:
        as_of = run.as_of if step.is_dated else None
        if _is_up_to_date(step, run, as_of):
            outcome.state = "unchanged"
            return outcome
        _refuse_without_inputs(step, run, as_of)
        (main or _main_of(step))(run)
    except LakeError as error:
        outcome.state, outcome.message = "failed", str(error)
    except BaseException as error:
        outcome.state, outcome.message = "failed", f"{type(error).__name__}: {str(error)[:500]}"
        raise
    finally:
        outcome.seconds = time.perf_counter() - start
        if outcome.state == "succeeded" and not outcome.written and not outcome.versions_read:
            outcome.state = "refused" if outcome.refused else "unchanged"
        if outcome.state != "unchanged":
            run.lake.record(RUNS, [_record(outcome, run, as_of, started_at)])
    return outcome


def run(main: Main) -> None:
    """Entry point of a job under plain spark-submit: `spark-submit --py-files WHEEL jobs/... --root ROOT`."""
    parser = argparse.ArgumentParser(description=main.__globals__.get("__doc__"))
    parser.add_argument("--root", default=DEFAULT_ROOT, help="folder of the lake")
    parser.add_argument("--as-of", type=_day, help="last day of the observation period, YYYY-MM-DD")
    parser.add_argument("--lake", help="lake file; without it the sales that ship with the package")
    parser.add_argument("--catalog", help="tables are <catalog>.<layer>.<table>; without it folders under the root")
    parser.add_argument("--retrain", action="store_true", help="train models even when the last version is young")
    values = parser.parse_args()  # a platform that always passes an option passes it empty when it is not given
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        current = Run(
            root=values.root or DEFAULT_ROOT,
            as_of=values.as_of,
            lake_file=values.lake or None,
            catalog=values.catalog or None,
            retrain=values.retrain,
        )
        step = step_of_job(sys.argv[0])
        with locked_for_step(current.root, step.name, run_id=current.run_id, started_at=current.started_at):
            outcome = execute(step, current, main)
    except LakeError as error:
        sys.exit(f"customerlake: {error}")
    for text in outcome.refused:
        sys.stderr.write(f"customerlake: {text}\n")
    if outcome.message:
        sys.exit(f"customerlake: {outcome.message}")
    if outcome.refused:
        sys.exit(3)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _main_of(step: Step) -> Main:
    with resources.as_file(shipped("jobs") / step.job) as file:  # out of the wheel, where it is read as a zip
        main: Main = runpy.run_path(str(file))["main"]
    return main


def _refuse_without_inputs(step: Step, run: Run, as_of: date | None) -> None:
    """Raises: ContractError when a table that the step reads has no rows of this as_of yet."""
    missing = [
        name
        for name in step.after
        if (before := pipeline.step_named(name)).is_of_one_date
        and before.lacks(run.config.feeds.named()) is None
        and last_success(run.lake, name, as_of if before.is_dated else None) is None
    ]
    if missing:
        raise ContractError(
            f"{step.name} for {as_of} needs what {', '.join(missing)} makes of that day, and {run.root} does not hold "
            f"it. Run `customerlake run --as-of {as_of} --from {missing[0]}`."
        )


def _is_up_to_date(step: Step, run: Run, as_of: date | None) -> bool:
    if run.retrain and step.is_training:
        return False
    last = last_success(run.lake, step.name, as_of)
    if last is None or last["fingerprint"] != run.fingerprint or not last["versions_read"]:
        return False
    if worked_since(run.lake, step.after, last["started_at"]):  # a new model, for example, leaves no new table
        return False
    read, written = dict(last["versions_read"]), dict(last["versions_written"])
    return all(run.lake.version(name) == version for name, version in read.items()) and all(
        run.lake.version(name) >= version for name, version in written.items()
    )


def _record(outcome: Outcome, run: Run, as_of: date | None, started_at: datetime) -> dict[str, Any]:
    counts = outcome.counts.values()
    written = {one.table: one.version for one in outcome.written}
    read = {table: version for table, version in outcome.versions_read.items() if table not in written}  # not its own
    return {
        "run_id": run.run_id,
        "step": outcome.step.name,
        "state": outcome.state,
        "as_of": as_of,
        "started_at": started_at,
        "seconds": round(outcome.seconds, 3),
        "rows_in": sum(count.received for count in counts),
        "rows_out": sum(written.rows for written in outcome.written),
        "rows_quarantined": sum(count.quarantined for count in counts),
        "rows_duplicate": sum(count.duplicates for count in counts),
        "batches": list(outcome.batches.items()),
        "versions_read": list(read.items()),
        "versions_written": list(written.items()),
        "fingerprint": run.fingerprint,
        "message": outcome.message or "; ".join(outcome.refused) or None,
    }
