"""Audits, findings, corrective action and certification as an organisation's registers tell them.

What they must hold is asked by ISO/IEC 42001 9.2 and 10.2; that a certificate is looked at once in
twelve months and renewed within three years, and that a major nonconformity of stage 2 is closed
within six, by ISO/IEC 17021-1 (certification.yaml of mappings/).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from evidence.duration import Duration, plus
from evidence.errors import InvalidItem
from evidence.fields import told_once
from evidence.people import same_name
from evidence.times import day_or_time

AUDITS, FINDINGS, ACTIONS, CERTIFICATION, DECISIONS = (
    "audits", "findings", "corrective_actions", "certification", "decisions",
)  # fmt: skip
CALLED: Mapping[str, str] = {
    "audits": AUDITS, "audit_programme": AUDITS, "findings": FINDINGS, "audit_findings": FINDINGS,
    "corrective_actions": ACTIONS, "nonconformities": ACTIONS, "capa_ticket": ACTIONS,
    "certification": CERTIFICATION, "certification_audits": CERTIFICATION,
    "decisions": DECISIONS, "review_decisions": DECISIONS,
}  # fmt: skip
"""What a register may be called → what its records are."""
STAGES = ("stage 1", "stage 2", "surveillance", "recertification")
GRADES = ("major", "minor", "observation", "opportunity")
GRAVE = frozenset({"major", "minor"})
SURVEILLANCE, CYCLE = timedelta(days=365), timedelta(days=3 * 365)
MAJOR = Duration(6)
"""From the last day of stage 2 until its major nonconformities are corrected and verified."""
SOON = timedelta(days=30)
_FIELDS: Mapping[str, tuple[str, str, str]] = {
    AUDITS: ("planned", "performed", "auditor"),
    FINDINGS: ("due", "closed", "owner"),
    ACTIONS: ("due", "done", "owner"),
    CERTIFICATION: ("planned", "performed", "body"),
    DECISIONS: ("due", "done", "owner"),
}
"""By when, done when, and by whom: the fields that say so."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: what it is, by when it is to be done, when it was, by whom, and what it names.

    `names` is the id of the audit of a finding, or of the finding that an action is for;
    `evidence` are ids of items, or their beginnings. `problems` say what cannot be read.
    """

    what: str
    id: str
    title: str
    who: str
    due: datetime | None
    done: datetime | None
    grade: str = ""
    names: str = ""
    effective: str = ""
    controls: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    item_id: str = ""
    problems: tuple[str, ...] = ()

    def overdue(self, at: datetime) -> bool:
        """Whether its day is over (a day given without a time counts whole) and it is not done."""
        return self.due is not None and self.done is None and at - self.due >= timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Lack:
    """What needs a person: a severity as the board has it, one sentence, what to do."""

    severity: str
    sentence: str
    action: str
    item_id: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Books:
    """All entries; which ids of items are `known`; who owns which control; and as of when."""

    entries: Sequence[Entry]
    known: Callable[[str], bool]
    at: datetime
    owners: Mapping[str, str] = field(default_factory=dict)

    def of(self, what: str) -> list[Entry]:
        """The entries of one kind."""
        return [entry for entry in self.entries if entry.what == what]


def read_entry(row: Mapping[str, Any]) -> Entry:
    """A record of one of the registers in CALLED; what cannot be read is a problem of it."""
    what = CALLED[str(row["register"])]
    wrong: list[str] = []
    due, done = (_day(row, name, wrong) for name in _FIELDS[what][:2])
    grade = _text(row, "stage" if what == CERTIFICATION else "grade").lower()
    allowed = {FINDINGS: GRADES, CERTIFICATION: STAGES}.get(what, ())
    if allowed and grade not in allowed:
        name = "grade" if what == FINDINGS else "stage"
        wrong.append(f"`{name}` is {grade[:40]!r}, none of {', '.join(allowed)}")
    if due is None and done is None and what != FINDINGS:
        wrong.append(f"has no `{_FIELDS[what][0]}`: it can never be late")
    names = {FINDINGS: "audit", ACTIONS: "finding"}.get(what, "")
    return Entry(
        what, _text(row, "id"), _text(row, "title") or _text(row, "id"),
        _text(row, _FIELDS[what][2]), due, done, grade, _text(row, names) if names else "",
        _text(row, "effective"), _texts(row, "controls"), _texts(row, "evidence"),
        str(row.get("item_id") or ""), told_once(row.get("problems"), wrong),
    )  # fmt: skip


def _text(row: Mapping[str, Any], name: str) -> str:
    return " ".join(str(row.get(name) or "").split())


def _texts(row: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list, or texts with commas as a CSV has them."""
    given = row.get(name) or ()
    values = given if isinstance(given, list) else str(given or "").split(",")
    return tuple(text for one in values if (text := str(one).strip()))


def _day(row: Mapping[str, Any], name: str, wrong: list[str]) -> datetime | None:
    text = _text(row, name)
    try:
        return day_or_time(text) if text else None
    except InvalidItem:
        wrong.append(f"`{name}` is {text[:40]!r}: write YYYY-MM-DD")
        return None


def lacks(books: Books) -> Iterator[Lack]:
    """Everything in the books that needs a person, worst first within each entry."""
    for entry in books.entries:
        for severity, why, action in _of_entry(books, entry):
            cause = f"{entry.what} {entry.id} {action}"
            yield Lack(severity, f"{_named(entry)} {why}.", action, entry.item_id, cause)
    yield from _certificate(books)
    yield from _majors(books)


def _named(entry: Entry) -> str:
    words = {AUDITS: "Audit", FINDINGS: "Finding", ACTIONS: "Corrective action",
             CERTIFICATION: "Certification audit", DECISIONS: "Decision"}  # fmt: skip
    title = "" if entry.title == entry.id else f" ({entry.title})"
    return f"{words[entry.what]} {entry.id}{title}"


def _of_entry(books: Books, entry: Entry) -> Iterator[tuple[str, str, str]]:
    for problem in entry.problems:
        yield "judgement", problem, "Mend it in the register."
    if entry.overdue(books.at):
        who = entry.who or "nobody"
        yield "stale", f"was due on {entry.due:%Y-%m-%d} by {who} and is not done", "Do it."
    if entry.done is not None and entry.done > books.at:
        yield "judgement", f"is said to be done on {entry.done:%Y-%m-%d}, a day to come", \
            "Correct the date."  # fmt: skip
    for one in entry.evidence:
        if not books.known(one):
            yield "missing", f"names the item {one[:20]}, which the lake does not hold", \
                "Correct the id, or collect what it is about."  # fmt: skip
    yield from _OF[entry.what](books, entry)


def _of_audit(books: Books, entry: Entry) -> Iterator[tuple[str, str, str]]:
    if entry.done and not entry.evidence:
        yield "missing", "was performed and names no item of evidence", \
            "Name its report by the item's id."  # fmt: skip
    named = set(entry.controls)
    own = [
        number for number, owner in books.owners.items()
        if owner and same_name(owner, entry.who)
        and (covered(number, named) or any(covered(one, {number}) for one in named))
    ]  # fmt: skip
    if own:
        yield "judgement", f"is of {', '.join(own)}, which its auditor {entry.who} owns", \
            "Let somebody audit it who does not answer for it."  # fmt: skip


def _of_finding(books: Books, entry: Entry) -> Iterator[tuple[str, str, str]]:
    audits = {one.id for one in (*books.of(AUDITS), *books.of(CERTIFICATION))}
    if entry.names not in audits:
        told = f"names the audit {entry.names}, which no register holds" if entry.names else \
            "names no audit"  # fmt: skip
        yield "missing", told, "Name the audit that found it."
    acted = [one for one in books.of(ACTIONS) if one.names == entry.id]
    if entry.grade in GRAVE and not acted:
        yield "missing", "is a nonconformity without a corrective action", \
            "Record what is done about its cause, by whom and by when."  # fmt: skip
    if entry.done and any(one.done is None for one in acted):
        yield "judgement", "is closed while an action for it is not done", "Reopen it, or say when."


def _of_action(books: Books, entry: Entry) -> Iterator[tuple[str, str, str]]:
    if entry.names and entry.names not in {one.id for one in books.of(FINDINGS)}:
        yield "missing", f"is for the finding {entry.names}, which no register holds", \
            "Name the finding."  # fmt: skip
    if entry.done and not entry.effective:
        yield "due", "is done, and nobody says whether it helped", \
            "Check its effect and record it in `effective`."  # fmt: skip
    if entry.done is None and not entry.who:
        yield "judgement", "has no owner", "Name who does it."


def _nothing_more(_: Books, __: Entry) -> Iterator[tuple[str, str, str]]:
    return iter(())


_OF: Mapping[str, Callable[[Books, Entry], Iterator[tuple[str, str, str]]]] = {
    AUDITS: _of_audit, FINDINGS: _of_finding, ACTIONS: _of_action, CERTIFICATION: _nothing_more,
    DECISIONS: _nothing_more,
}  # fmt: skip


def next_looks(books: Books) -> list[tuple[datetime, str]]:
    """By when the certificate is looked at next, and renewed: none before it was decided."""
    done = [e for e in books.of(CERTIFICATION) if e.done and e.done <= books.at]
    decided = [e.done for e in done if e.grade in {"stage 2", "recertification"} and e.done]
    if not decided:
        return []
    looked = [e.done for e in done if e.grade != "stage 1" and e.done]
    return [(max(looked) + SURVEILLANCE, "surveillance"), (max(decided) + CYCLE, "recertification")]


def _certificate(books: Books) -> Iterator[Lack]:
    open_ = [e for e in books.of(CERTIFICATION) if e.done is None and e.due]
    for until, stage in next_looks(books):
        grades = {stage, "recertification"}
        planned = [e for e in open_ if e.grade in grades and e.due and e.due <= until]
        if planned or (stage == "recertification" and until > books.at + SURVEILLANCE):
            continue
        yield Lack(
            "stale" if until <= books.at else "due",
            f"No {stage} is planned by {until:%Y-%m-%d}.",
            "Agree a date with the certification body and record it.", cause=f"certificate {stage}",
        )  # fmt: skip


def majors(books: Books) -> list[tuple[datetime, Entry]]:
    """The major nonconformities of stage 2 that were not closed in time, or not yet, each by when
    it has to be; those without the ones after which stage 2 was repeated."""
    stages = {
        one.id: one.done for one in books.of(CERTIFICATION)
        if one.grade == "stage 2" and one.done and one.done <= books.at
    }  # fmt: skip
    found = [(plus(stages[one.names], MAJOR), one) for one in books.of(FINDINGS)
             if one.grade == "major" and one.names in stages]  # fmt: skip
    return [
        (until, one) for until, one in found
        if not (one.done and one.done <= books.at and one.done < until + timedelta(days=1))
        and not any(again > until for again in stages.values())
    ]  # fmt: skip


def _majors(books: Books) -> Iterator[Lack]:
    for until, one in majors(books):
        day, cause = f"{until:%Y-%m-%d}", f"major {one.id}"
        late = "was not closed" if one.done is None else f"was closed on {one.done:%Y-%m-%d}, not"
        if until + timedelta(days=1) <= books.at:
            yield Lack(
                "stale", f"{_named(one)} {late} by {day}, six months after the last day of stage "
                "2: stage 2 is repeated.",
                "Agree the repetition with the certification body, and record it.",
                one.item_id, cause,
            )  # fmt: skip
        elif until <= books.at + SOON:
            yield Lack(
                "due", f"{_named(one)} is to be closed by {day}, or stage 2 is repeated.",
                "Have its correction verified by the certification body.", one.item_id, cause,
            )  # fmt: skip


def unaudited(books: Books, controls: Collection[str]) -> list[str]:
    """The controls, by number, that no internal audit of the last three years names."""
    since = books.at - CYCLE
    audited = {
        number for e in books.of(AUDITS) if e.done and since <= e.done <= books.at
        for number in e.controls
    }  # fmt: skip
    return [number for number in controls if not covered(number, audited)]


def covered(number: str, audited: Collection[str]) -> bool:
    """Whether a clause or control is named, itself or what it is a part of: `A.6` names A.6.2.4."""
    parts = number.split(".")
    return any(".".join(parts[:length]) in audited for length in range(1, len(parts) + 1))
