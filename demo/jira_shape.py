"""How Jira Cloud's REST API v3 writes the demo's issues, people and histories as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from demo.jira_state import PRIORITIES, STATUSES, State
from evidence.times import from_ms

_CATEGORIES = {"new": (2, "To Do"), "indeterminate": (4, "In Progress"), "done": (3, "Done")}
_TYPES = {"Change": "10100", "Incident": "10101", "Risk": "10102", "Concern": "10103"}


def user_json(state: State, email: str | None, base: str) -> dict[str, Any] | None:
    """A person without an e-mail address, as privacy settings have it."""
    if email is None:
        return None
    user = state["users"][email]
    return {
        "self": f"{base}/rest/api/3/user?accountId={user['accountId']}",
        "accountId": user["accountId"], "accountType": user.get("accountType", "atlassian"),
        "displayName": user["displayName"], "active": True, "timeZone": user["timeZone"],
    }  # fmt: skip


def project_json(state: State, key: str, base: str) -> dict[str, Any]:
    """A project as it stands in lists and in issues."""
    project = state["projects"][key]
    return {
        "self": f"{base}/rest/api/3/project/{project['id']}", "id": project["id"], "key": key,
        "name": project["name"], "projectTypeKey": "software", "simplified": False,
    }  # fmt: skip


def issue_json(
    state: State, issue: dict[str, Any], wanted: Sequence[str], zone: str, base: str
) -> dict[str, Any]:
    """An issue with the wanted fields (`*all`, names, `-name`); `id` alone gives the id only."""
    if list(wanted) == ["id"]:
        return {"id": issue["id"]}
    fields = _fields(state, issue, zone, base)
    whole = "*all" in wanted or "*navigable" in wanted or all(w.startswith("-") for w in wanted)
    chosen = {
        name: value
        for name, value in fields.items()
        if f"-{name}" not in wanted and (whole or name in wanted)
    }
    return {
        "expand": "renderedFields,names,schema,operations,editmeta,changelog",
        "id": issue["id"], "self": f"{base}/rest/api/3/issue/{issue['id']}", "key": issue["key"],
        "fields": chosen,
    }  # fmt: skip


def _fields(state: State, issue: dict[str, Any], zone: str, base: str) -> dict[str, Any]:
    people = {n: user_json(state, issue[n], base) for n in ("creator", "reporter", "assignee")}
    times = {n: _time(issue[k], zone) for n, k in _TIME_FIELDS.items()}
    resolution, priority = issue["resolution"], issue["priority"]
    return people | times | {
        "project": project_json(state, issue["project"], base),
        "issuetype": {
            "self": f"{base}/rest/api/3/issuetype/{_TYPES[issue['type']]}",
            "id": _TYPES[issue["type"]], "name": issue["type"], "subtask": False,
        },
        "status": _status(issue["status"], base),
        "resolution": resolution and {"id": "10000", "name": resolution, "description": ""},
        "priority": {"id": PRIORITIES[priority], "name": priority},
        "labels": issue["labels"],
        "components": [
            {"id": str(20000 + n), "name": name} for n, name in enumerate(issue["components"])
        ],
        "summary": issue["summary"], "description": issue["description"],
        "duedate": issue["due"],
    }  # fmt: skip


_TIME_FIELDS = {"created": "created", "updated": "updated", "resolutiondate": "resolved"}


def _status(name: str, base: str) -> dict[str, Any]:
    number, category = STATUSES[name]
    kind, title = _CATEGORIES[category]
    return {
        "self": f"{base}/rest/api/3/status/{number}", "id": number, "name": name,
        "statusCategory": {"id": kind, "key": category, "name": title},
    }  # fmt: skip


def _time(milliseconds: int | None, zone: str) -> str | None:
    """In the zone of the asking user, with an offset that has no colon."""
    if milliseconds is None:
        return None
    moment = from_ms(milliseconds).astimezone(ZoneInfo(zone))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}{moment:%z}"


def changelog(
    state: State, wanted: set[str], projects: set[str], field_ids: Sequence[str] | None
) -> list[tuple[str, dict[str, Any]]]:
    """(issue id, entry) of the wanted issues (ids or keys), oldest first, then by issue id."""
    rows = []
    for issue in state["issues"].values():
        if issue["project"] in projects and wanted & {issue["id"], issue["key"]}:
            rows += [(entry["at"], int(issue["id"]), entry) for entry in issue["history"]]
    rows.sort(key=lambda row: row[:2])
    found = ((str(number), _entry(state, entry, field_ids)) for _, number, entry in rows)
    return [(number, entry) for number, entry in found if entry["items"]]


def _entry(state: State, entry: dict[str, Any], field_ids: Sequence[str] | None) -> dict[str, Any]:
    by = state["users"].get(entry["by"])
    author = by and {
        "accountId": by["accountId"], "accountType": by.get("accountType", "atlassian"),
        "displayName": by["displayName"], "active": True, "timeZone": by["timeZone"],
    }  # fmt: skip
    items = [i for i in entry["items"] if field_ids is None or i["fieldId"] in field_ids]
    written = _written(entry["at"], state["changelog_times"])
    return {
        "id": entry["id"], "created": written, "items": items,
        **({"author": author} if author else {}),
    }  # fmt: skip


def _written(at: int, form: str) -> int | str | None:
    """The forms in which the time of a changelog entry has been met in the wild."""
    if form == "epoch":
        return at
    if form == "offset":
        return _time(at, "UTC")
    return from_ms(at).isoformat(timespec="milliseconds")
