"""Every batch step on both engines over the real sales: equal tables, row for row, whichever engine wrote what."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

from customerlake.bronze.sources import SOURCES
from customerlake.catalogue import CATALOGUE
from customerlake.contracts.quarantine import quarantine_table
from customerlake.contracts.source import bronze_table
from customerlake.runtime import job
from customerlake.runtime.pipeline import PIPELINE, step_named
from customerlake.silver.feeds import OF_FEED, typed_for
from customerlake.silver.typed import accepted_records, rejected_records

pytestmark = [pytest.mark.full_data, pytest.mark.spark_only]

EMBEDDED = Path(__file__).parents[2] / "lib" / "customerlake" / "demo" / "online_retail"
DAYS = sorted(EMBEDDED.glob("*.csv.gz"))
TABLES = [step.name for step in PIPELINE if step.job.startswith(("bronze/", "silver/", "gold/", "features/"))]

ON_SAIL = """
import sys
from customerlake.runtime import job
from customerlake.runtime.pipeline import step_named
root, lake_file, *steps = sys.argv[1:]
run = job.Run(root=root, lake_file=lake_file, engine="sail")
for name in steps:
    outcome = job.execute(step_named(name), run)
    assert outcome.state not in ("failed", "refused"), (name, outcome)
"""


def lake_file(folder: Path) -> Path:
    """A lake file of the real sales whose landing folder is in `folder`."""
    file = folder / "lake.yaml"
    if not file.exists():
        (folder / "landing").mkdir(parents=True)
        shipped = (EMBEDDED.parents[3] / "conf" / "lakes" / "online_retail.yaml").read_text()
        file.write_text(shipped.replace("path: embedded", "path: landing"))
    return file


def land(folder: Path, days: Sequence[Path]) -> Path:
    file = lake_file(folder)
    for day in days:
        shutil.copy(day, folder / "landing")
    return file


def on_sail(folder: Path, days: Sequence[Path]) -> None:
    """Take days through all tables in a process of its own, as one process uses one engine."""
    file = land(folder, days)
    command = [sys.executable, "-c", ON_SAIL, str(folder / "lake"), str(file), *TABLES]
    told = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert told.returncode == 0, told.stdout[-3000:]


@pytest.fixture
def on_jvm(spark) -> Callable[[Path, Sequence[Path]], job.Run]:
    def taken(folder: Path, days: Sequence[Path]) -> job.Run:
        file = land(folder, days)
        run = job.Run(root=str(folder / "lake"), lake_file=str(file), spark=spark)
        for step in PIPELINE:
            if step.name in TABLES:
                outcome = job.execute(step, run)
                assert outcome.state not in ("failed", "refused"), (step.name, outcome)
        return run

    return taken


def test_every_table_is_compared(real_lake):
    compared = {table.name for table in CATALOGUE if real_lake.lake.exists(table)}

    assert compared == {
        "bronze.files", "bronze.landings", "bronze.sales", "quarantine.order_lines", "silver.order_lines",
        "silver.customer_records", "silver.identities",
        "silver.orders", "silver.cancellations", "silver.customers", "silver.products", "gold.rfm",
        "gold.customer_value", "gold.customer_value_by_channel", "gold.customer_value_by_product_group", "gold.cohorts",
        "gold.purchase_behaviour", "gold.purchase_hours", "gold.product_affinity", "gold.usual_prices",
        "gold.product_pairs", "gold.typical_rhythm", "gold.lifecycle",
        "gold.lifecycle_transitions", "gold.lifecycle_long_run", "gold.own_segments", "gold.segment_rules", "gold.kpis",
        "gold.before_after", "gold.profile_statistics", "gold.profile_shares", "gold.customer_360",
        "features.snapshot", "features.labels", "ops.quality", "ops.runs",
    }  # fmt: skip


def test_sail_writes_the_tables_that_jvm_spark_writes(tmp_path, real_lake, assert_same_tables):
    on_sail(tmp_path, DAYS)

    assert_same_tables(job.Run(root=str(tmp_path / "lake")), real_lake)


def test_jvm_spark_merges_a_late_day_into_what_sail_wrote(tmp_path, on_jvm, real_lake, assert_same_tables):
    on_sail(tmp_path, [*DAYS[:150], *DAYS[151:]])
    merged = on_jvm(tmp_path, [DAYS[150]])

    assert_same_tables(merged, real_lake)


def test_sail_takes_a_late_day_and_the_last_one_into_what_jvm_spark_wrote(
    tmp_path, on_jvm, real_lake, assert_same_tables
):
    merged = on_jvm(tmp_path, [*DAYS[:150], *DAYS[151:-1]])
    on_sail(tmp_path, [DAYS[150]])  # merged
    on_sail(tmp_path, [DAYS[-1]])  # appended

    assert_same_tables(merged, real_lake)


def test_scores_and_published_tables_of_one_champion_are_equal_on_both_engines(
    tmp_path, spark, forty_days, trained_lake, assert_same_tables
):
    """The trained lake was scored on sail: JVM Spark scores a copy of it by the same models."""
    root = tmp_path / "lake"
    shutil.copytree(trained_lake.root, root)
    shutil.rmtree(root / "scores")
    shutil.rmtree(root / "publish")
    again = job.Run(root=str(root), lake_file=str(forty_days), spark=spark)

    scoring = ("score_segments", "score_churn", "score_purchase_intent", "score_lifetime_value")
    for name in (*scoring, "publish_customers", "publish_early_warning"):
        outcome = job.execute(step_named(name), again)
        assert outcome.state == "succeeded", (name, outcome)

    assert again.lake.count("scores.churn") == trained_lake.lake.count("scores.churn") > 100
    assert_same_tables(again, trained_lake)


DEMO_ON_SAIL = """
import sys
from customerlake.demo.lake import make_demo
from customerlake.runtime import job
from customerlake.runtime.pipeline import step_named
root = sys.argv[1]
making = job.Run(root=root, engine="sail")
file = make_demo(making.spark, root, customers=40)
making.stop()
run = job.Run(root=root, lake_file=file, engine="sail")
for name in ("land_files", "records"):
    outcome = job.execute(step_named(name), run)
    assert outcome.state == "succeeded" and not outcome.refused, outcome
"""


@pytest.mark.spark_only
def test_jvm_spark_types_the_records_of_every_feed_as_sail_does(tmp_path, spark):
    """Sail lands and types the demo lake; what JVM Spark makes of the same bronze is the same, row for row."""
    root = tmp_path / "demo"
    subprocess.run([sys.executable, "-c", DEMO_ON_SAIL, str(root)], check=True, capture_output=True)
    run = job.Run(root=str(root), lake_file=str(root / "demo.yaml"), spark=spark)
    connection = duckdb.connect()
    for name, table in OF_FEED.items():
        if name not in run.config.feeds.named():
            continue
        source = SOURCES[name]
        typed = typed_for(source, run.config.feeds.named()[name], run.config)
        received = run.lake.read(bronze_table(source))
        made = {table: accepted_records(received, source, table, typed)}
        if name in ("crm_profiles", "tickets"):  # the rules are the same for all
            made[quarantine_table(table)] = rejected_records(received, source, table, typed)
        for kept, frame in made.items():
            connection.register("ours", frame.select(kept.business_columns).toArrow())
            connection.register("theirs", DeltaTable(run.lake.path(kept)).to_pyarrow_table())
            columns = ", ".join(f'"{column}"' for column in kept.business_columns)
            both = (f"SELECT {columns} FROM ours", f"SELECT {columns} FROM theirs")
            for one, other in (both, both[::-1]):
                assert connection.sql(f"{one} EXCEPT ALL {other} LIMIT 3").fetchall() == [], kept.name
        assert run.lake.count(table) > 0
