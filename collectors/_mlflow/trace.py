"""One MLflow trace and its assessments, without what was asked or answered."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._mlflow.store import SYSTEM_TAG, clean, need, utc_ms
from evidence.canonical import canonical, plain
from evidence.errors import InvalidItem, SourceBroken
from evidence.times import parse

HUMAN = "HUMAN"
FEEDBACK, EXPECTATION = "feedback", "expectation"
# A verdict in one word; more than that may be what somebody wrote, or said.
_LABEL = re.compile(r"[A-Za-z0-9_.+-]{1,32}")
_SECONDS = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?s")


@dataclass(frozen=True, slots=True)
class Assessment:
    """What somebody or something thought of a trace.

    `value` is a number, a truth value or one word; of any other only the digest is kept, as
    of the rationale and of every expectation, which says what the answer should have been.
    """

    assessment_id: str
    name: str
    kind: str
    source_type: str
    source_id: str
    value: Any
    error: str
    rationale: Mapping[str, Any]
    created: datetime
    updated: datetime
    overrides: str
    valid: bool

    @classmethod
    def read(cls, record: Mapping[str, Any], what: str) -> Assessment:
        """From one element of `assessments`. Raises SourceBroken."""
        source, kind = _part(record, "source", what), _kind(record, what)
        said = _part(record, kind, what)
        value = _part(said, "serialized_value", what).get("value", said.get("value"))
        return cls(
            assessment_id=need(record, "assessment_id", f"an assessment of {what}"),
            name=clean(need(record, "assessment_name", f"an assessment of {what}")), kind=kind,
            source_type=str(source.get("source_type") or ""),
            source_id=clean(str(source.get("source_id") or "")),
            value=_sealed(value) if kind == EXPECTATION else _label(value),
            error=clean(str(_part(said, "error", what).get("error_code") or "")),
            rationale=_sealed(record.get("rationale")),
            created=_time(record, "create_time", what),
            updated=_time(record, "last_update_time", what),
            overrides=str(record.get("overrides") or ""), valid=record.get("valid") is not False,
        )  # fmt: skip

    def payload(self) -> dict[str, Any]:
        """What is kept."""
        return {
            "assessment_id": self.assessment_id, "name": self.name, "kind": self.kind,
            "source_type": self.source_type, "source_id": self.source_id, "value": self.value,
            "error": self.error, "rationale": self.rationale, "overrides": self.overrides,
            "valid": self.valid,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace's own words, of which the previews of input and output are left out."""

    trace_id: str
    experiment_id: str
    at: int
    state: str
    duration: int | None
    name: str
    session: str
    user: str
    commit: str
    model: str
    system_tag: str
    assessments: tuple[Assessment, ...]

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Trace:
        """From one element of `traces`. Raises SourceBroken."""
        trace_id = id_of(record)
        what = f"trace {trace_id}"
        where = _part(_part(record, "trace_location", what), "mlflow_experiment", what)
        about, tags = _part(record, "trace_metadata", what), _part(record, "tags", what)
        return cls(
            trace_id=trace_id, experiment_id=need(where, "experiment_id", what),
            at=time_of(record), state=need(record, "state", what),
            duration=_milliseconds(record.get("execution_duration"), what),
            name=clean(str(tags.get("mlflow.traceName") or "")),
            session=str(about.get("mlflow.trace.session") or ""),
            user=str(about.get("mlflow.trace.user") or ""),
            commit=str(about.get("mlflow.source.git.commit") or ""),
            model=str(about.get("mlflow.modelId") or ""),
            system_tag=str(tags.get(SYSTEM_TAG) or about.get(SYSTEM_TAG) or ""),
            assessments=tuple(_assessments(record, what)),
        )  # fmt: skip

    def digest(self) -> bytes:
        """SHA-256 of all that may change: another state, an assessment more or less."""
        said = [self.trace_id, self.at, self.state, self.duration, self.name, self.commit,
                self.model, self.system_tag, [a.payload() for a in self.assessments]]  # fmt: skip
        return hashlib.sha256(canonical(plain(said))).digest()


def id_of(record: Mapping[str, Any]) -> str:
    """The trace's id. Raises SourceBroken."""
    return need(record, "trace_id", "a trace")


def time_of(record: Mapping[str, Any]) -> int:
    """When it began, ms. Raises SourceBroken."""
    return utc_ms(_time(record, "request_time", f"trace {id_of(record)}"))


def _assessments(record: Mapping[str, Any], what: str) -> Iterator[Assessment]:
    given = record.get("assessments") or []
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise SourceBroken(f"{what}: assessments is no list of objects", what=what)
    for entry in sorted(given, key=lambda entry: str(entry.get("assessment_id"))):
        yield Assessment.read(entry, what)


def _kind(record: Mapping[str, Any], what: str) -> str:
    """Feedback, expectation, or the name of a kind that MLflow may yet get (`issue`)."""
    for kind in (FEEDBACK, EXPECTATION):
        if kind in record:
            return kind
    others = (key for key, value in record.items() if isinstance(value, dict) and key != "source")
    found = next((key for key in others if key not in {"metadata", "trace_location"}), "")
    if not found:
        raise SourceBroken(f"an assessment of {what} says nothing", what=what)
    return found


def _part(record: Mapping[str, Any], key: str, what: str) -> Mapping[str, Any]:
    part = record.get(key) or {}
    if not isinstance(part, dict):
        raise SourceBroken(f"{what}: {key} is no object", what=what)
    return part


def _time(record: Mapping[str, Any], key: str, what: str) -> datetime:
    try:
        return parse(need(record, key, what), what=f"{what}: {key}")
    except InvalidItem as error:
        raise SourceBroken(str(error), what=what) from error


def _milliseconds(text: object, what: str) -> int | None:
    """A duration as protocol buffers write it (`1.301s`), None while the trace runs."""
    if text is None:
        return None
    match = _SECONDS.fullmatch(str(text))
    if match is None:
        raise SourceBroken(f"{what}: {text!r} is no duration", what=what)
    return int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0")[:3])


def _label(value: object) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and _LABEL.fullmatch(value):
        return value
    return _sealed(value)


def _sealed(value: object) -> dict[str, Any]:
    """Length and SHA-256 of a text or other value, empty where there is none."""
    if value is None or value == "":
        return {}
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    raw = text.encode("utf-8", "surrogatepass")
    return {"characters": len(text), "sha256": hashlib.sha256(raw).hexdigest()}
