"""Find a Java that Spark runs on, so that nobody has to set JAVA_HOME."""

import glob
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from customerlake.errors import JavaMissing

SUPPORTED = (17, 21)  # what Spark 4.1 is built and tested on
USUAL_PLACES = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/java/*",
    "~/.sdkman/candidates/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "/usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
)


@dataclass(frozen=True)
class Java:
    """An installed Java: its home and the feature version, None when it does not tell one."""

    home: Path
    version: int | None

    def __str__(self) -> str:
        version = "a Java that does not tell its version" if self.version is None else f"Java {self.version}"
        return f"{version} in {self.home}"


def find_java(environment: Mapping[str, str] = os.environ, places: Sequence[str] = USUAL_PLACES) -> Path:
    """The home of the first Java 17 or 21: $JAVA_HOME, then `java` on PATH, then the usual places.

    Raises: JavaMissing, with what was found instead, where it looked and the command that repairs.
    """
    passed_over: list[Java] = []
    for java in _installed(environment, places):
        if java.version in SUPPORTED:
            return java.home
        if java not in passed_over:
            passed_over.append(java)
    raise JavaMissing(_message(passed_over, environment, places))


def feature_version(version: str) -> int | None:
    """17 of '17.0.15', 8 of '1.8.0_402', 25 of '25-ea'; None of anything else."""
    numbers = re.match(r"(?:1\.)?(\d+)", version)
    return int(numbers[1]) if numbers else None


def released_version(home: Path) -> int | None:
    """The feature version that the `release` file of a Java home names; None without such a file or line."""
    try:
        release = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    named = re.search(r'^JAVA_VERSION="?([^"\n]+)', release, re.MULTILINE)
    return feature_version(named[1]) if named else None


def _installed(environment: Mapping[str, str], places: Sequence[str]) -> Iterator[Java]:
    if environment.get("JAVA_HOME"):
        yield from _in_home(Path(environment["JAVA_HOME"]).expanduser())
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    if on_path:
        yield from _of_binary(Path(on_path).resolve())
    for place in places:
        for home in sorted(glob.glob(os.path.expanduser(place))):
            yield from _in_home(Path(home).resolve())


def _in_home(home: Path) -> Iterator[Java]:
    binary = home / "bin" / "java"
    if os.access(binary, os.X_OK):
        version = released_version(home)
        yield Java(home, _ask(binary).version if version is None else version)


def _of_binary(binary: Path) -> Iterator[Java]:
    home = binary.parent.parent
    version = released_version(home)
    # a version manager's shim (jenv, asdf, mise) has no release file beside it, but the Java behind it knows its home
    yield _ask(binary) if version is None else Java(home, version)


def _ask(binary: Path) -> Java:
    try:
        answer = subprocess.run(
            [binary, "-XshowSettings:properties", "-version"], capture_output=True, text=True, timeout=30, check=False
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        answer = ""
    version = re.search(r'version "([^"]+)"', answer)
    home = re.search(r"^\s*java\.home = (.+?)\s*$", answer, re.MULTILINE)
    return Java(Path(home[1]) if home else binary.parent.parent, feature_version(version[1]) if version else None)


def _message(passed_over: Sequence[Java], environment: Mapping[str, str], places: Sequence[str]) -> str:
    java_home = environment.get("JAVA_HOME") or "not set"
    found = "; ".join(map(str, passed_over)) or "no Java at all"
    wanted = " or ".join(map(str, SUPPORTED))
    return (
        f"Spark needs Java {wanted}, and there is none.\n"
        f"Found:  {found}.\n"
        f"Looked: $JAVA_HOME ({java_home}); `java` on PATH; {', '.join(places)}.\n"
        f"Do:     {_repair(environment)}"
    )


def _repair(environment: Mapping[str, str]) -> str:
    commands = {
        "apt-get": "sudo apt-get install -y openjdk-17-jre-headless    (where unknown: openjdk-21-jre-headless)",
        "dnf": "sudo dnf install -y java-17-openjdk-headless    (where unknown: java-21-openjdk-headless)",
        "apk": "sudo apk add openjdk17-jre-headless",
        "brew": "brew install openjdk@17",
    }
    for manager, command in commands.items():
        if shutil.which(manager, path=environment.get("PATH", "")):
            return command
    return f"install Java {SUPPORTED[0]}, then set JAVA_HOME to the folder that holds its bin/java."


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{find_java()}\n")
    except JavaMissing as missing:
        sys.exit(str(missing))
