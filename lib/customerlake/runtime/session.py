"""Start an engine, each with what it needs."""

import atexit
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import yaml
from pyspark.sql import SparkSession

from customerlake.errors import EngineError
from customerlake.runtime.config import shipped
from customerlake.runtime.engines import Engine
from customerlake.runtime.jars import delta_jars_present
from customerlake.runtime.java import find_java

REQUIRED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
}


def preferred(root: str, catalog: str | None = None) -> Engine:
    """The faster engine that can take a lake at `root`: sail, where it is installed and the path is plain ASCII.

    Sail takes spaces and accents in a path for something else; it was tried on local paths alone.
    """
    is_plain = re.fullmatch(r"[\w./~-]+", root, re.ASCII) is not None
    return "sail" if is_plain and not catalog and importlib.util.find_spec("pysail") else "spark"


def start(engine: Engine = "spark", *, jvm_log: Path | None = None) -> SparkSession:
    """A session of `engine`, on this machine; under spark-submit, the session that it prepared.

    What the JVM says goes to `jvm_log`, where one is given.
    Raises: JavaMissing when `engine` is spark and no Java 17 or 21 is found; EngineError when pysail is not installed.
    """
    if engine == "sail":
        return _sail()
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return _of_databricks()
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return _submitted()
    with _standard_error_in(jvm_log):
        return _local()


@contextmanager
def _standard_error_in(file: Path | None) -> Iterator[None]:
    """Processes that begin inside write their standard error to `file`; this one's own is as before when it ends."""
    if file is None:
        yield
        return
    sys.stderr.flush()
    own = os.dup(2)
    with file.open("ab") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(own, 2)
        os.close(own)


def is_sail(spark: SparkSession) -> bool:
    """Whether a session that was started here is sail's."""
    return hasattr(spark, "_customerlake_server")


def stop(spark: SparkSession) -> None:
    """End a session, and the server behind it where this process started one."""
    spark.stop()
    if server := getattr(spark, "_customerlake_server", None):
        server.stop()
        for name in ("SPARK_CONNECT_MODE_ENABLED", "SPARK_REMOTE"):  # else pyspark's functions still speak to a server
            os.environ.pop(name, None)


def _submitted() -> SparkSession:
    builder = SparkSession.builder  # of the name that it was submitted under
    for key, value in REQUIRED.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    _ship_own_wheel(spark)
    return spark


def _of_databricks() -> SparkSession:
    """The session that the platform holds ready, also on serverless, where only such settings can be made."""
    spark = SparkSession.builder.getOrCreate()
    for key in ("spark.sql.session.timeZone", "spark.sql.ansi.enabled"):
        spark.conf.set(key, REQUIRED[key])
    return spark


def _ship_own_wheel(spark: SparkSession) -> None:
    """Let the workers import this package out of the wheel that was submitted: on their path Spark puts zips alone."""
    package = Path(__file__).parents[2]
    if package.suffix == ".whl" and package.is_file():
        folder = Path(tempfile.mkdtemp(prefix="customerlake-wheel-"))
        atexit.register(
            shutil.rmtree, folder, ignore_errors=True
        )  # not before: executors fetch it with their first task
        spark.addArtifacts(str(shutil.copyfile(package, folder / f"{package.stem}.zip")), pyfile=True)


def _local() -> SparkSession:
    os.environ["JAVA_HOME"] = str(find_java())
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_HOSTNAME", "localhost")  # no look-up of a name that a laptop may not have
    values = _values("local")
    values["spark.driver.extraJavaOptions"] += f' -Dlog4j2.configurationFile="{_log_settings()}"'
    builder = SparkSession.builder.appName("customerlake")
    for key, value in (values | REQUIRED).items():
        builder = builder.config(key, value)
    if not delta_jars_present():
        from delta import configure_spark_with_delta_pip  # only then: it asks Ivy, which needs the network once

        builder = configure_spark_with_delta_pip(builder)
    return builder.getOrCreate()


def _values(of: str) -> dict[str, str]:
    """The values of conf/spark/<of>.yaml."""
    values: dict[str, str] = yaml.safe_load((shipped("conf") / "spark" / f"{of}.yaml").read_text(encoding="utf-8"))
    return values


def _log_settings() -> Path:
    """The log settings as a file, also when the package is a zip."""
    source = shipped("conf") / "spark" / "log4j2.properties"
    if isinstance(source, Path):
        return source
    with resources.as_file(source) as extracted:
        copy = Path(tempfile.gettempdir()) / "customerlake-log4j2.properties"
        copy.write_bytes(extracted.read_bytes())
        return copy


def _sail() -> SparkSession:
    for name, value in _values("sail").items():  # before it is loaded
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", message="WARN WindowExpression: No Partition")  # windows over months, not rows
    try:
        from pysail.spark import SparkConnectServer  # an extra: absent where only JVM Spark is used
    except ImportError as error:
        raise EngineError(
            "The engine sail is asked for, and pysail is not installed in this Python. "
            "Install it (pip install 'customerlake[sail]'), or choose --engine spark."
        ) from error
    server = SparkConnectServer()
    server.start(background=True)
    _, port = server.listening_address
    session = SparkSession.builder.remote(f"sc://localhost:{port}").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session._customerlake_server = server  # type: ignore[attr-defined]  # a collected server stops, and its client then waits for ever
    return session
