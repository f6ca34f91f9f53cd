"""Gold of one --as-of date against its keys and invariants; where one does not hold, nothing is published."""

from customerlake.catalogue import CATALOGUE
from customerlake.monitor.invariants import check_gold
from customerlake.runtime import job


def main(run: job.Run) -> None:
    check_gold(run, CATALOGUE)


if __name__ == "__main__":
    job.run(main)
