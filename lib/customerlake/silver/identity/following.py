"""What follows from who is who: customers are summed up again where their records changed, and orders go with them."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customerlake.runtime.job import Run
from customerlake.silver.customer_records import CUSTOMER_RECORDS, SHOP
from customerlake.silver.customers import CUSTOMERS, customers
from customerlake.silver.identities import IDENTITIES
from customerlake.silver.identity_changes import IDENTITY_CHANGES
from customerlake.silver.orders import ORDERS, with_customers


def take_customers(run: Run) -> None:
    """Bring silver.customers up to the newest records and identities; who is no more leaves it."""
    new_records, new_identities = run.new_batches(CUSTOMER_RECORDS), run.new_batches(IDENTITIES)
    records, identities = run.read(CUSTOMER_RECORDS), run.read(IDENTITIES)
    if new_records.start == 1 and new_identities.start == 1:
        run.overwrite(CUSTOMERS, customers(records, identities))
        return
    moved = [row for row in run.records(IDENTITY_CHANGES) if row["_batch"] in new_identities]
    ends = [(row[end],) for row in moved for end in ("from_customer_id", "to_customer_id")]
    arrived = records.where(F.col("_batch") >= new_records.start).select(*CUSTOMER_RECORDS.key)
    touched = (
        identities.where(F.col("_batch") >= new_identities.start)
        .select("customer_id")
        .unionByName(identities.join(arrived, on=list(CUSTOMER_RECORDS.key), how="left_semi").select("customer_id"))
        .unionByName(run.spark.createDataFrame(ends, "customer_id string"))
        .distinct()
    )
    of_touched = identities.join(touched, on="customer_id", how="left_semi")
    summed = customers(records, of_touched)
    known = run.read(CUSTOMERS).select("customer_id").join(touched, on="customer_id", how="left_semi")
    gone = known.join(summed.select("customer_id"), on="customer_id", how="left_anti").collect()
    run.merge(CUSTOMERS, summed)
    run.remove(CUSTOMERS, "customer_id", [row["customer_id"] for row in gone])


def take_new_names(run: Run) -> None:
    """The orders of customer numbers that went to another customer since, under that customer."""
    new = run.new_batches(IDENTITIES)
    if not new or not run.lake.exists(ORDERS):
        return
    identities = run.read(IDENTITIES)
    renamed = identities.where((F.col("source") == SHOP) & (F.col("_batch") >= new.start))
    known = run.read(ORDERS)
    before = F.col("customer_id").alias("was")
    moved = (
        _of_numbers(known.select("*", before), renamed)
        .transform(with_customers(identities))
        .where("customer_id <> was")
    )
    if not moved.isEmpty():
        run.merge(ORDERS, moved.transform(ORDERS.conform))


def _of_numbers(orders: DataFrame, shop: DataFrame) -> DataFrame:
    return orders.join(
        shop.select(F.col("source_record_id").alias("shop_customer_id")), on="shop_customer_id", how="left_semi"
    )
