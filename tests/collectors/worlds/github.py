"""A small company's GitHub on loopback, as the world of its collector."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

from collectors.github import GitHub
from evidence.secret import Secret
from tests.collectors.github_server import KEY, START, GitHubServer, user

HOUR = timedelta(hours=1)
CLASSIC: dict[str, Any] = {
    "required_pull_request_reviews": {
        "required_approving_review_count": 1, "dismiss_stale_reviews": True,
        "require_code_owner_reviews": False, "require_last_push_approval": False,
    },
    "required_status_checks": {"strict": True, "contexts": ["tests"], "checks": []},
    "enforce_admins": {"enabled": False}, "allow_force_pushes": {"enabled": False},
    "allow_deletions": {"enabled": False}, "required_signatures": {"enabled": False},
}  # fmt: skip
RULES: list[dict[str, Any]] = [
    {
        "type": "pull_request", "ruleset_id": 7, "ruleset_source": "acme",
        "ruleset_source_type": "Organization",
        "parameters": {
            "required_approving_review_count": 2, "dismiss_stale_reviews_on_push": True,
            "require_code_owner_review": True, "require_last_push_approval": True,
            "required_review_thread_resolution": False,
        },
    },
    {"type": "non_fast_forward", "ruleset_id": 7, "ruleset_source": "acme"},
]  # fmt: skip


class World:
    """Two repositories: `acme/credit` has a merge by the book, one whose approval came before the
    last push, one by its author alone, one never merged; the first was deployed. `acme/churn`
    has a ruleset."""

    def __init__(self, folder: Path) -> None:
        self.github = GitHubServer()
        self.credit, self.churn = self.github.repo("acme/credit"), self.github.repo("acme/churn")
        self.credit.classic, self.churn.rules = CLASSIC, RULES
        self.live = self.deployed(self.credit, self.good(self.credit), 0.2)
        self.stale = self.opened(self.credit, 1)
        self.github.review(self.credit, self.stale, user("jonas"), START + 25 * HOUR)
        self.github.push(self.credit, self.stale, "mira", START + 26 * HOUR)
        self.github.merge(self.credit, self.stale, "jonas", START + 27 * HOUR)
        self.alone = self.opened(self.credit, 2)
        self.github.merge(self.credit, self.alone, "mira", START + 49 * HOUR)
        self.github.close_unmerged(self.credit, self.opened(self.credit, 3), START + 80 * HOUR)
        self.good(self.churn, 4)
        self.dead = socket.socket()
        self.dead.bind(("127.0.0.1", 0))

    def opened(self, repo: Any, day: int = 0, by: str | None = "mira", **more: Any) -> int:
        """A pull request of that day's morning."""
        return self.github.open(repo, by, START + timedelta(days=day), **more)

    def good(self, repo: Any, day: int = 0, by: str | None = "mira", **more: Any) -> int:
        """A pull request of that day as it should be."""
        number, at = self.opened(repo, day, by, **more), START + timedelta(days=day)
        self.github.check(repo, number, at)
        self.github.review(repo, number, user("jonas"), at + HOUR)
        self.github.merge(repo, number, by, at + 2 * HOUR)
        return number

    def deployed(self, repo: Any, number: int, day: float = 0, **more: Any) -> int:
        """What came of a merge is brought into service."""
        at, commit = START + timedelta(days=day), repo.pulls[number]["merge_commit_sha"]
        made = self.github.deploy(repo, more.pop("commit", commit), at, **more)
        self.github.came(repo, made, "in_progress", at + HOUR / 60, run=made)
        self.github.came(repo, made, "success", at + HOUR / 6, run=made)
        return made

    def collector(self, **settings: Any) -> GitHub:
        """A collector for all of it; `settings` replace what is usual here."""
        usual: dict[str, Any] = {
            "source": "code", "url": self.github.url, "token": Secret(KEY), "page_size": 2,
            "repositories": ("acme/credit", "acme/churn"), "attempts": 1,
            "systems": {"acme/credit": "credit-scoring"},
        }  # fmt: skip
        return GitHub(**(usual | settings))

    def grow(self) -> None:
        """One more merge."""
        self.good(self.credit, 5 + len(self.credit.pulls) % 10)

    def down(self) -> GitHub:
        """Nobody listens on this port, which stays taken."""
        return self.collector(url=f"http://127.0.0.1:{self.dead.getsockname()[1]}")

    def refused(self) -> GitHub:
        """The key is wrong."""
        return self.collector(token=Secret("wrong"))

    def close(self) -> None:
        """Stop the server."""
        self.github.close()
        self.dead.close()
