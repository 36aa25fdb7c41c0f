"""Incidents as records and tickets tell them: of which kind, since when known, who was told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from evidence.errors import InvalidItem
from evidence.fields import TO_FILL_IN, listed, meant, nearest, told_once
from evidence.periods import Moment
from evidence.times import parse

REGISTERS = ("incidents", "incident_register")
ALL = "all"
"""Stands for whoever would have to be told."""
NONE = "none"
"""Said as its kind: of none that anybody must be told of."""
_MINOR = {"minor", "low", "medium", "moderate", "negligible", "none"} | {
    f"{name}_{number}" for name in ("severity", "sev") for number in range(2, 5)
}
"""The rule `register-incident-major` knows the same."""
_LONGEST = 40
_YEARS = range(1900, 3000)
"""Of days from which deadlines can be counted: the calendar itself ends."""


@dataclass(frozen=True, slots=True)
class Told:
    """That somebody was told; `at` None: nobody says when. `evidence` is an item's id, or empty."""

    to: str
    at: Moment | None
    evidence: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Exempt:
    """That a named person decided not to tell, and why."""

    to: str
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Incident:
    """What happened, of which `kinds`, and since when it is known here (None: nobody says).

    No kind: nobody said of which. `opened` is when its record began, which is never earlier than
    that. `ticket` is another record of the same; `problems` say what cannot be read.
    """

    id: str
    title: str
    system: str
    kinds: tuple[str, ...]
    aware: Moment | None = None
    opened: datetime | None = None
    told: tuple[Told, ...] = ()
    exempt: tuple[Exempt, ...] = ()
    ticket: str = ""
    item_id: str = ""
    problems: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """The words that law knows: kinds of incident, and who is told."""

    kinds: frozenset[str]
    recipients: frozenset[str]


def word(text: object) -> str:
    """`Personal data-breach` as `personal_data_breach`."""
    return re.sub(r"[^a-z0-9]+", "_", str(text).casefold()).strip("_")


def grave(severity: str) -> bool:
    """Whether an incident is to be looked at as a major one: of any severity that is none of the
    minor ones, as one that is misspelt."""
    said = word(severity)
    return bool(said) and said not in _MINOR


def read_record(row: Mapping[str, Any], words: Words) -> Incident:
    """A record of the register; what cannot be read is a problem of it, never passed over."""
    wrong: list[str] = []
    return Incident(
        _text(row.get("id")), _text(row.get("title")) or _text(row.get("id")),
        _text(row.get("system") or row.get("item_system")),
        tuple(_kinds(row.get("kind"), words, wrong)), _moment(row, "became_aware", wrong),
        row.get("opened"), tuple(_told(row.get("told"), words, wrong)),
        tuple(_exempt(row.get("not_told"), words, wrong)), _text(row.get("ticket")),
        str(row.get("item_id") or ""), told_once(row.get("problems"), wrong),
        str(row.get("source") or ""),
    )  # fmt: skip


def read_ticket(row: Mapping[str, Any], words: Words) -> Incident:
    """A ticket: its labels say `personal-data-breach`, `aware:TIME` and `told:WHOM:TIME`."""
    wrong: list[str] = []
    labels = [str(label) for label in row.get("labels") or ()]
    kinds = [kind for label in labels if (kind := word(label.removeprefix("kind:")))
             in words.kinds | {NONE} and (kind != NONE or label.startswith("kind:"))]  # fmt: skip
    aware = {label.partition(":")[2] for label in labels if label.startswith("aware:")}
    if len(aware) > 1:
        wrong.append("has two labels `aware:`: keep the earlier one")
    told = [
        {"to": label.split(":", 2)[1], "at": label.split(":", 2)[2]}
        for label in labels if label.startswith("told:") and label.count(":") > 1
    ]  # fmt: skip
    return Incident(
        _text(row.get("id")), _text(row.get("title")), _text(row.get("system")),
        tuple(dict.fromkeys(kinds)), _moment({"aware": min(aware, default="")}, "aware", wrong),
        row.get("opened"), tuple(_told(told, words, wrong)),
        item_id=str(row.get("item_id") or ""), problems=tuple(wrong),
        source=str(row.get("source") or ""),
    )  # fmt: skip


def together(records: Sequence[Incident], tickets: Sequence[Incident]) -> list[Incident]:
    """Each incident once: a ticket that a record names adds only its kinds, and when it began."""
    named = {one.ticket: one for one in tickets_of(records)}
    by_id = {ticket.id: ticket for ticket in tickets}
    kept = [one for one in tickets if one.id not in named]
    return [*(_joined(one, by_id.get(one.ticket)) for one in records), *kept]


def tickets_of(records: Sequence[Incident]) -> Iterator[Incident]:
    """The records that name a ticket."""
    return (one for one in records if one.ticket)


def _joined(record: Incident, ticket: Incident | None) -> Incident:
    if ticket is None:
        return record
    kinds = dict.fromkeys((*record.kinds, *(k for k in ticket.kinds if k != NONE)))
    opened = min((at for at in (record.opened, ticket.opened) if at), default=None)
    return Incident(
        record.id, record.title, record.system or ticket.system, tuple(kinds),
        record.aware or ticket.aware, opened, (*record.told, *ticket.told), record.exempt,
        record.ticket, record.item_id, (*record.problems, *ticket.problems),
        record.source,
    )  # fmt: skip


def _kinds(given: Any, words: Words, wrong: list[str]) -> list[str]:
    """A misspelt kind is taken for the one that it is most like, so that no clock waits for its
    correction; `none` beside it decides nothing."""
    found, unread = list[str](), False
    for kind in map(word, listed(given)):
        if kind in words.kinds or kind == NONE:
            found.append(kind)
        elif kind:
            unread = True
            known = ", ".join((*sorted(words.kinds), NONE))
            near = "" if kind.startswith(word(TO_FILL_IN)) else nearest(kind, sorted(words.kinds))
            taken = f"; it is taken for {near} until somebody corrects it" if near else ""
            wrong.append(f"`kind` is {kind[:_LONGEST]!r}, none of {known}{taken}")
            found += [near] if near else []
    return [kind for kind in dict.fromkeys(found) if kind != NONE or not unread]


def _told(given: Any, words: Words, wrong: list[str]) -> Iterator[Told]:
    for entry in _entries(given, "told", "to, at and evidence", wrong):
        to = _whom(entry, words.recipients, wrong)
        if to:
            at = _moment(entry, "at", wrong)
            if at is None and _text(entry.get("at")):
                continue  # a time that cannot be read is no time of telling
            yield Told(to, at, _text(entry.get("evidence")), _text(entry.get("why")))


def _exempt(given: Any, words: Words, wrong: list[str]) -> Iterator[Exempt]:
    for entry in _entries(given, "not_told", "to, by and why", wrong):
        to, by, why = (
            _whom(entry, words.recipients | {ALL}, wrong),
            _text(entry.get("by")),
            _text(entry.get("why")),
        )
        if not (by and why) or TO_FILL_IN in by + why:
            wrong.append("`not_told` counts only with `by` and `why`")
        elif to:
            yield Exempt(to, by, why)


def _entries(given: Any, name: str, fields: str, wrong: list[str]) -> Iterator[Mapping[str, Any]]:
    if given in (None, "", []):
        return
    for entry in given if isinstance(given, list) else [given]:
        if isinstance(entry, Mapping):
            yield entry
        else:
            wrong.append(f"`{name}` is a list of entries with {fields}")


def _whom(entry: Mapping[str, Any], among: frozenset[str], wrong: list[str]) -> str:
    to = word(entry.get("to") or "")
    if to in among:
        return to
    known = ", ".join(sorted(among))
    wrong.append(f"`to` is {to[:_LONGEST]!r}, none of {known}{meant(to, sorted(among))}")
    return ""


def _moment(row: Mapping[str, Any], name: str, wrong: list[str]) -> Moment | None:
    text = _text(row.get(name))
    moment = _read(text) if text else None
    if text and (moment is None or moment.year not in _YEARS):
        wrong.append(f"`{name}` is {text[:_LONGEST]!r}: write YYYY-MM-DD, or a time with its zone")
        return None
    return moment


def _read(text: str) -> Moment | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return parse(text)
    except InvalidItem:
        return None


def _text(value: Any) -> str:
    return " ".join(str(value or "").split())
