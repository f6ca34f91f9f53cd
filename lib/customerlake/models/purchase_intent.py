"""Purchase intent: who orders in the days after a date, and of which groups of products."""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from customerlake.contracts.table import MEAN_MONEY, Field, Table
from customerlake.features.group_history import FEATURES as GROUP_FEATURES
from customerlake.features.snapshot import FEATURES
from customerlake.models.classifiers.candidates import Candidate, LogisticOfMLlib
from customerlake.models.classifiers.classification import Classification
from customerlake.models.classifiers.competition import Task
from customerlake.models.classifiers.numbers import Classifier
from customerlake.runtime.config import PurchaseIntentConfig

MODEL = "purchase_intent"
LABEL, PROBABILITY = "is_buying", "purchase_probability"
OF_GROUPS = "logistic regression"  # the candidate that foretells the groups of products
WHEN = ("days_since_last_order", "overdue_ratio", "days_between", "orders_last_90_days", "count_orders")
"""What says whether a customer buys at all, beside what says that it is of a group."""

GROUP = T.StructType([T.StructField("product_group", T.StringType()), T.StructField("probability", T.DoubleType())])

PURCHASE_INTENT = Table(
    name="scores.purchase_intent",
    grain="one row per customer_id and as_of, over the customers with a purchase by then",
    key=("customer_id", "as_of"),
    partitioned_by=("as_of",),
    columns=(
        Field("customer_id", T.StringType(), "customer", personal="identify"),
        Field("as_of", T.DateType(), "date of the features"),
        Field(
            "purchase_probability",
            T.DoubleType(),
            "of an order in the horizon after as_of and the gap",
            unit="share",
            personal="analyse",
        ),
        Field(
            "is_likely_buyer",
            T.BooleanType(),
            "the probability reaches the version's threshold: a contact is expected to pay",
        ),
        Field(
            "expected_spend", MEAN_MONEY, "purchase_probability x the customer's mean spend per order", unit="currency"
        ),
        Field(
            "likely_groups",
            T.ArrayType(GROUP),
            "of the largest groups of products: that one is bought in the horizon, likeliest first; null without a "
            "list of products",
            personal="analyse",
        ),
        Field("top_reasons", T.ArrayType(T.StringType()), "of likely buyers: what raises the probability, in words"),
        Field("horizon_days", T.IntegerType(), "days that the probability is about", unit="days"),
        Field("gap_days", T.IntegerType(), "days between as_of and the first of them", unit="days"),
        Field("_model_version", T.StringType(), "registered version of the model"),
    ),
)

BASELINES: Mapping[str, Candidate] = {
    "recency rule": LogisticOfMLlib("logistic regression on days_since_last_order alone", ("days_since_last_order",)),
    "recent orders": LogisticOfMLlib("logistic regression on orders_last_90_days alone", ("orders_last_90_days",)),
}
"""What a manager would do without a model."""


def intent_task(config: PurchaseIntentConfig) -> Task:
    """What is trained. Rows are of features.snapshot with is_buying."""
    return Task(
        model=MODEL,
        title="Purchase intent",
        purpose=f"Rank customers by the probability that they order in the {config.horizon_days} days that begin "
        f"{config.gap_days} days after the date, so that offers reach those who are about to buy. It says who will "
        "buy, not whom an offer makes buy: measure that with a control group.",
        limits="Seasons are learnt only as far as the training dates span them. No personal attribute is a feature.",
        label=LABEL,
        probability=PROBABILITY,
        features=FEATURES,
        baselines=BASELINES,
        stake=lambda: F.col("average_order_value"),
    )


def intent_model(config: PurchaseIntentConfig, candidate: str) -> Classification:
    """One candidate or baseline of purchase intent."""
    return intent_task(config).contender(candidate, seed=config.seed)


def group_model(config: PurchaseIntentConfig) -> Classification:
    """That a group of products is bought, one model for all of them: rows of `of_groups` with buys_group."""
    of_customer = [feature for feature in FEATURES if feature.name in WHEN]
    return Classification(
        features=[*of_customer, *GROUP_FEATURES], label="buys_group", probability="group_probability",
        candidate=OF_GROUPS, seed=config.seed,
    )  # fmt: skip


def purchase_intent_scores(
    fitted: Classifier, snapshot: DataFrame, config: PurchaseIntentConfig, *, threshold: float, model_version: str,
    groups: DataFrame | None = None,
) -> DataFrame:  # fmt: skip
    """scores.purchase_intent for one as_of; `groups` are the rows that `likely_groups` makes."""
    model = intent_model(config, fitted.candidate)
    scored = model.score(snapshot, fitted).withColumns(
        {
            "is_likely_buyer": F.col(PROBABILITY) >= threshold,
            "expected_spend": F.col(PROBABILITY) * F.col("average_order_value"),
            "horizon_days": F.lit(config.horizon_days),
            "gap_days": F.lit(config.gap_days),
            "_model_version": F.lit(model_version),
        }
    )
    with_groups = (
        scored.withColumn("likely_groups", F.lit(None).cast(T.ArrayType(GROUP)))
        if groups is None
        else scored.join(groups, on=["customer_id", "as_of"], how="left")
    )
    return model.with_reasons(with_groups, fitted, of="is_likely_buyer").transform(PURCHASE_INTENT.conform)


def likely_groups(rows: DataFrame, fitted: Classifier, config: PurchaseIntentConfig) -> DataFrame:
    """Rows of `of_groups` -> one row per customer and date: likely_groups, likeliest first."""
    model = group_model(config)
    one = F.struct(F.col(model.probability).alias("probability"), F.col("product_group"))
    ranked = F.sort_array(F.collect_list(one), asc=False)
    return (
        model.score(rows, fitted)
        .groupBy("customer_id", "as_of")
        .agg(
            F.transform(
                ranked,
                lambda of: F.struct(of["product_group"].alias("product_group"), of["probability"].alias("probability")),
            ).alias("likely_groups")
        )
    )
