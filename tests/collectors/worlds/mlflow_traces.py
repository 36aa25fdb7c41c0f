"""A SQLite tracking store with a few days of traces, some of them assessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from mlflow.entities import TraceState

from collectors.mlflow_traces import MlflowTraces
from tests.collectors.mlflow_stores import SYSTEMS, Store
from tests.collectors.worlds.mlflow_runs import NOWHERE


class World:
    """The store, and collectors that see it or do not."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.lately = datetime.now(UTC) - timedelta(days=2)
        for days in (4, 3, 2):
            at = datetime.now(UTC) - timedelta(days=days)
            for _ in range(3):
                self.store.trace(at=at)
            self.store.trace("churn-agent", at=at, state=TraceState.ERROR)
        self.store.feedback(self.store.trace(at=self.lately), "correct", value=True)

    def collector(self) -> MlflowTraces:
        """Pages of two; every day is read again each time."""
        return MlflowTraces(
            "traces", self.store.uri, systems=SYSTEMS, page_size=2, reread_every=timedelta(0)
        )

    def grow(self) -> None:
        """A trace that arrives late, of a day that had none."""
        self.store.trace(at=self.lately - timedelta(days=4))

    def down(self) -> MlflowTraces:
        """A tracking server at a port where nobody listens."""
        return MlflowTraces("traces", NOWHERE)

    def refused(self) -> MlflowTraces:
        """A store that is not there."""
        return MlflowTraces("traces", f"sqlite:///{self.store.folder}/absent.db")

    def close(self) -> None:
        """Nothing was started."""
