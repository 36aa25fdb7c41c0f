"""The memory of the demo's Jira: people, projects, issues, histories in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from evidence.times import from_ms, utc

State = dict[str, Any]

STATUSES = {
    "To Do": ("10000", "new"),
    "In Review": ("10001", "indeterminate"),
    "Approved": ("10002", "indeterminate"),
    "Rejected": ("10003", "done"),
    "Done": ("10004", "done"),
    "Open": ("10005", "new"),
    "In Progress": ("10006", "indeterminate"),
    "Resolved": ("10007", "done"),
    "Accepted": ("10008", "done"),
}
FIRST_STATUS = {"Change": "To Do", "Incident": "Open", "Risk": "Open", "Concern": "Open"}
PRIORITIES = {"Highest": "1", "High": "2", "Medium": "3", "Low": "4", "Lowest": "5"}
_PEOPLE, _LISTS = {"assignee", "reporter"}, {"labels", "components"}
_FIELD_IDS = {"resolved": "resolution", "due": "duedate", "type": "issuetype"}


@dataclass(frozen=True, slots=True)
class Store:
    """The state file in a folder; every change is one transaction, whoever makes it."""

    folder: Path

    @property
    def file(self) -> Path:
        """Where the state lies."""
        return self.folder / "jira.sqlite"

    def create(self, state: State) -> None:
        """Write the first state. Raises sqlite3.IntegrityError if there is one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with closing(self._open()) as db:
            db.execute("CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY, doc TEXT)")
            db.execute("INSERT INTO state VALUES (1, ?)", (json.dumps(state),))

    def read(self) -> State:
        """The state as it is now."""
        with closing(self._open()) as db:
            return _load(db)

    @contextmanager
    def change(self) -> Iterator[State]:
        """The state to change in place; kept when the block ends well, else as it was."""
        with closing(self._open()) as db:
            db.execute("BEGIN IMMEDIATE")
            state = _load(db)
            yield state
            if not state["index_lags"]:
                reindex(state)
            db.execute("UPDATE state SET doc = ? WHERE one = 1", (json.dumps(state),))
            db.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.file, timeout=30, isolation_level=None)


def _load(db: sqlite3.Connection) -> State:
    state: State = json.loads(db.execute("SELECT doc FROM state").fetchone()[0])
    return state


def blank(users: Mapping[str, Mapping[str, str]], projects: Mapping[str, tuple[str, int]]) -> State:
    """A Jira without issues. `users` by e-mail; `projects` by key: name and first issue number."""
    return {
        "users": {email: dict(user) for email, user in users.items()},
        "projects": {
            key: {"id": str(10000 + n), "key": key, "name": name, "next": first}
            for n, (key, (name, first)) in enumerate(projects.items())
        },
        "issues": {},
        "index": {},
        "index_lags": False,
        "hidden": [],
        "faults": [],
        "count_error": 0,
        "changelog_times": "epoch",
        "next_issue": 10011,
        "next_history": 20001,
    }


def ms(moment: datetime) -> int:
    """Milliseconds since 1970 UTC."""
    return (utc(moment) - from_ms(0)) // timedelta(milliseconds=1)


def reindex(state: State) -> None:
    """Let the search index catch up with the issues."""
    state["index"] = {
        number: {key: value for key, value in issue.items() if key != "history"}
        for number, issue in state["issues"].items()
    }


def find(state: State, id_or_key: str) -> dict[str, Any]:
    """The issue by id or key. Raises KeyError."""
    for issue in state["issues"].values():
        if id_or_key in {issue["id"], issue["key"]}:
            found: dict[str, Any] = issue
            return found
    raise KeyError(id_or_key)


def raise_issue(
    state: State, project: str, kind: str, summary: str, *, by: str, at: datetime, **more: Any
) -> str:
    """A new issue, reported by `by` (an e-mail); its key. `more` sets further fields."""
    place, number = state["projects"][project], str(state["next_issue"])
    issue: dict[str, Any] = {
        "id": number, "key": f"{project}-{place['next']}", "project": project, "type": kind,
        "summary": summary, "status": FIRST_STATUS[kind], "resolution": None,
        "priority": "Medium", "labels": [], "components": [], "description": None,
        "creator": by, "reporter": by, "assignee": None, "created": ms(at), "updated": ms(at),
        "resolved": None, "due": None, "history": [],
    }  # fmt: skip
    unknown = more.keys() - issue.keys()
    if unknown:
        raise KeyError(f"no such fields: {sorted(unknown)}")
    state["issues"][number] = issue | more
    state["next_issue"] += 1
    place["next"] += 1
    return str(issue["key"])


def edit(state: State, id_or_key: str, *, by: str, at: datetime, **changes: Any) -> None:
    """Change fields of an issue, as one entry of its history. Raises KeyError."""
    issue = find(state, id_or_key)
    items = []
    for name, value in changes.items():
        if issue[name] != value:
            items += _changes(state, name, issue[name], value)
            issue[name] = value
    issue["updated"] = ms(at)
    if items:
        entry = {"id": str(state["next_history"]), "at": ms(at), "by": by, "items": items}
        issue["history"].append(entry)
        state["next_history"] += 1


def move(state: State, id_or_key: str, status: str, *, by: str, at: datetime) -> None:
    """Give an issue another status; a status of the category done resolves it."""
    done = STATUSES[status][1] == "done"
    resolution, resolved = ("Done", ms(at)) if done else (None, None)
    changes = {"status": status, "resolution": resolution, "resolved": resolved}
    edit(state, id_or_key, by=by, at=at, **changes)


def delete(state: State, id_or_key: str) -> None:
    """Remove an issue without a trace, as Jira does."""
    del state["issues"][find(state, id_or_key)["id"]]


def fault(
    state: State, path: str, *, status: int = 429, body: str = "", skip: int = 0, times: int = 1,
    headers: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Answer requests whose path starts with `path` like this, `times` times after `skip` good."""
    state["faults"].append(
        {
            "path": path, "status": status, "body": body, "skip": skip, "times": times,
            "headers": dict(headers or {}),
        }
    )  # fmt: skip


def _changes(state: State, name: str, old: Any, new: Any) -> list[dict[str, Any]]:
    if name == "components":
        gone, come = [c for c in old if c not in new], [c for c in new if c not in old]
        return [_change(name, c, None) for c in gone] + [_change(name, None, c) for c in come]
    if name == "status":
        ids = STATUSES[old][0], STATUSES[new][0]
        return [_change(name, old, new, ids)]
    if name in _PEOPLE:
        users = state["users"]
        before, after = users.get(old, {}), users.get(new, {})
        ids = before.get("accountId"), after.get("accountId")
        return [_change(name, before.get("displayName"), after.get("displayName"), ids)]
    if name in _LISTS:
        return [_change(name, " ".join(old), " ".join(new), ("", ""))]
    if name in {"resolved", "description"}:
        return []
    return [_change(name, old, new)]


def _change(
    name: str, old: str | None, new: str | None, ids: tuple[str | None, str | None] = (None, None)
) -> dict[str, Any]:
    field = _FIELD_IDS.get(name, name)
    item = {
        "field": "Component" if name == "components" else field, "fieldtype": "jira",
        "fieldId": field, "from": ids[0], "fromString": old, "to": ids[1], "toString": new,
    }  # fmt: skip
    return {key: value for key, value in item.items() if value is not None}
