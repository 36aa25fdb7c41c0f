"""A SQLite registry with versions, an approved alias, an unapproved one and a prompt."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from collectors.mlflow_registry import MlflowRegistry
from tests.collectors.mlflow_stores import SYSTEMS, Store
from tests.collectors.worlds.mlflow_runs import NOWHERE


class World:
    """The registry, and collectors that see it or do not."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        client = self.store.client
        for _ in range(3):
            self.store.version("credit-risk", self.store.run(), approved_by="jonas.frey")
        client.set_registered_model_alias("credit-risk", "champion", "2")
        self.store.version("churn", self.store.run("churn", ago=timedelta(days=2)))
        client.set_registered_model_alias("churn", "champion", "1")
        client.create_prompt("greeting")

    def collector(self) -> MlflowRegistry:
        """Pages of two, so that a reading has many pages."""
        return MlflowRegistry("registry", self.store.uri, systems=SYSTEMS, page_size=2)

    def grow(self) -> None:
        """The alias moves: no time at the source tells."""
        self.store.client.set_registered_model_alias("credit-risk", "champion", "3")

    def down(self) -> MlflowRegistry:
        """A tracking server at a port where nobody listens."""
        return MlflowRegistry("registry", NOWHERE)

    def refused(self) -> MlflowRegistry:
        """A store that is not there."""
        return MlflowRegistry("registry", f"sqlite:///{self.store.folder}/absent.db")

    def close(self) -> None:
        """Nothing was started."""
