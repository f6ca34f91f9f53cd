"""Run a command as a process of its own and measure it, with all processes that it starts."""

import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

SECONDS_BETWEEN_SAMPLES = 0.05
SAMPLES_BETWEEN_SEARCHES = 8  # a look for new processes takes longer than a sample
YOUNGEST_SECONDS = 0.2  # what a JVM starts has, for a moment, all the memory of the JVM as its own


@dataclass(frozen=True)
class Measured:
    """One process. `said` is the JSON object of its last line; `failure` tells in words why there is none."""

    wall_seconds: float
    cpu_seconds: float  # of all processes, as last seen alive
    peak_memory_bytes: int
    said: dict[str, Any] = field(default_factory=dict)
    failure: str | None = None


@dataclass
class Usage:
    """What a tree of processes has used so far.

    Memory is resident without what is shared with files: pages of mapped files, which the system takes back when it
    needs them, and of libraries are left out.
    """

    peak_memory_bytes: int = 0
    seconds: dict[int, float] = field(default_factory=dict)

    def sample(self, processes: Sequence[psutil.Process]) -> None:
        private = 0
        for process in processes:
            with suppress(psutil.NoSuchProcess), process.oneshot():
                if time.time() - process.create_time() < YOUNGEST_SECONDS:
                    continue
                memory, times = process.memory_info(), process.cpu_times()
                private += memory.rss - memory.shared
                self.seconds[process.pid] = times.user + times.system
        self.peak_memory_bytes = max(self.peak_memory_bytes, private)


def measure(
    command: Sequence[object], *, environment: Mapping[str, str] | None = None, limit_seconds: float = 3600
) -> Measured:
    """Run a command to its end, or to the limit, and measure it. It never raises for what the command does."""
    usage = Usage()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=errors, env=environment)
        first_to_go_when_memory_runs_out(process.pid)
        is_over_time = not watched_to_its_end(process, usage, started + limit_seconds)
        wall = time.perf_counter() - started
        said = last_object(out)
        failure = None
        if is_over_time:
            failure = f"stopped after {limit_seconds:.0f} s"
        elif process.returncode:
            failure = in_words(process.returncode, errors)
    return Measured(wall, sum(usage.seconds.values()), usage.peak_memory_bytes, said, failure)


def watched_to_its_end(process: subprocess.Popen[bytes], usage: Usage, deadline: float) -> bool:
    """Sample until the process ends; past the deadline end it and all that it started, and return False."""
    root = psutil.Process(process.pid)
    tree = [root]
    samples = 0
    while process.poll() is None:
        if samples % SAMPLES_BETWEEN_SEARCHES == 0:
            with suppress(psutil.NoSuchProcess):
                tree = [root, *root.children(recursive=True)]
        usage.sample(tree)
        samples += 1
        if time.perf_counter() > deadline:
            for each in reversed(tree):
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            process.wait()
            return False
        time.sleep(SECONDS_BETWEEN_SAMPLES)
    psutil.wait_procs(
        tree[1:], timeout=10
    )  # a JVM ends a little after its driver; the next run shall not share with it
    return True


def first_to_go_when_memory_runs_out(pid: int) -> None:
    """Tell Linux to end this process, and those that it starts, before the benchmark itself."""
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")


def last_object(out: IO[str]) -> dict[str, Any]:
    """The JSON object of the last line, where there is one."""
    out.seek(0)
    lines = out.read().strip().splitlines()
    with suppress(ValueError):
        return dict(json.loads(lines[-1] if lines else "{}"))
    return {}


def in_words(returncode: int, errors: IO[str]) -> str:
    errors.seek(0)
    lines = [line for line in errors.read().strip().splitlines() if line.strip()]
    if returncode < 0:
        name = signal.Signals(-returncode).name
        return f"ended by {name}" + (", which is what Linux sends when memory runs out" if name == "SIGKILL" else "")
    return f"exit code {returncode}: {lines[-1][:200] if lines else 'it said nothing'}"


def bytes_under(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
