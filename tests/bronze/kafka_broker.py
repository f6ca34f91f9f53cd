"""A real Kafka broker for tests: one node that keeps its own quorum (KRaft), started from its jars.

The jars are resolved once, as Spark resolves its own, into `.venv/kafka`; from then on no network is needed.
`python -m tests.bronze.kafka_broker` does that ahead of the tests.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from customerlake.runtime import jars
from customerlake.runtime.java import find_java

COORDINATES = "org.apache.kafka:kafka_2.13:3.9.1"  # of the version of Spark's own Kafka client
FOLDER = Path(__file__).parents[2] / ".venv" / "kafka"
SECONDS_TO_START = 60


def fetch() -> Path:
    """The folder of the broker's jars, resolved when it is not there yet."""
    if FOLDER.is_dir():
        return FOLDER
    with tempfile.TemporaryDirectory(prefix="customerlake-ivy-") as scratch:
        ivy = Path(scratch)
        told = jars._submit(
            jars.spark_folder(), find_java(), ivy, "", {"spark.jars.packages": COORDINATES, "spark.jars.ivy": scratch}
        )
        assert told.returncode == 0, f"{COORDINATES} cannot be had from Maven Central:\n{told.stdout[-3000:]}"
        part = FOLDER.with_name(f".kafka.{os.getpid()}.part")
        shutil.copytree(ivy / "jars", part)
        for scala in (jars.spark_folder() / "jars").glob("scala-library-*.jar"):  # spark-submit leaves it out
            shutil.copy(scala, part)
        part.rename(FOLDER)
    return FOLDER


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """A broker that keeps its messages and its log in `folder`; its host:port. It ends with the block."""
    port, controller = _free_ports(2)
    properties = folder / "server.properties"
    properties.write_text(_settings(folder / "messages", port, controller))
    java = [str(find_java() / "bin" / "java"), "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{fetch()}/*"]
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")  # none may begin with -
    with (folder / "broker.log").open("wb") as log:
        storage = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
        subprocess.run(storage, check=True, stdout=log, stderr=log)
        process = subprocess.Popen([*java, "kafka.Kafka", str(properties)], stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "broker.log")
        yield f"localhost:{port}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _settings(messages: Path, port: int, controller: int) -> str:
    return f"""
node.id=1
process.roles=broker,controller
controller.quorum.voters=1@localhost:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://localhost:{port},CONTROLLER://localhost:{controller}
advertised.listeners=PLAINTEXT://localhost:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={messages}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.check.interval.ms=1000
log.initial.task.delay.ms=1000
"""


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while True:
        assert process.poll() is None, f"the broker ended:\n{log.read_text()[-3000:]}"
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < end, f"the broker does not answer:\n{log.read_text()[-3000:]}"
            time.sleep(0.1)


if __name__ == "__main__":
    sys.stdout.write(f"{fetch()}\n")
