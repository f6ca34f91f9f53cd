"""Landed sales files -> bronze.sales and bronze.files, each file once."""

from customerlake.bronze.files import FILES, last_taken, taken, unrecorded_files, unseen, without_copies
from customerlake.bronze.ingest import sales
from customerlake.bronze.landing import check_files, in_batches, landed_files, unpack_embedded_sales
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
    run_id, received_at = run.run_id, run.started_at
    for batch, files in enumerate(in_batches(new), start=last_taken(known) + 1):
        run.append(SALES, sales(run.spark, files, feed, folder, batch=batch, run_id=run_id, received_at=received_at))
        run.record(FILES, taken(files, batch=batch, run_id=run_id, received_at=received_at))
    if copies:
        newest = last_taken(run.records(FILES))
        run.record(FILES, taken(copies, batch=newest, run_id=run_id, received_at=received_at, is_copy=True))
    if new or copies:
        run.remark(f"{len(new)} files taken, {len(copies)} known by content, {len(refusals)} refused")


if __name__ == "__main__":
    job.run(main)
