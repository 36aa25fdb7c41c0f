"""One version of an issue, and the evidence item it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._jira.json import Person
from collectors._json import array, moment, obj, text
from collectors._labels import models
from collectors.base import system_of
from collectors.http import clean
from evidence.canonical import digest, plain
from evidence.errors import InvalidItem
from evidence.model import EvidenceItem

ISSUE = "jira.issue"
FIELDS = (
    "project", "issuetype", "status", "resolution", "priority", "labels", "components", "summary",
    "creator", "reporter", "assignee", "created", "updated", "resolutiondate", "duedate",
    "description",
)  # fmt: skip
ROLES = ("creator", "reporter", "assignee")


@dataclass(frozen=True, slots=True)
class Making:
    """What every item of a pull shares."""

    source: str
    url: str
    systems: Mapping[str, str]
    collected_at: datetime


@dataclass(frozen=True, slots=True)
class Issue:
    """One version of an issue, as far as evidence needs it; `more` is kept but not used."""

    id: str
    key: str
    project: str
    type: str
    status: str
    summary: str
    labels: tuple[str, ...]
    components: tuple[str, ...]
    people: Mapping[str, Person | None]
    created: datetime
    updated: datetime
    more: Mapping[str, Any]

    @classmethod
    def read(cls, raw: Any) -> Issue:
        """From an element of `issues`. Raises SourceBroken naming the issue and the field."""
        whole = obj(raw, "an issue")
        what = f"issue {clean(str(whole.get('key') or whole.get('id')), 60)}"
        fields = obj(whole.get("fields"), f"{what}: fields")
        return cls(
            id=text(whole, "id", what),
            key=text(whole, "key", what),
            project=text(obj(fields.get("project"), f"{what}: project"), "key", what),
            type=text(obj(fields.get("issuetype"), f"{what}: issuetype"), "name", what),
            status=text(obj(fields.get("status"), f"{what}: status"), "name", what),
            summary=str(fields.get("summary") or ""),
            labels=tuple(sorted(map(str, array(fields.get("labels"), f"{what}: labels")))),
            components=_components(fields, what),
            people={role: Person.read(fields.get(role), f"{what}: {role}") for role in ROLES},
            created=moment(fields.get("created"), f"{what}: created"),
            updated=moment(fields.get("updated"), f"{what}: updated"),
            more=_more(fields, what),
        )

    def system(self, systems: Mapping[str, str]) -> str:
        """The AI system it belongs to, by project, component or label."""
        return system_of(systems, self.project, *self.components, *self.labels)

    def locator(self, url: str) -> str:
        """Where a person finds it."""
        return f"{url.rstrip('/')}/browse/{clean(self.key, 60)}"

    def item(self, made: Making) -> EvidenceItem:
        """The evidence: an event of the time at which this version came to be."""
        return EvidenceItem(
            source=made.source, kind=ISSUE, subject=self.id, payload=self.payload(),
            observed_from=min(self.created, self.updated), observed_to=self.updated,
            collected_at=made.collected_at, system=self.system(made.systems),
            title=clean(f"{self.key} {self.summary} ({self.status})"),
            actor=str(self.people["reporter"] or ""), locator=self.locator(made.url),
        )  # fmt: skip

    def payload(self) -> dict[str, Any]:
        """As it is kept."""
        reporter, assignee = self.people["reporter"], self.people["assignee"]
        return {
            "id": self.id, "key": self.key, "project": self.project, "type": self.type,
            "status": self.status, "summary": self.summary, "labels": self.labels,
            "components": self.components, "models": models(self.labels),
            "reporter": reporter.payload() if reporter else None,
            "assignee": assignee.payload() if assignee else None,
            "created": self.created, "updated": self.updated, **self.more,
        }  # fmt: skip


def _components(fields: Mapping[str, Any], what: str) -> tuple[str, ...]:
    what = f"{what}: components"
    return tuple(
        sorted(text(obj(c, what), "name", what) for c in array(fields.get("components"), what))
    )


def _more(fields: Mapping[str, Any], what: str) -> dict[str, Any]:
    resolved = fields.get("resolutiondate")
    category = obj(fields.get("status"), what).get("statusCategory") or {}
    return {
        "status_category": obj(category, f"{what}: statusCategory").get("key"),
        "resolution": _name(fields.get("resolution"), f"{what}: resolution"),
        "priority": _name(fields.get("priority"), f"{what}: priority"),
        "resolutiondate": resolved and moment(resolved, f"{what}: resolutiondate"),
        "duedate": fields.get("duedate"),
        "description_sha256": _fingerprint(fields.get("description")),
    }


def _name(raw: Any, what: str) -> str | None:
    return None if raw is None else text(obj(raw, what), "name", what)


def _fingerprint(description: Any) -> str:
    """SHA-256 of the text, which may name people; it is only kept to show that it changed."""
    if description is None:
        return ""
    try:
        return digest(plain(description))
    except (InvalidItem, RecursionError):
        return "not hashed: nested too deep"
