"""What a person signs for: one control, from when until when, and when such a statement is none.

The same rules hold for the file form (a record of the register `attestations`), for `headwater
attest`, and once more when controls are judged, whoever landed the statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence.errors import InvalidItem
from evidence.people import person
from evidence.times import day_or_time

KIND = "human.attestation"
FORM = "headwater.attestation/1"
REGISTERS = frozenset({"attestation", "attestations"})
LONGEST = timedelta(days=366)
"""For how long one may sign: a year, also where it has a 29 February."""
LATE = timedelta(days=31)
"""How long a statement may take to be recorded; one that is recorded later is dated back."""
EARLY = timedelta(hours=14)
"""A day declared in a zone east of UTC begins up to 14 hours before it does in UTC."""
_ASKED = ("control", "by", "statement", "at", "until")


@dataclass(frozen=True, slots=True)
class Statement:
    """That `by` states something for a control, in force from `at` up to, not including, `until`.

    `control` is as it was written; `system` the AI system that it is limited to, if any;
    `withdrawn` says when or why it was taken back (empty: it stands).
    """

    control: str
    by: str
    statement: str
    at: datetime
    until: datetime
    system: str = ""
    withdrawn: str = ""

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> Statement:
        """From a record's fields. Raises InvalidItem naming every flaw."""
        if wrong := flaws(fields):
            raise InvalidItem("; ".join(wrong))
        words = {name: str(fields[name]).strip() for name in _ASKED}
        return cls(
            words["control"], person(words["by"]), words["statement"],
            day_or_time(words["at"]), day_or_time(words["until"]),
            str(fields.get("system") or "").strip(), str(fields.get("withdrawn") or "").strip(),
        )  # fmt: skip


def subject(control: str, by: str) -> str:
    """The subject of a person's statement: a later one for the same control replaces it."""
    return f"attestation/{control}/{by}"


def flaws(fields: Mapping[str, object]) -> tuple[str, ...]:
    """Why the fields are no statement; empty if they are one."""
    missing = [f"{name} is missing" for name in _ASKED if not _told(fields, name)]
    at, until = _moment(fields, "at"), _moment(fields, "until")
    wrong = [text for text in (at, until) if isinstance(text, str) and text]
    if isinstance(at, datetime) and isinstance(until, datetime):
        wrong += [why for why in (_span(at, until),) if why]
    return (*missing, *wrong)


def recorded(at: datetime, until: datetime, told: datetime) -> str:
    """Why a statement signed at `at` may not first be recorded at `told`; empty if it may.

    What is over when it is recorded proves nothing any more, and so may be as old as it is.
    """
    if at > told + EARLY:
        return f"at {_day(at)} lies after {_day(told)}, when it was recorded: sign when it holds"
    if told - at > LATE and until > told:
        return (
            f"at {_day(at)} lies {(told - at).days} days before {_day(told)}, when it was recorded:"
            f" dated back by more than {LATE.days} days; sign anew"
        )
    return ""


def _span(at: datetime, until: datetime) -> str:
    if until <= at:
        return f"until {_day(until)} does not lie after at {_day(at)}"
    if until - at > LONGEST:
        return (
            f"until {_day(until)} lies {(until - at).days} days after at {_day(at)}: nobody signs "
            f"for more than {LONGEST.days} days; sign again when they are over"
        )
    return ""


def _told(fields: Mapping[str, object], name: str) -> bool:
    """Signs that nobody sees are no words."""
    return any(sign.isprintable() and not sign.isspace() for sign in str(fields.get(name) or ""))


def _moment(fields: Mapping[str, object], name: str) -> datetime | str:
    """The moment, or what is wrong with it; empty where there is none."""
    if not _told(fields, name):
        return ""
    try:
        return day_or_time(str(fields[name]))
    except InvalidItem:
        told = "".join(sign for sign in str(fields[name]) if sign.isprintable())[:40]
        return f"{name} {told!r} is neither YYYY-MM-DD nor a time with a zone"


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")
