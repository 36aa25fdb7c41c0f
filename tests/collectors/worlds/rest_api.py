"""A small tracker that nobody has written a collector for, as the world of the configured one."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from collectors._rest.settings import AuthBy, Endpoint, Identity, Paging, Since
from collectors.rest_api import RestApi
from evidence.secret import Secret
from tests.collectors.rest_server import Answer, Asked, Refused, RestServer, demand, only

KEY = "tracker-key-of-mira"
START = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Tracker:
    """Projects, tickets with their last change, and reviews of tickets; pages by `Link`."""

    def __init__(self) -> None:
        self.projects = [{"id": 1, "name": "credit"}, {"id": 2, "name": "churn"}]
        self.tickets: list[dict[str, Any]] = []
        self.reviews: dict[int, list[dict[str, Any]]] = {}
        for n in range(7):
            self.raise_ticket(START + timedelta(hours=n), "credit" if n % 2 else "churn")

    def raise_ticket(self, at: datetime, project: str) -> None:
        number = len(self.tickets) + 1
        ticket = {
            "id": number, "project": {"name": project}, "title": f"Change {number}",
            "status": {"name": "closed" if number % 2 else "open"}, "author": {"login": "ada"},
            "created_at": written(at), "updated_at": written(at), "description": "a secret remark",
            "labels": [{"name": "change"}],
        }  # fmt: skip
        self.tickets.append(ticket)
        self.reviews[number] = [
            {"id": 10 * number, "by": "ben", "verdict": "approved", "at": written(at)}
        ]

    def say(self, asked: Asked) -> Any:
        if asked.headers.get("Authorization") != f"token {KEY}":
            raise Refused(401, {"message": "bad token"})
        demand(asked.method == "GET", "only GET")
        if asked.path == "/api/me":
            return {"login": "evidence-reader"}
        if asked.path == "/api/projects":
            return {"projects": self.projects, "total": len(self.projects)}
        if asked.path == "/api/tickets":
            return self._tickets(asked)
        if asked.path.startswith("/api/tickets/") and asked.path.endswith("/reviews"):
            return self.reviews[int(asked.path.split("/")[3])]
        raise Refused(404)

    def _tickets(self, asked: Asked) -> Answer:
        only(asked, "since", "limit", "page", "state")
        demand(asked.query.get("state") == "all", "state=all is missing")
        rows = sorted(self.tickets, key=lambda t: (t["updated_at"], t["id"]))
        rows = [t for t in rows if t["updated_at"] >= asked.query.get("since", "")]
        size, page = int(asked.query["limit"]), int(asked.query.get("page", "1"))
        shown = rows[(page - 1) * size : page * size]
        more = page * size < len(rows)
        base = asked.url.split("?")[0]
        query = "&".join(f"{k}={v}" for k, v in asked.query.items() if k != "page")
        link = {"Link": f'<{base}?{query}&page={page + 1}>; rel="next"'} if more else {}
        return Answer(shown, headers={"X-Total": str(len(rows)), **link})


TICKETS = Endpoint(
    name="tickets", path="/api/tickets", id="id", kind="acme.ticket", params={"state": "all"},
    paging=Paging("link", size=3, size_param="limit", total="header:X-Total"),
    since=Since("updated_at", "since", order="asc", lookback=timedelta(minutes=5)),
    title="{id} {title} ({status.name})", actor="author.login", system=("project.name",),
    observed_from="created_at", locator="{@url}/tickets/{id}",
    keep=("id", "title", "status.name"), payload={"labels": "labels[*].name"},
)  # fmt: skip
REVIEWS = Endpoint(
    name="reviews", path="/api/tickets/{parent.id}/reviews", parent="tickets",
    id="{@parent.id}/{id}", kind="acme.review", title="Review of {@parent.title}", actor="by",
    system=("@parent.project.name",), observed_to="at", keep=("*",),
    outcome={"from": "verdict", "map": {"approved": "passed", "rejected": "failed"}},
)  # fmt: skip
PROJECTS = Endpoint(
    name="projects", path="/api/projects", id="id", kind="acme.project", nature="state",
    records="projects", paging=Paging(total="total"), title="name", keep=("*",),
)  # fmt: skip


class World:
    """The tracker, running."""

    def __init__(self, folder: Path) -> None:
        self.tracker = Tracker()
        self.server = RestServer(lambda asked: self.tracker.say(asked))
        self.dead = socket.socket()
        self.dead.bind(("127.0.0.1", 0))

    def collector(self, **settings: Any) -> RestApi:
        """A collector for all of it; `settings` replace what is usual here."""
        usual: dict[str, Any] = {
            "source": "acme", "url": self.server.url, "endpoint": (TICKETS, REVIEWS, PROJECTS),
            "auth": AuthBy("header", Secret(KEY), name="Authorization", prefix="token "),
            "identity": Identity("/api/me", "login"), "attempts": 1,
            "systems": {"credit*": "credit-scoring"},
        }  # fmt: skip
        return RestApi(**(usual | settings))

    def grow(self) -> None:
        """One more ticket."""
        self.tracker.raise_ticket(
            START + timedelta(days=1, hours=len(self.tracker.tickets)), "churn"
        )

    def down(self) -> RestApi:
        """Nobody listens on this port, which stays taken."""
        return self.collector(url=f"http://127.0.0.1:{self.dead.getsockname()[1]}")

    def refused(self) -> RestApi:
        """The key is wrong."""
        return self.collector(auth=AuthBy("bearer", Secret("wrong")))

    def close(self) -> None:
        """Stop the server."""
        self.server.close()
        self.dead.close()
