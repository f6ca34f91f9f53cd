"""Take from a topic of Kafka the messages that bronze does not hold yet.

Spark's own stream reads the topic and keeps, in a checkpoint, how far. Each of its batches is one landing and one
commit of bronze.<feed>, which also holds the number of the batch: one that was written when the process was killed, and
that the checkpoint does not know as done, is not written again. The numbers belong to one checkpoint, so that those of
a new one, which begin at 0 again, are not taken for done.

What bronze holds decides where the two differ:
- The checkpoint is gone: reading goes on after the last message of each partition that bronze holds.
- The checkpoint is older or newer than bronze, as when one of them was restored or deleted, or the topic was deleted
  and made again: nothing is taken, and the message says what to do.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from customerlake.bronze.checkpoints import Checkpoint, Offsets
from customerlake.bronze.kafka import Topic, explained, reach
from customerlake.bronze.messages import records
from customerlake.contracts.source import Source, bronze_table
from customerlake.errors import LakeError, LandingError
from customerlake.runtime.feeds import Feed, StreamReader
from customerlake.runtime.job import Run

EARLIEST = -2  # as Spark's Kafka source writes it
SECONDS_TO_FINISH = 120  # a landing that has begun when the stream is to end


def take_messages(run: Run, source: Source, feed: Feed, *, stays: bool = False) -> None:
    """Append to bronze.<feed> the messages of `feed.stream` that it does not hold yet, one commit for each landing.

    With `stays` go on with what comes, every `every_seconds`, until SIGTERM or an interrupt; a landing that has begun
    is then finished.
    Raises: LandingError when the topic cannot be read, or does not go with what bronze and the checkpoint say.
    """
    if feed.stream is None:
        raise LandingError(f"{source.feed} is not read from a topic. Give it one under feeds.{source.feed}.stream.")
    reach(source.feed, feed.stream)
    landing = _Landings(run, source, feed, feed.stream)
    with explained(source.feed, feed.stream, landing.checkpoint.folder):
        landing.take(stays=stays)


class _Landings:
    """The landings of one topic."""

    def __init__(self, run: Run, source: Source, feed: Feed, reader: StreamReader) -> None:
        self.run, self.source, self.reader = run, source, reader
        self.names = feed.names(source)
        self.bronze = bronze_table(source)
        self.checkpoint = Checkpoint(f"{run.root}/checkpoints/{source.feed}")
        self.topic = Topic(run.spark, source.feed, reader)
        self.taken: list[int] = []
        self.problem: Exception | None = None

    def take(self, *, stays: bool) -> None:
        start, was_pending = self._start(), self.checkpoint.is_pending()
        try:
            self._read(start, stays=stays)
        except StreamingQueryException as error:
            if self.problem:
                raise self.problem from None
            if not was_pending or self.checkpoint.is_pending():
                raise error
            # SPARK-57438: 4.1 takes a pending batch and then fails as it reports on it; the rest is still to be taken
            self._read(start, stays=stays)
        if self.taken:
            self.run.remark(f"{self.source.feed}: {sum(self.taken)} messages taken in {len(self.taken)} landings")

    def _read(self, start: str, *, stays: bool) -> None:
        writer = (
            self.topic.stream(start=start, most_messages=self.reader.most_messages)
            .transform(records, self.source, self.names)
            .writeStream.queryName(f"land {self.source.feed}")
            .option("checkpointLocation", self.checkpoint.folder)
            .foreachBatch(self._land)
        )
        if stays:
            _stay(writer.trigger(processingTime=f"{self.reader.every_seconds} seconds").start())
        else:
            _finish(writer.trigger(availableNow=True).start())

    def _land(self, taken: DataFrame, batch: int) -> None:
        if taken.isEmpty():  # offsets without messages: the ends of transactions
            return
        landing = taken.withColumns(
            {
                "_batch": F.lit(self.run.newest_batch(self.bronze) + 1),
                "_run_id": F.lit(self.run.run_id),
                "_received_at": F.lit(self.run.started_at).cast("timestamp"),
            }
        )
        once = f"{self.source.feed} {self.checkpoint.id}", batch
        try:
            self.taken.append(self.run.append(self.bronze, self.bronze.conform(landing), once=once).rows)
        except (LakeError, PySparkException, Py4JError) as error:
            self.problem = error  # Spark passes on its text alone
            raise

    def _start(self) -> str:
        """Where a new checkpoint begins. Raises: LandingError when bronze, topic and checkpoint do not go together."""
        asked = self.reader.options.get("startingOffsets")
        if self.checkpoint.has_begun():
            self._check()
        elif asked is None and (held := self._held(since=1)):
            return self._start_after(held)
        else:
            self.checkpoint.remove()
        return asked or "earliest"

    def _start_after(self, held: dict[int, tuple[int, str]]) -> str:
        """After what bronze holds of each partition."""
        self.checkpoint.remove()  # its number may be in bronze, and batches of that number would be taken for done
        ends = self.topic.ends(f"{self.checkpoint.folder}.ends")
        if any(offset >= ends.get(partition, 0) for partition, (offset, _) in held.items()):
            raise self._made_again()
        self._compare(held, {})
        self.run.remark(f"{self.source.feed}: without a checkpoint, reading goes on after what bronze holds")
        return self.topic.start({p: held[p][0] + 1 if p in held else EARLIEST for p in ends})

    def _check(self) -> None:
        newest, done = self.run.newest_batch(self.bronze), self.checkpoint.done()
        if newest == 0 and done not in ({}, self.checkpoint.first()):
            raise self._of_another_time("newer")
        held = self._held(since=newest) if newest else {}
        self._compare(held, done)
        planned = self.checkpoint.planned()
        if any(offset >= planned.get(partition, 0) for partition, (offset, _) in held.items()):
            raise self._of_another_time("older")

    def _compare(self, held: dict[int, tuple[int, str]], done: Offsets) -> None:
        """Hold the last message of each partition that bronze holds against the topic, and what is done against it."""
        if not held:
            return
        first = {partition: offset for partition, (offset, _) in held.items()}
        before = {partition: max(offset + 1, done.get(partition, 0)) for partition, offset in first.items()}
        found = self.topic.part(first, before).select(
            "partition", "offset", F.sha2(F.coalesce("value", F.lit(b"")), 256)
        )
        for partition, offset, digest in found.limit(len(held) + 1).collect():
            if offset > first[partition]:
                raise self._of_another_time("newer")
            if digest != held[partition][1]:
                raise self._made_again()

    def _held(self, *, since: int) -> dict[int, tuple[int, str]]:
        """Of each partition, offset and digest of the last message that landings hold from `since` on."""
        last = F.max_by(F.struct("_line_number", "_file_digest"), F.struct("_batch", "_line_number"))
        rows = (
            self.run.lake.read(self.bronze)
            .where((F.col("_batch") >= since) & (F.substring_index("_source_file", "/", 1) == self.reader.topic))
            .groupBy(F.substring_index("_source_file", "/", -1).cast("int").alias("partition"))
            .agg(last.alias("last"))
            .collect()
        )
        return {row["partition"]: (row["last"][0], row["last"][1]) for row in rows}

    def _made_again(self) -> LandingError:
        return LandingError(
            f"{self.source.feed}: the topic {self.reader.topic} at {self.reader.brokers} no longer has the messages "
            f"that {self.bronze.name} holds under the same offsets: it was deleted and made again, or is another one "
            "of that name. Nothing was taken. To take all that it has as new, delete the folder "
            f"{self.checkpoint.folder} and set startingOffsets: earliest under feeds.{self.source.feed}.stream.options "
            "for one run."
        )

    def _of_another_time(self, age: str) -> LandingError:
        return LandingError(
            f"{self.source.feed}: the checkpoint {self.checkpoint.folder} is {age} than {self.bronze.name}: one of "
            "them was restored or deleted. Nothing was taken. Delete the folder of the checkpoint and run again: "
            f"reading then goes on after the last messages that {self.bronze.name} holds."
        )


def _finish(query: StreamingQuery) -> None:
    try:
        query.awaitTermination()
    finally:
        query.stop()


def _stay(query: StreamingQuery) -> None:
    with _asked_to_end() as is_asked:
        try:
            while not is_asked.is_set() and not query.awaitTermination(1):
                pass
            _end(query)
        except (Py4JError, OSError):
            if not is_asked.is_set():
                raise  # else Java was told to end as well, and has: what it had begun is taken next time


def _end(query: StreamingQuery) -> None:
    """End a stream between two landings."""
    latest = time.monotonic() + SECONDS_TO_FINISH
    while query.isActive and query.status["isTriggerActive"] and time.monotonic() < latest:
        time.sleep(0.1)
    query.stop()


@contextmanager
def _asked_to_end() -> Iterator[threading.Event]:
    """Set by SIGTERM and by an interrupt, while the block runs in the main thread; elsewhere nobody may listen."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            with suppress(TypeError):  # one that was not set from Python
                signal.signal(number, handler)
