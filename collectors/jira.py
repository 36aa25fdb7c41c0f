"""Jira: every version of an issue, and every approval with who gave it to whom."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar

from collectors._jira.approvals import APPROVAL, approvals
from collectors._jira.bookmark import Bookmark
from collectors._jira.issues import ISSUE, ROLES, Issue, Making
from collectors._jira.site import Cloud, DataCenter, Site, who
from collectors._jira.sweep import Census, Sweep, ms
from collectors.base import Clock, Window, utc_now
from collectors.http import Auth, Http
from evidence.canonical import digest, plain
from evidence.errors import ConfigError, SourceRefused
from evidence.model import Batch, Cursor, EvidenceItem
from evidence.runs import Gap, PullFacts
from evidence.secret import Secret

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SITES: Mapping[str, Callable[[Http, int], Site]] = {"cloud": Cloud, "data_center": DataCenter}


@dataclass(frozen=True)
class Jira:
    """Issues and approvals of projects in Jira, read as one account.

    `deployment` is `cloud` (REST API v3) or `data_center` (Data Center and Server, v2). `url` is
    the site (`https://example.atlassian.net`), `email` and `token` the account and its API token;
    at a Data Center a personal access token and no `email`. `projects` are the project keys.
    `systems` maps globs over project key, component or label to AI systems; an issue belongs to the
    first that matches. A move of an issue of one of `change_types` into one of `approved_statuses`
    is an approval; it fails if whoever made it is in one of the roles `independent_of` (creator,
    reporter, assignee) or is an app, and errs if Jira does not name the people. `lookback` minutes
    before the newest issue are read again: the index may be late by as much. `attempts` is how
    often one call is tried. Where Jira counts more issues than came (in the Cloud by over 2 and
    over 1 %, as its count is approximate) the pull has a gap and the same window is asked for
    again. A project that comes into sight is read from its beginning. Every `sweep_every` all
    issues are read: those that vanished are gone, and what the index had hidden until then lands.

    Not noticed: an issue that was made and vanished between two sweeps, and an approval that was
    taken back (the issue's status shows it).
    """

    kinds: ClassVar[tuple[str, ...]] = (ISSUE, APPROVAL)
    states: ClassVar[tuple[str, ...]] = ()

    source: str
    url: str
    token: Secret
    projects: tuple[str, ...]
    email: str = ""
    deployment: str = "cloud"
    systems: Mapping[str, str] = field(default_factory=dict)
    approved_statuses: tuple[str, ...] = ("Approved",)
    change_types: tuple[str, ...] = ("Change",)
    independent_of: tuple[str, ...] = ROLES
    lookback: int = 15
    page_size: int = 100
    attempts: int = 4
    sweep_every: timedelta = timedelta(days=1)
    window: Window | None = None
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    def __post_init__(self) -> None:
        mistakes = tuple(self._mistakes())
        if mistakes:
            raise ConfigError(*(f"{self.source}: {mistake}" for mistake in mistakes))

    def _mistakes(self) -> Iterator[str]:
        if self.deployment not in _SITES:
            yield f"deployment is {self.deployment!r}; known: {', '.join(_SITES)}"
        if self.deployment == "cloud" and not self.email:
            yield "email must name the account that the token belongs to"
        for name in ("projects", "approved_statuses", "change_types", "independent_of"):
            value = getattr(self, name)
            if isinstance(value, str) or not value:
                yield f"{name} must be a list with at least one text"
        for key in self.projects:
            if not _KEY.fullmatch(key):
                yield f"projects holds {key!r}, which is no project key such as CHG"
        for role in set(self.independent_of) - set(ROLES):
            yield f"independent_of holds {role!r}; it knows {', '.join(ROLES)}"
        for name, most in (("lookback", 10_080), ("page_size", 1_000), ("attempts", 20)):
            if not 1 <= getattr(self, name) <= most:
                yield f"{name} must lie between 1 and {most}"
        if self.sweep_every < timedelta(0):
            yield "sweep_every must not be negative"

    def probe(self) -> str:
        """Who the key belongs to and which of the projects it shows. Raises SourceError."""
        with self._http() as http:
            site = self._site(http)
            identity = who(site.identity())
            visible = self._visible(site, identity)
        lost = [key for key in self._keys() if key not in visible]
        return f"{identity} reads {', '.join(visible)}" + (f", not {', '.join(lost)}" * bool(lost))

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Issues by the time of their last change, a batch a page; see Collector.collect."""
        before = Bookmark.read(cursor)
        with self._http() as http:
            site = self._site(http)
            yield from self._walk(http, site, self._survey(site, before))

    def sweep(self, cursor: Cursor | None, collected: Cursor) -> Iterator[Batch]:  # noqa: ARG002
        """Issues that vanished since the last sweep, and versions that no pull was shown."""
        before, now = Census.read(cursor), self.clock()
        if not before.due(now, self.sweep_every):
            return
        made = Making(self.source, self.url, self.systems, now)
        with self._http() as http:
            site = self._site(http)
            visible = self._visible(site, who(site.identity()))
            sweep = Sweep(
                http, site, before, visible, made, lambda issues: self._items(site, made, issues)
            )
            yield from sweep.batches(lambda since: _jql(visible, since))

    def _survey(self, site: Site, before: Bookmark) -> _Survey:
        collected_at = self.clock()
        me = site.identity()
        identity = who(me)
        visible = self._visible(site, identity)
        start = self._start(before, visible)
        since = start.since(self._lookback)
        if self.window and since is None:  # what came to be in it may lie in an issue changed after
            since = self.window.since
        jql = _jql(visible, since)
        count = site.count(jql)
        facts = PullFacts(
            query=f"{jql} (Jira's {'' if site.exact else 'approximate '}count: {count})",
            window_from=since, api_version=site.api, identity=identity,
            gaps=tuple(_gap(key, identity) for key in self._keys() if key not in visible),
        )  # fmt: skip
        started = me.date or collected_at
        return _Survey(start, since, visible, count, identity, started, collected_at, facts)

    def _walk(self, http: Http, site: Site, survey: _Survey) -> Iterator[Batch]:
        mark, facts, newest = survey.start, survey.facts, survey.start.updated_ms
        known: set[str] = set()
        made = Making(self.source, self.url, self.systems, survey.collected_at)
        for page in site.issues(lambda since: _jql(survey.visible, since), survey.since):
            issues = [Issue.read(raw) for raw in page]
            new = {issue.id for issue in issues} - known
            versions = [(i.id, ms(i.updated), i.item(made).content_sha256[:16]) for i in issues]
            unread = [
                i for i, v in zip(issues, versions, strict=True) if mark.seen.get(i.id) != v[1:]
            ]
            items = self._items(site, made, unread)
            # An issue that was edited while we page stands among older ones: the earliest of the
            # page is what has safely been reached, whatever the latest says.
            times = [at for _, at, _ in versions]
            mark = mark.moved(_reached(times, survey.started), versions, self._lookback)
            newest = max((t for t in (newest, *times) if t is not None), default=None)
            facts += http.taken() + PullFacts(received=len(new), window_to=_latest(issues))
            yield Batch(items, mark.cursor(), facts)
            facts, known = PullFacts(), known | new
        yield self._closing(http, site, survey, mark, newest, len(known), facts)

    def _closing(
        self, http: Http, site: Site, survey: _Survey, mark: Bookmark, newest: int | None,
        received: int, facts: PullFacts,
    ) -> Batch:  # fmt: skip
        """What the whole pull came to: the final cursor, and what was promised but did not come."""
        visible = self._visible(site, survey.identity)
        lost = [key for key in mark.projects if key not in visible]
        gaps = [Gap(f"project {key}", "became invisible during the pull") for key in lost]
        end = [] if newest is None else [newest]
        final = mark.moved(_reached(end, survey.started), (), self._lookback)
        final = replace(final, projects=tuple(key for key in final.projects if key in visible))
        short = survey.count - received
        if short > (0 if site.exact else max(2, survey.count // 100)):
            told = survey.count if site.exact else f"about {survey.count}"
            why = f"{told} were counted, {received} came; all are asked for again"
            gaps.append(Gap("issues", why))
            final = survey.start
        near = short > 0 and final is not survey.start
        came = PullFacts(promised=None if near else survey.count, gaps=tuple(gaps))
        return Batch((), final.cursor(), facts + http.taken() + came)

    def _items(self, site: Site, made: Making, issues: Sequence[Issue]) -> tuple[EvidenceItem, ...]:
        types = {name.casefold() for name in self.change_types}
        changes = [issue for issue in issues if issue.type.casefold() in types]
        logs = site.logs([issue.id for issue in changes])
        found = [
            approval
            for issue in changes
            for approval in approvals(
                issue, logs.get(issue.id, ()), self.approved_statuses, self.independent_of
            )
        ]
        items = [issue.item(made) for issue in issues] + [a.item(made) for a in found]
        asked = (item for item in items if self.window is None or self.window.holds(item))
        return tuple({item.item_id: item for item in asked}.values())

    def _start(self, before: Bookmark, visible: Sequence[str]) -> Bookmark:
        """Where to begin: anew if the bookmark does not speak of all that is now asked for."""
        systems = list(self.systems.items())  # the first match wins, so their order matters
        asked = [self.approved_statuses, self.change_types, self.independent_of, systems]
        settings = digest(plain(asked))[:16]
        if before.settings == settings and set(visible) <= set(before.projects):
            return replace(before, projects=tuple(visible))
        return Bookmark(projects=tuple(visible), settings=settings)

    def _visible(self, site: Site, identity: str) -> list[str]:
        """The configured projects that the account may browse. Raises SourceRefused for none."""
        keys = self._keys()
        found = site.visible(keys)
        visible = [key for key in keys if key in found]
        if not visible:
            raise SourceRefused(f"{identity} sees none of {', '.join(keys)}: grant Browse Projects")
        return visible

    def _keys(self) -> list[str]:
        return list(dict.fromkeys(key.upper() for key in self.projects))

    @property
    def _lookback(self) -> timedelta:
        return timedelta(minutes=self.lookback)

    def _http(self) -> Http:
        auth = Auth.basic(self.email, self.token) if self.email else Auth.bearer(self.token)
        return Http(self.url, auth=auth, attempts=self.attempts, clock=self.clock)

    def _site(self, http: Http) -> Site:
        return _SITES[self.deployment](http, self.page_size)


@dataclass(frozen=True, slots=True)
class _Survey:
    """What is settled before the first page: from where, which question, asked by whom, when."""

    start: Bookmark
    since: datetime | None
    visible: Sequence[str]
    count: int
    identity: str
    started: datetime
    collected_at: datetime
    facts: PullFacts


def _jql(projects: Sequence[str], since: datetime | None) -> str:
    """Epoch milliseconds: a written date would be read to the minute and in the account's zone."""
    quoted = ", ".join(f'"{key}"' for key in projects)
    window = "" if since is None else f" AND updated >= {ms(since)}"
    return f"project in ({quoted}){window} ORDER BY updated ASC, key ASC"


def _gap(key: str, identity: str) -> Gap:
    return Gap(f"project {key}", f"not visible to {identity}: absent, or Browse Projects missing")


def _reached(times: Sequence[int], started: datetime) -> int | None:
    """Never past the start of the pull: what changed after that may not have been in it."""
    return min((*times, ms(started))) if times else None


def _latest(issues: Sequence[Issue]) -> datetime | None:
    return max((issue.updated for issue in issues), default=None)
