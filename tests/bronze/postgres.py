"""A PostgreSQL server of the tests' own: from the machine's package, in a folder of its own, on a port of its own.

PostgreSQL refuses to run as root: under root the server runs as the user `postgres`, whom its package brings.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER, PASSWORD = "lake_reader", "open sesame"


@dataclass(frozen=True)
class Server:
    """A server that runs. Any number of databases; `sql` speaks to it as its owner."""

    binaries: Path
    port: int
    log: Path  # every statement that it ran

    def url(self, database: str = "postgres") -> str:
        return f"jdbc:postgresql://127.0.0.1:{self.port}/{database}"

    def sql(self, *statements: str, database: str = "postgres") -> str:
        """Run statements, each committed by itself, and give what they say, values alone."""
        ended = subprocess.run(
            [
                self.binaries / "psql",
                *("--quiet", "--no-psqlrc", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"),
                *("--host", "127.0.0.1", "--port", str(self.port), "--username", USER, "--dbname", database),
                *[word for statement in statements for word in ("--command", statement)],
            ],
            env=os.environ | {"PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()


@contextmanager
def running_server() -> Iterator[Server]:
    """A server whose one user is USER, with PASSWORD; it is gone, with its data, at the end."""
    binaries = found_binaries()
    folder = Path(
        tempfile.mkdtemp(prefix="customerlake-postgres-")
    )  # /tmp, not pytest's folder, which root alone enters
    password = folder / "password"
    password.write_text(PASSWORD)
    if os.getuid() == 0:
        for path in (folder, password):
            shutil.chown(path, "postgres")
    data = folder / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off -c log_statement=all"
    try:
        as_user(
            *(binaries / "initdb", "--pgdata", data, "--username", USER, "--pwfile", password),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        )
        as_user(binaries / "pg_ctl", "--pgdata", data, "--log", folder / "log", "--options", options, "--wait", "start")
        yield Server(binaries, port, folder / "log")
    finally:
        if (data / "postmaster.pid").exists():
            as_user(binaries / "pg_ctl", "--pgdata", data, "--mode", "immediate", "--wait", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def as_user(*command: str | Path) -> None:
    """Run a command of the server's as a user that it accepts."""
    words = [*(("runuser", "-u", "postgres", "--") if os.getuid() == 0 else ()), *map(str, command)]
    ended = subprocess.run(
        words,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout


def found_binaries() -> Path:
    """The folder of the server's programs; as root, with apt-get, the package is installed where there is none."""
    if found := _installed():
        return found
    if os.getuid() == 0 and shutil.which("apt-get"):
        for words in (("update",), ("install", "--yes", "--no-install-recommends", "postgresql")):
            subprocess.run(
                ["apt-get", "--quiet", *words],
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                check=True,
            )
    found = _installed()
    assert found, "These tests need PostgreSQL's server. Install it (Debian: apt-get install postgresql) and run again."
    return found


def _installed() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if shutil.which("pg_config"):  # of Debian's packages it may be there without the server
        said = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        folders.append(Path(said))
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "psql").exists()), None)
