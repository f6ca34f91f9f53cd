"""A Spark standalone cluster on this machine, and the steps on it. To be run from the checkout's folder.

start     a master and its workers, or those of them that do not run
status    the processes, and what the master knows of them and of applications
stop      one process by its id, or all
kill      one process with SIGKILL, and its executors: as if its machine had failed
submit    the steps of the pipeline, each by spark-submit of the wheel
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from customerlake.errors import LakeError
from customerlake.runtime import pipeline
from deploy.cluster import steps
from deploy.cluster.executor_python import packed
from deploy.cluster.processes import HOST, MASTER, Cluster, Process


def start(given: argparse.Namespace) -> int:
    cluster = Cluster(given.folder)
    cluster.start(workers=given.workers, cores=given.cores, memory=given.memory)
    for process in cluster.processes():
        sys.stdout.write(f"{process.id:<12}{process.pid}\n")
    sys.stdout.write(f"{cluster.url}\n")
    return 0


def status(given: argparse.Namespace) -> int:
    """Exit code 1 when no process is there, or one has ended or is not known to the master."""
    cluster = Cluster(given.folder)
    rows = [_state(process, known) for process, known in _known(cluster)]
    sys.stdout.writelines(_aligned([("id", "pid", "state", "at", "cores", "memory"), *rows]))
    if rows and (rows[0][0], rows[0][2]) == (MASTER, "alive"):
        running = [
            (one["name"], one["id"], one["state"].lower(), f"{one['cores']} cores", f"{one['duration'] / 1000:.0f} s")
            for one in cluster.report()["activeapps"]
        ]
        sys.stdout.writelines(["\n", *(_aligned(running) or ["no application runs\n"])])
    return int(not rows or any(row[2] != "alive" for row in rows))


def _known(cluster: Cluster) -> Iterator[tuple[Process, dict[str, Any]]]:
    """Each process that was started, with what the master tells of it: nothing of one that it does not know."""
    processes = cluster.processes()
    if not any(process.id == MASTER and process.is_running for process in processes):
        yield from ((process, {}) for process in processes)
        return
    workers = cluster.registered()
    for process in processes:
        yield process, cluster.report() if process.id == MASTER else workers.get(process.port, {})


def _state(process: Process, known: Mapping[str, Any]) -> tuple[str, ...]:
    pid = str(process.pid)
    if not process.is_running:
        return process.id, pid, "ended", "-", "-", "-"
    if not known:
        return process.id, pid, "lost", "-", "-", "-"
    cores = f"{known['coresused']} of {known['cores']}"
    memory = f"{known['memoryused']} of {known['memory']} MB"
    return process.id, pid, "alive", f"{HOST}:{process.port}", cores, memory


def stop(given: argparse.Namespace) -> int:
    stopped = Cluster(given.folder).stop(given.id)
    sys.stdout.writelines([f"{name} stopped\n" for name in stopped] or ["nothing runs\n"])
    return 0


def kill(given: argparse.Namespace) -> int:
    Cluster(given.folder).kill(given.id)
    return 0


def submit(given: argparse.Namespace) -> int:
    cluster = Cluster(given.folder)
    submission = steps.Submission(
        master=given.master or cluster.url,
        wheel=(given.wheel or steps.built_wheel()).resolve(),
        driver_python=given.driver_python,
        executor_python=packed(cluster.folder),
    )
    values = {name: getattr(given, name) for name in pipeline.PARAMETERS}
    for name in ("root", "lake"):  # jobs run in another folder
        if values[name] and "://" not in values[name]:
            values[name] = str(Path(values[name]).resolve())
    chosen = pipeline.steps(only=given.only, start=given.start)
    return steps.run(chosen, submission, values, logs=cluster.logs)


COMMANDS = {"start": start, "status": status, "stop": stop, "kill": kill, "submit": submit}


def main(words: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(words)
    try:
        sys.exit(COMMANDS[given.what](given))
    except LakeError as error:
        sys.exit(f"deploy.cluster: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.cluster", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="what", required=True)
    parsers = {name: kinds.add_parser(name) for name in COMMANDS}
    for kind in parsers.values():
        kind.add_argument("--folder", type=Path, default=Path("build/cluster"), help="its records, logs and work")
    parsers["start"].add_argument("--workers", type=int, default=2)
    parsers["start"].add_argument("--cores", type=int, default=1, help="of each worker")
    parsers["start"].add_argument("--memory", default="1g", help="of each worker, for executors of 1g each")
    parsers["stop"].add_argument("id", nargs="?", help="without it all")
    parsers["kill"].add_argument("id")
    _add_submission(parsers["submit"])
    return parser


def _add_submission(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", required=True, help="folder of the lake, which all machines see")
    for name in pipeline.PARAMETERS[1:]:
        parser.add_argument(f"--{name.replace('_', '-')}", default="", help="as for customerlake run")
    parser.add_argument("--only", help="this step")
    parser.add_argument("--from", dest="start", help="this step and those after it")
    parser.add_argument("--master", help="of another cluster than that of --folder")
    parser.add_argument("--wheel", type=Path, help="without it the one in dist/")
    parser.add_argument("--driver-python", default=sys.executable, help="without it this one")


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    listed = list(rows)
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in listed
    ]


if __name__ == "__main__":
    main()
