"""ServiceNow: versions of changes and incidents, each approval, and what was begun unapproved."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from collectors._marks import Marks
from collectors._rest.auth import auth_of
from collectors._rest.settings import AuthBy
from collectors._servicenow.changes import APPROVAL, IMPLEMENTATION, Rule
from collectors._servicenow.pull import Pulling
from collectors._servicenow.records import CHANGES, ROLES, Making, kind_of
from collectors._servicenow.survey import Surveyor
from collectors.base import Clock, Window, utc_now
from collectors.http import Auth, Http
from evidence.canonical import digest, plain
from evidence.errors import ConfigError
from evidence.model import Batch, Cursor
from evidence.secret import Secret

_TABLE = re.compile(r"[a-z][a-z0-9_]*")
_LISTS = ("tables", "label_fields", "begun_states", "preapproved_types", "independent_of")
_UNFIT = re.compile(r"\^NQ|\^?ORDERBY|\^?GROUPBY|\^EQ|javascript:")


@dataclass(frozen=True)
class ServiceNow:
    """Records and approvals of one instance, over its Table API, read as one account.

    `url` is the instance (`https://example.service-now.com`); the account's `user` and `password`,
    or the `token` of an API key, which goes first; or by OAuth a `client` and its `client_secret`,
    with user and password (grant password) or without (client_credentials). `tables` are read
    whole, each narrowed by an encoded query in `queries`. `systems` maps globs over configuration
    item, service, group, category or label to AI systems; the first that matches wins.
    `label_fields` are columns whose words are labels.

    With `change_request`, approvals are judged: one fails if the approver was in one of the roles
    `independent_of` (requested_by, opened_by, assigned_to) or implemented the change or a task of
    it. A change is begun with the first of a `begun_states` (values of its state) or of work_start;
    that passes if an independent approval came before. `preapproved_types` are not judged. Rows are
    read again from `lookback` minutes before the newest. Where the instance counts more rows than
    it shows, the pull is partial. docs/tickets.md says all. Raises ConfigError.

    Not noticed: rows that a query rule hides from counts as well, and rows changed without their
    time; without `sys_audit_delete`, deletions.
    """

    states: ClassVar[tuple[str, ...]] = ()

    source: str
    url: str
    user: str = ""
    password: Secret | None = None
    token: Secret | None = None
    client: str = ""
    client_secret: Secret | None = None
    tables: tuple[str, ...] = (CHANGES, "incident")
    queries: Mapping[str, str] = field(default_factory=dict)
    systems: Mapping[str, str] = field(default_factory=dict)
    label_fields: tuple[str, ...] = ()
    begun_states: tuple[str, ...] = ("-1", "0", "3")
    preapproved_types: tuple[str, ...] = ("standard",)
    independent_of: tuple[str, ...] = ROLES
    lookback: int = 15
    page_size: int = 500
    attempts: int = 4
    window: Window | None = None
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    def __post_init__(self) -> None:
        mistakes = tuple(self._mistakes())
        if mistakes:
            raise ConfigError(*(f"{self.source}: {mistake}" for mistake in mistakes))

    def _mistakes(self) -> Iterator[str]:
        for name in _LISTS:
            if isinstance(getattr(self, name), str):
                yield f"{name} must be a list of texts"
        if not self.tables:
            yield "tables must name at least one table"
        for table in (*self.tables, *self.queries):
            if not _TABLE.fullmatch(table):
                yield f"{table!r} is no table such as change_request"
        for table in set(self.queries) - set(self.tables):
            yield f"queries holds {table!r}, which is not in tables"
        for table, query in self.queries.items():
            if found := _UNFIT.search(query):
                yield f"queries.{table} holds {found[0]!r}: conditions only, joined by ^ and ^OR"
        for role in set(self.independent_of) - set(ROLES):
            yield f"independent_of holds {role!r}; it knows {', '.join(ROLES)}"
        if bool(self.client) != (self.client_secret is not None):
            yield "client and client_secret go together"
        if bool(self.user) != (self.password is not None) or not (
            self.token or self.user or self.client
        ):
            yield "give user and password, or token, or client and client_secret"
        for name, most in (("lookback", 10_080), ("page_size", 1_000), ("attempts", 20)):
            if not 1 <= getattr(self, name) <= most:
                yield f"{name} must lie between 1 and {most}"

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those of its tables, and of what is judged of changes."""
        judged = (APPROVAL, IMPLEMENTATION) if CHANGES in self.tables else ()
        return (*(kind_of(table) for table in self.tables), *judged)

    def probe(self) -> str:
        """Who the key belongs to and which of the tables it may read. Raises SourceError."""
        with self._http() as http:
            survey = self._surveyor(http).survey(Marks(""))
        names = ", ".join(asked.of.table for asked in survey.lists)
        lost = ", ".join(gap.what.removeprefix("table ") for gap in survey.gaps)
        return f"{survey.identity} reads {names}" + (f", not {lost}" if lost else "")

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Each table by the time of last change; see Collector.collect."""
        systems = list(self.systems.items())  # the first match wins, so their order matters
        asked = [systems, dict(self.queries), *(getattr(self, name) for name in _LISTS)]
        before = Marks.load(cursor, digest(plain(asked))[:16])
        rule = Rule(self.begun_states, self.preapproved_types, self.independent_of)
        with self._http() as http:
            yield from Pulling(self._surveyor(http), rule, self._making).batches(before)

    def _surveyor(self, http: Http) -> Surveyor:
        return Surveyor(
            http, self.page_size, self.tables, self.queries, self.label_fields,
            timedelta(minutes=self.lookback), self.window, self.clock,
        )  # fmt: skip

    def _making(self, at: datetime) -> Making:
        return Making(self.source, self.url, self.systems, self.label_fields, at)

    def _http(self) -> Http:
        return self._opened(self.url, self._auth())

    def _opened(self, url: str, auth: Auth) -> Http:
        return Http(url, auth=auth, attempts=self.attempts, clock=self.clock)

    def _auth(self) -> Auth:
        if self.token is not None:
            return Auth.header("x-sn-apikey", self.token)
        if self.client_secret is None:
            return Auth.basic(self.user, self.password or Secret(""))
        fields = {"client_id": "{user}", "client_secret": "{key}"}
        further = {}
        if self.password is not None:
            fields |= {"grant_type": "password", "username": self.user, "password": "{password}"}
            further["password"] = self.password
        by = AuthBy("oauth2", self.client_secret, self.client, url="/oauth_token.do",
                    fields=fields, keys=further)  # fmt: skip
        return auth_of(by, self.url, self._opened)
