"""Every silver table -> ops.quality; where one is below a threshold of the lake file, the run ends before gold."""

from customerlake.catalogue import CATALOGUE
from customerlake.monitor.gate import check_quality
from customerlake.runtime import job


def main(run: job.Run) -> None:
    check_quality(run, CATALOGUE)


if __name__ == "__main__":
    job.run(main)
