"""A small fake Spark in a temporary folder: neither the network nor a JVM is used."""

from pathlib import Path

import pytest

from customerlake.errors import LakeError
from customerlake.runtime import jars
from customerlake.runtime.jars import (
    artifact,
    delta_coordinates,
    delta_jars_present,
    fetch,
    place,
)

REFUSED = """
:: resolving dependencies :: org.apache.spark#spark-submit-parent;1.0
    Server access error at url https://mirror/delta.pom (java.net.ConnectException: Connection refused)
Exception in thread "main" java.lang.RuntimeException: [unresolved dependency: io.delta#delta-spark: not found]
    at org.apache.spark.util.MavenUtils$.resolveMavenCoordinates(MavenUtils.scala:539)
"""
RETRIEVES = """
for argument in "$@"; do case "$argument" in spark.jars.ivy=*) ivy=${argument#*=} ;; esac; done
mkdir "$ivy/jars"
for name in io.delta_delta-spark_4.1_2.13-4.4.0 io.delta_delta-storage-4.4.0 org.slf4j_slf4j-api-2.0.13 \\
    org.apache.spark_spark-sql-kafka-0-10_2.13-4.1.1 org.postgresql_postgresql-42.7.7; do
    echo "$name" > "$ivy/jars/$name.jar"
done
"""


@pytest.fixture(autouse=True)
def _installed_versions(monkeypatch):
    versions = {"delta-spark": "4.4.0", "pyspark": "4.1.4"}
    monkeypatch.setattr(jars.metadata, "version", versions.__getitem__)


@pytest.fixture
def spark(tmp_path) -> Path:
    """A folder like that of the pyspark package, with one jar of its own."""
    folder = tmp_path / "pyspark"
    (folder / "bin").mkdir(parents=True)
    (folder / "jars").mkdir()
    (folder / "jars" / "slf4j-api-2.0.17.jar").touch()
    return folder


def says(spark: Path, script: str) -> None:
    submit = spark / "bin" / "spark-submit"
    submit.write_text(f"#!/bin/sh\n{script}\n")
    submit.chmod(0o755)


def jar_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != jars.PLACED)


def some_jars(folder: Path, *names: str) -> dict[str, Path]:
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name)
    return {name: folder / name for name in names}


def test_the_coordinates_are_those_that_delta_itself_forms():
    assert delta_coordinates("4.4.0", "4.1.4") == "io.delta:delta-spark_4.1_2.13:4.4.0"


@pytest.mark.parametrize(
    ("jar", "expected"),
    [
        ("delta-spark_4.1_2.13-4.4.0.jar", "delta-spark_4.1_2.13"),
        ("log4j-1.2-api-2.24.3.jar", "log4j-1.2-api"),
        ("zstd-jni-1.5.7-6.jar", "zstd-jni"),
        ("jackson-annotations-2.21.jar", "jackson-annotations"),
    ],
)
def test_a_jars_artifact_is_its_name_without_the_version(jar, expected):
    assert artifact(jar) == expected


def test_delta_is_absent_until_its_jar_for_the_installed_versions_is_there(spark):
    (spark / "jars" / "delta-spark_4.0_2.13-4.3.1.jar").touch()
    assert not delta_jars_present(spark)

    (spark / "jars" / "delta-spark_4.1_2.13-4.4.0.jar").touch()
    assert delta_jars_present(spark)


def test_what_is_resolved_is_put_beside_sparks_jars_which_stay_as_they_are(spark):
    says(spark, RETRIEVES)

    names = fetch(spark, java_home=spark)

    assert names == (
        "delta-storage-4.4.0.jar", "postgresql-42.7.7.jar", "spark-sql-kafka-0-10_2.13-4.1.1.jar",
        "delta-spark_4.1_2.13-4.4.0.jar",
    )  # fmt: skip
    assert jar_names(spark / "jars") == [
        "delta-spark_4.1_2.13-4.4.0.jar",
        "delta-storage-4.4.0.jar",
        "postgresql-42.7.7.jar",
        "slf4j-api-2.0.17.jar",
        "spark-sql-kafka-0-10_2.13-4.1.1.jar",
    ]
    assert (spark / "jars" / "delta-storage-4.4.0.jar").read_text() == "io.delta_delta-storage-4.4.0\n"


def test_with_the_jars_present_nothing_is_started(spark):
    says(spark, RETRIEVES)
    fetch(spark, java_home=spark)
    says(spark, "touch started; exit 1")

    assert fetch(spark, java_home=spark) == ()


def test_an_upgrade_takes_the_older_jars_away(spark, tmp_path):
    older = some_jars(tmp_path / "older", "delta-storage-4.3.0.jar", "delta-retired-4.3.0.jar", "delta-spark-4.3.0.jar")
    newer = some_jars(tmp_path / "newer", "delta-storage-4.4.0.jar", "delta-spark-4.4.0.jar")
    place(older, spark / "jars", last="delta-spark-4.3.0.jar")

    place(newer, spark / "jars", last="delta-spark-4.4.0.jar")

    assert jar_names(spark / "jars") == ["delta-spark-4.4.0.jar", "delta-storage-4.4.0.jar", "slf4j-api-2.0.17.jar"]


def test_a_copy_that_breaks_off_leaves_no_part_and_no_sign_of_completeness(spark, tmp_path):
    resolved = some_jars(tmp_path / "resolved", "delta-storage-4.4.0.jar", "delta-spark-4.4.0.jar")
    resolved["delta-storage-4.4.0.jar"].unlink()

    with pytest.raises(FileNotFoundError):
        place(resolved, spark / "jars", last="delta-spark-4.4.0.jar")

    assert jar_names(spark / "jars") == ["slf4j-api-2.0.17.jar"]


def test_without_network_the_message_says_why_and_what_to_do(spark):
    says(spark, f"cat <<'end'\n{REFUSED}\nend\nexit 1")

    with pytest.raises(LakeError) as failed:
        fetch(spark, java_home=spark)

    message = str(failed.value)
    assert "io.delta:delta-spark_4.1_2.13:4.4.0" in message
    assert "could not be fetched: ConnectException: Connection refused." in message
    assert "CUSTOMERLAKE_IVY_SETTINGS" in message
    assert str(spark / "jars") in message
    assert jar_names(spark / "jars") == ["slf4j-api-2.0.17.jar"]


def test_a_start_that_succeeds_without_delta_is_a_failure(spark):
    says(spark, "echo nothing was resolved")

    with pytest.raises(LakeError, match="could not be fetched: nothing was resolved"):
        fetch(spark, java_home=spark)


def test_a_mirrors_ivy_settings_are_handed_to_spark(spark, tmp_path, monkeypatch):
    monkeypatch.setenv("CUSTOMERLAKE_IVY_SETTINGS", "/etc/mirror.xml")
    says(spark, f'echo "$@" > {tmp_path}/arguments\n{RETRIEVES}')

    fetch(spark, java_home=spark)

    assert "--conf spark.jars.ivySettings=/etc/mirror.xml" in (tmp_path / "arguments").read_text()


def test_a_folder_that_cannot_be_written_is_named(spark, monkeypatch):
    says(spark, RETRIEVES)

    def refuse(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(jars.os, "replace", refuse)

    with pytest.raises(LakeError, match=r"cannot be put into .*/pyspark/jars: Permission denied"):
        fetch(spark, java_home=spark)
