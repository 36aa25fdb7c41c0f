"""What registers say of days that are over: duties, trainings, contracts, reviews."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from evidence.held import Finding, Held, Record, Whole, finding_of

REVIEWED_WITHIN = timedelta(days=366)
"""How old the review of a register may be; what controls ask of it may be less."""
_UNDATED = {
    "attestations", "waivers", "rewrites", "population", "requests", "findings", "certification",
    "decisions", "corrective_actions",
}  # fmt: skip
"""Registers that speak record by record: nobody reviews them as a whole."""
_DUE = {"obligations": "due", "improvements": "due", "training": "due",
        "management_reviews": "planned"}  # fmt: skip
_UNTIL = (
    ("training", "until", "had to be repeated by"), ("competence", "until", "was good until"),
    ("suppliers", "contract_until", "runs by a contract that ended on"),
    ("data", "keep_until", "was to be kept until"),
)  # fmt: skip


def days(held: Held) -> Iterator[Finding]:
    """What was due and is not done, and what ran out and was not renewed."""
    for register, name in _DUE.items():
        for one in held.of(register):
            day = one.day(name)
            if day and _past(day, held.at) and not one.over(held.at):
                why = f"{one.called} was due on {day:%Y-%m-%d} and is not done"
                yield finding_of("past-due", "stale", one, why)
    for register, name, told in _UNTIL:
        until = _until(held.of(register), name)
        for one in held.of(register):
            day = one.day(name)
            if day and _past(day, held.at) and day >= until.get(_about(one), day):
                yield finding_of("run-out", "stale", one, f"{one.called} {told} {day:%Y-%m-%d}")


def _until(records: Sequence[Record], name: str) -> dict[tuple[str, ...], datetime]:
    """By person, course and competence the last day until which a record says that it is good."""
    found: dict[tuple[str, ...], datetime] = {}
    for one in records:
        about, day = _about(one), one.day(name)
        if about[0] and day:
            found[about] = max(day, found.get(about, day))
    return found


def _about(one: Record) -> tuple[str, ...]:
    return tuple(one.text(part) for part in ("person", "course", "competence"))


def reviews(held: Held) -> Iterator[Finding]:
    """Records, registers and documents that nobody looked at again in time."""
    for one in held.records:
        day = one.day("next_review")
        if day and _past(day, held.at) and not one.over(held.at):
            why = f"{one.called} was to be reviewed by {day:%Y-%m-%d}"
            yield finding_of("review-overdue", "stale", one, why)
    for whole in held.wholes:
        if why := _unreviewed(whole, held.at):
            check = "review-overdue" if whole.next_review or whole.reviewed else "never-reviewed"
            yield Finding(check, "stale", whole.name, why, "", item_ids=(whole.item_id,))


def _unreviewed(whole: Whole, at: datetime) -> str:
    kind = "document" if whole.document else "register"
    if whole.next_review:
        if not _past(whole.next_review, at):
            return ""
        return f"the {kind} {whole.name} was to be reviewed by {whole.next_review:%Y-%m-%d}"
    if whole.document or whole.name in _UNDATED:
        return ""  # a document without a review is an error already
    if whole.reviewed is None:
        return f"the register {whole.name} names no day of review: each commit makes it look new"
    if at - whole.reviewed > REVIEWED_WITHIN:
        return f"the register {whole.name} was last reviewed on {whole.reviewed:%Y-%m-%d}"
    return ""


def _past(day: datetime, at: datetime) -> bool:
    """A day that is given without a time counts whole."""
    return at - day >= timedelta(days=1)
