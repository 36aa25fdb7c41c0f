"""What a system's configuration says about it: tables of `headwater.toml`, checked one by one.

Every class here is one table; its fields are the table's keys. Mistakes are raised as ConfigError,
all of one table at once, each naming the key and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from collectors._rest.paths import Value, expression, path
from collectors._rest.times import known_zone, write_mark
from evidence.errors import ConfigError
from evidence.secret import Secret

AUTH = ("none", "basic", "bearer", "header", "query", "field", "oauth2", "login")
STYLES = ("none", "link", "url", "token", "relay", "page", "offset", "keyset")
ENDS = ("empty", "short", "total")
CONFIRM = ("auto", "overlap", "twice", "none")
ORDERS = ("none", "asc", "desc")
NATURES = ("event", "state")
SHAPES = ("list", "map", "one")
NONE_IF = ("404", "null", "missing")
DEFAULT_KIND = "tracker.issue"

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_KIND = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")


class _Checked:
    """A table that tells all its mistakes when it is made."""

    def __post_init__(self) -> None:
        if mistakes := tuple(self._mistakes()):
            raise ConfigError(*mistakes)

    def _mistakes(self) -> Iterator[str]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class AuthBy(_Checked):
    """`[source.auth]`: how the source knows who asks. `key` is the password, token or secret.

    `name` is the header, parameter or field that carries it, `prefix` stands before it in a header.
    For `oauth2` (client credentials, RFC 6749) `user` is the client, `url` where tokens are given
    and `fields` what else is asked for (scope, audience). For `login` the `fields` are the body
    that is sent to `url`, with `{user}` and `{key}` in it. `token` is where the answer holds it.
    """

    kind: str
    key: Secret | None = None
    user: str = ""
    name: str = ""
    prefix: str | None = None
    url: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    token: str = ""

    def _mistakes(self) -> Iterator[str]:
        yield from _one_of("kind", self.kind, AUTH)
        if self.kind != "none" and self.key is None:
            yield f'{self.kind} needs key = "env:NAME"'
        needed = {"basic": "user", "oauth2": "user url", "login": "url"}.get(self.kind, "")
        if self.kind in {"header", "query", "field"}:
            needed = "name"
        for key in needed.split():
            if not getattr(self, key):
                yield f"{self.kind} needs {key}"
        yield from _readable("token", self.token, path)


@dataclass(frozen=True, slots=True)
class Identity(_Checked):
    """`[source.identity]`: the call that tells as whom we ask; `name` is read from its answer."""

    path: str
    name: str
    method: str = "GET"
    body: Mapping[str, Any] = field(default_factory=dict)

    def _mistakes(self) -> Iterator[str]:
        yield from _below("path", self.path)
        yield from _one_of("method", self.method, ("GET", "POST"))
        yield from _readable("name", self.name, expression)


@dataclass(frozen=True, slots=True)
class Paging(_Checked):
    """`paging`: how the rest of a list is asked for.

    | style | what is asked next |
    |---|---|
    | none | nothing: one answer holds all |
    | link | the address in the `Link` header (RFC 8288) |
    | url | the address at `next` in the answer |
    | token, relay | `param` with the token at `next` (relay: `next` is the pageInfo) |
    | page, offset | `param` with the number of the page, or of the first record |
    | keyset | `param` with the value at `last` in the last record |

    `size` records are asked for with `size_param`. The end is an empty page (`short`: one with less
    than `size`; `total`: when as many came), no token, or `more` being false (`!isLast`: true).
    `next`, `more` and `total` are paths in the answer or `header:NAME`. A list that is counted
    through may shift while it is read: `confirm` has the last record read again with the next page
    (`overlap`) or the whole list until two readings agree (`twice`); `auto` is the first for offset
    and the second for whatever else counts.
    """

    style: str = "none"
    param: str = ""
    size: int = 100
    size_param: str = ""
    next: str = ""
    more: str = ""
    total: str = ""
    start: int | None = None
    last: str = ""
    end: str = "empty"
    confirm: str = "auto"
    max_pages: int = 10_000

    def _mistakes(self) -> Iterator[str]:
        yield from _one_of("style", self.style, STYLES)
        yield from _one_of("end", self.end, ENDS)
        yield from _one_of("confirm", self.confirm, CONFIRM)
        needed = {"url": "next", "token": "next", "relay": "next", "keyset": "last"}
        for key in needed.get(self.style, "").split():
            if not getattr(self, key):
                yield f"style {self.style} needs {key}"
        if self.end == "total" and not self.total:
            yield 'end = "total" needs total'
        if self.confirm == "overlap" and self.style != "offset":
            yield 'confirm = "overlap" needs style = "offset"'
        for key in ("next", "more", "total", "last"):
            where = getattr(self, key).removeprefix("!")
            if not where.startswith("header:"):
                yield from _readable(key, where, path)
        for key in ("size", "max_pages"):
            if getattr(self, key) < 1:
                yield f"{key} must be 1 or more"


@dataclass(frozen=True, slots=True)
class Since(_Checked):
    """`since`: how to ask for what is new. `field` is the record's time (or number) of last change.

    `param` carries `template`, in which `{since}` is the mark written as `send` says: iso, iso_ms,
    minute, date, epoch, epoch_ms, number or a pattern for strftime. Without `param` (and without
    `{since}` in the request) everything is read, or as far as needed where `order` is desc. `order`
    says how the list is sorted by `field`: asc lets a pull that was cut go on where it was.
    `lookback` before the newest time seen is read again, for what the source shows late; `back` is
    the same for numbers. `first` is sent as long as there is no mark.
    """

    field: str
    param: str = ""
    send: str = "iso"
    template: str = "{since}"
    order: str = "none"
    lookback: timedelta = timedelta(minutes=15)
    back: int = 0
    first: str = ""

    def _mistakes(self) -> Iterator[str]:
        yield from _readable("field", self.field, expression)
        yield from _one_of("order", self.order, ORDERS)
        if "{since}" not in self.template:
            yield "template needs {since} in it"
        if self.lookback < timedelta(0) or self.back < 0:
            yield "lookback and back must not be negative"
        try:
            write_mark(0, self.send, "")
        except ValueError as error:
            yield str(error)

    @property
    def counts(self) -> bool:
        """Is the mark a number, not a time?"""
        return self.send == "number"


@dataclass(frozen=True, slots=True)
class Endpoint(_Checked):
    """`[[source.endpoint]]`: one list of the source, and what its records become.

    The request: `method`, `path` below `url`, `params`, `body` (`form` sends it as form fields).
    `{each}` stands for each of the texts in `each`, `{parent.x}` for `x` in each record of the
    endpoint named `parent`, `{since}`, `{size}`, `{token}`, `{page}`, `{offset}` and `{last}` for
    what paging and `since` say; a key whose whole value is a hole that nothing fills is left out.

    The answer: `records` is the path of the list (`shape` map: of records by name; one: of a single
    record), `error` that of an error told with status 200, which means patience if one of `busy_if`
    is in it. `none_if` lists what means that there are none: "404", "null", "missing".

    The item: `kind`, `nature`, and an expression for `id`, `title`, `actor`, `system` (a list,
    mapped by `systems`), `outcome`, `observed_from`, `observed_to`, `locator` and `gone` (true: the
    record was deleted). The payload is what `keep` lists ("*": all) without `drop`, with `hash`ed
    fields as their SHA-256, and the values that `payload` names. `times` is the pattern (strptime)
    of times that are not ISO 8601 or epochs.
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
    gone: str = ""
    times: str = ""
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    hash: tuple[str, ...] = ()
    payload: Mapping[str, Value] = field(default_factory=dict)

    def _mistakes(self) -> Iterator[str]:
        if not _NAME.fullmatch(self.name):
            yield f"name {self.name!r} must be lower-case letters, digits, '.', '_' or '-'"
        if not _KIND.fullmatch(self.kind):
            yield f"kind {self.kind!r} is no kind such as acme.ticket"
        yield from _below("path", self.path)
        for key, known in (("method", ("GET", "POST")), ("nature", NATURES), ("shape", SHAPES)):
            yield from _one_of(key, getattr(self, key), known)
        for word in self.none_if:
            yield from _one_of("none_if", word, NONE_IF)
        yield from self._wrong_expressions()
        if not (self.keep or self.payload):
            yield 'say what is kept: keep = ["*"] for all, a list of paths, or [….payload]'
        if self.nature == "event" and not self._ends():
            yield "an event needs its time: observed_to, or a since with a time"
        if self.nature == "state" and self.since:
            yield "a state is read whole, so that what is gone can be told: it takes no since"
        if self.each and self.parent:
            yield "each and parent exclude each other"
        if ("{each}" in self.path) != bool(self.each):
            yield "{each} in path and each = […] belong together"
        if (self.body or self.form) and self.method != "POST":
            yield 'a body needs method = "POST"'

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
            yield from _readable(key, getattr(self, key), expression)
        for key in ("records", "error"):
            yield from _readable(key, getattr(self, key), path)
        for n, name in enumerate(self.system):
            yield from _readable(f"system[{n}]", name, expression)
        for name, value in self.payload.items():
            yield from _readable(f"payload.{name}", value, expression)
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


def _one_of(key: str, value: str, known: tuple[str, ...]) -> Iterator[str]:
    if value not in known:
        yield f"{key} is {value!r}; known: {', '.join(known)}"


def _readable(key: str, value: Any, read: Callable[[Any], Any]) -> Iterator[str]:
    try:
        read(value)
    except ValueError as error:
        yield f"{key}: {error}"


def _below(key: str, where: str) -> Iterator[str]:
    if not where.startswith("/") or where.startswith("//") or "#" in where:
        yield f"{key} is {where!r}; it begins with / and lies below url"
