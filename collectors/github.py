"""GitHub: every merged pull request with who approved what, and what the branches enforce."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from collectors import _github_branches, _github_pulls
from collectors._github_json import HEADERS, Api, number
from collectors._json import obj, text
from collectors._review_collect import Pulling
from collectors._review_host import Settings, absent, started
from collectors._review_marks import Marks
from collectors._review_protection import PROTECTION, Protection
from collectors._review_pull import PULL, Merged, Repository
from collectors._review_walk import Seen
from collectors.base import Clock, Window, utc_now
from collectors.http import Auth, Http, Reply, clean
from evidence.canonical import digest, plain
from evidence.errors import ConfigError, SourceError
from evidence.model import Batch, Cursor
from evidence.secret import Secret

_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


@dataclass(frozen=True)
class GitHub:
    """Merged pull requests and branch protection of repositories, over the REST API.

    `url` is the API's (`https://git.example.org/api/v3` on an Enterprise Server), `repositories`
    their full names. `branches` must be reviewed as the default one must; a merge into another
    branch is recorded, not judged. `machines` are globs over logins of users whose approval is
    nobody's, as an app's is anyway. `systems` maps globs over full name or label to AI systems; the
    first that matches wins. `start` (`2026-01-31`) is the first day whose merges count. Changes are
    read again from `lookback` minutes before the newest that was read. `attempts` is how often one
    call is tried.

    A merge passes if a person who neither opened it nor wrote a commit of it approved its very
    head before it, and nobody's objection stood; it errs where a deleted account leaves that open.
    What the checks had come to is told as of the merge, as are dismissals. Where GitHub's search
    counts more merges than the list brought, the pull is partial and the same is asked for again.

    Not noticed: a commit that reached the branch without a pull request, and who may bypass a
    ruleset, which GitHub shows to its administrators only.
    """

    kinds: ClassVar[tuple[str, ...]] = (PULL, PROTECTION)
    states: ClassVar[tuple[str, ...]] = (PROTECTION,)

    source: str
    token: Secret
    repositories: tuple[str, ...]
    url: str = "https://api.github.com"
    branches: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    systems: Mapping[str, str] = field(default_factory=dict)
    start: str = ""
    lookback: int = 60
    page_size: int = 100
    attempts: int = 4
    window: Window | None = None
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    def __post_init__(self) -> None:
        settings = Settings(
            self.repositories, self.branches, self.machines, self.start, self.lookback,
            self.page_size, self.attempts,
        )  # fmt: skip
        mistakes = tuple(settings.mistakes(_NAME, "repositories", "example/credit-scoring"))
        if mistakes:
            raise ConfigError(*(f"{self.source}: {mistake}" for mistake in mistakes))

    def probe(self) -> str:
        """Who the key belongs to and which of the repositories it shows. Raises SourceError."""
        with self._http() as http:
            identity, names, gaps = self._pulling(http).visible()
        lost = ", ".join(gap.what.removeprefix("repository ") for gap in gaps)
        return f"{identity} reads {', '.join(names)}" + (f", not {lost}" if lost else "")

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Merges by the time of their last change, then states; see Collector.collect."""
        before = Marks.load(cursor, self._settings())
        with self._http() as http:
            yield from self._pulling(http).batches(before)

    def _pulling(self, http: Http) -> Pulling:
        host = _Host(Api(http, self.machines, self.page_size), self.branches)
        return Pulling(
            host, http, self.source, self.repositories, self.systems, started(self.start),
            timedelta(minutes=self.lookback), self.window, self.clock,
        )  # fmt: skip

    def _settings(self) -> str:
        """Of all that decides which items are made: under other settings all is read anew."""
        systems = list(self.systems.items())  # the first match wins, so their order matters
        asked = [self.branches, self.machines, systems, self.start]
        return digest(plain(asked))[:16]

    def _http(self) -> Http:
        auth = Auth.bearer(self.token)
        return Http(self.url, auth=auth, attempts=self.attempts, headers=HEADERS, clock=self.clock)


@dataclass(frozen=True, slots=True)
class _Host:
    """GitHub, as the pull of any code host asks it."""

    asked: Api
    branches: tuple[str, ...]
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
        return _github_pulls.repository(self.asked, name, self.branches)

    def count(self, of: Repository, since: datetime | None, until: datetime) -> int | str:
        return _github_pulls.count(self.asked, of, since, until)

    def newest_first(self, of: Repository) -> Iterator[list[Any]]:
        return _github_pulls.newest_first(self.asked, of)

    def seen(self, row: Any) -> Seen:
        return _github_pulls.seen(row)

    def merged(self, of: Repository, number: int) -> Merged:
        return _github_pulls.merged(self.asked, of, number)

    def protection(self, of: Repository, branch: str) -> Protection:
        return _github_branches.protection(self.asked, of.name, branch)
