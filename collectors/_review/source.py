"""What the collectors of code hosts share: their settings, and how a pull is begun."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from collectors._marks import Marks
from collectors._review.collect import Pulling
from collectors._review.deployment import DEPLOYMENT
from collectors._review.host import Host
from collectors._review.lists import Span
from collectors._review.protection import PROTECTION
from collectors._review.pull import PULL
from collectors._review.push import PUSH
from collectors._review.release import RELEASE
from collectors.base import Clock, Window, utc_now
from collectors.http import Http
from evidence.canonical import digest, plain
from evidence.errors import ConfigError
from evidence.model import Batch, Cursor
from evidence.secret import Secret

_PART = r"(?!\.{1,2}(?:/|$))[\w.-]+"
_NAME = re.compile(f"{_PART}(?:/{_PART})+", re.ASCII)


@dataclass(frozen=True)
class CodeHost(ABC):
    """Merges, deployments, releases, pushes past review and branch protection at one code host.

    `repositories` are their full names. `branches` must be reviewed as the default one must; a
    merge into another branch is recorded, not judged. `machines` are globs over logins of users
    whose approval is nobody's. `documents` are globs over full names of those repositories that
    hold controlled documents: of their merges it is told which text was at the head.
    `environments` are globs over names of environments in which changes reach people; without any
    it is what the host says, and names with prod, production or live in them. `systems` maps globs
    over full name, environment or label to AI systems; the first that matches wins. `start`
    (`2026-01-31`) is the first day whose merges count. Changes are read again from `lookback`
    minutes before the newest that was read. `attempts` is how often one call is tried. Raises
    ConfigError.

    A merge passes if a person who neither opened it nor wrote a commit of it approved its very
    head before it, and nobody's objection stood; it errs where the host leaves that open. Checks
    are told as of the merge. A push to a watched branch that was no merge fails. Where the host
    counts more merges than its list brought, the pull is partial and the same is asked for again.
    """

    kinds: ClassVar[tuple[str, ...]] = (PULL, PUSH, DEPLOYMENT, RELEASE, PROTECTION)
    states: ClassVar[tuple[str, ...]] = (PROTECTION,)

    source: str
    token: Secret
    repositories: tuple[str, ...]
    url: str
    branches: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    systems: Mapping[str, str] = field(default_factory=dict)
    start: str = ""
    lookback: int = 60
    page_size: int = 100
    attempts: int = 4
    window: Window | None = None
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    def __post_init__(self) -> None:
        mistakes = tuple(self._mistakes())
        if mistakes:
            raise ConfigError(*(f"{self.source}: {mistake}" for mistake in mistakes))

    def _mistakes(self) -> Iterator[str]:
        if isinstance(self.repositories, str) or not self.repositories:
            yield "repositories must be a list with at least one text"
        for name in () if isinstance(self.repositories, str) else self.repositories:
            if not _NAME.fullmatch(name):
                yield f"repositories holds {name!r}, which is no full name such as example/credit"
        for setting in ("branches", "machines", "environments", "documents"):
            if isinstance(getattr(self, setting), str):
                yield f"{setting} must be a list of texts"
        try:
            self._start()
        except ValueError:
            yield f"start = {self.start!r} is not a date like 2026-01-31"
        for setting, most in (("lookback", 10_080), ("page_size", 100), ("attempts", 20)):
            if not 1 <= getattr(self, setting) <= most:
                yield f"{setting} must lie between 1 and {most}"

    def probe(self) -> str:
        """Who the key belongs to and which of the repositories it shows. Raises SourceError."""
        with self._http() as http:
            identity, names, gaps = self._pulling(http).visible()
        lost = ", ".join(gap.what.removeprefix("repository ") for gap in gaps)
        return f"{identity} reads {', '.join(names)}" + (f", not {lost}" if lost else "")

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Merges by the time of their last change, then states; see Collector.collect."""
        systems = list(self.systems.items())  # the first match wins, so their order matters
        asked = [self.branches, self.machines, systems, self.start]
        asked += [self.environments] if self.environments else []
        asked += [("documents", *self.documents)] if self.documents else []
        before = Marks.load(cursor, digest(plain(asked))[:16])
        with self._http() as http:
            yield from self._pulling(http).batches(before)

    def _pulling(self, http: Http) -> Pulling:
        return Pulling(
            self._host(http), http, self.source, self.repositories, self.systems,
            Span(self._start(), timedelta(minutes=self.lookback), self.window), self.clock,
            self.documents,
        )  # fmt: skip

    def _start(self) -> datetime | None:
        if not self.start:
            return None
        day = date.fromisoformat(self.start)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)

    @abstractmethod
    def _http(self) -> Http:
        """The conversation, not begun yet."""

    @abstractmethod
    def _host(self, http: Http) -> Host:
        """The host that it is held with."""
