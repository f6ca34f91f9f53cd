"""Values that a person sets: the lake file and the models' settings. Typed, closed, unit and default beside each."""

import codecs
import difflib
import re
import zoneinfo
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from customerlake.errors import ConfigError
from customerlake.runtime.engines import Engine

TIMESTAMP_LETTERS = "GyMLdEaDhHkKmsSVzOXxFqQ"  # of Spark's datetime patterns, for reading
Share = Annotated[float, Field(ge=0, le=1)]


def _known_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError as error:
        raise ValueError("Python knows no such encoding; utf-8, cp1252, latin-1 and utf-16 are common") from error
    return name


def _known_time_zone(name: str) -> str:
    known = zoneinfo.available_timezones()
    if name not in known:
        near = difflib.get_close_matches(name, sorted(known), n=1)
        raise ValueError(f"there is no such time zone; {f'did you mean {near[0]}' if near else 'Europe/London is one'}")
    return name


def _known_timestamp_format(pattern: str) -> str:
    letters = set(re.findall("[A-Za-z]", re.sub("'[^']*'", "", pattern)))
    if unknown := sorted(letters - set(TIMESTAMP_LETTERS)):
        raise ValueError(
            f"Spark reads no {', '.join(unknown)} in a pattern; y, M, d are year, month and day, H, m, s hour, minute "
            "and second, a is AM or PM, and other text stands in single quotes"
        )
    if not {"y", "M", "d"} <= letters:
        raise ValueError("it needs year, month and day: y, M and d, as in yyyy-MM-dd HH:mm:ss")
    return pattern


class Values(BaseModel):
    """Frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SalesColumns(Values):
    """What the sales feed's own files call each column."""

    order_id: str = "order_id"
    product_id: str = "product_id"
    description: str = "description"
    quantity: str = "quantity"
    ordered_at: str = "ordered_at"
    unit_price: str = "unit_price"
    customer_id: str = "customer_id"
    country: str = "country"


class SalesFeed(Values):
    """Lines of sales, one file per day or any other cut."""

    path: str  # folder, absolute or relative to the lake file; "embedded": the sales that ship with the package
    pattern: str = "*.csv*"  # which files of the folder; .gz, .bz2 and .zst are read as compressed
    delimiter: Annotated[str, Field(pattern=r'^[^"\r\n]$')] = ","
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    timestamp_format: Annotated[str, AfterValidator(_known_timestamp_format)] = "yyyy-MM-dd HH:mm:ss"  # Spark's letters
    channel: str = "online"
    cancellation_prefix: str = "C"  # an order_id that starts with it takes an earlier order back
    columns: SalesColumns = SalesColumns()
    line_kinds: dict[
        str, str
    ] = {}  # product_id, or the start of one followed by *, of lines that are no product -> what they are


class Feeds(Values):
    sales: SalesFeed


class SegmentsConfig(Values):
    """How customers are put into segments by k-means."""

    min_segments: Annotated[int, Field(ge=2)] = 3
    max_segments: Annotated[int, Field(ge=2)] = 6
    resamples: Annotated[int, Field(ge=2)] = 2  # fits on random halves, compared for stability
    min_stability: Share = 0.7  # mean adjusted Rand index below which a k is not taken
    retrain_after_days: PositiveInt = 30
    seed: int = 20

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_segments > self.max_segments:
            raise ValueError(f"min_segments {self.min_segments} is more than max_segments {self.max_segments}")
        return self


class ChurnConfig(Values):
    """What churn means, and when a customer is warned about."""

    horizon_days: PositiveInt = 90  # no order for this long after the date = churned
    training_dates: PositiveInt = 5  # snapshots that the models learn from
    training_step_days: PositiveInt = 21  # between two of them
    warning_probability: Share = 0.5  # at least this likely to churn: warned about
    high_risk_probability: Share = 0.5
    medium_risk_probability: Share = 0.3
    retrain_after_days: PositiveInt = 30
    seed: int = 20


class LakeFile(Values):
    """One company's lake: its feeds, and how their columns are called."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]  # ISO 4217; reporting currency
    time_zone: Annotated[str, AfterValidator(_known_time_zone)] = "UTC"  # of the times in the feeds
    engine: Engine | None = None  # of the steps that run on either; without it sail where it can, else JVM Spark
    feeds: Feeds
    segments: SegmentsConfig = SegmentsConfig()
    churn: ChurnConfig = ChurnConfig()


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
    try:
        lake = LakeFile.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"The lake file {source} cannot be used:\n{_in_words(error)}") from error
    return _with_absolute_paths(lake, Path(path).resolve().parent) if path else lake


def _with_absolute_paths(lake: LakeFile, folder: Path) -> LakeFile:
    sales = lake.feeds.sales
    if sales.path == "embedded" or "://" in sales.path:
        return lake
    feeds = lake.feeds.model_copy(update={"sales": sales.model_copy(update={"path": str(folder / sales.path)})})
    return lake.model_copy(update={"feeds": feeds})


def _in_words(error: ValidationError) -> str:
    return "\n".join(f"  - {_one_in_words(problem['loc'], problem['type'], problem)}" for problem in error.errors())


def _one_in_words(location: tuple[int | str, ...], kind: str, problem: Any) -> str:
    where = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        advice = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}."
        return f"{where}: unknown key; {advice}"
    if kind == "missing":
        return f"{where}: is missing; add it."
    return f"{where}: {problem['input']!r} cannot be used: {problem['msg'].removeprefix('Value error, ')}."


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: Any = LakeFile
    for part in location:
        model = model.model_fields[str(part)].annotation
    return sorted(model.model_fields)
