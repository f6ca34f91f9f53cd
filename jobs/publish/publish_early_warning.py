"""publish.customers, scores.churn -> publish.early_warning and exports/early_warning-DATE.csv, for one --as-of date."""

from customerlake.models.churn import CHURN
from customerlake.publish.customers import CUSTOMERS
from customerlake.publish.early_warning import EARLY_WARNING, early_warning
from customerlake.publish.exports import export_csv
from customerlake.runtime import job


def main(run: job.Run) -> None:
    run.replace(EARLY_WARNING, early_warning(run.read(CUSTOMERS), run.read(CHURN), as_of=run.as_of))
    run.exported(export_csv(run.lake, EARLY_WARNING, as_of=run.as_of, sort_by="rank"))


if __name__ == "__main__":
    job.run(main)
