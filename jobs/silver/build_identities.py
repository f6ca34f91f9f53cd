"""silver.customer_records -> silver.identity_links, silver.identities: new records are compared with all."""

from customerlake.runtime import job
from customerlake.silver.identity.resolution import resolve


def main(run: job.Run) -> None:
    resolve(run)


if __name__ == "__main__":
    job.run(main)
