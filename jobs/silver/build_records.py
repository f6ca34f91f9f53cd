"""Bronze of every feed but sales -> its silver table and quarantine, one landing after the other."""

from customerlake.bronze.sources import SOURCES
from customerlake.runtime import job
from customerlake.silver.feeds import OF_FEED, typed_for
from customerlake.silver.records import take_records


def main(run: job.Run) -> None:
    for name, feed in run.config.feeds.named().items():
        if name in OF_FEED:
            typed = typed_for(SOURCES[name], feed, run.config)
            take_records(run, SOURCES[name], OF_FEED[name], typed)


if __name__ == "__main__":
    job.run(main)
