"""One run at a time over one root: a second one is refused, and told which is at work.

A lock is the kernel's on a file under the root, so it ends with the process that holds it, however that ends. Roots
that are no local folder have none: there the schedule sees to it (deploy/ sets one run at a time).
"""

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from customerlake.errors import LockedError

log = logging.getLogger(__name__)

FOLDER = ".locks"
NOT_THERE = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)


@contextmanager
def locked(root: str, name: str, *, run_id: str, started_at: datetime, shared: bool = False) -> Iterator[None]:
    """Hold the lock `name` of a lake; with `shared`, others may hold it in the same way.

    Raises: LockedError when another process holds it otherwise.
    """
    if "://" in root:
        yield
        return
    folder = Path(root) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in NOT_THERE:  # some network folders know no locks: there as on remote roots
                log.warning("no lock path=%s: %s", file.name, error.strerror)
                yield
                return
            file.seek(0)
            held_by = file.read().strip() or "another process"
            raise LockedError(
                f"The lake {root} is being worked on by {held_by}. "
                "Wait until it has ended and run again; two runs at once would write over each other."
            ) from error
        file.truncate(0)
        file.write(f"run {run_id}, process {os.getpid()}, since {started_at:%Y-%m-%d %H:%M:%S} UTC\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


@contextmanager
def locked_for_step(root: str, step: str, *, run_id: str, started_at: datetime) -> Iterator[None]:
    """A job of its own: others may run beside it, but not itself again, and no whole run."""
    with (
        locked(root, "run", run_id=run_id, started_at=started_at, shared=True),
        locked(root, step, run_id=run_id, started_at=started_at),
    ):
        yield
