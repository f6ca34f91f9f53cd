"""silver tables of each source -> silver.customer_records: what their new records say of persons, in one shape."""

from customerlake.runtime import job
from customerlake.silver.identity.arrivals import take_customer_records


def main(run: job.Run) -> None:
    take_customer_records(run)


if __name__ == "__main__":
    job.run(main)
