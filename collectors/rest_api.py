"""Any system with a JSON API, by configuration alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from collectors._auth import Auth
from collectors._rest.auth import as_whom, auth_of, travelling
from collectors._rest.lists import Question
from collectors._rest.marks import Marks
from collectors._rest.paths import Scope, expression, text
from collectors._rest.pull import Pull
from collectors._rest.samples import Sample, samples
from collectors._rest.settings import AuthBy, Endpoint, Identity, zone_mistakes
from collectors.base import Clock, Window, utc_now
from collectors.http import Http, Reply, clean
from evidence.canonical import digest, plain
from evidence.errors import ConfigError, SourceBroken
from evidence.model import Batch, Cursor
from evidence.runs import PullFacts


@dataclass(frozen=True)
class RestApi:
    """Lists of a JSON API at `url`, each described by an endpoint; docs/rest_api.md explains all.

    `systems` maps globs over an endpoint's `system` to AI systems. `zone` is where the clocks of
    the source stand when it writes no zone. `headers` go with every call, at most
    `calls_per_minute` (0: as fast as it answers); `timeout` is in seconds; `attempts` is how often
    one call is tried; `reset_headers` say when a used-up budget is filled again, besides the usual
    ones; `max_bytes` is the most that one answer may hold.

    Not noticed: a record that the source withholds without a word, unless it promises a total; and
    of an event list, a record that was deleted, unless it says so itself (`gone`).
    """

    source: str
    url: str
    endpoint: tuple[Endpoint, ...]
    auth: AuthBy = field(default_factory=lambda: AuthBy("none"))
    identity: Identity | None = None
    systems: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    calls_per_minute: float = 0
    timeout: float = 60
    attempts: int = 4
    reset_headers: tuple[str, ...] = ()
    max_bytes: int = 64 << 20
    window: Window | None = None
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    def __post_init__(self) -> None:
        if mistakes := tuple(self._mistakes()):
            raise ConfigError(*(f"{self.source}: {mistake}" for mistake in mistakes))

    def _mistakes(self) -> Iterator[str]:
        yield from zone_mistakes(self.zone)
        for name in ("timeout", "attempts", "max_bytes"):
            if getattr(self, name) <= 0:
                yield f"{name} must be more than 0"
        if self.calls_per_minute < 0:
            yield "calls_per_minute must not be negative"
        if not self.endpoint:
            yield "at least one [[source.endpoint]] is needed"
        by_name = {end.name: end for end in self.endpoint}
        if len(by_name) < len(self.endpoint):
            yield "two endpoints have one name"
        parents = {end.parent for end in self.endpoint}
        for end in self.endpoint:
            if not end.makes and end.name not in parents:
                yield f"endpoint {end.name}: kind none needs a list that names it as its parent"
            for why in _parent_mistakes(end, by_name):
                yield f"endpoint {end.name}: {why}"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that the endpoints yield."""
        return tuple(sorted({end.kind for end in self.endpoint if end.makes}))

    @property
    def states(self) -> tuple[str, ...]:
        """Those of them that are states, read whole by every pull."""
        return tuple(
            sorted({end.kind for end in self.endpoint if end.nature == "state" and end.makes})
        )

    def probe(self) -> str:
        """One record of each list is read and mapped. Raises SourceError."""
        with self._http() as http:
            identity, _ = self._identity(http)
            read = [sample.told() for sample in samples(self._pull(http, Marks(), identity))]
        return f"{identity} reads {', '.join(read)}"

    def samples(self) -> Iterator[Sample]:
        """The first record of each list, as it came and as it is mapped. Raises SourceError."""
        with self._http() as http:
            yield from samples(self._pull(http, Marks(), self._identity(http)[0]))

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Every list, one after the other; see Collector.collect."""
        before = Marks.read(cursor)
        with self._http() as http:
            identity, reply = self._identity(http)
            yield from self._pull(http, before, identity, reply).batches()

    def _pull(self, http: Http, before: Marks, identity: str, reply: Reply | None = None) -> Pull:
        collected_at = self.clock()
        return Pull(Question(
            http=http, source=self.source, endpoints=self.endpoint, systems=self.systems,
            zone=self.zone, secret=self._fields(), window=self.window,
            settings={end.name: _digest(self, end) for end in self.endpoint},
            before=before, collected_at=collected_at,
            started=(reply.date if reply else None) or collected_at,
            opening=PullFacts(identity=identity),
        ))  # fmt: skip

    def _identity(self, http: Http) -> tuple[str, Reply | None]:
        if self.identity is None:
            return as_whom(self.auth) or "whoever the key belongs to", None
        asked = self.identity
        if asked.method == "POST":
            body = {**asked.body} | {k: v.reveal() for k, v in self._fields().items()}
            reply = http.post(asked.path, body, safe=True)
        else:
            reply = http.get(asked.path)
        name = text(expression(asked.name)(Scope(reply.data)))
        if not name:
            raise SourceBroken(
                f"identity: nothing at {asked.name!r} of the answer", what=asked.path
            )
        return clean(name), reply

    def _fields(self) -> dict[str, Any]:
        by = self.auth
        if by.kind != "field":
            return {}
        return ({by.name: by.key} if by.key else {}) | travelling(by)

    def _http(self) -> Http:
        return self._opened(self.url, auth_of(self.auth, self.url, self._opened))

    def _opened(self, url: str, auth: Auth) -> Http:
        pace = (
            timedelta(minutes=1) / self.calls_per_minute if self.calls_per_minute else timedelta(0)
        )
        return Http(
            url, auth=auth, attempts=self.attempts, read_timeout=self.timeout, pace=pace,
            headers=self.headers, resets=self.reset_headers, max_bytes=self.max_bytes,
            clock=self.clock,
        )  # fmt: skip


def _parent_mistakes(end: Endpoint, by_name: Mapping[str, Endpoint]) -> Iterator[str]:
    above = [end.name]
    while end.parent:
        parent = by_name.get(end.parent)
        if parent is None:
            yield f"parent {end.parent!r} is no endpoint; known: {', '.join(by_name)}"
            return
        if parent.name in above:
            yield f"parent: {' → '.join((*above, parent.name))} leads in a circle"
            return
        if end.nature == "state" and parent.since is not None:
            yield "a state is read whole, but its parent's since leaves some parents out"
        above.append(parent.name)
        end = parent


def _digest(api: RestApi, end: Endpoint) -> str:
    """What a mark of this list depends on: other settings would have made other items."""
    asked = plain(_told(end) | {"paging": None})
    systems = list(api.systems.items())  # the first match wins, so their order matters
    return digest([asked, systems, api.zone, api.url])[:16]


def _told(value: Any) -> dict[str, Any]:
    told = dataclasses.asdict(value)
    since = told.get("since")
    if since:
        told["since"] = {k: str(v) for k, v in since.items()}
    return told
