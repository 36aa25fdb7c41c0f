"""Real MLflow stores for tests: migrated once a process, then copied."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"

from mlflow import MlflowClient
from mlflow.entities import (
    AssessmentSource,
    Dataset,
    DatasetInput,
    Feedback,
    InputTag,
    Metric,
    Param,
    RunTag,
    TraceInfo,
    TraceLocation,
    TraceState,
)

PRIVATE = "my rent is 900 and my name is Amal"
SYSTEMS = {"credit*": "credit-scoring", "churn*": "churn-predictor"}


@cache
def _template() -> tuple[tempfile.TemporaryDirectory[str], Path]:
    folder = tempfile.TemporaryDirectory(prefix="mlflow-template-")
    path = Path(folder.name) / "empty.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return folder, path


class Store:
    """One SQLite store and a client that writes to it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mlflow.db"
        shutil.copyfile(_template()[1], self.path)
        self.uri = f"sqlite:///{self.path}"
        self.client = MlflowClient(self.uri)
        self.folder = folder

    def experiment(self, name: str) -> str:
        """Its id; made when it is not there."""
        found = self.client.get_experiment_by_name(name)
        if found:
            return str(found.experiment_id)
        arts = (self.folder / "artifacts").as_uri()
        return str(self.client.create_experiment(name, artifact_location=arts))

    def run(
        self,
        experiment: str = "credit-risk",
        *,
        ago: timedelta = timedelta(hours=1),
        status: str = "FINISHED",
        user: str = "mira.osei",
        name: str = "train",
        tags: Mapping[str, str] | None = None,
        metrics: Mapping[str, float] | None = None,
        dataset: str = "",
        context: str = "training",
        end: int | None = None,
    ) -> str:
        """A run that took a minute and ended `ago` before now; `end` (ms) says otherwise."""
        at = ms(datetime.now(UTC) - ago) if end is None else end
        run = self.client.create_run(
            self.experiment(experiment), start_time=max(0, at - 60_000), run_name=name
        )
        key = str(run.info.run_id)
        all_tags = {"mlflow.user": user, **(tags or {})}
        self.client.log_batch(
            key,
            metrics=[Metric(k, v, at, 0) for k, v in (metrics or {"auc": 0.5}).items()],
            params=[Param("depth", "3")],
            tags=[RunTag(k, v) for k, v in all_tags.items()],
        )
        if dataset:
            read = Dataset(dataset, "c0ffee", "s3", '{"uri": "s3://b/loans.csv"}', "{}", "{}")
            about = [InputTag("mlflow.data.context", context)]
            self.client.log_inputs(key, [DatasetInput(read, about)])
        if status != "RUNNING":
            self.client.set_terminated(key, status, at)
        return key

    def trace(
        self,
        experiment: str = "credit-agent",
        *,
        at: datetime,
        state: TraceState = TraceState.OK,
        took: int | None = 120,
        **about: str,
    ) -> str:
        """A trace that began at `at` and took so many ms; `about` is its metadata. Its id."""
        made = TraceInfo(
            trace_id=f"tr-{uuid.uuid4().hex}",
            trace_location=TraceLocation.from_experiment_id(self.experiment(experiment)),
            request_time=ms(at),
            state=state,
            execution_duration=took,
            request_preview=PRIVATE,
            response_preview=PRIVATE,
            trace_metadata={"mlflow.traceInputs": PRIVATE, **about},
            tags={"mlflow.traceName": "answer", "mlflow.traceOutputs": PRIVATE},
        )
        return str(self.tracking.start_trace(made).trace_id)

    def feedback(self, trace_id: str, name: str, value: Any, **about: Any) -> str:
        """An assessment by li.wen, unless `source` says otherwise. Its id."""
        source = about.pop("source", AssessmentSource("HUMAN", "li.wen"))
        given = Feedback(name=name, value=value, source=source, trace_id=trace_id, **about)
        return str(self.tracking.create_assessment(given).assessment_id)

    @property
    def tracking(self) -> Any:
        """MLflow's own store, for what its client does only in the background."""
        return self.client._tracking_client.store

    def version(self, model: str, run_id: str = "", **tags: str) -> str:
        """A new version of a model, made if need be; its number."""
        if not self.client.search_registered_models(f"name = '{model}'"):
            self.client.create_registered_model(model)
        made: Any = self.client.create_model_version(
            model, f"s3://models/{model}", run_id=run_id or None, tags=tags
        )
        return str(made.version)


def ms(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return round(moment.timestamp() * 1000)
