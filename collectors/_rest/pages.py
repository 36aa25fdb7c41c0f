"""Reading a list to its end, whatever way its pages are chained, without being led astray."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from collectors._answers import Reply
from collectors._pages import next_link
from collectors._rest.answer import says, told
from collectors._rest.paths import Scope, found
from collectors._rest.records import absent, records_of
from collectors._rest.settings import Endpoint, Paging
from collectors.http import clean
from evidence.errors import SourceBroken, SourceRefused

Ask = Callable[[Mapping[str, Any]], Reply]
Read = Callable[[Any], tuple[str, Scope]]
"""A record's id ('': it has none), and the record with what surrounds it."""

_COUNTED = re.compile(r"page|offset|start|skip|from", re.IGNORECASE)
_STALE_PAGES = 3
_ROUND, _FULL = 5, 20
"""What the most records of a page can be divided by, wherever a source sets it, and the least that
such a page holds."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its records with their ids, what it says is the number of all (None: it does not
    say), whether the list has shown that it moved since the page before, and why it may not be all
    ('': it is not known to be less)."""

    reply: Reply
    records: list[tuple[str, Scope]]
    total: int | None
    moved: bool = False
    counted: bool = False
    doubt: str = ""


def pages_of(endpoint: Endpoint, ask: Ask, read: Read) -> Iterator[Page]:
    """One reading of a list, page by page.

    Raises SourceBroken where a page has another shape than is configured, where an address or token
    repeats, where pages bring nothing new, and after `max_pages`.
    """
    walk = _Walk(endpoint, read)
    step: Mapping[str, Any] | None = first_step(endpoint)
    for pages in range(endpoint.paging.max_pages):
        try:
            reply = ask(step or {})
        except (SourceRefused, SourceBroken) as error:
            if not absent(endpoint, error, pages):
                raise
            return
        page = walk.read(reply)
        yield page
        step = walk.after(page)
        if step is None:
            return
    raise SourceBroken(f"{endpoint.name}: no end after {endpoint.paging.max_pages} pages")


def first_step(endpoint: Endpoint) -> dict[str, Any]:
    """The step that leads to the first page."""
    paging = endpoint.paging
    return {paging.style: _start(paging)} if paging.style in {"page", "offset"} else {}


class _Walk:
    """Where one reading stands, and what it has seen."""

    def __init__(self, endpoint: Endpoint, read: Read) -> None:
        self.endpoint, self.paging, self.read_one = endpoint, endpoint.paging, read
        self.place = _start(self.paging)
        self.most = 0
        self.seen: set[str] = set()
        self.steps: set[str] = set()
        self.last = ""
        self.reached: Any = None
        self.news, self.stale = 0, 0
        self.counted = self.paging.style in {"page", "offset"}

    def read(self, reply: Reply) -> Page:
        """The page in an answer, held against those before."""
        records = [self.read_one(raw) for raw in records_of(self.endpoint, reply.data)]
        ids = [name or repr(scope.record) for name, scope in records]
        total = _number(told(reply, self.paging.total))
        moved = self._overlaps and bool(self.last) and self.last not in ids
        new = set(ids) - self.seen
        self.news, self.stale = len(new), 0 if new or not ids else self.stale + 1
        self.seen |= new
        self.last = ids[-1] if ids else self.last
        self.most = max(self.most, len(records))
        doubt = "" if self.steps else self._doubt(reply, len(records), total)
        return Page(reply, records, total, moved, self.counted, doubt)

    def after(self, page: Page) -> dict[str, Any] | None:
        """The step to the next page; None at the end."""
        style, more = self.paging.style, self._more(page.reply)
        if style == "none" or more is False or self._ended(page):
            return None
        if self.paging.end == "known" and not self.news:
            return None
        if self.stale >= _STALE_PAGES:
            raise SourceBroken(
                f"{self.endpoint.name}: {_STALE_PAGES} pages in a row bring nothing new: the "
                f"source does not heed {self.paging.param or 'its own addresses'}"
            )
        step = getattr(self, f"_by_{style}")(page)
        if step is None and more is True:
            raise SourceBroken(f"{self.endpoint.name}: says that there is more, but not where")
        return step if step is None else self._once(step)

    def _doubt(self, reply: Reply, count: int, total: int | None) -> str:
        """Why a first page may hide that there is more: a path that leads nowhere finds no end."""
        paging = self.paging
        if paging.style == "none" and self._more(reply) is True:
            return "the source holds more than it shows here"
        if paging.total and total is None:
            return f"no number of all records at {paging.total!r}: correct total, or leave it out"
        blind = paging.style in {"token", "url"} and not (paging.more or paging.total)
        if blind and count >= paging.size and not says(reply, paging.next):
            return f"a full page, and nothing at {paging.next!r} says that it is the last"
        return ""

    def _ended(self, page: Page) -> bool:
        end, fresh = self.paging.end, len(page.records)
        if self.paging.style in {"page", "offset", "keyset"} and fresh <= self._again:
            return True
        if end == "short" and self.paging.style not in {"token", "relay", "link", "url"}:
            return fresh < self.paging.size and not self._capped(fresh)
        if self.paging.pages:
            return self._walked >= self._pages(page.reply)
        return end == "total" and page.total is not None and len(self.seen) >= page.total

    @property
    def _overlaps(self) -> bool:
        return self.paging.style == "offset" and self.paging.confirm in {"auto", "overlap"}

    @property
    def _again(self) -> int:
        """How many records of a page have been asked for a second time."""
        return (
            1 if self._overlaps and len(self.seen) > 0 and self.place > _start(self.paging) else 0
        )

    def _capped(self, count: int) -> bool:
        """May a page with less than was asked for be a full one, of a source that gives no more?"""
        return count == self.most and count % _ROUND == 0

    @property
    def _walked(self) -> int:
        return self.place - _start(self.paging) + 1

    def _pages(self, reply: Reply) -> int:
        number = _number(told(reply, self.paging.pages))
        if number is None:
            raise SourceBroken(f"{self.endpoint.name}: no number of pages at {self.paging.pages!r}")
        return number

    def _more(self, reply: Reply) -> bool | None:
        where = self.paging.more
        if self.paging.style == "relay" and not where:
            where = f"{self.paging.next}.hasNextPage"
        if not where:
            return None
        value = told(reply, where.removeprefix("!"))
        if isinstance(value, str):
            value = {"true": True, "false": False}.get(value.casefold())
        if not isinstance(value, bool):
            raise SourceBroken(
                f"{self.endpoint.name}: {where} is {clean(repr(value), 40)}, not true or false"
            )
        return not value if where.startswith("!") else value

    def _once(self, step: dict[str, Any]) -> dict[str, Any]:
        key = repr(sorted(step.items()))
        if key in self.steps:
            raise SourceBroken(
                f"{self.endpoint.name}: the next page repeats, so the end is never reached"
            )
        self.steps.add(key)
        return step

    def _by_link(self, page: Page) -> dict[str, Any] | None:
        following = next_link(page.reply)
        return self._address(following) if following else None

    def _by_url(self, page: Page) -> dict[str, Any] | None:
        value = told(page.reply, self.paging.next)
        if value in (None, "", False):
            return None
        if not isinstance(value, str):
            raise SourceBroken(f"{self.endpoint.name}: {self.paging.next} is no address")
        return self._address(value)

    def _address(self, url: str) -> dict[str, Any]:
        query = parse_qsl(urlsplit(url).query)
        self.counted |= any(_COUNTED.search(name) and value.isdigit() for name, value in query)
        return {"url": url}

    def _by_token(self, page: Page) -> dict[str, Any] | None:
        value = told(page.reply, self.paging.next)
        if isinstance(value, dict | list):
            raise SourceBroken(f"{self.endpoint.name}: {self.paging.next} is no token")
        return None if value in (None, "", False) else {"token": value}

    def _by_relay(self, page: Page) -> dict[str, Any] | None:
        info = told(page.reply, self.paging.next)
        if not isinstance(info, dict):
            raise SourceBroken(f"{self.endpoint.name}: no pageInfo at {self.paging.next}")
        token = info.get("endCursor")
        return {"token": token} if token else None

    def _by_page(self, _page: Page) -> dict[str, Any]:
        self.place += 1
        return {"page": self.place}

    def _by_offset(self, page: Page) -> dict[str, Any]:
        self.place += len(page.records) - self._again
        return {
            "offset": max(self.place - 1, _start(self.paging)) if self._overlaps else self.place
        }

    def _by_keyset(self, page: Page) -> dict[str, Any] | None:
        _, last = page.records[-1]
        value = found(last.record, self.paging.last)
        if value is None or isinstance(value, dict | list):
            raise SourceBroken(f"{self.endpoint.name}: the last record has no {self.paging.last}")
        if self.stale or value == self.reached:  # asked for from that on, so that it comes again
            self._end_of_equals(page)
            return None
        self.reached = value
        return {"last": value}

    def _end_of_equals(self, page: Page) -> None:
        count = len(page.records)
        if count >= self.paging.size or (count >= _FULL and self._capped(count)):
            raise SourceBroken(
                f"{self.endpoint.name}: {count} records, as many as a page holds, lead no further "
                f"than their {self.paging.last}: raise paging.size, or take another style"
            )


def sure_of(paging: Paging, page: Page) -> bool:
    """Is one reading enough to know that nothing was passed over?"""
    return (
        not page.counted
        or paging.confirm in {"none", "overlap"}
        or (paging.style == "offset" and paging.confirm == "auto")
    )


def _start(paging: Paging) -> int:
    usual = 1 if paging.style == "page" else 0
    return usual if paging.start is None else paging.start


def _number(value: Any) -> int | None:
    if isinstance(value, str):  # also as in Content-Range: "0-24/3573" (RFC 9110, 14.4)
        value = value.rpartition("/")[2].strip()
        return int(value) if value.isdigit() else None
    usable = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if usable else None
