"""A small company's GitLab on loopback, as the world of its collector."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

from collectors.gitlab import GitLab
from evidence.secret import Secret
from tests.collectors.gitlab_server import KEY, NO_ONE, START, GitLabServer, user

HOUR = timedelta(hours=1)
GUARDED: list[dict[str, Any]] = [
    {"id": 1, "name": "main", "push_access_levels": [NO_ONE], "allow_force_push": False,
     "code_owner_approval_required": True},
]  # fmt: skip
RULES: list[dict[str, Any]] = [
    {"id": 1, "name": "All Members", "rule_type": "any_approver", "approvals_required": 1,
     "protected_branches": []},
    {"id": 2, "name": "Coverage-Check", "rule_type": "report_approver", "approvals_required": 9,
     "protected_branches": []},
]  # fmt: skip
SETTINGS = {
    "reset_approvals_on_push": True, "merge_requests_author_approval": False,
    "merge_requests_disable_committers_approval": True,
}  # fmt: skip


class World:
    """Two projects: `acme/ml/credit` has a merge by the book, one whose approval came before the
    last push, one by its author alone, one still open; the first was deployed. `acme/churn` is on
    the free tier."""

    def __init__(self, folder: Path) -> None:
        self.gitlab = GitLabServer()
        self.credit = self.gitlab.project("acme/ml/credit")
        self.churn = self.gitlab.project("acme/churn")
        self.credit.guarded, self.credit.rules, self.credit.settings = GUARDED, RULES, SETTINGS
        self.churn.guarded = GUARDED
        self.live = self.deployed(self.credit, self.good(self.credit), 0.2, approvals=[])
        self.stale = self.opened(self.credit, 1)
        self.gitlab.approve(self.credit, self.stale, user("jonas"), START + 25 * HOUR)
        self.gitlab.push(self.credit, self.stale, "mira", START + 26 * HOUR)
        self.gitlab.merge(self.credit, self.stale, "jonas", START + 27 * HOUR)
        self.alone = self.opened(self.credit, 2)
        self.gitlab.merge(self.credit, self.alone, "mira", START + 49 * HOUR)
        self.opened(self.credit, 3)
        self.good(self.churn, 4)
        self.dead = socket.socket()
        self.dead.bind(("127.0.0.1", 0))

    def opened(self, project: Any, day: int = 0, by: str | None = "mira", **more: Any) -> int:
        """A merge request of that day's morning."""
        return self.gitlab.open(project, by, START + timedelta(days=day), **more)

    def good(self, project: Any, day: int = 0, by: str | None = "mira", **more: Any) -> int:
        """A merge request of that day as it should be."""
        number, at = self.opened(project, day, by, **more), START + timedelta(days=day)
        self.gitlab.pipeline(project, number, at)
        self.gitlab.approve(project, number, user("jonas"), at + HOUR)
        self.gitlab.merge(project, number, by, at + 2 * HOUR)
        return number

    def deployed(self, project: Any, number: int, day: float = 0, **more: Any) -> int:
        """What came of a merge is brought into service."""
        commit = more.pop("commit", project.requests[number]["merge_commit_sha"])
        return self.gitlab.deploy(project, commit, START + timedelta(days=day), **more)

    def collector(self, **settings: Any) -> GitLab:
        """A collector for all of it; `settings` replace what is usual here."""
        usual: dict[str, Any] = {
            "source": "code", "url": self.gitlab.url, "token": Secret(KEY), "page_size": 2,
            "repositories": ("acme/ml/credit", "acme/churn"), "attempts": 1,
            "systems": {"acme/ml/credit": "credit-scoring"},
        }  # fmt: skip
        return GitLab(**(usual | settings))

    def grow(self) -> None:
        """One more merge."""
        self.good(self.credit, 5 + len(self.credit.requests) % 10)

    def down(self) -> GitLab:
        """Nobody listens on this port, which stays taken."""
        return self.collector(url=f"http://127.0.0.1:{self.dead.getsockname()[1]}")

    def refused(self) -> GitLab:
        """The key is wrong."""
        return self.collector(token=Secret("wrong"))

    def close(self) -> None:
        """Stop the server."""
        self.gitlab.close()
        self.dead.close()
