"""Fake Java homes in a temporary folder: no real Java is started, and none needs to be installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from customerlake.errors import JavaMissing
from customerlake.runtime.java import feature_version, find_java, released_version


def java_home(home: Path, *, release: str | None = None, answer: str = "", executable: bool = True) -> Path:
    """A folder that looks like a Java home, with a `java` that answers `answer` to every question."""
    binary = home / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\n/bin/cat >&2 <<'end'\n{answer}\nend\n")
    binary.chmod(0o755 if executable else 0o644)
    if release is not None:
        (home / "release").write_text(f'IMPLEMENTOR="Nobody"\nJAVA_VERSION="{release}"\nJAVA_VERSION_DATE="2025"\n')
    return home


@pytest.mark.parametrize(
    ("version", "expected"),
    [("17.0.15", 17), ("21", 21), ("1.8.0_402", 8), ("11.0.2", 11), ("25-ea", 25), ("", None), ("unknown", None)],
)
def test_the_feature_version_is_the_number_that_people_say(version, expected):
    assert feature_version(version) == expected


def test_the_release_file_tells_the_version(tmp_path):
    assert released_version(java_home(tmp_path / "jdk", release="17.0.15")) == 17


def test_a_home_without_a_release_file_tells_no_version(tmp_path):
    assert released_version(java_home(tmp_path / "jdk")) is None


def test_java_home_comes_before_path_and_usual_places(tmp_path):
    chosen = java_home(tmp_path / "chosen", release="21.0.1")
    on_path = java_home(tmp_path / "on_path", release="17.0.1")
    java_home(tmp_path / "jvm" / "a", release="17.0.1")

    found = find_java({"JAVA_HOME": str(chosen), "PATH": str(on_path / "bin")}, [f"{tmp_path}/jvm/*"])

    assert found == chosen


def test_a_java_of_another_version_is_passed_over(tmp_path):
    too_new = java_home(tmp_path / "jdk-25", release="25.0.3")
    too_old = java_home(tmp_path / "jdk-11", release="11.0.20")
    java_home(tmp_path / "jvm" / "a-8", release="1.8.0_402")
    right = java_home(tmp_path / "jvm" / "b-17", release="17.0.15")

    found = find_java({"JAVA_HOME": str(too_new), "PATH": str(too_old / "bin")}, [f"{tmp_path}/jvm/*"])

    assert found == right


def test_a_link_on_path_leads_to_the_home_that_it_points_into(tmp_path):
    home = java_home(tmp_path / "jdk-17", release="17.0.15")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")

    assert find_java({"PATH": str(tmp_path / "bin")}, []) == home


def test_a_java_without_a_release_file_is_asked_for_its_version(tmp_path):
    home = java_home(tmp_path / "jdk", answer='openjdk version "17.0.9" 2023-10-17\nOpenJDK Runtime Environment')

    assert find_java({"JAVA_HOME": str(home), "PATH": ""}, []) == home


def test_a_version_managers_shim_leads_to_the_home_that_java_itself_names(tmp_path):
    home = java_home(tmp_path / "versions" / "jdk-21", release="21.0.2")
    shims = java_home(
        tmp_path / "shims", answer=f'Property settings:\n    java.home = {home}\n\nopenjdk version "21.0.2" 2024-01-16'
    )

    assert find_java({"PATH": str(shims / "bin")}, []) == home


@pytest.mark.parametrize("answer", ["", "Unable to locate a Java Runtime."])
def test_a_java_that_cannot_tell_its_version_is_passed_over_and_named(tmp_path, answer):
    home = java_home(tmp_path / "stub", answer=answer)

    with pytest.raises(JavaMissing, match=f"a Java that does not tell its version in {home}"):
        find_java({"PATH": str(home / "bin")}, [])


def test_a_folder_without_a_java_that_can_be_started_is_not_a_java(tmp_path):
    java_home(tmp_path / "jvm" / "jdk-17", release="17.0.15", executable=False)
    (tmp_path / "jvm" / "openjdk-17" / "lib").mkdir(parents=True)

    with pytest.raises(JavaMissing, match="no Java at all"):
        find_java({"PATH": ""}, [f"{tmp_path}/jvm/*"])


def test_without_a_fitting_java_the_message_says_what_was_found_where_it_looked_and_what_to_do(tmp_path):
    java_home(tmp_path / "jvm" / "temurin-25", release="25.0.3")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "apt-get").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "apt-get").chmod(0o755)

    with pytest.raises(JavaMissing) as missing:
        find_java({"JAVA_HOME": "/nowhere", "PATH": str(tmp_path / "bin")}, [f"{tmp_path}/jvm/*"])

    lines = str(missing.value).splitlines()
    assert lines[0] == "Spark needs Java 17 or 21, and there is none."
    assert lines[1] == f"Found:  Java 25 in {tmp_path}/jvm/temurin-25."
    assert lines[2] == f"Looked: $JAVA_HOME (/nowhere); `java` on PATH; {tmp_path}/jvm/*."
    assert lines[3].startswith("Do:     sudo apt-get install -y openjdk-17-jre-headless")


def test_a_java_reached_by_two_ways_is_named_once(tmp_path):
    home = java_home(tmp_path / "jvm" / "jdk-25", release="25")

    with pytest.raises(JavaMissing) as missing:
        find_java({"JAVA_HOME": str(home), "PATH": str(home / "bin")}, [f"{tmp_path}/jvm/*"])

    assert str(missing.value).count("Java 25") == 1


def test_the_command_prints_the_home(tmp_path):
    home = java_home(tmp_path / "jdk", release="17.0.15")

    told = subprocess.run(
        [sys.executable, "-m", "customerlake.runtime.java"],
        env={**os.environ, "JAVA_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (told.returncode, told.stdout, told.stderr) == (0, f"{home}\n", "")
