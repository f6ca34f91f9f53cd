"""A topic by Spark's Kafka source: its messages as a stream or in part, and what goes wrong there in words."""

import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession

from customerlake.bronze.checkpoints import Checkpoint, Offsets
from customerlake.errors import LandingError
from customerlake.runtime.feeds import StreamReader

SECONDS_TO_CONNECT = 5
OF_ENVIRONMENT = "env:"  # begins an option's value that stands in the environment: env:KAFKA_JAAS
WITHIN_BOUNDS = {
    "kafka.request.timeout.ms": "15000",
    "kafka.default.api.timeout.ms": "20000",
    "fetchOffset.numRetries": "2",
    "fetchOffset.retryIntervalMs": "500",
    "kafkaConsumer.pollTimeoutMs": "60000",
}
"""A broker that does not answer is given up within a minute. The lake file may say otherwise."""
LOST = (
    "messages were deleted from the topic before they were taken, or the topic was deleted and made again",
    'To go on without them, set failOnDataLoss: "false" under {options} for one run. Of a topic that was made again, '
    "which then begins anew, delete the folder {checkpoint} and set startingOffsets: earliest there for one run",
)
NO_TOPIC = ("there is no such topic", "Correct {stream}.topic in the lake file, or make the topic")
NO_ANSWER = ("the brokers do not answer in time", "See that they run, and that {options} say how they are spoken to")
NOT_ALLOWED = ("the brokers refuse who asks", "Correct what {options} say, or the rights on the topic")
REASONS: Mapping[str, tuple[str, str]] = {
    r"KAFKA_DATA_LOSS|data (?:may have been|was) (?:missed|lost)|may have been aged out|OffsetOutOfRange": LOST,
    "UnknownTopicOrPartition|does not host this topic": NO_TOPIC,
    r"Authenticat\w+Exception|Authorization\w*Exception|Sasl\w+Exception|SslAuth\w+": NOT_ALLOWED,
    r"kafka[\w.]*\.TimeoutException|Timed out waiting for|Cannot fetch record|Failed to construct kafka": NO_ANSWER,
}
"""What a cause says -> what happened, and what to do about it."""


class Topic:
    """The topic that a feed is read from."""

    def __init__(self, spark: SparkSession, feed: str, reader: StreamReader) -> None:
        self._spark = spark
        self._name = reader.topic
        self._options = (
            WITHIN_BOUNDS
            | {name: resolved(value, feed, name) for name, value in reader.options.items()}
            | {"kafka.bootstrap.servers": reader.brokers}
        )

    def stream(self, *, start: str, most_messages: int) -> DataFrame:
        """All its messages from `start` on, also those of partitions that are added to it."""
        limits = {"startingOffsets": start, "maxOffsetsPerTrigger": str(most_messages)}
        return (
            self._spark.readStream.format("kafka")
            .options(**(self._options | limits | {"subscribe": self._name}))
            .load()
        )

    def start(self, offsets: Offsets) -> str:
        """`offsets` as the option startingOffsets takes them."""
        return json.dumps({self._name: offsets})

    def ends(self, folder: str) -> Offsets:
        """The offset that the next message of each partition will get. A stream that takes nothing finds them out."""
        scratch = Checkpoint(folder)
        scratch.remove()
        nothing = self.stream(start="latest", most_messages=1).writeStream.format("noop")
        nothing.option("checkpointLocation", folder).trigger(availableNow=True).start().awaitTermination()
        ends = scratch.first()
        scratch.remove()
        return ends

    def part(self, first: Offsets, before: Offsets) -> DataFrame:
        """Those messages from `first` on and `before` others that the topic still has, of the partitions named."""
        limits = {
            "assign": json.dumps({self._name: list(first)}),
            "startingOffsets": self.start(first),
            "endingOffsets": self.start(before),
            "failOnDataLoss": "false",
            "kafkaConsumer.pollTimeoutMs": "5000",  # how long one waits for an offset that the topic has not given yet
        }
        return self._spark.read.format("kafka").options(**(self._options | limits)).load()


def resolved(value: str, feed: str, option: str) -> str:
    """An option's value, out of the environment where it says so. Raises: LandingError when it is not there."""
    if not value.startswith(OF_ENVIRONMENT):
        return value
    variable = value.removeprefix(OF_ENVIRONMENT)
    if variable not in os.environ:
        raise LandingError(
            f"{feed}: the option {option} is to come from the environment variable {variable}, which is not set. "
            f"Set it, or correct feeds.{feed}.stream.options in the lake file."
        )
    return os.environ[variable]


def reach(feed: str, reader: StreamReader) -> None:
    """Raises: LandingError when none of the brokers takes a connection."""
    found = []
    for broker in reader.brokers.split(","):
        host, _, port = broker.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_CONNECT).close()
            return
        except (OSError, ValueError) as error:
            found.append(f"{broker.strip()}: {getattr(error, 'strerror', None) or error}")
    raise LandingError(
        f"{feed}: no broker of the topic {reader.topic} can be reached ({'; '.join(found)}). None of its messages was "
        f"taken. See that the brokers run and can be reached from here, or correct feeds.{feed}.stream.brokers."
    )


@contextmanager
def explained(feed: str, reader: StreamReader, checkpoint: str) -> Iterator[None]:
    """What Kafka says when a topic cannot be read becomes a LandingError, without what came from the environment."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        text = str(error)
        known = next((words for pattern, words in REASONS.items() if re.search(pattern, text)), None)
        if known is None and not isinstance(error, StreamingQueryException):  # no fault of the topic
            raise
        what, advice = known or ("Spark cannot read it", "Correct {stream} in the lake file")
        stream = f"feeds.{feed}.stream"
        raise LandingError(
            f"{feed}: the topic {reader.topic} at {reader.brokers} cannot be read on: {what} "
            f"({_without_secrets(_cause(text), reader)}). What was taken before stays. "
            f"{advice.format(stream=stream, options=f'{stream}.options', checkpoint=checkpoint)}, and run again."
        ) from None  # the cause's text may hold what is taken out here


def _cause(text: str) -> str:
    """The last cause that an error names, in one line."""
    told = r"(?:Caused by: |terminated with exception: |Reason: )([^\n]+)"
    causes = re.findall(told, text) or text.strip().splitlines()[:1] or ["without a word"]
    return re.sub(r"\s+SQLSTATE: \w+.*", "", causes[-1]).strip().rstrip(".")[:300]


def _without_secrets(text: str, reader: StreamReader) -> str:
    for value in reader.options.values():
        if value.startswith(OF_ENVIRONMENT):
            secret = os.environ.get(value.removeprefix(OF_ENVIRONMENT)) or "\0"
            for part in {secret, *re.findall(r'"([^"]+)"', secret)}:
                text = text.replace(part, "***")
    return text
