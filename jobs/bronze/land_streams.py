"""Topics of Kafka -> bronze.<feed>: each message once."""

from customerlake.bronze.sources import SOURCES
from customerlake.bronze.streams import take_messages
from customerlake.errors import LandingError, LockedError
from customerlake.runtime import job
from customerlake.runtime.lock import locked


def main(run: job.Run) -> None:
    for name, feed in run.config.feeds.named().items():
        if feed.stream is None:
            continue
        try:
            with locked(run.root, f"stream-{name}", run_id=run.run_id, started_at=run.started_at):
                take_messages(run, SOURCES[name], feed)
        except LockedError:
            run.remark(f"{name}: left to the `customerlake listen` that is taking it")
        except LandingError as problem:
            run.refuse(str(problem))


if __name__ == "__main__":
    job.run(main)
