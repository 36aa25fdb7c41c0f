"""What each endpoint of the demo's Jira answers, and what it refuses."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from demo.jira_jql import parse
from demo.jira_shape import changelog, issue_json, project_json, user_json
from demo.jira_state import PRIORITIES, STATUSES, State, delete, edit, find, move, raise_issue


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request: as whom, about what, with which query and body."""

    state: State
    user: str
    now: datetime
    base: str
    name: str
    query: dict[str, list[str]]
    body: dict[str, Any]

    @property
    def projects(self) -> set[str]:
        """Keys of the projects that may be browsed."""
        return set(self.state["projects"]) - set(self.state["hidden"])

    @property
    def zone(self) -> str:
        """The time zone in the user's profile."""
        return str(self.state["users"][self.user]["timeZone"])


class ApiError(Exception):
    """An answer that is not 200: the status and the messages of Jira's error collection."""

    def __init__(self, status: int, *messages: str) -> None:
        super().__init__(*messages)
        self.status = status
        self.data = {"errorMessages": list(messages), "errors": {}}


def _myself(call: Call) -> Any:
    return user_json(call.state, call.user, call.base)


def _server_info(call: Call) -> Any:
    return {
        "baseUrl": call.base, "version": "1001.0.0-SNAPSHOT", "versionNumbers": [1001, 0, 0],
        "deploymentType": "Cloud", "buildNumber": 100290,
        "serverTime": call.now.isoformat(timespec="milliseconds"), "serverTitle": "Jira",
    }  # fmt: skip


def _project_search(call: Call) -> Any:
    start, size = (
        int(call.query.get(k, [d])[0]) for k, d in (("startAt", "0"), ("maxResults", "50"))
    )
    keys = sorted(call.projects & set(call.query.get("keys", sorted(call.projects))))
    values = [project_json(call.state, key, call.base) for key in keys[start : start + size]]
    return {
        "self": f"{call.base}/rest/api/3/project/search", "maxResults": size, "startAt": start,
        "total": len(keys), "isLast": start + size >= len(keys), "values": values,
    }  # fmt: skip


def _only(body: dict[str, Any], *known: str) -> None:
    unknown = sorted(body.keys() - set(known))
    if unknown:
        raise ApiError(400, f"Invalid request payload: unrecognized field {unknown[0]!r}.")


def _between(value: Any, low: int, high: int, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ApiError(400, f"{name} must be a number from {low} to {high}.")
    return value


def _matching(call: Call) -> list[str]:
    query = parse(str(call.body.get("jql", "")), projects=call.projects, zone=call.zone)
    index = [r for r in call.state["index"].values() if r["project"] in call.projects]
    return [str(record["id"]) for record in query.run(index)]


def _search(call: Call) -> Any:
    """Order and membership come from the index as of the first page, the fields from now.

    What was deleted or hidden since then is left out without a word.
    """
    _only(call.body, "jql", "fields", "maxResults", "nextPageToken", "expand", "fieldsByKeys",
          "properties", "reconcileIssues", "failFast")  # fmt: skip
    size = _between(call.body.get("maxResults", 50), 1, 5000, "maxResults")
    seal = hashlib.sha256(str(call.body.get("jql")).encode()).hexdigest()[:16]
    if "nextPageToken" in call.body:
        ids = _open_token(call.body["nextPageToken"], seal)
    else:
        ids = _matching(call)
    found = (call.state["issues"].get(number) for number in ids[:size])
    live = [issue for issue in found if issue and issue["project"] in call.projects]
    fields = call.body.get("fields") or ["id"]
    issues = [issue_json(call.state, issue, fields, call.zone, call.base) for issue in live]
    rest = ids[size:]
    token = {"nextPageToken": _token(rest, seal)} if rest else {}
    return {"issues": issues, "isLast": not rest, **token}


def _count(call: Call) -> Any:
    _only(call.body, "jql")
    return {"count": max(0, len(_matching(call)) + call.state["count_error"])}


def _bulk_changelog(call: Call) -> Any:
    _only(call.body, "issueIdsOrKeys", "fieldIds", "maxResults", "nextPageToken")
    wanted = call.body.get("issueIdsOrKeys")
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= 1000:
        raise ApiError(400, "issueIdsOrKeys must hold 1 to 1000 issues.")
    if len(call.body.get("fieldIds", [])) > 10:
        raise ApiError(400, "fieldIds may hold at most 10 fields.")
    size = _between(call.body.get("maxResults", 1000), 1, 10_000, "maxResults")
    start = (
        int(_open_token(call.body["nextPageToken"], "log")[0])
        if "nextPageToken" in call.body
        else 0
    )
    rows = changelog(call.state, set(map(str, wanted)), call.projects, call.body.get("fieldIds"))
    grouped: dict[str, list[Any]] = {}
    for number, entry in rows[start : start + size]:
        grouped.setdefault(number, []).append(entry)
    logs = [{"issueId": number, "changeHistories": found} for number, found in grouped.items()]
    more = start + size < len(rows)
    return {"issueChangeLogs": logs} | (
        {"nextPageToken": _token([str(start + size)], "log")} if more else {}
    )


def _issue(call: Call) -> dict[str, Any]:
    try:
        issue = find(call.state, call.name)
    except KeyError as error:
        raise ApiError(404, "Issue does not exist or you do not have permission.") from error
    if issue["project"] not in call.projects:
        raise ApiError(404, "Issue does not exist or you do not have permission.")
    return issue


def _get_issue(call: Call) -> Any:
    fields = ",".join(call.query.get("fields", ["*all"])).split(",")
    return issue_json(call.state, _issue(call), fields, call.zone, call.base)


def _transitions(call: Call) -> Any:
    _issue(call)
    return {
        "transitions": [
            {"id": number, "name": name, "to": {"id": number, "name": name}}
            for name, (number, _) in STATUSES.items()
        ]
    }


def _transition(call: Call) -> Any:
    wanted = (call.body.get("transition") or {}).get("id")
    names = [name for name, (number, _) in STATUSES.items() if number == wanted]
    if not names:
        raise ApiError(400, "The transition is not valid for this issue.")
    move(call.state, _issue(call)["key"], names[0], by=call.user, at=call.now)


def _fields(call: Call) -> dict[str, Any]:
    """The body's `fields` as names and values of the state."""
    given = dict(call.body.get("fields") or {})
    accounts = {u["accountId"]: email for email, u in call.state["users"].items()}
    readers: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "summary": ("summary", str), "labels": ("labels", list), "duedate": ("due", str),
        "description": ("description", lambda v: v),
        "components": ("components", lambda v: [c["name"] for c in v]),
        "priority": ("priority", lambda v: next(p for p in PRIORITIES if p == v["name"])),
        "assignee": ("assignee", lambda v: v and accounts[v["accountId"]]),
        "reporter": ("reporter", lambda v: accounts[v["accountId"]]),
    }  # fmt: skip
    try:
        return {readers[k][0]: readers[k][1](v) for k, v in given.items()}
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise ApiError(400, f"A field cannot be set: {error!r}") from error


def _create(call: Call) -> Any:
    fields = call.body.get("fields") or {}
    try:
        project, kind = fields.pop("project")["key"], fields.pop("issuetype")["name"]
        given = _fields(call)
        key = raise_issue(
            call.state, project, kind, given.pop("summary"), by=call.user, at=call.now, **given
        )
    except KeyError as error:
        raise ApiError(400, f"{error.args[0]} is required or unknown.") from error
    number = find(call.state, key)["id"]
    return {"id": number, "key": key, "self": f"{call.base}/rest/api/3/issue/{number}"}


def _edit(call: Call) -> Any:
    edit(call.state, _issue(call)["key"], by=call.user, at=call.now, **_fields(call))


def _delete(call: Call) -> Any:
    delete(call.state, _issue(call)["key"])


def _removed(call: Call) -> Any:
    raise ApiError(410, f"The requested API has been removed from {call.base}: use /search/jql.")


ROUTES: list[tuple[str, str, int, Callable[[Call], Any]]] = [
    ("GET", "/rest/api/3/myself", 200, _myself),
    ("GET", "/rest/api/3/serverInfo", 200, _server_info),
    ("GET", "/rest/api/3/project/search", 200, _project_search),
    ("POST", "/rest/api/3/search/jql", 200, _search),
    ("POST", "/rest/api/3/search/approximate-count", 200, _count),
    ("POST", "/rest/api/3/changelog/bulkfetch", 200, _bulk_changelog),
    ("GET", "/rest/api/[23]/search", 410, _removed),
    ("POST", "/rest/api/[23]/search", 410, _removed),
    ("POST", "/rest/api/3/issue", 201, _create),
    ("GET", "/rest/api/3/issue/([^/]+)", 200, _get_issue),
    ("PUT", "/rest/api/3/issue/([^/]+)", 204, _edit),
    ("DELETE", "/rest/api/3/issue/([^/]+)", 204, _delete),
    ("GET", "/rest/api/3/issue/([^/]+)/transitions", 200, _transitions),
    ("POST", "/rest/api/3/issue/([^/]+)/transitions", 204, _transition),
]
WRITES = {_create, _edit, _delete, _transition}


def _token(ids: list[str], seal: str) -> str:
    raw = zlib.compress(json.dumps([seal, ids]).encode())
    return base64.urlsafe_b64encode(raw).decode()


def _open_token(token: Any, seal: str) -> list[str]:
    try:
        sealed, ids = json.loads(zlib.decompress(base64.urlsafe_b64decode(token)))
    except (ValueError, TypeError, binascii.Error, zlib.error) as error:
        raise ApiError(400, "The page token is invalid or has expired.") from error
    if sealed != seal:
        raise ApiError(400, "The page token belongs to another query.")
    return list(map(str, ids))
