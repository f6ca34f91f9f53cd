"""Tables of databases -> bronze.<feed> and bronze.watermarks: of each row every version once."""

from customerlake.bronze.databases import take_rows
from customerlake.bronze.sources import SOURCES
from customerlake.errors import LandingError
from customerlake.runtime import job


def main(run: job.Run) -> None:
    for name, feed in run.config.feeds.named().items():
        if feed.database:
            try:
                take_rows(run, SOURCES[name], feed)
            except LandingError as problem:
                run.refuse(str(problem))


if __name__ == "__main__":
    job.run(main)
