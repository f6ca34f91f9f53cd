"""silver.orders, silver.customers and gold.rfm -> gold.kpis and gold.profile_statistics, for one --as-of date."""

from customerlake.gold.kpis import KPIS, kpis
from customerlake.gold.profile_statistics import PROFILE_STATISTICS, profile_statistics
from customerlake.gold.rfm import RFM
from customerlake.runtime import job
from customerlake.silver.customers import CUSTOMERS
from customerlake.silver.orders import ORDERS


def main(run: job.Run) -> None:
    run.replace(KPIS, kpis(run.read(ORDERS), as_of=run.as_of))
    run.replace(PROFILE_STATISTICS, profile_statistics(run.read(RFM), run.read(CUSTOMERS), as_of=run.as_of))


if __name__ == "__main__":
    job.run(main)
