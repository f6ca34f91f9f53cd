"""Values that a person sets: the lake file and the models' settings. Typed, closed, unit and default beside each."""

import difflib
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Self, get_args

import yaml
from pydantic import Field, PositiveInt, ValidationError, ValidationInfo, field_validator, model_validator

from customerlake.bronze.sources import SOURCES
from customerlake.errors import ConfigError
from customerlake.runtime.engines import Engine
from customerlake.runtime.feeds import AttributesFeed, Feed, SalesFeed, TimeZone, Values, wrong_origin

Share = Annotated[float, Field(ge=0, le=1)]


class Feeds(Values):
    """The feeds that a company has; any of them, one at least."""

    sales: SalesFeed | None = None
    pos_sales: SalesFeed | None = None
    web_orders: SalesFeed | None = None
    crm_profiles: Feed | None = None
    loyalty_events: Feed | None = None
    web_events: Feed | None = None
    email_events: Feed | None = None
    campaigns: Feed | None = None
    campaign_members: Feed | None = None
    social_posts: Feed | None = None
    tickets: Feed | None = None
    survey_answers: Feed | None = None
    consents: Feed | None = None
    products: Feed | None = None
    exchange_rates: Feed | None = None
    customer_attributes: AttributesFeed | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if not self.named():
            raise ValueError(f"it names no feed; there are {', '.join(type(self).model_fields)}")
        return self

    def named(self) -> dict[str, Feed]:
        """The feeds that the lake file names, in the order of the path."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: feed for name, feed in given.items() if feed is not None}

    def of_sales(self) -> dict[str, SalesFeed]:
        """Those of lines of sales."""
        return {name: feed for name, feed in self.named().items() if isinstance(feed, SalesFeed)}


class SegmentsConfig(Values):
    """What customers are put into segments by, and how the number and the method are chosen."""

    features: Annotated[tuple[str, ...], Field(min_length=2, max_length=20)] = (
        "days_since_last_order", "count_orders", "total_spend", "average_order_value",
    )  # of features.snapshot, numbers alone: when, how often, how much, and in what portions  # fmt: skip
    min_segments: Annotated[int, Field(ge=2)] = 3
    max_segments: Annotated[int, Field(ge=2, le=20)] = 6
    resamples: Annotated[int, Field(ge=2)] = 20  # bootstrap samples, in which each grouping must be found again
    references: Annotated[int, Field(ge=2)] = 10  # sets of evenly spread customers, for the gap statistic
    min_segment_share: Share = 0.01  # of the customers: segments are to be of use
    min_stability: Share = 0.7  # mean adjusted Rand index with the fits on bootstrap samples, below which none is taken
    learnt_from_customers: PositiveInt = 100_000  # at most: a sample, whose values the driver holds
    promotion_margin: Share = 0.01  # of the silhouette by which new segments must beat the champion's
    retrain_after_days: PositiveInt = 30
    seed: int = 20

    @field_validator("features")
    @classmethod
    def _once_each(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        if repeated := sorted({name for name in features if features.count(name) > 1}):
            raise ValueError(f"{', '.join(repeated)} is named twice")
        return features

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_segments > self.max_segments:
            raise ValueError(f"min_segments {self.min_segments} is more than max_segments {self.max_segments}")
        return self


class ProfitConfig(Values):
    """What contacting a customer costs and may earn."""

    contact_cost: Annotated[float, Field(ge=0)] = 4.0  # of one customer, in the lake's currency
    margin_share: Share = 0.3  # of spend that is left as profit
    success_rate: Share = 0.1  # of those contacted in time who then stay, or buy


class SearchConfig(Values):
    """How long settings of candidates are searched, and how the best is found."""

    trials: Annotated[int, Field(ge=1)] = 4  # of each candidate; 1: its usual settings alone
    seconds: Annotated[float, Field(gt=0)] = 60.0  # of each candidate; no trial begins later


class ClassifierConfig(Values):
    """How a model of a yes or no is trained and judged."""

    candidates: tuple[str, ...] = ("logistic regression", "random forest", "gradient-boosted trees", "XGBoost")
    search: SearchConfig = SearchConfig()
    fitted_at_once: PositiveInt = 2  # candidates: a fit is many small jobs, which leave cores idle
    profit: ProfitConfig = ProfitConfig()
    warning_probability: Share | None = None  # so likely or more: flagged; none: where profit is highest, or 0.5
    promotion_margin: Share = 0.002  # of ROC AUC by which a challenger must beat the champion on the same rows
    suspicious_roc_auc: Share = 0.9  # above it the run warns: look for what was not known on the date
    retrain_after_days: PositiveInt = 30
    seed: int = 20

    @field_validator("candidates")
    @classmethod
    def _has_one(cls, candidates: tuple[str, ...]) -> tuple[str, ...]:
        if not candidates:
            raise ValueError("name one candidate at least")
        return candidates


class TimedConfig(ClassifierConfig):
    """How a model of what customers do after a date is trained: from which dates, and of which days after them."""

    horizon_days: PositiveInt  # what is foretold is of so many days
    gap_days: Annotated[int, Field(ge=0)]  # from the date to the first of them: actions need time
    training_dates: PositiveInt = 5  # snapshots that the models learn from
    training_step_days: PositiveInt = 21  # between two of them
    splits: PositiveInt = 3  # held-out dates, the newest decides; as many as the history allows


class ChurnConfig(TimedConfig):
    """What churn means, and when a customer is warned about."""

    horizon_days: PositiveInt = 90  # no order for this long after the date and the gap = churned
    gap_days: Annotated[int, Field(ge=0)] = 7
    high_risk_probability: Share = 0.5
    medium_risk_probability: Share = 0.3


class PurchaseIntentConfig(TimedConfig):
    """Who buys within which time."""

    horizon_days: PositiveInt = 30
    gap_days: Annotated[int, Field(ge=0)] = 0
    candidates: tuple[str, ...] = ("logistic regression", "XGBoost")
    product_groups: Annotated[int, Field(ge=0)] = 5  # the largest ones, of which a purchase is foretold each
    profit: ProfitConfig = ProfitConfig(contact_cost=1.0, success_rate=0.02)  # most would buy in any case


class SessionIntentConfig(ClassifierConfig):
    """When a visit to the web shop is looked at, and from which visits is learnt."""

    seconds: PositiveInt = 120  # after its start; visits that ended before are not scored
    holdout_days: PositiveInt = 14  # judged on, and as many before them for each older split
    training_days: PositiveInt = 120  # before them, learnt from
    splits: PositiveInt = 3
    candidates: tuple[str, ...] = ("logistic regression", "XGBoost")
    suspicious_roc_auc: Share = 0.95  # a cart by then tells much


class LifetimeValueConfig(Values):
    """Over which time, and at which rates, a customer is worth what."""

    horizon_days: PositiveInt = 365  # purchases up to so many days after as_of count
    period_days: PositiveInt = 30  # a period's purchases are discounted from its end; the last may be shorter
    discount_rate: Annotated[float, Field(gt=-1)] = 0.1  # a year
    margin_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of spend; 1: the value is revenue
    draws: Annotated[int, Field(ge=20)] = 200  # of the parameters, for intervals
    most_histories: PositiveInt = 200_000  # distinct ones, held by the driver in fitting
    holdout_days: PositiveInt = 90  # the last days, that models are judged on
    promotion_margin: Share = 0.005  # of the error per customer by which a challenger must beat the champion
    retrain_after_days: PositiveInt = 30
    seed: int = 20


class IdentityConfig(Values):
    """When two records are one person's."""

    link_probability: Annotated[float, Field(gt=0, lt=1)] = 0.85  # at least this likely: linked
    review_probability: Share = 0.3  # from here on a person may want to look
    most_records_of_key: PositiveInt = 100  # a value that more records have makes no pairs
    most_names_of_number: PositiveInt = 20  # a customer number beside more names or mailboxes is nobody's
    learnt_from_records: PositiveInt = 100_000  # at most: match weights come from a sample
    seed: int = 20


class TableQuality(Values):
    """Thresholds of one silver table, each in place of that of all tables; 0 asks nothing."""

    completeness: Share | None = None
    validity: Share | None = None
    uniqueness: Share | None = None
    consistency: Share | None = None
    timeliness: Share | None = None
    fresh_within_days: PositiveInt | None = None
    columns: dict[str, Share] = Field(default_factory=dict)  # completeness of single columns, required or not


class QualityConfig(Values):
    """How good silver tables must be for gold to be made of them; `monitor/measures.py` defines each share."""

    completeness: Share = 1.0  # of each column without which a row says nothing
    validity: Share = 0.9
    uniqueness: Share = 1.0
    consistency: Share = 0.5  # rules that are only measured: below it, columns or time zones are likely mixed up
    timeliness: Share = 0.0  # measured and not judged: some tables, of products for example, seldom change
    fresh_within_days: PositiveInt = 30  # the newest row may be this far behind the lake's newest day
    fewest_rows: PositiveInt = 20  # a share of fewer is not judged
    usual_rows: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(gt=0)]] = (0.5, 2.0)  # of the usual number
    usual_over_runs: PositiveInt = 7  # the usual number is the median of so many runs; told of, never a reason to stop
    tables: dict[Annotated[str, Field(pattern=r"^silver\.")], TableQuality] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        least, most = self.usual_rows
        if least > most:
            raise ValueError(f"usual_rows {least} is more than {most}")
        return self


class ComparedDate(Values):
    """A day whose before and after gold.before_after compares. Named as a campaign, it has that one's control group."""

    name: Annotated[str, Field(min_length=1)]
    day: date
    window_days: PositiveInt = 28  # on either side


class LakeFile(Values):
    """One company's lake: its feeds, and how their columns are called."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]  # ISO 4217; reporting currency
    time_zone: TimeZone = "UTC"  # of the times in the feeds that do not say their own
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = (
        None  # of phones and postcodes that do not say theirs
    )
    engine: Engine | None = None  # of the steps that run on either; without it sail where it can, else JVM Spark
    feeds: Feeds
    web_channels: tuple[str, ...] = ("web", "online")  # of the channels of its feeds of sales, those of the web shop
    identity: IdentityConfig = IdentityConfig()
    segments: SegmentsConfig = SegmentsConfig()
    churn: ChurnConfig = ChurnConfig()
    purchase_intent: PurchaseIntentConfig = PurchaseIntentConfig()
    session_intent: SessionIntentConfig = SessionIntentConfig()
    outcome: ClassifierConfig = ClassifierConfig()
    lifetime_value: LifetimeValueConfig = LifetimeValueConfig()
    quality: QualityConfig = QualityConfig()
    compared_dates: tuple[ComparedDate, ...] = ()

    @field_validator("web_channels")
    @classmethod
    def _are_channels(cls, web_channels: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        feeds: Feeds | None = others.data.get("feeds")
        known = {feed.channel for feed in feeds.of_sales().values()} if feeds else set(web_channels)
        if unknown := sorted(set(web_channels) - known):
            raise ValueError(
                f"no feed of sales has the channel {', '.join(unknown)}; there are {', '.join(sorted(known)) or 'none'}"
            )
        return web_channels

    @property
    def web_order_prefixes(self) -> tuple[str, ...]:
        """The order_prefix of each feed of the web shop: its clickstream numbers orders without. None: as they are."""
        of_shop = {f.order_prefix for f in self.feeds.of_sales().values() if f.channel in self.web_channels}
        return tuple(sorted(of_shop)) or ("",)


def shipped(folder: str) -> Traversable:
    """A folder that ships with the code: inside the installed package, else at the root of the checkout."""
    installed = resources.files("customerlake") / folder
    return installed if installed.is_dir() else Path(__file__).parents[3] / folder


def load_lake_file(path: str | None) -> LakeFile:
    """Read and check a lake file; without a path the one of the embedded sales.

    Raises: ConfigError that lists every unknown key (with the nearest known one), missing key and bad value at once.
    """
    source: Traversable = Path(path) if path else shipped("conf") / "lakes" / "online_retail.yaml"
    try:
        values = yaml.safe_load(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The lake file {source} cannot be read: {error.strerror}. Check --lake.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The lake file {source} is not YAML: {error}. Correct it there.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"The lake file {source} holds no keys; see conf/lakes/online_retail.yaml for an example.")
    columns = _wrong_feeds(values)
    try:
        lake = LakeFile.model_validate(values)
    except ValidationError as error:
        problems = [_in_words(problem["loc"], problem["type"], problem) for problem in error.errors()]
        raise _unusable(source, list(dict.fromkeys(problems + columns))) from error
    if columns:
        raise _unusable(source, columns)
    return _with_absolute_paths(lake, Path(path).resolve().parent if path else None)


def _unusable(source: Traversable, problems: list[str]) -> ConfigError:
    return ConfigError(f"The lake file {source} cannot be used:\n" + "\n".join(f"  - {text}" for text in problems))


def _with_absolute_paths(lake: LakeFile, folder: Path | None) -> LakeFile:
    """The feeds with folders relative to `folder` made absolute, and each with its time zone."""
    whole = {}
    for name, feed in lake.feeds.named().items():
        known: dict[str, str] = {"time_zone": feed.time_zone or lake.time_zone}
        if folder and feed.path is not None and feed.path != "embedded" and "://" not in feed.path:
            known["path"] = str(folder / feed.path)
        whole[name] = feed.model_copy(update=known)
    return lake.model_copy(update={"feeds": lake.feeds.model_copy(update=whole)})


def _wrong_feeds(values: dict[str, Any]) -> list[str]:
    """What is wrong with feeds beyond their keys: names of columns, held against the contracts; and the origin."""
    feeds = values.get("feeds")
    problems = []
    for feed, said in feeds.items() if isinstance(feeds, dict) else ():
        if feed not in SOURCES or not isinstance(said, dict):
            continue
        known = SOURCES[feed].column_names
        if wrong := wrong_origin(said):
            problems.append(f"feeds.{feed}: {wrong}.")
        for key in ("columns", "constants", "accepted_changes"):
            for name in said.get(key) or ():
                if name not in known:
                    problems.append(f"feeds.{feed}.{key}.{name}: {_unknown(name, known)}")
    return problems


def _in_words(location: tuple[int | str, ...], kind: str, problem: Any) -> str:
    where = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        return f"{where}: {_unknown(location[-1], _known_keys(location[:-1]))}"
    if kind == "missing":
        return f"{where}: is missing; add it."
    said = problem["msg"].removeprefix("Value error, ")
    if isinstance(problem["input"], dict):
        return f"{where}: {said}."
    return f"{where}: {problem['input']!r} cannot be used: {said}."


def _unknown(name: object, known: list[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; known here: {', '.join(known)}."


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: Any = LakeFile
    for part in location:
        if str(part) not in model.model_fields:  # the name of a table, whose keys its model has
            continue
        annotation = model.model_fields[str(part)].annotation
        model = next(
            (kind for kind in get_args(annotation) if isinstance(kind, type) and issubclass(kind, Values)), annotation
        )
    return sorted(model.model_fields)
