"""Who is who in the demo lake, held against its truth, and how the time grows with the records.

    .venv/bin/python benchmarks/identity.py --customers 4372 20000 100000
    .venv/bin/python benchmarks/identity.py --same 1000000


For each number of customers: a demo lake, taken through the steps up to silver.customers on sail. Then a lake of 95% of
its records to which the other 5% come: whose customers keep their id, and are the clusters those of a rebuild? The
truth knows who each record is of. Records of a mailbox that several people read, without a number beside it, are
nobody's alone and left out of the figures. Times are noisy: compare the growth within one call.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from contenders.customerlake_jobs import done
from customerlake.contracts.table import Table as Declared
from customerlake.demo.lake import make_demo
from customerlake.runtime import job, session
from customerlake.silver.customer_records import CUSTOMER_RECORDS
from customerlake.silver.identities import IDENTITIES
from customerlake.silver.identity.blocking import candidates, keyed, too_large
from customerlake.silver.identity.linking import prepared
from customerlake.silver.identity.persons import RULES
from customerlake.silver.identity_links import IDENTITY_LINKS

BEFORE = ("land_files", "records", "order_lines")
TIMED = ("customer_records", "identities", "customers")
OF_PERSON = """
CREATE VIEW of_person AS
WITH shop AS (SELECT source_record_id AS number, person_id, household_id FROM persons WHERE source = 'shop'),
own AS (
    SELECT source, source_record_id, min(person_id) AS person_id, min(household_id) AS household_id,
        count(DISTINCT person_id) AS count_persons
    FROM persons GROUP BY ALL
)
SELECT record_id, customer_id, coalesce(shop.person_id, own.person_id) AS person_id,
    coalesce(shop.household_id, own.household_id) AS household_id
FROM customer_records JOIN identities USING (record_id)
LEFT JOIN shop ON customer_records.source IN ('shop', 'web_orders', 'email_events', 'web_events')
    AND number = shop_customer_id
LEFT JOIN own ON own.source = customer_records.source AND own.source_record_id = customer_records.source_record_id
WHERE coalesce(shop.person_id, own.person_id) IS NOT NULL AND (shop.person_id IS NOT NULL OR count_persons = 1)
"""
PAIRWISE = """
WITH shared AS (SELECT count(*) AS n FROM of_person GROUP BY person_id, customer_id),
ours AS (SELECT count(*) AS n FROM of_person GROUP BY customer_id),
real AS (SELECT count(*) AS n FROM of_person GROUP BY person_id)
SELECT (SELECT sum(n * (n - 1)) FROM shared) / (SELECT sum(n * (n - 1)) FROM ours),
    (SELECT sum(n * (n - 1)) FROM shared) / (SELECT sum(n * (n - 1)) FROM real)
"""
B_CUBED = """
WITH shared AS (SELECT person_id, customer_id, count(*) AS n FROM of_person GROUP BY ALL),
ours AS (SELECT customer_id, count(*) AS n FROM of_person GROUP BY ALL),
real AS (SELECT person_id, count(*) AS n FROM of_person GROUP BY ALL)
SELECT sum(shared.n * shared.n / ours.n) / sum(shared.n), sum(shared.n * shared.n / real.n) / sum(shared.n)
FROM shared JOIN ours USING (customer_id) JOIN real USING (person_id)
"""
KEPT = """
WITH touched AS (
    SELECT DISTINCT customer_id FROM identities_after
    WHERE record_id NOT IN (SELECT record_id FROM identities_before)
)
SELECT avg((b.customer_id = a.customer_id)::INT)
FROM identities_before AS b JOIN identities_after AS a USING (record_id)
WHERE a.customer_id NOT IN (FROM touched)
"""
MIXED = "SELECT count(*) FROM (SELECT 1 FROM of_person GROUP BY customer_id HAVING count(DISTINCT {}) > 1)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, nargs="+", default=[4372, 20000])
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--same", type=int, help="instead: so many records that all say the same mailbox and telephone")
    values = parser.parse_args()
    if values.same:
        Console(width=150).print(of_one_value(values.same))
        return
    quality = Table(
        "customers", "records", "precision", "recall", "F1", "B-cubed F1", "mix persons", "mix households",
        "pairs compared", "of all pairs", title="against the truth",
    )  # fmt: skip
    late = Table(
        "customers", "untouched customers that keep their id", "F1 to a rebuild", "rebuild, seconds",
        "increment, seconds", title="5% of the records come later: silver.identities",
    )  # fmt: skip
    times = Table("customers", "records", *TIMED, "per million records", title="seconds on sail, two cores")
    for count in values.customers:
        with tempfile.TemporaryDirectory(prefix="customerlake-identity-") as name:
            root = Path(name)
            spark = session.start("sail")
            lake_file = make_demo(spark, name, customers=count, seed=values.seed, progress=lambda text: None)
            run = job.Run(root=str(root / "lake"), lake_file=lake_file, spark=spark, engine="sail")
            for step in BEFORE:
                done(run, step)
            shutil.rmtree(root / "landing")
            seconds = [done(run, step).seconds for step in TIMED]
            records = run.lake.count(CUSTOMER_RECORDS)
            compared = count_pairs(run)
            found = figures(run, root / "truth")
            every = records * (records - 1) // 2
            kept, same, increment = with_late_records(run, root / "late", lake_file)
            quality.add_row(f"{count:,}", f"{records:,}", *found, f"{compared:,}", f"{compared / every:.6%}")
            million = f"{sum(seconds[:2]) / records * 1e6:.0f}"
            times.add_row(f"{count:,}", f"{records:,}", *(f"{second:.1f}" for second in seconds), million)
            late.add_row(f"{count:,}", kept, same, f"{seconds[1]:.1f}", f"{increment:.1f}")
            session.stop(spark)
    console = Console(width=150)
    console.print(quality)
    console.print(times)
    console.print(late)


def of_one_value(count: int) -> Table:
    """A block that would explode: strangers who all say one mailbox and one telephone."""
    titles = ("records", "links", "customers", "largest customer, records", "seconds")
    shown = Table(*titles, title="one value in all records: silver.identities")
    with tempfile.TemporaryDirectory(prefix="customerlake-identity-") as name:
        spark = session.start("sail")
        (Path(name) / "lake.yaml").write_text("name: same\ncurrency: GBP\nfeeds: {crm_profiles: {path: landing}}\n")
        run = job.Run(root=f"{name}/lake", lake_file=f"{name}/lake.yaml", spark=spark, engine="sail")
        number, source = F.col("id").cast("string"), F.lit("crm_profiles")
        said = {
            "source": source, "source_record_id": number, "record_id": F.xxhash64(source, number),
            "given_key": F.concat(F.lit("given"), number), "said_key": F.concat(F.lit("given"), number),
            "family_key": F.concat(F.lit("family"), number), "email_key": F.lit("info@example.com"),
            "phone": F.lit("+4366412345678"), "is_deleted": F.lit(False), "_batch": F.lit(1),
        }  # fmt: skip
        nothing = {column: F.lit(None) for column in CUSTOMER_RECORDS.column_names if column not in said}
        records = spark.range(count).withColumns({**said, **nothing}).transform(CUSTOMER_RECORDS.conform)
        run.lake.append(CUSTOMER_RECORDS, records)
        seconds = done(run, "identities").seconds
        sizes = run.lake.read(IDENTITIES).groupBy("customer_id").count()
        (customers, largest), links = sizes.agg(F.count("*"), F.max("count")).first(), run.lake.count(IDENTITY_LINKS)
        shown.add_row(f"{count:,}", f"{links:,}", f"{customers:,}", str(largest), f"{seconds:.1f}")
        session.stop(spark)
    return shown


def with_late_records(run: job.Run, root: Path, lake_file: str) -> tuple[str, str, float]:
    """Share of untouched customers that keep their id, pairwise F1 to the rebuild, and seconds of the increment."""
    later = job.Run(root=str(root), lake_file=lake_file, spark=run.spark, engine="sail")
    records = run.lake.read(CUSTOMER_RECORDS)
    is_late = F.pmod(F.xxhash64(F.lit("late"), "record_id"), F.lit(20)) == 0
    later.lake.append(CUSTOMER_RECORDS, records.where(~is_late).withColumn("_batch", F.lit(1).cast("long")))
    done(later, "identities")
    before = rows(later, IDENTITIES)
    later.lake.append(CUSTOMER_RECORDS, records.where(is_late).withColumn("_batch", F.lit(2).cast("long")))
    seconds = done(later, "identities").seconds
    connection = duckdb.connect()
    for name, table in {"before": before, "after": rows(later, IDENTITIES), "rebuilt": rows(run, IDENTITIES)}.items():
        connection.register(f"identities_{name}", table)
    kept = connection.execute(KEPT).fetchall()[0][0]
    connection.execute(
        "CREATE VIEW of_person AS SELECT record_id, a.customer_id, r.customer_id AS person_id "
        "FROM identities_after AS a JOIN identities_rebuilt AS r USING (record_id)"
    )
    precision, recall = connection.execute(PAIRWISE).fetchall()[0]
    return f"{kept:.4%}", f"{2 * precision * recall / (precision + recall):.5f}", seconds


def count_pairs(run: job.Run) -> int:
    """The pairs that the rules find among all records."""
    records = run.lake.read(CUSTOMER_RECORDS).transform(prepared).withColumn("is_new", F.lit(True))
    keys = keyed(records, RULES)
    return candidates(keys, too_large(keys, most=run.config.identity.most_records_of_key)).count()


def figures(run: job.Run, truth: Path) -> list[str]:
    """Precision, recall and F1 over pairs, B-cubed F1, and how many customers mix persons and households."""
    connection = duckdb.connect()
    for table in (CUSTOMER_RECORDS, IDENTITIES):
        connection.register(table.name.split(".")[1], rows(run, table))
    connection.execute(f"CREATE VIEW persons AS FROM read_parquet('{truth}/persons/*.parquet')")
    connection.execute(OF_PERSON)
    (precision, recall), (purity, coverage) = (connection.execute(sql).fetchall()[0] for sql in (PAIRWISE, B_CUBED))
    mixed = [connection.execute(MIXED.format(what)).fetchall()[0][0] for what in ("person_id", "household_id")]
    f1, b_cubed = (2 * a * b / (a + b) for a, b in ((precision, recall), (purity, coverage)))
    return [*(f"{value:.4f}" for value in (precision, recall, f1, b_cubed)), *map(str, mixed)]


def rows(run: job.Run, table: Declared) -> pa.Table:
    return DeltaTable(run.lake.path(table)).to_pyarrow_table()


if __name__ == "__main__":
    main()
