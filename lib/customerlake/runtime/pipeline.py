"""The steps of a run and their order. Declared here once; the command, the jobs and the deployments read it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from customerlake.errors import ConfigError
from customerlake.runtime.engines import Feature, engine_for

SALES = ("sales", "pos_sales", "web_orders")
OF_PERSONS = (*SALES, "crm_profiles", "loyalty_events", "web_events", "email_events", "tickets")


@dataclass(frozen=True)
class Step:
    """One step: a job under `jobs/`, which reads tables, transforms and writes tables."""

    name: str  # as --only and --from take it, and as ops.runs records it
    job: str  # file under jobs/
    makes: str  # in words, for the person who watches
    is_dated: bool = True  # its tables hold one set of rows per --as-of
    after: tuple[str, ...] = ()  # steps whose tables it reads, or that may stop the run before it
    needs: tuple[Feature, ...] = ()  # of its engine, beyond what all have
    of: tuple[str, ...] = SALES  # feeds of which the lake must have one; none: the step takes whatever there is

    def lacks(self, feeds: Collection[str]) -> str | None:
        """What a lake with these feeds lacks for the step, in words; None when it lacks nothing."""
        every = [self.of, SALES] if self.is_dated else [self.of]  # a date is one of the days with an order
        for of in every:
            if of and not set(of).intersection(feeds):
                wanted = " or ".join(filter(None, [", ".join(of[:-1]), of[-1]]))
                return f"the lake file names no feed {wanted}"
        return None

    @property
    def may_refuse(self) -> bool:
        """It takes files: one that it refuses makes it fail with all others taken, so later steps must still run."""
        return self.job.startswith("bronze/")

    @property
    def needs_jvm(self) -> bool:
        """It runs on JVM Spark, whatever engine is asked for."""
        return engine_for(self.needs, "sail") == "spark"

    @property
    def is_training(self) -> bool:
        return self.job.startswith("models/train_")

    @property
    def is_of_one_date(self) -> bool:
        """It leaves rows for each --as-of. A training may keep an older version, and leaves none to score by."""
        return self.job.startswith(("gold/", "features/"))


LANDINGS = ("land_files", "land_databases", "land_interfaces", "land_streams")
SILVER = ("records", "order_lines", "customer_records", "identities", "orders", "cancellations", "customers")
PIPELINE = (
    Step("land_files", "bronze/land_files.py", "landed files as received", is_dated=False, of=()),
    Step("land_databases", "bronze/land_databases.py", "new rows of databases", is_dated=False, needs=("JDBC",), of=()),
    Step("land_interfaces", "bronze/land_interfaces.py", "new records of paged interfaces", is_dated=False, of=()),
    Step(
        "land_streams", "bronze/land_streams.py", "new messages of topics", is_dated=False, needs=("streaming",), of=()
    ),
    Step("records", "silver/build_records.py", "typed records of every other feed", False, LANDINGS, of=()),
    Step("order_lines", "silver/build_order_lines.py", "typed, deduplicated lines", False, (*LANDINGS, "records")),
    Step(
        "customer_records",
        "silver/build_customer_records.py",
        "what each source says of persons, cleaned",
        False,
        ("records", "order_lines"),
        of=OF_PERSONS,
    ),
    Step(
        "identities",
        "silver/build_identities.py",
        "which customer each record is of",
        False,
        ("customer_records",),
        of=OF_PERSONS,
    ),
    Step("orders", "silver/build_orders.py", "orders, summed from their lines", False, ("order_lines", "identities")),
    Step(
        "cancellations", "silver/build_cancellations.py", "returns, and the sales they cancel", False, ("order_lines",)
    ),
    Step(
        "customers",
        "silver/build_customers.py",
        "customers and products",
        False,
        ("identities", "order_lines"),
        of=OF_PERSONS,
    ),
    Step("quality", "monitor/check_quality.py", "silver against its thresholds", False, SILVER, of=()),
    Step("value", "gold/build_value.py", "RFM, segments and observed value", after=("orders", "customers", "quality")),
    Step("behaviour", "gold/build_behaviour.py", "purchase rhythm and baskets", after=("orders", "quality")),
    Step("lifecycle", "gold/build_lifecycle.py", "stages of customers", after=("orders", "identities", "behaviour")),
    Step(
        "sessions",
        "gold/build_sessions.py",
        "visits to the web shop",
        False,
        ("records", "identities", "quality"),
        of=("web_events",),
    ),
    Step(
        "funnel",
        "gold/build_funnel.py",
        "steps to an order, and what led to it",
        after=("sessions", "orders", "value"),
        of=("web_events",),
    ),
    Step(
        "engagement",
        "gold/build_engagement.py",
        "web, e-mail, cards and consent of each customer",
        after=("records", "identities", "quality"),
        of=("web_events", "email_events", "loyalty_events", "consents"),
    ),
    Step(
        "service",
        "gold/build_service.py",
        "tickets and surveys",
        after=("records", "identities", "value"),
        of=("tickets", "survey_answers"),
    ),
    Step("segment_rules", "gold/build_segment_rules.py", "segments by rules", after=("value", "behaviour", "records")),
    Step(
        "campaigns",
        "gold/build_campaigns.py",
        "what campaigns brought",
        after=("records", "identities", "value", "sessions"),
        of=("campaigns",),
    ),
    Step(
        "kpis",
        "gold/build_kpis.py",
        "days, weeks and months; who customers are",
        after=("orders", "value", "segment_rules"),
    ),
    Step("before_after", "gold/build_before_after.py", "before and after the dates of the lake file", after=("kpis",)),
    Step(
        "customer_360",
        "gold/build_customer_360.py",
        "one row per customer",
        after=("customers", "value", "behaviour", "lifecycle", "engagement", "service", "segment_rules"),
    ),
    Step(
        "invariants",
        "monitor/check_gold.py",
        "gold against what must hold in it",
        after=("customer_360", "kpis", "before_after", "funnel", "campaigns"),
    ),
    Step(
        "features",
        "features/build_features.py",
        "what was known on each date; what came after",
        after=("orders", "records", "identities", "quality"),
    ),
    Step(
        "attributes",
        "features/build_attributes.py",
        "attributes of a table of customers",
        False,
        ("records", "quality"),
        of=("customer_attributes",),
    ),
    Step(
        "train_segments",
        "models/train_segments.py",
        "k-means over several k",
        after=("features",),
        needs=("MLlib",),
    ),
    Step(
        "train_churn",
        "models/train_churn.py",
        "candidates beside their baseline",
        after=("features",),
        needs=("MLlib",),
    ),
    Step(
        "train_purchase_intent",
        "models/train_purchase_intent.py",
        "who will order, beside a baseline",
        after=("features",),
        needs=("MLlib",),
    ),
    Step(
        "train_session_intent",
        "models/train_session_intent.py",
        "whether a visit ends in an order",
        after=("sessions",),
        needs=("MLlib",),
        of=("web_events",),
    ),
    Step(
        "train_lifetime_value",
        "models/train_lifetime_value.py",
        "lifetime value beside past rates",
        after=("value", "features"),
        needs=("MLlib",),
    ),
    Step(
        "train_outcome",
        "models/train_outcome.py",
        "candidates beside their baseline",
        False,
        ("attributes",),
        needs=("MLlib",),
        of=("customer_attributes",),
    ),
    Step("score_segments", "models/score_segments.py", "the segment of each customer", after=("train_segments",)),
    Step("score_churn", "models/score_churn.py", "the churn risk of each customer", after=("train_churn",)),
    Step(
        "score_purchase_intent",
        "models/score_purchase_intent.py",
        "who is likely to order",
        after=("train_purchase_intent",),
    ),
    Step(
        "score_session_intent",
        "models/score_session_intent.py",
        "visits of the day that were about to order",
        after=("train_session_intent",),
        of=("web_events",),
    ),
    Step(
        "score_lifetime_value",
        "models/score_lifetime_value.py",
        "what each customer is worth",
        after=("value", "train_lifetime_value"),
    ),
    Step(
        "score_outcome",
        "models/score_outcome.py",
        "the outcome's probability for each customer",
        False,
        ("train_outcome",),
        of=("customer_attributes",),
    ),
    Step(
        "publish_customers",
        "publish/publish_customers.py",
        "the customer table, Delta and CSV",
        after=(
            "customer_360",
            "invariants",
            "score_segments",
            "score_churn",
            "score_purchase_intent",
            "score_lifetime_value",
        ),
    ),
    Step(
        "publish_early_warning",
        "publish/publish_early_warning.py",
        "who is about to leave",
        after=("publish_customers",),
    ),
)


PARAMETERS = ("root", "as_of", "lake", "catalog")
"""What every job takes, as `--as-of` for as_of; an empty value stands for one that is not given."""

OBSERVED = ("silver.order_lines", "ordered_on")
"""The table and column whose first and last day bound what can be asked for with --as-of."""


def steps(*, only: str | None = None, start: str | None = None) -> tuple[Step, ...]:
    """The steps of one run: all, `only` one, or those from `start` on. Raises: ConfigError on an unknown name."""
    if only and start:
        raise ConfigError("--only and --from exclude each other. Give one of them.")
    if only:
        return (step_named(only),)
    return PIPELINE[PIPELINE.index(step_named(start)) :] if start else PIPELINE


def step_named(name: str) -> Step:
    for step in PIPELINE:
        if step.name == name:
            return step
    raise ConfigError(f"There is no step {name!r}. The steps are: {', '.join(step.name for step in PIPELINE)}.")


def step_of_job(path: str) -> Step:
    """The step of a job's file, by the file's name: YARN and EMR Serverless take the file out of its folder."""
    file = PurePosixPath(path.replace("\\", "/")).name
    for step in PIPELINE:
        if PurePosixPath(step.job).name == file:
            return step
    raise ConfigError(f"{path} is the job of no step. The jobs are: {', '.join(step.job for step in PIPELINE)}.")


def arguments(values: Mapping[str, str]) -> list[str]:
    """A job's command line for values of PARAMETERS; `--name=` in one word, as an empty word may be lost on its way."""
    return [f"--{name.replace('_', '-')}={values[name]}" for name in PARAMETERS]
