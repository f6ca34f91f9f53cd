"""Landed files of every feed that has a folder -> its bronze table and bronze.files, each file once."""

from customerlake.bronze.files import take_files
from customerlake.bronze.landing import unpack_embedded_sales
from customerlake.bronze.sources import SOURCES
from customerlake.errors import LandingError
from customerlake.runtime import job


def main(run: job.Run) -> None:
    for name, feed in run.config.feeds.named().items():
        if feed.path is None:
            continue
        folder = unpack_embedded_sales(run.root) if feed.path == "embedded" else feed.path
        try:
            take_files(run, SOURCES[name], feed, folder)
        except LandingError as problem:
            run.refuse(f"{name}: {problem}")


if __name__ == "__main__":
    job.run(main)
