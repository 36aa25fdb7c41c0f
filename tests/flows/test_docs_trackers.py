"""The ready configurations of docs/trackers.md do what they say, against strict stand-ins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import SourceBroken, SourceBusy
from evidence.model import Change, Cursor, EvidenceItem
from evidence.runs import PullFacts
from flows.config import load
from tests.collectors.rest_server import Answer, Asked, Refused, RestServer, demand, only

ROOT = Path(__file__).resolve().parents[2]
TABLES = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/trackers.md").read_text(), re.S)
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
KEY = "key-of-the-reader"


def written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def built(folder: Path, name: str, url: str) -> Any:
    """The collector as the page's own tables make it, at another address."""
    (table,) = (one for one in TABLES if f'name = "{name}"' in one)
    table = re.sub(r'^url = "[^"]+"', f'url = "{url}"', table, flags=re.M)
    table = re.sub(r"^calls_per_minute = .*", "attempts = 1", table, flags=re.M)
    file = folder / "headwater.toml"
    file.write_text('[organisation]\nname = "x"\n' + table)
    config = load(file, {"LINEAR_KEY": KEY, "PAGERDUTY_KEY": KEY})
    return config.sources[0].collector(lambda: datetime.now(UTC))


def pull(
    collector: Any, cursor: Cursor | None = None
) -> tuple[list[EvidenceItem], Cursor, PullFacts]:
    items, facts = list[EvidenceItem](), PullFacts()
    for batch in collector.collect(cursor):
        items += batch.items
        facts = facts + batch.facts
        cursor = batch.cursor
    assert cursor is not None
    return items, cursor, facts


class Linear:
    """Newest change first; pages by cursors; errors beside data."""

    def __init__(self) -> None:
        self.issues = [self._issue(n) for n in range(60)]
        self.teams = [{"id": f"t{n}", "key": key, "name": key, "private": False}
                      for n, key in enumerate(("CRE", "CHU"))]  # fmt: skip
        self.fault: Any = None

    def _issue(self, n: int) -> dict[str, Any]:
        at = written(START + timedelta(minutes=n))
        return {
            "id": f"i{n}", "identifier": f"CRE-{n}", "title": "Drift", "url": "https://l.example/i",
            "priorityLabel": "Urgent" if n == 0 else "Low", "dueDate": None, "trashed": None,
            "createdAt": at, "updatedAt": at, "archivedAt": None, "completedAt": None,
            "canceledAt": None, "state": {"name": "Todo", "type": "unstarted"},
            "team": {"key": "CRE"}, "project": None, "creator": {"id": "u1", "name": "Mira"},
            "assignee": None, "labels": {"nodes": [{"name": "ai-incident"}] if n == 0 else []},
        }  # fmt: skip

    def say(self, asked: Asked) -> Any:
        demand(asked.method == "POST" and asked.path == "/graphql", "one address only")
        if asked.headers.get("Authorization") != KEY:
            raise Refused(401, {"errors": [{"message": "Authentication required"}]})
        query, given = asked.body["query"], asked.body.get("variables", {})
        if "viewer" in query:
            return {"data": {"viewer": {"id": "u9", "name": "Reader"}}}
        if self.fault is not None:
            return self.fault
        if "teams(" in query:
            return {"data": {"teams": self._page(self.teams, given)}}
        if "history(" in query:
            move = {"id": f"h-{given['id']}", "createdAt": written(START), "actor": None,
                    "fromState": {"name": "Todo"}, "toState": {"name": "Done"},
                    "fromAssignee": None, "toAssignee": None}  # fmt: skip
            return {"data": {"issue": {"history": self._page([move], given)}}}
        demand("includeArchived: true" in query and "gte: $since" in query, "no such query")
        found = [i for i in self.issues if i["updatedAt"] >= given["since"]]
        found.sort(key=lambda one: one["updatedAt"], reverse=True)
        return {"data": {"issues": self._page(found, given)}}

    def _page(self, rows: list[Any], given: dict[str, Any]) -> dict[str, Any]:
        start = int(given.get("after") or 0)
        end = start + given["first"]
        info = {"hasNextPage": end < len(rows), "endCursor": str(end) if rows else None}
        return {"nodes": rows[start:end], "pageInfo": info}


class PagerDuty:
    """Newest first; refuses another zone, another form and what lies beyond 10,000."""

    def __init__(self) -> None:
        self.log = [self._entry(n) for n in range(150)]
        self.services = [{"id": "S1", "name": "credit-api", "status": "active", "html_url": "",
                          "escalation_policy": {"id": "E1", "summary": "On call"}}]  # fmt: skip

    def _entry(self, n: int) -> dict[str, Any]:
        kind = ("trigger", "acknowledge", "resolve")[n % 3]
        at = START + timedelta(minutes=n)
        return {
            "id": f"R{n}", "type": f"{kind}_log_entry", "summary": kind, "created_at": written(at),
            "agent": {"id": "P1", "type": "user_reference", "summary": "Ada Ray"},
            "service": {"id": "S1", "summary": "credit-api"},
            "incident": {
                "id": f"I{n // 3}", "incident_number": n // 3, "title": "Scores drift",
                "created_at": written(START + timedelta(minutes=n - n % 3)), "urgency": "high",
                "html_url": "https://p.example/i", "priority": {"summary": "P1"} if n < 3 else None,
            },
        }  # fmt: skip

    def say(self, asked: Asked) -> Any:
        demand(asked.headers.get("Accept") == "application/vnd.pagerduty+json;version=2", "version")
        if asked.headers.get("Authorization") != f"Token token={KEY}":
            raise Refused(401, {"error": {"message": "Unauthorized"}})
        offset, limit = int(asked.query.get("offset", 0)), int(asked.query["limit"])
        demand(limit <= 100 and offset + limit <= 10_000, "beyond 10000")
        demand(asked.query.get("total") == "true", "total is null unless it is asked for")
        if asked.path == "/services":
            only(asked, "limit", "offset", "total")
            return self._page("services", self.services, offset, limit)
        demand(asked.path == "/log_entries", "no such list")
        only(asked, "limit", "offset", "total", "since", "time_zone", "is_overview", "include[]")
        demand(asked.query.get("time_zone") == "UTC", "the account's zone would be used")
        since = (
            asked.query["since"].replace("Z", ".000Z")
            if "." not in asked.query["since"]
            else (asked.query["since"])
        )
        found = [one for one in self.log if one["created_at"] >= since]
        return self._page("log_entries", found[::-1], offset, limit)

    def _page(self, name: str, rows: list[Any], offset: int, limit: int) -> Any:
        page = rows[offset : offset + limit]
        more = offset + limit < len(rows)
        return {name: page, "offset": offset, "limit": limit, "more": more, "total": len(rows)}


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    running: list[RestServer] = []

    def start(stand_in: Any) -> str:
        running.append(RestServer(stand_in.say))
        return running[-1].url

    yield start
    for server in running:
        server.close()


def test_linear_is_read_whole_then_what_is_new(serve: Callable[[Any], str], tmp_path: Path) -> None:
    linear = Linear()
    collector = built(tmp_path, "linear", serve(linear))
    items, cursor, facts = pull(collector)
    issues = {item.subject: item for item in items if item.kind == "tracker.issue"}
    assert len(issues) == 60
    assert facts.gaps == ()
    assert facts.identity == "Reader (u9)"
    assert b'"priority":"Highest"' in issues["i0"].content
    assert b'"ai-incident"' in issues["i0"].content
    assert issues["i0"].system == "credit-scoring"
    assert len([item for item in items if item.kind == "linear.move"]) == 60
    linear.issues[3] |= {"updatedAt": written(START + timedelta(days=1)), "trashed": True}
    linear.teams.pop()
    more, _, _ = pull(collector, cursor)
    gone = {(item.kind, item.subject) for item in more if item.change is Change.GONE}
    assert gone == {("tracker.issue", "i3"), ("linear.team", "t1")}


def test_half_an_answer_of_linear_is_none(serve: Callable[[Any], str], tmp_path: Path) -> None:
    linear = Linear()
    collector = built(tmp_path, "linear", serve(linear))
    half = {"data": {"issues": {"nodes": [], "pageInfo": {"hasNextPage": False}}}}
    linear.fault = half | {"errors": [{"message": "Internal"}]}
    with pytest.raises(SourceBroken, match="the answer tells an error"):
        pull(collector)
    limited = {"errors": [{"message": "x", "extensions": {"code": "RATELIMITED"}}]}
    linear.fault = Answer(limited, status=400)
    with pytest.raises(SourceBusy):
        pull(collector)


def test_pagerduty_tells_each_step_of_an_incident(
    serve: Callable[[Any], str], tmp_path: Path
) -> None:
    duty = PagerDuty()
    collector = built(tmp_path, "pagerduty", serve(duty))
    items, cursor, facts = pull(collector)
    steps = [item for item in items if item.subject.startswith("I0/")]
    assert len([item for item in items if item.kind == "tracker.issue"]) == 150
    assert facts.gaps == ()
    assert facts.shortfall() == 0
    assert [b'"status":"resolved"' in item.content for item in
            sorted(steps, key=lambda item: item.observed_to)] == [False, False, True]  # fmt: skip
    assert b'"priority":"Critical"' in steps[0].content
    assert steps[0].actor == "Ada Ray"
    duty.log.append(duty._entry(150))
    more, _, _ = pull(collector, cursor)
    known = {item.item_id for item in items}
    assert [item.subject for item in more if item.item_id not in known] == ["I50/R150"]
