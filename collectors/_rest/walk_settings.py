"""What the configuration says of how a list is walked: `paging`, and `since` for what is new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from collectors._rest.checked import Checked, one_of, readable
from collectors._rest.paths import expression, path
from collectors._rest.times import read_time, write_mark
from evidence.errors import InvalidItem

STYLES = ("none", "link", "url", "token", "relay", "page", "offset", "keyset")
ENDS = ("empty", "short", "total", "known", "404")
CONFIRM = ("auto", "overlap", "twice", "none")
ORDERS = ("none", "asc", "desc")
_CHAINED = ("token", "relay", "link", "url")


@dataclass(frozen=True, slots=True)
class Paging(Checked):
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
    than `size`; `total`: when as many came; `known`: one that brings nothing new; `404`: a page
    that does not exist), no token, the last of `pages`, or `more` being false (`!isLast`: true).
    `next`, `more`, `pages` and `total` are paths in the answer or `header:NAME`; `param` and
    `size_param` may be `header:NAME` too. A list that is counted through may shift while it is
    read: `confirm` has the last record read again with the next page (`overlap`) or the whole list
    until two readings agree (`twice`); `auto` is the first for offset and the second for whatever
    else counts.
    """

    style: str = "none"
    param: str = ""
    size: int = 100
    size_param: str = ""
    next: str = ""
    more: str = ""
    pages: str = ""
    total: str = ""
    start: int | None = None
    last: str = ""
    end: str = "empty"
    confirm: str = "auto"
    max_pages: int = 10_000

    def _mistakes(self) -> Iterator[str]:
        yield from one_of("style", self.style, STYLES)
        yield from one_of("end", self.end, ENDS)
        yield from one_of("confirm", self.confirm, CONFIRM)
        needed = {"url": "next", "token": "next", "relay": "next", "keyset": "last"}
        for key in needed.get(self.style, "").split():
            if not getattr(self, key):
                yield f"style {self.style} needs {key}"
        if self.end == "total" and not self.total:
            yield 'end = "total" needs total'
        if self.end == "404" and self.style not in {"page", "offset"}:
            yield 'end = "404" needs style = "page" or "offset"'
        if self.end == "known" and self.style not in _CHAINED:
            yield f'end = "known" needs a style of {", ".join(_CHAINED)}'
        if self.pages and self.style != "page":
            yield 'pages needs style = "page"'
        if self.confirm == "overlap" and self.style != "offset":
            yield 'confirm = "overlap" needs style = "offset"'
        for key in ("next", "more", "pages", "total", "last"):
            where = getattr(self, key).removeprefix("!")
            if not where.startswith("header:"):
                yield from readable(key, where, path)
        for key in ("size", "max_pages"):
            if getattr(self, key) < 1:
                yield f"{key} must be 1 or more"


@dataclass(frozen=True, slots=True)
class Since(Checked):
    """`since`: how to ask for what is new. `field` is the record's time (or number) of last change.

    `param` carries `template`, in which `{since}` is the mark written as `send` says: iso, iso_ms,
    minute, date, epoch, epoch_ms, http, number or a pattern for strftime. Without `param` (and
    without `{since}` in the request) everything is read, or as far as needed where `order` is desc.
    `order` says how the list is sorted by `field`: asc lets a pull that was cut go on where it was.
    `lookback` before the newest time seen is read again, for what the source shows late; `back` is
    the same for numbers. `first` is sent as long as there is no mark.

    `until` carries the end of what is asked for, written alike: the pull's start. With `slice`,
    what is new is asked for in as many pieces of that length as it takes, oldest first: for sources
    that answer for so many records or days only. Then `first` is a time in ISO 8601.
    """

    field: str
    param: str = ""
    send: str = "iso"
    template: str = "{since}"
    order: str = "none"
    lookback: timedelta = timedelta(minutes=15)
    back: int = 0
    first: str = ""
    until: str = ""
    slice: timedelta = timedelta(0)

    def _mistakes(self) -> Iterator[str]:
        yield from readable("field", self.field, expression)
        yield from one_of("order", self.order, ORDERS)
        if "{since}" not in self.template:
            yield "template needs {since} in it"
        if self.lookback < timedelta(0) or self.back < 0:
            yield "lookback and back must not be negative"
        try:
            write_mark(0, self.send, "")
        except ValueError as error:
            yield str(error)
        if self.counts and (self.until or self.slice):
            yield "until and slice need a since with a time, not a number"
        if self.slice:
            yield from self._slice_mistakes()

    def _slice_mistakes(self) -> Iterator[str]:
        if self.slice < timedelta(minutes=1):
            yield "slice must be a minute (PT1M) at least"
        if self.order == "desc":
            yield 'slice goes forward in time and order = "desc" back: leave one out'
        try:
            self.begin()
        except InvalidItem:
            yield "slice needs first, a time with its zone such as 2026-01-01T00:00:00Z"

    def begin(self) -> datetime:
        """`first` as a moment in UTC. Raises InvalidItem."""
        return read_time(self.first, "")

    @property
    def counts(self) -> bool:
        """Is the mark a number, not a time?"""
        return self.send == "number"
