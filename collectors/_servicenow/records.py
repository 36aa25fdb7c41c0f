"""Records of ServiceNow: a version of one, the people in it, and the item it makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._labels import models
from collectors._servicenow.table import Row
from collectors.base import system_of
from collectors.http import clean
from evidence.canonical import digest, plain
from evidence.model import Change, EvidenceItem

CHANGES = "change_request"
ROLES = ("requested_by", "opened_by", "assigned_to")
FIELDS = (
    "sys_id", "number", "sys_class_name", "type", "state", "approval", "priority", "risk", "impact",
    "category", "short_description", "description", "cmdb_ci", "business_service",
    "assignment_group", *ROLES, "opened_at", "work_start", "work_end", "start_date", "end_date",
    "due_date", "closed_at", "close_code", "sys_created_on", "sys_updated_on", "sys_updated_by",
)  # fmt: skip
DELETED_FIELDS = ("sys_id", "tablename", "documentkey", "display_value", "sys_created_on",
                  "sys_created_by")  # fmt: skip
_TYPES = {CHANGES: "Change Request", "incident": "Incident", "problem": "Problem"}
_RANK = re.compile(r"^\d+ - ")
_SPLIT = re.compile(r"[,;\s]+")


def kind_of(table: str) -> str:
    """The evidence kind of a table's records."""
    return f"servicenow.{table}"


@dataclass(frozen=True, slots=True)
class Person:
    """A user: the sys_id stays when somebody is renamed."""

    id: str
    name: str

    @classmethod
    def read(cls, row: Row, name: str) -> Person | None:
        """The user that a field refers to; None where it is empty or not shown."""
        found = row.value(name)
        return cls(found, row.shown(name) or found) if found else None

    def payload(self) -> dict[str, str]:
        """As it is kept."""
        return {"id": self.id, "name": self.name}

    def __str__(self) -> str:
        return f"{clean(self.name, 80)} ({clean(self.id, 64)})"


@dataclass(frozen=True, slots=True)
class Making:
    """What every item of a pull shares. `label_fields` are columns whose words are labels."""

    source: str
    url: str
    systems: Mapping[str, str]
    label_fields: tuple[str, ...]
    collected_at: datetime

    def labels(self, row: Row) -> tuple[str, ...]:
        """The words in the columns that hold labels."""
        words = (word for name in self.label_fields for word in _SPLIT.split(row.shown(name)))
        return tuple(sorted({word for word in words if word}))

    def system(self, row: Row) -> str:
        """The AI system it belongs to, by configuration item, service, group, category, label."""
        names = ("cmdb_ci", "business_service", "assignment_group", "category")
        return system_of(self.systems, *(row.shown(name) for name in names), *self.labels(row))

    def locator(self, row: Row) -> str:
        """Where a person finds it."""
        return f"{self.url.rstrip('/')}/{row.table}.do?sys_id={row.id}"


def record(row: Row, made: Making) -> EvidenceItem:
    """One version of a record, an event of the time at which it came to be. Raises SourceBroken."""
    number, at = row.needed("number"), row.moment("sys_updated_on")
    told = f"{number} {row.shown('short_description')} ({row.shown('state') or '?'})"
    return EvidenceItem(
        source=made.source, kind=kind_of(row.table), subject=row.id, payload=_payload(row, made),
        observed_from=min(row.at("sys_created_on") or at, at), observed_to=at,
        collected_at=made.collected_at, system=made.system(row), title=clean(told),
        actor=clean(row.value("sys_updated_by"), 80), locator=made.locator(row),
    )  # fmt: skip


def type_of(row: Row) -> str:
    """What sort of record it is, in the words that rules know."""
    return _TYPES.get(row.table) or row.shown("sys_class_name") or row.table


def _payload(row: Row, made: Making) -> dict[str, Any]:
    labels, people = made.labels(row), {name: Person.read(row, name) for name in ROLES}
    times = ("opened_at", "work_start", "work_end", "start_date", "end_date", "due_date",
             "closed_at")  # fmt: skip
    named = ("state", "risk", "impact", "category", "cmdb_ci", "business_service",
             "assignment_group", "close_code")  # fmt: skip
    description = row.value("description")
    return {
        "id": row.id, "number": row.value("number"), "type": type_of(row),
        "change_type": row.value("type"), "summary": row.shown("short_description"),
        "priority": _RANK.sub("", row.shown("priority")), "approval": row.value("approval"),
        "labels": labels, "models": models(labels), "updated": row.at("sys_updated_on"),
        "updated_by": row.value("sys_updated_by"),
        "description_sha256": digest(plain(description)) if description else "",
        **{name: row.shown(name) for name in named},
        **{name: row.at(name) for name in times},
        **{name: person.payload() if person else None for name, person in people.items()},
    }  # fmt: skip


def deleted(row: Row, made: Making, kinds: Mapping[str, str]) -> EvidenceItem | None:
    """A record that was deleted, as the instance remembers it. `kinds` are those of the tables that
    are read; None for any other."""
    kind = kinds.get(row.value("tablename"))
    if kind is None:
        return None
    at = row.moment("sys_created_on")
    who = clean(row.value("sys_created_by") or "somebody", 80)
    what = clean(row.shown("display_value") or row.needed("documentkey"), 120)
    return EvidenceItem(
        source=made.source, kind=kind, subject=row.needed("documentkey"), observed_from=at,
        observed_to=at, collected_at=made.collected_at, actor=who, change=Change.GONE,
        payload={"table": row.value("tablename"), "deleted_by": who, "deleted": at, "what": what},
        title=f"{what} was deleted by {who}", locator=made.url,
    )  # fmt: skip
