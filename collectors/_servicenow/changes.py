"""Four eyes on a change in ServiceNow: who approved it, and was that before it was begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._labels import models
from collectors._servicenow.records import ROLES, Making, Person, type_of
from collectors._servicenow.table import Row
from collectors.http import clean
from evidence.model import EvidenceItem, Outcome

APPROVAL = "ticket.approval"
IMPLEMENTATION = "ticket.implementation"
APPROVER_FIELDS = ("sys_id", "approver", "approver.user_name", "state", "sysapproval",
                   "sys_created_on", "sys_updated_on", "sys_updated_by")  # fmt: skip
TASK_FIELDS = ("sys_id", "number", "change_request", "assigned_to", "sys_updated_on")
AUDIT_FIELDS = ("sys_id", "documentkey", "fieldname", "oldvalue", "newvalue", "user",
                "sys_created_on")  # fmt: skip
AUDITED = ("state", *ROLES)


@dataclass(frozen=True, slots=True)
class Rule:
    """What counts: values of `state` in which a change is under way or done, values of `type` that
    are approved as a kind, beforehand, and the roles that may not approve."""

    begun_states: tuple[str, ...]
    preapproved_types: tuple[str, ...]
    independent_of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval: `by` whom, `at` when, entered by the hand of `entered_by` (a user name).

    `roles` are those that the approver had in the change when it was given, or, as its implementer,
    later. `hand` says whose hand set it, if it was not the approver's; empty if it was.
    """

    row: Row
    by: Person | None
    at: datetime
    roles: tuple[str, ...]
    hand: str
    held: Mapping[str, Person | None]

    @property
    def outcome(self) -> Outcome:
        """Passed only if somebody approved with their own hand what others asked for and make."""
        if self.roles:
            return Outcome.FAILED
        asked = self.held["requested_by"] or self.held["opened_by"]
        return Outcome.ERROR if self.by is None or self.hand or not asked else Outcome.PASSED

    @property
    def sentence(self) -> str:
        """What happened, in a few words."""
        who = clean(self.by.name, 80) if self.by else "somebody whom the instance does not name"
        if self.roles:
            return f"self-approved by {who} ({' and '.join(self.roles)})"
        told = f"approved by {who}" + (f", entered by {self.hand}" if self.hand else "")
        nobody = self.outcome is Outcome.ERROR and self.by is not None and not self.hand
        return told + (", but nobody is known to have asked" if nobody else "")

    def payload(self) -> dict[str, Any]:
        """As it is kept with the change."""
        return {
            "approver": self.by and self.by.payload(), "at": self.at, "roles": self.roles,
            "entered_by": self.hand, "outcome": self.outcome.value,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dossier:
    """A change with all that is known of it. `history` is None where it is not shown; `unread` says
    what of the rest is not, empty where all is."""

    row: Row
    approvers: tuple[Row, ...]
    tasks: tuple[Row, ...]
    history: tuple[Row, ...] | None
    rule: Rule
    unread: str = ""

    def approvals(self) -> list[Approval]:
        """The approvals that stand, oldest first."""
        rows = (row for row in self.approvers if row.value("state") == "approved")
        return sorted((self._approval(row) for row in rows), key=lambda a: (a.at, a.row.id))

    def _approval(self, row: Row) -> Approval:
        moves = [one for one in self._moves(row.id, "state") if one.value("newvalue") == "approved"]
        at = (moves[-1] if moves else row).moment("sys_created_on" if moves else "sys_updated_on")
        hand = moves[-1].value("user") if moves else row.value("sys_updated_by")
        own = row.value("approver.user_name")
        by = Person.read(row, "approver")
        held = {role: self._held(role, at) for role in ROLES}
        mine = tuple(r for r in self.rule.independent_of if by and by.id == _id(held.get(r)))
        if by and by.id in self.implementers() and "assigned_to" in self.rule.independent_of:
            mine = tuple(dict.fromkeys((*mine, "implementer")))
        other = hand != own or not own
        return Approval(row, by, at, mine, clean(hand or "?", 80) if other else "", held)

    def implementers(self) -> set[str]:
        """The users to whom it, or a task of it, is assigned."""
        return {row.value("assigned_to") for row in (self.row, *self.tasks)} - {""}

    def _held(self, field: str, at: datetime) -> Person | None:
        """Who held a role at a moment: to change it afterwards covers nothing."""
        for move in self._moves(self.row.id, field):
            if move.moment("sys_created_on") >= at:
                found = move.value("oldvalue")
                return Person(found, move.shown("oldvalue") or found) if found else None
        return Person.read(self.row, field)

    def _moves(self, record: str, field: str) -> list[Row]:
        found = [
            row for row in self.history or ()
            if row.value("documentkey") == record and row.value("fieldname") == field
        ]  # fmt: skip
        return sorted(found, key=lambda row: (row.moment("sys_created_on"), row.id))

    @property
    def audited(self) -> bool:
        """Does the audit tell how it came to be begun? An empty one may only not be shown."""
        return any(
            move.value("newvalue") in self.rule.begun_states
            for move in self._moves(self.row.id, "state")
        )

    def begun(self) -> tuple[bool, datetime | None]:
        """Whether work on it has begun, and when: the earliest that anything says."""
        into = [
            move.moment("sys_created_on") for move in self._moves(self.row.id, "state")
            if move.value("newvalue") in self.rule.begun_states
        ]  # fmt: skip
        typed = self.row.at("work_start")  # by hand; ahead of the version it says nothing yet
        if typed and typed <= self.row.moment("sys_updated_on"):
            into.append(typed)
        state = self.row.value("state") in self.rule.begun_states
        return bool(into) or state, min(into, default=None)

    def items(self, made: Making) -> list[EvidenceItem]:
        """Its approvals, and what its beginning came to once it has begun."""
        found = self.approvals()
        items = [_approval_item(self, one, made) for one in found]
        begun, at = self.begun()
        return [*items, _implementation(self, found, at, made)] if begun else items

    def people(self, held: Mapping[str, Person | None]) -> dict[str, Any]:
        """Who asked and who made it, as kept."""
        return {role: person and person.payload() for role, person in held.items()}


def judged(of: Dossier, found: Sequence[Approval], at: datetime | None) -> tuple[Outcome, str]:
    """What the beginning of a change came to, and why in a few words."""
    if of.row.value("type") in of.rule.preapproved_types:
        return Outcome.RECORDED, "of a type that is approved beforehand"
    good = [one for one in found if one.outcome is Outcome.PASSED]
    timely = [one for one in good if at and one.at <= at]
    if (rejected := _rejected(of, at)) and not any(one.at >= rejected for one in timely):
        return Outcome.FAILED, "after it was rejected"
    if timely and of.row.value("approval") != "approved":
        return Outcome.FAILED, "before all who had to approve did"
    if timely:
        told, doubt = f"after it was {timely[0].sentence}", of.unread
        if "assigned_to" in of.rule.independent_of and not of.implementers():
            doubt = doubt or "nobody is known to have made it"
        return (Outcome.ERROR, f"{told}, but {doubt}") if doubt else (Outcome.PASSED, told)
    if of.unread:
        return Outcome.ERROR, of.unread
    if good and at is None:
        return Outcome.ERROR, f"{good[0].sentence}, but nobody knows when it was begun"
    if good:
        return Outcome.FAILED, f"before it was {good[0].sentence}"
    told = "; ".join(one.sentence for one in found) or "without an approval"
    doubtful = any(one.outcome is Outcome.ERROR and (not at or one.at <= at) for one in found)
    return (Outcome.ERROR if doubtful else Outcome.FAILED), told


def _rejected(of: Dossier, at: datetime | None) -> datetime | None:
    rows = (row for row in of.approvers if row.value("state") == "rejected")
    times = (row.moment("sys_updated_on") for row in rows)
    return max((t for t in times if at is None or t <= at), default=None)


def _implementation(
    of: Dossier, found: Sequence[Approval], at: datetime | None, made: Making
) -> EvidenceItem:
    row, labels = of.row, made.labels(of.row)
    outcome, told = judged(of, found, at)
    ended = at or row.moment("sys_updated_on")
    held = {role: Person.read(row, role) for role in ROLES}
    return EvidenceItem(
        source=made.source, kind=IMPLEMENTATION, subject=row.id, outcome=outcome,
        observed_from=min(row.at("sys_created_on") or ended, ended), observed_to=ended,
        collected_at=made.collected_at, system=made.system(row),
        title=clean(f"{row.needed('number')} begun {told}: {row.shown('short_description')}"),
        actor=str(held["assigned_to"] or ""), locator=made.locator(row),
        payload={
            "issue": row.value("number"), "issue_id": row.id, "type": type_of(row),
            "change_type": row.value("type"), "begun": at, "approval": row.value("approval"),
            "approvals": [one.payload() for one in found], "why": told, "unread": of.unread,
            "history": of.audited, "labels": labels, "models": models(labels),
            "implementers": sorted(of.implementers()), **of.people(held),
        },
    )  # fmt: skip


def _approval_item(of: Dossier, one: Approval, made: Making) -> EvidenceItem:
    row, labels = of.row, made.labels(of.row)
    return EvidenceItem(
        source=made.source, kind=APPROVAL, subject=one.row.id, outcome=one.outcome,
        observed_from=one.at, observed_to=one.at, collected_at=made.collected_at,
        system=made.system(row), actor=str(one.by or ""), locator=made.locator(row),
        title=clean(f"{row.needed('number')} {one.sentence}: {row.shown('short_description')}"),
        payload={
            "issue": row.value("number"), "issue_id": row.id, "type": type_of(row),
            "change_type": row.value("type"), "at": one.at, "to": "approved",
            "approver": one.by and one.by.payload(), "entered_by": one.hand,
            "self_approved": bool(one.roles), "own_roles": one.roles,
            "labels": labels, "models": models(labels), **of.people(one.held),
        },
    )  # fmt: skip


def _id(person: Person | None) -> str:
    return person.id if person else ""
