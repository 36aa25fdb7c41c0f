"""GitHub: every merged pull request with who approved what, and what the branches enforce."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._github import branches, deployments, pulls, pushes, releases
from collectors._github.json import HEADERS, Api
from collectors._json import number, obj, text
from collectors._review.deployment import Deployment, Origin
from collectors._review.host import Host, absent
from collectors._review.protection import Protection
from collectors._review.pull import Merged, Repository
from collectors._review.push import Push
from collectors._review.release import Release
from collectors._review.source import CodeHost
from collectors._review.walk import Seen
from collectors.http import Auth, Http, Reply, clean
from evidence.errors import SourceError


@dataclass(frozen=True)
class GitHub(CodeHost):
    """Merged pull requests and branch protection at GitHub, over its REST API.

    `url` is the API's: `https://git.example.org/api/v3` on an Enterprise Server. An app's approval
    is nobody's. A dismissal counts from when it was made. The search counts the merges.

    Not noticed: who may bypass a ruleset, which GitHub shows to its administrators only.
    """

    url: str = "https://api.github.com"

    def _http(self) -> Http:
        auth = Auth.bearer(self.token)
        return Http(self.url, auth=auth, attempts=self.attempts, headers=HEADERS, clock=self.clock)

    def _host(self, http: Http) -> Host:
        return _Host(Api(http, self.machines, self.page_size), self.branches, self.environments)


@dataclass(frozen=True, slots=True)
class _Host:
    """GitHub, as the pull of any code host asks it."""

    asked: Api
    branches: tuple[str, ...]
    environments: tuple[str, ...]
    name: str = "github"
    api: str = "GitHub REST API 2022-11-28"

    def identity(self) -> tuple[str, Reply | None]:
        """The user and the scopes of a classic token; an app's installation has no user."""
        try:
            reply = self.asked.http.get("/user")
        except SourceError as error:
            if not absent(error):
                raise
            return "an app's installation", None
        user = obj(reply.data, "user")
        scopes = reply.headers.get("X-OAuth-Scopes")
        told = f"id {number(user, 'id', 'user')}" + (f", scopes {scopes}" if scopes else "")
        return clean(f"{text(user, 'login', 'user')} ({told})"), reply

    def repository(self, name: str) -> Repository:
        return pulls.repository(self.asked, name, self.branches)

    def count(self, of: Repository, since: datetime | None, until: datetime) -> int | str:
        return pulls.count(self.asked, of, since, until)

    def newest_first(self, of: Repository) -> Iterator[list[Any]]:
        return pulls.newest_first(self.asked, of)

    def seen(self, row: Any) -> Seen:
        return pulls.seen(row)

    def merged(self, of: Repository, number: int) -> Merged:
        return pulls.merged(self.asked, of, number)

    def files(self, of: Repository, merged: Merged) -> dict[str, str]:
        return pulls.files(self.asked, of, merged.number)

    def pushes(self, of: Repository, floor: datetime | None) -> Iterator[Push | None]:
        return pushes.pushes(self.asked, of, floor)

    def deployments(self, of: Repository) -> Iterator[list[Any]]:
        return deployments.newest_first(self.asked, of)

    def deployment_seen(self, row: Any) -> Seen:
        return deployments.seen(row, self.environments)

    def deployment(
        self, of: Repository, number: int, merged: Callable[[int], Merged]
    ) -> Deployment:
        return deployments.deployment(self.asked, of, number, merged)

    def releases(self, of: Repository, floor: datetime | None) -> Iterator[Release]:
        return releases.releases(self.asked, of, floor)

    def tagged(self, of: Repository, release: Release) -> str:
        return releases.tagged(self.asked, of, release)

    def origin(self, of: Repository, commit: str, merged: Callable[[int], Merged]) -> Origin:
        return deployments.origin(self.asked, of, commit, merged)

    def protection(self, of: Repository, branch: str) -> Protection:
        return branches.protection(self.asked, of.name, branch)
