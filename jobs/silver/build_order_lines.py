"""Bronze of every feed of sales -> silver.order_lines and quarantine.order_lines, one landing after the other."""

from customerlake.runtime import job
from customerlake.silver.sales import take_sales


def main(run: job.Run) -> None:
    take_sales(run)


if __name__ == "__main__":
    job.run(main)
