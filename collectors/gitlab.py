"""GitLab: every merged merge request with who approved what, and what the branches enforce."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._gitlab import branches, deployments, merges, pushes, releases
from collectors._gitlab.json import API, Api
from collectors._json import number, obj, text
from collectors._review.deployment import Deployment, Origin
from collectors._review.host import Host
from collectors._review.protection import Protection
from collectors._review.pull import Merged, Repository
from collectors._review.push import Push
from collectors._review.release import Release
from collectors._review.source import CodeHost
from collectors._review.walk import Seen
from collectors.http import Auth, Http, Reply, clean


@dataclass(frozen=True)
class GitLab(CodeHost):
    """Merged merge requests and branch protection at GitLab, over its REST API v4.

    `url` is the site's: `https://gitlab.com`, or your own. The users of project and group access
    tokens are machines. GitLab tells when an approval was given, not for which commit: it stands
    for the last push before it. GraphQL counts the merges.

    Not noticed: a push whose last commit is that of a merge request that was merged, since when a
    request for changes stood, and who wrote a commit under another name.
    """

    url: str = "https://gitlab.com"

    def _http(self) -> Http:
        auth = Auth.header("PRIVATE-TOKEN", self.token)
        return Http(self.url, auth=auth, attempts=self.attempts, clock=self.clock)

    def _host(self, http: Http) -> Host:
        return _Host(Api(http, self.machines, self.page_size), self.branches, self.environments)


@dataclass(frozen=True, slots=True)
class _Host:
    """GitLab, as the pull of any code host asks it."""

    asked: Api
    branches: tuple[str, ...]
    environments: tuple[str, ...]
    name: str = "gitlab"
    api: str = "GitLab REST API v4"

    def identity(self) -> tuple[str, Reply | None]:
        """The user of the token; each project or group token has one of its own."""
        reply = self.asked.http.get(f"{API}/user")
        user = obj(reply.data, "user")
        return clean(f"{text(user, 'username', 'user')} (id {number(user, 'id', 'user')})"), reply

    def repository(self, name: str) -> Repository:
        return merges.repository(self.asked, name, self.branches)

    def count(self, of: Repository, since: datetime | None, until: datetime) -> int | str:
        return merges.count(self.asked, of, since, until)

    def newest_first(self, of: Repository) -> Iterator[list[Any]]:
        return merges.newest_first(self.asked, of)

    def seen(self, row: Any) -> Seen:
        return merges.seen(row)

    def merged(self, of: Repository, number: int) -> Merged:
        return merges.merged(self.asked, of, number)

    def files(self, of: Repository, merged: Merged) -> dict[str, str]:
        return merges.files(self.asked, of, merged)

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

    def tagged(self, of: Repository, release: Release) -> str:  # noqa: ARG002 the list told it
        return release.commit

    def origin(self, of: Repository, commit: str, merged: Callable[[int], Merged]) -> Origin:
        return deployments.origin(self.asked, of, commit, merged)

    def protection(self, of: Repository, branch: str) -> Protection:
        return branches.protection(self.asked, of, branch)
