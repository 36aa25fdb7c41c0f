"""One MLflow run, read from its REST form, and the evidence it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._mlflow.store import SYSTEM_TAG, clean, line, moment, need, pairs, tags_of, whole
from collectors.base import system_of
from evidence.canonical import digest, plain
from evidence.errors import SourceBroken
from evidence.model import Change, EvidenceItem, Outcome
from evidence.times import stamp

ENDED = {"FINISHED", "FAILED", "KILLED"}
EVALUATION_CONTEXTS = {"eval", "evaluation"}
# One entry per logged model with its whole signature: bulk that says nothing the run does not.
BULK = {"mlflow.log-model.history"}


@dataclass(frozen=True, slots=True)
class Run:
    """A run's own words. Times are ms since 1970 or None; `experiment` is the name."""

    run_id: str
    experiment_id: str
    experiment: str
    name: str
    status: str
    stage: str
    start: int | None
    end: int | None
    user: str
    params: Mapping[str, str]
    metrics: Mapping[str, Any]
    tags: Mapping[str, str]
    datasets: tuple[Mapping[str, Any], ...]
    models: tuple[str, ...]

    @classmethod
    def read(cls, record: Mapping[str, Any], experiments: Mapping[str, str]) -> Run:
        """From one element of `runs`; `experiments` maps id to name. Raises SourceBroken."""
        info = info_of(record)
        run_id = need(info, "run_id", "a run")
        what = f"run {run_id}"
        data = _part(record, "data")
        tags = tags_of(data.get("tags"), what)
        owner = need(info, "experiment_id", what)
        return cls(
            run_id=run_id, experiment_id=owner, experiment=experiments.get(owner, f"#{owner}"),
            name=str(info.get("run_name") or tags.get("mlflow.runName", "")),
            status=need(info, "status", what), stage=need(info, "lifecycle_stage", what),
            start=whole(info.get("start_time"), what), end=whole(info.get("end_time"), what),
            user=tags.get("mlflow.user") or str(info.get("user_id") or ""),
            params=tags_of(data.get("params"), what), metrics=pairs(data.get("metrics"), what),
            tags={key: value for key, value in tags.items() if key not in BULK},
            datasets=tuple(_datasets(_part(record, "inputs"), what)),
            models=tuple(_models(_part(record, "outputs"), what)),
        )  # fmt: skip

    @property
    def ended(self) -> bool:
        """Finished, failed or killed: only then it is evidence."""
        return self.status in ENDED

    @property
    def at(self) -> int | None:
        """The ms by which it is remembered: its end, else its start."""
        return self.start if self.end is None else self.end

    @property
    def run_type(self) -> str:
        """`evaluation` where the run says so itself or read only evaluation data, else empty."""
        contexts = {str(d["context"]).casefold() for d in self.datasets}
        said = (
            "eval" in self.tags.get("mlflow.runType", "").casefold()
            or self.tags.get("headwater.evaluation", "").strip().casefold() == "true"
        )
        return "evaluation" if said or (contexts and contexts <= EVALUATION_CONTEXTS) else ""

    def system(self, systems: Mapping[str, str]) -> str:
        """Its tag `headwater.system` (an id, or a name to match), else its experiment's name."""
        tag = self.tags.get(SYSTEM_TAG, "")
        if tag in systems.values():
            return tag
        return system_of(systems, tag) or system_of(systems, self.experiment)

    def times(self) -> tuple[datetime, datetime] | None:
        """From start to end; a missing one is taken from the other; None without either.

        A start after the end (two clocks) makes the end the only time that is believed.
        """
        start, end = moment(self.start), moment(self.end)
        upto = end or start
        if upto is None:
            return None
        return min(start or upto, upto), upto

    def payload(self) -> dict[str, Any]:
        """What is kept, as JSON-like values; NaN is the text MLflow writes."""
        return {
            "run_id": self.run_id, "run_name": clean(self.name), "experiment": self.experiment,
            "experiment_id": self.experiment_id, "status": self.status,
            "lifecycle_stage": self.stage, "start_time": _written(self.start),
            "end_time": _written(self.end), "user": self.user, "run_type": self.run_type,
            "git_commit": self.tags.get("mlflow.source.git.commit", ""),
            "params": self.params, "metrics": self.metrics, "tags": self.tags,
            "datasets": [{k: d[k] for k in _BRIEF} for d in self.datasets], "models": self.models,
        }  # fmt: skip

    def results(self) -> str:
        """Digest of what a run came to: nobody has a reason to alter that once it has ended."""
        code = self.tags.get("mlflow.source.git.commit", "")
        said = [self.params, self.metrics, self.datasets, self.status, self.start, code]
        return digest(plain(said))[:16]

    def answered(self, alteration: str) -> bool:
        """Whether somebody answers for what was altered after the end."""
        return bool(self.tags.get(answer_tag(alteration), "").strip())

    def content(self) -> str:
        """Digest of all that may be edited after the end, datasets whole."""
        return digest(plain([self.payload(), self.datasets]))[:16]


def answer_tag(alteration: str) -> str:
    """The run's tag that says who answers for what is altered (a digest of it), and why."""
    return f"headwater.correction.{alteration[:8]}"


@dataclass(frozen=True, slots=True)
class Maker:
    """Builds the items of one pull."""

    source: str
    address: str
    systems: Mapping[str, str]
    at: datetime

    def run(
        self, run: Run, change: Change, supersedes: str = "",
        more: Mapping[str, object] | None = None, *, altered: str = "",
    ) -> EvidenceItem | None:  # fmt: skip
        """The run as evidence, None without any readable time. Its own clock stays its time.

        `more` is added to what is kept of it; `altered` is the digest of results or files that are
        no longer those with which it ended, empty where they are.
        """
        times = run.times()
        if times is None:
            return None
        extra: dict[str, object] = {**(more or {})}
        if supersedes:
            extra["supersedes"] = supersedes
        if altered:
            extra["results_altered"] = answer_tag(altered)
        failed = run.status == "FAILED" or (altered and not run.answered(altered))
        return EvidenceItem(
            source=self.source, kind="mlflow.run", subject=run.run_id,
            observed_from=times[0], observed_to=times[1], collected_at=self.at,
            payload=run.payload() | extra, system=run.system(self.systems),
            outcome=Outcome.FAILED if failed else Outcome.RECORDED,
            title=_title(run, change, altered=altered), change=change,
            actor=run.user, locator=self._where(run),
        )  # fmt: skip

    def datasets(self, run: Run) -> Iterator[EvidenceItem]:
        """One item per dataset that the run read."""
        times = run.times()
        for dataset in run.datasets if times else ():
            assert times is not None  # noqa: S101 - tells mypy what the line above says
            name = f"{dataset['name']}@{dataset['digest']}"
            yield EvidenceItem(
                source=self.source, kind="mlflow.dataset", subject=f"{run.run_id}/{name}",
                observed_from=times[0], observed_to=times[1], collected_at=self.at,
                payload={"run_id": run.run_id, "experiment": run.experiment, **dataset},
                system=run.system(self.systems), actor=run.user, locator=self._where(run),
                title=f"Dataset {line(name)} read by run {line(run.name or run.run_id)}"
                + (f" for {line(str(dataset['context']), 30)}" if dataset["context"] else ""),
            )  # fmt: skip

    def _where(self, run: Run) -> str:
        if self.address.startswith("http"):
            base = self.address.rstrip("/")
            return f"{base}/#/experiments/{run.experiment_id}/runs/{run.run_id}"
        return f"runs:/{run.run_id}"


_BRIEF = ("name", "digest", "source_type", "context")
_VERBS = {
    Change.CHANGED: "edited after its end",
    Change.GONE: "deleted at the source",
    Change.RESTORED: "restored",
}


def _title(run: Run, change: Change, *, altered: str) -> str:
    what = "Evaluation" if run.run_type else "Run"
    verb = _VERBS.get(change, run.status.lower())
    if altered and change is Change.CHANGED:
        tag = answer_tag(altered)
        told = f"tag {tag} answers for it" if run.answered(altered) else f"no tag {tag}"
        verb = f"its results were altered after its end ({told})"
    return f"{what} {line(run.name or run.run_id)} of {line(run.experiment)}: {verb}"


def _written(ms: int | None) -> str | None:
    """The time as text; one that no calendar holds stays the number it is."""
    if ms is None:
        return None
    when = moment(ms)
    return stamp(when) if when else str(ms)


def info_of(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run's head: ids, status and times. Raises SourceBroken."""
    return _part(record, "info")


def _part(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = record.get(key) or {}
    if not isinstance(part, dict):
        raise SourceBroken(f"a run's {key} is no object", what=key)
    return part


def _datasets(inputs: Mapping[str, Any], what: str) -> Iterator[dict[str, Any]]:
    for entry in _list(inputs, "dataset_inputs", what):
        given = _part(entry, "dataset")
        tags = tags_of(entry.get("tags"), what)
        yield {
            "name": clean(need(given, "name", f"a dataset of {what}")),
            "digest": need(given, "digest", f"a dataset of {what}"),
            "source_type": str(given.get("source_type", "")),
            "context": tags.get("mlflow.data.context", ""),
            "source": clean(str(given.get("source", ""))),
            "schema": clean(str(given.get("schema", ""))),
            "profile": clean(str(given.get("profile", ""))),
        }


def _models(outputs: Mapping[str, Any], what: str) -> Iterator[str]:
    for entry in _list(outputs, "model_outputs", what):
        yield need(entry, "model_id", f"a model of {what}")


def _list(part: Mapping[str, Any], key: str, what: str) -> list[Mapping[str, Any]]:
    found = part.get(key) or []
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise SourceBroken(f"{what}: {key} is no list of objects", what=what)
    return sorted(found, key=str)
