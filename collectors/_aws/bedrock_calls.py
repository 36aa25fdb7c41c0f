"""Records of Bedrock's invocation log: what a call was, never what was asked or answered."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from collectors._json import moment, obj, text
from collectors._text import clean
from evidence.errors import SourceBroken
from evidence.times import stamp

_SCHEMA = "ModelInvocationLog"
_ACTION = "amazon-bedrock-guardrailAction"


@dataclass(frozen=True, slots=True)
class Call:
    """One invocation. `tokens` are those of the input and of the output; None where not told."""

    request: str
    at: datetime
    model: str
    operation: str
    caller: str
    error: str
    tokens: tuple[int, int] | None
    guardrail: str

    @property
    def names(self) -> tuple[str, ...]:
        """What may say to which AI system it belongs: the model, then the caller and its role."""
        return self.model, self.model.rsplit("/", 1)[-1], self.caller, *self.caller.split("/")[1:]


def call_of(record: Any) -> Call:
    """Raises SourceBroken for what is no record of an invocation."""
    told = obj(record, "a record of an invocation")
    if told.get("schemaType") != _SCHEMA:
        raise SourceBroken(f"schemaType is {clean(repr(told.get('schemaType')), 60)}")
    request = text(told, "requestId", "a record of an invocation")
    output = told.get("output")
    return Call(
        request=request, at=moment(told.get("timestamp"), request),
        model=clean(text(told, "modelId", request)),
        operation=clean(text(told, "operation", request), 60),
        caller=clean(str((told.get("identity") or {}).get("arn", "")), 300),
        error=clean(str(told.get("errorCode") or ""), 60),
        tokens=_tokens(told.get("input"), output), guardrail=_guardrail(output),
    )  # fmt: skip


def _tokens(asked: Any, output: Any) -> tuple[int, int] | None:
    counts = (_count(asked, "inputTokenCount"), _count(output, "outputTokenCount"))
    return None if counts == (None, None) else (counts[0] or 0, counts[1] or 0)


def _count(part: Any, name: str) -> int | None:
    value = part.get(name) if isinstance(part, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _guardrail(output: Any) -> str:
    """`intervened` or `passed`; empty where no guardrail is told, or the answer lies elsewhere."""
    body = output.get("outputBodyJson") if isinstance(output, dict) else None
    found = ""
    for part in body if isinstance(body, list) else [body]:
        if not isinstance(part, dict):
            continue
        stop = part.get("messageStop")
        reason = (stop if isinstance(stop, dict) else part).get("stopReason")
        if part.get(_ACTION) == "INTERVENED" or reason == "guardrail_intervened":
            return "intervened"
        if part.get(_ACTION) == "NONE":
            found = "passed"
    return found


@dataclass(slots=True)
class Tally:
    """The calls of one model by one AI system on one day, counted."""

    hours: list[int] = field(default_factory=lambda: [0] * 24)
    operations: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    guardrail: Counter[str] = field(default_factory=Counter)
    callers: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    tokens: tuple[int, int] = (0, 0)
    without_tokens: int = 0
    late: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def add(self, call: Call, *, late: bool) -> None:
        """A `late` one belongs to an earlier day that was counted without it."""
        self.late += late
        self.hours[call.at.hour] += not late
        self.operations[call.operation] += 1
        self.callers.add(call.caller)
        self.requests.append(call.request)
        if call.error:
            self.errors[call.error] += 1
        if call.guardrail:
            self.guardrail[call.guardrail] += 1
        if call.tokens is None:
            self.without_tokens += 1
        else:
            self.tokens = (self.tokens[0] + call.tokens[0], self.tokens[1] + call.tokens[1])
        self.first = min(self.first or call.at, call.at)
        self.last = max(self.last or call.at, call.at)

    def told(self) -> Mapping[str, Any]:
        """As it stands in evidence; `sha256` is over the ids of all requests, in order."""
        ids = "\n".join(sorted(self.requests)).encode("utf-8", "surrogatepass")
        return {
            "calls": len(self.requests), "late": self.late, "hours": self.hours,
            "operations": dict(self.operations), "errors": dict(self.errors),
            "guardrail": dict(self.guardrail), "callers": len(self.callers),
            "input_tokens": self.tokens[0], "output_tokens": self.tokens[1],
            "without_tokens": self.without_tokens, "sha256": hashlib.sha256(ids).hexdigest(),
            "first": stamp(self.first) if self.first else "",
            "last": stamp(self.last) if self.last else "",
        }  # fmt: skip
