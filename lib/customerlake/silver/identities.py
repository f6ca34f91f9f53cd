"""silver.identities: which customer each record is of."""

from pyspark.sql import types as T

from customerlake.contracts.table import Field, Table

IDENTITIES = Table(
    name="silver.identities",
    grain="one row per record of a person in one source",
    key=("source", "source_record_id"),
    columns=(
        Field("source", T.StringType(), "who has the record"),
        Field("source_record_id", T.StringType(), "the source's number of it", personal="identify"),
        Field("customer_id", T.StringType(), "the customer it is of", personal="identify"),
        Field(
            "match_probability",
            T.DoubleType(),
            "of its strongest link within the customer; 1 by number or decision, null without a link",
            unit="share",
        ),
        Field("record_id", T.LongType(), "a number made of source and source_record_id"),
        Field("component_id", T.LongType(), "records that links connect, also where two people keep them apart"),
        Field("_batch", T.LongType(), "write of this table that last changed it"),
    ),
    statistics_on=("_batch",),
)
