"""Put the jars of Delta Lake and the readers beside Spark's own, once: sessions then start without network."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from importlib import metadata, util
from pathlib import Path

from customerlake.errors import LakeError
from customerlake.runtime.java import find_java

SCALA = "2.13"  # the one Scala that Spark 4 is built for
KAFKA_SOURCE = "4.1.1"  # of Spark 4.1's line; not every patch of Spark comes with one
POSTGRESQL = "42.7.7"  # its JDBC driver
OF_SPARK = ("org.apache.hadoop:hadoop-client-api", "org.apache.hadoop:hadoop-client-runtime", "org.slf4j:slf4j-api")
"""What the jars depend on and Spark brings itself, some 50 MB: not fetched."""
PLACED = ".customerlake-placed"  # in Spark's jar folder: which jars were put there, so that an upgrade takes them away
IVY_SETTINGS = "CUSTOMERLAKE_IVY_SETTINGS"  # environment: an Ivy settings file that names a mirror


def spark_folder() -> Path:
    """The folder of the installed pyspark package, found without importing it.

    Raises: LakeError when pyspark is not installed.
    """
    found = util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise LakeError(
            "pyspark is not installed in this Python. Run `make setup`, or `pip install 'customerlake[spark]'`."
        )
    return Path(found.origin).parent


def delta_coordinates(delta_version: str, spark_version: str) -> str:
    """Maven coordinates of Delta for a Spark, as delta's own `configure_spark_with_delta_pip` forms them."""
    spark_line = ".".join(spark_version.split(".")[:2])
    return f"io.delta:delta-spark_{spark_line}_{SCALA}:{delta_version}"


def delta_jars_present(spark: Path | None = None) -> bool:
    """Whether Delta's jar for the installed versions lies in Spark's `jars` folder; it is put there last."""
    return (_jar_folder(spark) / _delta_jar()).is_file()


def reader_coordinates() -> tuple[str, ...]:
    """Maven coordinates of what the readers need: Spark's Kafka source, and PostgreSQL's driver."""
    return (
        f"org.apache.spark:spark-sql-kafka-0-10_{SCALA}:{KAFKA_SOURCE}",
        f"org.postgresql:postgresql:{POSTGRESQL}",
    )


def all_jars_present(spark: Path | None = None) -> bool:
    """Whether Delta's jar and those of the readers lie in Spark's `jars` folder."""
    return all((_jar_folder(spark) / jar).is_file() for jar in map(_jar_of, _coordinates()))


def fetch(spark: Path | None = None, java_home: Path | None = None) -> tuple[str, ...]:
    """Resolve all these jars as Spark itself does, put them into Spark's `jars` folder, and return their names.

    Present already: nothing is started or changed.
    Raises: LakeError when the jars cannot be had or the folder not written; JavaMissing.
    """
    if all_jars_present(spark):
        return ()
    folder = spark or spark_folder()
    with tempfile.TemporaryDirectory(prefix="customerlake-ivy-") as ivy:
        resolved = _resolve(folder, java_home or find_java(), Path(ivy))
        try:
            return place(resolved, _jar_folder(folder), last=_delta_jar())
        except OSError as error:
            raise LakeError(
                f"The jars cannot be put into {_jar_folder(folder)}: {error.strerror}. "
                "Make that folder writable, or install into a virtual environment of your own."
            ) from error


def place(resolved: Mapping[str, Path], jars: Path, *, last: str) -> tuple[str, ...]:
    """Copy resolved jars, name -> file, into `jars`, each whole or not at all; what Spark brings itself stays Spark's.

    `last` is copied after all others, so that its presence says that all are there. Jars that an earlier call placed
    and this one does not are taken away.
    """
    record = jars / PLACED
    before = set(record.read_text(encoding="utf-8").split()) if record.exists() else set()
    of_spark = {artifact(jar.name) for jar in jars.glob("*.jar") if jar.name not in before}
    names = sorted((name for name in resolved if artifact(name) not in of_spark), key=lambda name: (name == last, name))
    record.write_text("\n".join(sorted(before.union(names))), encoding="utf-8")
    for stale in before.difference(names):
        (jars / stale).unlink(missing_ok=True)
    for name in names:
        part = jars / f".{name}.{os.getpid()}.part"
        try:
            shutil.copyfile(resolved[name], part)
            os.replace(part, jars / name)
        finally:
            part.unlink(missing_ok=True)
    record.write_text("\n".join(names), encoding="utf-8")
    return tuple(names)


def artifact(jar: str) -> str:
    """A jar's name without its version: 'delta-spark_4.1_2.13' of 'delta-spark_4.1_2.13-4.4.0.jar'."""
    return re.sub(r"-\d[^-]*(-\d[^-]*)?\.jar$", "", jar)


def _jar_folder(spark: Path | None) -> Path:
    return (spark or spark_folder()) / "jars"


def _coordinates() -> tuple[str, ...]:
    """All that is fetched, Delta first."""
    delta = delta_coordinates(metadata.version("delta-spark"), metadata.version("pyspark"))
    return delta, *reader_coordinates()


def _jar_of(coordinates: str) -> str:
    _, name, version = coordinates.split(":")
    return f"{name}-{version}.jar"


def _delta_jar() -> str:
    return _jar_of(_coordinates()[0])


def _resolve(spark: Path, java_home: Path, ivy: Path) -> dict[str, Path]:
    settings = {
        "spark.jars.packages": ",".join(_coordinates()),
        "spark.jars.excludes": ",".join(OF_SPARK),
        "spark.jars.ivy": str(ivy),
    }
    if os.environ.get(IVY_SETTINGS):
        settings["spark.jars.ivySettings"] = os.path.abspath(os.environ[IVY_SETTINGS])
    told = _submit(spark, java_home, ivy, "", settings)
    # Ivy retrieves into names like io.delta_delta-storage-4.4.0.jar: the organisation, then the jar's own name
    resolved = {jar.name.split("_", 1)[1]: jar for jar in (ivy / "jars").glob("*.jar")}
    if told.returncode != 0 or any(_jar_of(one) not in resolved for one in _coordinates()):
        raise LakeError(_unresolved(spark, told.stdout.splitlines()))
    return resolved


def _submit(
    spark: Path, java_home: Path, scratch: Path, script: str, settings: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a script by spark-submit, apart from any settings that this machine has for its other Spark work."""
    (scratch / "script.py").write_text(script, encoding="utf-8")
    command = [str(spark / "bin" / "spark-submit"), "--master", "local[2]"]
    for key, value in ({"spark.ui.enabled": "false"} | dict(settings)).items():
        command += ["--conf", f"{key}={value}"]
    ours = {
        "JAVA_HOME": str(java_home),
        "SPARK_HOME": str(spark),
        "SPARK_LOCAL_HOSTNAME": "localhost",  # a machine without network must fail at the download, not at its own name
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }
    theirs = {name: value for name, value in os.environ.items() if name != "SPARK_CONF_DIR"}
    return subprocess.run(
        [*command, str(scratch / "script.py"), str(scratch / "table")],
        env=theirs | ours,
        cwd=scratch,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def _unresolved(spark: Path, output: Iterable[str]) -> str:
    return (
        f"Spark needs jars ({', '.join(_coordinates())} and what they depend on), and they could not be fetched: "
        f"{_reason(output)}.\n"
        "Do one of these:\n"
        "  - with a network that reaches Maven Central: run the same command again;\n"
        f"  - with a mirror of it: set {IVY_SETTINGS} to an Ivy settings file that names it, and run again;\n"
        f"  - by hand: run it where there is a network, then copy {PLACED} and the jars that it lists into\n"
        f"    {_jar_folder(spark)}"
    )


def _reason(output: Iterable[str]) -> str:
    """What stopped Ivy, in one line of its own words; the network's reasons first, as Ivy's follow from them."""
    lines = [line.strip() for line in output if line.strip()]
    exception = r'(?:Exception in thread "main"|Caused by:) [\w.$]+: (.+)'
    for telling in (r"\(java[\w.$]*\.(\w+: .+)\)$", r"(Host \S+ not found)", exception):
        for line in lines:
            if found := re.search(telling, line):
                return found[1]
    return lines[-1] if lines else "spark-submit said nothing"


def main() -> None:
    """`python -m customerlake.runtime.jars`, which the set-up calls."""
    started = time.monotonic()
    try:
        made = f"{len(fetch())} jars put beside Spark's own"
    except LakeError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{made}, {time.monotonic() - started:.0f} s\n")


if __name__ == "__main__":
    main()
