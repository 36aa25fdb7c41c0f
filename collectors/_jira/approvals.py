"""Approvals as a changelog tells them: who moved what into an approved status, and whose it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._jira.issues import ROLES, Issue, Making
from collectors._jira.json import API, Person, next_token, rows
from collectors._json import array, moment, obj, text
from collectors._labels import models
from collectors.http import Http, Reply, clean, pages
from evidence.errors import SourceBroken
from evidence.model import EvidenceItem, Outcome

APPROVAL = "ticket.approval"
_FIELD_IDS = ("status", "assignee", "reporter", "labels")
_MOST_LOGS = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a changelog: who changed what, when."""

    id: str
    at: datetime
    author: Person | None
    changes: tuple[Mapping[str, Any], ...]

    @classmethod
    def read(cls, raw: Any, what: str) -> Entry:
        """From an element of `changeHistories`. Raises SourceBroken."""
        whole = obj(raw, f"{what}: changelog")
        number = text(whole, "id", f"{what}: changelog")
        what = f"{what}: changelog {clean(number, 40)}"
        changes = tuple(obj(c, what) for c in array(whole.get("items"), what))
        at = moment(whole.get("created"), what)
        return cls(number, at, Person.read(whole.get("author"), what), changes)

    def change(self, field: str) -> Mapping[str, Any] | None:
        """The change of a field in this entry, if there is one."""
        return next(
            (c for c in self.changes if (c.get("fieldId") or c.get("field")) == field), None
        )


@dataclass(frozen=True, slots=True)
class Approval:
    """One transition into an approved status, with the people and labels of that moment."""

    issue: Issue
    entry: Entry
    people: Mapping[str, Person | None]
    labels: tuple[str, ...]
    independent_of: tuple[str, ...]

    @property
    def own_roles(self) -> tuple[str, ...]:
        """In which roles the approver approved their own issue."""
        author = self.entry.author
        held = {role: person and person.account_id for role, person in self.people.items()}
        mine = author and author.account_id
        return tuple(role for role in self.independent_of if mine and held.get(role) == mine)

    @property
    def outcome(self) -> Outcome:
        """Passed only if a person approved what somebody else, who is known, asked for."""
        author, asked = self.entry.author, self.people["reporter"] or self.people["creator"]
        if author is None or asked is None:
            return Outcome.ERROR
        return Outcome.FAILED if author.app or self.own_roles else Outcome.PASSED

    @property
    def sentence(self) -> str:
        """What happened, in a few words."""
        author, key = self.entry.author, self.issue.key
        if author is None:
            return f"{key} approved by an account that Jira does not name"
        if self.own_roles:
            return f"{key} self-approved by {author.name} (its {' and '.join(self.own_roles)})"
        if self.outcome is Outcome.ERROR:
            return f"{key} approved by {author.name}, but nobody is known to have asked"
        return f"{key} approved by {'the app ' if author.app else ''}{author.name}"

    def item(self, made: Making) -> EvidenceItem:
        """The evidence: an event of the moment of the transition."""
        issue, entry = self.issue, self.entry
        return EvidenceItem(
            source=made.source, kind=APPROVAL, subject=f"{issue.id}/approval/{entry.id}",
            observed_from=entry.at, observed_to=entry.at, collected_at=made.collected_at,
            payload=self.payload(), system=issue.system(made.systems), outcome=self.outcome,
            title=clean(f"{self.sentence}: {issue.summary}"), actor=str(entry.author or ""),
            locator=issue.locator(made.url),
        )  # fmt: skip

    def payload(self) -> dict[str, Any]:
        """As it is kept: nothing in it moves when the issue is edited later."""
        change = self.entry.change("status") or {}
        return {
            "issue": self.issue.key, "issue_id": self.issue.id, "project": self.issue.project,
            "type": self.issue.type, "at": self.entry.at,
            "from": change.get("fromString"), "to": change.get("toString"),
            "approver": _shown(self.entry.author), "requester": _shown(self.people["reporter"]),
            "creator": _shown(self.people["creator"]),
            "assignee": _shown(self.people["assignee"]),
            "self_approved": bool(self.own_roles), "own_roles": self.own_roles,
            "by_app": bool(self.entry.author and self.entry.author.app),
            "labels": self.labels, "models": models(self.labels),
        }  # fmt: skip


def approvals(
    issue: Issue, entries: Sequence[Entry], approved: Sequence[str], independent_of: Sequence[str]
) -> list[Approval]:
    """The approvals in a whole changelog, oldest first.

    Reporter, assignee and labels are those just before each approval: changing them afterwards
    changes neither who approved their own work nor which model version was approved.
    """
    log = sorted({e.id: e for e in entries}.values(), key=lambda e: (e.at, len(e.id), e.id))
    wanted = {status.casefold() for status in approved}
    found = []
    for n, entry in enumerate(log):
        if str((entry.change("status") or {}).get("toString")).casefold() not in wanted:
            continue
        people = {role: _person_at(log, n, role, issue.people[role]) for role in ROLES}
        held = _held(log, n, "labels", "String")
        labels = issue.labels if held is None else tuple(sorted(held.split()))
        found.append(Approval(issue, entry, people, labels, tuple(independent_of)))
    return found


def _person_at(log: Sequence[Entry], n: int, role: str, now: Person | None) -> Person | None:
    account = _held(log, n, role, "")
    if account is None:
        return now
    return Person(account, _held(log, n, role, "String") or account) if account else None


def _held(log: Sequence[Entry], n: int, field: str, form: str) -> str | None:
    """What a field held just before entry `n` ('' for nothing); None if the log never moved it."""
    for entry in reversed(log[:n]):
        if change := entry.change(field):
            return str(change.get(f"to{form}") or "")
    for entry in log[n:]:
        if change := entry.change(field):
            return str(change.get(f"from{form}") or "")
    return None


def _shown(person: Person | None) -> dict[str, str] | None:
    return person.payload() if person else None


def changelogs(http: Http, ids: Sequence[str]) -> dict[str, list[Entry]]:
    """The whole changelogs of issues: entries by issue id, as far as they move what we ask for."""
    logs: dict[str, list[Entry]] = {}
    for n in range(0, len(ids), _MOST_LOGS):
        body = {
            "issueIdsOrKeys": list(ids[n : n + _MOST_LOGS]), "fieldIds": list(_FIELD_IDS),
            "maxResults": _MOST_LOGS,
        }  # fmt: skip

        def page(token: str, body: Mapping[str, Any] = body) -> Reply:
            more = {"nextPageToken": token} if token else {}
            return http.post(f"{API}/changelog/bulkfetch", {**body, **more}, safe=True)

        for reply in pages(page, next_token, what="changelogs"):
            for number, entries in _logs(reply.data, ids):
                logs.setdefault(number, []).extend(entries)
    return logs


def _logs(data: Any, asked: Sequence[str]) -> Iterator[tuple[str, list[Entry]]]:
    for log in rows(data, "issueChangeLogs"):
        number = str(obj(log, "a changelog").get("issueId"))
        if number not in asked:
            raise SourceBroken(f"a changelog came for issue {clean(number, 40)}, not asked for")
        what = f"issue {number}"
        yield number, [Entry.read(entry, what) for entry in rows(log, "changeHistories")]
