"""What a system's configuration says about it: tables of `headwater.toml`, checked one by one.

Every class here is one table; its fields are the table's keys. Mistakes are raised as ConfigError,
all of one table at once, each naming the key and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from collectors._rest.checked import Checked, below, one_of, readable
from collectors._rest.paths import Value, expression, path
from collectors._rest.times import known_zone
from collectors._rest.walk_settings import CONFIRM, ENDS, ORDERS, STYLES, Paging, Since
from evidence.secret import Secret

__all__ = [
    "AUTH", "CONFIRM", "ENDS", "NONE_IF", "ORDERS", "SHAPES", "STYLES", "AuthBy", "Endpoint",
    "Identity", "Paging", "Since", "zone_mistakes",
]  # fmt: skip

AUTH = ("none", "basic", "bearer", "header", "query", "field", "oauth2", "login")
NATURES = ("event", "state")
SHAPES = ("list", "map", "one", "table")
NONE_IF = ("404", "304", "null", "missing")
DEFAULT_KIND = "tracker.issue"
INSIDE = "@parent"
"""The path of a list that lies in the record above: nothing is asked."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_KIND = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")


@dataclass(frozen=True, slots=True)
class AuthBy(Checked):
    """`[source.auth]`: how the source knows who asks. `key` is the password, token or secret.

    `name` is the header, parameter or field that carries it, `prefix` stands before it in a header.
    In basic, `user` may hold it instead (`{key}:X`), for sources that take it as the user.
    For `oauth2` (client credentials, RFC 6749) `user` is the client, `url` where tokens are given
    and `fields` what else is asked for (scope, audience). For `login` the `fields` are the body
    that is sent to `url`, as JSON or as a `form`. In both, `{user}` and `{key}` are filled; where
    oauth2's fields hold `{key}`, it is sent there and not in a header. `token` is where the answer
    holds it, a path, `header:NAME` or `cookie:NAME` (to be sent back as the header Cookie).

    `keys` are further secrets by name: one that `fields` hold as `{NAME}` is filled in there, any
    other goes with every call as that parameter (query), field (field) or header.
    """

    kind: str
    key: Secret | None = None
    user: str = ""
    name: str = ""
    prefix: str | None = None
    url: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    form: bool = False
    token: str = ""
    keys: Mapping[str, Secret] = field(default_factory=dict)

    def _mistakes(self) -> Iterator[str]:
        yield from one_of("kind", self.kind, AUTH)
        if self.kind != "none" and self.key is None:
            yield f'{self.kind} needs key = "env:NAME"'
        needed = {"basic": "user", "oauth2": "url", "login": "url"}.get(self.kind, "")
        if self.kind in {"header", "query", "field"}:
            needed = "name"
        for key in needed.split():
            if not getattr(self, key):
                yield f"{self.kind} needs {key}"
        if self.keys and self.kind == "none":
            yield "keys need another kind: the first of them is the key"
        if not self.token.startswith(("header:", "cookie:")):
            yield from readable("token", self.token, path)


@dataclass(frozen=True, slots=True)
class Identity(Checked):
    """`[source.identity]`: the call that tells as whom we ask; `name` is read from its answer."""

    path: str
    name: str
    method: str = "GET"
    body: Mapping[str, Any] = field(default_factory=dict)

    def _mistakes(self) -> Iterator[str]:
        yield from below("path", self.path)
        yield from one_of("method", self.method, ("GET", "POST"))
        yield from readable("name", self.name, expression)


@dataclass(frozen=True, slots=True)
class Endpoint(Checked):
    """`[[source.endpoint]]`: one list of the source, and what its records become.

    The request: `method`, `path` below `url`, `params`, `body` (`form` sends it as form fields).
    `{each}` stands for each of the texts in `each`, `{parent.x}` for `x` in each record of the
    endpoint named `parent`, `{since}`, `{until}`, `{size}`, `{token}`, `{page}`, `{offset}` and
    `{last}` for what paging and `since` say; a key whose whole value is a hole that nothing fills
    is left out. With the path `@parent` nothing is asked: the list lies in the record above.

    The answer: `records` is the path of the list (`shape` map: of records by name; one: of a single
    record; table: of rows, whose names stand at `columns`), `error` that of an error told with
    status 200, which means patience if one of `busy_if` is in it. `none_if` lists what means that
    there are none: "404", "304", "null", "missing". A record that is a text or a number is read as
    one with that `value`.

    The item: `kind` (none: the list only leads to those that name it as parent), `nature`, and an
    expression for `id`, `title`, `actor`, `system` (a list, mapped by `systems`), `outcome`,
    `observed_from`, `observed_to`, `locator` and `gone` (true: the record was deleted). The payload
    is what `keep` lists ("*": all) without `drop`, with `hash`ed fields as their SHA-256, and the
    values that `payload` names. `times` is the pattern (strptime) of times that are not ISO 8601 or
    epochs.
    """

    name: str
    path: str
    id: str
    kind: str = DEFAULT_KIND
    nature: str = "event"
    method: str = "GET"
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    form: bool = False
    each: tuple[str, ...] = ()
    parent: str = ""
    records: str = ""
    shape: str = "list"
    columns: str = ""
    none_if: tuple[str, ...] = ()
    error: str = ""
    busy_if: tuple[str, ...] = ()
    paging: Paging = field(default_factory=Paging)
    since: Since | None = None
    title: Value = ""
    actor: Value = ""
    system: tuple[str, ...] = ()
    outcome: Value = ""
    observed_from: str = ""
    observed_to: str = ""
    locator: str = ""
    gone: Value = ""
    times: str = ""
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    payload: Mapping[str, Value] = field(default_factory=dict)

    def _mistakes(self) -> Iterator[str]:
        if not _NAME.fullmatch(self.name):
            yield f"name {self.name!r} must be of a to z, digits, '.', '_' or '-'"
        if self.makes and not _KIND.fullmatch(self.kind):
            yield f"kind {self.kind!r} is no kind such as acme.ticket, nor none"
        yield from self._wrong_request()
        for key, known in (("method", ("GET", "POST")), ("nature", NATURES), ("shape", SHAPES)):
            yield from one_of(key, getattr(self, key), known)
        for word in self.none_if:
            yield from one_of("none_if", word, NONE_IF)
        yield from self._wrong_expressions()
        if self.makes and not (self.keep or self.payload):
            yield 'say what is kept: keep = ["*"] for all, a list of paths, or [….payload]'
        if self.makes and self.nature == "event" and not self._ends():
            yield "an event needs its time: observed_to, or a since with a time"
        if self.nature == "state" and self.since:
            yield "a state is read whole, so that what is gone can be told: it takes no since"
        if self.nature == "state" and (self.observed_from or self.observed_to):
            yield (
                "a state is of the moment at which it is read: it takes no observed_from and "
                "observed_to; keep such a time in the payload"
            )
        if (self.shape == "table") != bool(self.columns):
            yield 'shape = "table" and columns = "…" belong together'

    def _wrong_request(self) -> Iterator[str]:
        if self.inside:
            asked = self.params or self.body or self.since or self.paging.style != "none"
            if asked or self.method != "GET" or not self.parent:
                yield f"path {INSIDE} needs a parent, and no request: nothing is asked"
            return
        yield from below("path", self.path)
        if self.each and self.parent:
            yield "each and parent exclude each other"
        request = f"{self.path} {self.params!r} {self.body!r}"
        if ("{each}" in request) != bool(self.each):
            yield "{each} in path, params or body and each = […] belong together"
        if "{since}" in self.path and not (self.since and self.since.first):
            yield "{since} in path needs since.first, for as long as nothing has been read"
        if self.since and self.since.slice and not (self.since.until or "{until}" in request):
            yield "since.slice needs since.until, or {until} in the request"
        if (self.body or self.form) and self.method != "POST":
            yield 'a body needs method = "POST"'

    @property
    def makes(self) -> bool:
        """Do its records become items?"""
        return self.kind != "none"

    @property
    def inside(self) -> bool:
        """Does the list lie in the record above?"""
        return self.path == INSIDE

    def _wrong_expressions(self) -> Iterator[str]:
        for key in (
            "id",
            "title",
            "actor",
            "outcome",
            "observed_from",
            "observed_to",
            "locator",
            "gone",
        ):
            yield from readable(key, getattr(self, key), expression)
        for key in ("records", "error", "columns"):
            yield from readable(key, getattr(self, key), path)
        for n, name in enumerate(self.system):
            yield from readable(f"system[{n}]", name, expression)
        for name, value in self.payload.items():
            yield from readable(f"payload.{name}", value, expression)
        for key in ("keep", "drop", "hash"):
            for where in getattr(self, key):
                if where != "*" and not all(part.strip() for part in where.split(".")):
                    yield f"{key}: {where!r} is no field such as a.b"

    def _ends(self) -> bool:
        return bool(self.observed_to or (self.since and not self.since.counts))


def zone_mistakes(zone: str) -> Iterator[str]:
    """What is wrong with a zone's name, if anything."""
    try:
        known_zone(zone)
    except ValueError as error:
        yield str(error)
