"""The demo's Jira on loopback, as the world of its collector."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collectors.jira import Jira
from demo.jira_server import READER, READER_TOKEN, Store, build, serve
from demo.jira_state import State, move, raise_issue
from demo.jira_story import JONAS, MIRA
from evidence.secret import Secret

SYSTEMS = {
    "credit-*": "credit-scoring",
    "churn-*": "churn-predictor",
    "ticket-*": "ticket-triage",
}


class World:
    """A running Jira with the demo's story in it."""

    def __init__(self, folder: Path) -> None:
        build(folder, datetime.now(UTC))
        self.store = Store(folder)
        self.stack = ExitStack()
        self.url = self.stack.enter_context(serve(folder))
        self.dead = self.stack.enter_context(socket.socket())
        self.dead.bind(("127.0.0.1", 0))

    def state(self) -> State:
        """The state as it is now."""
        return self.store.read()

    def collector(self, **settings: Any) -> Jira:
        """A collector for all of it; `settings` replace what is usual here."""
        usual: dict[str, Any] = {
            "source": "jira", "url": self.url, "email": READER, "token": Secret(READER_TOKEN),
            "projects": ("CHG", "INC", "RSK"), "systems": SYSTEMS, "page_size": 5, "attempts": 1,
            "change_types": ("Change", "Risk"), "approved_statuses": ("Approved", "Accepted"),
        }  # fmt: skip
        return Jira(**(usual | settings))

    def grow(self) -> None:
        """A change is raised and approved."""
        now = datetime.now(UTC)
        with self.store.change() as state:
            key = raise_issue(state, "CHG", "Change", "Deploy churn v4", by=MIRA, at=now)
            move(state, key, "Approved", by=JONAS, at=now)

    def down(self) -> Jira:
        """Nobody listens on this port, which stays taken."""
        return self.collector(url=f"http://127.0.0.1:{self.dead.getsockname()[1]}")

    def refused(self) -> Jira:
        """The key is wrong."""
        return self.collector(token=Secret("wrong"))

    def close(self) -> None:
        """Stop the server."""
        self.stack.close()
