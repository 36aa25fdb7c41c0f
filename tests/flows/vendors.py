"""The vendors of docs/rest_api/ that no test can run: how each is asked, and how it answers.

Written after the vendors' own pages, with the fields only that the configurations read.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.collectors.rest_server import Answer, Asked, demand
from tests.collectors.vendor_server import Vendor
from tests.flows.ready import KEY


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def of_ms(text: str) -> datetime:
    return datetime.fromtimestamp(int(text) / 1000, UTC)


def header(name: str, value: str) -> Callable[[Asked], bool]:
    return lambda asked: asked.headers.get(name) == value


def basic(user: str, password: str) -> Callable[[Asked], bool]:
    code = base64.b64encode(f"{user}:{password}".encode()).decode()
    return header("Authorization", f"Basic {code}")


def answers(**known: Any) -> Callable[[Asked], Any]:
    """The answer to each further path; a path is written with __ for /."""
    return lambda asked: known.get(asked.path.strip("/").replace("/", "__").replace(".", "_"))


def _zendesk(n: int, at: datetime) -> dict[str, Any]:
    return {
        "id": n, "subject": "Drift", "status": "deleted" if n == 24 else "open", "type": "incident",
        "priority": "urgent", "tags": ["credit"], "requester_id": 7, "created_at": iso(at),
        "updated_at": iso(at), "generated_timestamp": int(at.timestamp()),
    }  # fmt: skip


def _youtrack(n: int, at: datetime) -> dict[str, Any]:
    fields = [{"name": "State", "value": {"name": "Open"}}, {"name": "Type", "value": None}]
    return {
        "id": f"2-{n}", "idReadable": f"CRE-{n}", "summary": "Drift", "created": ms(at),
        "updated": ms(at), "reporter": {"login": "ada"}, "project": {"shortName": "CRE"},
        "tags": [], "customFields": fields,
    }  # fmt: skip


def _youtrack_since(query: str) -> datetime:
    demand(query.startswith("updated: ") and query.endswith(" .. * sort by: updated asc"), query)
    return datetime.fromisoformat(query.split()[1]).replace(tzinfo=UTC)


def _youtrack_others(asked: Asked) -> Any:
    if asked.path.endswith("/activities"):
        if asked.query.get("$skip"):
            return []
        number = asked.path.split("/")[3]
        return [{"id": f"{number}.1", "timestamp": ms(datetime(2026, 11, 1, tzinfo=UTC)),
                 "author": {"login": "ada"}, "field": {"name": "State"}}]  # fmt: skip
    return answers(api__users__me={"login": "reader"})(asked)


def _gerrit_since(query: str) -> datetime:
    demand(query.startswith('after:"') and query.endswith('"'), query)
    return datetime.strptime(query[7:-1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def _gerrit(n: int, at: datetime) -> dict[str, Any]:
    written = at.strftime("%Y-%m-%d %H:%M:%S.000000000")
    return {
        "id": f"credit~{n}", "_number": n, "subject": "Score", "status": "MERGED",
        "project": "credit", "branch": "main", "created": written, "updated": written,
        "owner": {"username": "ada"}, "labels": {"Code-Review": {"approved": {"username": "ben"}}},
    }  # fmt: skip


def _monday(asked: Asked) -> Any:
    if asked.headers.get("Api-Version") != "2025-04" and "2025-04" not in asked.headers.values():
        return Answer({"errors": [{"message": "no such version"}]}, status=400)
    if "me {" in asked.body["query"]:
        return {"data": {"me": {"name": "Reader", "email": "r@x.example"}}}
    demand(asked.body["variables"].get("board") == ["1234567890"], "a list of boards")
    asked.body["variables"].pop("board")
    return None


def _sonarqube(asked: Asked) -> Any:
    if asked.path == "/api/qualitygates/project_status":
        demand(asked.query == {"projectKey": "credit"}, "which project")
        return {"projectStatus": {"status": "ERROR", "conditions": []}}
    if asked.path == "/api/issues/search":
        demand(int(asked.query["p"]) * int(asked.query["ps"]) <= 10_000, "beyond 10000")
    return answers(api__users__current={"login": "reader"})(asked)


def _msgraph(asked: Asked) -> Any:
    if asked.path.endswith("/instances"):
        return {"value": [{"id": "i1", "startDateTime": "2026-11-01T00:00:00Z"}]}
    if asked.path.endswith("/decisions"):
        review = asked.path.split("/")[5]
        return {"value": [{"id": f"{review}-d", "decision": "Deny", "reviewedDateTime": None,
                           "principal": {"displayName": "Ben"}}]}  # fmt: skip
    return None


def _task(n: int, at: datetime) -> dict[str, Any]:
    return {
        "id": f"k{n}", "name": "Drift", "status": {"status": "open"}, "creator": {"username": "a"},
        "date_created": str(ms(at)), "date_updated": str(ms(at)), "folder": {"name": "Credit"},
        "list": {"name": "l"}, "tags": [{"name": "ai"}], "priority": None, "url": "https://c.example",
    }  # fmt: skip


def _at(seconds: int) -> int:
    """When that is, counted from the moment of the answer."""
    return int(datetime.now(UTC).timestamp()) + seconds


def _reset(name: str, seconds: int, left: str) -> Answer:
    return Answer(status=429, headers={name: str(seconds), left: "0"})


VENDORS: dict[str, Vendor] = {
    "zendesk": Vendor(
        "/api/v2/incremental/tickets/cursor.json", _zendesk,
        lambda rows, told: {"tickets": rows, "after_url": told.url or "https://z.example/last",
                            "end_of_stream": not told.more},
        basic("headwater@example.org/token", KEY), "url", size="per_page", since="start_time",
        read=lambda text: of_ms(text + "000"),
        others=answers(api__v2__users__me_json={"user": {"email": "h@example.org"}}),
    ),
    "freshservice": Vendor(
        "/api/v2/tickets",
        lambda n, at: {"id": n, "subject": "Drift", "status": 2, "priority": 4, "deleted": False,
                       "category": "credit", "created_at": iso(at), "updated_at": iso(at)},
        lambda rows, _: {"tickets": rows}, basic(KEY, "X"), "link", place="page", first=1,
        size="per_page", since="updated_since", fixed={"order_type": "asc"},
    ),
    "youtrack": Vendor(
        "/api/issues", _youtrack, lambda rows, _: rows, header("Authorization", f"Bearer {KEY}"),
        "offset", place="$skip", size="$top", since="query", read=_youtrack_since,
        others=_youtrack_others, fixed={"fields": "id,idReadable,summary,created,updated,resolved,"
        "reporter(login),project(shortName),tags(name),customFields(name,value(name))"},
    ),
    "asana": Vendor(
        "/api/1.0/tasks",
        lambda n, at: {"gid": str(n), "name": "Drift", "completed": n > 3, "created_at": iso(at),
                       "modified_at": iso(at), "permalink_url": "https://a.example",
                       "memberships": [{"project": {"name": "Credit"}}]},
        lambda rows, told: {"data": rows,
                            "next_page": {"offset": told.token} if told.more else None},
        header("Authorization", f"Bearer {KEY}"), "token", place="offset", size="limit",
        since="modified_since", others=answers(api__1_0__users__me={"data": {"name": "Reader"}}),
        fixed={"project": "1201234567890123",
               "opt_fields": "name,completed,completed_at,created_at,modified_at,due_on,"
               "assignee.name,created_by.name,permalink_url,tags.name,memberships.project.name,"
               "memberships.section.name,resource_subtype"},
    ),
    "gitea": Vendor(
        "/api/v1/repos/acme/credit/issues",
        lambda n, at: {"id": n, "number": n, "title": "Drift", "state": "open", "labels": [],
                       "created_at": iso(at), "updated_at": iso(at), "html_url": "https://g"},
        lambda rows, _: rows, header("Authorization", f"token {KEY}"), "link", place="page",
        first=1, size="limit", since="since", fixed={"type": "issues", "state": "all"},
        headers=lambda told: {"X-Total-Count": str(told.total)},
        others=answers(api__v1__user={"login": "reader"}),
    ),
    "gitlab_issues": Vendor(
        "/api/v4/projects/acme/credit/issues",
        lambda n, at: {"id": n, "iid": n, "title": "Drift", "state": "opened", "labels": ["ai"],
                       "created_at": iso(at), "updated_at": iso(at), "web_url": "https://g.example",
                       "references": {"full": f"acme/credit#{n}"}},
        lambda rows, _: rows, header("PRIVATE-TOKEN", KEY), "keyset", place="updated_after",
        size="per_page", since="updated_after",
        fixed={"scope": "all", "order_by": "updated_at", "sort": "asc"},
        others=answers(api__v4__user={"username": "reader"}),
        busy=Answer(status=429, headers={"Retry-After": "93", "RateLimit-Remaining": "0"}),
    ),
    "opsgenie": Vendor(
        "/v2/alerts",
        lambda n, at: {"id": f"a{n}", "tinyId": str(n), "message": "Drift", "status": "open",
                       "tags": ["credit"], "createdAt": iso(at), "updatedAt": iso(at), "owner": "",
                       "priority": "P1"},
        lambda rows, told: {"data": rows, "paging": {"next": told.url} if told.more else {}},
        header("Authorization", f"GenieKey {KEY}"), "url", place="offset", size="limit", desc=True,
        fixed={"sort": "updatedAt", "order": "desc"},
        others=answers(v2__account={"data": {"name": "acme"}}),
        busy=Answer({"message": "You are making too many requests!"}, status=429), wait=None,
    ),
    "clickup": Vendor(
        "/api/v2/team/9001000001/task", _task,
        lambda rows, told: {"tasks": rows, "last_page": not told.more},
        header("Authorization", KEY), "page", place="page", since="date_updated_gt", read=of_ms,
        fixed={"include_closed": "true", "subtasks": "true", "order_by": "updated",
               "reverse": "true"},
        others=answers(api__v2__user={"user": {"username": "reader"}}),
        busy=lambda: _reset("X-RateLimit-Reset", _at(93), "X-RateLimit-Remaining"),
    ),
    "monday": Vendor(
        "/v2",
        lambda n, at: {"id": str(n), "name": "Drift", "url": "https://m.example",
                       "created_at": iso(at), "updated_at": iso(at), "creator": {"name": "Ada"},
                       "group": {"title": "Credit"},
                       "column_values": [{"id": "status", "text": "Done"}]},
        lambda rows, told: {"data": {"boards": [
            {"items_page": {"items": rows, "cursor": told.token or None}}]}},
        header("Authorization", KEY), "token", place="after", size="size", others=_monday,
        busy=Answer({"errors": [{"extensions": {"code": "COMPLEXITY_BUDGET_EXHAUSTED"}}]}),
        wait=None,
    ),
    "sonarqube": Vendor(
        "/api/issues/search",
        lambda n, at: {"key": f"k{n}", "rule": "py:S1", "message": "m", "status": "OPEN",
                       "project": "credit", "creationDate": iso(at).replace("Z", "+0000"),
                       "updateDate": iso(at).replace("Z", "+0000")},
        lambda rows, told: {"issues": rows, "paging": {"total": told.total}},
        header("Authorization", f"Bearer {KEY}"), "page", place="p", first=1, size="ps", desc=True,
        fixed={"components": "credit", "s": "UPDATE_DATE", "asc": "false"}, others=_sonarqube,
    ),
    "snyk": Vendor(
        "/rest/orgs/00000000-0000-0000-0000-000000000000/issues",
        lambda n, at: {"id": f"s{n}", "attributes": {"title": "Old library", "status": "open",
                       "effective_severity_level": "high", "created_at": iso(at),
                       "updated_at": iso(at)}},
        lambda rows, told: {"data": rows, "links": {"next": "/rest" + told.url.split("/rest")[1]}
                            if told.more else {}},
        header("Authorization", f"token {KEY}"), "url", size="limit", since="updated_after",
        fixed={"version": "2024-10-15"},
        others=answers(rest__self={"data": {"attributes": {"username": "reader"}}}),
    ),
    "datadog": Vendor(
        "/api/v1/monitor",
        lambda n, at: {"id": n, "name": "Drift", "overall_state": "OK", "modified": iso(at),
                       "tags": ["team:ml", "service:credit"]},
        lambda rows, _: rows,
        lambda asked: {asked.headers.get("DD-API-KEY"), asked.headers.get("DD-APPLICATION-KEY")}
        == {KEY}, "page", place="page", size="page_size",
        others=answers(api__v2__current_user={"data": {"attributes": {"email": "h@x.example"}}}),
        busy=_reset("X-RateLimit-Reset", 93, "X-RateLimit-Remaining"),
    ),
    "onetrust": Vendor(
        "/api/assessment/v2/assessments",
        lambda n, at: {"assessmentId": f"a{n}", "name": "Credit", "status": "COMPLETED",
                       "result": "Approved", "createDt": iso(at), "lastUpdated": iso(at)},
        lambda rows, told: {"content": rows, "last": not told.more, "totalElements": told.total},
        header("Authorization", "Bearer granted"), "page", place="page", size="size",
        token="/api/access/v1/oauth/token",
    ),
    "msgraph": Vendor(
        "/v1.0/identityGovernance/accessReviews/definitions",
        lambda n, at: {"id": f"r{n}", "displayName": "Credit", "status": "Completed",
                       "createdDateTime": iso(at), "lastModifiedDateTime": iso(at)},
        lambda rows, told: {"value": rows} | ({"@odata.nextLink": told.url} if told.more else {}),
        header("Authorization", "Bearer granted"), "url", size="$top",
        token="/example.org/oauth2/v2.0/token", others=_msgraph,
    ),
    "okta": Vendor(
        "/api/v1/logs",
        lambda n, at: {"uuid": f"u{n}", "eventType": "policy.rule.update", "published": iso(at),
                       "displayMessage": "Update policy", "outcome": {"result": "SUCCESS"},
                       "actor": {"alternateId": "ada"}, "target": [{"displayName": "Credit"}]},
        lambda rows, _: rows, header("Authorization", f"SSWS {KEY}"), "link", size="limit",
        since="since", until="until",
        fixed={"sortOrder": "ASCENDING", "filter": 'eventType sw "application.user_membership" or '
               'eventType sw "group.user_membership" or eventType sw "policy"'},
        others=answers(api__v1__users__me={"profile": {"login": "h@x.example"}}),
        busy=lambda: _reset("X-Rate-Limit-Reset", _at(93), "X-Rate-Limit-Remaining"),
    ),
    "gerrit": Vendor(
        "/a/changes/", _gerrit,
        lambda rows, _: b")]}'\n" + json.dumps(rows).encode(),
        basic("headwater", KEY), "offset", place="S", size="n", since="q", read=_gerrit_since,
        desc=True, fixed={"o": "DETAILED_ACCOUNTS"},
        others=answers(a__accounts__self={"username": "reader"}),
    ),
    "trello": Vendor(
        "/1/boards/5abbe4b7ddc1b351ef961414/actions",
        lambda n, at: {"id": f"x{n:03}{int(at.timestamp())}", "type": "updateCard", "date": iso(at),
                       "memberCreator": {"fullName": "Ada"},
                       "data": {"card": {"name": "Drift"}, "board": {"name": "Credit"}}},
        lambda rows, _: rows,
        lambda asked: asked.query.pop("key", "") == asked.query.pop("token", "") == KEY,  # type: ignore[attr-defined]
        "keyset", place="before", size="limit", since="since", desc=True,
        others=answers(**{"1__members__me": {"fullName": "Reader"}}),
    ),
}  # fmt: skip
