"""What the traces of one day, experiment and system came to, and the evidence that is."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._mlflow.day_memory import Key, Seen
from collectors._mlflow.store import line, moment
from collectors._mlflow.trace import FEEDBACK, HUMAN, Assessment, Trace
from evidence.errors import SourceBroken
from evidence.model import Change, EvidenceItem

MOST_NAMES, MOST_ERRORS, MOST_VALUES = 20, 20, 10


class Opinions:
    """All assessments of one name, source type and kind."""

    def __init__(self) -> None:
        self.values: Counter[str] = Counter()
        self.numbers: list[float] = []
        self.errors = self.overridden = 0

    def add(self, one: Assessment) -> None:
        """Count one; what was overridden counts as that only."""
        if not one.valid:
            self.overridden += 1
        elif one.error:
            self.errors += 1
        elif isinstance(one.value, int | float) and not isinstance(one.value, bool):
            self.numbers.append(one.value)
        elif isinstance(one.value, dict):
            self.values["(text)"] += 1
        else:
            self.values[json.dumps(one.value) if one.kind == FEEDBACK else "(text)"] += 1

    def payload(self) -> dict[str, Any]:
        """How often each value, and what the numbers came to."""
        said: dict[str, Any] = {
            "values": _most(self.values, MOST_VALUES), "errors": self.errors,
            "overridden": self.overridden,
        }  # fmt: skip
        if self.numbers:
            said["numbers"] = {
                "count": len(self.numbers), "least": min(self.numbers),
                "mean": sum(self.numbers) / len(self.numbers), "greatest": max(self.numbers),
            }  # fmt: skip
        return said


class Day:
    """The traces of one key, added in order of time and id, in little memory however many."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.count = self.assessed = self.by_people = 0
        self.first = self.last = 0
        self.durations = array("q")
        self.states: Counter[str] = Counter()
        self.names: Counter[str] = Counter()
        self.commits: Counter[str] = Counter()
        self.models: Counter[str] = Counter()
        self.sessions: set[bytes] = set()
        self.users: set[bytes] = set()
        self.errors: list[str] = []
        self.opinions: dict[tuple[str, str, str], Opinions] = {}
        self._digest = hashlib.sha256()

    def add(self, trace: Trace) -> None:
        """One more."""
        self.first = trace.at if not self.count else self.first
        self.last = trace.at
        self.count += 1
        self._digest.update(trace.digest())
        if trace.duration is not None:
            self.durations.append(trace.duration)
        self.states[trace.state] += 1
        for counted, value in (
            (self.names, trace.name), (self.commits, trace.commit), (self.models, trace.model),
        ):  # fmt: skip
            if value:
                counted[value] += 1
        for met, value in ((self.sessions, trace.session), (self.users, trace.user)):
            if value:
                met.add(hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()[:8])
        if trace.state == "ERROR" and len(self.errors) < MOST_ERRORS:
            self.errors.append(trace.trace_id)
        self._assess(trace)

    def _assess(self, trace: Trace) -> None:
        valid = [one for one in trace.assessments if one.valid]
        self.assessed += bool(valid)
        self.by_people += any(one.source_type == HUMAN for one in valid)
        for one in trace.assessments:
            key = (one.name, one.source_type, one.kind)
            self.opinions.setdefault(key, Opinions()).add(one)

    @property
    def digest(self) -> str:
        """Of every trace in it."""
        return self._digest.hexdigest()[:16]

    def payload(self, experiment: str) -> dict[str, Any]:
        """The sums; names and values that are rare are counted together as `other`."""
        return {
            "experiment": experiment, "experiment_id": self.key.experiment_id,
            "day": self.key.day, "count": self.count, "states": dict(self.states),
            "durations_ms": _spread(self.durations), "names": _most(self.names, MOST_NAMES),
            "commits": _most(self.commits, MOST_NAMES), "models": _most(self.models, MOST_NAMES),
            "sessions": len(self.sessions), "users": len(self.users),
            "errors": self.errors, "assessed": self.assessed, "assessed_by_people": self.by_people,
            "assessment_names": sorted({name for name, _, _ in self.opinions}),
            "assessments": [
                {"name": name, "source_type": source, "kind": kind, **opinions.payload()}
                for (name, source, kind), opinions in sorted(self.opinions.items())
            ],
            "digest": self.digest,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Maker:
    """Builds the items of one pull. `names` maps the experiment's id to its name."""

    source: str
    address: str
    names: Mapping[str, str]
    at: datetime

    def day(self, day: Day, old: Seen | None) -> EvidenceItem:
        """The sums of a day, observed from its first to its last trace."""
        name = self._name(day.key)
        lost = max(0, old.count - day.count) if old else 0
        extra: dict[str, Any] = {"supersedes": old.head, "fewer": lost} if old else {}
        told = f"; {lost} fewer than before" if lost else ""
        failed = day.states["ERROR"]
        return self._item(
            "mlflow.trace", day.key, day.key.subject, day.payload(name) | extra,
            (_at(day.first), _at(day.last)), change=_change(old),
            title=f"{day.count} traces of {line(name)} on {day.key.day}: {failed} ended in an "
            f"error, {day.assessed} assessed{told}",
        )  # fmt: skip

    def gone(self, key: Key, old: Seen) -> EvidenceItem:
        """A day whose traces are no longer there."""
        return self._item(
            "mlflow.trace", key, key.subject,
            {"experiment_id": key.experiment_id, "day": key.day, "fewer": old.count,
             "supersedes": old.head},
            (_at(old.last), _at(old.last)), change=Change.GONE,
            title=f"All {old.count} traces of {line(self._name(key))} on {key.day} are gone",
        )  # fmt: skip

    def opinions(self, key: Key, trace: Trace) -> Iterator[EvidenceItem]:
        """What people said of a trace, and what was put in place of another's word."""
        for one in trace.assessments:
            if one.source_type != HUMAN and not one.overrides:
                continue
            edited = not one.valid or one.updated != one.created
            said = one.error or ("(text)" if isinstance(one.value, dict) else str(one.value))
            yield self._item(
                "mlflow.assessment", key, one.assessment_id,
                {"trace_id": trace.trace_id, "experiment": self._name(key), **one.payload()},
                (one.created, max(one.created, one.updated)), actor=one.source_id,
                change=Change.CHANGED if edited else Change.NEW,
                title=f"{line(one.name)}: {line(said, 40)}, said {line(one.source_id, 60)} "
                f"({one.source_type.lower()}) of trace {line(trace.trace_id)}"
                + ("" if one.valid else "; no longer valid"),
            )  # fmt: skip

    def _name(self, key: Key) -> str:
        return self.names.get(key.experiment_id, f"#{key.experiment_id}")

    def _item(
        self, kind: str, key: Key, subject: str, payload: Mapping[str, Any],
        times: tuple[datetime, datetime], *, title: str, change: Change, actor: str = "",
    ) -> EvidenceItem:  # fmt: skip
        where = f"experiments/{key.experiment_id}/traces"
        http = self.address.startswith("http")
        return EvidenceItem(
            source=self.source, kind=kind, subject=subject, observed_from=times[0],
            observed_to=times[1], collected_at=self.at, payload=payload, system=key.system,
            title=title, change=change, actor=actor,
            locator=f"{self.address.rstrip('/')}/#/{where}" if http else where,
        )  # fmt: skip


def _change(old: Seen | None) -> Change:
    if old is None:
        return Change.NEW
    return Change.CHANGED if old.digest else Change.RESTORED


def _at(ms: int) -> datetime:
    found = moment(ms)
    if found is None:
        raise SourceBroken(f"a trace at {ms} ms is outside of any calendar")
    return found


def _most(counted: Counter[str], limit: int) -> dict[str, int]:
    top = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = sum(number for _, number in top[limit:])
    return dict(top[:limit]) | ({"(other)": rest} if rest else {})


def _spread(durations: array[int]) -> dict[str, int]:
    """Median, 95th percentile (nearest rank) and greatest, in ms; empty without any."""
    if not durations:
        return {}
    ordered = sorted(durations)
    ranks = {"p50": 50, "p95": 95, "max": 100}
    return {name: ordered[-(-len(ordered) * p // 100) - 1] for name, p in ranks.items()}
