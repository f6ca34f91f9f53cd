"""Topics of Kafka -> bronze.<feed>: each message once."""

from customerlake.bronze.sources import SOURCES
from customerlake.bronze.streams import take_messages
from customerlake.errors import LandingError
from customerlake.runtime import job


def main(run: job.Run) -> None:
    for name, feed in run.config.feeds.named().items():
        if feed.stream:
            try:
                take_messages(run, SOURCES[name], feed)
            except LandingError as problem:
                run.refuse(str(problem))


if __name__ == "__main__":
    job.run(main)
