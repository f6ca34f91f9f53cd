"""Landed sales files -> bronze.sales and bronze.files, each file once."""

from customerlake.bronze.files import FILES, last_taken, taken, unrecorded_files, unseen, without_copies
from customerlake.bronze.ingest import sales
from customerlake.bronze.landing import check_files, landed_files, unpack_embedded_sales
from customerlake.bronze.sources.sales import SALES
from customerlake.runtime import job


def main(run: job.Run) -> None:
    feed = run.config.feeds.sales
    folder = unpack_embedded_sales(run.root) if feed.path == "embedded" else feed.path
    last_batch = last_taken(run.records(FILES))
    if run.newest_batch(SALES) > last_batch:  # a landing was killed between its rows and its list of files
        run.record(FILES, unrecorded_files(run.read(SALES), after=last_batch))
    known = run.records(FILES)
    checked, refusals = check_files(unseen(landed_files(folder, feed.pattern), known), feed, folder)
    for refusal in refusals:
        run.refuse(refusal)
    new, copies = without_copies(checked, known)
    batch = last_taken(known) + 1
    if new:
        rows = sales(run.spark, new, feed, folder, batch=batch, run_id=run.run_id, received_at=run.started_at)
        run.append(SALES, rows)
    if new or copies:
        run.record(FILES, taken(new, copies, batch=batch, run_id=run.run_id, received_at=run.started_at))
        run.remark(f"{len(new)} files taken, {len(copies)} known by content, {len(refusals)} refused")


if __name__ == "__main__":
    job.run(main)
