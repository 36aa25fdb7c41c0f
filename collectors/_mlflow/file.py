"""A SQLite store, read through MLflow's own code from a private, consistent copy."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors._disk import reading
from collectors._mlflow.artifacts import STEP, digest_of, inside, local_files, local_root
from collectors._mlflow.store import Absent, Answer, answer_of
from evidence.errors import SourceBroken, SourceBusy, SourceError, SourceRefused

IDENTITY = "reader of the file"
NEEDED = {"alembic_version", "experiments", "runs", "registered_models", "model_versions"}


@contextmanager
def file_door(path: str) -> Iterator[FileDoor]:
    """Copy the store aside and open the copy.

    MLflow creates a database that is missing, fills one that is empty and writes a default
    experiment where there is none: none of that may happen to a source. The copy is made by
    SQLite's backup, so it is one moment of the store. Raises SourceRefused, SourceBusy.
    """
    origin = Path(path).absolute()
    with tempfile.TemporaryDirectory(prefix="headwater-mlflow-") as folder:
        copy = Path(folder) / "store.db"
        _copy(origin, copy)
        door = _opened(copy)
        try:
            yield door
        finally:
            door.close()


def _copy(origin: Path, copy: Path) -> None:
    if not origin.is_file():
        raise SourceRefused(f"{origin} is not there; tracking_uri must name an MLflow database")
    try:
        with (
            closing(sqlite3.connect(f"{origin.as_uri()}?mode=ro", uri=True, timeout=20)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            found = {name for (name,) in target.execute("SELECT name FROM sqlite_master")}
    except sqlite3.OperationalError as error:
        locked = getattr(error, "sqlite_errorcode", None) in {
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
        }
        kind = SourceBusy if locked else SourceRefused
        raise kind(f"{origin} cannot be read: {error}") from error
    except sqlite3.DatabaseError as error:
        raise SourceRefused(f"{origin} is no SQLite database: {error}") from error
    if missing := sorted(NEEDED - found):
        raise SourceRefused(f"{origin} is no MLflow store: it has no table {', '.join(missing)}")


def _opened(copy: Path) -> FileDoor:
    # MLflow would otherwise call home from a thread as soon as it is imported.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.exceptions import MlflowException
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Tracking
    from mlflow.version import VERSION

    uri = f"sqlite:///{copy}"
    try:
        tracking = Tracking(uri, str(copy.parent))  # type: ignore[no-untyped-call]
        registry = Registry(uri)  # type: ignore[no-untyped-call]
    except MlflowException as error:
        raise SourceRefused(f"MLflow {VERSION} cannot open this store: {error}") from error
    return FileDoor(tracking, registry, f"mlflow {VERSION}")


@dataclass
class FileDoor:
    """Answers the REST calls from a copied store, in the words a tracking server would use."""

    tracking: Any
    registry: Any
    api_version: str
    identity: str = IDENTITY

    def ask(self, call: str, body: Mapping[str, Any]) -> Answer:
        """One call. Raises SourceBusy, SourceRefused, Absent or SourceBroken."""
        from mlflow.exceptions import MlflowException

        calls: dict[str, Callable[[Mapping[str, Any]], str]] = {
            "experiments/search": self._experiments,
            "runs/search": self._runs,
            "runs/get": self._run,
            "registered-models/search": self._models,
            "model-versions/search": self._versions,
            "traces/search": self._traces,
            "metrics/get-history": self._history,
            "artifacts/list": self._artifacts,
            "logged-models/search": self._logged,
        }
        try:
            return answer_of(calls[call](body).encode())
        except MlflowException as error:
            raise _translated(error, call) from error

    def sha256(self, run_id: str, path: str, most: int) -> str:
        """The digest of a file that lies on this machine. Raises SourceBusy, SourceRefused."""
        found = inside(self._root(run_id), path)
        with reading(found), found.open("rb") as content:
            return digest_of(iter(lambda: content.read(STEP), b""), most)

    def close(self) -> None:
        """Close the connections and let MLflow forget the copy."""
        for store in (self.tracking, self.registry):
            engines = type(store)._engine_map  # MLflow keeps one engine per address for ever.
            engines.pop(store.db_uri, None)
            store.engine.dispose()

    def _experiments(self, body: Mapping[str, Any]) -> str:
        from mlflow.entities import ViewType

        page = self.tracking.search_experiments(
            view_type=ViewType.ALL, max_results=body["max_results"],
            page_token=body.get("page_token"),
        )  # fmt: skip
        return _page("experiments", page)

    def _runs(self, body: Mapping[str, Any]) -> str:
        from mlflow.entities import ViewType

        page = self.tracking.search_runs(
            list(body["experiment_ids"]), body["filter"], ViewType.ALL, body["max_results"],
            list(body.get("order_by", ())), body.get("page_token"),
        )  # fmt: skip
        return _page("runs", page)

    def _artifacts(self, body: Mapping[str, Any]) -> str:
        root = self._root(body["run_id"])
        with reading(root):
            found = list(local_files(root, body.get("path", "")))
        return json.dumps({"root_uri": str(root), "files": found})

    def _root(self, run_id: str) -> Path:
        return local_root(self.tracking.get_run(run_id).info.artifact_uri)

    def _history(self, body: Mapping[str, Any]) -> str:
        page = self.tracking.get_metric_history(
            body["run_id"], body["metric_key"], body["max_results"], body.get("page_token")
        )
        return _page("metrics", page)

    def _logged(self, body: Mapping[str, Any]) -> str:
        page = self.tracking.search_logged_models(
            list(body["experiment_ids"]), body["filter"], max_results=body["max_results"],
            page_token=body.get("page_token"),
        )  # fmt: skip
        return _page("models", page)

    def _run(self, body: Mapping[str, Any]) -> str:
        return f'{{"run": {_json(self.tracking.get_run(body["run_id"]))}}}'

    def _traces(self, body: Mapping[str, Any]) -> str:
        found, token = self.tracking.search_traces(
            locations=[at["mlflow_experiment"]["experiment_id"] for at in body["locations"]],
            filter_string=body["filter"], max_results=body["max_results"],
            order_by=list(body["order_by"]), page_token=body.get("page_token"),
        )  # fmt: skip
        return _listed("traces", found, token)

    def _models(self, body: Mapping[str, Any]) -> str:
        return _page("registered_models", self.registry.search_registered_models(**_search(body)))

    def _versions(self, body: Mapping[str, Any]) -> str:
        return _page("model_versions", self.registry.search_model_versions(**_search(body)))


def _search(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "filter_string": body.get("filter"),
        "max_results": body["max_results"],
        "order_by": list(body["order_by"]),
        "page_token": body.get("page_token"),
    }


def _page(key: str, found: Any) -> str:
    return _listed(key, found, found.token)


def _listed(key: str, found: Any, token: str | bytes | None) -> str:
    records = ", ".join(_json(entity) for entity in found)
    after = token.decode() if isinstance(token, bytes) else token or ""
    return f'{{"{key}": [{records}], "next_page_token": {json.dumps(after)}}}'


def _json(entity: Any) -> str:
    """As a tracking server prints it: the same protocol message through the same printer."""
    from mlflow.utils.proto_json_utils import message_to_json

    return str(message_to_json(entity.to_proto()))


def _translated(error: Any, call: str) -> SourceError:
    text = f"MLflow: {' '.join(str(error).split())[:300]}"
    if error.error_code == "RESOURCE_DOES_NOT_EXIST":
        return Absent(text)
    if error.error_code == "TEMPORARILY_UNAVAILABLE":
        return SourceBusy(text, what=call)
    return SourceBroken(text, what=call)
