"""What an auditor asked for (a PBC or request list), as an organisation's register tells it."""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from evidence.errors import InvalidItem
from evidence.fields import listed, told_once
from evidence.times import day_or_time

REGISTERS = ("requests", "request_list", "pbc")
STATES = ("open", "answered", "accepted", "returned", "withdrawn")
WAITING = frozenset({"open", "returned"})
"""Where the organisation has to do something."""
SOON = timedelta(days=14)
SAMPLE = frozenset({"control", "system", "kinds", "since", "until", "seed", "size", "frequency"})
_DAY = re.compile(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?!\d)")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, bound to a saved question with its values, to a sample, or to neither.

    `values` are of the question, or what the sample is drawn from and by (SAMPLE). `problems` say
    what of it cannot be read; `given` is the record as it was written.
    """

    id: str
    text: str
    asked_by: str
    owner: str
    due: datetime | None
    state: str
    question: str = ""
    sample: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    item_id: str = ""
    problems: tuple[str, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)

    def overdue(self, at: datetime) -> bool:
        """Whether its day is over and it waits for the organisation."""
        waits = self.state in WAITING and self.due is not None
        return waits and self.due is not None and at - self.due >= timedelta(days=1)


def read_request(row: Mapping[str, Any]) -> Request:
    """A record of the register; what cannot be read is a problem of it, never passed over."""
    wrong: list[str] = []
    state = _text(row, "state").lower() or "open"
    if state not in STATES:
        wrong.append(f"`state` is {state[:40]!r}, none of {', '.join(STATES)}")
    for name in ("text", "asked_by", "owner", "due"):
        if not _text(row, name):
            wrong.append(f"has no `{name}`")
    sample = row.get("sample")
    if sample is not None and row.get("question"):
        wrong.append("is bound to a question and to a sample: choose one")
    values = _values(row.get("with") if sample is None else sample, wrong)
    if sample is not None and (strange := sorted(values.keys() - SAMPLE)):
        wrong.append(f"`sample` has {strange[0]!r}; known: {', '.join(sorted(SAMPLE))}")
    if sample is not None and not values.get("seed"):
        wrong.append("`sample` has no `seed`: the auditor chooses one")
    kept = {k: v for k, v in row.items() if k not in _ADDED}
    return Request(
        _text(row, "id"), _text(row, "text"), _text(row, "asked_by"), _text(row, "owner"),
        _due(_text(row, "due"), wrong), state, _text(row, "question"), sample is not None, values,
        listed(row.get("evidence")), _text(row, "item_id"),
        told_once(row.get("problems"), wrong), kept,
    )  # fmt: skip


_ADDED = frozenset({
    "item_id", "item_system", "register", "level", "problems", "by", "file", "line", "commit",
})  # fmt: skip
"""What is not the record's own."""


def _text(row: Mapping[str, Any], name: str) -> str:
    return " ".join(str(row.get(name) or "").split())


def _due(text: str, wrong: list[str]) -> datetime | None:
    try:
        return day_or_time(text) if text else None
    except InvalidItem:
        wrong.append(f"`due` is {text[:40]!r}: write YYYY-MM-DD")
        return None


def _values(given: Any, wrong: list[str]) -> dict[str, str]:
    """A mapping, or `NAME=VALUE; NAME=VALUE` as a CSV has it; lists as texts with commas."""
    if given in (None, ""):
        return {}
    if isinstance(given, str):
        pairs = [part.partition("=") for part in given.split(";") if part.strip()]
        return {name.strip(): value.strip() for name, _, value in pairs}
    if not isinstance(given, dict):
        wrong.append("`with` and `sample` are mappings of names to values")
        return {}
    return {
        str(name): ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in given.items()
    }


def renewed(request: Request, years: int, year: int) -> dict[str, Any]:
    """The record for another year: every date moved by so many years, its state open again.

    What was answered and by which evidence is left out; a year in the id becomes the new one, an
    id without one gets it.
    """
    kept = {k: v for k, v in request.given.items() if k not in {"state", "evidence", "answer"}}
    moved: dict[str, Any] = _moved(kept, years)
    old = re.search(r"(?<!\d)20\d\d(?!\d)", request.id)
    name = request.id.replace(old[0], str(year)) if old else f"{request.id}-{year}"
    return {"id": name, **{k: v for k, v in moved.items() if k != "id"}, "state": "open"}


def _moved(value: Any, years: int) -> Any:
    if isinstance(value, dict):
        return {name: _moved(one, years) for name, one in value.items()}
    if isinstance(value, list):
        return [_moved(one, years) for one in value]
    if isinstance(value, str):
        return _DAY.sub(lambda match: _later(match, years), value)
    return value


def _later(match: re.Match[str], years: int) -> str:
    """The same day so many years later; 29 February becomes the 28th where there is none."""
    year, month, day = (int(part) for part in match.groups())
    try:
        last = calendar.monthrange(year + years, month)[1]
        return date(year + years, month, min(day, last)).isoformat()
    except (ValueError, OverflowError):
        return match[0]
