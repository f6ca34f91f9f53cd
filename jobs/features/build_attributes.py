"""silver.customer_attributes -> features.attributes."""

from customerlake.features.attributes import ATTRIBUTES, attributes
from customerlake.runtime import job
from customerlake.silver.customer_attributes import CUSTOMER_ATTRIBUTES


def main(run: job.Run) -> None:
    run.overwrite(ATTRIBUTES, attributes(run.read(CUSTOMER_ATTRIBUTES)))


if __name__ == "__main__":
    job.run(main)
