"""What a job is given (`Run`): one run over one lake."""

import hashlib
import logging
import os
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake import __version__
from customerlake.contracts.table import Table
from customerlake.errors import ConfigError, ContractError
from customerlake.runtime import replays, session
from customerlake.runtime.changes import Changes
from customerlake.runtime.config import LakeFile, load_lake_file
from customerlake.runtime.engines import NAMES, Engine, engine_for, require
from customerlake.runtime.named_tables import NamedLake
from customerlake.runtime.outcome import Counts, Outcome, TrainedModel
from customerlake.runtime.pipeline import OBSERVED
from customerlake.runtime.replays import REPLAYS, replayed_since
from customerlake.runtime.runs import last_success, last_success_of_any_date
from customerlake.runtime.tables import Lake, Written

log = logging.getLogger(__name__)

DEFAULT_ROOT = "./lake"
SCHEDULED_BY_CONF = {
    "databricks_job": "spark.databricks.job.id",
    "databricks_run": "spark.databricks.job.runId",
    "databricks_cluster": "spark.databricks.clusterUsageTags.clusterId",
}
SCHEDULED_BY_VARIABLE = {
    "emr_serverless_application": "SERVERLESS_EMR_APPLICATION_ID",
    "emr_serverless_job": "SERVERLESS_EMR_JOB_ID",
    "emr_cluster": "EMR_CLUSTER_ID",
    "emr_step": "EMR_STEP_ID",
}
"""Tags by which a reviewer finds the scheduled run in Databricks' or Amazon's console."""


@dataclass(frozen=True)
class Increment:
    """From where a step goes on: the date of what it last made, and what came and went since in each of its inputs."""

    since: date
    changes: Mapping[Table, Changes]


class Run:
    """One run over one lake: its values, its tables and its record. Jobs use nothing else of the world.

    `engine` None: the lake file's, else the faster one that can take the lake.
    """

    def __init__(
        self,
        *,
        root: str = DEFAULT_ROOT,
        as_of: date | None = None,
        lake_file: str | None = None,
        catalog: str | None = None,
        retrain: bool = False,
        engine: Engine | None = "spark",
        spark: SparkSession | None = None,
        on_progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.config: LakeFile = load_lake_file(lake_file)
        self.started_at = datetime.now(UTC)
        self.run_id = f"{self.started_at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
        self.retrain = retrain
        self._asked_as_of = as_of
        self._given_spark = spark
        self._started: SparkSession | None = None
        self._started_engine: Engine | None = None
        self.jvm_log: Path | None = None  # what the JVM says goes there, when it is set before the engine starts
        self.progress = on_progress
        where = root if "://" in root else str(Path(root).resolve())
        self.engine: Engine = engine or self.config.engine or session.preferred(where, catalog)
        if catalog:
            require(self.engine, ("tables by name", "table history"), f"--catalog {catalog}")
        self.lake = NamedLake(where, catalog, lambda: self.spark) if catalog else Lake(where, lambda: self.spark)
        self.lake.prepare_root()
        self.outcome: Outcome | None = None

    @property
    def spark(self) -> SparkSession:
        """The engine that the step needs, started when it asks: JVM Spark for trainings, else the one asked for."""
        needs = self.outcome.step.needs if self.outcome else ()
        if self._given_spark is not None:
            require(self.engine, needs, self.outcome.step.name if self.outcome else "")
            return self._given_spark
        needed = engine_for(needs, self.engine)
        if self._started and self._started_engine != needed:  # one process speaks to one engine at a time
            session.stop(self._started)
            self._started = None
        if self._started is None:
            self.progress(f"starting {NAMES[needed]}")
            self._started_engine, self._started = needed, session.start(needed, jvm_log=self.jvm_log)
        return self._started

    def stop(self) -> None:
        """End the engine that this run has started."""
        if self._started:
            session.stop(self._started)
            self._started = None

    @property
    def root(self) -> str:
        return self.lake.root

    @property
    def as_of(self) -> date:
        """Last day of the observation period: --as-of, else the last day with an order.

        Raises: ConfigError when the lake holds no order, or none by that day.
        """
        first, last = self._observed_days()
        if first is None or last is None:
            raise ConfigError(f"The lake {self.root} holds no order yet. Land sales first: `customerlake run`.")
        if self._asked_as_of and self._asked_as_of < first:
            raise ConfigError(
                f"--as-of {self._asked_as_of} is before the first order in {self.root}, which is of {first}; "
                f"the last is of {last}. Choose a day from {first} on."
            )
        return self._asked_as_of or last

    @property
    def first_ordered_on(self) -> date:
        """First day with an order. Raises: ConfigError when the lake holds none."""
        first, _ = self._observed_days()
        return first or self.as_of

    def _observed_days(self) -> tuple[date | None, date | None]:
        return self.lake.smallest(*OBSERVED), self.lake.largest(*OBSERVED)

    def read(self, table: Table) -> DataFrame:
        self._current.versions_read.setdefault(table.name, self.lake.version(table))
        return self.lake.read(table)

    @property
    def fingerprint(self) -> str:
        """Digest of the lake file's settings and of the code's version: what else than its input decides on a table."""
        settings = self.config.model_dump_json(exclude={"engine"})
        return hashlib.sha256(f"{__version__} {settings}".encode()).hexdigest()[:16]

    @property
    def has_new_settings(self) -> bool:
        """Whether the lake file or the code's version changed since the step last succeeded."""
        last = last_success(self.lake, self._current.step.name, None)
        return last is not None and last["fingerprint"] != self.fingerprint

    def increment(
        self,
        *,
        made: Sequence[Table],
        of: Sequence[Table],
        unchanged: Sequence[Table] = (),
        beside: Sequence[str] = (),
    ) -> Increment | None:
        """What came and went in the tables `of` since the step last made all of `made`; None: make all anew.

        That is so when the step never succeeded, or by other settings, or for a later as_of; when somebody else wrote
        its tables since; when a table of `unchanged` changed, or what changed in one of `of` cannot be told; when what
        the steps `beside`, whose rows it reads, had made by then was of other versions of `of` than it read itself.
        """
        last = last_success_of_any_date(self.lake, self._current.step.name)
        if last is None or last["fingerprint"] != self.fingerprint or last["as_of"] > self.as_of:
            return None
        read, written = dict(last["versions_read"] or ()), dict(last["versions_written"] or ())
        if any(written.get(table.name) != self.lake.version(table) for table in made):
            return None
        if any(read.get(table.name, -1) != self.lake.version(table) for table in unchanged):
            return None
        if not all(self._was_beside(step, last, {table.name for table in of}) for step in beside):
            return None
        changes = {}
        for table in of:
            told = self.lake.changes_since(read.get(table.name, -1), table)
            if told is None:
                return None
            changes[table] = told
        return Increment(last["as_of"], changes)

    def _was_beside(self, step: str, last: Mapping[str, Any], tables: Collection[str]) -> bool:
        """Whether the rows of another step that `last` read were made of the same versions of the tables."""
        maker = last_success(self.lake, step, last["as_of"], before=last["started_at"])
        read = dict(last["versions_read"])
        return maker is not None and all(
            read.get(name, version) == version for name, version in maker["versions_read"] if name in tables
        )

    def read_if_any(self, table: Table) -> DataFrame | None:
        """None where the lake does not have the table, as it lacks the feed."""
        return self.read(table) if self.lake.exists(table) else None

    def read_as_of(self, table: Table) -> DataFrame:
        """The rows of this run's as_of."""
        return self.read(table).where(F.col("as_of") == F.lit(self.as_of))

    def inputs(self) -> dict[str, tuple[str, int]]:
        """Path and Delta version of each table that the step has read."""
        return {name: (self.lake.path(name), version) for name, version in self._current.versions_read.items()}

    @property
    def observed_on(self) -> date:
        """The day on which the attributes of a table of customers were true."""
        feed = self.config.feeds.customer_attributes
        if feed is None:
            raise ConfigError("The lake file names no feed customer_attributes. Name it under feeds.")
        return feed.observed_on

    def tags(self, as_of: date | None = None) -> dict[str, str]:
        """What a reviewer needs to find this run again."""
        return {
            "run_id": self.run_id,
            "as_of": str(as_of or self.as_of),
            "lake": self.config.name,
            "customerlake": __version__,
            **self._scheduled_by(),
        }

    def _scheduled_by(self) -> dict[str, str]:
        """The run of the schedule that started this one, where there is one."""
        of_spark = {tag: self.spark.conf.get(key, None) for tag, key in SCHEDULED_BY_CONF.items()}
        of_environment = {tag: os.environ.get(name) for tag, name in SCHEDULED_BY_VARIABLE.items()}
        return {tag: value for tag, value in (of_spark | of_environment).items() if value}

    def append(self, table: Table, df: DataFrame, *, once: tuple[str, int] | None = None) -> Written:
        return self._wrote(self.lake.append(table, df, once=once))

    def overwrite(self, table: Table, df: DataFrame) -> Written:
        return self._wrote(self.lake.overwrite(table, df))

    def replace(self, table: Table, df: DataFrame) -> Written:
        """Replace the rows of this run's as_of."""
        return self.replace_dates(table, df, dates=[self.as_of])

    def replace_dates(self, table: Table, df: DataFrame, *, dates: Sequence[date]) -> Written:
        """Replace the rows of several as_of dates in one commit."""
        listed = ", ".join(f"DATE'{day}'" for day in dates)
        return self._wrote(self.lake.replace(table, df, where=f"as_of IN ({listed})"))

    def add_batch(self, table: Table, df: DataFrame, batch: int) -> Written:
        """Add the rows of one landing; when it was taken before and not recorded, those that are not there yet."""
        if self.newest_batch(table) < batch:
            return self.append(table, df)
        return self.merge(table, df, when_matched="false")

    def all_later(self, first: DataFrame, table: Table, column: str) -> bool:
        """Whether the instant of `first` (one row, microseconds of Unix time) is after every one that `table` holds."""
        last = self.lake.largest(table, column)
        if last is None:  # nothing is held: no need to look for the first
            return True
        row = first.first()
        # the log's statistics may leave out a part of a millisecond
        return row is not None and row[0] is not None and row[0] > last.timestamp() * 1e6 + 1000

    def is_accounted_for(self, received: DataFrame, *, by: Table, batch: int) -> bool:
        """Whether each row received in a landing is in `by`, to which the landing was appended: none broke a rule."""
        taken = self.lake.read(by).where(F.col("_batch") == batch).agg(F.sum("count_received")).first()
        return taken is not None and taken[0] == received.count()

    def ensure(self, table: Table) -> None:
        """Make the table where none exists: who looks for its rows then finds that there are none."""
        if not self.lake.exists(table):
            self.append(table, self.lake.read(table))

    def merge(self, table: Table, arrived: DataFrame, **rules: Any) -> Written:
        return self._wrote(self.lake.merge(table, arrived, **rules))

    def remove(self, table: Table, column: str, values: Sequence[str]) -> None:
        """Delete the rows that have one of the values in `column`."""
        if values:
            self._wrote(self.lake.remove(table, column, values))

    def records(self, table: Table) -> list[dict[str, Any]]:
        """The rows of a small ledger."""
        return self.lake.records(table)

    def record(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """Add rows to a small ledger."""
        if rows:
            self._wrote(self.lake.record(table, rows))

    def newest_batch(self, table: Table) -> int:
        """The number of the newest landing that `table` holds; 0 when it holds none."""
        return self.lake.largest(table, "_batch") or 0

    def watch(self, table: Table) -> None:
        """Have the step run again when the table has changed."""
        self._current.versions_read.setdefault(table.name, self.lake.version(table))

    def new_batches(self, table: Table) -> range:
        """The landings that `table` holds and that this step has not taken yet; all, when it was made anew since."""
        done = last_success(self.lake, self._current.step.name, None)
        newest = self.newest_batch(table)
        self.watch(table)
        if done and replayed_since(self.lake, table.name, done["started_at"]):
            done = None
        self._current.batches[table.name] = newest
        taken = dict(done["batches"] or ()) if done else {}
        return range(taken.get(table.name, 0) + 1, newest + 1)

    def pending_replay(self, table: Table) -> int | None:
        """The number of the replay of `table` that was asked for and is not done; None when there is none."""
        self.watch(REPLAYS)
        return replays.pending(self.lake, table.name)

    def replayed(self, table: Table, number: int, *, has_changed: bool) -> None:
        """Record that the replay of a table is done."""
        replays.done(
            self.lake, table.name, number,
            has_changed=has_changed, run_id=self.run_id, happened_at=datetime.now(UTC),
        )  # fmt: skip
        self.remark(f"{table.name} taken again from bronze: {'rows changed' if has_changed else 'nothing changed'}")

    def renew(self, made: Mapping[Table, DataFrame]) -> bool:
        """Replace tables by what was made of all their input, those that differ from it; whether any does."""
        different = {table: df for table, df in made.items() if self._differs(table, df)}
        for table, df in different.items():
            self.overwrite(table, df)
        return bool(different)

    def _differs(self, table: Table, df: DataFrame) -> bool:
        """Whether a table's rows are other than those of `df`, in any column but the technical ones."""
        kept = [F.to_json(n) if isinstance(table.schema[n].dataType, T.MapType) else F.col(n)
                for n in table.business_columns]  # fmt: skip
        ours, theirs = self.lake.read(table).select(*kept), df.select(*kept)
        return not (ours.exceptAll(theirs).isEmpty() and theirs.exceptAll(ours).isEmpty())

    def balance(self, *, received: Sequence[Table], accepted: Table, rejected: Table) -> None:
        """Account for every row that the lake ever received: received = accepted + quarantined + duplicates.

        Raises: ContractError when a row is lost or counted twice.
        """
        taken = self.lake.read(accepted).agg(F.sum("count_received")).first()
        kept = self.lake.count(accepted)
        counts = Counts(
            received=sum(map(self.lake.count, received)),
            accepted=kept,
            quarantined=self.lake.count(rejected),
            duplicates=((taken[0] if taken else None) or 0) - kept,
        )
        if counts.received != counts.accepted + counts.quarantined + counts.duplicates:
            raise ContractError(
                f"{', '.join(table.name for table in received)}: {counts.received} rows, {accepted.name} accounts for "
                f"{counts.accepted} "
                f"accepted and {counts.duplicates} duplicates, and {rejected.name} for {counts.quarantined}. "
                "Rows are lost or counted twice; do not trust the tables, and report this."
            )
        self._current.counts[accepted.name] = counts

    def report_model(
        self, name: str, version: str, what: str, metrics: dict[str, float], *,
        is_champion: bool, baseline: dict[str, float] | None = None, warnings: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Show a trained version, its baseline's metrics beside its own, and what a reviewer must look at."""
        for warning in warnings:
            self.remark(f"{name}, version {version}: {warning}")
        self._current.models.append(TrainedModel(name, version, what, metrics, baseline or {}, is_champion))

    def exported(self, path: Path) -> None:
        """Say where a file for people or other systems was written."""
        self._current.exports.append(path)
        log.info("exported path=%s", path)

    def remark(self, text: str) -> None:
        """Say something to the person who watches, at the end of the step."""
        self._current.remarks.append(text)

    def refuse(self, text: str) -> None:
        """Record that a source, file or contract stopped; the run goes on and its exit code tells."""
        self._current.refused.append(text)
        log.error("refused %s", text)

    @property
    def _current(self) -> Outcome:
        if self.outcome is None:
            raise RuntimeError("a Run is used outside of a step")
        return self.outcome

    def _wrote(self, written: Written) -> Written:
        self._current.written.append(written)
        log.info("wrote table=%s rows=%d version=%d", written.table, written.rows, written.version)
        return written
