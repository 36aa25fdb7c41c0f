"""Where registered versions came from: the runs and the logged models behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._mlflow import store
from collectors._mlflow.model import Version
from collectors._mlflow.run import info_of
from collectors._mlflow.store import (
    Door,
    chosen_experiments,
    clean,
    moment,
    need,
    pairs,
    tags_of,
    whole,
)
from evidence.errors import SourceBroken
from evidence.times import stamp

ACTIVE, DELETED, ABSENT = "active", "deleted", "absent"
# How many ids one question names.
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Origin:
    """The run that a version came from: who started it and when, and whether it is still there.

    `state` is active, deleted or absent (never seen, not visible, or removed for ever), empty for
    a version that names no run.
    """

    user: str = ""
    start: datetime | None = None
    state: str = ""

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Origin:
        """From a run's REST form. Raises SourceBroken."""
        info = info_of(record)
        data = record.get("data") or {}
        tags = tags_of(data.get("tags"), "a run")
        user = tags.get("mlflow.user") or str(info.get("user_id") or "")
        # MLflow writes "unknown" where the client said nothing: that is no name to compare.
        user = "" if user == "unknown" else user
        state = need(info, "lifecycle_stage", "a run")
        return cls(user, moment(whole(info.get("start_time"), "a run")), state)


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A logged model's own words; of each metric and dataset the value of the last step."""

    model_id: str
    name: str
    kind: str
    status: str
    run_id: str
    created: datetime
    updated: datetime | None
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: tuple[Mapping[str, Any], ...]

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> LoggedModel:
        """From one element of `models`. Raises SourceBroken."""
        info = info_of(record)
        model_id = need(info, "model_id", "a logged model")
        what = f"logged model {model_id}"
        data = record.get("data") or {}
        created = moment(whole(info.get("creation_timestamp_ms"), what))
        if not isinstance(data, dict) or created is None:
            raise SourceBroken(f"{what}: data is no object, or it has no time", what=what)
        tags = tags_of(info.get("tags"), what)
        tags.pop("mlflow.log-model.history", None)
        return cls(
            model_id=model_id, name=clean(str(info.get("name") or "")),
            kind=str(info.get("model_type") or ""), status=str(info.get("status") or ""),
            run_id=str(info.get("source_run_id") or ""), created=created,
            updated=moment(whole(info.get("last_updated_timestamp_ms"), what)),
            params=tags_of(data.get("params"), what), tags=tags,
            metrics=tuple(_metrics(data.get("metrics") or [], what)),
        )  # fmt: skip

    def payload(self) -> dict[str, Any]:
        """What is kept."""
        return {
            "model_id": self.model_id, "name": self.name, "model_type": self.kind,
            "status": self.status, "source_run_id": self.run_id, "created": stamp(self.created),
            "last_updated": stamp(self.updated) if self.updated else None,
            "params": self.params, "tags": self.tags, "metrics": self.metrics,
        }  # fmt: skip


class Origins:
    """The runs and logged models behind versions, asked for many at a time."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.heard: list[str] = []
        self._runs: dict[str, Origin] = {}
        self.models: dict[str, LoggedModel] = {}

    def load(self, versions: Iterable[Version]) -> None:
        """Ask for everything that the versions name. Raises as the door does."""
        known = list(versions)
        places = sorted(chosen_experiments(self.door, (), self.heard))
        for record in self._named("runs", places, "attributes.run_id", {v.run_id for v in known}):
            self._runs[need(info_of(record), "run_id", "a run")] = Origin.read(record)
        ids = {v.logged_model for v in known}
        for record in self._named("logged-models", places, "model_id", ids):
            model = LoggedModel.read(record)
            self.models[model.model_id] = model

    def of(self, version: Version) -> Origin:
        """The run of a version."""
        if not version.run_id:
            return Origin()
        return self._runs.get(version.run_id, Origin(state=ABSENT))

    def logged(
        self, versions: Iterable[Version]
    ) -> Iterator[tuple[LoggedModel, Sequence[Version]]]:
        """Each logged model that is there, with the versions that it was registered as."""
        found: dict[str, list[Version]] = {}
        for version in sorted(versions, key=lambda version: version.subject):
            found.setdefault(version.logged_model, []).append(version)
        for model_id, model in self.models.items():
            yield model, found[model_id]

    def _named(
        self, what: str, places: list[str], field: str, ids: set[str]
    ) -> Iterator[Mapping[str, Any]]:
        """The records with these ids; an id that could end the quotation names nothing."""
        wanted = sorted(one for one in ids if one.replace("-", "").isalnum())
        for start in range(0, len(wanted) if places else 0, AT_ONCE):
            names = ", ".join(f"'{one}'" for one in wanted[start : start + AT_ONCE])
            body = {
                "experiment_ids": places, "filter": f"{field} IN ({names})",
                "max_results": AT_ONCE, **({"run_view_type": "ALL"} if what == "runs" else {}),
            }  # fmt: skip
            key = "runs" if what == "runs" else "models"
            yield from store.every(self.door, f"{what}/search", key, body, self.heard)


def _metrics(given: object, what: str) -> Iterator[Mapping[str, Any]]:
    pairs(given, what)  # refuses what is no list of key and value
    last: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for metric in sorted(given, key=lambda one: whole(one.get("step"), what) or 0):  # type: ignore[call-overload]
        told = (str(metric.get(name) or "") for name in ("key", "dataset_name", "dataset_digest"))
        key, name, digest = (clean(text) for text in told)
        last[key, name, digest] = {
            "key": key, "value": metric.get("value"), "step": whole(metric.get("step"), what),
            "dataset_name": name, "dataset_digest": digest,
        }  # fmt: skip
    yield from (last[key] for key in sorted(last))
