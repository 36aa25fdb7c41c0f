"""A small company's ServiceNow on loopback, as the world of its collector."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from collectors.servicenow import ServiceNow
from evidence.secret import Secret
from tests.collectors.servicenow_server import HOUR, PASSWORD, READER, START, ServiceNowServer

DAY = timedelta(days=1)


class World:
    """A change by the book, one begun before it was approved, one its requester approved, one not
    begun, and two incidents."""

    def __init__(self, folder: Path) -> None:
        self.now = ServiceNowServer()
        self.good = self.changed(START)
        self.late = self.now.change(START + DAY)
        self.now.begin(self.late, START + DAY + HOUR)
        self.now.approve(self.late, "jonas", START + DAY + 2 * HOUR)
        self.own = self.changed(START + 2 * DAY, approver="mira")
        self.planned = self.now.change(START + 3 * DAY)
        for n, priority in enumerate(("1", "3")):
            self.now.insert(
                "incident", "ada", START + n * DAY, number=f"INC000000{n}", state="1",
                short_description="Scores drift", priority=priority, opened_by="",
            )  # fmt: skip
        self.dead = socket.socket()
        self.dead.bind(("127.0.0.1", 0))

    def changed(self, at: datetime, approver: str = "jonas", **more: Any) -> str:
        """A change of that day, approved and then begun."""
        made = self.now.change(at, **more)
        self.now.approve(made, approver, at + HOUR)
        self.now.begin(made, at + 2 * HOUR)
        return made

    def collector(self, **settings: Any) -> ServiceNow:
        """A collector for all of it; `settings` replace what is usual here."""
        usual: dict[str, Any] = {
            "source": "service", "url": self.now.url, "user": READER, "attempts": 1,
            "password": Secret(PASSWORD), "page_size": 3, "systems": {"credit-*": "credit-scoring"},
        }  # fmt: skip
        return ServiceNow(**(usual | settings))

    def grow(self) -> None:
        """One more change."""
        self.changed(START + 5 * DAY)

    def down(self) -> ServiceNow:
        """Nobody listens on this port, which stays taken."""
        return self.collector(url=f"http://127.0.0.1:{self.dead.getsockname()[1]}")

    def refused(self) -> ServiceNow:
        """The key is wrong."""
        return self.collector(password=Secret("wrong"))

    def close(self) -> None:
        """Stop the server."""
        self.now.close()
        self.dead.close()
