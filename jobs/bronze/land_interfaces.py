"""HTTP interfaces -> pages in the landing folder -> bronze.<feed>, for each feed of the lake file that has an api."""

from customerlake.bronze.files import take_files
from customerlake.bronze.interfaces import pages_feed, pull
from customerlake.bronze.sources import SOURCES
from customerlake.errors import LandingError
from customerlake.runtime import job


def main(run: job.Run) -> None:
    for name, feed in run.config.feeds.named().items():
        if feed.api is None:
            continue
        try:
            folder = pull(run, SOURCES[name], feed)
            take_files(run, SOURCES[name], pages_feed(feed, folder), folder)
        except LandingError as problem:
            run.refuse(str(problem))


if __name__ == "__main__":
    job.run(main)
