"""The only door to MLflow: runs, figures, registered versions, and the aliases `champion`, which scores, and
`challenger`, the newest that did not beat it."""

import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import altair as alt
import mlflow
import pandas as pd
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.pyfunc.model import PythonModel
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

import customerlake
from customerlake.errors import ModelError
from customerlake.models.figures import save

CHAMPION, CHALLENGER = "champion", "challenger"
BEFORE = "champion_before"  # tag of a version: whom it followed, so that a rollback knows the way
APPROVED_BY, APPROVED_AS = "approved_by", "approved_on"
SHOWN_AS = {"mlflow.experimentKind": "custom_model_development"}  # MLflow's pages for models, not for agents
JUDGED = "judged"  # tag of a version whose training came to its end

OF_PLATFORM = "databricks" if "DATABRICKS_RUNTIME_VERSION" in os.environ else None  # it has a store of its own
ASKED_URI = os.environ.get("MLFLOW_TRACKING_URI", OF_PLATFORM)
ASKED_REGISTRY_URI = os.environ.get("MLFLOW_REGISTRY_URI")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing about a company's runs leaves it
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a bar per model file hides the run's own lines

NEEDED_TO_SCORE = ("numpy", "pandas", "pydantic", "pyspark", "pyyaml", "scikit-learn", "scipy", "shap")

logging.getLogger("mlflow").setLevel(logging.ERROR)
logging.getLogger("alembic").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Version:
    """A registered version of a model."""

    model: str
    number: str
    as_of: date  # nothing after it was known when the model was trained
    run_id: str
    is_champion: bool
    tags: Mapping[str, str]
    is_challenger: bool = False


@dataclass(frozen=True)
class FoundRun:
    """A run of a training, or of one of its candidates."""

    run_id: str
    name: str
    as_of: str
    metric: float | None


class Registry:
    """The MLflow store of one lake: MLFLOW_TRACKING_URI where it is set, else a database under the lake's root."""

    def __init__(self, root: str) -> None:
        if "://" in root and not ASKED_URI:
            raise ModelError(
                f"The models of the lake {root} have no place: MLflow's own database needs a local folder. "
                "Set MLFLOW_TRACKING_URI to an MLflow server."
            )
        folder = Path(root) / "mlflow"
        self.uri = ASKED_URI or f"sqlite:///{folder}/mlflow.db"
        self.artifacts = None if ASKED_URI else f"{folder}/artifacts"
        if self.artifacts:
            folder.mkdir(parents=True, exist_ok=True)
        self.registry_uri = ASKED_REGISTRY_URI or self.uri
        self.client = MlflowClient(self.uri, self.registry_uri)

    @contextmanager
    def run(
        self, experiment: str, name: str, tags: Mapping[str, str], *, nested: bool = False, below: str | None = None
    ) -> Iterator[str]:
        """Open a run of an experiment and give its id; a nested one lies below the active run, or below the one with
        the id `below`, as a thread of its own has no active run."""
        self._select()
        if not nested and self.client.get_experiment_by_name(experiment) is None:
            self.client.create_experiment(experiment, artifact_location=self.artifacts, tags=SHOWN_AS)
        if not nested:
            self._end_killed_runs(mlflow.set_experiment(experiment).experiment_id)
        with mlflow.start_run(run_name=name, nested=nested, parent_run_id=below, tags=dict(tags)) as active:
            yield active.info.run_id

    def log_params(self, values: Mapping[str, Any]) -> None:
        mlflow.log_params(dict(values))

    def log_metrics(self, values: Mapping[str, float]) -> None:
        mlflow.log_metrics(dict(values))

    def log_inputs(self, versions: Mapping[str, tuple[str, int]], context: str) -> None:
        """Log each input table with its place (a path, or a name of a catalog) and Delta version."""
        for table, (place, number) in versions.items():
            where = {"path": place} if "/" in place else {"delta_table_name": place}
            source = DeltaDatasetSource(delta_table_version=number, **where)
            dataset = MetaDataset(source, name=table, digest=f"v{number}")  # type: ignore[abstract]  # MLflow makes it so too
            mlflow.log_input(dataset, context=context)
            mlflow.set_tag(f"version_of.{table}", str(number))

    def log_figure(self, chart: alt.TopLevelMixin, name: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            mlflow.log_artifact(str(save(chart, Path(folder) / f"{name}.png")), "figures")

    def log_card(self, card: str) -> None:
        """Keep the model card, and show it as the run's description."""
        mlflow.log_text(card, "model_card.md")
        mlflow.set_tag(MLFLOW_RUN_NOTE, card)

    def log_table(self, rows: pd.DataFrame, name: str) -> None:
        """Keep a table beside the run, to be read on MLflow's page: `name`.json."""
        mlflow.log_table(rows, f"{name}.json")

    def log_series(self, name: str, values: Sequence[float]) -> None:
        """A metric at steps 0, 1, 2, ..."""
        for step, value in enumerate(values):
            mlflow.log_metric(name, value, step=step)

    def log_values(self, values: Mapping[str, Any], name: str) -> None:
        """Keep values that scoring needs beside the model."""
        mlflow.log_dict(dict(values), name)

    def register(
        self,
        model: str,
        scorer: PythonModel,
        *,
        run_id: str,
        as_of: date,
        inputs: pd.DataFrame,
        output: pd.DataFrame,
        metrics: Mapping[str, float],
    ) -> Version:
        """Save what scores in the active run, with its code, and register it as a new version.

        The beginning of the run's model card describes the version, and the purpose in it the model.
        """
        with warnings.catch_warnings(), code_that_scores() as code:
            warnings.simplefilter("ignore")  # MLflow warns of integer columns in signatures; ours cannot be missing
            logged = mlflow.pyfunc.log_model(
                name=model,
                python_model=scorer,
                code_paths=[str(code)],
                signature=infer_signature(inputs, output),
                input_example=inputs,
                pip_requirements=[f"{name}=={installed(name)}" for name in NEEDED_TO_SCORE],
            )
        title, _, rest = self.client.get_run(run_id).data.tags.get(MLFLOW_RUN_NOTE, "").partition("\n\n")
        purpose = rest.partition("\n\n")[0]
        about = f"{title}\n\n{purpose}\n\nThe whole model card is the description of its run." if title else None
        self._ensure_model(model)
        self.client.update_registered_model(model, purpose)
        tags = {"as_of": str(as_of)} | {f"holdout_{name}": f"{value:.6f}" for name, value in metrics.items()}
        made = self.client.create_model_version(
            model, logged.model_uri, run_id=run_id, tags=tags, model_id=logged.model_id, description=about
        )
        return Version(model, str(made.version), as_of, run_id, False, tags)

    def versions(self, model: str) -> list[Version]:
        """All judged versions, oldest first; none for an unknown model."""
        champion, challenger = (self._number_of(model, alias) for alias in (CHAMPION, CHALLENGER))
        found = self.client.search_model_versions(f"name = '{model}'")
        return sorted(
            (
                Version(
                    model,
                    str(v.version),
                    date.fromisoformat(v.tags["as_of"]),
                    v.run_id or "",
                    str(v.version) == champion,
                    v.tags,
                    str(v.version) == challenger,
                )
                for v in found
                if JUDGED in v.tags
            ),
            key=lambda v: int(v.number),
        )

    def usable(self, model: str, as_of: date) -> Version | None:
        """The version that may score `as_of`: the champion, unless it has seen later days; else the newest without."""
        honest = [version for version in self.versions(model) if version.as_of <= as_of]
        return max(honest, key=lambda version: (version.is_champion, version.as_of, int(version.number)), default=None)

    def is_due(self, model: str, as_of: date, retrain_after_days: int) -> bool:
        """No usable version is young enough. A version that lost to the champion counts: it was tried."""
        return not any(0 <= (as_of - version.as_of).days < retrain_after_days for version in self.versions(model))

    def judge(self, version: Version, *, wins: bool) -> None:
        """End a training: a version that wins becomes the champion, one that loses the challenger.

        A version whose training was killed before is never used.
        """
        self.client.set_model_version_tag(version.model, version.number, JUDGED, "won" if wins else "lost")
        if wins:
            self.promote(version)
        else:
            self.client.set_registered_model_alias(version.model, CHALLENGER, version.number)

    def promote(self, version: Version) -> None:
        """Make a version the champion. The one before is kept in mind for a rollback, and is the challenger."""
        before = self._number_of(version.model, CHAMPION)
        if before == version.number:
            return
        if before:
            self.client.set_model_version_tag(version.model, version.number, BEFORE, before)
            self.client.set_registered_model_alias(version.model, CHALLENGER, before)
        elif self._number_of(version.model, CHALLENGER) == version.number:
            self.client.delete_registered_model_alias(version.model, CHALLENGER)
        self.client.set_registered_model_alias(version.model, CHAMPION, version.number)

    def roll_back(self, model: str) -> Version:
        """Give the alias back to the version that was champion before. Raises: ModelError when there was none."""
        champion = self.champion(model)
        before = champion.tags.get(BEFORE) if champion else None
        if champion is None or before is None:
            raise ModelError(
                f"There is no champion of {model} before the present one"
                f"{f', version {champion.number}' if champion else ''}. See `customerlake models list {model}`."
            )
        self.client.set_registered_model_alias(model, CHAMPION, before)
        self.client.set_registered_model_alias(model, CHALLENGER, champion.number)
        return self.version(model, before)

    def approve(self, version: Version, *, by: str, on: date) -> None:
        """Write down who has read the model card and lets the version be used."""
        for name, value in ((APPROVED_BY, by), (APPROVED_AS, str(on))):
            self.client.set_model_version_tag(version.model, version.number, name, value)
            self.client.set_tag(version.run_id, name, value)

    def champion(self, model: str) -> Version | None:
        return next((version for version in self.versions(model) if version.is_champion), None)

    def version(self, model: str, number: str) -> Version:
        """Raises: ModelError that lists the versions there are."""
        found = self.versions(model)
        for version in found:
            if version.number == number:
                return version
        known = ", ".join(version.number for version in found) or "none"
        raise ModelError(f"There is no version {number} of {model} whose training came to its end; there are: {known}.")

    def card(self, version: Version) -> str:
        """The model card of a version, as it was written."""
        self._select()
        return str(mlflow.artifacts.load_text(f"runs:/{version.run_id}/model_card.md"))

    def search(self, model: str, where: str, *, by: str, most: int) -> list[FoundRun]:
        """Runs of a model by MLflow's filter, the highest metric first. Raises: ModelError on a wrong filter."""
        experiment = self.client.get_experiment_by_name(model)
        if experiment is None:
            raise ModelError(f"There is no training of {model} yet; there are: {', '.join(self.models()) or 'none'}.")
        try:
            runs = self.client.search_runs(
                [experiment.experiment_id], where, order_by=[f"metrics.`{by}` DESC"], max_results=most
            )
        except MlflowException as error:
            raise ModelError(
                f"MLflow cannot filter runs by {where!r}: {error.message}. Write metrics.roc_auc > 0.7, "
                "params.candidate = 'XGBoost', or tags.as_of = '2011-12-09'."
            ) from error
        return [
            FoundRun(r.info.run_id, r.info.run_name, r.data.tags.get("as_of", ""), r.data.metrics.get(by)) for r in runs
        ]

    def models(self) -> list[str]:
        """The names of all registered models."""
        return sorted(model.name for model in self.client.search_registered_models())

    def metrics(self, version: Version) -> dict[str, float]:
        """The metrics of the run that made a version."""
        return dict(self.client.get_run(version.run_id).data.metrics)

    def params(self, version: Version) -> dict[str, str]:
        """The parameters of the run that made a version."""
        return dict(self.client.get_run(version.run_id).data.params)

    def values(self, version: Version, name: str) -> dict[str, Any]:
        """Values that were kept beside a version's model. Raises: ModelError when they are gone."""
        self._select()
        try:
            path = mlflow.artifacts.download_artifacts(run_id=version.run_id, artifact_path=name)
        except (MlflowException, OSError) as error:
            raise ModelError(
                f"Version {version.number} of the model {version.model} has no {name} in {self.uri}: {error}. "
                "Train again: `customerlake run --from features --retrain`."
            ) from error
        loaded: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        return loaded

    def _select(self) -> None:
        """MLflow's own functions know one store at a time: from here on, this one; later processes choose theirs."""
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.registry_uri)
        for name, asked in (("MLFLOW_TRACKING_URI", ASKED_URI), ("MLFLOW_REGISTRY_URI", ASKED_REGISTRY_URI)):
            os.environ.pop(name, None)  # mlflow has left this lake's own there
            if asked:
                os.environ[name] = asked

    def _end_killed_runs(self, experiment_id: str) -> None:
        """Runs of trainings that never came to their end are shown as killed, not as running for ever."""
        for run in self.client.search_runs([experiment_id], "attributes.status = 'RUNNING'"):
            self.client.set_terminated(run.info.run_id, "KILLED")

    def _ensure_model(self, model: str) -> None:
        if not self.client.search_registered_models(f"name = '{model}'"):
            self.client.create_registered_model(model)

    def _number_of(self, model: str, alias: str) -> str | None:
        try:
            return str(self.client.get_model_version_by_alias(model, alias).version)
        except MlflowException:
            return None


@contextmanager
def code_that_scores() -> Iterator[Path]:
    """A copy of the package's modules, without the data that it ships, which are many times as large."""

    def no_module(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if not name.endswith(".py") and not (Path(folder) / name).is_dir()]

    with tempfile.TemporaryDirectory() as folder:
        package = Path(customerlake.__file__).parent
        yield Path(shutil.copytree(package, Path(folder) / package.name, ignore=no_module))
