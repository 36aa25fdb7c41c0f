"""Brookside Lending's MLflow: three models, really trained, registered, evaluated and promoted.

The company's own data cannot be in a repository, so each model learns from a data set that comes
with scikit-learn; which one stands in for what is written into every run and model. MLflow stamps
a registered version with the moment of its registration: to have two months of history, the demo
moves these times back in its own database file. Nobody should do that to a real one.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.models_data import Task, task_of
from demo.models_story import STORY, Evaluation, Training

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["DemoModels", "build", "later"]

DAY = timedelta(days=1)
CHAMPION, REPORTING = "champion", "reporting"
_TOLD = "models.json"


@dataclass(frozen=True, slots=True)
class DemoModels:
    """Where the demo's MLflow is, and what a collector's settings need."""

    folder: str
    tracking_uri: str
    systems: dict[str, str]
    edited_run: str


def build(folder: Path, now: datetime) -> DemoModels:
    """The store in `folder`, its story ending at `now` (zone-aware); a finished one is left alone.

    A store whose building was cut short is thrown away and built again.
    """
    told = folder / _TOLD
    if told.exists():
        return DemoModels(**json.loads(told.read_text()))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    uri = f"sqlite:///{folder.absolute() / 'mlflow.db'}"
    with _tracking(uri) as client:
        edited = _Builder(client, folder.absolute(), now).all()
    systems = {task.model: system for system, task in _tasks().items()}
    made = DemoModels(str(folder.absolute()), uri, systems, edited)
    told.write_text(json.dumps(asdict(made)))
    return made


def later(models: DemoModels) -> None:
    """Act two, between two collections; MLflow moves no time for any of it. Again does nothing.

    Credit-risk's champion and reporting aliases move from version 1 to 2, which was approved; the
    run behind churn's version 3 gets a note days after it ended. Nobody approves that version.
    """
    with _tracking(models.tracking_uri) as client:
        for alias in (CHAMPION, REPORTING):
            client.set_registered_model_alias("credit-risk", alias, "2")
        client.set_tag(
            models.edited_run, "mlflow.note.content", "Reviewed after the fact with the risk team."
        )


def _tasks() -> dict[str, Task]:
    return {system: task_of(system) for system in dict.fromkeys(part.system for part in STORY)}


@contextmanager
def _tracking(uri: str) -> Iterator[MlflowClient]:
    """MLflow at `uri`, silent and calling nobody; its global address is put back afterwards."""
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", GIT_PYTHON_REFRESH="quiet")
    with warnings.catch_warnings():
        # MLflow warns about the type hints of its own classes, when these are first imported.
        warnings.filterwarnings("ignore", ".*inferred as AnyType", UserWarning)
        import mlflow.pyfunc

    quiet = logging.getLogger("mlflow")
    level, known = quiet.level, os.environ.get("MLFLOW_TRACKING_URI")
    quiet.setLevel(logging.ERROR)
    mlflow.set_tracking_uri(uri)
    try:
        yield mlflow.MlflowClient(uri)
    finally:
        # To none, not to what it was by default: an address that is set outlives the environment.
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        quiet.setLevel(level)
        if known is not None:
            os.environ["MLFLOW_TRACKING_URI"] = known


class _Builder:
    """Plays the story into one store."""

    def __init__(self, client: MlflowClient, folder: Path, now: datetime) -> None:
        self.client, self.folder, self.now = client, folder, now
        self.tasks = _tasks()
        self.fitted: dict[tuple[str, str], Any] = {}
        self.experiments: dict[str, str] = {}
        self.edited = ""

    def all(self) -> str:
        """Everything, oldest first; returns the run that act two will edit."""
        for system, task in self.tasks.items():
            self._model(system, task)
        for part in sorted(STORY, key=lambda part: -part.days):
            if isinstance(part, Training):
                self._train(part)
            else:
                self._evaluate(part)
        for model, alias, version in (
            ("credit-risk", CHAMPION, "1"),
            ("credit-risk", REPORTING, "1"),
            ("churn", CHAMPION, "2"),
            ("churn", CHAMPION, "3"),
            ("triage", CHAMPION, "1"),
        ):
            self.client.set_registered_model_alias(model, alias, version)
        self._move_back()
        return self.edited

    def _model(self, system: str, task: Task) -> None:
        self.experiments[system] = self.client.create_experiment(
            task.model, artifact_location=(self.folder / "artifacts" / task.model).as_uri()
        )
        about = {"headwater.system": system, "stand_in_data": task.data}
        self.client.create_registered_model(task.model, about, f"{task.purpose} {task.honest}")

    def _train(self, part: Training) -> None:
        import mlflow

        task = self.tasks[part.system]
        run_id, begun = self._begin(part, part.name, {})
        fitted = task.fit(part.params)
        self._log(run_id, begun, part.params, task.scores(fitted))
        with mlflow.start_run(run_id=run_id):
            mlflow.log_input(task.dataset("training"), context="training")
            source = self._save(fitted, task) if part.version else ""
        status = "KILLED" if part.killed else "FINISHED"
        self.client.set_terminated(run_id, status, _ms(begun + part.took))
        if part.version:
            self.fitted[part.system, part.version] = fitted
            tags = part.approval(begun)
            self.client.create_model_version(
                task.model, source, run_id, tags=tags, description=task.honest
            )
        if (task.model, part.version) == ("churn", "3"):
            self.edited = run_id

    def _evaluate(self, part: Evaluation) -> None:
        import mlflow

        task = self.tasks[part.system]
        about = {"headwater.evaluation": "true", "model_version": part.version}
        run_id, begun = self._begin(part, f"v{part.version} by group", about)
        scores = task.by_group(self.fitted[part.system, part.version])
        self._log(run_id, begun, {"model": task.model, "version": part.version}, scores)
        with mlflow.start_run(run_id=run_id):
            mlflow.log_input(task.dataset("evaluation"), context="evaluation")
        self.client.set_terminated(run_id, "FINISHED", _ms(begun + part.took))

    def _begin(
        self, part: Training | Evaluation, name: str, tags: dict[str, str]
    ) -> tuple[str, datetime]:
        task = self.tasks[part.system]
        begun = self.now - part.days * DAY
        about = {
            "mlflow.user": part.user, "headwater.system": part.system,
            "mlflow.source.name": "train.py", "stand_in_data": task.data, **tags,
        }  # fmt: skip
        run = self.client.create_run(self.experiments[part.system], _ms(begun), about, name)
        return str(run.info.run_id), begun

    def _log(
        self, run_id: str, begun: datetime, params: dict[str, Any], scores: dict[str, float]
    ) -> None:
        from mlflow.entities import Metric, Param

        at = _ms(begun + timedelta(minutes=1))
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, value, at, 0) for key, value in scores.items()],
            params=[Param(key, str(value)) for key, value in params.items()],
        )

    def _save(self, fitted: Any, task: Task) -> str:
        import mlflow.sklearn
        import sklearn

        # Given requirements spare MLflow the minutes of finding them out in another process.
        needs = [f"scikit-learn=={sklearn.__version__}"]
        return str(
            mlflow.sklearn.log_model(fitted, name=task.model, pip_requirements=needs).model_uri
        )

    def _move_back(self) -> None:
        """Give each version the time of its run's end, each model that of its first version."""
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as store, store:
            store.execute(
                "UPDATE model_versions SET creation_time = (SELECT end_time FROM runs "
                "WHERE runs.run_uuid = model_versions.run_id)"
            )
            store.execute("UPDATE model_versions SET last_updated_time = creation_time")
            for column, pick in (("creation_time", "MIN"), ("last_updated_time", "MAX")):
                store.execute(
                    f"UPDATE registered_models SET {column} = (SELECT {pick}(creation_time) "  # noqa: S608
                    "FROM model_versions WHERE model_versions.name = registered_models.name)"
                )


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
