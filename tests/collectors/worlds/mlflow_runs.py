"""A SQLite tracking store with training, failed, running, deleted and evaluation runs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from collectors.mlflow_runs import MlflowRuns
from tests.collectors.mlflow_stores import SYSTEMS, Store

NOWHERE = "http://127.0.0.1:9"


class World:
    """The store, and collectors that see it or do not."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        for days in (40, 20, 9, 3):
            self.store.run(ago=timedelta(days=days), dataset=f"loans-{days}")
        self.store.run("churn", status="FAILED", metrics={"auc": float("nan")})
        self.store.run("churn", tags={"headwater.evaluation": "true"}, name="by group")
        self.store.run(status="RUNNING")
        self.store.client.delete_run(self.store.run(ago=timedelta(days=2)))

    def collector(self) -> MlflowRuns:
        """Pages of two, so that a pull has many batches."""
        return MlflowRuns("models", self.store.uri, systems=SYSTEMS, page_size=2)

    def grow(self) -> None:
        """A run that ends now."""
        self.store.run(ago=timedelta(0), name="retrain")

    def down(self) -> MlflowRuns:
        """A tracking server at a port where nobody listens."""
        return MlflowRuns("models", NOWHERE)

    def refused(self) -> MlflowRuns:
        """A store that is not there."""
        return MlflowRuns("models", f"sqlite:///{self.store.folder}/absent.db")

    def close(self) -> None:
        """Nothing was started."""
