"""Messages of a real broker: each is taken once, whatever ends the process or goes wrong between topic and lake."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from customerlake.bronze.messages import records
from customerlake.bronze.sources import SOURCES
from customerlake.bronze.streams import take_messages
from customerlake.errors import LandingError
from customerlake.runtime import job
from customerlake.runtime.outcome import Outcome
from customerlake.runtime.pipeline import step_named
from tests.bronze import kafka_broker

pytestmark = pytest.mark.spark_only

WEB_EVENTS = SOURCES["web_events"]
POS_SALES = SOURCES["pos_sales"]
MESSAGES = "key binary, value binary, topic string, partition int, offset long"
TAKING = (
    "import sys\n"
    "from customerlake.bronze.sources import SOURCES\n"
    "from customerlake.bronze.streams import take_messages\n"
    "from customerlake.runtime import job\n"
    "from customerlake.runtime.pipeline import step_named\n"
    "def main(run):\n"
    "    take_messages(run, SOURCES['web_events'], run.config.feeds.web_events)\n"
    "job.execute(step_named('land_streams'), job.Run(root=sys.argv[1], lake_file=sys.argv[2]), main)\n"
)


class Topic:
    """A topic of two partitions, and a lake that takes it as its web events."""

    def __init__(self, name: str, broker: str, admin: Any, spark: SparkSession, folder: Path) -> None:
        self.name, self.broker, self.admin, self.spark = name, broker, admin, spark
        self.root, self.lake_file = folder / "lake", folder / "lake.yaml"
        self.make()
        self.declare()

    def make(self) -> None:
        new = self.spark._jvm.org.apache.kafka.clients.admin.NewTopic(self.name, 2, 1)
        self.admin.createTopics([new]).all().get()

    def delete(self) -> None:
        self.admin.deleteTopics([self.name]).all().get()
        while self.name in self.admin.listTopics().names().get():
            time.sleep(0.05)

    def declare(self, **reader: Any) -> None:
        """Write the lake file."""
        stream = {"brokers": self.broker, "topic": self.name, "every_seconds": 1} | reader
        self.lake_file.write_text(f"name: test\ncurrency: EUR\nfeeds: {{web_events: {{stream: {stream}}}}}\n")

    def send(self, *messages: str | bytes | None, partition: int = 0) -> None:
        rows = [(one.encode() if isinstance(one, str) else one, partition) for one in messages]
        sent = self.spark.createDataFrame(rows, "value binary, partition int").coalesce(1).write.format("kafka")
        sent.option("kafka.bootstrap.servers", self.broker).option("topic", self.name).save()

    def send_events(self, *names: str, partition: int = 0) -> None:
        self.send(*[f'{{"event_id":"{name}"}}' for name in names], partition=partition)

    def take(self, *, stays: bool = False) -> Outcome:
        """What a run took. Raises: LandingError as take_messages does."""
        run = job.Run(root=str(self.root), lake_file=str(self.lake_file), spark=self.spark)
        run.outcome = Outcome(step_named("land_streams"))
        take_messages(run, WEB_EVENTS, run.config.feeds.web_events, stays=stays)
        return run.outcome

    def refusal(self) -> str:
        """Why a run took nothing."""
        before = self.events()
        with pytest.raises(LandingError) as refused:
            self.take()
        assert self.events() == before
        return str(refused.value)

    def process(self) -> subprocess.Popen[bytes]:
        """Take messages in a process with a JVM of its own."""
        command = [sys.executable, "-c", TAKING, str(self.root), str(self.lake_file)]
        with (self.root.parent / "process.log").open("ab") as log:
            return subprocess.Popen(command, start_new_session=True, stdout=log, stderr=log)

    def said(self) -> str:
        return (self.root.parent / "process.log").read_text()[-3000:]

    @property
    def checkpoint(self) -> Path:
        return self.root / "checkpoints" / "web_events"

    @property
    def table(self) -> Path:
        return self.root / "bronze" / "web_events"

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        """Rows of bronze, by partition and offset."""
        held = (
            DeltaTable(str(self.table))
            .to_pyarrow_table()
            .sort_by([("_source_file", "ascending"), ("_line_number", "ascending")])
        )
        return [tuple(row.values()) for row in held.select(list(columns)).to_pylist()]

    def offsets(self) -> list[tuple[str, int]]:
        return self.rows("_source_file", "_line_number")

    def events(self) -> list[str]:
        has_begun = (self.table / "_delta_log" / f"{0:020}.json").exists()
        return sorted(name for (name,) in self.rows("event_id")) if has_begun else []


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with kafka_broker.running(tmp_path_factory.mktemp("kafka")) as address:
        yield address


@pytest.fixture(scope="session")
def admin(spark: SparkSession, broker: str) -> Iterator[Any]:
    """Kafka's own client for making and deleting topics."""
    properties = spark._jvm.java.util.Properties()
    properties.put("bootstrap.servers", broker)
    client = spark._jvm.org.apache.kafka.clients.admin.AdminClient.create(properties)
    yield client
    client.close()


@pytest.fixture
def topic(request: pytest.FixtureRequest, broker: str, admin: Any, spark: SparkSession, tmp_path: Path) -> Topic:
    return Topic(f"t{abs(hash(request.node.name))}", broker, admin, spark, tmp_path)


@pytest.fixture
def records_of(spark: SparkSession) -> Callable[..., list[dict[str, Any]]]:
    """The records that messages (value, or key and value) become, without nulls and without where they came from."""

    def of(*messages: bytes | tuple[bytes | None, bytes | None], **columns: str) -> list[dict[str, Any]]:
        pairs = [one if isinstance(one, tuple) else (None, one) for one in messages]
        rows = [(key, value, "clicks", 1, offset) for offset, (key, value) in enumerate(pairs)]
        names = {name: columns.get(name, name) for name in WEB_EVENTS.column_names}
        found = records(spark.createDataFrame(rows, MESSAGES), WEB_EVENTS, names).orderBy("_line_number").collect()
        origin = ("_source_file", "_line_number", "_file_digest")
        return [
            {name: value for name, value in row.asDict().items() if value is not None and name not in origin}
            for row in found
        ]

    return of


def test_a_message_becomes_the_contracts_columns_and_other_keys_with_all_values_as_written(records_of):
    text = (
        '{"id":"e\\u00fc\\"1","points":1.10,"big":12345678901234567890.1234567890,"small":1E-9,"is_new":true,"none":null,'
        '"shop":{"at":[1.50 ,-0],"note":"5, 2.50,"},"long":9007199254740993}'
    )
    names = {"event_id": "id", "visitor_id": "points", "customer_id": "big", "order_id": "none", "url": "shop"}

    assert records_of(text.encode(), **names) == [
        {
            "event_id": 'eü"1',
            "visitor_id": "1.10",
            "customer_id": "12345678901234567890.1234567890",
            "url": '{"at":[1.50,-0],"note":"5, 2.50,"}',
            "_extra": {"small": "1E-9", "is_new": "true", "long": "9007199254740993"},
        }
    ]


def test_a_message_that_is_no_json_object_is_kept_as_it_is_with_its_problem(records_of):
    texts = [
        *("5", '"text"', "null", "", "{", '[{"event_id":"a"}]', '{"event_id":"a"} junk', '{"event_id":"a",}'),
        *('{"event_id":"a"}{"event_id":"b"}', '{"event_id":"a"},{"event_id":"b"}', '{"event_id":"a"}],{"b":"c"}'),
        '{"event_id":01.5}',
    ]

    kept = records_of(*[text.encode() for text in texts])

    assert kept == [{"_raw": text, "_problem": "the message is no JSON object"} for text in texts]


def test_a_message_in_another_encoding_is_kept_so_that_its_bytes_can_be_had_back(records_of):
    (kept,) = records_of(b'{"event_id":"M\xfcller"}')

    assert kept["_raw"].encode("latin-1") == b'{"event_id":"M\xfcller"}'
    assert kept["_problem"] == "the message is not UTF-8; _raw shows its bytes as Latin-1 has them"


def test_a_message_without_a_value_marks_what_its_key_names_as_deleted(records_of):
    named, quoted, in_json, unnamed = records_of(
        (b"e7", None), (b'"e8"', None), (b'{"id":"e9"}', None), (None, None), event_id="id"
    )

    assert named == {"event_id": "e7", "_is_deleted": True}
    assert quoted == {"event_id": "e8", "_is_deleted": True}
    assert in_json == {"event_id": "e9", "_is_deleted": True}
    assert unnamed == {
        "_is_deleted": True,
        "_problem": "the message has no value, and its key does not name event_id of what was deleted",
    }


def test_messages_of_a_feed_without_a_key_are_taken_and_one_without_a_value_is_kept_with_its_problem(spark):
    rows = [(b"k", b'{"order_id":"1"}', "tills", 0, 0), (b"k", None, "tills", 0, 1)]

    taken, empty = records(
        spark.createDataFrame(rows, MESSAGES), POS_SALES, {name: name for name in POS_SALES.column_names}
    ).collect()

    assert (taken["order_id"], taken["_problem"]) == ("1", None)
    assert empty["_problem"] == "the message has no value, and its key does not name a key of what was deleted"


def test_a_run_takes_all_that_is_there_a_second_one_nothing_and_a_third_what_came(topic):
    topic.send_events("a", "b", "c", "d", "e")
    topic.send("no object", partition=1)
    topic.declare(most_messages=4)

    first, second = topic.take(), topic.take()
    topic.send_events("f", partition=1)
    topic.take()

    assert [(written.rows, written.version) for written in first.written] == [(4, 0), (2, 1)]
    assert second.written == []
    assert topic.rows("_source_file", "_line_number", "event_id", "_raw") == [
        (f"{topic.name}/0", 0, "a", None),
        (f"{topic.name}/0", 1, "b", None),
        (f"{topic.name}/0", 2, "c", None),
        (f"{topic.name}/0", 3, "d", None),
        (f"{topic.name}/0", 4, "e", None),
        (f"{topic.name}/1", 0, None, "no object"),
        (f"{topic.name}/1", 1, "f", None),
    ]
    assert {batch for (batch,) in topic.rows("_batch")} == {1, 2, 3}
    digests = dict(topic.rows("event_id", "_file_digest"))
    assert digests["a"] == "11bcb8c8d81d61bd5c51a46e26ac6e4b044d1f11f079be1bc7f10ec05ea27b4a"  # sha256sum's own


def test_killed_after_the_commit_of_a_landing_and_before_the_checkpoints_each_message_is_taken_once(topic):
    topic.send_events(*"abcdef")
    topic.send_events(*"uvwxyz", partition=1)
    topic.declare(most_messages=4)
    process = topic.process()

    while not (topic.table / "_delta_log" / f"{1:020}.json").exists():
        assert process.poll() is None, topic.said()
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)  # Python and its JVM, at once
    process.wait()
    committed = [file.name for file in (topic.checkpoint / "commits").iterdir() if file.name.isdecimal()]
    topic.take()

    assert committed == ["0"]  # of the two that bronze held
    assert topic.offsets() == [(f"{topic.name}/{part}", offset) for part in (0, 1) for offset in range(6)]
    assert topic.events() == [*"abcdefuvwxyz"]
    assert {batch for (batch,) in topic.rows("_batch")} == {1, 2, 3}


def test_with_its_checkpoint_lost_reading_goes_on_after_what_bronze_holds(topic):
    topic.send_events("a", "b")
    topic.take()
    shutil.rmtree(topic.checkpoint)
    topic.send_events("c")
    topic.send_events("d", partition=1)

    outcome = topic.take()

    assert topic.events() == ["a", "b", "c", "d"]
    assert "without a checkpoint, reading goes on after what bronze holds" in outcome.remarks[0]


def test_with_an_old_checkpoint_put_back_nothing_is_taken_until_it_is_deleted(topic):
    topic.send_events("a")
    topic.take()
    shutil.copytree(topic.checkpoint, topic.root / "saved")
    topic.send_events("b")
    topic.take()
    shutil.rmtree(topic.checkpoint)
    shutil.move(topic.root / "saved", topic.checkpoint)
    topic.send_events("c")

    refusal = topic.refusal()
    shutil.rmtree(topic.checkpoint)
    topic.take()

    assert f"the checkpoint {topic.checkpoint} is older than bronze.web_events" in refusal
    assert topic.events() == ["a", "b", "c"]


def test_with_the_table_deleted_or_an_older_one_put_back_nothing_is_taken_until_the_checkpoint_is_deleted(topic):
    topic.send_events("a")
    topic.take()
    shutil.copytree(topic.table, topic.root / "saved")
    topic.send_events("b")
    topic.take()
    shutil.rmtree(topic.table)
    without_table = topic.refusal()
    shutil.move(topic.root / "saved", topic.table)

    refusal = topic.refusal()
    shutil.rmtree(topic.checkpoint)
    topic.take()

    assert without_table == refusal
    assert f"the checkpoint {topic.checkpoint} is newer than bronze.web_events" in refusal
    assert topic.events() == ["a", "b"]


def test_a_topic_made_again_is_refused_until_it_is_taken_as_new(topic):
    topic.send_events("a")
    topic.take()
    topic.delete()
    topic.make()
    topic.send_events("n", "o")

    refusal = topic.refusal()
    shutil.rmtree(topic.checkpoint)
    without_checkpoint = topic.refusal()
    topic.declare(options={"startingOffsets": "earliest"})
    topic.take()
    topic.declare()
    topic.send_events("p")
    topic.take()

    assert refusal == without_checkpoint
    assert "was deleted and made again" in refusal
    assert topic.events() == ["a", "n", "o", "p"]


def test_messages_deleted_before_they_were_taken_are_missed_in_words(topic):
    topic.send_events("a", "b", "c")
    topic.take()
    topic.delete()
    topic.make()
    topic.send_events("n")

    refusal = topic.refusal()

    assert "messages were deleted from the topic before they were taken" in refusal
    assert "failOnDataLoss" in refusal


def test_brokers_that_cannot_be_reached_are_refused_within_seconds(topic):
    topic.declare(brokers="localhost:1,127.0.0.1:1")
    began = time.monotonic()

    refusal = topic.refusal()

    assert time.monotonic() - began < 5
    assert "(localhost:1: Connection refused; 127.0.0.1:1: Connection refused)" in refusal


def test_a_topic_that_is_not_there_is_named(topic):
    topic.declare(topic="clicsk")

    refusal = topic.refusal()

    assert "the topic clicsk at localhost:" in refusal
    assert "there is no such topic" in refusal
    assert "feeds.web_events.stream.topic" in refusal


def test_a_secret_comes_from_the_environment_and_stays_out_of_messages(topic, monkeypatch):
    secret = "kafka.sasl.jaas.config"
    topic.declare(options={"kafka.security.protocol": "SASL_PLAINTEXT", secret: "env:KAFKA_JAAS"})

    unset = topic.refusal()
    monkeypatch.setenv("KAFKA_JAAS", 'no.Module required password="hunter2";')
    wrong = topic.refusal()

    assert "environment variable KAFKA_JAAS, which is not set" in unset
    assert "cannot be read" in wrong
    assert "hunter2" not in wrong


def test_while_it_stays_it_takes_what_comes_and_ends_on_sigterm(topic):
    topic.send_events("a")

    def taken(*events: str) -> None:
        while topic.events() != [*events]:
            time.sleep(0.1)

    def come_and_go() -> None:
        taken("a")
        topic.send_events("b")
        taken("a", "b")
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("nobody listened to SIGTERM"))
    threading.Thread(target=come_and_go, daemon=True).start()
    outcome = topic.take(stays=True)
    heard = signal.signal(signal.SIGTERM, before)

    assert [written.rows for written in outcome.written] == [1, 1]
    assert heard is not before  # what listened while it stayed does so no longer
    assert not topic.spark.streams.active
